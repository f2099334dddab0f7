//! The kernel's clocks as nanoseconds in an `i64`, and its `timespec`.

use std::time::Duration;

/// Now on CLOCK_MONOTONIC, in nanoseconds since the clock's zero.
#[inline]
pub(crate) fn monotonic_ns() -> i64 {
    now_ns(libc::CLOCK_MONOTONIC)
}

/// Now on CLOCK_BOOTTIME, in nanoseconds since the clock's zero.
pub(crate) fn boottime_ns() -> i64 {
    now_ns(libc::CLOCK_BOOTTIME)
}

/// Now on `clock`, in nanoseconds since the clock's zero.
#[inline]
#[allow(clippy::unnecessary_cast, reason = "not i64 on every target")]
fn now_ns(clock: libc::clockid_t) -> i64 {
    let mut now = timespec(0);
    // SAFETY: `now` is a timespec that outlives the call.
    let result = unsafe { libc::clock_gettime(clock, &mut now) };
    assert!(result == 0, "clock_gettime failed on clock {clock}: the kernel lacks it");
    now.tv_sec as i64 * 1_000_000_000 + now.tv_nsec as i64
}

/// The nanoseconds of `duration`; what is over 292 years counts as `i64::MAX`, which the kernel
/// takes as never.
#[inline]
pub(crate) fn saturating_ns(duration: Duration) -> i64 {
    const MOST: u64 = (i64::MAX / 1_000_000_000) as u64;
    // In 64 bits: every timer comes by here, and 128-bit arithmetic is several times the work.
    if duration.as_secs() >= MOST {
        return i64::MAX;
    }
    duration.as_secs() as i64 * 1_000_000_000 + i64::from(duration.subsec_nanos())
}

/// libc's `timespec` of `ns` nanoseconds, which must not be negative.
#[inline]
#[allow(clippy::useless_conversion, reason = "not i64 on every target")]
pub(crate) fn timespec(ns: i64) -> libc::timespec {
    // SAFETY: a timespec is integers only (and padding on some targets, which is why it is not
    // written as a literal), for which zeros are valid.
    let mut timespec: libc::timespec = unsafe { std::mem::zeroed() };
    timespec.tv_sec = (ns / 1_000_000_000).try_into().unwrap_or(libc::time_t::MAX);
    timespec.tv_nsec = (ns % 1_000_000_000) as _;
    timespec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_does_not_go_back() {
        let first = monotonic_ns();
        assert!(first > 0);
        assert!(monotonic_ns() >= first);
    }

    #[test]
    fn durations_saturate() {
        assert_eq!(saturating_ns(Duration::from_nanos(7)), 7);
        assert_eq!(saturating_ns(Duration::MAX), i64::MAX);
    }

    #[test]
    fn a_timespec_is_normalised() {
        let t = timespec(3_000_000_007);
        assert_eq!((t.tv_sec, t.tv_nsec), (3, 7));
    }
}
