//! Unix datagrams: names, peers, and senders that wait for room in a queue, connected to it or not.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;

use futures::channel::mpsc as channel;
use futures::{StreamExt, join, poll};
use runtime::net::unix::SocketAddr;
use runtime::net::{UnixDatagram, UnixSocket};
use runtime::task::yield_now;
use runtime::{JoinHandle, spawn};

use crate::support::{limited, run};
use crate::unix::{TempPath, counted, name, turns};

/// A receiver, and its name.
fn receiver() -> (UnixDatagram, SocketAddr) {
    let addr = name();
    (UnixDatagram::bind_addr(&addr).unwrap(), addr)
}

/// Has somebody else fill the queue of `addr`; returns how many datagrams that took, and who sent them.
fn fill(addr: &SocketAddr) -> (usize, UnixDatagram) {
    let other = UnixDatagram::unbound().unwrap();
    for count in 0.. {
        match other.try_send_to_addr(b"other", addr) {
            Ok(len) => assert_eq!(len, 5),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return (count, other),
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!("the queue has no end")
}

/// A task that sends, and how often it was polled.
struct Sending {
    task: JoinHandle<io::Result<usize>>,
    polls: Rc<AtomicUsize>,
}

impl Sending {
    /// Sends `b"ours"`.
    fn to(ours: &Rc<UnixDatagram>, addr: &SocketAddr) -> Sending {
        let (ours, addr) = (ours.clone(), addr.clone());
        Sending::by(async move { ours.send_to_addr(b"ours", &addr).await })
    }

    fn by(send: impl Future<Output = io::Result<usize>> + 'static) -> Sending {
        let polls = Rc::new(AtomicUsize::new(0));
        let count = polls.clone();
        Sending { task: spawn(async move { counted(send, &count).await }), polls }
    }

    /// Lets time go by, in which the task must neither end nor be polled more than a few times: once to
    /// try, and for an event or two that say nothing new.
    async fn waits(&self) {
        let before = self.polls.load(Ordering::Relaxed);
        turns().await;
        assert!(!self.task.is_finished());
        let polls = self.polls.load(Ordering::Relaxed) - before;
        assert!(polls <= 3, "{polls} polls while nothing happened");
    }

    async fn done(self) -> io::Result<usize> {
        self.task.await.unwrap()
    }
}

#[test]
fn there_and_back_by_name() {
    run(async {
        let (path, other) = (TempPath::new(), TempPath::new());
        let server = UnixDatagram::bind(&path).unwrap();
        let client = UnixDatagram::bind(&other).unwrap();
        assert_eq!(client.send_to(b"question", &path).await.unwrap(), 8);
        let mut buf = [0; 64];
        let (len, from) = server.recv_from(&mut buf).await.unwrap();
        assert_eq!((&buf[..len], from.as_pathname()), (&b"question"[..], Some(other.as_ref())));
        assert_eq!(server.try_send_to(b"answer", from.as_pathname().unwrap()).unwrap(), 6);
        client.connect(&path).unwrap();
        assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(path.as_ref()));
        assert_eq!(client.recv(&mut buf).await.unwrap(), 6);

        // Who has no name cannot be answered.
        UnixDatagram::unbound().unwrap().send_to(b"x", &path).await.unwrap();
        assert!(server.try_recv_from(&mut buf).unwrap().1.is_unnamed());
        assert_eq!(server.try_recv_from(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);

        let taken = UnixDatagram::bind(&path).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        assert!(taken.to_string().contains("binding a socket to"), "{taken}");
        let nobody = client.connect_addr(&name()).unwrap_err();
        assert_eq!(nobody.kind(), ErrorKind::ConnectionRefused);
        assert!(nobody.to_string().contains("setting the peer"), "{nobody}");
        let nobody = client.send_to_addr(b"x", &name()).await.unwrap_err();
        assert_eq!(nobody.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn abstract_names_wherever_a_name_goes() {
    run(async {
        let (server, addr) = receiver();
        let path = [b"\0", addr.as_abstract_name().unwrap()].concat();
        let path = std::str::from_utf8(&path).unwrap();
        let (client, theirs) = receiver();
        client.send_to(b"1", path).await.unwrap();
        client.send_to_addr(b"2", &addr).await.unwrap();
        client.try_send_to(b"3", path).unwrap();
        poll_fn(|cx| client.poll_send_to(cx, b"4", path)).await.unwrap();
        client.connect(path).unwrap();
        client.connect_addr(&addr).unwrap();
        client.send(b"5").await.unwrap();
        for expected in b"12345" {
            let mut buf = [0; 8];
            let (len, from) = server.recv_from(&mut buf).await.unwrap();
            assert_eq!(&buf[..len], [*expected]);
            assert_eq!(from.as_abstract_name(), theirs.as_abstract_name());
        }
    });
}

#[test]
fn datagrams_are_whole() {
    run(async {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let mut buf = [0; 4];
        ours.send(b"").await.unwrap();
        ours.send(b"a long one").await.unwrap();
        ours.send(b"lost").await.unwrap();
        let parts = [IoSlice::new(b"in "), IoSlice::new(b"parts")];
        assert_eq!(ours.send_vectored(&parts).await.unwrap(), 8);
        assert_eq!(theirs.recv(&mut buf).await.unwrap(), 0);
        assert_eq!(theirs.recv(&mut buf).await.unwrap(), 4);
        assert_eq!(&buf, b"a lo");
        assert_eq!(theirs.recv(&mut []).await.unwrap(), 0);
        let (mut one, mut other) = ([0; 4], [0; 2]);
        let mut bufs = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut other)];
        assert_eq!(theirs.recv_vectored(&mut bufs).await.unwrap(), 6);
        assert_eq!((&one, &other), (b"in p", b"ar"));

        // An empty buffer waits for a datagram too.
        let mut recv = pin!(theirs.recv(&mut []));
        assert!(poll!(recv.as_mut()).is_pending());
        ours.send(b"x").await.unwrap();
        assert_eq!(recv.await.unwrap(), 0);

        let many = vec![IoSlice::new(b"x"); 1025];
        let error = ours.send_vectored(&many).await.unwrap_err();
        assert!(error.to_string().contains("at most 1024"), "{error}");
        assert_eq!(ours.send_vectored(&many[1..]).await.unwrap(), 1024);
    });
}

#[test]
fn a_peer_that_goes_away_is_told_of() {
    run(async {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        drop(theirs);
        assert_eq!(ours.send(b"x").await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(ours.send(b"x").await.unwrap_err().kind(), ErrorKind::NotConnected);

        // A peer that takes another, with what was sent to it unread, resets a receiver, which waits.
        let ((one, one_addr), (other, other_addr)) = (receiver(), receiver());
        one.connect_addr(&other_addr).unwrap();
        other.connect_addr(&one_addr).unwrap();
        let mut buf = [0; 8];
        let mut recv = pin!(one.recv(&mut buf));
        assert!(poll!(recv.as_mut()).is_pending());
        one.send(b"unread").await.unwrap();
        let (_third, third_addr) = receiver();
        other.connect_addr(&third_addr).unwrap();
        assert_eq!(recv.await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        // It has taken another: it does not receive from this one any more.
        assert_eq!(one.send(b"x").await.unwrap_err().kind(), ErrorKind::PermissionDenied);
    });
}

#[test]
fn a_connected_sender_waits_for_a_queue_that_others_filled() {
    run(async {
        let (receiver, addr) = receiver();
        let (filled, _other) = fill(&addr);
        let ours = UnixDatagram::unbound().unwrap();
        ours.connect_addr(&addr).unwrap();
        let sending = Sending::by(async move { ours.send(b"ours").await });
        sending.waits().await;
        receiver.recv(&mut [0; 8]).await.unwrap();
        assert_eq!(sending.done().await.unwrap(), 4);
        for _ in 1..filled {
            assert_eq!(receiver.try_recv(&mut [0; 8]).unwrap(), 5);
        }
        assert_eq!(receiver.try_recv(&mut [0; 8]).unwrap(), 4);
    });
}

#[test]
fn an_unconnected_sender_waits_for_a_queue_that_others_filled() {
    run(async {
        let (receiver, addr) = receiver();
        // A sender that has no peer, and one that has another.
        let (_peer, peer_addr) = self::receiver();
        let connected = UnixDatagram::unbound().unwrap();
        connected.connect_addr(&peer_addr).unwrap();
        for ours in [UnixDatagram::unbound().unwrap(), connected] {
            let (filled, other) = fill(&addr);
            let sending = Sending::to(&Rc::new(ours), &addr);
            sending.waits().await;
            // Somebody else takes the room that was made: the wait goes on.
            receiver.recv(&mut [0; 8]).await.unwrap();
            other.try_send_to_addr(b"other", &addr).unwrap();
            sending.waits().await;
            receiver.recv(&mut [0; 8]).await.unwrap();
            assert_eq!(sending.done().await.unwrap(), 4);
            for _ in 1..filled {
                assert_eq!(receiver.try_recv(&mut [0; 8]).unwrap(), 5);
            }
            assert_eq!(receiver.try_recv(&mut [0; 8]).unwrap(), 4);
        }
    });
}

#[test]
fn an_unconnected_sender_neither_spins_nor_hangs_on_another_runtime_than_its_first() {
    limited(|| {
        let (receiver, addr) = receiver();
        let (_filled, _other) = fill(&addr);
        let ours = Arc::new(UnixDatagram::unbound().unwrap());
        let (to_here, mut here) = channel::unbounded::<()>();
        let (to_there, mut there) = channel::unbounded::<()>();
        let there = thread::spawn({
            let (ours, addr) = (ours.clone(), addr.clone());
            move || {
                runtime::block_on(async {
                    // Its first waits are on this runtime, where it is at home from then on.
                    assert!(poll!(pin!(ours.recv(&mut [0; 8]))).is_pending());
                    assert!(poll!(pin!(ours.send_to_addr(b"x", &addr))).is_pending());
                    to_here.unbounded_send(()).unwrap();
                    while there.next().await.is_some() {
                        to_here.unbounded_send(()).unwrap();
                    }
                });
            }
        });
        runtime::block_on(async move {
            here.next().await.unwrap();
            let sending = Sending::by(async move { ours.send_to_addr(b"ours", &addr).await });
            // Each round trip lets whatever the other runtime sends here arrive.
            for _ in 0..200 {
                to_there.unbounded_send(()).unwrap();
                here.next().await.unwrap();
            }
            sending.waits().await;
            let polls = sending.polls.load(Ordering::Relaxed);
            assert!(polls <= 5, "{polls} polls while nothing happened");
            receiver.try_recv(&mut [0; 8]).unwrap();
            assert_eq!(sending.done().await.unwrap(), 4);
            drop(to_there);
        });
        there.join().unwrap();
    });
}

#[test]
fn a_sender_whose_own_buffer_is_full_waits_for_it() {
    run(async {
        // One who reads nothing holds all of the buffer; another queue is empty.
        let ((lazy, lazy_addr), (receiver, addr)) = (receiver(), receiver());
        let ours = UnixSocket::new_datagram().unwrap();
        ours.set_send_buffer_size(10_000).unwrap();
        let ours = ours.datagram().unwrap();
        while ours.try_send_to_addr(&[1; 2000], &lazy_addr).is_ok() {}
        // It is the buffer that is full, and not the queue.
        let full = ours.try_send_to_addr(b"x", &addr).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        let sending = Sending::to(&Rc::new(ours), &addr);
        sending.waits().await;
        while lazy.try_recv(&mut [0; 8]).is_ok() {}
        assert_eq!(sending.done().await.unwrap(), 4);
        assert_eq!(receiver.recv(&mut [0; 8]).await.unwrap(), 4);
    });
}

#[test]
fn a_buffer_half_full_does_not_hide_whose_queue_is_full() {
    run(async {
        // A lazy reader holds half of the sender's buffer, so that the sender is not "writable"; yet
        // what it waits for is room at another.
        let ((_lazy, lazy_addr), (receiver, addr)) = (receiver(), receiver());
        let ours = UnixSocket::new_datagram().unwrap();
        ours.set_send_buffer_size(50_000).unwrap();
        let ours = ours.datagram().unwrap();
        ours.try_send_to_addr(&[1; 40_000], &lazy_addr).unwrap();
        assert!(poll!(pin!(ours.writable())).is_pending());
        let (_filled, _other) = fill(&addr);
        let receive = async {
            turns().await;
            receiver.recv(&mut [0; 8]).await.unwrap();
        };
        assert_eq!(join!(ours.send_to_addr(b"ours", &addr), receive).0.unwrap(), 4);
    });
}

#[test]
fn a_sender_that_waits_is_told_that_the_receiver_is_gone() {
    run(async {
        let (receiver, addr) = receiver();
        let (_filled, _other) = fill(&addr);
        let ours = UnixDatagram::unbound().unwrap();
        let mut send = pin!(ours.send_to_addr(b"ours", &addr));
        assert!(poll!(send.as_mut()).is_pending());
        drop(receiver);
        assert_eq!(send.await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn many_unconnected_senders_share_a_queue() {
    const SENDERS: usize = 20;
    const EACH: usize = 50;
    run(async {
        let (receiver, addr) = receiver();
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let addr = addr.clone();
                spawn(async move {
                    let ours = UnixDatagram::unbound().unwrap();
                    for _ in 0..EACH {
                        ours.send_to_addr(b"x", &addr).await.unwrap();
                    }
                })
            })
            .collect();
        for _ in 0..SENDERS * EACH {
            assert_eq!(receiver.recv(&mut [0; 8]).await.unwrap(), 1);
        }
        for sender in senders {
            sender.await.unwrap();
        }
        assert_eq!(receiver.try_recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn senders_of_another_thread_wait_too() {
    const COUNT: usize = 5000;
    limited(|| {
        let (receiver, addr) = receiver();
        let (ready, is_ready) = mpsc::channel();
        let sender = thread::spawn(move || {
            runtime::block_on(async {
                let ours = UnixDatagram::unbound().unwrap();
                ready.send(()).unwrap();
                for number in 0..COUNT {
                    ours.send_to_addr(&number.to_ne_bytes(), &addr).await.unwrap();
                }
            });
        });
        is_ready.recv().unwrap();
        runtime::block_on(async {
            for number in 0..COUNT {
                let mut buf = [0; 8];
                receiver.recv(&mut buf).await.unwrap();
                assert_eq!(buf, number.to_ne_bytes(), "they keep their order");
            }
        });
        sender.join().unwrap();
    });
}

#[test]
fn futures_by_hand_wait_for_several_queues_at_once() {
    run(async {
        let ((one, one_addr), (other, other_addr)) = (receiver(), receiver());
        let _fillers = (fill(&one_addr), fill(&other_addr));
        let ours = Rc::new(UnixDatagram::unbound().unwrap());
        let path = |addr: &SocketAddr| {
            let name = addr.as_abstract_name().unwrap();
            String::from_utf8([b"\0", name].concat()).unwrap()
        };
        let send = |addr: &SocketAddr| {
            let (ours, path) = (ours.clone(), path(addr));
            Sending::by(poll_fn(move |cx| ours.poll_send_to(cx, b"ours", &path)))
        };
        let (first, second, third) = (send(&one_addr), send(&other_addr), send(&other_addr));
        for sending in [&first, &second, &third] {
            sending.waits().await;
        }
        other.recv(&mut [0; 8]).await.unwrap();
        turns().await;
        assert!(second.task.is_finished() != third.task.is_finished(), "there was room for one");
        other.recv(&mut [0; 8]).await.unwrap();
        second.done().await.unwrap();
        third.done().await.unwrap();
        first.waits().await;
        one.recv(&mut [0; 8]).await.unwrap();
        first.done().await.unwrap();
    });
}

#[test]
fn a_wait_that_is_over_is_not_forgotten_when_another_begins() {
    run(async {
        let ((one, one_addr), (_other, other_addr)) = (receiver(), receiver());
        let _fillers = (fill(&one_addr), fill(&other_addr));
        let ours = Rc::new(UnixDatagram::unbound().unwrap());
        let path = |addr: &SocketAddr| {
            let name = addr.as_abstract_name().unwrap();
            String::from_utf8([b"\0", name].concat()).unwrap()
        };
        let first = Sending::by({
            let (ours, path) = (ours.clone(), path(&one_addr));
            poll_fn(move |cx| ours.poll_send_to(cx, b"ours", &path))
        });
        first.waits().await;
        // There is room, and before the loop has seen it somebody else waits by the same socket.
        one.try_recv(&mut [0; 8]).unwrap();
        let path = path(&other_addr);
        let polled = poll_fn(|cx| Poll::Ready(ours.poll_send_to(cx, b"ours", &path))).await;
        assert!(polled.is_pending());
        assert_eq!(first.done().await.unwrap(), 4);
    });
}

#[test]
fn a_sender_that_never_waits_lets_others_run() {
    run(async {
        let ((receiver, addr), (ours, our_addr)) = (receiver(), receiver());
        // For its own peer a queue has no limit but the sender's buffer.
        receiver.connect_addr(&our_addr).unwrap();
        let other = spawn(async {});
        for _ in 0..200 {
            ours.send_to_addr(b"x", &addr).await.unwrap();
        }
        assert!(other.is_finished(), "200 datagrams were sent without a pause");
    });
}

#[test]
fn a_task_that_polls_again_does_not_wake_itself() {
    run(async {
        let (receiver, addr) = receiver();
        let (_filled, _other) = fill(&addr);
        let ours = UnixDatagram::unbound().unwrap();
        let path = [b"\0", addr.as_abstract_name().unwrap()].concat();
        let path = std::str::from_utf8(&path).unwrap();
        for _ in 0..10 {
            let polled = poll_fn(|cx| Poll::Ready(ours.poll_send_to(cx, b"ours", path))).await;
            assert!(polled.is_pending());
            yield_now().await;
        }
        let path = path.to_string();
        let sending = Sending::by(poll_fn(move |cx| {
            // Twice in a poll, as a task may: it is one task that waits.
            let _ = ours.poll_send_to(cx, b"ours", &path);
            ours.poll_send_to(cx, b"ours", &path)
        }));
        sending.waits().await;
        receiver.recv(&mut [0; 8]).await.unwrap();
        receiver.recv(&mut [0; 8]).await.unwrap();
        assert_eq!(sending.done().await.unwrap(), 4);
    });
}

#[test]
fn a_dropped_operation_loses_and_doubles_nothing() {
    run(async {
        let (receiver, addr) = receiver();
        let ours = UnixDatagram::unbound().unwrap();
        ours.connect_addr(&addr).unwrap();
        for round in 0..50_u8 {
            let mut buf = [0; 8];
            assert!(poll!(pin!(receiver.recv(&mut buf))).is_pending());
            assert!(poll!(pin!(receiver.recv_from(&mut buf))).is_pending());
            assert!(
                poll!(pin!(receiver.recv_vectored(&mut [IoSliceMut::new(&mut buf)]))).is_pending()
            );
            assert!(poll!(pin!(receiver.recv_with_fds(&mut buf, 1))).is_pending());
            ours.send(&[round]).await.unwrap();
            assert_eq!(receiver.recv(&mut buf).await.unwrap(), 1);
            assert_eq!(buf[0], round);
        }
        let (filled, _other) = fill(&addr);
        assert!(poll!(pin!(ours.send(b"lost"))).is_pending());
        assert!(poll!(pin!(ours.send_vectored(&[IoSlice::new(b"lost")]))).is_pending());
        assert!(poll!(pin!(ours.send_with_fds(b"lost", &[]))).is_pending());
        assert!(poll!(pin!(ours.send_to_addr(b"lost", &addr))).is_pending());
        let stranger = UnixDatagram::unbound().unwrap();
        assert!(poll!(pin!(stranger.send_to_addr(b"lost", &addr))).is_pending());
        for _ in 0..filled {
            assert_eq!(receiver.recv(&mut [0; 8]).await.unwrap(), 5);
        }
        assert_eq!(receiver.try_recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn two_receivers_of_one_socket() {
    run(async {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let clone = theirs.try_clone().unwrap();
        let (mut one, mut other) = ([0; 1], [0; 1]);
        let send = async {
            turns().await;
            ours.send(b"a").await.unwrap();
            ours.send(b"b").await.unwrap();
        };
        let received = join!(theirs.recv(&mut one), clone.recv(&mut other), send);
        assert_eq!((received.0.unwrap(), received.1.unwrap()), (1, 1));
        let mut got = [one[0], other[0]];
        got.sort();
        assert_eq!(&got, b"ab");
        theirs.shutdown(std::net::Shutdown::Read).unwrap();
        assert_eq!(ours.send(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}
