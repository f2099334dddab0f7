//! UDP: datagrams on real sockets of the loopback interface.

mod control;
mod many;
mod multicast;
mod segments;

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;

use futures::poll;
use runtime::io::Interest;
use runtime::net::UdpSocket;
use runtime::spawn;
use runtime::task::yield_now;

use crate::support::run;

/// Two sockets that know each other's address.
async fn pair() -> (UdpSocket, SocketAddr, UdpSocket, SocketAddr) {
    let a = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let b = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (a_addr, b_addr) = (a.local_addr().unwrap(), b.local_addr().unwrap());
    (a, a_addr, b, b_addr)
}

#[test]
fn to_anybody() {
    run(async {
        let (a, a_addr, b, b_addr) = pair().await;
        let mut buf = [0; 64];
        {
            let mut receive = pin!(b.recv_from(&mut buf));
            assert!(poll!(receive.as_mut()).is_pending());
            assert_eq!(a.send_to(b"hello", b_addr).await.unwrap(), 5);
            assert_eq!(receive.await.unwrap(), (5, a_addr));
        }
        assert_eq!(&buf[..5], b"hello");
        assert_eq!(poll_fn(|cx| b.poll_send_to(cx, b"answer", a_addr)).await.unwrap(), 6);
        let received = poll_fn(|cx| a.poll_recv_from(cx, &mut buf)).await.unwrap();
        assert_eq!(received, (6, b_addr));
    });
}

#[test]
fn to_one_peer() {
    run(async {
        let (a, a_addr, b, b_addr) = pair().await;
        a.connect(b_addr).await.unwrap();
        b.connect(a_addr).await.unwrap();
        assert_eq!(a.peer_addr().unwrap(), b_addr);
        assert_eq!(a.send(b"hello").await.unwrap(), 5);
        let mut buf = [0; 64];
        assert_eq!(b.recv(&mut buf).await.unwrap(), 5);
        assert_eq!(poll_fn(|cx| b.poll_send(cx, b"answer")).await.unwrap(), 6);
        assert_eq!(poll_fn(|cx| a.poll_recv(cx, &mut buf)).await.unwrap(), 6);
        assert_eq!(&buf[..6], b"answer");
    });
}

#[test]
fn datagrams_stay_apart() {
    run(async {
        let (a, _, b, b_addr) = pair().await;
        a.connect(b_addr).await.unwrap();
        for datagram in [&b"first"[..], b"", b"cut off", b"last"] {
            a.send(datagram).await.unwrap();
        }
        // A short read says nothing about the datagrams behind it.
        let mut buf = [0; 64];
        assert_eq!(b.recv(&mut buf).await.unwrap(), 5);
        assert_eq!(b.recv(&mut buf).await.unwrap(), 0);
        assert_eq!(b.recv(&mut buf[..3]).await.unwrap(), 3);
        assert_eq!(b.recv(&mut buf).await.unwrap(), 4);
        assert_eq!(&buf[..4], b"last");
    });
}

#[test]
fn an_empty_buffer_takes_a_datagram() {
    run(async {
        let (a, _, b, b_addr) = pair().await;
        a.send_to(b"gone", b_addr).await.unwrap();
        a.send_to(b"", b_addr).await.unwrap();
        a.send_to(b"last", b_addr).await.unwrap();
        let mut buf = [0; 64];
        assert_eq!(b.recv(&mut []).await.unwrap(), 0);
        assert_eq!(b.recv(&mut buf).await.unwrap(), 0);
        assert_eq!(b.recv(&mut buf).await.unwrap(), 4);
    });
}

#[test]
fn peek_leaves_the_datagram() {
    run(async {
        let (a, a_addr, b, b_addr) = pair().await;
        let mut buf = [0; 64];
        {
            let mut sender = pin!(b.peek_sender());
            assert!(poll!(sender.as_mut()).is_pending());
            a.send_to(b"abc", b_addr).await.unwrap();
            assert_eq!(sender.await.unwrap(), a_addr);
        }
        assert_eq!(b.peek(&mut buf).await.unwrap(), 3);
        assert_eq!(b.peek_from(&mut buf[..1]).await.unwrap(), (1, a_addr));
        assert_eq!(poll_fn(|cx| b.poll_peek(cx, &mut buf)).await.unwrap(), 3);
        assert_eq!(poll_fn(|cx| b.poll_peek_from(cx, &mut buf)).await.unwrap(), (3, a_addr));
        assert_eq!(b.try_peek(&mut buf).unwrap(), 3);
        assert_eq!(b.try_peek_from(&mut buf).unwrap(), (3, a_addr));
        assert_eq!(poll_fn(|cx| b.poll_peek_sender(cx)).await.unwrap(), a_addr);
        assert_eq!(b.try_peek_sender().unwrap(), a_addr);
        assert_eq!(b.recv(&mut buf).await.unwrap(), 3);
        assert_eq!(b.try_peek(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(b.try_peek_sender().unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn try_and_readiness() {
    run(async {
        let (a, a_addr, b, b_addr) = pair().await;
        let mut buf = [0; 64];
        assert_eq!(b.try_recv_from(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        let mut readable = pin!(b.readable());
        assert!(poll!(readable.as_mut()).is_pending());
        a.writable().await.unwrap();
        assert!(a.ready(Interest::WRITABLE).await.unwrap().is_writable());
        assert_eq!(a.try_send_to(b"abc", b_addr).unwrap(), 3);
        readable.await.unwrap();
        assert_eq!(b.try_recv_from(&mut buf).unwrap(), (3, a_addr));
        assert_eq!(b.try_recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        a.connect(b_addr).await.unwrap();
        assert_eq!(a.try_send(b"abcd").unwrap(), 4);
        let received = b.async_io(Interest::READABLE, || b.try_recv(&mut buf)).await.unwrap();
        assert_eq!(received, 4);
    });
}

#[test]
fn refused_is_told_once_and_does_not_spin() {
    run(async {
        // Away from 127.0.0.1, where the other tests get their ports.
        let peer = UdpSocket::bind("127.77.0.1:0").await.unwrap();
        let peer_addr = peer.local_addr().unwrap();
        drop(peer);
        let socket = Rc::new(UdpSocket::bind("127.77.0.2:0").await.unwrap());
        socket.connect(peer_addr).await.unwrap();

        let polls = Rc::new(Cell::new(0));
        let receiver = spawn({
            let (socket, polls) = (Rc::clone(&socket), Rc::clone(&polls));
            async move {
                let mut buf = [0; 64];
                let refused = socket.recv(&mut buf).await.unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
                let mut receive = pin!(socket.recv(&mut buf));
                poll_fn(|cx| {
                    polls.set(polls.get() + 1);
                    receive.as_mut().poll(cx)
                })
                .await
            }
        });
        yield_now().await;
        socket.send(b"anybody?").await.unwrap();
        while polls.get() == 0 {
            yield_now().await;
        }
        // The error is taken and the socket says EAGAIN: from here the receiver sleeps.
        for _ in 0..1000 {
            yield_now().await;
        }
        assert!(polls.get() <= 3, "polled {} times with nothing to receive", polls.get());

        let peer = UdpSocket::bind(peer_addr).await.unwrap();
        peer.send_to(b"me", socket.local_addr().unwrap()).await.unwrap();
        assert_eq!(receiver.await.unwrap().unwrap(), 2);
    });
}

#[test]
fn two_receivers_of_one_socket_both_progress() {
    run(async {
        let (a, _, b, b_addr) = pair().await;
        let b = Rc::new(b);
        let receivers: Vec<_> = (0..2)
            .map(|_| {
                let b = Rc::clone(&b);
                spawn(async move { b.recv(&mut [0; 8]).await.unwrap() })
            })
            .collect();
        yield_now().await;
        a.send_to(b"1", b_addr).await.unwrap();
        a.send_to(b"22", b_addr).await.unwrap();
        let mut lengths = Vec::new();
        for receiver in receivers {
            lengths.push(receiver.await.unwrap());
        }
        lengths.sort_unstable();
        assert_eq!(lengths, [1, 2]);
    });
}

#[test]
fn a_datagram_from_and_into_several_buffers() {
    run(async {
        let (a, _, b, b_addr) = pair().await;
        let parts = [IoSlice::new(b"one "), IoSlice::new(b""), IoSlice::new(b"datagram")];
        a.connect(b_addr).await.unwrap();
        assert_eq!(a.send_vectored(&parts).await.unwrap(), 12);
        assert_eq!(a.send_vectored(&parts[..1]).await.unwrap(), 4);
        assert_eq!(a.send_vectored(&[]).await.unwrap(), 0);
        let (mut first, mut second) = ([0; 4], [0; 4]);
        let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(b.recv_vectored(&mut bufs).await.unwrap(), 8, "the rest is cut off");
        assert_eq!(b.recv_vectored(&mut bufs).await.unwrap(), 4);
        assert_eq!(b.recv_vectored(&mut bufs).await.unwrap(), 0);
        assert_eq!((&first, &second), (b"one ", b"data"));
    });
}

#[test]
fn a_datagram_from_more_buffers_than_the_kernel_takes_is_refused_not_cut() {
    run(async {
        let (a, _, b, b_addr) = pair().await;
        a.connect(b_addr).await.unwrap();
        let parts = [IoSlice::new(b"x"); 1025];
        let error = a.send_vectored(&parts).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert_eq!(a.send_vectored(&parts[1..]).await.unwrap(), 1024);
        assert_eq!(b.recv(&mut [0; 2048]).await.unwrap(), 1024);
    });
}

#[test]
fn a_clone_receives_from_the_same_queue() {
    run(async {
        let (a, _, b, b_addr) = pair().await;
        let clone = b.try_clone().unwrap();
        let (mut of_b, mut of_clone) = ([0; 8], [0; 8]);
        let mut first = pin!(b.recv(&mut of_b));
        let mut second = pin!(clone.recv(&mut of_clone));
        assert!(poll!(first.as_mut()).is_pending() && poll!(second.as_mut()).is_pending());
        a.send_to(b"1", b_addr).await.unwrap();
        a.send_to(b"22", b_addr).await.unwrap();
        let (first, second) = futures::join!(first, second);
        assert_eq!(first.unwrap() + second.unwrap(), 3);
    });
}

#[test]
fn options_are_read_as_set() {
    run(async {
        let (socket, addr, _b, _) = pair().await;
        socket.set_broadcast(true).unwrap();
        assert!(socket.broadcast().unwrap());
        socket.set_ttl(7).unwrap();
        assert_eq!(socket.ttl().unwrap(), 7);
        socket.set_tos_v4(16).unwrap();
        assert_eq!(socket.tos_v4().unwrap(), 16);
        assert!(!socket.dont_fragment().unwrap());
        socket.set_dont_fragment(true).unwrap();
        assert!(socket.dont_fragment().unwrap());
        socket.set_dont_fragment(false).unwrap();
        assert!(!socket.dont_fragment().unwrap());
        for reuse in [UdpSocket::set_reuseaddr, UdpSocket::set_reuseport] {
            reuse(&socket, true).unwrap();
        }
        assert!(socket.reuseaddr().unwrap() && socket.reuseport().unwrap());
        socket.set_reuseaddr(false).unwrap();
        socket.set_send_buffer_size(50_000).unwrap();
        assert_eq!(socket.send_buffer_size().unwrap(), 100_000);
        socket.set_recv_buffer_size(50_000).unwrap();
        assert_eq!(socket.recv_buffer_size().unwrap(), 100_000);
        assert_eq!(socket.device().unwrap(), None);
        let error = socket.bind_device(Some(b"no-such-device")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
        socket.bind_device(Some(b"lo")).unwrap();
        assert_eq!(socket.device().unwrap().as_deref(), Some(&b"lo"[..]));
        assert!(socket.take_error().unwrap().is_none());
        assert_eq!(socket.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
        let error = UdpSocket::bind(addr).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&addr.to_string()), "{error}");
        let socket = UdpSocket::try_from(socket.into_std().unwrap()).unwrap();
        assert_eq!(socket.local_addr().unwrap(), addr);

        let Ok(socket) = UdpSocket::unbound_v6() else { return eprintln!("skipped: no IPv6") };
        socket.set_dont_fragment(true).unwrap();
        assert!(socket.dont_fragment().unwrap());
        socket.set_unicast_hops_v6(9).unwrap();
        assert_eq!(socket.unicast_hops_v6().unwrap(), 9);
        socket.set_tclass_v6(16).unwrap();
        assert_eq!(socket.tclass_v6().unwrap(), 16);
    });
}
