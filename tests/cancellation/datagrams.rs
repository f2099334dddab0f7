//! Datagrams: whole, in order, once.

use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::SocketAddr;

use runtime::io::Interest;
use runtime::net::UdpSocket;
use runtime::net::udp::{Datagram, Received};

use crate::exercise::{Direction, Message, Model, Moved, exercise, got_out, peeked, put_in};
use crate::seeds::{Rng, for_seeds};

const MOST: usize = 1000;

/// What is received whole, whatever it is.
fn room() -> Vec<u8> {
    vec![0; 65_536]
}

async fn udp_pair() -> (UdpSocket, UdpSocket) {
    let a = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let b = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    a.connect(b.local_addr().unwrap()).await.unwrap();
    b.connect(a.local_addr().unwrap()).await.unwrap();
    (a, b)
}

/// Several datagrams in one buffer, and the size of each.
fn segments(rng: &mut Rng) -> (Vec<u8>, usize) {
    let size = 1 + rng.below(100);
    (rng.bytes(size * 8), size)
}

fn pieces(bytes: &[u8], size: usize) -> impl Iterator<Item = Message> {
    bytes.chunks(size).map(Message::from)
}

/// UDP drops what the receiver has no room for: so much at a time always fits.
fn udp<'a>(a: &'a UdpSocket, b: &'a UdpSocket) -> Direction<'a> {
    let of_a: SocketAddr = a.local_addr().unwrap();
    let of_b: SocketAddr = b.local_addr().unwrap();
    Direction::new(Model::datagrams(32), a, b)
        .writing("send", move |mut rng| async move {
            let bytes = rng.bytes(MOST);
            a.send(&bytes).await?;
            put_in(&bytes)
        })
        .writing("send_to", move |mut rng| async move {
            let bytes = rng.bytes(MOST);
            a.send_to(&bytes, of_b).await?;
            put_in(&bytes)
        })
        .writing("poll_send", move |mut rng| async move {
            let bytes = rng.bytes(MOST);
            poll_fn(|cx| a.poll_send(cx, &bytes)).await?;
            put_in(&bytes)
        })
        .writing("poll_send_to", move |mut rng| async move {
            let bytes = rng.bytes(MOST);
            poll_fn(|cx| a.poll_send_to(cx, &bytes, of_b)).await?;
            put_in(&bytes)
        })
        .writing("writable, try_send", move |mut rng| async move {
            let bytes = rng.bytes(MOST);
            loop {
                a.writable().await?;
                match a.try_send(&bytes) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    len => return put_in(&bytes[..len?]),
                }
            }
        })
        .writing("ready", move |_| async move {
            a.ready(Interest::WRITABLE).await?;
            Ok(Moved::Nothing)
        })
        .writing("poll_send_ready", move |_| async move {
            poll_fn(|cx| a.poll_send_ready(cx)).await?;
            Ok(Moved::Nothing)
        })
        .writing("send_many", move |mut rng| async move {
            let (first, second) = (rng.bytes(MOST), rng.bytes(MOST));
            let (third, size) = segments(&mut rng);
            let mut batch = [
                Datagram::new(&first),
                Datagram::new(&second).to(of_b),
                Datagram::new(&third).segment_size(size),
            ];
            let sent = a.send_many(&mut batch).await?;
            let unsent = if sent == 3 { 0 } else { batch[2].contents.len() };
            let mut moved = vec![Message::from(&first[..]), Message::from(&second[..])];
            moved.truncate(sent);
            moved.extend(pieces(&third[..third.len() - unsent], size));
            Ok(Moved::In(moved))
        })
        .writing("poll_send_many", move |mut rng| async move {
            let (first, second) = (rng.bytes(MOST), rng.bytes(MOST));
            let mut batch = [Datagram::new(&first), Datagram::new(&second)];
            let sent = poll_fn(|cx| a.poll_send_many(cx, &mut batch)).await?;
            let mut moved = vec![Message::from(&first[..]), Message::from(&second[..])];
            moved.truncate(sent);
            Ok(Moved::In(moved))
        })
        .writing("send_vectored", move |mut rng| async move {
            let bytes = rng.bytes(MOST);
            let (first, second) = bytes.split_at(rng.below(bytes.len()));
            a.send_vectored(&[IoSlice::new(first), IoSlice::new(second)]).await?;
            put_in(&bytes)
        })
        .writing("send_segmented", move |mut rng| async move {
            let (bytes, size) = segments(&mut rng);
            let len = a.send_segmented(&bytes, size).await?;
            Ok(Moved::In(pieces(&bytes[..len], size).collect()))
        })
        .writing("send_segmented_to", move |mut rng| async move {
            let (bytes, size) = segments(&mut rng);
            let len = a.send_segmented_to(&bytes, size, of_b).await?;
            Ok(Moved::In(pieces(&bytes[..len], size).collect()))
        })
        .reading("recv_many", move |_| async move {
            let mut rooms = [room(), room(), room()];
            let mut bufs = rooms.each_mut().map(|room| IoSliceMut::new(room));
            let mut received = [Received::default(); 3];
            let count = b.recv_many(&mut bufs, &mut received).await?;
            let each = received[..count].iter().zip(&rooms);
            let segments = each.flat_map(|(received, room)| received.segments(room));
            Ok(Moved::Out(segments.map(Message::from).collect()))
        })
        .reading("poll_recv_many", move |_| async move {
            let mut room = room();
            let mut received = [Received::default()];
            {
                let mut bufs = [IoSliceMut::new(&mut room)];
                poll_fn(|cx| b.poll_recv_many(cx, &mut bufs, &mut received)).await?;
            }
            Ok(Moved::Out(received[0].segments(&room).map(Message::from).collect()))
        })
        .reading("recv_segmented", move |_| async move {
            let mut buf = room();
            let received = b.recv_segmented(&mut buf).await?;
            assert_eq!((received.from, received.truncated), (of_a, false));
            Ok(Moved::Out(received.segments(&buf).map(Message::from).collect()))
        })
}

/// What receives one datagram a call, with GRO off.
fn one_by_one<'a>(direction: Direction<'a>, of_a: SocketAddr, b: &'a UdpSocket) -> Direction<'a> {
    direction
        .reading("recv", move |_| async move {
            let mut buf = room();
            let len = b.recv(&mut buf).await?;
            got_out(&buf[..len])
        })
        .reading("recv_vectored", move |mut rng| async move {
            let mut buf = room();
            let (first, second) = buf.split_at_mut(rng.below(MOST));
            let bufs = &mut [IoSliceMut::new(first), IoSliceMut::new(second)];
            let len = b.recv_vectored(bufs).await?;
            got_out(&buf[..len])
        })
        .reading("recv_from", move |_| async move {
            let mut buf = room();
            let (len, from) = b.recv_from(&mut buf).await?;
            assert_eq!(from, of_a);
            got_out(&buf[..len])
        })
        .reading("peek", move |mut rng| async move {
            let mut buf = rng.room(MOST);
            let len = b.peek(&mut buf).await?;
            peeked(&buf[..len])
        })
        .reading("peek_from", move |mut rng| async move {
            let mut buf = rng.room(MOST);
            let (len, from) = b.peek_from(&mut buf).await?;
            assert_eq!(from, of_a);
            peeked(&buf[..len])
        })
        .reading("peek_sender", move |_| async move {
            assert_eq!(b.peek_sender().await?, of_a);
            Ok(Moved::Nothing)
        })
        .reading("readable", move |_| async move {
            b.readable().await?;
            Ok(Moved::Nothing)
        })
        .reading("readable, try_recv", move |_| async move {
            let mut buf = room();
            loop {
                b.readable().await?;
                match b.try_recv(&mut buf) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    len => return got_out(&buf[..len?]),
                }
            }
        })
        .reading("ready", move |_| async move {
            b.ready(Interest::READABLE).await?;
            Ok(Moved::Nothing)
        })
        .reading("async_io", move |_| async move {
            let mut buf = room();
            let receive = || b.try_recv(&mut buf);
            let len = b.async_io(Interest::READABLE, receive).await?;
            got_out(&buf[..len])
        })
        .reading("poll_recv", move |_| async move {
            let mut buf = room();
            let len = poll_fn(|cx| b.poll_recv(cx, &mut buf)).await?;
            got_out(&buf[..len])
        })
        .reading("poll_recv_from", move |_| async move {
            let mut buf = room();
            let (len, _) = poll_fn(|cx| b.poll_recv_from(cx, &mut buf)).await?;
            got_out(&buf[..len])
        })
        .reading("poll_peek", move |_| async move {
            let mut buf = room();
            let len = poll_fn(|cx| b.poll_peek(cx, &mut buf)).await?;
            peeked(&buf[..len])
        })
        .reading("poll_peek_from", move |_| async move {
            let mut buf = room();
            let (len, _) = poll_fn(|cx| b.poll_peek_from(cx, &mut buf)).await?;
            peeked(&buf[..len])
        })
        .reading("poll_peek_sender", move |_| async move {
            assert_eq!(poll_fn(|cx| b.poll_peek_sender(cx)).await?, of_a);
            Ok(Moved::Nothing)
        })
        .reading("poll_recv_ready", move |_| async move {
            poll_fn(|cx| b.poll_recv_ready(cx)).await?;
            Ok(Moved::Nothing)
        })
}

#[test]
fn udp_sockets() {
    for_seeds(60, async |rng| {
        let (a, b) = udp_pair().await;
        let left = {
            let there = one_by_one(udp(&a, &b), a.local_addr().unwrap(), &b);
            let back = one_by_one(udp(&b, &a), b.local_addr().unwrap(), &a);
            exercise(vec![there, back], rng).await
        };
        drop((a, b));
        left.are_gone().await;
    });
}

#[test]
fn udp_sockets_whose_datagrams_the_kernel_puts_together() {
    for_seeds(40, async |rng| {
        let (a, b) = udp_pair().await;
        a.set_gro(true).unwrap();
        b.set_gro(true).unwrap();
        let left = exercise(vec![udp(&a, &b), udp(&b, &a)], rng).await;
        drop((a, b));
        left.are_gone().await;
    });
}
