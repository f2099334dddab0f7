//! When a wait has to end, however often a signal interrupts it.

use std::io;
use std::time::Duration;

use super::clock::monotonic_ns;

/// The end of a wait, on CLOCK_MONOTONIC.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    at_ns: i64,
}

impl Deadline {
    /// From now until `timeout` has passed; `call` is what the error names.
    pub(crate) fn after(timeout: Duration, call: &str) -> io::Result<Deadline> {
        i64::try_from(timeout.as_nanos())
            .ok()
            .and_then(|ns| monotonic_ns().checked_add(ns))
            .map(|at_ns| Deadline { at_ns })
            .ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!(
                        "{call}: a timeout of {timeout:?} ends after the clock does: \
                         pass None for no end"
                    ),
                )
            })
    }

    /// The nanoseconds that are left; 0 once it has passed.
    pub(crate) fn left_ns(self) -> i64 {
        (self.at_ns - monotonic_ns()).max(0)
    }
}

/// Waits with `call`, which is given the nanoseconds that are left and returns how many are ready,
/// until some are or `deadline` has passed.
pub(crate) fn wait_until(
    deadline: Deadline,
    mut call: impl FnMut(i64) -> io::Result<usize>,
) -> io::Result<usize> {
    loop {
        let left = deadline.left_ns();
        match call(left) {
            Ok(0) if deadline.left_ns() > 0 => {}
            // Also when no time is left: what is ready by now still counts.
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_wait_looks_once_more_when_no_time_is_left() {
        let deadline = Deadline::after(Duration::ZERO, "test").expect("now");
        let mut results = vec![Ok(3), Err(io::Error::from_raw_os_error(libc::EINTR))];
        let ready = wait_until(deadline, |left| {
            assert_eq!(left, 0);
            results.pop().expect("a call")
        });
        assert_eq!(ready.expect("no EINTR"), 3);
    }

    #[test]
    fn an_early_end_is_not_the_end() {
        let deadline = Deadline::after(Duration::from_millis(2), "test").expect("soon");
        let mut calls = 0;
        let ready = wait_until(deadline, |_| {
            calls += 1;
            Ok(0)
        });
        assert_eq!(ready.expect("it only counts"), 0);
        assert!(calls > 1 && deadline.left_ns() == 0);
    }
}
