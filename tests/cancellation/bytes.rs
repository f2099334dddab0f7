//! Byte streams: all their methods that are one system call, both ways at once.

use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use runtime::io::{AsyncFd, Interest, ReadFd, Source, WriteFd, stderr, stdin};
use runtime::net::unix::pipe;
use runtime::net::{TcpListener, TcpStream, UnixStream};

use crate::exercise::{Direction, Model, Moved, exercise, got_out, peeked, put_in};
use crate::seeds::{Rng, for_seeds};

/// What is asked of the kernel at most at once.
const MOST: usize = 20_000;

/// Reads into two buffers, the first of which may be empty.
fn halved(buf: &mut [u8], rng: &mut Rng) -> [usize; 2] {
    let first = rng.below(buf.len());
    [first, buf.len() - first]
}

/// The operations that every stream has to read by.
macro_rules! reading {
    ($direction:expr, $reader:expr) => {{
        let reader = $reader;
        $direction
            .reading("read", move |mut rng| async move {
                let mut buf = rng.room(MOST);
                let len = reader.read(&mut buf).await?;
                got_out(&buf[..len])
            })
            .reading("read_vectored", move |mut rng| async move {
                let mut buf = rng.room(MOST);
                let [first, _] = halved(&mut buf, &mut rng);
                let (first, second) = buf.split_at_mut(first);
                let bufs = &mut [IoSliceMut::new(first), IoSliceMut::new(second)];
                let len = reader.read_vectored(bufs).await?;
                got_out(&buf[..len])
            })
            .reading("readable", move |_| async move {
                reader.readable().await?;
                Ok(Moved::Nothing)
            })
            .reading("readable, try_read", move |mut rng| async move {
                let mut buf = rng.room(MOST);
                loop {
                    reader.readable().await?;
                    match reader.try_read(&mut buf) {
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        len => return got_out(&buf[..len?]),
                    }
                }
            })
            .reading("ready", move |_| async move {
                let ready = reader.ready(Interest::READABLE).await?;
                assert!(ready.is_readable());
                Ok(Moved::Nothing)
            })
            .reading("poll_read", move |mut rng| async move {
                let mut buf = rng.room(MOST);
                let len = poll_fn(|cx| ReadFd::poll_read(reader, cx, &mut buf)).await?;
                got_out(&buf[..len])
            })
            .reading("poll_read_vectored", move |mut rng| async move {
                let mut buf = rng.room(MOST);
                let bufs = &mut [IoSliceMut::new(&mut buf)];
                let len = poll_fn(|cx| ReadFd::poll_read_vectored(reader, cx, bufs)).await?;
                got_out(&buf[..len])
            })
            .reading("poll_read_ready", move |_| async move {
                poll_fn(|cx| reader.poll_read_ready(cx)).await?;
                Ok(Moved::Nothing)
            })
    }};
}

/// The operations that every stream has to write by.
macro_rules! writing {
    ($direction:expr, $writer:expr) => {{
        let writer = $writer;
        $direction
            .writing("write", move |mut rng| async move {
                let bytes = rng.bytes(MOST);
                let len = writer.write(&bytes).await?;
                put_in(&bytes[..len])
            })
            .writing("write_vectored", move |mut rng| async move {
                let mut bytes = rng.bytes(MOST);
                let [first, _] = halved(&mut bytes, &mut rng);
                let (first, second) = bytes.split_at(first);
                let bufs = &[IoSlice::new(first), IoSlice::new(second)];
                let len = writer.write_vectored(bufs).await?;
                put_in(&bytes[..len])
            })
            .writing("writable", move |_| async move {
                writer.writable().await?;
                Ok(Moved::Nothing)
            })
            .writing("writable, try_write", move |mut rng| async move {
                let bytes = rng.bytes(MOST);
                loop {
                    writer.writable().await?;
                    match writer.try_write(&bytes) {
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        len => return put_in(&bytes[..len?]),
                    }
                }
            })
            .writing("ready", move |_| async move {
                let ready = writer.ready(Interest::WRITABLE).await?;
                assert!(ready.is_writable());
                Ok(Moved::Nothing)
            })
            .writing("poll_write", move |mut rng| async move {
                let bytes = rng.bytes(MOST);
                let len = poll_fn(|cx| WriteFd::poll_write(writer, cx, &bytes)).await?;
                put_in(&bytes[..len])
            })
            .writing("poll_write_vectored", move |mut rng| async move {
                let bytes = rng.bytes(MOST);
                let bufs = &[IoSlice::new(&bytes)];
                let len = poll_fn(|cx| WriteFd::poll_write_vectored(writer, cx, bufs)).await?;
                put_in(&bytes[..len])
            })
            .writing("poll_write_ready", move |_| async move {
                poll_fn(|cx| writer.poll_write_ready(cx)).await?;
                Ok(Moved::Nothing)
            })
    }};
}

/// Reading that leaves the bytes where they are.
macro_rules! peeking {
    ($direction:expr, $reader:expr) => {{
        let reader = $reader;
        $direction
            .reading("peek", move |mut rng| async move {
                let mut buf = rng.room(MOST);
                let len = reader.peek(&mut buf).await?;
                peeked(&buf[..len])
            })
            .reading("poll_peek", move |mut rng| async move {
                let mut buf = rng.room(MOST);
                let len = poll_fn(|cx| reader.poll_peek(cx, &mut buf)).await?;
                peeked(&buf[..len])
            })
    }};
}

/// Operations of the caller's own, on a socket.
macro_rules! own_operations {
    ($direction:expr, $reader:expr, $writer:expr) => {{
        let (reader, writer) = ($reader, $writer);
        $direction
            .reading("async_io", move |mut rng| async move {
                let mut buf = rng.room(MOST);
                let read = || recv(reader.as_fd(), &mut buf);
                let len = reader.async_io(Interest::READABLE, read).await?;
                got_out(&buf[..len])
            })
            .writing("async_io", move |mut rng| async move {
                let bytes = rng.bytes(MOST);
                let write = || send(writer.as_fd(), &bytes);
                let len = writer.async_io(Interest::WRITABLE, write).await?;
                put_in(&bytes[..len])
            })
    }};
}

fn recv(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the pointer and the length are those of `buf`.
    let len = unsafe { libc::recv(fd.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len(), 0) };
    usize::try_from(len).map_err(|_| io::Error::last_os_error())
}

fn send(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the pointer and the length are those of `bytes`.
    let len = unsafe {
        libc::send(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL)
    };
    usize::try_from(len).map_err(|_| io::Error::last_os_error())
}

/// Buffers so small that writers have to wait.
pub(crate) fn with_small_buffers(socket: impl AsFd) {
    for option in [libc::SO_SNDBUF, libc::SO_RCVBUF] {
        let size: i32 = 32 * 1024;
        let (pointer, len) = ((&raw const size).cast(), size_of::<i32>() as u32);
        let fd = socket.as_fd().as_raw_fd();
        // SAFETY: the pointer is to an int, which is what both options take.
        let set = unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, option, pointer, len) };
        assert_eq!(set, 0, "{}", io::Error::last_os_error());
    }
}

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    for socket in [&client, &server] {
        socket.set_nodelay(true).unwrap();
        with_small_buffers(socket);
    }
    (client, server)
}

#[test]
fn tcp_streams() {
    for_seeds(60, async |rng| {
        let (a, b) = tcp_pair().await;
        let left = {
            let there = Direction::new(Model::bytes(), &a, &b);
            let there = own_operations!(peeking!(writing!(reading!(there, &b), &a), &b), &b, &a);
            let back = Direction::new(Model::bytes(), &b, &a);
            let back = own_operations!(peeking!(writing!(reading!(back, &a), &b), &a), &a, &b);
            exercise(vec![there, back], rng).await
        };
        drop((a, b));
        left.are_gone().await;
    });
}

#[test]
fn owned_halves_of_tcp_streams() {
    for_seeds(30, async |rng| {
        let (a, b) = tcp_pair().await;
        let ((a_read, a_write), (b_read, b_write)) = (a.into_split(), b.into_split());
        let left = {
            let there = Direction::new(Model::bytes(), &a_write, &b_read);
            let there = peeking!(writing!(reading!(there, &b_read), &a_write), &b_read);
            let back = Direction::new(Model::bytes(), &b_write, &a_read);
            let back = peeking!(writing!(reading!(back, &a_read), &b_write), &a_read);
            exercise(vec![there, back], rng).await
        };
        drop((a_read, a_write, b_read, b_write));
        left.are_gone().await;
    });
}

#[test]
fn borrowed_halves_of_tcp_streams() {
    for_seeds(30, async |rng| {
        let (mut a, mut b) = tcp_pair().await;
        let left = {
            let ((a_read, a_write), (b_read, b_write)) = (a.split(), b.split());
            let there = Direction::new(Model::bytes(), &a_write, &b_read);
            let there = peeking!(writing!(reading!(there, &b_read), &a_write), &b_read);
            let back = Direction::new(Model::bytes(), &b_write, &a_read);
            let back = peeking!(writing!(reading!(back, &a_read), &b_write), &a_read);
            exercise(vec![there, back], rng).await
        };
        drop((a, b));
        left.are_gone().await;
    });
}

#[test]
fn unix_streams() {
    for_seeds(60, async |rng| {
        let (a, b) = UnixStream::pair().unwrap();
        with_small_buffers(&a);
        with_small_buffers(&b);
        let left = {
            let there = Direction::new(Model::bytes(), &a, &b);
            let there = own_operations!(writing!(reading!(there, &b), &a), &b, &a);
            let back = Direction::new(Model::bytes(), &b, &a);
            let back = own_operations!(writing!(reading!(back, &a), &b), &a, &b);
            exercise(vec![there, back], rng).await
        };
        drop((a, b));
        left.are_gone().await;
    });
}

#[test]
fn halves_of_unix_streams() {
    for_seeds(30, async |rng| {
        let (a, mut b) = UnixStream::pair().unwrap();
        with_small_buffers(&a);
        with_small_buffers(&b);
        let (a_read, a_write) = a.into_split();
        let left = {
            let (b_read, b_write) = b.split();
            let there = Direction::new(Model::bytes(), &a_write, &b_read);
            let there = writing!(reading!(there, &b_read), &a_write);
            let back = Direction::new(Model::bytes(), &b_write, &a_read);
            let back = writing!(reading!(back, &a_read), &b_write);
            exercise(vec![there, back], rng).await
        };
        drop((a_read, a_write, b));
        left.are_gone().await;
    });
}

#[test]
fn pipes() {
    for_seeds(60, async |rng| {
        let (sender, receiver) = pipe::pipe().unwrap();
        let left = {
            let direction = Direction::new(Model::bytes(), &sender, &receiver);
            exercise(vec![writing!(reading!(direction, &receiver), &sender)], rng).await
        };
        drop((sender, receiver));
        left.are_gone().await;
    });
}

/// One of the descriptors 0 to 2, which is another while this lives. One test at a time has it.
struct Redirected {
    number: RawFd,
    before: OwnedFd,
}

impl Redirected {
    fn new(number: RawFd, to: impl AsFd) -> Redirected {
        // SAFETY: the descriptor is open as long as the process lives.
        let before = unsafe { BorrowedFd::borrow_raw(number) }.try_clone_to_owned().unwrap();
        redirect(number, to);
        Redirected { number, before }
    }
}

impl Drop for Redirected {
    fn drop(&mut self) {
        redirect(self.number, &self.before);
    }
}

fn redirect(number: RawFd, to: impl AsFd) {
    // SAFETY: the numbers are of the standard streams, which nobody owns.
    let redirected = unsafe { libc::dup2(to.as_fd().as_raw_fd(), number) };
    assert_eq!(redirected, number, "{}", io::Error::last_os_error());
}

/// The process's own, redirected: to a pipe, which is opened anew, and a socket, which is asked without
/// waiting. The type of standard output is written once with that of standard error, and is the harness's.
#[test]
fn standard_streams() {
    for_seeds(40, async |rng| {
        let (to_stdin, pipe_in) = pipe::pipe().unwrap();
        let (pipe_out, from_stderr) = pipe::pipe().unwrap();
        let _stdin = Redirected::new(0, pipe_in.into_blocking_fd().unwrap());
        let _stderr = Redirected::new(2, pipe_out.into_blocking_fd().unwrap());
        let (stdin, stderr) = (stdin(), stderr());
        let left = {
            let input = Direction::new(Model::bytes(), &to_stdin, &stdin);
            let output = Direction::new(Model::bytes(), &stderr, &from_stderr);
            let input = writing!(reading!(input, &stdin), &to_stdin);
            let output = writing!(reading!(output, &from_stderr), &stderr);
            exercise(vec![input, output], rng).await
        };
        drop((stdin, stderr, to_stdin, from_stderr));
        left.are_gone().await;
    });
}

#[test]
fn standard_streams_that_are_a_socket() {
    for_seeds(40, async |rng| {
        let (peer, socket) = StdStream::pair().unwrap();
        with_small_buffers(&peer);
        with_small_buffers(&socket);
        let _stdin = Redirected::new(0, &socket);
        let _stderr = Redirected::new(2, &socket);
        let (stdin, stderr, peer) = (stdin(), stderr(), UnixStream::from_std(peer).unwrap());
        let left = {
            let input = Direction::new(Model::bytes(), &peer, &stdin);
            let output = Direction::new(Model::bytes(), &stderr, &peer);
            let input = writing!(reading!(input, &stdin), &peer);
            let output = writing!(reading!(output, &peer), &stderr);
            exercise(vec![input, output], rng).await
        };
        drop((stdin, stderr, peer));
        left.are_gone().await;
    });
}

type StdStream = std::os::unix::net::UnixStream;

fn unix_pair() -> (StdStream, StdStream) {
    let (a, b) = StdStream::pair().unwrap();
    for socket in [&a, &b] {
        socket.set_nonblocking(true).unwrap();
        with_small_buffers(socket);
    }
    (a, b)
}

#[test]
fn sources() {
    for_seeds(60, async |rng| {
        let (a, b) = unix_pair();
        let (a, b) = (Source::new(a), Source::new(b));
        fn direction<'a>(a: &'a Source<StdStream>, b: &'a Source<StdStream>) -> Direction<'a> {
            Direction::new(Model::bytes(), a, b)
                .reading("read_with", move |mut rng| async move {
                    let mut buf = rng.room(MOST);
                    let len = b.read_with(|mut b| b.read(&mut buf)).await?;
                    got_out(&buf[..len])
                })
                .reading("readable", move |_| async move {
                    b.readable().await?;
                    Ok(Moved::Nothing)
                })
                .reading("ready", move |_| async move {
                    b.ready(Interest::READABLE | Interest::PRIORITY).await?;
                    Ok(Moved::Nothing)
                })
                .reading("poll_read_with", move |mut rng| async move {
                    let mut buf = rng.room(MOST);
                    let mut read = |mut b: &StdStream| b.read(&mut buf);
                    let len = poll_fn(|cx| b.poll_read_with(cx, &mut read)).await?;
                    got_out(&buf[..len])
                })
                .writing("write_with", move |mut rng| async move {
                    let bytes = rng.bytes(MOST);
                    let len = a.write_with(|mut a| a.write(&bytes)).await?;
                    put_in(&bytes[..len])
                })
                .writing("writable", move |_| async move {
                    a.writable().await?;
                    Ok(Moved::Nothing)
                })
                .writing("ready, try_io", move |mut rng| async move {
                    let bytes = rng.bytes(MOST);
                    loop {
                        a.ready(Interest::WRITABLE).await?;
                        match a.try_io(Interest::WRITABLE, |mut a| a.write(&bytes)) {
                            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                            len => return put_in(&bytes[..len?]),
                        }
                    }
                })
                .writing("poll_write_with", move |mut rng| async move {
                    let bytes = rng.bytes(MOST);
                    let mut write = |mut a: &StdStream| a.write(&bytes);
                    let len = poll_fn(|cx| a.poll_write_with(cx, &mut write)).await?;
                    put_in(&bytes[..len])
                })
        }
        let left = exercise(vec![direction(&a, &b), direction(&b, &a)], rng).await;
        drop((a, b));
        left.are_gone().await;
    });
}

#[test]
fn async_fds() {
    for_seeds(60, async |rng| {
        let (a, b) = unix_pair();
        let (a, b) = (AsyncFd::new(a).unwrap(), AsyncFd::new(b).unwrap());
        fn direction<'a>(a: &'a AsyncFd<StdStream>, b: &'a AsyncFd<StdStream>) -> Direction<'a> {
            Direction::new(Model::bytes(), a, b)
                .reading("read_with", move |mut rng| async move {
                    let mut buf = rng.room(MOST);
                    let len = b.read_with(|mut b| b.read(&mut buf)).await?;
                    got_out(&buf[..len])
                })
                .reading("readable, try_io", move |mut rng| async move {
                    let mut buf = rng.room(MOST);
                    loop {
                        let mut guard = b.readable().await?;
                        if let Ok(len) = guard.try_io(|b| b.get_ref().read(&mut buf)) {
                            return got_out(&buf[..len?]);
                        }
                    }
                })
                .reading("async_io", move |mut rng| async move {
                    let mut buf = rng.room(MOST);
                    let len = b.async_io(Interest::READABLE, |mut b| b.read(&mut buf)).await?;
                    got_out(&buf[..len])
                })
                .reading("ready", move |_| async move {
                    b.ready(Interest::READABLE).await?.retain_ready();
                    Ok(Moved::Nothing)
                })
                .reading("poll_read_ready", move |mut rng| async move {
                    let mut buf = rng.room(MOST);
                    loop {
                        let mut guard = poll_fn(|cx| b.poll_read_ready(cx)).await?;
                        if let Ok(len) = guard.try_io(|b| b.get_ref().read(&mut buf)) {
                            return got_out(&buf[..len?]);
                        }
                    }
                })
                .writing("write_with", move |mut rng| async move {
                    let bytes = rng.bytes(MOST);
                    let len = a.write_with(|mut a| a.write(&bytes)).await?;
                    put_in(&bytes[..len])
                })
                .writing("writable, try_io", move |mut rng| async move {
                    let bytes = rng.bytes(MOST);
                    loop {
                        let mut guard = a.writable().await?;
                        if let Ok(len) = guard.try_io(|a| a.get_ref().write(&bytes)) {
                            return put_in(&bytes[..len?]);
                        }
                    }
                })
                .writing("async_io", move |mut rng| async move {
                    let bytes = rng.bytes(MOST);
                    let len = a.async_io(Interest::WRITABLE, |mut a| a.write(&bytes)).await?;
                    put_in(&bytes[..len])
                })
                .writing("poll_write_ready", move |_| async move {
                    poll_fn(|cx| a.poll_write_ready(cx)).await?.retain_ready();
                    Ok(Moved::Nothing)
                })
        }
        let left = exercise(vec![direction(&a, &b), direction(&b, &a)], rng).await;
        drop((a, b));
        left.are_gone().await;
    });
}
