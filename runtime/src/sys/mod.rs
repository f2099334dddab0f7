//! The system calls the engine stands on, each behind a safe and typed function: the only place
//! that names libc.

#![allow(unsafe_code)]

pub(crate) mod affinity;
pub(crate) mod capability;
pub(crate) mod clock;
pub(crate) mod deadline;
pub(crate) mod epoll;
pub(crate) mod eventfd;
pub(crate) mod fork;
pub(crate) mod futex;
pub(crate) mod pidfd;
pub(crate) mod poll;
pub(crate) mod prefetch;
pub(crate) mod select;
pub(crate) mod sigaction;
pub(crate) mod sigmask;
pub(crate) mod signal;
pub(crate) mod signalfd;
pub(crate) mod socket;
pub(crate) mod timerfd;

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Turns the result of a system call, -1 for an error in `errno`, into a `Result`.
#[inline]
pub(crate) fn cvt(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Repeats `call` while signals interrupt it.
#[inline]
pub(crate) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Puts a sentence that names the operation and the remedy in front of `err`.
///
/// The kind stays. `io::Error` has no room for both an errno and a sentence, so the original error,
/// which knows the errno, becomes the `source()`.
#[cold]
pub fn context(err: io::Error, sentence: impl Into<Cow<'static, str>>) -> io::Error {
    io::Error::new(err.kind(), Context { sentence: sentence.into(), source: err })
}

/// Adds the sentence to an error of a call that makes a descriptor.
#[cold]
pub(crate) fn explain_create(err: io::Error, call: &str) -> io::Error {
    let sentence = match err.raw_os_error() {
        Some(libc::EMFILE) => {
            "this process has no descriptor left: raise RLIMIT_NOFILE or close descriptors"
        }
        Some(libc::ENFILE) => {
            "the system has no descriptor left: raise /proc/sys/fs/file-max or close descriptors"
        }
        Some(libc::ENOMEM) => "the kernel has no memory left for it",
        _ => "the kernel refused",
    };
    context(err, format!("{call}: {sentence}"))
}

/// An operating system's error and what it means here.
struct Context {
    sentence: Cow<'static, str>,
    source: io::Error,
}

/// The text, for who reads it is a user whose `main` has returned it.
impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.sentence, self.source)
    }
}

impl std::error::Error for Context {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Reads the 8 bytes of an eventfd or timerfd: its counter, which the read sets back.
fn read_counter(fd: BorrowedFd<'_>) -> io::Result<u64> {
    let mut counter = 0u64;
    let n = retry(|| {
        // SAFETY: the pointer and the length are those of `counter`, which outlives the call, and
        // any 8 bytes are a u64.
        let n = unsafe { libc::read(fd.as_raw_fd(), (&raw mut counter).cast(), size_of::<u64>()) };
        if n == -1 { Err(io::Error::last_os_error()) } else { Ok(n) }
    })?;
    if n as usize == size_of::<u64>() { Ok(counter) } else { Err(not_a_counter()) }
}

/// Writes the 8 bytes that are added to an eventfd's counter.
fn write_counter(fd: BorrowedFd<'_>, value: u64) -> io::Result<()> {
    let n = retry(|| {
        // SAFETY: the pointer and the length are those of `value`, which outlives the call.
        let n = unsafe { libc::write(fd.as_raw_fd(), (&raw const value).cast(), size_of::<u64>()) };
        if n == -1 { Err(io::Error::last_os_error()) } else { Ok(n) }
    })?;
    if n as usize == size_of::<u64>() { Ok(()) } else { Err(not_a_counter()) }
}

#[cold]
fn not_a_counter() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the descriptor did not carry 8 bytes: give from_owned_fd an eventfd or a timerfd",
    )
}

/// The conversions every type here has that owns one descriptor in its field `fd`.
macro_rules! owns_fd {
    ($type:ident) => {
        impl std::os::fd::AsFd for $type {
            #[inline]
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.fd.as_fd()
            }
        }

        impl std::os::fd::AsRawFd for $type {
            #[inline]
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                self.fd.as_raw_fd()
            }
        }

        impl From<std::os::fd::OwnedFd> for $type {
            fn from(fd: std::os::fd::OwnedFd) -> Self {
                Self { fd }
            }
        }

        impl From<$type> for std::os::fd::OwnedFd {
            fn from(this: $type) -> Self {
                this.fd
            }
        }
    };
}
use owns_fd;

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    #[test]
    fn context_keeps_the_kind_and_the_errno() {
        let err = context(io::Error::from_raw_os_error(libc::EEXIST), "add: it is there");
        assert_eq!(err.kind(), io::ErrorKind::AlreadyExists);
        assert!(err.to_string().starts_with("add: it is there: "), "{err}");
        let returned_by_main = format!("{err:?}");
        assert!(returned_by_main.ends_with(&format!("error: {:?} }}", err.to_string())));
        let source = err.source().and_then(|e| e.downcast_ref::<io::Error>()).expect("a source");
        assert_eq!(source.raw_os_error(), Some(libc::EEXIST));
    }

    #[test]
    fn retry_goes_on_after_eintr_and_stops_at_any_other_error() {
        let mut results =
            [Ok(7), Err(libc::EAGAIN), Err(libc::EINTR), Ok(5), Err(libc::EINTR)].to_vec();
        let mut call =
            || retry(|| results.pop().expect("a call").map_err(io::Error::from_raw_os_error));
        assert_eq!(call().expect("after EINTR"), 5);
        assert_eq!(call().expect_err("after EINTR").kind(), io::ErrorKind::WouldBlock);
        assert_eq!(call().expect("the next"), 7);
    }
}
