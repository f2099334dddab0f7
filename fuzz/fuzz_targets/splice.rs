//! Moving bytes between ends of all kinds: portions of every size, half-closes, resets, closed readers, urgent
//! data, small buffers, and ends in the middle. What arrives is what was sent, in its place.
#![no_main]

#[path = "../../tests/support/stream.rs"]
mod stream;
mod support;

use std::cell::Cell;
use std::fs::File;
use std::future::Future;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Duration;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use runtime::io::{ReadFd, Source, WriteFd, copy, copy_bidirectional, send_file};
use runtime::net::unix::pipe::{Receiver, Sender};
use runtime::net::{TcpStream, UnixStream};
use runtime::{JoinHandle, Runtime};
use stream::{Fd, bytes};

/// All the bytes that a way may be fed, by its number. Made once, as each is compared many times.
fn expected(way: usize) -> &'static [u8] {
    static STREAMS: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    &STREAMS.get_or_init(|| [bytes(0, MOST), bytes(1 << 32, MOST)])[way]
}

/// Fed in one run at most, either way.
const MOST: usize = 400_000;
/// What a copy that is dropped may lose.
const IN_FLIGHT: usize = 65_536;
/// Turns of a millisecond in which nothing happens, until it is a hang: counted, as a busy machine has fewer.
const PATIENCE: usize = 10_000;

/// An end that the copier has.
enum Near {
    Tcp(TcpStream),
    Unix(UnixStream),
    Receiver(Receiver),
    Sender(Sender),
    Chopped(Chopped),
}

impl AsFd for Near {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Near::Tcp(near) => near.as_fd(),
            Near::Unix(near) => near.as_fd(),
            Near::Receiver(near) => near.as_fd(),
            Near::Sender(near) => near.as_fd(),
            Near::Chopped(near) => near.as_fd(),
        }
    }
}

/// Reads and writes few bytes at once, as somebody else's stream may.
struct Chopped {
    fd: Fd,
    most: usize,
}

impl AsFd for Chopped {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl ReadFd for Chopped {
    type Io = File;

    fn source(&self) -> &Source<File> {
        &self.fd.0
    }

    fn read_once(&self, buf: &mut [u8]) -> io::Result<usize> {
        let most = self.most.min(buf.len());
        self.fd.read_once(&mut buf[..most])
    }
}

impl WriteFd for Chopped {
    type Io = File;

    fn source(&self) -> &Source<File> {
        &self.fd.0
    }

    fn write_once(&self, buf: &[u8]) -> io::Result<usize> {
        self.fd.write_once(&buf[..self.most.min(buf.len())])
    }

    fn shutdown_once(&self) -> io::Result<()> {
        self.fd.shutdown_once()
    }
}

type Moving<T> = Pin<Box<dyn Future<Output = io::Result<T>>>>;

/// `$call` with the stream that is in `$near`, whatever it is.
macro_rules! with_stream {
    ($near:expr, [$($kind:ident),+], |$stream:ident| $call:expr) => {
        match $near {
            $(Near::$kind($stream) => $call,)+
            _ => unreachable!("an end of the other direction"),
        }
    };
}

async fn copying(from: Rc<Near>, to: Rc<Near>) -> io::Result<(u64, u64)> {
    async fn copy_from<R: ReadFd>(reader: &R, to: &Near) -> io::Result<u64> {
        with_stream!(to, [Tcp, Unix, Sender, Chopped], |writer| copy(reader, writer).await)
    }
    let copied =
        with_stream!(&*from, [Tcp, Unix, Receiver, Chopped], |reader| copy_from(reader, &to).await);
    copied.map(|copied| (copied, 0))
}

async fn copying_both(a: Rc<Near>, b: Rc<Near>) -> io::Result<(u64, u64)> {
    async fn copy_with<A: ReadFd + WriteFd>(a: &A, b: &Near) -> io::Result<(u64, u64)> {
        with_stream!(b, [Tcp, Unix, Chopped], |b| copy_bidirectional(a, b).await)
    }
    with_stream!(&*a, [Tcp, Unix, Chopped], |a| copy_with(a, &b).await)
}

/// An end that is ours.
struct Far {
    file: Option<File>,
    is_tcp: bool,
    is_pipe: bool,
    /// It is gone, with what was on the way.
    broken: bool,
}

impl Far {
    fn new(fd: impl Into<OwnedFd>, is_tcp: bool, is_pipe: bool) -> Far {
        let file = File::from(fd.into());
        // SAFETY: no pointers are passed.
        let set = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        assert_eq!(set, 0);
        Far { file: Some(file), is_tcp, is_pipe, broken: false }
    }

    /// Ends what is written, and leaves the rest.
    fn end_writing(&mut self) {
        if self.is_pipe {
            self.file = None;
        } else if let Some(file) = &self.file {
            // SAFETY: no pointers are passed.
            unsafe { libc::shutdown(file.as_raw_fd(), libc::SHUT_WR) };
        }
    }

    /// Goes, by a reset where there is such a thing.
    fn break_off(&mut self) {
        let Some(file) = self.file.take() else { return };
        self.broken = true;
        if self.is_tcp {
            // SAFETY: it is a socket of that kind, and owned.
            let socket = unsafe { std::net::TcpStream::from_raw_fd(file.into_raw_fd()) };
            reset(socket);
        }
    }
}

fn reset(socket: std::net::TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    set_option(&socket, libc::SO_LINGER, &linger);
}

fn set_option<T>(socket: &impl AsRawFd, name: libc::c_int, value: &T) {
    let len = size_of::<T>() as libc::socklen_t;
    let (fd, level) = (socket.as_raw_fd(), libc::SOL_SOCKET);
    // SAFETY: `value` outlives the call, and its size is passed.
    unsafe { libc::setsockopt(fd, level, name, std::ptr::from_ref(value).cast(), len) };
}

/// Makes what the kernel holds little: half a page or so of a socket, a page of a pipe.
fn shrink(fd: &impl AsRawFd) {
    set_option(fd, libc::SO_SNDBUF, &4096);
    // SAFETY: no pointers are passed; what is no pipe refuses.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETPIPE_SZ, 4096) };
}

/// Has the kernel refuse to move bytes to a socket from now on, or allow it.
fn refuse_moves(near: &Near, refused: bool) {
    let flags = libc::O_NONBLOCK | if refused { libc::O_APPEND } else { 0 };
    // SAFETY: no pointers are passed.
    unsafe { libc::fcntl(near.as_fd().as_raw_fd(), libc::F_SETFL, flags) };
}

/// In a process that dies of `SIGPIPE` nothing is moved by the kernel. In this one it is blocked.
fn set_sigpipe(input: &mut Unstructured<'_>) -> Result<()> {
    let action = if input.ratio(1, 8)? { libc::SIG_DFL } else { libc::SIG_IGN };
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGPIPE, action) };
    Ok(())
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Reads,
    Writes,
    Both,
}

/// A pair of ends: the copier's, which does what `direction` says, and ours.
fn pair(input: &mut Unstructured<'_>, direction: Direction) -> Result<(Near, Far)> {
    let kinds = if direction == Direction::Both { 2 } else { 3 };
    let (near, far) = match input.int_in_range(0..=kinds)? {
        0 => {
            let (near, far) = stream::tcp();
            far.set_nodelay(true).unwrap();
            near.set_nodelay(true).unwrap();
            near.set_nonblocking(true).unwrap();
            (Near::Tcp(TcpStream::from_std(near).unwrap()), Far::new(far, true, false))
        }
        1 => {
            let (near, far) = StdUnixStream::pair().unwrap();
            near.set_nonblocking(true).unwrap();
            (Near::Unix(UnixStream::from_std(near).unwrap()), Far::new(far, false, false))
        }
        2 => {
            let (near, far) = StdUnixStream::pair().unwrap();
            let most = *input.choose(&[1_000, 17, 8192, 10_000, 65_536])?;
            (Near::Chopped(Chopped { fd: Fd::new(near), most }), Far::new(far, false, false))
        }
        _ => {
            let (reader, writer) = stream::pipe();
            if direction == Direction::Reads {
                let near = Receiver::from_owned_fd(reader).unwrap();
                (Near::Receiver(near), Far::new(writer, false, true))
            } else {
                let near = Sender::from_owned_fd(writer).unwrap();
                (Near::Sender(near), Far::new(reader, false, true))
            }
        }
    };
    if input.ratio(1, 4)? {
        shrink(&near.as_fd());
        shrink(far.file.as_ref().expect("it is new"));
    }
    Ok((near, far))
}

/// One way of a copy, by the indices of the ends it goes between.
struct Way {
    from: usize,
    to: usize,
    bytes: &'static [u8],
    fed: usize,
    drained: usize,
    /// No more will be fed.
    closed: bool,
    /// The far end has been told so.
    heard: bool,
    urged: bool,
}

struct World {
    runtime: Runtime,
    fars: Vec<Far>,
    nears: Vec<Rc<Near>>,
    ways: Vec<Way>,
    task: JoinHandle<io::Result<(u64, u64)>>,
    /// A peer was reset before its stream had ended.
    cut: bool,
}

fn some_size(input: &mut Unstructured<'_>) -> Result<usize> {
    Ok(match input.int_in_range(0..=7u8)? {
        0 => 1,
        1 => usize::from(input.arbitrary::<u8>()?) + 1,
        2 => *input.choose(&[8191, 8192, 8193])?,
        3 => *input.choose(&[65_535, 65_536, 65_537])?,
        4 => 100_000,
        _ => usize::from(input.arbitrary::<u16>()?) + 1,
    })
}

impl World {
    fn new(input: &mut Unstructured<'_>) -> Result<World> {
        let runtime = Runtime::new().unwrap();
        let way = |from, to| {
            let (fed, drained) = (0, 0);
            let bytes = expected(from);
            Way { from, to, bytes, fed, drained, closed: false, heard: false, urged: false }
        };
        let both = input.ratio(1, 3)?;
        let (first, second, ways) = if both {
            let ways = vec![way(0, 1), way(1, 0)];
            (pair(input, Direction::Both)?, pair(input, Direction::Both)?, ways)
        } else {
            (pair(input, Direction::Reads)?, pair(input, Direction::Writes)?, vec![way(0, 1)])
        };
        let (a, b) = (Rc::new(first.0), Rc::new(second.0));
        let moving: Moving<_> = if both {
            Box::pin(copying_both(a.clone(), b.clone()))
        } else {
            Box::pin(copying(a.clone(), b.clone()))
        };
        let task = runtime.spawn(moving);
        let (fars, nears) = (vec![first.1, second.1], vec![a, b]);
        Ok(World { runtime, fars, nears, ways, task, cut: false })
    }

    fn is_broken(&self) -> bool {
        self.fars.iter().any(|far| far.broken)
    }

    /// Writes the stream's next bytes, as far as there is room.
    fn feed(&mut self, way: usize, size: usize) {
        let way = &mut self.ways[way];
        let size = size.min(MOST - way.fed);
        let Some(mut to) = self.fars[way.from].file.as_ref().filter(|_| !way.closed) else {
            return;
        };
        match to.write(&way.bytes[way.fed..way.fed + size]) {
            Ok(written) => way.fed += written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => assert!(self.task.is_finished() || self.is_broken(), "{error}"),
        }
    }

    /// Reads what has arrived and compares it. Whether there was anything, be it the end.
    fn drain(&mut self, way: usize, size: usize) -> bool {
        let broken = self.is_broken();
        let way = &mut self.ways[way];
        let Some(mut from) = self.fars[way.to].file.as_ref().filter(|_| !way.heard) else {
            return false;
        };
        let mut buf = vec![0; size];
        match from.read(&mut buf) {
            Ok(0) => {
                assert!(way.closed || broken || self.task.is_finished(), "an end without reason");
                way.heard = true;
            }
            Ok(read) => {
                let from = way.drained;
                way.drained += read;
                assert!(way.drained <= way.fed, "more bytes than were sent");
                assert!(buf[..read] == way.bytes[from..way.drained], "wrong bytes after {from}");
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => {
                assert!(broken, "{error}");
                way.heard = true;
            }
        }
        true
    }

    fn close(&mut self, way: usize) {
        let way = &mut self.ways[way];
        way.closed = true;
        self.fars[way.from].end_writing();
    }

    fn break_off(&mut self, index: usize) {
        for way in self.ways.iter_mut().filter(|way| way.from == index) {
            // Without a reset it is an end as any other.
            self.cut |= !way.closed && self.fars[index].is_tcp && self.fars[index].file.is_some();
            way.closed = true;
        }
        self.fars[index].break_off();
    }

    /// One urgent byte, which is no part of the stream. A second would make it one.
    fn urge(&mut self, way: usize) {
        let way = &mut self.ways[way];
        let far = &self.fars[way.from];
        if let Some(file) = far.file.as_ref().filter(|_| far.is_tcp && !way.closed && !way.urged) {
            way.urged = true;
            // SAFETY: one byte is sent, from a constant.
            unsafe { libc::send(file.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
        }
    }

    /// Turns and drains until `done`. Nothing may stand still before.
    fn settle(&mut self, what: &str, done: impl Fn(&World) -> bool) {
        self.turn_until(what, self.ways.len(), done);
    }

    /// As `settle`, and drains so many of the ways.
    fn turn_until(&mut self, what: &str, drains: usize, done: impl Fn(&World) -> bool) {
        let mut idle = 0;
        while !done(self) {
            let turn = self.runtime.turn(Some(Duration::from_millis(1))).unwrap();
            let mut drained = false;
            for way in 0..drains {
                drained |= self.drain(way, 65_536);
            }
            idle = if turn.tasks_polled() > 0 || drained { 0 } else { idle + 1 };
            assert!(idle < PATIENCE, "{what}: it hangs, at {:?}", self.places());
        }
    }

    fn places(&self) -> Vec<(usize, usize)> {
        self.ways.iter().map(|way| (way.fed, way.drained)).collect()
    }

    /// Ends every stream: all must have arrived then, or there is an error and a reason for it.
    fn end(mut self) {
        // A half-close is passed on while the other way is open.
        if self.ways.len() == 2 && !self.is_broken() {
            self.close(0);
            self.settle("a half-close", |world| world.ways[0].heard);
        }
        if self.cut {
            // It is noticed also while the writer takes nothing.
            self.turn_until("a reset", 0, |world| world.task.is_finished());
        }
        (0..self.ways.len()).for_each(|way| self.close(way));
        self.settle("an end", |world| world.task.is_finished());
        let copied = self.runtime.block_on(&mut self.task).unwrap();
        self.nears.clear();
        self.settle("the last bytes", |world| {
            world.ways.iter().all(|way| way.heard || world.fars[way.to].file.is_none())
        });
        let fed: Vec<_> = self.ways.iter().map(|way| way.fed as u64).collect();
        match copied {
            Ok(copied) => {
                assert!(!self.cut, "a reset is an error");
                assert_eq!(vec![copied.0, copied.1][..fed.len()], fed);
                for way in self.ways.iter().filter(|_| !self.is_broken()) {
                    assert_eq!(way.drained, way.fed);
                }
            }
            Err(error) => {
                let broken =
                    [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset, ErrorKind::NotConnected];
                assert!(self.is_broken() && broken.contains(&error.kind()), "{error}");
            }
        }
    }

    /// Drops the copy where it stands. What is lost was on the way, and no more than may be; the rest is still
    /// to be read.
    fn cancel(mut self) {
        self.task.abort();
        self.runtime.run_until_stalled();
        assert!(self.task.is_finished());
        if self.is_broken() {
            return;
        }
        (0..self.ways.len()).for_each(|way| self.close(way));
        let mut rests: Vec<_> = self.ways.iter().map(|_| Vec::new()).collect();
        let readers: Vec<File> = self
            .ways
            .iter()
            .map(|way| File::from(self.nears[way.from].as_fd().try_clone_to_owned().unwrap()))
            .collect();
        let are_pipes = self.nears.iter().all(|near| matches!(**near, Near::Receiver(_)));
        assert!(!are_pipes || self.ways.len() == 1);
        for way in &self.ways {
            let to = &self.nears[way.to];
            // SAFETY: no pointers are passed; a pipe refuses, and ends when it is dropped.
            unsafe { libc::shutdown(to.as_fd().as_raw_fd(), libc::SHUT_WR) };
        }
        self.nears.clear();
        let (mut ended, mut idle) = (0, 0);
        while ended < readers.len() || !self.ways.iter().all(|way| way.heard) {
            ended = 0;
            let mut moved = false;
            for (mut reader, rest) in readers.iter().zip(&mut rests) {
                let before = rest.len();
                ended += usize::from(reader.read_to_end(rest).is_ok());
                moved |= rest.len() > before;
            }
            for way in 0..self.ways.len() {
                moved |= self.drain(way, 65_536);
            }
            idle = if moved { 0 } else { idle + 1 };
            assert!(idle < PATIENCE, "what was left does not come, at {:?}", self.places());
            if idle > 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        for (way, rest) in self.ways.iter().zip(rests) {
            let from = way.fed - rest.len();
            assert!(rest == way.bytes[from..way.fed], "what was left is not the rest");
            assert!(way.drained <= from, "bytes were doubled");
            let lost = from - way.drained;
            assert!(lost <= IN_FLIGHT, "{lost} bytes were lost");
        }
    }
}

fn play_copy(input: &mut Unstructured<'_>) -> Result<()> {
    set_sigpipe(input)?;
    let mut world = World::new(input)?;
    let mut play = || -> Result<bool> {
        while !input.is_empty() {
            let way = input.choose_index(world.ways.len())?;
            match input.int_in_range(0..=31u8)? {
                0..=9 => world.feed(way, some_size(input)?),
                10..=16 => drop(world.drain(way, some_size(input)?)),
                17..=24 => drop(world.runtime.turn(Some(Duration::ZERO)).unwrap()),
                25 => world.close(way),
                26 => world.urge(way),
                27 => refuse_moves(&world.nears[world.ways[way].to], input.arbitrary()?),
                28 => shrink(&world.nears[way].as_fd()),
                29 => world.break_off(input.choose_index(2)?),
                30 => return Ok(true),
                _ => drop(world.runtime.run_until_stalled()),
            }
        }
        Ok(false)
    };
    match play() {
        Ok(true) => world.cancel(),
        _ => world.end(),
    }
    Ok(())
}

const FILE_LEN: usize = 300_000;

/// A file with the first bytes of the stream.
fn page() -> &'static File {
    static PAGE: OnceLock<File> = OnceLock::new();
    PAGE.get_or_init(|| {
        let mut file = stream::file();
        file.write_all(&expected(0)[..FILE_LEN]).unwrap();
        file
    })
}

/// Says in a cell how far it has come, also when it is dropped.
struct Offset {
    now: u64,
    shown: Rc<Cell<u64>>,
}

impl Drop for Offset {
    fn drop(&mut self) {
        self.shown.set(self.now);
    }
}

fn play_send_file(input: &mut Unstructured<'_>) -> Result<()> {
    set_sigpipe(input)?;
    let runtime = Runtime::new().unwrap();
    let (near, mut far) = pair(input, Direction::Writes)?;
    let near = Rc::new(near);
    let start = input.int_in_range(0..=FILE_LEN as u32 + 10)? as usize;
    let len = if input.ratio(1, 4)? { u64::MAX } else { some_size(input)? as u64 };
    let end = len.saturating_add(start as u64).min(FILE_LEN as u64).max(start as u64);
    let shown = Rc::new(Cell::new(start as u64));
    let send = || {
        let (to, shown) = (near.clone(), shown.clone());
        let len = if len == u64::MAX { len } else { start as u64 + len - shown.get() };
        runtime.spawn(async move {
            let mut offset = Offset { now: shown.get(), shown };
            with_stream!(&*to, [Tcp, Unix, Sender, Chopped], |to| {
                send_file(page(), &mut offset.now, len, to).await
            })
        })
    };
    let mut task = send();
    let (mut place, heard) = (start, Cell::new(false));
    let mut drain = |far: &Far, size: usize| {
        let Some(mut from) = far.file.as_ref() else { return false };
        let mut buf = vec![0; size];
        match from.read(&mut buf) {
            Ok(read) => {
                let from = place;
                place += read;
                assert!(buf[..read] == expected(0)[from..place], "wrong bytes after {from}");
                heard.set(read == 0);
                read > 0
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                false
            }
        }
    };
    let mut play = || -> Result<()> {
        while !input.is_empty() {
            match input.int_in_range(0..=15u8)? {
                0..=6 => drop(drain(&far, some_size(input)?)),
                7..=11 => drop(runtime.turn(Some(Duration::ZERO)).unwrap()),
                12 => refuse_moves(&near, input.arbitrary()?),
                13 | 14 => {
                    task.abort();
                    runtime.run_until_stalled();
                    // It may have been done before.
                    task = send();
                }
                _ => far.break_off(),
            }
        }
        Ok(())
    };
    let _ = play();
    let mut idle = 0;
    while !task.is_finished() {
        let turn = runtime.turn(Some(Duration::from_millis(1))).unwrap();
        idle = if drain(&far, 65_536) || turn.tasks_polled() > 0 { 0 } else { idle + 1 };
        assert!(idle < PATIENCE, "the sending hangs at {}", shown.get());
    }
    let sent = runtime.block_on(task).unwrap();
    if far.broken {
        assert!(sent.is_ok_and(|_| shown.get() == end) || shown.get() <= end);
        return Ok(());
    }
    sent.unwrap();
    assert_eq!(shown.get(), end);
    drop(near);
    for idle in 0.. {
        drain(&far, 65_536);
        if heard.get() {
            break;
        }
        assert!(idle < PATIENCE, "the end does not come");
        std::thread::yield_now();
    }
    assert_eq!(place as u64, end, "what was sent has arrived");
    Ok(())
}

fuzz_target!(
    init: {
        // SAFETY: `sigset_t` is plain data, and the calls are passed one that lives.
        unsafe {
            let mut sigpipe = std::mem::zeroed::<libc::sigset_t>();
            libc::sigaddset(&raw mut sigpipe, libc::SIGPIPE);
            libc::sigprocmask(libc::SIG_BLOCK, &raw const sigpipe, std::ptr::null_mut());
        }
    },
    |data: &[u8]| {
        let input = &mut Unstructured::new(data);
        let _ = match input.ratio(1, 4) {
            Ok(true) => play_send_file(input),
            _ => play_copy(input),
        };
    }
);
