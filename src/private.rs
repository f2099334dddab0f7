//! What the expansions of `join!`, `try_join!`, `select!` and the attributes call. Not public: it may change
//! with any release.

#![allow(missing_docs, missing_debug_implementations)]

pub use core::future::{Future, poll_fn};
pub use core::pin::pin;
pub use core::task::Poll;

pub use runtime_core::__private::random_below;

use core::convert::Infallible;
use core::future::IntoFuture;
use core::ops::RangeInclusive;
use core::pin::Pin;
use core::task::Context;
use std::io;
use std::process::{ExitCode, Termination};

use pin_project_lite::pin_project;

use crate::Runtime;

/// Takes the runtime out of the result of `Builder::build`, for the attributes.
#[track_caller]
#[inline]
pub fn built(runtime: io::Result<Runtime>) -> Runtime {
    runtime
        .unwrap_or_else(|error| panic!("the runtime of this function could not be built: {error}"))
}

/// Runs a test once with each of its seeds, up to the first with which it fails: those given, or what
/// `EPOLL_RUNTIME_SEED` says, `7` or `0..1000`.
///
/// `path` is the test's, with its crate in front.
#[track_caller]
#[inline]
pub fn test_seeds<T: Termination>(
    path: &str,
    package: Option<&str>,
    given: RangeInclusive<u64>,
    run: impl Fn(u64) -> T,
) {
    let test = path.split_once("::").map_or(path, |(_crate, test)| test);
    let seeds = match std::env::var("EPOLL_RUNTIME_SEED") {
        Ok(text) => seeds(&text).unwrap_or_else(|| {
            panic!("EPOLL_RUNTIME_SEED is a whole number, or a range as 0..1000; found `{text}`")
        }),
        Err(_) => given,
    };
    for seed in seeds {
        let _names_it = OnPanic { test, package, seed };
        if run(seed).report() != ExitCode::SUCCESS {
            panic!("the test has failed with seed {seed}");
        }
    }
}

/// The seeds of a text, `7` or `0..1000`.
#[inline]
fn seeds(text: &str) -> Option<RangeInclusive<u64>> {
    let Some((first, end)) = text.split_once("..") else {
        let seed = text.parse().ok()?;
        return Some(seed..=seed);
    };
    let seeds = first.parse().ok()?..=end.parse::<u64>().ok()?.checked_sub(1)?;
    (!seeds.is_empty()).then_some(seeds)
}

/// Says with which seed a test failed, as the command that runs it alone.
struct OnPanic<'a> {
    test: &'a str,
    package: Option<&'a str>,
    seed: u64,
}

impl Drop for OnPanic<'_> {
    #[inline]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let OnPanic { test, package, seed } = *self;
            let package = package.map_or(String::new(), |name| format!(" --package {name}"));
            println!(
                "EPOLL_RUNTIME_SEED={seed} cargo test{package} -- --exact {test} # it failed with this seed"
            );
        }
    }
}

/// The order in which the branches of a macro are polled once each: from the one with the index `first` to
/// the last in one pass, then those before it in a second.
#[inline]
pub fn passes(first: u32) -> [Pass; 2] {
    [Pass { first, index: 0, wrapped: false }, Pass { first, index: 0, wrapped: true }]
}

/// One walk over the branches, in the order in which they are written.
pub struct Pass {
    first: u32,
    index: u32,
    wrapped: bool,
}

impl Pass {
    /// Steps to the next branch, and says whether it is polled in this pass.
    #[inline]
    pub fn polls_next(&mut self) -> bool {
        let index = self.index;
        self.index += 1;
        (index < self.first) == self.wrapped
    }
}

/// Which branch a `join!` polls first: another one each time, so that none can use up the budget of the
/// others, or always the first if it is `biased`.
pub struct Turns {
    branches: u32,
    first: u32,
}

impl Turns {
    #[inline]
    pub fn new(branches: usize, biased: bool) -> Turns {
        Turns { branches: if biased { 1 } else { branches as u32 }, first: 0 }
    }

    #[inline]
    pub fn next_passes(&mut self) -> [Pass; 2] {
        let first = self.first;
        self.first = (first + 1) % self.branches;
        passes(first)
    }
}

pin_project! {
    /// A future that keeps its output until all of a `join!` are done. The future is dropped when it is.
    #[project = JoinedProj]
    #[project_replace = JoinedOwned]
    pub enum Joined<F: Future> {
        Running { #[pin] future: F },
        Done { output: F::Output },
        Taken,
    }
}

impl<F: Future> Joined<F> {
    #[inline]
    pub fn new(future: impl IntoFuture<IntoFuture = F>) -> Joined<F> {
        Joined::Running { future: future.into_future() }
    }

    /// Polls the future unless it is done.
    #[inline]
    pub fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let JoinedProj::Running { future } = self.as_mut().project() {
            let output = core::task::ready!(future.poll(cx));
            self.set(Joined::Done { output });
        }
        Poll::Ready(())
    }

    /// The output of a future that is done.
    #[inline]
    pub fn take(self: Pin<&mut Self>) -> F::Output {
        match self.project_replace(Joined::Taken) {
            JoinedOwned::Done { output } => output,
            _ => unreachable!("`join!` takes each output once, when all are there"),
        }
    }
}

impl<T, E, F: Future<Output = Result<T, E>>> Joined<F> {
    /// As `poll`, but an error is not kept.
    #[inline]
    pub fn try_poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        core::task::ready!(self.as_mut().poll(cx));
        if let JoinedProj::Done { output: Err(_) } = self.as_mut().project() {
            return Poll::Ready(self.take().map(drop));
        }
        Poll::Ready(Ok(()))
    }

    /// The output of a future that ended well.
    #[inline]
    pub fn take_ok(self: Pin<&mut Self>) -> T {
        match self.take() {
            Ok(output) => output,
            Err(_) => unreachable!("`try_join!` ends with the first error"),
        }
    }
}

/// The future of a branch of `select!`, or nothing if its condition does not hold.
#[inline]
pub fn branch<F: IntoFuture>(enabled: bool, future: F) -> Option<F::IntoFuture> {
    enabled.then(|| future.into_future())
}

/// What a `select!` without `else` does when nothing can complete any more.
#[cold]
#[track_caller]
pub fn all_disabled() -> ! {
    panic!(
        "all branches of this `select!` are disabled, by their conditions or because their patterns did not \
         match, and it has no `else`; add `else => ..` to say what happens then"
    )
}

/// Which branch of a `select!` completed, and with what: `Out<A, B>` for two branches.
///
/// One type for every number of branches, so that no item is declared where the user's handlers could see it.
#[rustfmt::skip]
pub enum Out<
    T0 = Infallible, T1 = Infallible, T2 = Infallible, T3 = Infallible,
    T4 = Infallible, T5 = Infallible, T6 = Infallible, T7 = Infallible,
    T8 = Infallible, T9 = Infallible, T10 = Infallible, T11 = Infallible,
    T12 = Infallible, T13 = Infallible, T14 = Infallible, T15 = Infallible,
    T16 = Infallible, T17 = Infallible, T18 = Infallible, T19 = Infallible,
    T20 = Infallible, T21 = Infallible, T22 = Infallible, T23 = Infallible,
    T24 = Infallible, T25 = Infallible, T26 = Infallible, T27 = Infallible,
    T28 = Infallible, T29 = Infallible, T30 = Infallible, T31 = Infallible,
    T32 = Infallible, T33 = Infallible, T34 = Infallible, T35 = Infallible,
    T36 = Infallible, T37 = Infallible, T38 = Infallible, T39 = Infallible,
    T40 = Infallible, T41 = Infallible, T42 = Infallible, T43 = Infallible,
    T44 = Infallible, T45 = Infallible, T46 = Infallible, T47 = Infallible,
    T48 = Infallible, T49 = Infallible, T50 = Infallible, T51 = Infallible,
    T52 = Infallible, T53 = Infallible, T54 = Infallible, T55 = Infallible,
    T56 = Infallible, T57 = Infallible, T58 = Infallible, T59 = Infallible,
    T60 = Infallible, T61 = Infallible, T62 = Infallible, T63 = Infallible,
> {
    _0(T0), _1(T1), _2(T2), _3(T3), _4(T4), _5(T5), _6(T6), _7(T7),
    _8(T8), _9(T9), _10(T10), _11(T11), _12(T12), _13(T13), _14(T14), _15(T15),
    _16(T16), _17(T17), _18(T18), _19(T19), _20(T20), _21(T21), _22(T22), _23(T23),
    _24(T24), _25(T25), _26(T26), _27(T27), _28(T28), _29(T29), _30(T30), _31(T31),
    _32(T32), _33(T33), _34(T34), _35(T35), _36(T36), _37(T37), _38(T38), _39(T39),
    _40(T40), _41(T41), _42(T42), _43(T43), _44(T44), _45(T45), _46(T46), _47(T47),
    _48(T48), _49(T49), _50(T50), _51(T51), _52(T52), _53(T53), _54(T54), _55(T55),
    _56(T56), _57(T57), _58(T58), _59(T59), _60(T60), _61(T61), _62(T62), _63(T63),
    Disabled,
}
