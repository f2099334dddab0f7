//! Sequenced packets: messages over a connection, whole, in order, and told when they are cut.

use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::pin::pin;

use futures::{StreamExt, join, poll};
use runtime::net::unix::Record;
use runtime::net::{UnixSeqpacket, UnixSeqpacketListener, UnixStream};
use runtime::spawn;

use crate::support::run;
use crate::unix::{TempPath, name, turns};

fn whole(record: Record) -> usize {
    assert!(!record.truncated, "{record:?}");
    record.len
}

#[test]
fn records_over_a_connection() {
    run(async {
        let path = TempPath::new();
        let listener = UnixSeqpacketListener::bind(&path).unwrap();
        let server = spawn(async move {
            let (socket, peer) = listener.accept().await.unwrap();
            assert!(peer.is_unnamed());
            let mut buf = [0; 64];
            loop {
                match whole(socket.recv(&mut buf).await.unwrap()) {
                    0 => return listener,
                    len => assert_eq!(socket.send(&buf[..len]).await.unwrap(), len),
                }
            }
        });
        let client = UnixSeqpacket::connect(&path).await.unwrap();
        assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(path.as_ref()));
        for message in [&b"one"[..], b"two", b"three"] {
            client.send(message).await.unwrap();
        }
        for message in [&b"one"[..], b"two", b"three"] {
            let mut buf = [0; 64];
            let len = whole(client.recv(&mut buf).await.unwrap());
            assert_eq!(&buf[..len], message, "messages are not put together");
        }
        client.shutdown(Shutdown::Write).unwrap();
        let listener = server.await.unwrap();
        assert_eq!(whole(client.recv(&mut [0; 8]).await.unwrap()), 0);
        assert_eq!(client.send(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);

        // The two kinds of connection do not mix.
        let error = UnixStream::connect(&path).await.unwrap_err();
        assert!(error.to_string().contains("connecting to"), "{error}");
        let taken = UnixSeqpacketListener::bind(&path).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        assert!(listener.take_error().unwrap().is_none());
        assert!(format!("{listener:?} {client:?}").contains("UnixSeqpacketListener { fd: "));
    });
}

#[test]
fn a_record_that_is_cut_says_so() {
    run(async {
        let (ours, theirs) = UnixSeqpacket::pair().unwrap();
        let send = async |message: &[u8]| {
            assert_eq!(ours.send(message).await.unwrap(), message.len());
        };
        let mut buf = [0; 4];
        send(b"long one").await;
        let record = theirs.recv(&mut buf).await.unwrap();
        assert_eq!((record.len, record.truncated, &buf), (4, true, b"long"));
        send(b"four").await;
        assert_eq!(whole(theirs.recv(&mut buf).await.unwrap()), 4);
        send(b"gone").await;
        let record = theirs.recv(&mut []).await.unwrap();
        assert_eq!((record.len, record.truncated), (0, true));
        send(b"").await;
        assert_eq!(whole(theirs.recv(&mut buf).await.unwrap()), 0);

        let (mut one, mut other) = ([0; 2], [0; 3]);
        let parts = [IoSlice::new(b"in "), IoSlice::new(b"parts")];
        assert_eq!(ours.send_vectored(&parts).await.unwrap(), 8);
        let mut bufs = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut other)];
        let record = theirs.recv_vectored(&mut bufs).await.unwrap();
        assert_eq!((record.len, record.truncated), (5, true));
        assert_eq!((&one, &other), (b"in", b" pa"));
        send(b"a long one").await;
        let received = theirs.recv_with_fds(&mut buf, 1).await.unwrap();
        assert_eq!((received.len, received.truncated), (4, true));
        let many = vec![IoSlice::new(b"x"); 1025];
        assert_eq!(ours.send_vectored(&many).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn by_hand_by_trying_and_when_ready() {
    run(async {
        let (ours, theirs) = UnixSeqpacket::pair().unwrap();
        let mut buf = [0; 8];
        assert_eq!(theirs.try_recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        ours.writable().await.unwrap();
        assert_eq!(ours.try_send(b"a").unwrap(), 1);
        theirs.readable().await.unwrap();
        assert_eq!(whole(theirs.try_recv(&mut buf).unwrap()), 1);
        poll_fn(|cx| ours.poll_send_ready(cx)).await.unwrap();
        assert_eq!(poll_fn(|cx| ours.poll_send(cx, b"bc")).await.unwrap(), 2);
        poll_fn(|cx| theirs.poll_recv_ready(cx)).await.unwrap();
        assert_eq!(whole(poll_fn(|cx| theirs.poll_recv(cx, &mut buf)).await.unwrap()), 2);
    });
}

#[test]
fn a_slow_receiver_stops_its_sender_and_no_record_is_lost() {
    const COUNT: usize = 2000;
    run(async {
        let (ours, theirs) = UnixSeqpacket::pair().unwrap();
        let message = |number: usize| vec![number as u8; 1 + number % 3000];
        let sender = spawn(async move {
            for number in 0..COUNT {
                let message = message(number);
                assert_eq!(ours.send(&message).await.unwrap(), message.len());
            }
        });
        turns().await;
        assert!(!sender.is_finished(), "4 MB were sent and nothing was received");
        for number in 0..COUNT {
            let mut buf = [0; 3000];
            // One that is dropped takes nothing along.
            let _ = poll!(pin!(theirs.readable()));
            let len = whole(theirs.recv(&mut buf).await.unwrap());
            assert_eq!(&buf[..len], message(number));
        }
        sender.await.unwrap();
        assert_eq!(whole(theirs.recv(&mut [0; 8]).await.unwrap()), 0);
    });
}

#[test]
fn a_dropped_operation_loses_and_doubles_nothing() {
    run(async {
        let (ours, theirs) = UnixSeqpacket::pair().unwrap();
        for round in 0..50_u8 {
            let mut buf = [0; 8];
            assert!(poll!(pin!(theirs.recv(&mut buf))).is_pending());
            let mut bufs = [IoSliceMut::new(&mut buf)];
            assert!(poll!(pin!(theirs.recv_vectored(&mut bufs))).is_pending());
            assert!(poll!(pin!(theirs.recv_with_fds(&mut buf, 1))).is_pending());
            ours.send(&[round]).await.unwrap();
            assert_eq!(whole(theirs.recv(&mut buf).await.unwrap()), 1);
            assert_eq!(buf[0], round);
        }
        let mut sent = 0;
        while ours.try_send(&[1; 1000]).is_ok() {
            sent += 1;
        }
        assert!(poll!(pin!(ours.send(b"lost"))).is_pending());
        assert!(poll!(pin!(ours.send_vectored(&[IoSlice::new(b"lost")]))).is_pending());
        assert!(poll!(pin!(ours.send_with_fds(b"lost", &[]))).is_pending());
        drop(ours);
        for _ in 0..sent {
            assert_eq!(theirs.recv(&mut [0; 1000]).await.unwrap().len, 1000);
        }
        assert_eq!(whole(theirs.recv(&mut [0; 8]).await.unwrap()), 0);
    });
}

#[test]
fn a_peer_that_leaves_records_unread_resets_a_receiver() {
    run(async {
        let (ours, theirs) = UnixSeqpacket::pair().unwrap();
        ours.send(b"nobody receives this").await.unwrap();
        let mut buf = [0; 8];
        let mut recv = pin!(ours.recv(&mut buf));
        assert!(poll!(recv.as_mut()).is_pending());
        drop(theirs);
        assert_eq!(recv.await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(whole(ours.recv(&mut [0; 8]).await.unwrap()), 0);
    });
}

#[test]
fn listeners_and_descriptors_from_elsewhere() {
    run(async {
        let addr = name();
        let listener = UnixSeqpacketListener::bind_addr(&addr).unwrap();
        let fd = listener.as_raw_fd();
        let fd_owner = OwnedFd::from(listener);
        assert_eq!(fd_owner.as_raw_fd(), fd);
        let listener = UnixSeqpacketListener::try_from(fd_owner).unwrap();
        assert_eq!(listener.local_addr().unwrap().as_abstract_name(), addr.as_abstract_name());
        let clone = listener.try_clone().unwrap();
        let mut incoming = clone.incoming();
        assert!(poll!(incoming.next()).is_pending());
        let (client, server) = join!(UnixSeqpacket::connect_addr(&addr), incoming.next());
        let server = server.expect("it never ends").unwrap();
        let client = UnixSeqpacket::try_from(OwnedFd::from(client.unwrap())).unwrap();
        let other = client.try_clone().unwrap();
        drop(client);
        other.send(b"abc").await.unwrap();
        assert_eq!(whole(server.recv(&mut [0; 8]).await.unwrap()), 3);
        let accepted = poll_fn(|cx| std::task::Poll::Ready(listener.poll_accept(cx))).await;
        assert!(accepted.is_pending());
    });
}
