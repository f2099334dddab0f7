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
//! user's line, as in any `async fn`. A test with seeds hands all this to `::runtime::__private::test_seeds`,
//! as a closure that is called with each of them.
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
/// | `auto_advance` | `true`, `false` | whether a paused clock jumps, or stands until it is moved; `true` by default |
/// | `seed` | a whole number | the order of tasks and of `select!` is drawn from it, and repeats |
/// | `seeds` | a whole number | of a [test](macro@test): with how many seeds it runs |
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
/// With `seed = 7` the order of ready tasks and of the branches of `select!` is drawn from that seed, and
/// repeats. With `seeds = 200` the test runs 200 times, each time on a new runtime, with the seeds 0 to 199, and
/// ends with the first that fails:
///
/// ```
/// #[runtime::test(start_paused = true, seeds = 200)]
/// async fn whoever_is_first() {
///     let won = runtime::select! {
///         _ = async {} => "first",
///         _ = async {} => "second",
///     };
///     assert!(["first", "second"].contains(&won));
/// }
/// ```
///
/// A test that fails says with which seed, as a line to be pasted into a shell:
///
/// ```text
/// EPOLL_RUNTIME_SEED=7 cargo test --package app -- --exact tests::whoever_is_first # it failed with this seed
/// ```
///
/// `EPOLL_RUNTIME_SEED` takes the place of every `seed` and `seeds` of a test run. A range tries more of them:
/// `EPOLL_RUNTIME_SEED=0..10000`. A test without either option is not seeded.
///
/// With `#[should_panic]` a test passes when it panics with one of its seeds. What repeats and what cannot, and
/// how to look for races: the chapter on testing of the guide.
#[proc_macro_attribute]
pub fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(Kind::Test, options, item)
}
