//! Socket options that the standard library lacks, in Rust's types.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::sys::{self, Linger, Opt};

pub(crate) fn flag(socket: BorrowedFd<'_>, opt: &Opt<i32>) -> io::Result<bool> {
    sys::option(socket, opt).map(|on| on != 0)
}

pub(crate) fn set_flag(socket: BorrowedFd<'_>, opt: &Opt<i32>, on: bool) -> io::Result<()> {
    sys::set_option(socket, opt, i32::from(on))
}

/// A size or a count. The kernel never reports one below zero.
pub(crate) fn number(socket: BorrowedFd<'_>, opt: &Opt<i32>) -> io::Result<u32> {
    sys::option(socket, opt).map(|number| u32::try_from(number).unwrap_or(0))
}

/// Values beyond `i32::MAX` count as that: the kernel has its own, lower limits.
pub(crate) fn set_number(socket: BorrowedFd<'_>, opt: &Opt<i32>, number: u32) -> io::Result<()> {
    sys::set_option(socket, opt, i32::try_from(number).unwrap_or(i32::MAX))
}

pub(crate) fn seconds(socket: BorrowedFd<'_>, opt: &Opt<i32>) -> io::Result<Duration> {
    number(socket, opt).map(|seconds| Duration::from_secs(seconds.into()))
}

pub(crate) fn set_seconds(
    socket: BorrowedFd<'_>,
    opt: &Opt<i32>,
    duration: Duration,
) -> io::Result<()> {
    sys::set_option(socket, opt, whole_seconds(duration))
}

pub(crate) fn linger(socket: BorrowedFd<'_>) -> io::Result<Option<Duration>> {
    let linger = sys::option(socket, &sys::SO_LINGER)?;
    let seconds = u64::try_from(linger.seconds).unwrap_or(0);
    Ok((linger.on != 0).then(|| Duration::from_secs(seconds)))
}

pub(crate) fn set_linger(socket: BorrowedFd<'_>, linger: Option<Duration>) -> io::Result<()> {
    let value = match linger {
        Some(duration) => Linger { on: 1, seconds: whole_seconds(duration) },
        None => Linger::default(),
    };
    sys::set_option(socket, &sys::SO_LINGER, value)
}

/// Rounded up, so that a short duration does not become none.
fn whole_seconds(duration: Duration) -> i32 {
    let up = u64::from(duration.subsec_nanos() > 0);
    i32::try_from(duration.as_secs().saturating_add(up)).unwrap_or(i32::MAX)
}
