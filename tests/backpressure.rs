//! A slow reader stops its writer, and no buffer of ours grows: what was written and not read is in the
//! kernel, all of it. Its own process for the allocator, which counts.
#![allow(unsafe_code)]

#[path = "support/mod.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use runtime::io::{ReadFd, WriteFd, copy, copy_bidirectional, stderr};
use runtime::net::unix::pipe;
use runtime::net::{TcpSocket, TcpStream, UnixDatagram, UnixStream};
use runtime::spawn;
use runtime::task::{JoinHandle, yield_now};

use support::run;

/// What is written in all: far more than the kernel has room for.
const TOTAL: usize = 16 << 20;

/// What a writer takes from at a time. Its length is a prime, so that no piece of it comes again soon.
static PATTERN: [u8; 65_521] = {
    let mut pattern = [0; 65_521];
    let mut i = 0;
    while i < pattern.len() {
        pattern[i] = ((i * 31) >> 3) as u8;
        i += 1;
    }
    pattern
};

/// Room for tasks, waiters and the like, which does not grow with what is written.
const SMALL: usize = 48 * 1024;

/// What a copy has in flight at most, and its buffer beside that.
const OF_A_COPY: usize = 64 * 1024;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call goes to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), SeqCst) + layout.size();
        PEAK.fetch_max(live, SeqCst);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), SeqCst);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// One test at a time: the memory that is counted is the process's.
static ALONE: Mutex<()> = Mutex::new(());

fn alone(test: impl Future<Output = ()>) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    run(test);
}

/// A duplicate, to ask after what is queued.
fn dup(fd: &impl AsFd) -> OwnedFd {
    fd.as_fd().try_clone_to_owned().unwrap()
}

/// How many bytes the kernel holds: those to be read from `fd`, or those sent that no one has taken.
fn queued(fd: &OwnedFd, request: libc::Ioctl) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: both requests take a pointer to an int.
    let asked = unsafe { libc::ioctl(fd.as_raw_fd(), request, &raw mut bytes) };
    assert_eq!(asked, 0, "{}", io::Error::last_os_error());
    usize::try_from(bytes).unwrap()
}

fn to_read<F: AsFd>(fd: &F) -> impl Fn() -> usize + use<F> {
    let fd = dup(fd);
    move || queued(&fd, libc::FIONREAD)
}

/// What is on its way from one end of a TCP connection to the other.
fn on_the_way(from: &TcpStream, to: &TcpStream) -> impl Fn() -> usize + use<> {
    let (from, to) = (dup(from), dup(to));
    move || queued(&from, libc::TIOCOUTQ) + queued(&to, libc::FIONREAD)
}

/// A connection, with small buffers so that little is enough.
async fn tcp_pair() -> (TcpStream, TcpStream) {
    let with_small_buffers = || {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(64 * 1024).unwrap();
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        socket
    };
    let listener = with_small_buffers();
    listener.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let listener = listener.listen(1).unwrap();
    let client = with_small_buffers().connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (client, server)
}

/// Writes all there is, and counts.
fn write(writer: impl WriteFd + 'static, written: Rc<Cell<usize>>) -> JoinHandle<()> {
    spawn(async move {
        while written.get() < TOTAL {
            let rest = &PATTERN[written.get() % PATTERN.len()..];
            let piece = &rest[..rest.len().min(TOTAL - written.get())];
            let len = poll_fn(|cx| writer.poll_write(cx, piece)).await.unwrap();
            written.set(written.get() + len);
        }
        writer.shutdown_once().unwrap();
    })
}

/// Waits until a number has not changed for long: whoever could go on has done so.
async fn stands_still(number: &Cell<usize>) -> usize {
    let mut last = (number.get(), Instant::now());
    while last.1.elapsed() < Duration::from_millis(60) {
        yield_now().await;
        if number.get() != last.0 {
            last = (number.get(), Instant::now());
        }
    }
    last.0
}

async fn read_all(reader: impl ReadFd, buf: &mut [u8]) {
    let mut read = 0;
    while read < TOTAL {
        let len = poll_fn(|cx| reader.poll_read(cx, buf)).await.unwrap();
        assert!(len > 0, "the end after {read} bytes");
        let mut got = &buf[..len];
        while !got.is_empty() {
            let expected = &PATTERN[read % PATTERN.len()..];
            let same = got.len().min(expected.len());
            assert!(got[..same] == expected[..same], "other bytes after {read}");
            read += same;
            got = &got[same..];
        }
    }
}

/// Has a writer write while nothing is read, until it stops; then reads everything. `in_kernel` says how
/// much of what was written is in the kernel, and `ours` how much may be in the process: memory must not
/// take more than that either.
async fn held_back(
    writer: impl WriteFd + 'static,
    reader: impl ReadFd,
    in_kernel: impl Fn() -> usize,
    ours: usize,
) {
    let mut buf = vec![0; 30_000];
    let written = Rc::new(Cell::new(0));
    let before = LIVE.load(SeqCst);
    PEAK.store(before, SeqCst);
    let task = write(writer, written.clone());
    let stopped = stands_still(&written).await;
    assert!(stopped < TOTAL / 2, "{stopped} bytes were written, and nothing was read");
    let held = in_kernel();
    assert!(stopped <= held + ours, "{stopped} bytes were written, {held} are in the kernel");
    read_all(reader, &mut buf).await;
    task.await.unwrap();
    let grown = PEAK.load(SeqCst) - before;
    assert!(grown <= ours + SMALL, "memory has grown by {grown} bytes");
}

#[test]
fn tcp() {
    alone(async {
        let (client, server) = tcp_pair().await;
        let in_kernel = on_the_way(&client, &server);
        held_back(client, server, in_kernel, 0).await;
    });
}

#[test]
fn halves_of_tcp() {
    alone(async {
        let (client, server) = tcp_pair().await;
        let in_kernel = on_the_way(&client, &server);
        let ((_read, write), (read, _write)) = (client.into_split(), server.into_split());
        held_back(write, read, in_kernel, 0).await;
    });
}

#[test]
fn unix_streams() {
    alone(async {
        let (a, b) = UnixStream::pair().unwrap();
        let in_kernel = to_read(&b);
        held_back(a, b, in_kernel, 0).await;
    });
}

#[test]
fn pipes() {
    alone(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        let in_kernel = to_read(&receiver);
        held_back(sender, receiver, in_kernel, 0).await;
    });
}

/// A standard stream that is a pipe while it lives, and then what it was. The test harness writes to
/// standard output, so this is standard error, whose type is written once with that of output.
struct StderrIsAPipe(OwnedFd);

impl StderrIsAPipe {
    fn new(writer: &OwnedFd) -> StderrIsAPipe {
        let before = dup(&io::stderr());
        set_stderr(writer);
        StderrIsAPipe(before)
    }
}

impl Drop for StderrIsAPipe {
    fn drop(&mut self) {
        set_stderr(&self.0);
    }
}

fn set_stderr(fd: &OwnedFd) {
    // SAFETY: descriptor 2 is nobody's own.
    let set = unsafe { libc::dup2(fd.as_raw_fd(), 2) };
    assert_eq!(set, 2, "{}", io::Error::last_os_error());
}

#[test]
fn standard_streams() {
    alone(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        let in_kernel = to_read(&receiver);
        // As a shell makes it: not in nonblocking mode.
        let redirected = StderrIsAPipe::new(&sender.into_blocking_fd().unwrap());
        held_back(stderr(), receiver, in_kernel, 0).await;
        drop(redirected);
    });
}

#[test]
fn unix_datagrams() {
    const DATAGRAMS: usize = 20_000;
    alone(async {
        let (a, b) = UnixDatagram::pair().unwrap();
        let mut buf = [0; 1000];
        let sent = Rc::new(Cell::new(0));
        let before = LIVE.load(SeqCst);
        PEAK.store(before, SeqCst);
        let sender = spawn({
            let sent = sent.clone();
            async move {
                for i in 0..DATAGRAMS {
                    let mut datagram = [7; 1000];
                    datagram[..8].copy_from_slice(&i.to_ne_bytes());
                    a.send(&datagram).await.unwrap();
                    sent.set(i + 1);
                }
            }
        });
        let stopped = stands_still(&sent).await;
        assert!(stopped < DATAGRAMS / 2, "{stopped} datagrams were sent, and none was received");
        for i in 0..DATAGRAMS {
            assert_eq!(b.recv(&mut buf).await.unwrap(), 1000);
            assert_eq!(buf[..8], i.to_ne_bytes());
        }
        sender.await.unwrap();
        let grown = PEAK.load(SeqCst) - before;
        assert!(grown <= SMALL, "memory has grown by {grown} bytes");
    });
}

#[test]
fn copying_from_tcp_to_tcp() {
    alone(async {
        let ((client, front), (back, server)) = (tcp_pair().await, tcp_pair().await);
        let (to_front, to_server) = (on_the_way(&client, &front), on_the_way(&back, &server));
        let relay = spawn(async move { copy(&front, &back).await.unwrap() });
        held_back(client, server, || to_front() + to_server(), OF_A_COPY).await;
        assert_eq!(relay.await.unwrap(), TOTAL as u64);
    });
}

#[test]
fn copying_from_a_pipe_to_a_unix_stream() {
    alone(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        let (a, b) = UnixStream::pair().unwrap();
        let (to_relay, to_reader) = (to_read(&receiver), to_read(&b));
        let relay = spawn(async move { copy(&receiver, &a).await.unwrap() });
        held_back(sender, b, || to_relay() + to_reader(), OF_A_COPY).await;
        assert_eq!(relay.await.unwrap(), TOTAL as u64);
    });
}

/// One way is held back, and the other goes on.
#[test]
fn copying_both_ways() {
    alone(async {
        let ((client, front), (back, server)) = (tcp_pair().await, tcp_pair().await);
        let (to_front, to_server) = (on_the_way(&client, &front), on_the_way(&back, &server));
        let relay = spawn(async move { copy_bidirectional(&front, &back).await.unwrap() });
        let (client_reads, client_writes) = client.into_split();
        let (server_reads, server_writes) = server.into_split();
        let answered = Rc::new(Cell::new(0));
        let answers = write(server_writes, answered.clone());
        let mut buf = vec![0; 30_000];
        // All the answers arrive while the questions stand still.
        let asked = Rc::new(Cell::new(0));
        let asks = write(client_writes, asked.clone());
        read_all(&client_reads, &mut buf).await;
        answers.await.unwrap();
        let stopped = stands_still(&asked).await;
        assert!(stopped < TOTAL / 2, "{stopped} bytes were written, and nothing was read");
        let held = to_front() + to_server();
        assert!(stopped <= held + OF_A_COPY, "{stopped} written, {held} in the kernel");
        read_all(&server_reads, &mut buf).await;
        asks.await.unwrap();
        drop((client_reads, server_reads));
        assert_eq!(relay.await.unwrap(), (TOTAL as u64, TOTAL as u64));
    });
}

/// What the others measure by: a file's worth of memory would be seen.
#[test]
fn memory_is_counted() {
    alone(async {
        let before = LIVE.load(SeqCst);
        PEAK.store(before, SeqCst);
        drop(std::hint::black_box(vec![1u8; 1 << 20]));
        assert!(PEAK.load(SeqCst) - before >= 1 << 20);
    });
}
