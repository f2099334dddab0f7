//! One buffer of many datagrams: cut by the kernel on its way out, put together on its way in.

use std::io::{ErrorKind, IoSliceMut};

use runtime::net::UdpSocket;
use runtime::net::udp::{Datagram, Received};

use super::pair;
use crate::support::run;

/// Bytes that differ from each other, so that none can be lost or doubled unseen.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
}

/// Receives datagrams one by one until there are `len` bytes; their sizes and all bytes.
async fn receive(socket: &UdpSocket, len: usize) -> (Vec<usize>, Vec<u8>) {
    let (mut sizes, mut all) = (Vec::new(), Vec::new());
    let mut buf = vec![0; 65_536];
    while all.len() < len {
        let n = socket.recv(&mut buf).await.unwrap();
        sizes.push(n);
        all.extend_from_slice(&buf[..n]);
    }
    (sizes, all)
}

#[test]
fn a_buffer_becomes_datagrams_of_one_size() {
    run(async {
        let (a, _, b, b_addr) = pair().await;
        let sent = bytes(2500);
        assert_eq!(a.send_segmented_to(&sent, 1000, b_addr).await.unwrap(), 2500);
        let (sizes, received) = receive(&b, 2500).await;
        assert_eq!((sizes, received), (vec![1000, 1000, 500], sent));

        a.connect(b_addr).await.unwrap();
        for (len, size) in [(2000, 1000), (1000, 1000), (5, 1000), (3, 1)] {
            let sent = bytes(len);
            assert_eq!(a.send_segmented(&sent, size).await.unwrap(), len);
            let (sizes, received) = receive(&b, len).await;
            assert_eq!((sizes.len(), received), (len.div_ceil(size), sent));
        }
        assert_eq!(a.send_segmented(&[], 1000).await.unwrap(), 0);
        assert_eq!(b.recv(&mut [0; 8]).await.unwrap(), 0, "an empty datagram is one");
    });
}

#[test]
fn over_ipv6() {
    run(async {
        let b = match UdpSocket::bind("[::1]:0").await {
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
                return eprintln!("skipped: {error}");
            }
            socket => socket.unwrap(),
        };
        b.set_gro(true).unwrap();
        let a = UdpSocket::bind("[::1]:0").await.unwrap();
        a.connect(b.local_addr().unwrap()).await.unwrap();
        let sent = bytes(64 * 1000);
        assert_eq!(a.send_segmented(&sent, 1000).await.unwrap(), sent.len());
        let mut buf = vec![0; 65_536];
        let received = b.recv_segmented(&mut buf).await.unwrap();
        assert_eq!((received.len, received.segment_size), (sent.len(), 1000));
        assert_eq!(received.from, a.local_addr().unwrap());
        assert!(buf[..received.len] == sent);
    });
}

#[test]
fn more_than_the_kernel_takes_at_once() {
    run(async {
        let (a, _, b, b_addr) = pair().await;
        a.connect(b_addr).await.unwrap();
        // By number of segments, by bytes, and both.
        for (len, size) in [(1_500, 10), (95_000, 1_400), (130_001, 30_000), (70_000, 60_000)] {
            let sent = bytes(len);
            let (mut sizes, mut received) = (Vec::new(), Vec::new());
            while received.len() < len {
                let sent = a.send_segmented(&sent[received.len()..], size).await.unwrap();
                // Before the next one: what the receiver has no room for would be lost.
                let (more_sizes, more) = receive(&b, sent).await;
                sizes.extend(more_sizes);
                received.extend(more);
            }
            assert!(received == sent, "{len} bytes of {size}");
            assert!(sizes[..sizes.len() - 1].iter().all(|n| *n == size), "{sizes:?}");
        }
    });
}

#[test]
fn a_segment_size_of_nothing_is_an_error() {
    run(async {
        let (a, _, _b, b_addr) = pair().await;
        let error = a.send_segmented_to(b"abc", 0, b_addr).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("segment size of 0"), "{error}");
        // One that is larger than any datagram is not: there is nothing to cut.
        assert_eq!(a.send_segmented_to(b"abc", usize::MAX, b_addr).await.unwrap(), 3);
        let error = a.send_segmented_to(&bytes(70_000), 66_000, b_addr).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
    });
}

#[test]
fn datagrams_put_together_come_apart_again() {
    run(async {
        let (a, a_addr, b, b_addr) = pair().await;
        b.set_gro(true).unwrap();
        assert!(b.gro().unwrap());
        let sent = bytes(2500);
        assert_eq!(a.send_segmented_to(&sent, 1000, b_addr).await.unwrap(), 2500);
        let mut buf = vec![0; 65_536];
        let received = b.recv_segmented(&mut buf).await.unwrap();
        assert_eq!((received.len, received.segment_size, received.from), (2500, 1000, a_addr));
        let segments: Vec<&[u8]> = received.segments(&buf).collect();
        assert_eq!(segments, [&sent[..1000], &sent[1000..2000], &sent[2000..]]);

        a.send_to(b"", b_addr).await.unwrap();
        let received = b.recv_segmented(&mut buf).await.unwrap();
        assert_eq!((received.len, received.segment_size), (0, 0));
        assert_eq!(received.segments(&buf).collect::<Vec<_>>(), [b""]);

        assert_eq!(a.send_segmented_to(&sent, 1000, b_addr).await.unwrap(), 2500);
        let received = b.recv_segmented(&mut buf[..1500]).await.unwrap();
        assert_eq!((received.len, received.truncated), (1500, true));
    });
}

#[test]
fn without_gro_each_comes_by_itself() {
    run(async {
        let (a, _, b, b_addr) = pair().await;
        assert_eq!(a.send_segmented_to(&bytes(2500), 1000, b_addr).await.unwrap(), 2500);
        let mut buf = vec![0; 65_536];
        for size in [1000, 1000, 500] {
            let received = b.recv_segmented(&mut buf).await.unwrap();
            assert_eq!((received.len, received.segment_size), (size, size));
        }
    });
}

#[test]
fn batches_of_segments() {
    run(async {
        let (a, _, b, b_addr) = pair().await;
        b.set_gro(true).unwrap();
        let sent = [bytes(2500), bytes(700), bytes(3_000)];
        let mut batch = [
            Datagram::new(&sent[0]).segment_size(1000).to(b_addr),
            Datagram::new(&sent[1]).to(b_addr),
            Datagram::new(&sent[2]).segment_size(600).to(b_addr),
        ];
        assert_eq!(a.send_many(&mut batch).await.unwrap(), 3);
        let mut room = [(); 3].map(|()| vec![0; 65_536]);
        let mut received = [Received::default(); 3];
        let mut next = 0;
        while next < 3 {
            let mut bufs = room.each_mut().map(|buf| IoSliceMut::new(buf));
            next += b.recv_many(&mut bufs[next..], &mut received[next..]).await.unwrap();
        }
        let told = received.map(|received| (received.len, received.segment_size));
        assert_eq!(told, [(2500, 1000), (700, 700), (3_000, 600)]);
        for ((received, buf), sent) in received.iter().zip(&room).zip(&sent) {
            assert_eq!(&buf[..received.len], sent);
        }
    });
}

#[test]
#[should_panic(expected = "range end index 3 out of range")]
fn the_segments_of_another_buffer() {
    let mut received = Received::default();
    received.len = 3;
    received.segments(&[0; 2]).for_each(drop);
}
