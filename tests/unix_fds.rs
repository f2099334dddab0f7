//! Descriptors that are passed over Unix sockets: in a process of their own, where they can be counted.
#![allow(unsafe_code)]

mod support;

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::poll;
use runtime::net::unix::SocketAddr;
use runtime::net::unix::WithFds;
use runtime::net::{UnixDatagram, UnixListener, UnixSeqpacket, UnixSocket, UnixStream};
use runtime::spawn;
use runtime::task::yield_now;
use support::resources::open_descriptors;
use support::run;

/// The tests count the descriptors of the process, so they take turns.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a test that must leave as many descriptors as there were. The eventfd of a runtime stays for the
/// next one: a first runtime makes it before the count.
fn run_and_count<F: Future>(test: F) -> F::Output {
    let _alone = alone();
    run(async { runtime::time::sleep(std::time::Duration::from_nanos(1)).await });
    let before = open_descriptors();
    let output = run(test);
    assert_eq!(open_descriptors(), before, "descriptors are left, or gone");
    output
}

/// Both ends of a pipe.
fn pipe() -> (File, OwnedFd) {
    let mut fds = [-1; 2];
    // SAFETY: there is room for two descriptors, which are then nobody else's.
    let (read, write) = unsafe {
        assert_eq!(libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC), 0);
        (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1]))
    };
    (File::from(read), write)
}

fn is_closed_on_exec(fd: impl AsFd) -> bool {
    // SAFETY: no pointers are passed.
    let flags = unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_GETFD) };
    flags & libc::FD_CLOEXEC != 0
}

/// Whether all write ends of a pipe are closed; true, or it waits for a byte.
fn has_ended(pipe: &mut File) -> bool {
    pipe.read(&mut [0]).unwrap() == 0
}

/// Two connected sockets of a kind, and what the tests do with them.
macro_rules! on_every_kind {
    (|$ours:ident, $theirs:ident| $body:block) => {{
        {
            let ($ours, $theirs) = UnixStream::pair().unwrap();
            $body
        }
        {
            let ($ours, $theirs) = UnixDatagram::pair().unwrap();
            $body
        }
        {
            let ($ours, $theirs) = UnixSeqpacket::pair().unwrap();
            $body
        }
    }};
}

fn untruncated(received: WithFds) -> (usize, Vec<OwnedFd>) {
    assert!(!received.truncated && !received.fds_truncated, "{received:?}");
    (received.len, received.fds)
}

#[test]
fn descriptors_arrive_in_order_and_closed_on_exec() {
    run_and_count(async {
        on_every_kind!(|ours, theirs| {
            let pipes = [pipe(), pipe(), pipe()];
            let fds: Vec<_> = pipes.iter().map(|(_, write)| write.as_fd()).collect();
            let mut buf = [0; 8];
            let mut recv = Box::pin(theirs.recv_with_fds(&mut buf, 3));
            assert!(poll!(recv.as_mut()).is_pending());
            assert_eq!(ours.send_with_fds(b"three", &fds).await.unwrap(), 5);
            let (len, fds) = untruncated(recv.await.unwrap());
            assert_eq!(&buf[..len], b"three");
            assert_eq!(fds.len(), 3);
            for (number, (mut read, write)) in pipes.into_iter().enumerate() {
                drop(write);
                let fd = &fds[number];
                assert!(is_closed_on_exec(fd));
                File::from(fd.try_clone().unwrap()).write_all(&[number as u8]).unwrap();
                let mut byte = [9];
                read.read_exact(&mut byte).unwrap();
                assert_eq!(byte, [number as u8]);
            }
            // Without descriptors it is a plain message.
            assert_eq!(ours.try_send_with_fds(b"plain", &[]).unwrap(), 5);
            let (len, fds) = untruncated(theirs.try_recv_with_fds(&mut buf, 3).unwrap());
            assert_eq!((&buf[..len], fds.len()), (&b"plain"[..], 0));
            let error = theirs.try_recv_with_fds(&mut buf, 3).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        });
    });
}

#[test]
fn those_that_were_not_asked_for_are_closed_and_told_of() {
    run_and_count(async {
        on_every_kind!(|ours, theirs| {
            // As many as asked for, odd and even, as padding has room for one more; and none at all.
            for (sent, asked) in [(5, 2), (5, 3), (4, 1), (2, 0), (253, 252)] {
                let (mut read, write) = pipe();
                ours.send_with_fds(b"x", &vec![write.as_fd(); sent]).await.unwrap();
                drop(write);
                let received = theirs.recv_with_fds(&mut [0; 8], asked).await.unwrap();
                assert_eq!((received.len, received.fds.len()), (1, asked));
                assert!(received.fds_truncated, "{sent} sent, {asked} asked for");
                drop(received);
                assert!(has_ended(&mut read));
            }
            let (mut read, write) = pipe();
            ours.send_with_fds(b"x", &vec![write.as_fd(); 253]).await.unwrap();
            drop(write);
            let (_, fds) =
                untruncated(theirs.recv_with_fds(&mut [0; 8], usize::MAX).await.unwrap());
            assert_eq!(fds.len(), 253);
            drop(fds);
            assert!(has_ended(&mut read));
        });
    });
}

#[test]
fn a_plain_read_closes_what_comes_along() {
    run_and_count(async {
        let (mut read, write) = pipe();
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.send_with_fds(b"x", &[write.as_fd()]).await.unwrap();
        assert_eq!(theirs.read(&mut [0; 8]).await.unwrap(), 1);
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        ours.send_with_fds(b"x", &[write.as_fd()]).await.unwrap();
        assert_eq!(theirs.recv(&mut [0; 8]).await.unwrap(), 1);
        ours.send_with_fds(b"x", &[write.as_fd()]).await.unwrap();
        assert_eq!(theirs.recv_from(&mut [0; 8]).await.unwrap().0, 1);
        let (ours, theirs) = UnixSeqpacket::pair().unwrap();
        ours.send_with_fds(b"x", &[write.as_fd()]).await.unwrap();
        assert_eq!(theirs.recv(&mut [0; 8]).await.unwrap().len, 1);
        // Nobody receives these.
        ours.send_with_fds(b"x", &[write.as_fd()]).await.unwrap();
        drop((ours, theirs, write));
        assert!(has_ended(&mut read));
    });
}

#[test]
fn what_cannot_be_sent_is_said() {
    run_and_count(async {
        let (_read, write) = pipe();
        on_every_kind!(|ours, theirs| {
            let error = ours.send_with_fds(b"x", &vec![write.as_fd(); 254]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("at most 253"), "{error}");
            drop(theirs);
        });
        let (ours, theirs) = UnixStream::pair().unwrap();
        let error = ours.send_with_fds(b"", &[write.as_fd()]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("at least one"), "{error}");
        assert_eq!(ours.send_with_fds(b"", &[]).await.unwrap(), 0);
        assert_eq!(theirs.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        // A message may be empty.
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        ours.send_with_fds(b"", &[write.as_fd()]).await.unwrap();
        let (len, fds) = untruncated(theirs.recv_with_fds(&mut [], 1).await.unwrap());
        assert_eq!((len, fds.len()), (0, 1));
    });
}

#[test]
fn a_read_of_a_stream_stops_where_descriptors_came_along() {
    run_and_count(async {
        let (_read, write) = pipe();
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(b"before ").await.unwrap();
        ours.send_with_fds(b"one", &[write.as_fd()]).await.unwrap();
        ours.send_with_fds(b"two", &[write.as_fd(); 2]).await.unwrap();
        ours.write_all(b"after").await.unwrap();
        let mut buf = [0; 64];
        let (len, fds) = untruncated(theirs.recv_with_fds(&mut buf, 8).await.unwrap());
        assert_eq!((&buf[..len], fds.len()), (&b"before one"[..], 1));
        let (len, fds) = untruncated(theirs.recv_with_fds(&mut buf, 8).await.unwrap());
        assert_eq!((&buf[..len], fds.len()), (&b"two"[..], 2));
        let (len, fds) = untruncated(theirs.recv_with_fds(&mut buf, 8).await.unwrap());
        assert_eq!((&buf[..len], fds.len()), (&b"after"[..], 0));
        drop(ours);
        let (len, fds) = untruncated(theirs.recv_with_fds(&mut buf, 8).await.unwrap());
        assert_eq!((len, fds.len()), (0, 0));
    });
}

#[test]
fn descriptors_go_once_with_a_message_that_is_sent_in_part() {
    run_and_count(async {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut read, write) = pipe();
        let message = vec![3; 1 << 20];
        let sent = ours.send_with_fds(&message, &[write.as_fd()]).await.unwrap();
        assert!(0 < sent && sent < message.len());
        drop(write);
        let rest = async {
            ours.write_all(&message[sent..]).await?;
            ours.shutdown().await
        };
        let receive = async {
            let mut buf = vec![0; 10_000];
            let (mut len, mut fds) = (0, Vec::new());
            loop {
                let received = theirs.recv_with_fds(&mut buf, 8).await?;
                match untruncated(received) {
                    (0, _) => return io::Result::Ok((len, fds)),
                    (count, more) => {
                        len += count;
                        fds.extend(more);
                    }
                }
            }
        };
        let (rest, received) = futures::join!(rest, receive);
        rest.unwrap();
        let (len, fds) = received.unwrap();
        assert_eq!((len, fds.len()), (message.len(), 1));
        drop(fds);
        assert!(has_ended(&mut read));
    });
}

/// Lets the process have `more` descriptors than it has, until dropped.
struct Limit {
    old: libc::rlimit,
    /// What is in the holes between the others.
    _fillers: Vec<File>,
}

impl Limit {
    fn to(more: usize) -> Limit {
        let numbers = fs::read_dir("/proc/self/fd")
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse::<i32>().unwrap());
        let highest = numbers.max().unwrap();
        let mut fillers = Vec::new();
        while fillers.len() < more
            || fillers.last().is_none_or(|file: &File| file.as_raw_fd() < highest)
        {
            fillers.push(File::open("/dev/null").unwrap());
        }
        let limit = fillers.last().unwrap().as_raw_fd() as u64 + 1;
        fillers.truncate(fillers.len() - more);
        let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the kernel reads and writes the structures, which outlive the calls.
        unsafe {
            assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut old), 0);
            let new = libc::rlimit { rlim_cur: limit, ..old };
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const new), 0);
        }
        Limit { old, _fillers: fillers }
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const self.old) };
    }
}

#[test]
fn those_that_the_process_cannot_have_are_closed_and_told_of() {
    run_and_count(async {
        let (mut read, write) = pipe();
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.send_with_fds(b"x", &[write.as_fd(); 5]).await.unwrap();
        drop(write);
        theirs.readable().await.unwrap();
        let limit = Limit::to(2);
        let received = theirs.recv_with_fds(&mut [0; 8], 5).await.unwrap();
        drop(limit);
        assert_eq!((received.len, received.fds.len()), (1, 2));
        assert!(received.fds_truncated);
        drop(received);
        assert!(has_ended(&mut read));
    });
}

fn name() -> SocketAddr {
    SocketAddr::from_abstract_name(format!("epoll-runtime-fds-{}", std::process::id())).unwrap()
}

#[test]
fn what_waits_for_room_by_name_leaves_no_descriptor() {
    run_and_count(async {
        let addr = name();
        let receiver = UnixDatagram::bind_addr(&addr).unwrap();
        let ours = UnixDatagram::unbound().unwrap();
        while ours.try_send_to_addr(b"other", &addr).is_ok() {}
        let before = open_descriptors();
        assert!(poll!(pin!(ours.send_to_addr(b"lost", &addr))).is_pending());
        let with_epoll = open_descriptors();
        for _ in 0..10 {
            assert!(poll!(pin!(ours.send_to_addr(b"lost", &addr))).is_pending());
            assert_eq!(open_descriptors(), with_epoll);
        }
        // Of futures by hand the last of each task may be left.
        let path = [b"\0", addr.as_abstract_name().unwrap()].concat();
        let path = String::from_utf8(path).unwrap();
        for _ in 0..10 {
            std::future::poll_fn(|cx| {
                assert!(ours.poll_send_to(cx, b"lost", &path).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            assert_eq!(open_descriptors(), with_epoll + 1);
        }
        assert!(before < with_epoll);
        drop((ours, receiver));
    });
}

#[test]
fn a_sender_that_cannot_have_a_second_socket_says_so() {
    run_and_count(async {
        let addr = name();
        let _receiver = UnixDatagram::bind_addr(&addr).unwrap();
        let ours = UnixDatagram::unbound().unwrap();
        while ours.try_send_to_addr(b"other", &addr).is_ok() {}
        let limit = Limit::to(0);
        let error = ours.send_to_addr(b"ours", &addr).await.unwrap_err();
        drop(limit);
        assert!(error.to_string().contains("waiting for room at"), "{error}");
    });
}

#[test]
fn accept_goes_on_when_descriptors_return() {
    run_and_count(async {
        let addr = name();
        let listener = UnixListener::bind_addr(&addr).unwrap();
        let client = UnixStream::connect_addr(&addr).await.unwrap();
        runtime::time::sleep(std::time::Duration::from_nanos(1)).await;
        let limit = Limit::to(0);
        let error = listener.accept().await.unwrap_err();
        assert!(error.to_string().contains("ulimit -n"), "{error}");
        let accepting = spawn(async move { listener.accept().await });
        yield_now().await;
        drop(limit);
        let (server, _) = accepting.await.unwrap().unwrap();
        client.write_all(b"served").await.unwrap();
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 6);
    });
}

#[test]
fn dropped_connects_leave_no_descriptor() {
    run_and_count(async {
        let addr = name();
        let socket = UnixSocket::new_stream().unwrap();
        socket.bind_addr(&addr).unwrap();
        let _listener = socket.listen(1).unwrap();
        let mut clients = Vec::new();
        for _ in 0..2 {
            clients.push(UnixStream::connect_addr(&addr).await.unwrap());
        }
        let before = open_descriptors();
        for _ in 0..10 {
            let mut connect = Box::pin(UnixStream::connect_addr(&addr));
            assert!(poll!(connect.as_mut()).is_pending());
            assert!(open_descriptors() > before);
            drop(connect);
        }
        // The first wait has made the runtime's own: epoll, and what its timer needs.
        assert!(open_descriptors() <= before + 3);
    });
}

#[test]
fn a_socket_passes_itself() {
    run_and_count(async {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let itself: BorrowedFd<'_> = ours.as_fd();
        ours.send_with_fds(b"me", &[itself]).await.unwrap();
        drop(ours);
        let (_, mut fds) = untruncated(theirs.recv_with_fds(&mut [0; 8], 1).await.unwrap());
        let again = std::os::unix::net::UnixStream::from(fds.pop().unwrap());
        let again = UnixStream::from_std(again).unwrap();
        again.write_all(b"still here").await.unwrap();
        assert_eq!(theirs.read(&mut [0; 64]).await.unwrap(), 10);
    });
}
