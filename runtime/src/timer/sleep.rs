//! `Sleep`: the future that waits for an [`Instant`], and the methods of all such futures.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::delay::Delay;
use super::{Instant, Monotonic};

/// Waits until `duration` has passed.
///
/// As tokio's `time::sleep`, with nanosecond deadlines: never early, and as late as the kernel wakes
/// us, plus at most 160 us where many deadlines lie close. `Duration::MAX` never ends.
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
/// runtime::time::sleep(std::time::Duration::from_millis(1)).await;
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
/// use runtime::time::{Instant, sleep_until};
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

/// Waits for a deadline; made by [`sleep`] and [`sleep_until`].
///
/// It may be sent to other threads: it waits on the runtime where it is polled, and on the one where
/// it was made if another executor polls it.
///
/// One that is moved as long as something comes, and fires when nothing has come for a while:
///
/// ```
/// use std::pin::pin;
/// use std::time::Duration;
/// use futures::channel::mpsc;
/// use futures::{SinkExt, StreamExt};
/// use runtime::time::{Instant, sleep};
///
/// # runtime::block_on(async {
/// const IDLE: Duration = Duration::from_millis(2);
/// let (mut sender, mut receiver) = mpsc::channel(1);
/// runtime::spawn(async move {
///     for n in 0..3 {
///         sender.send(n).await.unwrap();
///     }
///     std::future::pending::<()>().await;
///     drop(sender);
/// });
/// let mut idle = pin!(sleep(IDLE));
/// let mut seen = 0;
/// loop {
///     runtime::select! {
///         biased;
///         Some(_) = receiver.next() => {
///             seen += 1;
///             idle.as_mut().reset(Instant::now() + IDLE);
///         }
///         () = &mut idle => break,
///     }
/// }
/// assert_eq!(seen, 3);
/// # });
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct Sleep {
    delay: Delay<Monotonic>,
}

/// What a `Sleep` on any clock has, over its `delay`.
macro_rules! sleep_methods {
    ($(#[$attr:meta])*) => {
        impl Sleep {
            /// When it ends.
            #[inline]
            pub fn deadline(&self) -> Instant {
                Instant::from_nanos(self.delay.deadline())
            }

            /// Whether it has ended.
            #[inline]
            pub fn is_elapsed(&self) -> bool {
                self.delay.is_elapsed()
            }

            /// Moves the deadline, also after it has passed. No allocation.
            #[inline]
            pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
                self.get_mut().delay.reset(deadline.nanos());
            }
        }

        impl Future for Sleep {
            type Output = ();

            $(#[$attr])*
            fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
                Pin::new(&mut self.get_mut().delay).poll(cx)
            }
        }

        impl fmt::Debug for Sleep {
            #[inline]
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct("Sleep").field("deadline", &self.deadline()).finish_non_exhaustive()
            }
        }
    };
}
pub(super) use sleep_methods;

sleep_methods!();
