//! Time: sleeping, timeouts, intervals, and a clock that tests can stop.
//!
//! Deadlines are in nanoseconds and nothing fires early. Durations up to [`Duration::MAX`] and instants in
//! the past are fine everywhere: what lies beyond the range of [`Instant`] never comes. Names and meaning
//! are those of tokio's `time`, except for the default of [`MissedTickBehavior`]. [`boottime`] has deadlines
//! that count the time for which the machine is suspended.
//!
//! [`Duration::MAX`]: std::time::Duration::MAX

pub mod boottime;
mod interval;
mod timeout;

#[doc(inline)]
pub use runtime_core::time::{Instant, Sleep, advance, pause, resume, sleep, sleep_until};

pub use self::interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use self::timeout::{Elapsed, Timeout, timeout, timeout_at};

/// The errors of this module, where tokio has them.
pub mod error {
    pub use super::timeout::Elapsed;
}
