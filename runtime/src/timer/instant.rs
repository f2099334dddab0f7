//! `Instant`: a point on the runtime's clock, and the methods of all such points.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::sync::OnceLock;
use std::time::Duration;

use super::{Monotonic, now};
use crate::sys::clock::{monotonic_ns, saturating_ns};

/// A point in time on the monotonic clock, which stands still while a test has paused it.
///
/// As tokio's `time::Instant`. It counts nanoseconds on CLOCK_MONOTONIC, from 292 years before the
/// machine was started to 292 years after.
///
/// ```
/// use runtime::time::Instant;
/// let start = Instant::now();
/// assert!(start.elapsed() >= std::time::Duration::ZERO);
/// assert_eq!(Instant::from_std(start.into_std()), start);
///
/// // Operators end at the ends of the range; the checked forms tell.
/// let second = std::time::Duration::from_secs(1);
/// let later = start + second;
/// assert_eq!(later - start, second);
/// assert_eq!(start.duration_since(later), std::time::Duration::ZERO);
/// assert_eq!(start.checked_duration_since(later), None);
/// assert_eq!(start.checked_add(second), Some(later));
/// assert_eq!(later.checked_sub(second), Some(start));
/// assert_eq!(start.checked_add(std::time::Duration::MAX), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

/// One moment on both clocks, to convert by: std does not show its nanoseconds.
#[inline]
fn anchor() -> (std::time::Instant, i64) {
    static ANCHOR: OnceLock<(std::time::Instant, i64)> = OnceLock::new();
    *ANCHOR.get_or_init(|| {
        // Both read the same clock, one after the other: the closest of some pairs is best.
        let pair = || {
            let before = monotonic_ns();
            let std = std::time::Instant::now();
            let after = monotonic_ns();
            (after - before, std, before)
        };
        let (_, std, ns) = (0..8).map(|_| pair()).min_by_key(|pair| pair.0).expect("8 pairs");
        (std, ns)
    })
}

/// What an `Instant` of nanoseconds on any clock has: its time and its arithmetic.
macro_rules! instant_methods {
    ($clock:ty, $name:literal) => {
        impl Instant {
            /// The current time: of the current runtime's clock, else of the system's.
            #[inline]
            pub fn now() -> Instant {
                Instant(now::<$clock>())
            }

            #[inline]
            pub(crate) const fn from_nanos(nanos: i64) -> Instant {
                Instant(nanos)
            }

            #[inline]
            pub(crate) const fn nanos(self) -> i64 {
                self.0
            }

            /// The time from `earlier` to this; zero if `earlier` is later.
            #[inline]
            pub fn duration_since(&self, earlier: Instant) -> Duration {
                self.saturating_duration_since(earlier)
            }

            /// The time from `earlier` to this, or `None` if `earlier` is later.
            #[inline]
            pub fn checked_duration_since(&self, earlier: Instant) -> Option<Duration> {
                (*self >= earlier).then(|| Duration::from_nanos(self.0.abs_diff(earlier.0)))
            }

            /// The time from `earlier` to this; zero if `earlier` is later.
            #[inline]
            pub fn saturating_duration_since(&self, earlier: Instant) -> Duration {
                self.checked_duration_since(earlier).unwrap_or(Duration::ZERO)
            }

            /// The time that has passed since this; zero if it is to come.
            #[inline]
            pub fn elapsed(&self) -> Duration {
                Instant::now().saturating_duration_since(*self)
            }

            /// This and `duration`, or `None` beyond the range.
            #[inline]
            pub fn checked_add(&self, duration: Duration) -> Option<Instant> {
                let nanos = i64::try_from(duration.as_nanos()).ok()?;
                self.0.checked_add(nanos).map(Instant)
            }

            /// This less `duration`, or `None` beyond the range.
            #[inline]
            pub fn checked_sub(&self, duration: Duration) -> Option<Instant> {
                let nanos = i64::try_from(duration.as_nanos()).ok()?;
                self.0.checked_sub(nanos).map(Instant)
            }
        }

        impl Add<Duration> for Instant {
            type Output = Instant;

            /// Beyond the range (292 years) the end of the range, which never comes: no overflow.
            #[inline]
            fn add(self, duration: Duration) -> Instant {
                Instant(self.0.saturating_add(saturating_ns(duration)))
            }
        }

        impl AddAssign<Duration> for Instant {
            #[inline]
            fn add_assign(&mut self, duration: Duration) {
                *self = *self + duration;
            }
        }

        impl Sub<Duration> for Instant {
            type Output = Instant;

            /// Beyond the range (292 years) the start of the range: no overflow.
            #[inline]
            fn sub(self, duration: Duration) -> Instant {
                Instant(self.0.saturating_sub(saturating_ns(duration)))
            }
        }

        impl SubAssign<Duration> for Instant {
            #[inline]
            fn sub_assign(&mut self, duration: Duration) {
                *self = *self - duration;
            }
        }

        impl Sub<Instant> for Instant {
            type Output = Duration;

            #[inline]
            fn sub(self, earlier: Instant) -> Duration {
                self.saturating_duration_since(earlier)
            }
        }

        impl fmt::Debug for Instant {
            #[inline]
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(
                    f,
                    concat!($name, "({}.{:09} s)"),
                    self.0 / 1_000_000_000,
                    (self.0 % 1_000_000_000).abs()
                )
            }
        }
    };
}
pub(super) use instant_methods;

instant_methods!(Monotonic, "Instant");

impl Instant {
    /// Converts from std's, exactly and both ways the same; what is further than 292 years off
    /// becomes the end of the range.
    #[inline]
    pub fn from_std(std: std::time::Instant) -> Instant {
        let (zero, nanos) = anchor();
        Instant(match std.checked_duration_since(zero) {
            Some(after) => nanos.saturating_add(saturating_ns(after)),
            None => nanos.saturating_sub(saturating_ns(zero.duration_since(std))),
        })
    }

    /// Converts to std's.
    #[inline]
    pub fn into_std(self) -> std::time::Instant {
        let (zero, nanos) = anchor();
        let apart = Duration::from_nanos(self.0.abs_diff(nanos));
        let std = if self.0 >= nanos { zero.checked_add(apart) } else { zero.checked_sub(apart) };
        std.unwrap_or(zero)
    }
}

impl From<std::time::Instant> for Instant {
    #[inline]
    fn from(std: std::time::Instant) -> Instant {
        Instant::from_std(std)
    }
}

impl From<Instant> for std::time::Instant {
    #[inline]
    fn from(instant: Instant) -> std::time::Instant {
        instant.into_std()
    }
}
