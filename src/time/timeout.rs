//! `timeout`: a future with a deadline.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use runtime_core::task::{has_budget_remaining, unconstrained};

use super::{Instant, Sleep, sleep, sleep_until};

/// Gives a future at most `duration` to complete.
///
/// The future is polled before the clock is asked: one that is ready wins, even with a zero timeout. At the
/// deadline the caller gets [`Elapsed`]; the future is dropped with the [`Timeout`], or goes on if it was
/// given as `&mut future`. As tokio's `time::timeout`.
///
/// # Panics
///
/// With no runtime on this thread.
///
/// # Cancel safety
///
/// Dropping it drops the future.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use runtime::time::timeout;
///
/// # runtime::block_on(async {
/// assert_eq!(timeout(Duration::from_secs(5), async { 1 }).await, Ok(1));
/// assert!(timeout(Duration::from_millis(1), std::future::pending::<()>()).await.is_err());
/// # });
/// ```
#[inline]
#[track_caller]
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture> {
    Timeout::new(future.into_future(), sleep(duration))
}

/// Gives a future until `deadline` to complete; one in the past lets it be polled once. As [`timeout`].
///
/// # Panics
///
/// With no runtime on this thread.
///
/// # Cancel safety
///
/// Dropping it drops the future.
///
/// # Examples
///
/// One deadline for two steps:
///
/// ```
/// use std::time::Duration;
/// use runtime::time::{Instant, sleep, timeout_at};
///
/// # runtime::block_on(async {
/// let deadline = Instant::now() + Duration::from_secs(5);
/// timeout_at(deadline, sleep(Duration::from_millis(1))).await?;
/// timeout_at(deadline, sleep(Duration::from_millis(1))).await?;
/// # Ok::<(), runtime::time::Elapsed>(()) }).unwrap();
/// ```
#[inline]
#[track_caller]
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout::new(future.into_future(), sleep_until(deadline))
}

pin_project! {
    /// A future with a deadline; made by [`timeout`] and [`timeout_at`], and by those of
    /// [`boottime`](super::boottime) with its [`Sleep`](super::boottime::Sleep).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Timeout<F, D = Sleep> {
        #[pin]
        value: F,
        delay: D,
    }
}

impl<F, D> Timeout<F, D> {
    #[inline]
    pub(super) fn new(value: F, delay: D) -> Timeout<F, D> {
        Timeout { value, delay }
    }

    /// The future inside.
    #[inline]
    pub fn get_ref(&self) -> &F {
        &self.value
    }

    /// The future inside.
    #[inline]
    pub fn get_mut(&mut self) -> &mut F {
        &mut self.value
    }

    /// Takes the future out; the deadline is dropped.
    #[inline]
    pub fn into_inner(self) -> F {
        self.value
    }
}

impl<F: Future, D: Future<Output = ()> + Unpin> Future for Timeout<F, D> {
    type Output = Result<F::Output, Elapsed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let had_budget = has_budget_remaining();
        if let Poll::Ready(output) = this.value.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let elapsed = if had_budget && !has_budget_remaining() {
            // A future that uses up the budget at every poll would else keep the deadline from being seen.
            pin!(unconstrained(this.delay)).poll(cx)
        } else {
            Pin::new(this.delay).poll(cx)
        };
        elapsed.map(|()| Err(Elapsed(())))
    }
}

/// The deadline came before the future was done.
///
/// ```
/// # runtime::block_on(async {
/// # use std::time::Duration;
/// let error = runtime::time::timeout(Duration::ZERO, std::future::pending::<()>()).await.unwrap_err();
/// assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::TimedOut);
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Elapsed(());

impl fmt::Display for Elapsed {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline came before the future was done")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    #[inline]
    fn from(elapsed: Elapsed) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}
