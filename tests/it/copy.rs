//! Moving bytes: between all kinds of descriptors, ends, breaks, blocked writers, the budget.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::future::{Future, poll_fn};
use std::io::{self, Read, Seek, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread::{self, JoinHandle};

use runtime::io::{ReadFd, Source, WriteFd, copy, copy_bidirectional, send_file};
use runtime::net::TcpStream;
use runtime::task::yield_now;

use self::stream::{Fd, byte_at, bytes, check, feed, file, pipe, tcp, temporary};
use crate::support::random::Random;
use crate::support::run;

#[path = "../support/stream.rs"]
mod stream;

#[derive(Clone, Copy, Debug)]
enum Kind {
    Tcp,
    Unix,
    Pipe,
    File,
    /// Which splice(2) refuses to write to.
    AppendedFile,
}

/// Something to read the stream from.
fn reader(kind: Kind, len: usize, seed: u64) -> (Fd, Option<JoinHandle<()>>) {
    let (from, to): (OwnedFd, OwnedFd) = match kind {
        Kind::Tcp => {
            let (from, to) = tcp();
            (from.into(), to.into())
        }
        Kind::Unix => {
            let (from, to) = UnixStream::pair().unwrap();
            (from.into(), to.into())
        }
        Kind::Pipe => pipe(),
        Kind::File | Kind::AppendedFile => {
            let mut file = file();
            file.write_all(&bytes(0, len)).unwrap();
            file.rewind().unwrap();
            return (Fd::new(file), None);
        }
    };
    (Fd::new(from), Some(feed(to, len, seed)))
}

/// Something to write to, and who says how much came.
fn writer(kind: Kind, seed: u64) -> (Fd, Box<dyn FnOnce() -> usize>) {
    let (from, to): (OwnedFd, OwnedFd) = match kind {
        Kind::Tcp => {
            let (from, to) = tcp();
            (from.into(), to.into())
        }
        Kind::Unix => {
            let (from, to) = UnixStream::pair().unwrap();
            (from.into(), to.into())
        }
        Kind::Pipe => pipe(),
        Kind::File | Kind::AppendedFile => {
            let appended = matches!(kind, Kind::AppendedFile);
            let file = temporary(OpenOptions::new().read(true).write(!appended).append(appended));
            let mut result = file.try_clone().unwrap();
            return (
                Fd::new(file),
                Box::new(move || {
                    let mut found = Vec::new();
                    result.rewind().unwrap();
                    result.read_to_end(&mut found).unwrap();
                    assert!(found == bytes(0, found.len()), "wrong bytes");
                    found.len()
                }),
            );
        }
    };
    let checked = check(from, seed);
    (Fd::new(to), Box::new(move || checked.join().unwrap()))
}

#[test]
fn every_byte_arrives_once_whatever_the_ends_are() {
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let kinds = [Kind::Tcp, Kind::Unix, Kind::Pipe, Kind::File];
    for from in kinds {
        for to in kinds.into_iter().chain([Kind::AppendedFile]) {
            // Around what the buffer holds, around what a pipe holds, and long.
            let long = 500_000 + random.up_to(1 << 20);
            for len in [0, 1, 8191, 8192, 8193, 65_535, 65_536, 65_537, 8192 + 65_536, long] {
                println!("{len} bytes from {from:?} to {to:?}");
                let (reader, fed) = reader(from, len, random.next());
                let (writer, arrived) = writer(to, random.next());
                let copied = run(async { copy(&reader, &writer).await }).unwrap();
                drop(writer);
                assert_eq!((copied, arrived()), (len as u64, len));
                if let Some(fed) = fed {
                    fed.join().unwrap();
                }
            }
        }
    }
}

#[test]
fn a_copy_may_go_to_another_thread() {
    fn may_go<T: Send>(_: &T) {}
    let (a, b) = tcp();
    let (a, b) = (TcpStream::from_std(a).unwrap(), TcpStream::from_std(b).unwrap());
    may_go(&copy(&a, &b));
    may_go(&copy_bidirectional(&a, &b));
    may_go(&send_file(&file(), &mut 0, 1, &a));
}

#[test]
fn the_streams_of_the_library_go_to_each_other() {
    run(async {
        let len = 300_000;
        let (tcp_from, tcp_to) = tcp();
        let (near, far) = UnixStream::pair().unwrap();
        let (pipe_to, pipe_from) = runtime::net::unix::pipe::pipe()?;
        let fed = feed(tcp_to, len, 1);
        let checked = check(far, 2);
        let (from, _) = TcpStream::from_std(tcp_from)?.into_split();
        let (_, to) = runtime::net::UnixStream::from_std(near)?.into_split();
        let through_the_pipe = async {
            let copied = copy(&from, &pipe_to).await;
            drop(pipe_to);
            copied
        };
        let copied = runtime::try_join!(through_the_pipe, async {
            let copied = copy(&pipe_from, &to).await?;
            to.shutdown().await?;
            Ok(copied)
        })?;
        assert_eq!(copied, (len as u64, len as u64));
        fed.join().unwrap();
        assert_eq!(checked.join().unwrap(), len);
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
#[expect(clippy::unnecessary_mut_passed, reason = "so a call of tokio's is written")]
fn a_half_close_is_passed_on_and_the_other_way_goes_on() {
    for long in [false, true] {
        let (there, back) = if long { (3_000_000, 2_000_000) } else { (10, 20) };
        let (client, a) = tcp();
        let (b, server) = UnixStream::pair().unwrap();
        let (a, b) = (TcpStream::from_std(a).unwrap(), Fd::new(b));
        let served = thread::spawn(move || {
            let mut server = server;
            let mut received = Vec::new();
            // It ends although the way back has not begun.
            server.read_to_end(&mut received).unwrap();
            assert!(received == bytes(0, there));
            server.write_all(&bytes(there, back)).unwrap();
        });
        let asked = thread::spawn(move || {
            let mut client = client;
            client.write_all(&bytes(0, there)).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            let mut received = Vec::new();
            client.read_to_end(&mut received).unwrap();
            assert!(received == bytes(there, back));
        });
        let (mut a, mut b) = (a, b);
        let copied = run(async { copy_bidirectional(&mut a, &mut b).await }).unwrap();
        assert_eq!(copied, (there as u64, back as u64));
        served.join().unwrap();
        asked.join().unwrap();
    }
}

/// Closes so that the peer meets a reset.
fn reset(socket: std::net::TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let len = size_of::<libc::linger>() as libc::socklen_t;
    let value = (&raw const linger).cast();
    // SAFETY: `linger` outlives the call, and its size is passed.
    unsafe {
        let fd = socket.as_raw_fd();
        assert_eq!(libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_LINGER, value, len), 0);
    }
}

#[test]
fn a_reset_is_an_error_and_the_other_peer_is_told() {
    let (mut client, a) = tcp();
    let (b, mut server) = tcp();
    let (a, b) = (TcpStream::from_std(a).unwrap(), TcpStream::from_std(b).unwrap());
    let broken = thread::spawn(move || {
        client.write_all(&bytes(0, 500_000)).unwrap();
        let mut received = vec![0; 500_000];
        server.read_exact(&mut received).unwrap();
        reset(client);
        // The end, or a reset: not silence.
        let _ = server.read(&mut received);
    });
    let copied = run(async { copy_bidirectional(&a, &b).await });
    assert_eq!(copied.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    drop((a, b));
    broken.join().unwrap();
}

/// Runs other tasks until nothing changes any more.
async fn settle(mut progress: impl FnMut() -> bool) {
    let mut quiet = 0;
    while quiet < 1_000 {
        quiet = if progress() { 0 } else { quiet + 1 };
        yield_now().await;
    }
}

/// Writes as long as there is room, and returns how much it was.
fn stuff(to: &mut impl Write) -> usize {
    let mut stuffed = 0;
    loop {
        match to.write(&[7; 65_536]) {
            Ok(written) => stuffed += written,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                return stuffed;
            }
        }
    }
}

#[test]
fn a_writer_that_takes_nothing_stops_the_reader() {
    let (mut source, reader) = UnixStream::pair().unwrap();
    let (writer, mut sink) = UnixStream::pair().unwrap();
    source.set_nonblocking(true).unwrap();
    run(async {
        let copied = runtime::spawn(async move { copy(&Fd::new(reader), &Fd::new(writer)).await });
        let mut stuffed = 0;
        settle(|| {
            let now = stuff(&mut source);
            stuffed += now;
            now > 0
        })
        .await;
        // What two sockets and a pipe hold, and not all that would have been there.
        assert!(stuffed < 4 << 20, "{stuffed} bytes are on their way");
        drop(source);
        let drained = thread::spawn(move || io::copy(&mut sink, &mut io::sink()).unwrap());
        assert_eq!(copied.await.unwrap().unwrap(), stuffed as u64);
        assert_eq!(drained.join().unwrap(), stuffed as u64);
    });
}

#[test]
fn a_reader_that_breaks_is_noticed_while_the_writer_takes_nothing() {
    let (mut client, a) = tcp();
    // Both are open until the end, and nobody reads.
    let (b, _server) = tcp();
    client.set_nonblocking(true).unwrap();
    run(async {
        let copied = runtime::spawn(async move {
            let (a, b) = (TcpStream::from_std(a)?, TcpStream::from_std(b)?);
            copy(&a, &b).await
        });
        settle(|| stuff(&mut client) > 0).await;
        assert!(!copied.is_finished());
        reset(client);
        assert_eq!(copied.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_writer_that_breaks_is_noticed_while_it_takes_nothing() {
    let (mut client, a) = tcp();
    let (b, server) = tcp();
    client.set_nonblocking(true).unwrap();
    run(async {
        let copied = runtime::spawn(async move {
            let (a, b) = (TcpStream::from_std(a)?, TcpStream::from_std(b)?);
            copy(&a, &b).await
        });
        settle(|| stuff(&mut client) > 0).await;
        assert!(!copied.is_finished());
        reset(server);
        let kind = copied.await.unwrap().unwrap_err().kind();
        assert!(matches!(kind, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe));
    });
}

/// Checks the stream, and counts what has come of it.
fn arrivals(mut from: impl Read + Send + 'static) -> (Arc<AtomicUsize>, JoinHandle<()>) {
    let arrived = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&arrived);
    let checking = thread::spawn(move || {
        let mut buf = vec![0; 65_536];
        loop {
            let at = count.load(Ordering::Relaxed);
            let read = from.read(&mut buf).unwrap();
            if read == 0 {
                return;
            }
            assert!(buf[..read] == bytes(at, read), "wrong bytes after {at}");
            count.store(at + read, Ordering::Relaxed);
        }
    });
    (arrived, checking)
}

/// What TCP has and has not sent yet, for whatever reason.
fn unsent(socket: &impl AsRawFd) -> i32 {
    const SIOCOUTQNSD: libc::Ioctl = 0x894b;
    let mut unsent = 0;
    // SAFETY: the kernel writes an int to `unsent`.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCOUTQNSD, &raw mut unsent) };
    assert_eq!(result, 0);
    unsent
}

#[test]
fn the_last_bytes_are_not_held_back() {
    // The first part makes the transfer a long one; the second is less than a segment.
    let (first, second) = (300_000, 20_000);
    let mut page = file();
    page.write_all(&bytes(first + second, second)).unwrap();
    let (client, a) = UnixStream::pair().unwrap();
    let (b, server) = tcp();
    b.set_nodelay(true).unwrap();
    let sending = b.try_clone().unwrap();
    let (arrived, checked) = arrivals(server);
    run(async {
        let copied = runtime::spawn(async move {
            let (a, b) = (Fd::new(a), TcpStream::from_std(b)?);
            copy(&a, &b).await?;
            send_file(&page, &mut 0, u64::MAX, &b).await?;
            io::Result::Ok(b)
        });
        let client = runtime::net::UnixStream::from_std(client).unwrap();
        for (len, before) in [(first, 0), (second, first)] {
            client.write_all(&bytes(before, len)).await.unwrap();
            settle(|| arrived.load(Ordering::Relaxed) == 0).await;
            while before == 0 && arrived.load(Ordering::Relaxed) < len {
                yield_now().await;
            }
        }
        assert_eq!(unsent(&sending), 0);
        client.shutdown().await.unwrap();
        let _open = copied.await.unwrap().unwrap();
        assert_eq!(unsent(&sending), 0);
    });
    drop(sending);
    checked.join().unwrap();
    assert_eq!(arrived.load(Ordering::Relaxed), first + 2 * second);
}

/// splice(2) does not get past an urgent byte; the byte itself is no part of the stream.
#[test]
fn urgent_data_stops_nothing() {
    for with_the_end in [false, true] {
        let (client, a) = tcp();
        let (b, server) = tcp();
        // The first part makes the transfer a long one, the second is there at once.
        let (first, second) = (300_000, 20_000);
        let (arrived, checked) = arrivals(server);
        run(async {
            let copied = runtime::spawn(async move {
                let (a, b) = (TcpStream::from_std(a)?, TcpStream::from_std(b)?);
                copy(&a, &b).await
            });
            let client = TcpStream::from_std(client).unwrap();
            client.write_all(&bytes(0, first)).await.unwrap();
            while arrived.load(Ordering::Relaxed) < first {
                yield_now().await;
            }
            settle(|| false).await;
            // The copy waits now, and finds all that follows together.
            // SAFETY: one byte is sent, from a constant.
            let sent =
                unsafe { libc::send(client.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
            assert_eq!(sent, 1);
            assert_eq!(client.try_write(&bytes(first, second)).unwrap(), second);
            if !with_the_end {
                while arrived.load(Ordering::Relaxed) < first + second {
                    yield_now().await;
                }
            }
            client.shutdown().await.unwrap();
            assert_eq!(copied.await.unwrap().unwrap(), (first + second) as u64);
        });
        checked.join().unwrap();
        assert_eq!(arrived.load(Ordering::Relaxed), first + second);
    }
}

#[test]
fn others_run_while_a_copy_never_has_to_wait() {
    let len = 256 << 20;
    let zeros = || {
        let file = file();
        file.set_len(len).unwrap();
        Fd::new(file)
    };
    let null = || Fd::new(OpenOptions::new().write(true).open("/dev/null").unwrap());
    // Through the buffer, as a device is not spliced; and spliced.
    for (from, to) in [(zeros(), null()), (zeros(), Fd::new(file()))] {
        run(async {
            let (ended, turns) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
            let other = runtime::spawn({
                let (ended, turns) = (ended.clone(), turns.clone());
                async move {
                    while !ended.get() {
                        turns.set(turns.get() + 1);
                        yield_now().await;
                    }
                }
            });
            let copied = runtime::spawn(async move { copy(&from, &to).await });
            assert_eq!(copied.await.unwrap().unwrap(), len);
            ended.set(true);
            other.await.unwrap();
            assert!(turns.get() > 30, "others had {} turns", turns.get());
        });
    }
}

/// Two descriptors as one thing to read from and to write to.
struct Both(Fd, Fd);

impl AsFd for Both {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl ReadFd for Both {
    type Io = File;

    fn source(&self) -> &Source<File> {
        ReadFd::source(&self.0)
    }

    fn read_once(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read_once(buf)
    }
}

impl WriteFd for Both {
    type Io = File;

    fn source(&self) -> &Source<File> {
        WriteFd::source(&self.1)
    }

    fn write_once(&self, buf: &[u8]) -> io::Result<usize> {
        self.1.write_once(buf)
    }
}

#[test]
fn a_way_that_never_has_to_wait_leaves_the_other_its_share() {
    for swapped in [false, true] {
        let endless = Fd::new(File::open("/dev/zero").unwrap());
        let null = Fd::new(OpenOptions::new().write(true).open("/dev/null").unwrap());
        let ((from, mut asks), (mut hears, to)) =
            (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        // From `asks` by way of `b` and `a` to `hears`, against a stream of zeros.
        let a = Both(endless, Fd::new(to));
        let b = Both(Fd::new(from), null);
        run(async {
            let copying = runtime::spawn(async move {
                if swapped {
                    copy_bidirectional(&b, &a).await
                } else {
                    copy_bidirectional(&a, &b).await
                }
            });
            asks.write_all(b"hello").unwrap();
            hears.set_nonblocking(true).unwrap();
            let mut heard = [0; 5];
            while hears.read(&mut heard).is_err() {
                yield_now().await;
            }
            assert_eq!(&heard, b"hello");
            copying.abort();
        });
    }
}

#[test]
fn what_is_sent_of_a_file_is_the_range() {
    let len = 1_000_000;
    let mut page = file();
    page.write_all(&bytes(0, len)).unwrap();
    page.seek(io::SeekFrom::Start(17)).unwrap();
    // To a socket, a pipe, a file that sendfile(2) refuses, and one that it takes.
    let append = temporary(OpenOptions::new().read(true).append(true));
    for (from, count) in [(0, u64::MAX), (100, 0), (8191, 700_000), (999_999, 5), (2_000_000, 5)] {
        let range = (from.min(len))..len.min(from.saturating_add(count.min(1 << 30) as usize));
        let expected: Vec<u8> = range.map(byte_at).collect();
        let (tcp, unix, pipe) = (tcp(), UnixStream::pair().unwrap(), pipe());
        let sockets: [(OwnedFd, OwnedFd); 3] =
            [(tcp.0.into(), tcp.1.into()), (unix.0.into(), unix.1.into()), pipe];
        for (out, to) in sockets {
            let drained = thread::spawn(move || {
                let mut drained = Vec::new();
                File::from(out).read_to_end(&mut drained).unwrap();
                drained
            });
            let mut offset = from as u64;
            let to = Fd::new(to);
            let sent = run(async { send_file(&page, &mut offset, count, &to).await }).unwrap();
            drop(to);
            assert_eq!((sent, offset), (expected.len() as u64, from as u64 + sent));
            assert!(drained.join().unwrap() == expected);
        }
        for to in [file(), append.try_clone().unwrap()] {
            to.set_len(0).unwrap();
            let mut result = to.try_clone().unwrap();
            let to = Fd::new(to);
            let sent = run(async { send_file(&page, &mut (from as u64), count, &to).await });
            assert_eq!(sent.unwrap(), expected.len() as u64);
            let mut found = Vec::new();
            result.rewind().unwrap();
            result.read_to_end(&mut found).unwrap();
            assert!(found == expected);
        }
    }
    assert_eq!(page.stream_position().unwrap(), 17);
}

#[test]
fn a_file_may_be_larger_than_four_gigabytes() {
    let mut page = file();
    let far = 5 << 30;
    page.seek(io::SeekFrom::Start(far)).unwrap();
    page.write_all(b"the end").unwrap();
    let (to, mut out) = UnixStream::pair().unwrap();
    let to = Fd::new(to);
    assert_eq!(run(async { send_file(&page, &mut far.clone(), u64::MAX, &to).await }).unwrap(), 7);
    drop(to);
    let mut sent = String::new();
    out.read_to_string(&mut sent).unwrap();
    assert_eq!(sent, "the end");
}

#[test]
fn an_offset_that_no_file_has_is_refused() {
    let (to, _out) = UnixStream::pair().unwrap();
    let (page, to) = (file(), Fd::new(to));
    let sent = run(async { send_file(&page, &mut u64::MAX.clone(), 1, &to).await });
    // There is nothing to send from there on.
    assert_eq!(sent.unwrap(), 0);
}

/// Polls as long as it wants to go on, and then gives up.
async fn until_it_waits<F: Future>(future: F) {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let _ = future.as_mut().poll(cx);
        Poll::Ready(())
    })
    .await;
}

#[test]
fn a_file_whose_sending_was_dropped_is_sent_on_from_the_offset() {
    let len = 3_000_000;
    let mut page = file();
    page.write_all(&bytes(0, len)).unwrap();
    let (to, out) = tcp();
    let received = check(out, 1);
    let mut offset = 0;
    run(async {
        let to = TcpStream::from_std(to).unwrap();
        while offset < len as u64 {
            until_it_waits(send_file(&page, &mut offset, u64::MAX, &to)).await;
            yield_now().await;
        }
    });
    assert_eq!(received.join().unwrap(), len);
}
