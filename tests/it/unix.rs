//! Unix streams and their listeners: names, credentials, halves, full backlogs, and what a read may infer.
#![allow(unsafe_code)]

use std::fs;
use std::future::{Future, poll_fn};
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;

use futures::future::{join_all, try_join_all};
use futures::{StreamExt, join, poll};
use runtime::io::{Interest, ReadFd, WriteFd, copy};
use runtime::net::unix::{OwnedReadHalf, OwnedWriteHalf, ReuniteError, SocketAddr, UCred};
use runtime::net::{UnixDatagram, UnixListener, UnixSeqpacket, UnixSocket, UnixStream};
use runtime::task::yield_now;
use runtime::{Builder, spawn};

use crate::support::{fill, limited, run};

/// A number that nobody else has in this process.
fn serial() -> usize {
    static SERIAL: AtomicUsize = AtomicUsize::new(0);
    SERIAL.fetch_add(1, Ordering::Relaxed)
}

/// An abstract name that nobody else has.
pub(crate) fn name() -> SocketAddr {
    let name = format!("epoll-runtime-test-{}-{}", process::id(), serial());
    SocketAddr::from_abstract_name(name).unwrap()
}

/// A path that nobody else has; what is there goes with it.
pub(crate) struct TempPath(PathBuf);

impl TempPath {
    pub(crate) fn new() -> TempPath {
        let name = format!("epoll-runtime-test-{}-{}.socket", process::id(), serial());
        TempPath(std::env::temp_dir().join(name))
    }
}

impl AsRef<Path> for TempPath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Lets every other task run, and the loop look at the kernel, many times over.
pub(crate) async fn turns() {
    for _ in 0..5000 {
        yield_now().await;
    }
}

/// A future, and how often it was polled.
pub(crate) async fn counted<F: Future>(future: F, polls: &AtomicUsize) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls.fetch_add(1, Ordering::Relaxed);
        future.as_mut().poll(cx)
    })
    .await
}

/// A connection whose other end is a blocking socket, for what must happen at a known moment.
fn pair_with_std() -> (UnixStream, std::os::unix::net::UnixStream) {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    (UnixStream::from_std(ours).unwrap(), theirs)
}

#[test]
fn echo_by_a_path_which_stays() {
    run(async {
        let path = TempPath::new();
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(path.as_ref()));
        let server = spawn(async move {
            let (stream, peer) = listener.accept().await.unwrap();
            assert!(peer.is_unnamed());
            let mut buf = [0; 64];
            loop {
                match stream.read(&mut buf).await.unwrap() {
                    0 => return,
                    count => stream.write_all(&buf[..count]).await.unwrap(),
                }
            }
        });
        let client = UnixStream::connect(&path).await.unwrap();
        assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(path.as_ref()));
        assert!(client.local_addr().unwrap().is_unnamed());
        for message in [&b"hello"[..], b"a", &[3; 1000]] {
            client.write_all(message).await.unwrap();
            let mut answer = vec![0; message.len()];
            assert_eq!(client.read_exact(&mut answer).await.unwrap(), message.len());
            assert_eq!(answer, message);
        }
        drop(client);
        server.await.unwrap();

        // The listener is gone, and its path is not.
        let refused = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert!(refused.to_string().contains("connecting to \"/"), "{refused}");
        let taken = UnixListener::bind(&path).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        assert!(taken.to_string().contains("remove it"), "{taken}");
        fs::remove_file(&path).unwrap();
        let missing = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        UnixListener::bind(&path).unwrap();
    });
}

#[test]
fn abstract_names_wherever_a_name_goes() {
    run(async {
        let addr = name();
        let bytes = addr.as_abstract_name().unwrap().to_vec();
        let listener = UnixListener::bind_addr(&addr).unwrap();
        assert_eq!(listener.local_addr().unwrap().as_abstract_name(), Some(&bytes[..]));
        // A path that begins with a zero is the same name.
        let path = [&[0], &bytes[..]].concat();
        let path = Path::new(std::str::from_utf8(&path).unwrap());
        assert_eq!(UnixListener::bind(path).unwrap_err().kind(), ErrorKind::AddrInUse);
        UnixStream::connect(path).await.unwrap();
        UnixStream::connect_addr(&addr).await.unwrap();

        // A client with a name of its own, seen by the server.
        let socket = UnixSocket::new_stream().unwrap();
        let theirs = name();
        socket.bind_addr(&theirs).unwrap();
        let client = socket.connect(path).await.unwrap();
        for _ in 0..2 {
            assert!(listener.accept().await.unwrap().1.is_unnamed());
        }
        let (server, peer) = listener.accept().await.unwrap();
        assert_eq!(peer.as_abstract_name(), theirs.as_abstract_name());
        assert_eq!(server.peer_addr().unwrap().as_abstract_name(), theirs.as_abstract_name());
        assert_eq!(client.local_addr().unwrap().as_abstract_name(), theirs.as_abstract_name());

        // There and back through the standard library's type.
        let std = std::os::unix::net::SocketAddr::from(addr);
        assert_eq!(SocketAddr::from(std).as_abstract_name(), Some(&bytes[..]));
        assert_eq!(format!("{:?}", SocketAddr::from_pathname("/x").unwrap()), "\"/x\" (pathname)");

        // With no name asked for, the kernel picks one.
        let nameless = SocketAddr::from_pathname("").unwrap();
        assert!(nameless.is_unnamed());
        let picked = UnixListener::bind_addr(&nameless).unwrap().local_addr().unwrap();
        assert!(picked.as_abstract_name().is_some_and(|name| !name.is_empty()), "{picked:?}");
    });
}

#[test]
fn names_of_every_length() {
    run(async {
        // 107 bytes are the most; a name may have zeros in it, a path may not.
        let mut long = name().as_abstract_name().unwrap().to_vec();
        long.resize(107, 0);
        let addr = SocketAddr::from_abstract_name(&long).unwrap();
        let listener = UnixListener::bind_addr(&addr).unwrap();
        assert_eq!(listener.local_addr().unwrap().as_abstract_name(), Some(&long[..]));
        let (client, server) = join!(UnixStream::connect_addr(&addr), listener.accept());
        assert_eq!(client.unwrap().peer_addr().unwrap().as_abstract_name(), Some(&long[..]));
        server.unwrap();
        long.push(0);
        assert_eq!(
            SocketAddr::from_abstract_name(&long).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        for wrong in [&"x".repeat(108)[..], "a\0b"] {
            let error = UnixStream::connect(wrong).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{wrong:?}");
        }
        let path = TempPath::new();
        let mut longest = path.as_ref().to_str().unwrap().to_string();
        longest.extend(std::iter::repeat_n('x', 107 - longest.len()));
        let listener = UnixListener::bind(&longest).unwrap();
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(Path::new(&longest)));
        UnixStream::connect(&longest).await.unwrap();
        fs::remove_file(&longest).unwrap();
    });
}

#[test]
fn the_peer_is_known() {
    run(async {
        let addr = name();
        let listener = UnixListener::bind_addr(&addr).unwrap();
        let client = UnixStream::connect_addr(&addr).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        // SAFETY: these calls have no conditions.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        let is_us = |cred: UCred| {
            assert_eq!((cred.uid(), cred.gid()), (uid, gid));
            assert_eq!(cred.pid(), Some(process::id() as i32));
        };
        is_us(client.peer_cred().unwrap());
        is_us(server.peer_cred().unwrap());
        is_us(UnixStream::pair().unwrap().0.peer_cred().unwrap());
        is_us(UnixSeqpacket::pair().unwrap().1.peer_cred().unwrap());
    });
}

#[test]
fn halves() {
    run(async {
        let (mut one, other) = UnixStream::pair().unwrap();
        let (read, write) = one.split();
        let (theirs, ours) = other.into_split();
        let mut buf = [0; 4];
        let (sent, got) = join!(write.write(b"ping"), theirs.read_exact(&mut buf));
        assert_eq!((sent.unwrap(), got.unwrap()), (4, 4));
        assert!(read.peer_addr().unwrap().is_unnamed());
        let stranger = UnixStream::pair().unwrap().0.into_split().0;
        let ReuniteError(_, ours): ReuniteError = ours.reunite(stranger).unwrap_err();
        // Dropping the owned write half ends the direction, and the other goes on.
        drop(ours);
        assert_eq!(read.read(&mut [0; 8]).await.unwrap(), 0);
        write.write_all(b"pong").await.unwrap();
        assert_eq!(theirs.read(&mut [0; 8]).await.unwrap(), 4);

        let (read, write) = UnixStream::pair().unwrap().0.into_split();
        read.reunite(write).unwrap();
    });
}

#[test]
fn half_close_both_ways() {
    run(async {
        let (client, server) = UnixStream::pair().unwrap();
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut question = String::new();
        assert_eq!(server.read_to_string(&mut question).await.unwrap(), 8);
        assert_eq!(question, "question");
        server.write_all(b"answer").await.unwrap();
        server.shutdown().await.unwrap();
        let mut answer = b"the ".to_vec();
        assert_eq!(client.read_to_end(&mut answer).await.unwrap(), 6);
        assert_eq!(answer, b"the answer");
        assert_eq!(client.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        drop(server);
        client.shutdown().await.unwrap();
    });
}

#[test]
fn data_and_the_end_in_one_edge() {
    run(async {
        let (ours, mut theirs) = pair_with_std();
        let mut buf = [0; 64];
        {
            let mut read = pin!(ours.read(&mut buf));
            assert!(poll!(read.as_mut()).is_pending());
            // Nothing is polled between the two: one event reports both.
            theirs.write_all(b"abc").unwrap();
            drop(theirs);
            assert_eq!(read.await.unwrap(), 3);
        }
        for _ in 0..3 {
            assert_eq!(ours.read(&mut buf).await.unwrap(), 0);
        }
    });
}

#[test]
fn the_end_after_the_event_and_before_the_read() {
    run(async {
        let (ours, mut theirs) = pair_with_std();
        assert!(poll!(pin!(ours.read(&mut [0; 8]))).is_pending());
        theirs.write_all(b"abc").unwrap();
        ours.readable().await.unwrap();
        drop(theirs);
        let mut all = Vec::new();
        ours.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"abc");
    });
}

#[test]
fn a_peer_that_leaves_data_unread_resets_a_reader() {
    run(async {
        let (ours, theirs) = pair_with_std();
        ours.write_all(b"nobody reads this").await.unwrap();
        let mut buf = [0; 8];
        {
            let mut read = pin!(ours.read(&mut buf));
            assert!(poll!(read.as_mut()).is_pending());
            drop(theirs);
            assert_eq!(read.await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        }
        assert_eq!(ours.read(&mut buf).await.unwrap(), 0);
        assert_eq!(ours.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_peer_that_goes_away_wakes_a_writer() {
    run(async {
        let (ours, theirs) = pair_with_std();
        fill(|bytes| ours.try_write(bytes));
        let mut write = pin!(ours.write(b"x"));
        assert!(poll!(write.as_mut()).is_pending());
        drop(theirs);
        // The reset is told first, as the peer left data unread; then the pipe is broken.
        let kind = write.await.unwrap_err().kind();
        assert!(matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{kind}");
        assert_eq!(ours.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

/// Whether SIGPIPE is pending for this thread. It is blocked here, so that it stays so if it is raised,
/// although the harness ignores it.
fn sigpipe_is_raised_by(body: impl FnOnce()) -> bool {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    let mut old = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` and `sigpending` initialise what they are given, and the masks of a thread
    // are its own.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), old.as_mut_ptr());
        body();
        let mut pending = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigpending(pending.as_mut_ptr());
        let raised = libc::sigismember(pending.as_ptr(), libc::SIGPIPE) == 1;
        if raised {
            let mut number = 0;
            libc::sigwait(set.as_ptr(), &raw mut number);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, old.as_ptr(), std::ptr::null_mut());
        raised
    }
}

#[test]
fn no_write_raises_sigpipe() {
    let writes: [fn(&UnixStream) -> std::io::Result<usize>; 4] = [
        |stream| stream.try_write(b"x"),
        |stream| stream.try_write_vectored(&[IoSlice::new(b"x")]),
        |stream| stream.try_send_with_fds(b"x", &[]),
        |stream| stream.try_send_with_fds(b"x", &[stream.as_fd()]),
    ];
    for write in writes {
        let (ours, _) = UnixStream::pair().unwrap();
        let raised = sigpipe_is_raised_by(|| {
            assert_eq!(write(&ours).unwrap_err().kind(), ErrorKind::BrokenPipe);
        });
        assert!(!raised);
    }
    let (ours, _) = UnixSeqpacket::pair().unwrap();
    let raised = sigpipe_is_raised_by(|| {
        assert_eq!(ours.try_send(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
    assert!(!raised);
    // The check itself is good for something.
    let (ours, _) = UnixStream::pair().unwrap();
    assert!(sigpipe_is_raised_by(|| {
        // SAFETY: the byte is there.
        assert_eq!(unsafe { libc::write(ours.as_raw_fd(), b"x".as_ptr().cast(), 1) }, -1);
    }));
}

#[test]
fn a_short_read_at_passed_descriptors_proves_nothing() {
    run(async {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut buf = [0; 64];
        let mut read = Box::pin(ours.read(&mut buf));
        assert!(poll!(read.as_mut()).is_pending());
        // One event reports both, and a read stops between them.
        theirs.try_send_with_fds(b"before", &[theirs.as_fd()]).unwrap();
        theirs.try_write(b"after").unwrap();
        assert_eq!(read.await.unwrap(), 6);
        assert_eq!(&buf[..6], b"before");
        assert_eq!(ours.read(&mut buf).await.unwrap(), 5);
        assert_eq!(&buf[..5], b"after");
    });
}

#[test]
fn two_readers_and_two_writers() {
    run(async {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut one, mut other) = ([0; 1], [0; 1]);
        let (first, second, written) = join!(ours.read(&mut one), ours.read(&mut other), async {
            yield_now().await;
            theirs.write_all(b"a").await?;
            turns().await;
            theirs.write_all(b"b").await
        });
        assert_eq!((first.unwrap(), second.unwrap()), (1, 1));
        written.unwrap();
        let mut got = [one[0], other[0]];
        got.sort();
        assert_eq!(&got, b"ab");

        let filled = fill(|bytes| ours.try_write(bytes));
        let both = try_join_all([ours.write_all(&[1; 300_000]), ours.write_all(&[2; 300_000])]);
        let all = async {
            let mut all = vec![0; filled + 600_000];
            theirs.read_exact(&mut all).await.map(|_| all)
        };
        let (both, all) = join!(both, all);
        both.unwrap();
        let all = all.unwrap();
        for byte in [1, 2] {
            assert_eq!(all.iter().filter(|found| **found == byte).count(), 300_000);
        }
    });
}

#[test]
fn a_clone_outlives_its_original() {
    run(async {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let clone = ours.try_clone().unwrap();
        assert!(poll!(pin!(ours.read(&mut [0; 8]))).is_pending());
        assert!(poll!(pin!(clone.read(&mut [0; 8]))).is_pending());
        drop(ours);
        theirs.write_all(b"abc").await.unwrap();
        assert_eq!(clone.read(&mut [0; 8]).await.unwrap(), 3);
        drop(clone);
        assert_eq!(theirs.read(&mut [0; 8]).await.unwrap(), 0);
    });
}

#[test]
fn reader_here_and_writer_on_another_runtime() {
    const LEN: usize = 4 << 20;
    limited(|| {
        let (one, other) = UnixStream::pair().unwrap();
        let (one_read, one_write) = one.into_split();
        let (other_read, other_write) = other.into_split();
        // Each socket has its reader on one runtime and its writer on the other.
        let there = thread::spawn(move || {
            runtime::block_on(transfer(one_write, 5, other_read, 5));
        });
        runtime::block_on(transfer(other_write, 6, one_read, 6));
        there.join().unwrap();
    });

    /// Writes `LEN` bytes and ends; meanwhile reads as many.
    async fn transfer(to: OwnedWriteHalf, sent: u8, from: OwnedReadHalf, expected: u8) {
        let write = async {
            to.write_all(&vec![sent; LEN]).await?;
            to.shutdown().await
        };
        let mut got = Vec::new();
        let (written, read) = join!(write, from.read_to_end(&mut got));
        written.unwrap();
        assert_eq!(read.unwrap(), LEN);
        assert!(got.iter().all(|byte| *byte == expected));
    }
}

#[test]
fn a_slow_reader_stops_its_writer() {
    const LEN: usize = 8 << 20;
    run(async {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let written = AtomicUsize::new(0);
        let write = async {
            let chunk = [9; 10_000];
            while written.load(Ordering::Relaxed) < LEN {
                let room = LEN - written.load(Ordering::Relaxed);
                let count = ours.write(&chunk[..room.min(chunk.len())]).await.unwrap();
                written.fetch_add(count, Ordering::Relaxed);
            }
            ours.shutdown().await.unwrap();
        };
        let read = async {
            turns().await;
            // What the kernel's buffer holds, and no more.
            let stopped = written.load(Ordering::Relaxed);
            assert!(stopped < LEN / 2, "{stopped} bytes were written and none was read");
            turns().await;
            assert_eq!(written.load(Ordering::Relaxed), stopped);
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, vec![9; LEN]);
        };
        join!(write, read);
    });
}

#[test]
fn a_dropped_operation_loses_and_doubles_nothing() {
    run(async {
        let (ours, theirs) = UnixStream::pair().unwrap();
        for round in 0..100_u8 {
            let mut buf = [0; 4];
            assert!(poll!(pin!(ours.read(&mut buf))).is_pending());
            assert!(poll!(pin!(ours.read_vectored(&mut [IoSliceMut::new(&mut buf)]))).is_pending());
            assert!(poll!(pin!(ours.recv_with_fds(&mut buf, 1))).is_pending());
            theirs.write_all(&[round, 1, 2]).await.unwrap();
            assert_eq!(ours.read(&mut buf).await.unwrap(), 3);
            assert_eq!(buf, [round, 1, 2, 0]);
        }
        let filled = fill(|bytes| ours.try_write(bytes));
        assert!(poll!(pin!(ours.write(b"lost"))).is_pending());
        assert!(poll!(pin!(ours.write_vectored(&[IoSlice::new(b"lost")]))).is_pending());
        assert!(poll!(pin!(ours.send_with_fds(b"lost", &[ours.as_fd()]))).is_pending());
        drop(ours);
        let mut all = Vec::new();
        theirs.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, vec![7; filled]);
    });
}

#[test]
fn several_buffers_at_once() {
    run(async {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let bufs = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde")];
        assert_eq!(ours.write_vectored(&bufs).await.unwrap(), 5);
        let (mut one, mut other) = ([0; 3], [0; 3]);
        let mut bufs = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut other)];
        assert_eq!(theirs.read_vectored(&mut bufs).await.unwrap(), 5);
        assert_eq!((&one, &other), (b"abc", b"de\0"));
    });
}

#[test]
fn an_operation_of_the_callers_own() {
    run(async {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let read = ours.async_io(Interest::READABLE, || ours.try_read(&mut [0; 8]));
        let (read, written) = join!(read, theirs.write(b"abc"));
        assert_eq!((read.unwrap(), written.unwrap()), (3, 3));
        assert!(ours.ready(Interest::WRITABLE).await.unwrap().is_writable());
        let mut buf = [0; 8];
        assert!(poll_fn(|cx| Poll::Ready(ours.poll_read(cx, &mut buf))).await.is_pending());
        assert_eq!(poll_fn(|cx| theirs.poll_write(cx, b"ab")).await.unwrap(), 2);
        assert_eq!(poll_fn(|cx| ours.poll_read(cx, &mut buf)).await.unwrap(), 2);
    });
}

#[test]
fn to_the_standard_library_and_back() {
    run(async {
        let addr = name();
        let std = std::os::unix::net::UnixListener::bind_addr(&addr.clone().into()).unwrap();
        let listener = UnixListener::try_from(std).unwrap();
        let client = std::os::unix::net::UnixStream::connect_addr(&addr.into()).unwrap();
        let client = UnixStream::try_from(client).unwrap();
        let (server, _) = listener.accept().await.unwrap();
        assert!(poll!(pin!(client.read(&mut [0; 8]))).is_pending());
        let mut server = server.into_std().unwrap();
        server.write_all(b"abc").unwrap();
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 3);
        let mut client = client.into_std().unwrap();
        assert_eq!(client.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        let listener = listener.into_std().unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(format!("{server:?} {listener:?}").contains("abstract"));
    });
}

#[test]
fn a_listener_is_a_stream_of_its_connections() {
    run(async {
        let addr = name();
        let listener = UnixListener::bind_addr(&addr).unwrap();
        let clients = spawn(async move {
            for i in 0..3 {
                let client = UnixStream::connect_addr(&addr).await.unwrap();
                client.write_all(&[i]).await.unwrap();
            }
        });
        let mut incoming = listener.incoming();
        for i in 0..3 {
            let stream = incoming.next().await.expect("it never ends").unwrap();
            let mut byte = [0];
            stream.read_exact(&mut byte).await.unwrap();
            assert_eq!(byte, [i]);
        }
        assert!(poll!(incoming.next()).is_pending());
        clients.await.unwrap();
    });
}

#[test]
fn exclusive_listeners_of_one_socket() {
    run(async {
        let addr = name();
        let mut listener = UnixListener::bind_addr(&addr).unwrap();
        listener.set_exclusive(true);
        let clone = listener.try_clone().unwrap();
        let (one, other) = (listener.accept(), clone.accept());
        let clients = async {
            turns().await;
            (UnixStream::connect_addr(&addr).await, UnixStream::connect_addr(&addr).await)
        };
        let (one, other, clients) = join!(one, other, clients);
        one.unwrap();
        other.unwrap();
        clients.0.unwrap();
        clients.1.unwrap();
        drop((listener, clone));
        let gone = UnixStream::connect_addr(&addr).await.unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::ConnectionRefused);
    });
}

/// A listener whose backlog is full, and the clients that fill it.
async fn full_listener(addr: &SocketAddr) -> (UnixListener, Vec<UnixStream>) {
    let socket = UnixSocket::new_stream().unwrap();
    socket.bind_addr(addr).unwrap();
    let listener = socket.listen(1).unwrap();
    // One more than the backlog, as the kernel counts.
    let clients = join_all((0..2).map(|_| UnixStream::connect_addr(addr))).await;
    (listener, clients.into_iter().map(Result::unwrap).collect())
}

#[test]
fn connect_waits_for_a_full_backlog_without_spinning() {
    run(async {
        let addr = name();
        let (listener, clients) = full_listener(&addr).await;
        // The clock stands: a wait that is a timer's is over when the clock moves, and no sooner.
        runtime::time::pause();
        let polls = Rc::new(AtomicUsize::new(0));
        let waiting = spawn({
            let (addr, polls) = (addr.clone(), polls.clone());
            async move { counted(UnixStream::connect_addr(&addr), &polls).await }
        });
        turns().await;
        assert!(!waiting.is_finished());
        let polled = polls.load(Ordering::Relaxed);
        assert!(polled <= 2, "{polled} polls while nothing happened");
        drop(listener.accept().await.unwrap());
        let client = waiting.await.unwrap().unwrap();
        client.write_all(b"here").await.unwrap();
        drop(clients);
        drop(listener.accept().await.unwrap());
        let (last, _) = listener.accept().await.unwrap();
        assert_eq!(last.read(&mut [0; 8]).await.unwrap(), 4);
    });
}

#[test]
fn a_connect_that_waits_is_told_that_the_listener_is_gone() {
    run(async {
        let addr = name();
        let (listener, _clients) = full_listener(&addr).await;
        let mut connect = pin!(UnixStream::connect_addr(&addr));
        assert!(poll!(connect.as_mut()).is_pending());
        drop(listener);
        assert_eq!(connect.await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn without_a_runtime_a_full_backlog_is_an_error() {
    let addr = name();
    let (_listener, _clients) = futures::executor::block_on(full_listener(&addr));
    let error = futures::executor::block_on(UnixStream::connect_addr(&addr)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_socket_is_of_one_kind() {
    run(async {
        let addr = name();
        let wrong = [
            UnixSocket::new_datagram().unwrap().listen(1).unwrap_err(),
            UnixSocket::new_datagram().unwrap().connect_addr(&addr).await.unwrap_err(),
            UnixSocket::new_stream().unwrap().datagram().unwrap_err(),
        ];
        assert!(wrong[0].to_string().contains("new_stream"));
        assert!(wrong[1].to_string().contains("datagram"));
        assert!(wrong[2].to_string().contains("new_datagram"));

        let path = TempPath::new();
        let socket = UnixSocket::new_datagram().unwrap();
        socket.set_send_buffer_size(10_000).unwrap();
        assert_eq!(socket.send_buffer_size().unwrap(), 20_000);
        socket.bind(&path).unwrap();
        assert_eq!(socket.local_addr().unwrap().as_pathname(), Some(path.as_ref()));
        let error = UnixSocket::new_stream().unwrap().bind(&path).unwrap_err();
        assert!(error.to_string().contains("binding to"), "{error}");
        let receiver = socket.datagram().unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        sender.send_to(b"abc", &path).await.unwrap();
        assert_eq!(receiver.recv(&mut [0; 8]).await.unwrap(), 3);
    });
}

#[test]
fn accept_from_another_thread_wakes_this_one() {
    limited(|| {
        let addr = name();
        let listener = UnixListener::bind_addr(&addr).unwrap();
        let (ready, is_ready) = mpsc::channel();
        let client = thread::spawn(move || {
            is_ready.recv().unwrap();
            std::os::unix::net::UnixStream::connect_addr(&addr.into()).unwrap()
        });
        let runtime = Builder::new().build().unwrap();
        runtime.block_on(async {
            let mut accept = pin!(listener.accept());
            assert!(poll!(accept.as_mut()).is_pending());
            ready.send(()).unwrap();
            accept.await.unwrap();
        });
        client.join().unwrap();
    });
}

#[test]
fn sockets_and_their_futures_are_send() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<UnixListener>();
    is_send_and_sync::<UnixStream>();
    is_send_and_sync::<UnixSocket>();
    is_send_and_sync::<UnixDatagram>();
    is_send_and_sync::<UnixSeqpacket>();
    is_send_and_sync::<runtime::net::UnixSeqpacketListener>();
    is_send_and_sync::<OwnedReadHalf>();
    is_send_and_sync::<OwnedWriteHalf>();
    run(is_send(async {
        let addr = name();
        let listener = UnixListener::bind_addr(&addr).unwrap();
        let client = is_send(UnixStream::connect_addr(&addr)).await.unwrap();
        let (server, _) = is_send(listener.accept()).await.unwrap();
        is_send(client.send_with_fds(b"x", &[client.as_fd()])).await.unwrap();
        is_send(server.recv_with_fds(&mut [0], 1)).await.unwrap();
        let receiver = UnixDatagram::bind_addr(&name()).unwrap();
        let target = receiver.local_addr().unwrap();
        is_send(receiver.send_to_addr(b"x", &target)).await.unwrap();
    }));
}

#[test]
fn a_unix_socket_from_elsewhere_keeps_its_kind() {
    fn from_elsewhere(socket: UnixSocket) -> UnixSocket {
        // SAFETY: the descriptor has just been given away, to nobody else.
        unsafe { UnixSocket::from_raw_fd(socket.into_raw_fd()) }
    }
    run(async {
        let stream = from_elsewhere(UnixSocket::new_stream().unwrap());
        stream.listen(1).unwrap_err(); // It has no name yet.
        from_elsewhere(UnixSocket::new_datagram().unwrap()).datagram().unwrap();
        let (blocking, other) = std::os::unix::net::UnixDatagram::pair().unwrap();
        let datagram = UnixSocket::from(OwnedFd::from(blocking)).datagram().unwrap();
        assert!(poll!(pin!(datagram.recv(&mut [0]))).is_pending(), "it does not block the thread");
        other.send(b"x").unwrap();
        assert_eq!(datagram.recv(&mut [0]).await.unwrap(), 1);
    });
}

#[test]
fn what_points_to_a_stream_is_one() {
    async fn drained(reader: impl ReadFd, writer: impl WriteFd) -> u64 {
        copy(&reader, &writer).await.unwrap()
    }
    run(async {
        let (a, b) = UnixStream::pair().unwrap();
        let (mut c, d) = UnixStream::pair().unwrap();
        a.write_all(b"abc").await.unwrap();
        a.shutdown().await.unwrap();
        assert_eq!(drained(Box::new(b), &mut c).await, 3);
        let (_read, write) = c.into_split();
        assert_eq!(write.as_raw_fd(), write.as_ref().as_raw_fd());
        drop(write);
        assert_eq!(d.read(&mut [0; 8]).await.unwrap(), 3);
    });
}
