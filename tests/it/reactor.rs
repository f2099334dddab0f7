//! The reactor under `Source`: what wakes, what must not spin, and what may happen on other threads.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, OnceLock, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use runtime::io::{AsyncFd, Interest, Source, WriteFd};
use runtime::net;
use runtime::task::{consume_budget, has_budget_remaining, yield_now};

use crate::support::{limited, poll_once, run, turns};

/// A waker that counts.
#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn new() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (count.clone(), Waker::from(count))
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll_with<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

fn unix_pair() -> (UnixStream, UnixStream) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    b.set_nonblocking(true).unwrap();
    (a, b)
}

fn unix_source() -> (Source<UnixStream>, UnixStream) {
    let (a, b) = unix_pair();
    (Source::new(a), b)
}

fn tcp_source() -> (Source<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let a = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (b, _) = listener.accept().unwrap();
    a.set_nonblocking(true).unwrap();
    a.set_nodelay(true).unwrap();
    b.set_nodelay(true).unwrap();
    (Source::new(a), b)
}

fn pipe() -> (std::fs::File, std::fs::File) {
    let mut fds = [0; 2];
    // SAFETY: the array has room for two, and what the call makes is ours.
    unsafe {
        assert_eq!(libc::pipe2(fds.as_mut_ptr(), libc::O_NONBLOCK | libc::O_CLOEXEC), 0);
        (std::fs::File::from_raw_fd(fds[0]), std::fs::File::from_raw_fd(fds[1]))
    }
}

/// A duplicate at the first free number from `at` on, where no other test is.
fn dup_at(fd: impl AsFd, at: i32) -> OwnedFd {
    // SAFETY: the call takes no pointers, and what it makes is ours.
    unsafe {
        let fd = libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_DUPFD_CLOEXEC, at);
        assert!(fd >= at, "{}", io::Error::last_os_error());
        OwnedFd::from_raw_fd(fd)
    }
}

/// An fd by its number, for the cases where its owner is somebody else.
#[derive(Debug)]
struct Number(i32);

impl AsRawFd for Number {
    fn as_raw_fd(&self) -> i32 {
        self.0
    }
}

fn read_fd(fd: impl AsFd, buf: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the pointer and the length are those of `buf`.
    let n = unsafe { libc::read(fd.as_fd().as_raw_fd(), buf.as_mut_ptr().cast(), buf.len()) };
    if n < 0 { Err(io::Error::last_os_error()) } else { Ok(n as usize) }
}

fn send(fd: impl AsFd, data: &[u8], flags: i32) {
    // SAFETY: the pointer and the length are those of `data`.
    let n = unsafe { libc::send(fd.as_fd().as_raw_fd(), data.as_ptr().cast(), data.len(), flags) };
    assert_eq!(n, data.len() as isize, "{}", io::Error::last_os_error());
}

async fn fill(source: &Source<impl AsFd>, write: impl Fn() -> io::Result<usize>) {
    let full = source.try_io(Interest::WRITABLE, |_| {
        loop {
            write()?;
        }
        #[allow(unreachable_code)]
        Ok(())
    });
    assert_eq!(full.unwrap_err().kind(), ErrorKind::WouldBlock);
}

// Waiters.

#[test]
fn every_reader_of_one_fd_is_woken() {
    run(async {
        let (a, mut b) = unix_source();
        let a = Rc::new(a);
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let a = a.clone();
                runtime::spawn(async move { a.readable().await.unwrap() })
            })
            .collect();
        turns().await;
        b.write_all(b"x").unwrap();
        for reader in readers {
            reader.await.unwrap();
        }
    });
}

#[test]
fn wakers_of_polls_that_are_over_do_not_pile_up_on_an_idle_fd() {
    run(async {
        let (a, mut b) = unix_source();
        let mut reader = pin!(a.readable());
        let counts: Vec<_> = (0..5000)
            .map(|_| {
                let (count, waker) = Count::new();
                assert!(a.poll_read_ready(&mut Context::from_waker(&waker)).is_pending());
                count
            })
            .collect();
        assert!(futures::poll!(&mut reader).is_pending());
        let held = counts.iter().filter(|count| Arc::strong_count(count) > 1).count();
        assert!(held <= 1026, "{held} of 5000 are kept");
        // Those that were let go were woken, and a future's wait is never among them.
        let woken = counts.iter().filter(|count| count.0.load(Ordering::SeqCst) == 1).count();
        assert_eq!(woken + held, 5000);
        b.write_all(b"x").unwrap();
        reader.await.unwrap();
    });
}

#[test]
fn a_wait_that_is_still_on_its_way_from_another_thread_is_forgotten_too() {
    run(async {
        let (a, _b) = unix_source();
        let a = &a;
        // Registered here, and nobody waits any more.
        assert!(futures::poll!(Box::pin(a.readable())).is_pending());
        let (count, waker) = Count::new();
        let ask = move || {
            let mut there = Box::pin(a.read_with(|mut a| a.read(&mut [0; 1])));
            assert!(poll_with(there.as_mut(), &waker).is_pending());
            there
        };
        // Nothing of this runtime runs until the thread is joined, nor is its inbox looked at.
        let mut there = thread::scope(|scope| scope.spawn(ask).join().unwrap());
        assert!(futures::poll!(&mut there).is_pending());
        drop(there);
        turns().await;
        assert_eq!(Arc::strong_count(&count), 1);
    });
}

#[test]
fn a_wait_from_another_thread_that_arrives_when_its_fd_has_gone_is_nobodys() {
    run(async {
        let (a, _b) = unix_source();
        let a = Arc::new(a);
        assert!(poll_once(pin!(a.readable())).is_pending());
        let (count, waker) = Count::new();
        let elsewhere = thread::spawn({
            let a = a.clone();
            move || assert!(poll_with(pin!(a.readable()), &waker).is_pending())
        });
        elsewhere.join().unwrap();
        // Before the commands are looked at: it waits, and it does not any more.
        drop(a);
        turns().await;
        assert_eq!(count.get(), 0);
    });
}

#[test]
fn a_waker_on_its_way_from_another_thread_does_not_displace_the_one_here() {
    run(async {
        let (a, mut b) = unix_source();
        let a = Arc::new(a);
        let mut here = pin!(a.readable());
        assert!(futures::poll!(&mut here).is_pending());
        let there = a.clone();
        let asked = thread::spawn(move || {
            let mut there = Box::pin(async move { there.readable().await });
            assert!(poll_with(there.as_mut(), Waker::noop()).is_pending());
            there
        });
        let mut there = asked.join().unwrap();
        let task = runtime::spawn(async move {
            assert!(futures::poll!(&mut there).is_pending());
            there.await.unwrap();
        });
        turns().await;
        b.write_all(b"x").unwrap();
        task.await.unwrap();
    });
}

#[test]
fn a_stale_waiter_does_not_take_the_wake_of_another() {
    run(async {
        let (a, mut b) = unix_source();
        let (stale, waker) = Count::new();
        for _ in 0..3 {
            assert!(a.poll_read_ready(&mut Context::from_waker(&waker)).is_pending());
        }
        // Waits without a future are the same if they wake the same.
        assert_eq!(Arc::strong_count(&stale), 3);
        let mut reader = pin!(a.readable());
        assert!(poll_fn(|cx| Poll::Ready(reader.as_mut().poll(cx))).await.is_pending());
        b.write_all(b"x").unwrap();
        reader.await.unwrap();
        assert_eq!(stale.get(), 1);
    });
}

#[test]
fn a_future_that_is_dropped_leaves_the_waiter_of_its_sibling() {
    run(async {
        let (a, mut b) = unix_source();
        let mut kept = Box::pin(a.readable());
        let mut dropped = Box::pin(a.readable());
        // Both of this task: their wakers are the same.
        poll_fn(|cx| {
            assert!(kept.as_mut().poll(cx).is_pending());
            assert!(dropped.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(dropped);
        b.write_all(b"x").unwrap();
        kept.await.unwrap();
    });
}

#[test]
fn dropping_a_future_drops_its_waker() {
    run(async {
        let (a, _b) = unix_source();
        let (count, waker) = Count::new();
        let mut reading = Box::pin(a.read_with(|mut io| io.read(&mut [0; 8])));
        let mut readable = Box::pin(a.readable());
        let mut writable = Box::pin(a.ready(Interest::READABLE | Interest::PRIORITY));
        assert!(poll_with(reading.as_mut(), &waker).is_pending());
        assert!(poll_with(readable.as_mut(), &waker).is_pending());
        assert!(poll_with(writable.as_mut(), &waker).is_pending());
        drop(waker);
        assert_eq!(Arc::strong_count(&count), 4);
        drop((reading, readable, writable));
        assert_eq!(Arc::strong_count(&count), 1);
    });
}

#[test]
fn dropping_a_read_or_a_write_of_a_stream_drops_its_waker() {
    run(async {
        let (a, b) = unix_pair();
        let (reader, writer) = (net::UnixStream::from_std(a), net::UnixStream::from_std(b));
        let (reader, writer) = (reader.unwrap(), writer.unwrap());
        while writer.try_write(&[0; 4096]).is_ok() {}
        let (count, waker) = Count::new();
        let (idle, _peer) = net::UnixStream::pair().unwrap();
        let mut room = [0; 8];
        let mut read = Box::pin(idle.read(&mut room));
        let mut write = Box::pin(writer.write(b"x"));
        let mut write_all = Box::pin(writer.write_all(b"x"));
        assert!(poll_with(read.as_mut(), &waker).is_pending());
        assert!(poll_with(write.as_mut(), &waker).is_pending());
        assert!(poll_with(write_all.as_mut(), &waker).is_pending());
        drop(waker);
        assert_eq!(Arc::strong_count(&count), 4);
        drop((read, write, write_all));
        assert_eq!(Arc::strong_count(&count), 1);
        drop(reader);
    });
}

/// A stream that takes nothing, and gives nothing.
struct Stuck(Source<UnixStream>);

impl AsFd for Stuck {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl WriteFd for Stuck {
    type Io = UnixStream;

    fn source(&self) -> &Source<UnixStream> {
        &self.0
    }

    fn write_once(&self, _buf: &[u8]) -> io::Result<usize> {
        Ok(0)
    }
}

#[test]
fn a_stream_that_takes_nothing_ends_a_write_of_everything() {
    run(async {
        let stuck = Stuck(unix_source().0);
        assert_eq!(stuck.writing(b"x").await.unwrap(), 0);
        assert_eq!(stuck.writing_all(b"x").await.unwrap_err().kind(), ErrorKind::WriteZero);
        stuck.writing_all(b"").await.unwrap();
    });
}

#[test]
fn an_error_is_told_also_by_an_operation_that_has_spent_the_budget_itself() {
    run(async {
        runtime::spawn(async {
            let (a, mut b) = unix_source();
            // Registered, and known to be ready.
            assert!(poll_once(pin!(a.readable())).is_pending());
            b.write_all(b"x").unwrap();
            a.readable().await.unwrap();
            let mut errors = vec![ErrorKind::ConnectionReset];
            let read = a.read_with(|_| {
                while has_budget_remaining() {
                    let _ = poll_with(pin!(consume_budget()), Waker::noop());
                }
                errors.pop().map_or(Ok(()), |kind| Err(kind.into()))
            });
            assert_eq!(read.await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        })
        .await
        .unwrap();
    });
}

#[test]
fn what_is_known_to_block_is_not_tried_again() {
    run(async {
        let (a, mut b) = unix_source();
        let calls = Cell::new(0);
        let mut read = pin!(a.read_with(|mut io| {
            calls.set(calls.get() + 1);
            io.read(&mut [0; 8])
        }));
        for _ in 0..10 {
            assert!(poll_once(read.as_mut()).is_pending());
            turns().await;
        }
        assert_eq!(calls.get(), 1);
        b.write_all(b"x").unwrap();
        assert_eq!(read.await.unwrap(), 1);
        assert_eq!(calls.get(), 2);
    });
}

#[test]
fn what_is_always_ready_lets_the_others_run() {
    run(async {
        let (a, mut b) = unix_source();
        b.write_all(b"x").unwrap();
        let stop = Rc::new(Cell::new(false));
        let stopper = runtime::spawn({
            let stop = stop.clone();
            async move { stop.set(true) }
        });
        let spinner = runtime::spawn(async move {
            a.readable().await.unwrap();
            while !stop.get() {
                a.readable().await.unwrap();
            }
        });
        spinner.await.unwrap();
        stopper.await.unwrap();
    });
}

// Readiness that must be withdrawn, and readiness that must not.

#[test]
fn a_udp_error_does_not_stay() {
    run(async {
        // Addresses of their own, so that nobody takes the port meanwhile.
        let peer = UdpSocket::bind("127.83.1.7:0").unwrap();
        let address = peer.local_addr().unwrap();
        drop(peer);
        let socket = UdpSocket::bind("127.83.1.8:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.connect(address).unwrap();
        let source = Rc::new(Source::new(socket));
        let calls = Rc::new(Cell::new(0));
        let errors = Rc::new(Cell::new(0));
        let reader = runtime::spawn({
            let (source, calls, errors) = (source.clone(), calls.clone(), errors.clone());
            async move {
                let mut buf = [0; 8];
                loop {
                    let received = source.read_with(|socket| {
                        calls.set(calls.get() + 1);
                        socket.recv(&mut buf)
                    });
                    match received.await {
                        Ok(n) => return n,
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
                            errors.set(errors.get() + 1);
                        }
                    }
                }
            }
        });
        turns().await;
        source.get_ref().send(b"anybody?").unwrap();
        while errors.get() == 0 {
            yield_now().await;
        }
        turns().await;
        let before = calls.get();
        assert!(before <= 6, "{before} calls");
        turns().await;
        assert_eq!(calls.get(), before, "it spins");
        let peer = UdpSocket::bind(address).unwrap();
        peer.send_to(b"yes", source.get_ref().local_addr().unwrap()).unwrap();
        assert_eq!(reader.await.unwrap(), 3);
    });
}

#[test]
fn a_fifo_gets_its_next_writer() {
    run(async {
        let path = std::env::temp_dir().join(format!("runtime-fifo-{}", std::process::id()));
        let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        let _ = std::fs::remove_file(&path);
        // SAFETY: the name ends with a zero and outlives the call.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let open = |write: bool| {
            use std::os::unix::fs::OpenOptionsExt;
            let mut options = std::fs::OpenOptions::new();
            options.read(!write).write(write).custom_flags(libc::O_NONBLOCK);
            options.open(&path).unwrap()
        };
        let source = Source::new(open(false));
        let mut first = open(true);
        let mut buf = [0; 8];
        {
            let mut read = pin!(source.read_with(|mut io| io.read(&mut buf)));
            assert!(poll_once(read.as_mut()).is_pending());
            first.write_all(b"a").unwrap();
            assert_eq!(read.await.unwrap(), 1);
        }
        drop(first);
        assert_eq!(source.read_with(|mut io| io.read(&mut buf)).await.unwrap(), 0);
        turns().await; // the hang-up is seen
        let mut second = open(true);
        let calls = Cell::new(0);
        let mut read = pin!(source.read_with(|mut io| {
            calls.set(calls.get() + 1);
            io.read(&mut buf)
        }));
        assert!(poll_once(read.as_mut()).is_pending());
        turns().await;
        assert!(poll_once(read.as_mut()).is_pending());
        assert!(calls.get() <= 3, "{} calls", calls.get());
        second.write_all(b"b").unwrap();
        assert_eq!(read.await.unwrap(), 1);
        std::fs::remove_file(&path).unwrap();
    });
}

/// Reads a stream with short reads taken as proof, until `len` bytes or the end.
async fn read_short(source: &Source<TcpStream>, len: usize) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buf = [0; 64];
    while all.len() < len {
        match source.read_stream(buf.len(), |mut io| io.read(&mut buf)).await.unwrap() {
            0 => break,
            n => all.extend_from_slice(&buf[..n]),
        }
    }
    all
}

#[test]
fn a_short_read_at_the_urgent_mark_proves_nothing() {
    run(async {
        let (a, b) = tcp_source();
        let reader = runtime::spawn(async move { read_short(&a, 6).await });
        turns().await;
        send(&b, b"abc", 0);
        send(&b, b"!", libc::MSG_OOB);
        send(&b, b"def", 0);
        assert_eq!(reader.await.unwrap(), b"abcdef");
    });
}

#[test]
fn a_short_read_before_the_end_proves_nothing() {
    run(async {
        let (a, b) = tcp_source();
        let reader = runtime::spawn(async move { read_short(&a, usize::MAX).await });
        turns().await;
        send(&b, b"abc", 0);
        drop(b);
        assert_eq!(reader.await.unwrap(), b"abc");
    });
}

#[test]
fn a_read_that_stops_where_an_fd_was_passed_is_followed_by_another() {
    run(async {
        let (a, b) = unix_source();
        let reader = runtime::spawn(async move {
            let mut all = Vec::new();
            let mut buf = [0; 64];
            while all.len() < 6 {
                let n = a.read_with(|mut io| io.read(&mut buf)).await.unwrap();
                all.extend_from_slice(&buf[..n]);
            }
            all
        });
        turns().await;
        send_with_fd(&b, b"abc", io::stderr().as_fd());
        send(&b, b"def", 0);
        assert_eq!(reader.await.unwrap(), b"abcdef");
    });
}

fn send_with_fd(to: impl AsFd, data: &[u8], fd: BorrowedFd<'_>) {
    let mut space = [0u64; 8];
    let mut iov = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    // SAFETY: all zero is a message without anything; its pointers are then set to what outlives the
    // call, and the control message fits into `space`, which is aligned for it.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &mut iov;
        message.msg_iovlen = 1;
        message.msg_control = space.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(4) as _;
        let header = libc::CMSG_FIRSTHDR(&message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(4) as _;
        libc::CMSG_DATA(header).cast::<i32>().write_unaligned(fd.as_raw_fd());
        let n = libc::sendmsg(to.as_fd().as_raw_fd(), &message, 0);
        assert_eq!(n, data.len() as isize, "{}", io::Error::last_os_error());
    }
}

#[test]
fn a_reset_wakes_both_directions() {
    run(async {
        let (a, b) = tcp_source();
        let a = Rc::new(a);
        fill(&a, || a.get_ref().write(&[0; 65536])).await;
        let reader = runtime::spawn({
            let a = a.clone();
            async move { a.read_with(|mut io| io.read(&mut [0; 8])).await }
        });
        let writer = runtime::spawn({
            let a = a.clone();
            async move {
                // Until it fails: on a full connection the last segments are acknowledged 40 ms later, which
                // makes room once more.
                loop {
                    if let Err(error) = a.write_with(|mut io| io.write(&[0; 65536])).await {
                        return error;
                    }
                }
            }
        });
        turns().await;
        assert!(!reader.is_finished() && !writer.is_finished());
        drop(b); // with all that unread
        let (read, written) = (reader.await.unwrap(), writer.await.unwrap());
        // The one that comes first fetches the reset.
        let fetched = |kind| kind == ErrorKind::ConnectionReset;
        let by_read = read.as_ref().is_err_and(|error| fetched(error.kind()));
        assert!(by_read || fetched(written.kind()), "{read:?} {written:?}");
        assert!(!matches!(&read, Ok(1..)), "{read:?} {written:?}");
    });
}

#[test]
fn a_hang_up_alone_wakes_the_reader() {
    run(async {
        let (reader, writer) = pipe();
        let reader = Source::new(reader);
        let mut read = pin!(reader.read_with(|mut io| io.read(&mut [0; 8])));
        assert!(poll_once(read.as_mut()).is_pending());
        drop(writer);
        assert_eq!(read.await.unwrap(), 0);
    });
}

#[test]
fn an_error_alone_wakes_the_writer() {
    run(async {
        let (reader, writer) = pipe();
        let writer = Source::new(writer);
        fill(&writer, || writer.get_ref().write(&[0; 65536])).await;
        let mut write = pin!(writer.write_with(|mut io| io.write(&[0; 8])));
        let mut writable = pin!(writer.writable());
        assert!(poll_once(write.as_mut()).is_pending());
        assert!(poll_once(writable.as_mut()).is_pending());
        drop(reader);
        assert_eq!(write.await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        writable.await.unwrap();
    });
}

#[test]
fn short_writes_reach_a_slow_reader_byte_for_byte() {
    const LEN: usize = 32 << 20;
    let byte = |at: usize| (at.wrapping_mul(2_654_435_761) >> 13) as u8;
    run(async {
        let (a, b) = unix_source();
        let b = Source::new(b);
        let writer = runtime::spawn(async move {
            let mut at = 0;
            let mut chunk = vec![0; 1 << 20];
            let mut waits = 0;
            while at < LEN {
                let len = chunk.len().min(LEN - at);
                chunk[..len].iter_mut().enumerate().for_each(|(i, b)| *b = byte(at + i));
                let mut sent = 0;
                while sent < len {
                    sent += a
                        .write_with(|mut io| {
                            let result = io.write(&chunk[sent..len]);
                            waits += usize::from(result.is_err());
                            result
                        })
                        .await
                        .unwrap();
                }
                at += len;
            }
            waits
        });
        let mut at = 0;
        let mut buf = vec![0; 50_000];
        while at < LEN {
            let n = b.read_with(|mut io| io.read(&mut buf)).await.unwrap();
            assert!(buf[..n].iter().enumerate().all(|(i, b)| *b == byte(at + i)), "after {at}");
            at += n;
            if at % 3 == 0 {
                yield_now().await;
            }
        }
        assert!(writer.await.unwrap() > 10, "the reader was never slow");
    });
}

// Registrations.

#[test]
fn a_regular_file_is_read_without_waiting() {
    run(async {
        let source = Source::new(std::fs::File::open("Cargo.toml").unwrap());
        let mut buf = [0; 16];
        assert_eq!(source.read_with(|mut io| io.read(&mut buf)).await.unwrap(), 16);
        source.readable().await.unwrap();
        assert!(source.ready(Interest::WRITABLE).await.unwrap().is_writable());
    });
}

#[test]
fn a_ghost_kept_by_a_duplicate_is_ignored_and_then_taken_over() {
    run(async {
        let (a, mut b) = unix_pair();
        // A registration that was refused leaves nothing that would explain the ghost.
        let file = dup_at(std::fs::File::open("Cargo.toml").unwrap(), 900);
        AsyncFd::new(Number(file.as_raw_fd())).unwrap_err();
        drop(file);
        let registered = dup_at(&a, 900);
        let number = registered.as_raw_fd();
        let ghost = AsyncFd::with_interest(Number(number), Interest::READABLE).unwrap();
        drop(registered); // before its registration is: `a` keeps that alive
        drop(ghost);

        // Another fd gets the entry: it must not hear of the ghost's events.
        let (c, mut d) = unix_source();
        let calls = Cell::new(0);
        let mut read = pin!(c.read_with(|mut io| {
            calls.set(calls.get() + 1);
            io.read(&mut [0; 8])
        }));
        assert!(poll_once(read.as_mut()).is_pending());
        b.write_all(b"x").unwrap();
        turns().await;
        assert!(poll_once(read.as_mut()).is_pending());
        assert_eq!(calls.get(), 1);

        // The same file at the same number again: epoll says that it knows it.
        let again = dup_at(&a, 900);
        assert_eq!(again.as_raw_fd(), number);
        let again = Source::new(again);
        let mut buf = [0; 8];
        assert_eq!(again.read_with(|fd| read_fd(fd, &mut buf)).await.unwrap(), 1);
        let mut second = Box::pin(again.read_with(|fd| read_fd(fd, &mut buf)));
        assert!(poll_once(second.as_mut()).is_pending());
        b.write_all(b"yz").unwrap();
        assert_eq!(second.await.unwrap(), 2);

        d.write_all(b"x").unwrap();
        assert_eq!(read.await.unwrap(), 1);
    });
}

#[test]
fn a_ghost_of_an_exclusive_wait_is_taken_over() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let registered = dup_at(&listener, 902);
        // SAFETY: it is closed too early below, and nothing else opens a descriptor at this number.
        let borrowed = unsafe { BorrowedFd::borrow_raw(registered.as_raw_fd()) };
        let ghost = Source::new(borrowed);
        let would_block = |_: &BorrowedFd<'_>| Err::<(), _>(ErrorKind::WouldBlock.into());
        let mut wait = Box::pin(ghost.read_exclusive_with(would_block));
        assert!(poll_once(wait.as_mut()).is_pending());
        drop(wait);
        drop(registered); // before its registration is: `listener` keeps that alive
        drop(ghost);

        let again = Source::new(TcpListener::from(dup_at(&listener, 902)));
        let mut accept = Box::pin(again.read_with(TcpListener::accept));
        assert!(poll_once(accept.as_mut()).is_pending());
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        accept.await.unwrap();
        drop(client);
    });
}

#[test]
fn a_wait_from_another_thread_for_an_fd_that_goes_does_not_stay_with_its_successor() {
    run(async {
        let handle = runtime::Handle::current();
        let (first, _to_first) = unix_source();
        assert!(poll_once(pin!(first.readable())).is_pending());
        let (second, _to_second) = unix_source();
        assert!(poll_once(pin!(second.readable())).is_pending());
        let (successor, mut to_successor) = unix_source();
        let (count, waker) = Count::new();

        // All of it is in the inbox when this runtime looks there: the first entry is released and one taken
        // anew before the wait for the second comes, whose entry is released after it.
        let waits = thread::scope(|scope| {
            let there = || {
                let _guard = handle.enter();
                drop(first);
                let mut waits = Box::pin(successor.readable());
                assert!(poll_once(waits.as_mut()).is_pending());
                assert!(second.poll_read_ready(&mut Context::from_waker(&waker)).is_pending());
                drop((second, waker));
                waits
            };
            scope.spawn(there).join().unwrap()
        });
        turns().await;
        assert_eq!(Arc::strong_count(&count), 1);
        to_successor.write_all(b"x").unwrap();
        waits.await.unwrap();
    });
}

#[test]
fn a_wait_from_another_thread_for_an_fd_dropped_here_changes_nothing_of_its_successor() {
    run(async {
        let (successor, mut to_successor) = unix_source();
        {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            let listener = Source::new(listener);
            let wait = || Box::pin(listener.read_exclusive_with(TcpListener::accept));
            assert!(poll_once(wait().as_mut()).is_pending());
            // Nothing of this runtime runs until then, nor is its inbox looked at.
            let there = || assert!(poll_once(wait().as_mut()).is_pending());
            thread::scope(|scope| scope.spawn(there).join()).unwrap();
        }
        let mut read = pin!(successor.readable());
        assert!(poll_once(read.as_mut()).is_pending());
        turns().await;
        to_successor.write_all(b"x").unwrap();
        turns().await;
        assert!(poll_once(read.as_mut()).is_ready());
    });
}

thread_local! {
    static ON_WAKE: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// A waker that does something of its own while events are dispatched.
struct Hook;

impl Wake for Hook {
    fn wake(self: Arc<Self>) {
        if let Some(hook) = ON_WAKE.take() {
            hook();
        }
    }
}

#[test]
fn room_to_write_for_an_fd_that_another_thread_has_closed_changes_nothing_of_its_successor() {
    run(async {
        let (first, mut to_first) = unix_source();
        let (a, mut from_a) = unix_pair();
        let a = Source::new(UnixStream::from(dup_at(&a, 904)));
        let number = a.get_ref().as_raw_fd();
        a.writable().await.unwrap();
        let (successor, mut to_successor) = unix_pair();
        let waker = Waker::from(Arc::new(Hook));
        let mut first_read = pin!(first.readable());
        assert!(poll_with(first_read.as_mut(), &waker).is_pending());

        // In one batch: `first`, whose waker lets another thread close `a`, and room to write to `a`.
        a.write_with(|mut io| io.write(b"x")).await.unwrap();
        let (took_its_place, taken) = mpsc::channel();
        ON_WAKE.set(Some(Box::new(move || {
            thread::spawn(|| drop(a)).join().unwrap();
            let successor = dup_at(successor, 904);
            assert_eq!(successor.as_raw_fd(), number);
            let successor = Source::new(UnixStream::from(successor));
            assert!(poll_once(pin!(successor.readable())).is_pending());
            took_its_place.send(successor).unwrap();
        })));
        to_first.write_all(b"x").unwrap();
        from_a.read_exact(&mut [0]).unwrap();
        turns().await;

        let successor = taken.try_recv().unwrap();
        to_successor.write_all(b"x").unwrap();
        successor.readable().await.unwrap();
    });
}

#[test]
fn an_event_of_the_same_batch_for_an_fd_that_is_gone_is_not_its_successors() {
    run(async {
        let (first, mut to_first) = unix_source();
        let (a, mut to_a) = unix_source();
        let (successor, _its_peer) = unix_source();
        let waker = Waker::from(Arc::new(Hook));
        let mut first_read = pin!(first.readable());
        assert!(poll_with(first_read.as_mut(), &waker).is_pending());
        {
            let mut a_read = pin!(a.readable());
            assert!(poll_once(a_read.as_mut()).is_pending());
        }
        let successor = Rc::new(successor);
        let calls = Rc::new(Cell::new(0));
        let try_successor = {
            let (successor, calls) = (successor.clone(), calls.clone());
            move || {
                let mut read = pin!(successor.read_with(|mut io| {
                    calls.set(calls.get() + 1);
                    io.read(&mut [0; 8])
                }));
                assert!(poll_once(read.as_mut()).is_pending());
            }
        };
        // `a` goes when `first` is reported, and the successor gets its entry.
        ON_WAKE.set(Some(Box::new({
            let try_successor = try_successor.clone();
            move || {
                drop(a);
                try_successor();
            }
        })));
        to_first.write_all(b"x").unwrap();
        to_a.write_all(b"x").unwrap();
        while ON_WAKE.with_borrow(Option::is_some) {
            yield_now().await;
        }
        try_successor();
        assert_eq!(calls.get(), 1, "it was taken for ready");
    });
}

#[test]
fn into_inner_deregisters() {
    run(async {
        let (a, mut b) = unix_source();
        assert!(poll_once(pin!(a.readable())).is_pending());
        let a = Source::new(a.into_inner());
        let mut buf = [0; 8];
        let mut read = pin!(a.read_with(|mut io| io.read(&mut buf)));
        assert!(poll_once(read.as_mut()).is_pending());
        b.write_all(b"x").unwrap();
        assert_eq!(read.await.unwrap(), 1);
    });
}

#[test]
fn between_two_block_ons_a_source_keeps_working() {
    limited(|| {
        let runtime = runtime::Runtime::new().unwrap();
        let (a, mut b) = unix_source();
        let read = || a.read_with(|mut io| io.read(&mut [0; 8]));
        runtime.block_on(async { assert!(poll_once(pin!(read())).is_pending()) });
        let (count, waker) = Count::new();
        let mut between = pin!(read());
        assert!(poll_with(between.as_mut(), &waker).is_pending());
        b.write_all(b"x").unwrap();
        runtime.block_on(turns());
        assert_eq!(count.get(), 1);
        assert_eq!(poll_with(between.as_mut(), &waker).map(Result::unwrap), Poll::Ready(1));
        b.write_all(b"xy").unwrap();
        assert_eq!(runtime.block_on(read()).unwrap(), 2);
    });
}

// Other runtimes and other threads.

#[test]
fn a_source_outlives_its_runtime_and_moves_to_another_threads() {
    limited(|| {
        let (a, mut b) = unix_source();
        runtime::block_on(async { assert!(poll_once(pin!(a.readable())).is_pending()) });
        let reader = thread::spawn(move || {
            runtime::block_on(a.read_with(|mut io| io.read(&mut [0; 8]))).unwrap()
        });
        b.write_all(b"x").unwrap();
        assert_eq!(reader.join().unwrap(), 1);
    });
}

#[test]
fn futures_that_outlive_their_runtime_do_not_displace_those_of_the_next() {
    limited(|| {
        let (a, mut b) = unix_source();
        let mut futures: Vec<_> = (0..6).map(|_| Box::pin(a.readable())).collect();
        let (woken, wakers): (Vec<_>, Vec<_>) = (0..6).map(|_| Count::new()).unzip();
        runtime::block_on(async {
            for i in 0..4 {
                assert!(poll_with(futures[i].as_mut(), &wakers[i]).is_pending());
            }
        });
        assert!(woken[..4].iter().all(|count| count.get() == 1), "the end of a runtime wakes");
        runtime::block_on(async {
            for i in [0, 4, 5, 1, 2, 3] {
                assert!(poll_with(futures[i].as_mut(), &wakers[i]).is_pending());
            }
            b.write_all(b"x").unwrap();
            turns().await;
            for (i, count) in woken.iter().enumerate() {
                assert_eq!(count.get(), 1 + usize::from(i < 4), "number {i}");
            }
        });
    });
}

#[test]
fn a_reader_here_and_a_writer_there_do_not_spin() {
    const LEN: usize = 4 << 20;
    limited(|| {
        let (a, mut peer) = unix_source();
        peer.set_nonblocking(false).unwrap();
        let a = Arc::new(a);
        // The reader's runtime is to have the registration.
        let (registered, go) = mpsc::channel();
        let reader = thread::spawn({
            let a = a.clone();
            move || {
                runtime::block_on(async {
                    let mut buf = [0; 4096];
                    let (mut all, mut calls, mut blocked) = (0, 0, 0);
                    while all < LEN {
                        let read = a.read_with(|mut io| {
                            calls += 1;
                            let result = io.read(&mut buf);
                            blocked += usize::from(result.is_err());
                            result
                        });
                        let mut read = pin!(read);
                        all += poll_fn(|cx| {
                            let polled = read.as_mut().poll(cx);
                            if polled.is_pending() {
                                let _ = registered.send(());
                            }
                            polled
                        })
                        .await
                        .unwrap();
                    }
                    (calls, blocked)
                })
            }
        });
        go.recv().unwrap();
        let writer = thread::spawn(move || {
            runtime::block_on(async {
                let (mut all, mut calls, mut blocked) = (0, 0, 0);
                while all < LEN {
                    all += a
                        .write_with(|mut io| {
                            calls += 1;
                            let result = io.write(&[0; 65536][..65536.min(LEN - all)]);
                            blocked += usize::from(result.is_err());
                            result
                        })
                        .await
                        .unwrap();
                }
                (calls, blocked)
            })
        });
        let mut buf = vec![0; 65536];
        let mut echoed = 0;
        while echoed < LEN {
            let n = peer.read(&mut buf).unwrap();
            peer.write_all(&buf[..n]).unwrap();
            echoed += n;
        }
        for (calls, blocked) in [reader.join().unwrap(), writer.join().unwrap()] {
            // Each EAGAIN is followed by an operation that goes through, but for the odd race.
            assert!(blocked <= calls - blocked + 100, "{blocked} of {calls} calls for nothing");
        }
    });
}

#[test]
fn what_is_read_here_does_not_wake_a_writer_elsewhere() {
    run(async {
        let (a, mut b) = unix_source();
        // The registration is of this runtime.
        assert!(futures::poll!(pin!(a.readable())).is_pending());
        // Fills the socket on a thread without a runtime, and waits there to write more.
        let wait_to_write = |waker: Waker| {
            let wait = || {
                let mut filled = 0;
                while let Ok(n) = a.try_io(Interest::WRITABLE, |mut io| io.write(&[0; 4096])) {
                    filled += n;
                }
                let mut write = Box::pin(a.write_with(|mut io| io.write(&[0; 4096])));
                assert!(poll_with(write.as_mut(), &waker).is_pending());
                (filled, write)
            };
            thread::scope(|scope| scope.spawn(wait).join()).unwrap()
        };
        let (first, waker) = Count::new();
        let (filled, write) = wait_to_write(waker);
        turns().await;
        assert_eq!(first.get(), 0);
        b.set_nonblocking(false).unwrap();
        b.read_exact(&mut vec![0; filled]).unwrap();
        turns().await;
        assert_eq!(first.get(), 1);
        drop(write);
        // There was room, and there is none now.
        let (second, waker) = Count::new();
        let (_, _write) = wait_to_write(waker);
        for _ in 0..3 {
            turns().await;
            b.write_all(b"x").unwrap();
            assert_eq!(a.read_with(|mut io| io.read(&mut [0; 8])).await.unwrap(), 1);
        }
        assert_eq!(second.get(), 0);
    });
}

/// A runtime on a thread of its own whose only task waits for `source`, and then blocks its thread
/// until it is given something to go on with.
fn busy_owner<T: Send + 'static>(
    source: &Arc<Source<OwnedFd>>,
    then: impl AsyncFnOnce(T) + Send + 'static,
) -> (mpsc::Sender<T>, thread::JoinHandle<()>) {
    let (go_on, wait) = mpsc::channel();
    let (blocked, is_blocked) = mpsc::channel();
    let source = source.clone();
    let owner = thread::spawn(move || {
        runtime::block_on(async move {
            assert!(poll_once(pin!(source.readable())).is_pending());
            drop(source);
            blocked.send(()).unwrap();
            let given = wait.recv().unwrap();
            then(given).await;
        });
    });
    is_blocked.recv().unwrap();
    (go_on, owner)
}

#[test]
fn a_drop_on_another_thread_closes_at_once() {
    limited(|| {
        let (a, mut b) = unix_pair();
        b.set_nonblocking(false).unwrap();
        let a = Arc::new(Source::new(OwnedFd::from(a)));
        let (go_on, owner) = busy_owner(&a, async |()| turns().await);
        drop(a);
        assert_eq!(b.read(&mut [0; 8]).unwrap(), 0);
        go_on.send(()).unwrap();
        owner.join().unwrap();
    });
}

#[test]
fn a_number_given_away_and_reused_before_the_owner_looks_is_not_touched() {
    limited(|| {
        let (a, _b) = unix_pair();
        let a = Arc::new(Source::new(dup_at(&a, 950)));
        let number = a.as_raw_fd();
        let (go_on, owner) = busy_owner(&a, async |(fd, mut peer): (OwnedFd, UnixStream)| {
            let source = Source::new(fd);
            let mut buf = [0; 8];
            let mut read = pin!(source.read_with(|fd| read_fd(fd, &mut buf)));
            assert!(poll_once(read.as_mut()).is_pending());
            turns().await; // the command that releases the old entry arrives
            peer.write_all(b"x").unwrap();
            assert_eq!(read.await.unwrap(), 1);
        });
        drop(a);
        let (c, d) = unix_pair();
        let reused = dup_at(&c, 950);
        assert_eq!(reused.as_raw_fd(), number);
        go_on.send((reused, d)).unwrap();
        owner.join().unwrap();
    });
}

#[test]
fn of_two_threads_that_register_at_once_both_wake() {
    limited(|| {
        for _ in 0..200 {
            let (file, mut peer) = unix_pair();
            let a = Arc::new(Source::new(dup_at(&file, 970)));
            let (number, again) = (a.as_raw_fd(), OnceLock::new());
            let start = Barrier::new(2);
            let (waits, both_wait) = mpsc::channel();
            thread::scope(|scope| {
                for _ in 0..2 {
                    let (a, waits) = (a.clone(), waits.clone());
                    let (start, file, again) = (&start, &file, &again);
                    let run = async move {
                        start.wait();
                        {
                            let mut readable = pin!(a.readable());
                            poll_fn(|cx| {
                                let polled = readable.as_mut().poll(cx);
                                let _ = waits.send(());
                                polled
                            })
                            .await
                            .unwrap();
                        }
                        // The owner of the registration stays until the other has been woken too.
                        start.wait();
                        drop(a);
                        start.wait();
                        // Neither has it any more: the same file and number can be registered.
                        let fd = again.get_or_init(|| dup_at(file, 970)).as_raw_fd();
                        assert_eq!(fd, number);
                        drop(AsyncFd::new(Number(fd)).unwrap());
                    };
                    scope.spawn(|| runtime::block_on(run));
                }
                drop(a);
                both_wait.recv().unwrap();
                both_wait.recv().unwrap();
                peer.write_all(b"x").unwrap();
            });
        }
    });
}

#[test]
fn with_no_runtime_to_wait_with_there_is_an_error_that_says_so() {
    limited(|| {
        let (a, mut b) = unix_source();
        let error = futures::executor::block_on(a.readable()).unwrap_err();
        assert!(error.to_string().contains("no runtime on this thread"), "{error}");
        // What need not wait does not need one.
        b.write_all(b"x").unwrap();
        let read = a.read_with(|mut io| io.read(&mut [0; 8]));
        assert_eq!(futures::executor::block_on(read).unwrap(), 1);
    });
}

/// Runs `elsewhere` on a thread of its own while this one drives a runtime, whose handle it is given.
fn beside_a_driven_runtime<T: Send + 'static>(
    elsewhere: impl FnOnce(runtime::Handle) -> T + Send + 'static,
) -> T {
    run(async {
        let handle = runtime::Handle::current();
        let (tx, rx) = futures::channel::oneshot::channel();
        let thread = thread::spawn(move || {
            let result = elsewhere(handle);
            let _ = tx.send(());
            result
        });
        rx.await.expect("the thread ends");
        thread.join().expect("the thread does not panic")
    })
}

#[test]
fn a_socket_that_first_waits_under_a_handle_elsewhere_is_served_by_its_runtime() {
    beside_a_driven_runtime(|handle| {
        handle.block_on(async {
            let listener = runtime::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (client, server) =
                futures::join!(runtime::net::TcpStream::connect(address), listener.accept());
            let (client, (server, _)) = (client.unwrap(), server.unwrap());
            let echo = async {
                let mut buf = [0; 16];
                for _ in 0..100 {
                    let n = server.read(&mut buf).await.unwrap();
                    server.write_all(&buf[..n]).await.unwrap();
                }
            };
            let ask = async {
                let mut buf = [0; 5];
                for _ in 0..100 {
                    client.write_all(b"hello").await.unwrap();
                    client.read_exact(&mut buf).await.unwrap();
                    assert_eq!(&buf, b"hello");
                }
            };
            futures::join!(echo, ask);
        });
    });
}

#[test]
fn a_wait_asked_for_elsewhere_may_be_dropped_before_or_after_it_is_registered() {
    let reads_end = beside_a_driven_runtime(|handle| {
        (0..200)
            .map(|round| {
                let (a, b) = UnixStream::pair().unwrap();
                a.set_nonblocking(true).unwrap();
                let source = Source::new(a);
                handle.block_on(async {
                    let mut read = pin!(source.read_with(|mut a| a.read(&mut [0; 1])));
                    assert!(futures::poll!(&mut read).is_pending());
                    if round % 2 == 0 {
                        // By then the registration is done: the owner has carried out what came later.
                        handle.spawn(async {}).await.unwrap();
                    }
                });
                drop(source);
                // Closed at once, whatever the owner has got to.
                (&b).read(&mut [0; 1]).unwrap()
            })
            .collect::<Vec<_>>()
    });
    assert!(reads_end.iter().all(|&n| n == 0));
}

#[test]
fn a_wait_asked_of_a_runtime_that_is_gone_is_an_error() {
    let handle = runtime::Runtime::new().unwrap().handle().clone();
    limited(|| {
        let (a, _b) = UnixStream::pair().unwrap();
        a.set_nonblocking(true).unwrap();
        let source = Source::new(a);
        let read = handle.block_on(source.read_with(|mut a| a.read(&mut [0; 1])));
        assert!(read.unwrap_err().to_string().contains("is gone"));
    });
}

#[test]
fn under_a_guard_that_outlived_its_runtime_a_wait_is_an_error() {
    let runtime = runtime::Runtime::new().unwrap();
    let handle = runtime.handle().clone();
    let _guard = handle.enter();
    drop(runtime);
    let (a, _b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    let source = Source::new(a);
    let read =
        limited(|| futures::executor::block_on(source.read_with(|mut a| a.read(&mut [0; 1]))));
    assert!(read.unwrap_err().to_string().contains("shut down"));
}
