//! What must compile without a word, in edition 2024, under lints that forbid and deny.
#![forbid(unsafe_code)]
#![deny(
    missing_docs,
    unreachable_pub,
    unused,
    unused_qualifications,
    let_underscore_drop,
    tail_expr_drop_order
)]
#![deny(
    if_let_rescope,
    elided_lifetimes_in_paths,
    single_use_lifetimes,
    keyword_idents,
    missing_debug_implementations
)]

use std::cell::RefCell;
use std::fmt::Display;
use std::future::{pending, ready};
use std::process::{ExitCode, Termination};

/// A documented `main`, with attributes, a `Result` and a `?`.
#[runtime::main(
    start_paused = false,
    seed = 0x_ff,
    flavor = "current_thread",
    unhandled_panic = "log"
)]
#[allow(clippy::unused_async)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let n: u32 = "1".parse()?;
    if n == 2 {
        return Err("two".into());
    }
    println!("{}{}{}", arguments("x", 1).len(), generic([1]), unsafe_callee());
    println!("{:?}{:?}{}{}", exit_code(), path_options(), elided(&[1]), opaque()?);
    println!("{}", coerced(true));
    impl_termination().report();
    let _ = (diverges as fn() -> !, through_macro(), Local(RefCell::new(1)).method());
    temporaries().await;
    never().await;
    Ok(())
}

#[runtime::main(crate = ::runtime, unhandled_panic = Abort)]
async fn arguments(mut text: &str, times: usize) -> String {
    if times > 1 {
        text = "";
    }
    text.repeat(times)
}

#[runtime::main(crate = "runtime", unhandled_panic = ::runtime::UnhandledPanic::Resume, flavor = "local")]
pub(crate) async fn generic<T: Fn0<fn(i32) -> i32>, const N: usize>(value: [T; N]) -> usize
where
    T: Clone,
{
    value.len()
}

/// Something with an arrow in its bounds.
pub(crate) trait Fn0<F> {}
impl Fn0<fn(i32) -> i32> for i32 {}

#[runtime::main(seed = 18446744073709551615u64)]
async unsafe fn unsafe_main() -> u32 {
    ready(1).await
}

fn unsafe_callee() -> usize {
    let _: unsafe fn() -> u32 = unsafe_main;
    0
}

#[runtime::main]
async fn impl_termination() -> impl Termination {
    ExitCode::SUCCESS
}

#[runtime::main]
async fn opaque() -> Result<impl Display, std::io::Error> {
    Ok("text")
}

#[runtime::main]
async fn exit_code() -> ExitCode {
    ready(()).await;
    ExitCode::SUCCESS
}

#[rustfmt::skip]
#[runtime::main(start_paused = true,)]
async fn path_options() {}

#[runtime::main]
async fn coerced(early: bool) -> Box<dyn Display> {
    #![allow(unused_mut)]
    if early {
        return Box::new('c');
    }
    Box::new(1)
}

#[runtime::main]
async fn elided(bytes: &[u8]) -> &u8 {
    &bytes[0]
}

#[runtime::main]
async fn diverges() -> ! {
    loop {
        pending::<()>().await
    }
}

struct Local(RefCell<u32>);

impl Local {
    #[runtime::main]
    async fn method(&self) -> u32 {
        Self::two(*self.0.borrow()).await
    }

    async fn two(n: u32) -> u32 {
        2 * n
    }
}

macro_rules! function {
    ($(#[$attribute:meta])* $visibility:vis $name:ident $seed:literal $output:ty $body:block) => {
        #[runtime::main(seed = $seed)]
        $(#[$attribute])*
        $visibility async fn $name() -> $output $body
    };
}

macro_rules! item {
    ($item:item) => {
        #[runtime::main]
        $item
    };
}

function! { #[inline] pub(crate) through_macro 7 usize { whole_item() } }

item! {
    async fn whole_item() -> usize { 1 }
}

async fn temporaries() {
    let cell = RefCell::new(Some(1));
    let n = runtime::select! {
        Some(n) = async { cell.borrow_mut().take() } => n,
        mut n = async { *cell.borrow() }, if cell.borrow().is_none() => n.take().unwrap_or(2),
        ref n @ (1 | 2) = ready(1) => *n,
        else => 0,
    };
    let (a, b) = runtime::join!(ready(n), async { *cell.borrow() });
    let c = runtime::try_join!(biased; async { Ok(1) }, async { Err::<(), _>(b) },);
    println!("{a}{c:?}");
}

async fn never() {
    enum Out {
        Disabled,
    }
    // Names of ours, types of the user's.
    let (pending, branch, output, out, cx, pass, fits, first) = (1, 1, 1, 1, 1, 1, 1, 1);
    let out = runtime::select! {
        biased;
        never = std::future::pending::<std::convert::Infallible>() => match never {},
        () = async { loop { std::future::pending::<()>().await } } => Out::Disabled,
        _ = async { pending + branch + output + out + cx + pass + fits + first } => {
            let Out::Disabled = Out::Disabled;
            Out::Disabled
        }
    };
    let Out::Disabled = out;
    runtime::join!();
    let nothing: Result<(), ()> = runtime::try_join!();
    let _ = nothing;
    runtime::select! { else => {} }
    let one = runtime::select! { biased; else => 1 };
    let _ = one;
}
