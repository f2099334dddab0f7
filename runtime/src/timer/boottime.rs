//! Deadlines that count suspend: sleeping on CLOCK_BOOTTIME.

use std::fmt;
use std::future::Future;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::clock::{self, Clock};
use super::delay::Delay;
use super::instant::instant_methods;
use super::sleep::sleep_methods;
use super::{Boottime, now};
use crate::sys::clock::saturating_ns;

/// A point in time on CLOCK_BOOTTIME, which goes on while the machine is suspended.
///
/// It counts nanoseconds, within 292 years of the machine's start. An [`Instant`](crate::time::Instant)
/// is of another clock: after a suspend the two are further apart, so there is no way from one to the
/// other.
///
/// ```
/// use runtime::time::boottime::Instant;
/// let start = Instant::now();
/// assert!(start.elapsed() >= std::time::Duration::ZERO);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

instant_methods!(Boottime, "boottime::Instant");

/// Waits until `duration` has passed, time that the machine is suspended included.
///
/// [`time::sleep`](crate::time::sleep) waits on, after an hour of suspend, for as long as was left before.
/// This one ends as soon as the machine is up again; it does not wake the machine. In all else it is as
/// `time::sleep`: never early, within 160 us of others, and [`Duration::MAX`] never ends.
///
/// It costs the runtime a descriptor, made when the first such wait begins. Should the system refuse it,
/// the clock is looked at every second instead, until the descriptor can be made: a wait then ends up to
/// that much late after a suspend, and without one on time.
///
/// # Panics
///
/// With no runtime on this thread.
///
/// # Cancel safety
///
/// Dropping it cancels the wait.
///
/// ```
/// # runtime::block_on(async {
/// use runtime::time::boottime;
/// boottime::sleep(std::time::Duration::from_millis(1)).await;
/// # });
/// ```
#[track_caller]
#[inline]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep { delay: Delay::of(duration) }
}

/// Waits until `deadline`; one in the past is there at once. As [`sleep`].
///
/// # Panics
///
/// With no runtime on this thread.
///
/// # Cancel safety
///
/// Dropping it cancels the wait.
///
/// ```
/// use std::time::Duration;
/// use runtime::time::boottime::{Instant, sleep_until};
///
/// # runtime::block_on(async {
/// let deadline = Instant::now() + Duration::from_millis(1);
/// sleep_until(deadline).await;
/// assert!(Instant::now() >= deadline);
/// # });
/// ```
#[track_caller]
#[inline]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep { delay: Delay::until(deadline.nanos()) }
}

/// Moves a paused clock as suspending the machine does: [`Instant`] goes on by `duration`, and
/// [`time::Instant`](crate::time::Instant) stands.
///
/// For tests of what a suspend does to a program. The tasks whose deadlines have come get one turn before
/// this returns, as with [`advance`](crate::time::advance), which moves both.
///
/// # Panics
///
/// If the clock is not [paused](crate::time::pause), or with no runtime on this thread.
///
/// # Cancel safety
///
/// The clock has moved once this was polled.
///
/// ```
/// # use std::time::Duration;
/// # runtime::block_on(async {
/// use runtime::time::{self, boottime};
///
/// const HOUR: Duration = Duration::from_secs(3600);
/// time::pause();
/// let counts = runtime::spawn(boottime::sleep(HOUR));
/// let does_not = runtime::spawn(time::sleep(HOUR));
/// runtime::task::yield_now().await;
/// boottime::suspend(HOUR).await;
/// assert!(counts.is_finished() && !does_not.is_finished());
/// # });
/// ```
#[inline]
pub fn suspend(duration: Duration) -> impl Future<Output = ()> {
    clock::move_by("boottime::suspend", duration, Clock::suspend)
}

/// Waits for a deadline; made by [`sleep`] and [`sleep_until`].
///
/// It may be sent to other threads: it waits on the runtime where it is polled, and on the one where
/// it was made if another executor polls it.
#[must_use = "futures do nothing unless polled"]
pub struct Sleep {
    delay: Delay<Boottime>,
}

// Few programs use it: it is compiled in those.
sleep_methods!(#[inline]);
