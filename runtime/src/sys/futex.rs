//! A futex: the sleep of a thread that has no descriptors to wait for.

use std::ptr;
use std::sync::atomic::AtomicU32;

/// The kernel reads the word as 4 aligned bytes.
const _: () = assert!(size_of::<AtomicU32>() == 4 && align_of::<AtomicU32>() == 4);

/// The `timespec` of `SYS_futex`: two machine words, whatever libc's `time_t` is.
#[repr(C)]
struct FutexTimespec {
    tv_sec: libc::c_long,
    tv_nsec: libc::c_long,
}

/// Sleeps while `word` is `expected`, at most until `deadline_ns` on CLOCK_MONOTONIC.
///
/// Returns on a wake, a value that differs, a signal, the deadline, or for no reason: the caller
/// looks at the word and at the clock, and loops.
#[allow(clippy::useless_conversion, reason = "not i64 on every target")]
pub(crate) fn wait(word: &AtomicU32, expected: u32, deadline_ns: Option<i64>) {
    // A negative deadline is EINVAL, which returns like a past one.
    let deadline = deadline_ns.map(|ns| FutexTimespec {
        tv_sec: (ns / 1_000_000_000).try_into().unwrap_or(libc::c_long::MAX),
        tv_nsec: (ns % 1_000_000_000) as libc::c_long,
    });
    let deadline = deadline.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the word is a live, aligned u32 that the kernel only reads, atomically; the deadline
    // is null or points to a timespec of the kernel's layout; both outlive the call.
    // WAIT_BITSET takes the deadline as absolute. The result is of no use: the caller loops.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG,
            expected,
            deadline,
            ptr::null::<u32>(),
            libc::FUTEX_BITSET_MATCH_ANY,
        );
    }
}

/// Wakes one thread of this process that sleeps on `word`, if there is one.
pub(crate) fn wake_one(word: &AtomicU32) {
    // SAFETY: WAKE uses the address as a key and does not follow it.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            1,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::monotonic_ns;
    use std::sync::atomic::Ordering;

    #[test]
    fn another_value_returns_at_once() {
        wait(&AtomicU32::new(1), 0, None);
    }

    #[test]
    fn a_deadline_ends_the_sleep_and_not_early() {
        let word = AtomicU32::new(0);
        wait(&word, 0, Some(-1));
        wait(&word, 0, Some(0));
        let deadline = monotonic_ns() + 2_000_000;
        while monotonic_ns() < deadline {
            wait(&word, 0, Some(deadline));
        }
    }

    #[test]
    fn a_wake_ends_the_sleep() {
        let word = AtomicU32::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while word.load(Ordering::Acquire) == 0 {
                    wait(&word, 0, None);
                }
            });
            word.store(1, Ordering::Release);
            wake_one(&word);
        });
    }
}
