//! Copying where the kernel refuses, and what it leaves behind: splice, pipe2 and sendfile are this
//! executable's own here. They count the calls of each thread and let chosen ones fail.
#![allow(unsafe_code)]

#[path = "support/mod.rs"]
mod support;

#[path = "support/stream.rs"]
mod stream;

use std::cell::Cell;
use std::ffi::{c_int, c_uint};
use std::fs::File;
use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use runtime::io::{ReadFd, Source, WriteFd, copy, copy_bidirectional, send_file};
use runtime::task::yield_now;

use stream::{Fd, bytes, check, feed, file, pipe, tcp};
use support::faults::{Call, PLAN, Plan, count, fails, forward};
use support::resources::open_descriptors;
use support::run;

thread_local! {
    /// The most that one call of splice moves.
    static MOST: Cell<usize> = const { Cell::new(usize::MAX) };
    /// What splice has moved, into pipes and out of them.
    static MOVED: Cell<usize> = const { Cell::new(0) };
}

// What makes `no_mangle` sound here: these have the names, the signatures and the meaning of libc's
// functions.

#[unsafe(no_mangle)]
extern "C" fn splice(
    from: c_int,
    from_offset: *mut i64,
    to: c_int,
    to_offset: *mut i64,
    len: usize,
    flags: c_uint,
) -> isize {
    if fails(Call::Splice) {
        return -1;
    }
    let len = len.min(MOST.get());
    let moved = forward!(SYS_splice, from, from_offset, to, to_offset, len, flags) as isize;
    MOVED.set(MOVED.get() + usize::try_from(moved).unwrap_or(0));
    moved
}

#[unsafe(no_mangle)]
extern "C" fn pipe2(ends: *mut c_int, flags: c_int) -> c_int {
    if fails(Call::Pipe) { -1 } else { forward!(SYS_pipe2, ends, flags) as c_int }
}

#[unsafe(no_mangle)]
extern "C" fn sendfile64(to: c_int, from: c_int, offset: *mut i64, len: usize) -> isize {
    if fails(Call::SendFile) {
        return -1;
    }
    forward!(SYS_sendfile, to, from, offset, len) as isize
}

/// Whether the next call, counted from now, fails; descriptors and signals are the process's, so that one
/// test runs at a time.
struct Faults(#[expect(dead_code, reason = "it is held")] MutexGuard<'static, ()>);

impl Faults {
    fn none() -> Faults {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        PLAN.set(None);
        MOST.set(usize::MAX);
        Faults(alone)
    }

    /// From the `first` call from now on, `number` of them.
    fn plan(&self, call: Call, first: u32, number: u32, errno: c_int) {
        PLAN.set(Some(Plan { call, first: count(call) + first, number, errno }));
    }
}

/// Copies `len` bytes from one connection to another, and has them checked.
fn carry(from: (OwnedFd, OwnedFd), to: (OwnedFd, OwnedFd), len: usize) {
    let fed = feed(from.1, len, 1);
    let checked = check(to.0, 2);
    let (reader, writer) = (Fd::new(from.0), Fd::new(to.1));
    let copied = run(copy(&reader, &writer)).unwrap();
    drop(writer);
    assert_eq!((copied, checked.join().unwrap()), (len as u64, len));
    fed.join().unwrap();
}

fn unix() -> (OwnedFd, OwnedFd) {
    let (near, far) = UnixStream::pair().unwrap();
    (near.into(), far.into())
}

fn connection() -> (OwnedFd, OwnedFd) {
    let (near, far) = tcp();
    (near.into(), far.into())
}

const LONG: usize = 400_000;

#[test]
fn what_is_long_is_spliced_and_what_is_short_is_not() {
    let _faults = Faults::none();
    let before = count(Call::Splice);
    carry(connection(), unix(), LONG);
    assert!(count(Call::Splice) > before);

    let before = count(Call::Splice);
    carry(connection(), unix(), 8191);
    let (from, to) = (unix(), unix());
    run(async {
        let (mut asks, mut hears) = (File::from(from.1), File::from(to.0));
        let (reader, writer) = (Fd::new(from.0), Fd::new(to.1));
        let copied = runtime::spawn(async move { copy(&reader, &writer).await });
        // One after the other: each is all there is.
        let mut carried = async |len| {
            asks.write_all(&bytes(0, len)).unwrap();
            yield_until(|| ready(&hears, len)).await;
            hears.read_exact(&mut vec![0; len]).unwrap();
            count(Call::Splice)
        };
        for _ in 0..100 {
            assert_eq!(carried(5_000).await, before);
        }
        assert!(carried(100_000).await > before);
        // The first may be one that is expected to be long.
        let after = carried(5_000).await;
        for _ in 0..100 {
            assert!(carried(5_000).await <= after + 1);
        }
        drop(asks);
        assert_eq!(copied.await.unwrap().unwrap(), 201 * 5_000 + 100_000);
    });
}

/// Whether so many bytes are there to be read.
fn ready(fd: &File, len: usize) -> bool {
    let mut there: c_int = 0;
    // SAFETY: the kernel writes one int to `there`.
    let result =
        unsafe { libc::ioctl(std::os::fd::AsRawFd::as_raw_fd(fd), libc::FIONREAD, &raw mut there) };
    assert_eq!(result, 0);
    there as usize >= len
}

async fn yield_until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        yield_now().await;
    }
}

#[test]
fn a_splice_that_is_refused_loses_nothing_at_any_point() {
    let faults = Faults::none();
    for errno in [libc::EINVAL, libc::ENOSYS, libc::EPERM] {
        for first in 1..12 {
            faults.plan(Call::Splice, first, u32::MAX, errno);
            carry(unix(), connection(), LONG);
            assert!(count(Call::Splice) > 0);
        }
    }
}

#[test]
fn a_splice_that_moves_little_loses_nothing() {
    let _faults = Faults::none();
    for most in [1_000, 4_097] {
        MOST.set(most);
        carry(connection(), unix(), LONG);
        carry(pipe(), connection(), LONG);
    }
}

#[test]
fn interrupted_splices_are_repeated() {
    let faults = Faults::none();
    for first in 1..8 {
        faults.plan(Call::Splice, first, 1, libc::EINTR);
        carry(connection(), unix(), LONG);
    }
}

#[test]
fn without_a_descriptor_for_a_pipe_it_goes_through_the_buffer() {
    // A thread without spare pipes.
    std::thread::spawn(|| {
        let faults = Faults::none();
        faults.plan(Call::Pipe, 1, u32::MAX, libc::EMFILE);
        carry(connection(), unix(), LONG);
        assert_eq!(count(Call::Splice), 0);
        // Another time there may be one.
        faults.plan(Call::Pipe, 1, 3, libc::EMFILE);
        carry(connection(), unix(), 16 * LONG);
        assert!(count(Call::Splice) > 0);
    })
    .join()
    .unwrap();
}

/// Four pipes may be kept for the next.
const KEPT: usize = 8;

/// Starts a copy that stops with all between full of `with`.
async fn blocked(future: impl Future, mut source: &UnixStream, with: u8) {
    let mut future = pin!(future);
    let mut quiet = 0;
    while quiet < 1_000 {
        quiet = if source.write(&[with; 65_536]).is_ok() { 0 } else { quiet + 1 };
        poll_fn(|cx| {
            assert!(future.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        yield_now().await;
    }
}

#[test]
fn a_copy_that_is_dropped_frees_its_descriptors_and_leaves_nothing_to_the_next() {
    let _faults = Faults::none();
    run(async {
        let before = open_descriptors();
        for _ in 0..20 {
            let (source, reader) = UnixStream::pair().unwrap();
            let (writer, _sink) = UnixStream::pair().unwrap();
            source.set_nonblocking(true).unwrap();
            let (reader, writer) = (Fd::new(reader), Fd::new(writer));
            blocked(copy(&reader, &writer), &source, 7).await;
            blocked(copy_bidirectional(&reader, &writer), &source, 7).await;
        }
        assert!(open_descriptors() <= before + KEPT, "{} instead of {before}", open_descriptors());
    });
    // Neither bytes of theirs come out of a pipe, nor is one full of them.
    MOVED.set(0);
    carry(unix(), connection(), LONG);
    assert!(MOVED.get() > LONG);
}

#[test]
fn connections_that_wait_hold_no_pipes() {
    let _faults = Faults::none();
    run(async {
        let mut peers = Vec::new();
        for _ in 0..20 {
            let (from, to) = (unix(), unix());
            peers.push((File::from(from.1), File::from(to.0)));
            let (reader, writer) = (Fd::new(from.0), Fd::new(to.1));
            runtime::spawn(async move { copy(&reader, &writer).await });
        }
        yield_now().await;
        let before = open_descriptors();
        let spliced = count(Call::Splice);
        for (asks, hears) in &mut peers {
            asks.write_all(&bytes(0, 100_000)).unwrap();
            yield_until(|| ready(hears, 100_000)).await;
            hears.read_exact(&mut vec![0; 100_000]).unwrap();
        }
        yield_now().await;
        assert!(count(Call::Splice) > spliced);
        assert!(open_descriptors() <= before + KEPT, "{} instead of {before}", open_descriptors());
    });
}

/// What the parent has in its spare pipe and what the child puts there would be mixed.
#[test]
fn a_child_does_not_use_the_pipes_of_its_parent() {
    let _faults = Faults::none();
    // A spare pipe is there now, and is used again.
    carry(unix(), unix(), LONG);
    let pipes = count(Call::Pipe);
    carry_alone();
    assert_eq!(count(Call::Pipe), pipes);
    // SAFETY: the child allocates and runs tasks, which the locks of glibc's fork allow.
    match unsafe { libc::fork() } {
        0 => {
            carry_alone();
            let made = count(Call::Pipe) > pipes;
            // SAFETY: ends the child without the parent's destructors.
            unsafe { libc::_exit(if made { 0 } else { 1 }) };
        }
        child => {
            let mut status = 0;
            // SAFETY: `status` outlives the call.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0, "the child made no pipe of its own");
        }
    }
}

/// A long copy between files, without another thread.
fn carry_alone() {
    let (from, to) = (file(), file());
    from.set_len(LONG as u64).unwrap();
    let (from, to) = (Fd::new(from), Fd::new(to));
    assert_eq!(runtime::block_on(copy(&from, &to)).unwrap(), LONG as u64);
}

/// Where `SIGPIPE` is not ignored, as in a host program in C, splice and sendfile would end the process.
#[test]
fn a_peer_that_is_gone_is_an_error_where_sigpipe_kills() {
    let _faults = Faults::none();
    // SAFETY: both are dispositions without a handler.
    let before = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let calls = (count(Call::Splice), count(Call::SendFile));
    let page = file();
    page.set_len(LONG as u64).unwrap();
    let (from, to) = (Fd::new(page.try_clone().unwrap()), tcp());
    drop(to.1);
    let to = runtime::net::TcpStream::from_std(to.0).unwrap();
    // The first write meets the reset, the next ones nobody.
    for _ in 0..3 {
        run(copy(&from, &to)).unwrap_err();
        run(send_file(&page, &mut 0, u64::MAX, &to)).unwrap_err();
    }
    assert_eq!(calls, (count(Call::Splice), count(Call::SendFile)));
    // SAFETY: as above.
    unsafe { libc::signal(libc::SIGPIPE, before) };
}

/// A socket in blocking mode, as standard input may be, that is never blocked on.
struct Blocking(Source<UnixStream>);

impl AsFd for Blocking {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn dont_wait(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

impl ReadFd for Blocking {
    type Io = UnixStream;

    fn source(&self) -> &Source<UnixStream> {
        &self.0
    }

    fn read_once(&self, buf: &mut [u8]) -> io::Result<usize> {
        let fd = std::os::fd::AsRawFd::as_raw_fd(&self.0);
        // SAFETY: there is room for the bytes of `buf`.
        dont_wait(unsafe { libc::recv(fd, buf.as_mut_ptr().cast(), buf.len(), libc::MSG_DONTWAIT) })
    }
}

impl WriteFd for Blocking {
    type Io = UnixStream;

    fn source(&self) -> &Source<UnixStream> {
        &self.0
    }

    fn write_once(&self, buf: &[u8]) -> io::Result<usize> {
        let fd = std::os::fd::AsRawFd::as_raw_fd(&self.0);
        // SAFETY: there are the bytes of `buf`.
        dont_wait(unsafe { libc::send(fd, buf.as_ptr().cast(), buf.len(), libc::MSG_DONTWAIT) })
    }
}

#[test]
fn a_descriptor_in_blocking_mode_is_not_spliced() {
    let _faults = Faults::none();
    let (from, to) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
    let calls = (count(Call::Splice), count(Call::SendFile));
    let fed = feed(from.1, LONG, 1);
    let checked = check(to.0, 2);
    let (reader, writer) = (Blocking(Source::new(from.0)), Blocking(Source::new(to.1)));
    assert_eq!(run(copy(&reader, &writer)).unwrap(), LONG as u64);
    let mut page = file();
    page.write_all(&bytes(0, 2 * LONG)).unwrap();
    let mut offset = LONG as u64;
    assert_eq!(run(send_file(&page, &mut offset, u64::MAX, &writer)).unwrap(), LONG as u64);
    drop(writer);
    assert_eq!(checked.join().unwrap(), 2 * LONG);
    fed.join().unwrap();
    assert_eq!(calls, (count(Call::Splice), count(Call::SendFile)));
}

#[test]
fn a_sendfile_that_is_refused_is_done_by_reading_and_writing() {
    let faults = Faults::none();
    let mut page = file();
    page.write_all(&bytes(0, LONG)).unwrap();
    for first in 1..6 {
        let (out, to) = tcp();
        let checked = check(out, 3);
        let to = Fd::new(to);
        faults.plan(Call::SendFile, first, u32::MAX, libc::EINVAL);
        let mut offset = 0;
        assert_eq!(run(send_file(&page, &mut offset, u64::MAX, &to)).unwrap(), LONG as u64);
        drop(to);
        assert_eq!((offset, checked.join().unwrap()), (LONG as u64, LONG));
    }
}
