//! Several datagrams a call, in order and each by itself.

use std::future::poll_fn;
use std::io::{ErrorKind, IoSliceMut};
use std::pin::pin;
use std::rc::Rc;

use futures::poll;
use runtime::net::UdpSocket;
use runtime::net::udp::{Datagram, Received};
use runtime::spawn;
use runtime::task::yield_now;

use super::pair;
use crate::support::run;

/// Receives so many datagrams, at most eight a call.
async fn receive(socket: &UdpSocket, count: usize) -> Vec<(Vec<u8>, Received)> {
    let mut all = Vec::new();
    while all.len() < count {
        let mut room = [[0; 64]; 8];
        let mut bufs = room.each_mut().map(|buf| IoSliceMut::new(buf));
        let mut received = [Received::default(); 8];
        let count = socket.recv_many(&mut bufs, &mut received).await.unwrap();
        let received = received[..count].iter().zip(&room);
        all.extend(received.map(|(received, buf)| (buf[..received.len].to_vec(), *received)));
    }
    all
}

#[test]
fn each_datagram_has_its_own_peer_and_length() {
    run(async {
        let (a, a_addr, b, b_addr) = pair().await;
        let c = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let c_addr = c.local_addr().unwrap();
        let mut batch = [
            Datagram::new(b"first").to(b_addr),
            Datagram::new(b"elsewhere").to(c_addr),
            Datagram::new(b"").to(b_addr),
            Datagram::new(b"last").to(b_addr),
        ];
        assert_eq!(a.send_many(&mut batch).await.unwrap(), 4);
        assert_eq!(batch[0].contents, b"first", "what was sent whole is left as it was");
        let of_b = receive(&b, 3).await;
        let contents: Vec<&[u8]> = of_b.iter().map(|(bytes, _)| &bytes[..]).collect();
        assert_eq!(contents, [&b"first"[..], b"", b"last"]);
        for (bytes, received) in &of_b {
            assert_eq!((received.from, received.truncated), (a_addr, false));
            assert_eq!((received.len, received.segment_size), (bytes.len(), bytes.len()));
            assert_eq!((received.to, received.interface, received.tos), (None, None, None));
            assert_eq!(received.segments(bytes).collect::<Vec<_>>(), [&bytes[..]]);
        }
        assert_eq!(receive(&c, 1).await[0].0, b"elsewhere");
    });
}

#[test]
fn to_the_peer_and_by_polls_and_tries() {
    run(async {
        let (a, _, b, b_addr) = pair().await;
        let mut batch = [Datagram::new(b"x"), Datagram::new(b"yy")];
        let error = a.send_many(&mut batch).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EDESTADDRREQ));
        a.connect(b_addr).await.unwrap();
        assert_eq!(a.try_send_many(&mut batch).unwrap(), 2);
        assert_eq!(poll_fn(|cx| a.poll_send_many(cx, &mut batch)).await.unwrap(), 2);

        let mut room = [[0; 8]; 8];
        let mut bufs = room.each_mut().map(|buf| IoSliceMut::new(buf));
        let mut received = [Received::default(); 3];
        let mut lengths = Vec::new();
        while lengths.len() < 4 {
            let count = poll_fn(|cx| b.poll_recv_many(cx, &mut bufs, &mut received)).await.unwrap();
            assert!((1..=3).contains(&count), "as many as both have room for");
            lengths.extend(received[..count].iter().map(|received| received.len));
        }
        assert_eq!(lengths, [1, 2, 1, 2]);
        let error = b.try_recv_many(&mut bufs, &mut received).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert_eq!(a.try_send_many(&mut batch[..1]).unwrap(), 1);
        b.readable().await.unwrap();
        assert_eq!(b.try_recv_many(&mut bufs, &mut received).unwrap(), 1);
    });
}

#[test]
fn nothing_to_send_or_to_receive_into_is_done_at_once() {
    run(async {
        let (a, _, _b, _) = pair().await;
        assert_eq!(a.send_many(&mut []).await.unwrap(), 0);
        assert_eq!(a.recv_many(&mut [], &mut [Received::default()]).await.unwrap(), 0);
        assert_eq!(a.recv_many(&mut [IoSliceMut::new(&mut [0])], &mut []).await.unwrap(), 0);
    });
}

#[test]
fn more_than_one_call_takes() {
    run(async {
        let (a, _, b, b_addr) = pair().await;
        let contents: Vec<[u8; 4]> = (0..200_u32).map(u32::to_ne_bytes).collect();
        let mut batch: Vec<_> = contents.iter().map(|c| Datagram::new(c).to(b_addr)).collect();
        let mut rest = &mut batch[..];
        let mut calls = 0;
        while !rest.is_empty() {
            let sent = a.send_many(rest).await.unwrap();
            rest = &mut rest[sent..];
            calls += 1;
        }
        assert_eq!(calls, 4, "64 a call");
        let received = receive(&b, 200).await;
        let numbers = (0..200_u32).map(|number| number.to_ne_bytes().to_vec());
        assert!(received.into_iter().map(|(bytes, _)| bytes).eq(numbers));

        let (mut room, mut received) = (vec![[0; 4]; 100], vec![Received::default(); 100]);
        let mut bufs: Vec<_> = room.iter_mut().map(|buf| IoSliceMut::new(buf)).collect();
        a.send_many(&mut batch[..64]).await.unwrap();
        a.send_many(&mut batch[..36]).await.unwrap();
        let mut count = 0;
        while count < 100 {
            let more = b.recv_many(&mut bufs, &mut received).await.unwrap();
            assert!((1..=64).contains(&more), "64 a call");
            count += more;
        }
    });
}

#[test]
fn what_a_buffer_lacks_is_told() {
    run(async {
        let (a, _, b, b_addr) = pair().await;
        a.connect(b_addr).await.unwrap();
        let mut batch = [Datagram::new(b"too long"), Datagram::new(b"fits")];
        assert_eq!(a.send_many(&mut batch).await.unwrap(), 2);
        let (mut buf, mut received) = ([0; 4], [Received::default()]);
        for (contents, truncated) in [(b"too ", true), (b"fits", false)] {
            let bufs = &mut [IoSliceMut::new(&mut buf)];
            assert_eq!(b.recv_many(bufs, &mut received).await.unwrap(), 1);
            assert_eq!((received[0].len, received[0].truncated), (4, truncated));
            assert_eq!(&buf, contents);
        }
    });
}

#[test]
fn an_error_ends_the_batch_and_is_told_when_it_is_first() {
    run(async {
        let (a, _, b, b_addr) = pair().await;
        let too_long = vec![0; 66_000];
        let mut batch = [
            Datagram::new(b"good").to(b_addr),
            Datagram::new(&too_long).to(b_addr),
            Datagram::new(b"also good").to(b_addr),
        ];
        assert_eq!(a.send_many(&mut batch).await.unwrap(), 1);
        let error = a.send_many(&mut batch[1..]).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
        assert_eq!(a.send_many(&mut batch[2..]).await.unwrap(), 1);
        assert_eq!(receive(&b, 2).await.len(), 2);
    });
}

#[test]
fn refused_is_told_once_in_a_batch_too() {
    run(async {
        // Away from 127.0.0.1, where the other tests get their ports.
        let peer = UdpSocket::bind("127.78.0.1:0").await.unwrap();
        let peer_addr = peer.local_addr().unwrap();
        drop(peer);
        let socket = UdpSocket::bind("127.78.0.2:0").await.unwrap();
        socket.connect(peer_addr).await.unwrap();
        socket.send_many(&mut [Datagram::new(b"anybody?")]).await.unwrap();

        let (mut buf, mut received) = ([0; 8], [Received::default()]);
        let mut bufs = [IoSliceMut::new(&mut buf)];
        let error = socket.recv_many(&mut bufs, &mut received).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let mut again = pin!(socket.recv_many(&mut bufs, &mut received));
        assert!(poll!(again.as_mut()).is_pending());
        let peer = UdpSocket::bind(peer_addr).await.unwrap();
        peer.send_to(b"me", socket.local_addr().unwrap()).await.unwrap();
        assert_eq!(again.await.unwrap(), 1);
    });
}

#[test]
fn a_receive_that_is_dropped_takes_nothing_along() {
    run(async {
        let (a, _, b, b_addr) = pair().await;
        for round in 0..100_u32 {
            {
                let (mut buf, mut received) = ([0; 8], [Received::default()]);
                let mut bufs = [IoSliceMut::new(&mut buf)];
                let mut dropped = pin!(b.recv_many(&mut bufs, &mut received));
                assert!(poll!(dropped.as_mut()).is_pending());
                let bytes = round.to_ne_bytes();
                let mut batch = [Datagram::new(&bytes).to(b_addr), Datagram::new(&[]).to(b_addr)];
                assert_eq!(a.send_many(&mut batch).await.unwrap(), 2);
                // The event is there, and perhaps the wake; the future goes without its poll.
                b.readable().await.unwrap();
            }
            let got: Vec<_> = receive(&b, 2).await.into_iter().map(|(bytes, _)| bytes).collect();
            assert_eq!(got, [&round.to_ne_bytes()[..], b""]);
        }
    });
}

#[test]
fn several_receivers_share_what_comes() {
    run(async {
        let (a, _, b, b_addr) = pair().await;
        let b = Rc::new(b);
        let receivers: Vec<_> = (0..3)
            .map(|_| {
                let b = Rc::clone(&b);
                spawn(async move {
                    let (mut buf, mut received) = ([0; 8], [Received::default()]);
                    let mut bufs = [IoSliceMut::new(&mut buf)];
                    b.recv_many(&mut bufs, &mut received).await.unwrap();
                    received[0].len
                })
            })
            .collect();
        yield_now().await;
        let mut batch =
            [&b"1"[..], b"22", b"333"].map(|contents| Datagram::new(contents).to(b_addr));
        assert_eq!(a.send_many(&mut batch).await.unwrap(), 3);
        let mut lengths = Vec::new();
        for receiver in receivers {
            lengths.push(receiver.await.unwrap());
        }
        lengths.sort_unstable();
        assert_eq!(lengths, [1, 2, 3]);
    });
}

#[test]
fn what_waits_may_go_to_another_thread() {
    fn check<T: Send>(_: T) {}
    run(async {
        let (a, _, _b, b_addr) = pair().await;
        let mut buf = [0; 8];
        check(a.send_many(&mut []));
        check(a.recv_many(&mut [], &mut []));
        check(a.send_segmented_to(b"", 1, b_addr));
        check(a.recv_segmented(&mut buf));
        check(a.send_vectored(&[]));
        check(a.recv_vectored(&mut []));
    });
}
