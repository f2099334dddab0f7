//! `#[runtime::main]` and `#[runtime::test]`: an async function becomes one that runs itself.
//!
//! ```text
//! #[runtime::main(start_paused = true)]
//! async fn main() -> Result<(), Error> { BODY }
//! ```
//!
//! becomes
//!
//! ```text
//! fn main() -> Result<(), Error> {
//!     ::runtime::__private::built(::runtime::Builder::new().start_paused(true).build()).block_on(async {
//!         if false {
//!             return (|| -> Result<(), Error> { unreachable!() })();
//!         }
//!         { BODY }
//!     })
//! }
//! ```
//!
//! and `#[runtime::test]` puts `#[::core::prelude::v1::test]` on top. The body keeps its spans, and the
//! `return` that never runs gives the block the type of the function, so that a type error points at the
//! user's line, as in any `async fn`.
//!
//! The attributes stand on `proc_macro` alone: `parse` knows the few tokens that matter to them,
//! `expand` writes what is above, and the rest goes through unread.

#![forbid(unsafe_code)]

mod expand;
mod parse;

use proc_macro::TokenStream;

use expand::Kind;

/// Runs an async function on a runtime of its own.
///
/// The function loses its `async`: calling it builds a runtime, runs the body on it with `block_on`, and
/// drops the runtime. It is meant for `main`; any other function may have it too, with arguments,
/// wherever a thread without a runtime calls it.
///
/// ```
/// #[runtime::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let answer: u32 = runtime::spawn(async { "42".parse() }).await??;
///     assert_eq!(answer, 42);
///     Ok(())
/// }
/// ```
///
/// # Options
///
/// | option | value | meaning |
/// |---|---|---|
/// | `start_paused` | `true`, `false` | the clock starts paused and jumps when nothing else can run |
/// | `seed` | a whole number | the order of `select!` and of every other draw repeats |
/// | `unhandled_panic` | `"log"`, `"abort"`, `"resume"` | what a panic does in a task that nobody joins; the path of the variant is accepted too |
/// | `crate` | a path | where the runtime is found, if not at `::runtime` |
/// | `flavor` | `"current_thread"`, `"local"` | accepted for those who come from tokio; there is one flavor |
///
/// ```
/// use runtime as rt;
///
/// #[runtime::main(crate = rt, seed = 7, unhandled_panic = "resume")]
/// async fn main() {
///     let (a, b) = rt::join!(async { 1 }, async { 2 });
///     assert_eq!(a + b, 3);
/// }
/// ```
///
/// # Panics
///
/// The function panics when the runtime cannot be built, and when it is called inside a runtime.
#[proc_macro_attribute]
pub fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(Kind::Main, options, item)
}

/// Makes an async function a test that runs on a runtime of its own.
///
/// The options are those of [`macro@main`], and `#[should_panic]`, `#[ignore]` and a `Result` as the return
/// type work as in any test.
///
/// ```
/// #[runtime::test]
/// async fn adds() {
///     assert_eq!(async { 1 + 1 }.await, 2);
/// }
/// ```
///
/// # Seeds
///
/// With `seed = N` the draws of the runtime repeat, and a failing test shows the seed among its output:
/// ``runtime: the test `fair` runs with seed = 7``. The environment variable `EPOLL_RUNTIME_SEED` takes the
/// place of every `seed = N` of a test run, to try others. A test without the option is not seeded.
///
/// ```
/// #[runtime::test(start_paused = true, seed = 7)]
/// async fn fair() {
///     let won = runtime::select! {
///         _ = async {} => "first",
///         _ = async {} => "second",
///     };
///     assert!(["first", "second"].contains(&won));
/// }
/// ```
#[proc_macro_attribute]
pub fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(Kind::Test, options, item)
}
