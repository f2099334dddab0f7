//! Deadlines that count the time for which the machine is suspended: leases, caches, what is due tomorrow.
//!
//! The clock of [`time`](super) stands still meanwhile, as is right for "the peer has not answered for ten
//! seconds". Here it goes on (it is CLOCK_BOOTTIME): a deadline that came during the suspend is met as soon as
//! the machine is up again. Nothing here wakes the machine, and setting the wall clock changes nothing.
//!
//! A [paused](super::pause) clock is both clocks: [`advance`](super::advance) and the jump to the next deadline
//! move them together, [`suspend`] moves this one alone.

use std::future::IntoFuture;
use std::time::Duration;

#[doc(inline)]
pub use runtime_core::time::boottime::{Instant, Sleep, sleep, sleep_until, suspend};

use super::Timeout;

/// Gives a future at most `duration` to complete, time that the machine is suspended included.
///
/// As [`time::timeout`](super::timeout) otherwise.
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
/// use runtime::time::boottime;
///
/// # runtime::block_on(async {
/// let never = std::future::pending::<()>();
/// assert!(boottime::timeout(Duration::from_millis(1), never).await.is_err());
/// # });
/// ```
#[inline]
#[track_caller]
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture, Sleep> {
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
#[inline]
#[track_caller]
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture, Sleep> {
    Timeout::new(future.into_future(), sleep_until(deadline))
}
