//! One transfer of the soak: bytes from one end to the other in pieces of random sizes, with stops and
//! with futures that are dropped midway. Every byte is compared with what was sent.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures::poll;
use runtime::io::copy;
use runtime::net::unix::pipe;
use runtime::net::{TcpSocket, TcpStream, UnixStream};
use runtime::task::yield_now;
use runtime::time::sleep;

use crate::support::random::Random;
use crate::support::resources::{open_descriptors, resident_kib};

/// The longest piece. The sizes are spread evenly over the orders of magnitude below.
const LONGEST: usize = 256 * 1024;

/// How much the memory may grow while the bytes flow, once a part of them has.
const GROWTH_KIB: u64 = 1024;

/// What the bytes go through.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Through {
    Tcp,
    Unix,
    Pipe,
    /// All three, one after another, with `io::copy` between them.
    All,
}

pub(crate) const EACH: [Through; 4] = [Through::Tcp, Through::Unix, Through::Pipe, Through::All];

/// Carries so many bytes through it.
///
/// # Panics
///
/// If a byte is lost, doubled or changed, a descriptor is left open or the memory grows.
pub(crate) async fn carry(through: Through, bytes: u64, seed: u64) -> io::Result<Report> {
    // What the runtime needs for itself it has after this.
    sleep(Duration::from_nanos(1)).await;
    let descriptors = open_descriptors();
    let start = Instant::now();
    let pattern = Pattern::new(seed);
    let counts = Counts::default();
    let writer = End { pattern: &pattern, counts: &counts, random: Random::new(seed + 1), bytes };
    let reader = End { pattern: &pattern, counts: &counts, random: Random::new(seed + 2), bytes };
    let memory = match through {
        Through::Tcp => {
            let (from, to) = tcp_pair().await?;
            runtime::try_join!(writer.write_to(from), reader.read_from(to))?.1
        }
        Through::Unix => {
            let (from, to) = UnixStream::pair()?;
            runtime::try_join!(writer.write_to(from), reader.read_from(to))?.1
        }
        Through::Pipe => {
            let (from, to) = pipe::pipe()?;
            runtime::try_join!(writer.write_to(from), reader.read_from(to))?.1
        }
        Through::All => {
            let (tcp, unix, pipe) = (tcp_pair().await?, UnixStream::pair()?, pipe::pipe()?);
            let first = async {
                // Each end is dropped when it has been copied, so that the next sees it.
                let (from, to) = (tcp.1, unix.0);
                copy(&from, &to).await
            };
            let second = async {
                let (from, to) = (unix.1, pipe.0);
                copy(&from, &to).await
            };
            let ends = runtime::try_join!(
                writer.write_to(tcp.0),
                first,
                second,
                reader.read_from(pipe.1),
            )?;
            assert_eq!((ends.1, ends.2), (bytes, bytes), "what the copies say they have copied");
            ends.3
        }
    };
    // `copy` keeps the pipes for the next time, the runtime a second timerfd once timers follow each other.
    let pipes = if let Through::All = through { 2 * 2 } else { 0 };
    let kept = pipes + 1;
    assert!(open_descriptors() <= descriptors + kept, "descriptors are left open");
    assert!(memory.highest <= memory.early + GROWTH_KIB, "the memory grows: {memory:?}");
    Ok(Report { through, bytes, elapsed: start.elapsed(), memory, counts })
}

/// With buffers as small as a pipe's: else there is always room and hardly anything ever waits.
async fn tcp_pair() -> io::Result<(TcpStream, TcpStream)> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(64 * 1024)?;
    socket.set_send_buffer_size(64 * 1024)?;
    socket.bind("127.0.0.1:0".parse().expect("an address"))?;
    let listener = socket.listen(1)?;
    let address = listener.local_addr()?;
    let (from, to) = runtime::try_join!(TcpStream::connect(address), listener.accept())?;
    Ok((from, to.0))
}

/// What a transfer took.
pub(crate) struct Report {
    through: Through,
    bytes: u64,
    elapsed: Duration,
    memory: Memory,
    counts: Counts,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let through = format!("{:?}", self.through);
        let mib = self.bytes >> 20;
        let seconds = self.elapsed.as_secs_f64();
        let speed = mib as f64 / seconds;
        let Counts { reads, writes, dropped } = &self.counts;
        let (reads, writes, dropped) = (reads.get(), writes.get(), dropped.get());
        let Memory { early, highest } = self.memory;
        write!(
            f,
            "{through:>5}: {mib} MiB in {seconds:.1} s, {speed:.0} MiB/s; {writes} writes, {reads} reads, \
             {dropped} futures dropped midway; {early} KiB of memory, {highest} at most later",
        )
    }
}

#[derive(Default)]
struct Counts {
    reads: Cell<u64>,
    writes: Cell<u64>,
    dropped: Cell<u64>,
}

fn add_one(count: &Cell<u64>) {
    count.set(count.get() + 1);
}

/// In KiB: when a sixteenth of the bytes had come, and the most at any later look.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    early: u64,
    highest: u64,
}

/// The bytes that are sent, for ever: a block of random ones, again and again. Its length is a prime, so
/// that no part that is lost or doubled leaves the rest in step.
struct Pattern {
    block: Vec<u8>,
}

impl Pattern {
    const PERIOD: usize = 1_048_573;

    fn new(seed: u64) -> Pattern {
        let mut random = Random::new(seed);
        let mut block = Vec::with_capacity(Self::PERIOD + LONGEST + 8);
        while block.len() < Self::PERIOD {
            block.extend_from_slice(&random.next().to_le_bytes());
        }
        block.truncate(Self::PERIOD);
        // So that pieces need not be put together.
        block.extend_from_within(..LONGEST);
        Pattern { block }
    }

    fn piece(&self, at: u64, len: usize) -> &[u8] {
        &self.block[(at % Self::PERIOD as u64) as usize..][..len]
    }
}

/// The one who writes, or the one who reads.
struct End<'a> {
    pattern: &'a Pattern,
    counts: &'a Counts,
    random: Random,
    bytes: u64,
}

impl End<'_> {
    async fn write_to<W: Write>(mut self, to: W) -> io::Result<()> {
        let mut sent = 0;
        while sent < self.bytes {
            self.stop().await;
            let len = self.length().min(usize::try_from(self.bytes - sent).unwrap_or(usize::MAX));
            let piece = self.pattern.piece(sent, len);
            let written = match self.random.below(4) {
                0 => Some(to.write(piece).await?),
                1 => {
                    let (first, second) = piece.split_at(self.random.below(len));
                    let pieces = [IoSlice::new(first), IoSlice::new(second)];
                    Some(to.write_vectored(&pieces).await?)
                }
                2 => {
                    to.writable().await?;
                    unless_blocked(to.try_write(piece))?
                }
                _ => self.at_once(to.write(piece)).await?,
            };
            if let Some(written) = written {
                assert!(written > 0, "a write that wrote nothing");
                add_one(&self.counts.writes);
                sent += written as u64;
            }
        }
        Ok(())
    }

    async fn read_from<R: Read>(mut self, from: R) -> io::Result<Memory> {
        let mut buf = vec![0; LONGEST];
        let mut received = 0;
        let mut memory = Memory::default();
        let mut next_look = self.bytes / 16;
        loop {
            self.stop().await;
            let len = self.length();
            let room = &mut buf[..len];
            let read = match self.random.below(4) {
                0 => Some(from.read(room).await?),
                1 => {
                    let (first, second) = room.split_at_mut(self.random.below(len));
                    let rooms = &mut [IoSliceMut::new(first), IoSliceMut::new(second)];
                    Some(from.read_vectored(rooms).await?)
                }
                2 => {
                    from.readable().await?;
                    unless_blocked(from.try_read(room))?
                }
                _ => self.at_once(from.read(room)).await?,
            };
            let Some(read) = read else { continue };
            if read == 0 {
                assert_eq!(received, self.bytes, "the end came too early or too late");
                return Ok(memory);
            }
            add_one(&self.counts.reads);
            let expected = self.pattern.piece(received, read);
            assert!(buf[..read] == *expected, "other bytes within {read} behind {received}");
            received += read as u64;
            if received >= next_look {
                let now = resident_kib();
                if memory.early == 0 {
                    memory.early = now;
                }
                memory.highest = memory.highest.max(now);
                next_look += self.bytes / 16;
            }
        }
    }

    /// Polls it once, and drops it if it has to wait.
    async fn at_once<T>(
        &self,
        operation: impl Future<Output = io::Result<T>>,
    ) -> io::Result<Option<T>> {
        match poll!(pin!(operation)) {
            Poll::Ready(result) => result.map(Some),
            Poll::Pending => {
                add_one(&self.counts.dropped);
                Ok(None)
            }
        }
    }

    /// Most often nothing, at times a turn, now and then a pause.
    async fn stop(&mut self) {
        match self.random.below(256) {
            0 => sleep(Duration::from_micros(self.random.below(1000) as u64)).await,
            1..8 => yield_now().await,
            _ => {}
        }
    }

    /// From 1 to `LONGEST`.
    fn length(&mut self) -> usize {
        let below = 1 << self.random.below(LONGEST.ilog2() as usize + 1);
        1 + self.random.below(below)
    }
}

fn unless_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        result => result.map(Some),
    }
}

/// The types' own methods, by one name.
trait Read {
    async fn read(&self, buf: &mut [u8]) -> io::Result<usize>;
    async fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize>;
    async fn readable(&self) -> io::Result<()>;
    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize>;
}

trait Write {
    async fn write(&self, buf: &[u8]) -> io::Result<usize>;
    async fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;
    async fn writable(&self) -> io::Result<()>;
    fn try_write(&self, buf: &[u8]) -> io::Result<usize>;
}

macro_rules! by_its_own_methods {
    (Read for $($type:ty),*) => {$(
        impl Read for $type {
            async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.read(buf).await
            }

            async fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.read_vectored(bufs).await
            }

            async fn readable(&self) -> io::Result<()> {
                self.readable().await
            }

            fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.try_read(buf)
            }
        }
    )*};
    (Write for $($type:ty),*) => {$(
        impl Write for $type {
            async fn write(&self, buf: &[u8]) -> io::Result<usize> {
                self.write(buf).await
            }

            async fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.write_vectored(bufs).await
            }

            async fn writable(&self) -> io::Result<()> {
                self.writable().await
            }

            fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.try_write(buf)
            }
        }
    )*};
}

by_its_own_methods!(Read for TcpStream, UnixStream, pipe::Receiver);
by_its_own_methods!(Write for TcpStream, UnixStream, pipe::Sender);
