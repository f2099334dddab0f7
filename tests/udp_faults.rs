//! What sendmmsg(2) may refuse or leave undone, injected where this executable's own function stands
//! before libc's: each thread has its own faults, so the tests do not disturb each other.
#![allow(unsafe_code)]

mod support;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ffi::{c_int, c_long};
use std::io::ErrorKind;
use std::pin::pin;

use futures::poll;
use runtime::net::UdpSocket;
use runtime::net::udp::Datagram;
use support::faults::{fail, forward};
use support::run;

/// What a call was asked to send: of each message its bytes and its segment size, if it had one.
type Call = Vec<(usize, Option<u16>)>;

thread_local! {
    /// The errors that the coming calls fail with.
    static FAULTS: RefCell<VecDeque<c_int>> = const { RefCell::new(VecDeque::new()) };
    /// Segment sizes from the first on are refused, with the second.
    static REFUSED: Cell<(u16, c_int)> = const { Cell::new((u16::MAX, 0)) };
    /// How many messages a call sends at most.
    static MOST: Cell<usize> = const { Cell::new(usize::MAX) };
    static CALLS: RefCell<Vec<Call>> = const { RefCell::new(Vec::new()) };
}

/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn sendmmsg(
    socket: c_int,
    messages: *mut libc::mmsghdr,
    count: u32,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller says that there are as many messages.
    let call: Call = unsafe { std::slice::from_raw_parts(messages, count as usize) }
        .iter()
        // SAFETY: and each has what its header points to.
        .map(|message| unsafe { ((*message.msg_hdr.msg_iov).iov_len, segment_size(message)) })
        .collect();
    let (refused, errno) = REFUSED.get();
    let taken = call.iter().take_while(|(_, size)| size.is_none_or(|size| size < refused)).count();
    CALLS.with_borrow_mut(|calls| calls.push(call));
    let fault = FAULTS.with_borrow_mut(VecDeque::pop_front);
    if let Some(errno) = fault.or((taken == 0).then_some(errno)) {
        return fail(errno);
    }
    let most = taken.min(MOST.get()) as c_long;
    forward!(SYS_sendmmsg, socket, messages, most, flags) as c_int
}

/// The segment size among a message's control messages.
///
/// # Safety
///
/// What the header says of them has to be so.
unsafe fn segment_size(message: &libc::mmsghdr) -> Option<u16> {
    // SAFETY: as the caller says; the macros stay within the length that the header gives.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(&message.msg_hdr);
        while let Some(header) = control.as_ref() {
            if (header.cmsg_level, header.cmsg_type) == (libc::SOL_UDP, libc::UDP_SEGMENT) {
                return Some(libc::CMSG_DATA(header).cast::<u16>().read_unaligned());
            }
            control = libc::CMSG_NXTHDR(&message.msg_hdr, header);
        }
    }
    None
}

fn calls() -> Vec<Call> {
    CALLS.take()
}

/// A sender whose peer is the receiver.
async fn pair() -> (UdpSocket, UdpSocket) {
    let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    sender.connect(receiver.local_addr().unwrap()).await.unwrap();
    (sender, receiver)
}

/// The next datagrams, so many, after which there are no others.
async fn arrived(receiver: &UdpSocket, count: usize) -> Vec<Vec<u8>> {
    let mut buf = vec![0; 65_536];
    let mut all = Vec::new();
    for _ in 0..count {
        let len = receiver.recv(&mut buf).await.unwrap();
        all.push(buf[..len].to_vec());
    }
    assert_eq!(receiver.try_recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
    all
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| i as u8).collect()
}

#[test]
fn where_the_kernel_cannot_cut_we_do_and_remember() {
    run(async {
        for errno in [libc::EIO, libc::EOPNOTSUPP] {
            let (sender, receiver) = pair().await;
            REFUSED.set((0, errno));
            let sent = bytes(250);
            assert_eq!(sender.send_segmented(&sent, 100).await.unwrap(), 250);
            assert_eq!(arrived(&receiver, 3).await, [&sent[..100], &sent[100..200], &sent[200..]]);
            let one_by_one = vec![(100, None), (100, None), (50, None)];
            assert_eq!(calls(), [vec![(250, Some(100))], one_by_one.clone()]);

            // Of any size, and also when the kernel could do it now.
            REFUSED.set((u16::MAX, 0));
            assert_eq!(sender.send_segmented(&sent, 100).await.unwrap(), 250);
            assert_eq!(sender.send_segmented(&sent, 200).await.unwrap(), 250);
            assert_eq!(sender.send_segmented(&sent[..100], 50).await.unwrap(), 100);
            let (larger, smaller) = (vec![(200, None), (50, None)], vec![(50, None), (50, None)]);
            assert_eq!(calls(), [one_by_one, larger, smaller]);
            let all = [&sent[..], &sent[..], &sent[..100]].concat();
            assert_eq!(arrived(&receiver, 7).await.concat(), all);
        }
    });
}

#[test]
fn a_size_that_is_refused_leaves_smaller_ones_to_the_kernel() {
    run(async {
        for errno in [libc::EINVAL, libc::EMSGSIZE] {
            let (sender, receiver) = pair().await;
            REFUSED.set((100, errno));
            let sent = bytes(250);
            for _ in 0..2 {
                assert_eq!(sender.send_segmented(&sent, 100).await.unwrap(), 250);
                assert_eq!(sender.send_segmented(&sent, 90).await.unwrap(), 250);
            }
            let by_us = vec![(100, None), (100, None), (50, None)];
            let by_the_kernel = vec![(250, Some(90))];
            assert_eq!(
                calls(),
                [
                    vec![(250, Some(100))],
                    by_us.clone(),
                    by_the_kernel.clone(),
                    by_us,
                    by_the_kernel
                ]
            );
            assert_eq!(arrived(&receiver, 12).await.concat(), sent.repeat(4));
        }
    });
}

#[test]
fn an_error_that_is_about_something_else_is_told_and_not_remembered() {
    run(async {
        let (sender, receiver) = pair().await;
        let sent = bytes(250);
        // With segments and without: it was not for the segments.
        FAULTS.with_borrow_mut(|faults| faults.extend([libc::EINVAL, libc::EINVAL]));
        let error = sender.send_segmented(&sent, 100).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        assert_eq!(calls().len(), 2);
        for errno in [libc::ECONNREFUSED, libc::EPERM, libc::ENOBUFS, libc::ENETUNREACH] {
            FAULTS.with_borrow_mut(|faults| faults.push_back(errno));
            let error = sender.send_segmented(&sent, 100).await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(errno));
            assert_eq!(calls().len(), 1, "no second try: {error}");
        }
        // Nor is anything tried again that had no segments.
        FAULTS.with_borrow_mut(|faults| faults.push_back(libc::EIO));
        let error = sender.send_segmented(&sent[..100], 100).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EIO));
        assert_eq!(calls(), [[(100, None)]]);
        assert!(arrived(&receiver, 0).await.is_empty());

        assert_eq!(sender.send_segmented(&sent, 100).await.unwrap(), 250);
        assert_eq!(calls(), [[(250, Some(100))]], "still the kernel");
        assert_eq!(arrived(&receiver, 3).await.concat(), sent);
    });
}

#[test]
fn what_was_sent_in_part_goes_on_from_there() {
    run(async {
        for most in 1..=6 {
            let (sender, receiver) = pair().await;
            REFUSED.set((0, libc::EIO));
            MOST.set(most);
            let sent = [bytes(250), bytes(30), bytes(500)];
            let mut batch = [
                Datagram::new(&sent[0]).segment_size(100),
                Datagram::new(&sent[1]),
                Datagram::new(&sent[2]).segment_size(70),
            ];
            let mut rest = &mut batch[..];
            while !rest.is_empty() {
                let done = sender.send_many(rest).await.unwrap();
                rest = &mut rest[done..];
            }
            assert_eq!(arrived(&receiver, 12).await.concat(), sent.concat(), "{most} a call");

            let mut rest = &sent[2][..];
            while !rest.is_empty() {
                let done = sender.send_segmented(rest, 70).await.unwrap();
                assert!(done > 0);
                rest = &rest[done..];
            }
            assert_eq!(arrived(&receiver, 8).await.concat(), sent[2], "{most} a call");
        }
    });
}

/// Numbers below `end`, the same for the same seed (an LCG).
fn below(seed: &mut u64, end: usize) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) as usize % end
}

#[test]
fn whatever_is_refused_or_cut_short_each_byte_arrives_once_and_in_order() {
    run(async {
        for seed in 0..500 {
            let mut random = seed;
            let (sender, receiver) = pair().await;
            let sent: Vec<_> = (0..8).map(|_| bytes(below(&mut random, 300))).collect();
            let mut batch: Vec<_> = sent
                .iter()
                .map(|bytes| match below(&mut random, 3) {
                    0 => Datagram::new(bytes),
                    _ => Datagram::new(bytes).segment_size(20 + below(&mut random, 300)),
                })
                .collect();
            let datagrams = |bytes: &[u8], size| bytes.len().div_ceil(size).max(1);
            let number: usize = batch
                .iter()
                .map(|datagram| datagrams(datagram.contents, datagram.segment_size.unwrap_or(300)))
                .sum();
            let mut rest = &mut batch[..];
            while !rest.is_empty() {
                let errno = [libc::EIO, libc::EINVAL, libc::EMSGSIZE][below(&mut random, 3)];
                REFUSED.set((below(&mut random, 400) as u16, errno));
                MOST.set(1 + below(&mut random, 10));
                let done = sender.send_many(rest).await.unwrap();
                rest = &mut rest[done..];
            }
            println!("seed {seed}");
            assert!(arrived(&receiver, number).await.concat() == sent.concat());
        }
    });
}

#[test]
fn what_is_longer_than_the_kernel_takes_is_several_messages_of_one_call() {
    run(async {
        let (sender, receiver) = pair().await;
        let sent = bytes(1_500);
        assert_eq!(sender.send_segmented(&sent, 10).await.unwrap(), 1_500);
        assert_eq!(calls(), [[(640, Some(10)), (640, Some(10)), (220, Some(10))]]);
        assert_eq!(arrived(&receiver, 150).await.concat(), sent);
        let sent = bytes(100_000);
        assert_eq!(sender.send_segmented(&sent, 30_000).await.unwrap(), 100_000);
        assert_eq!(calls(), [[(60_000, Some(30_000)), (40_000, Some(30_000))]]);
        assert_eq!(arrived(&receiver, 4).await.concat(), sent);
    });
}

#[test]
fn a_refusal_within_a_batch_ends_the_call_before_it() {
    run(async {
        let (sender, receiver) = pair().await;
        REFUSED.set((0, libc::EIO));
        let sent = bytes(250);
        let mut batch = [Datagram::new(b"plain"), Datagram::new(&sent).segment_size(100)];
        assert_eq!(sender.send_many(&mut batch).await.unwrap(), 1);
        assert_eq!(sender.send_many(&mut batch[1..]).await.unwrap(), 1);
        assert_eq!(calls().len(), 3);
        assert_eq!(arrived(&receiver, 4).await.concat(), [b"plain", &sent[..]].concat());
    });
}

#[test]
fn a_send_that_is_dropped_while_it_waits_has_sent_nothing() {
    run(async {
        let sent = bytes(250);
        for no_room in [&[libc::EAGAIN][..], &[libc::EIO, libc::EAGAIN]] {
            let refuse = || FAULTS.with_borrow_mut(|faults| faults.extend(no_room));
            // Of one socket only the first wait ends: there is room, and no edge will come.
            let (sender, receiver) = pair().await;
            let mut batch = [Datagram::new(&sent).segment_size(100)];
            {
                let mut send = pin!(sender.send_many(&mut batch));
                refuse();
                assert!(poll!(send.as_mut()).is_pending());
                // The event is there, and perhaps the wake; the future goes without its poll.
                sender.writable().await.unwrap();
            }
            assert!(arrived(&receiver, 0).await.is_empty());
            refuse();
            let error = sender.try_send_many(&mut batch).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            assert_eq!(sender.try_send_many(&mut batch).unwrap(), 1);
            assert_eq!(arrived(&receiver, 3).await.concat(), sent);

            let (sender, receiver) = pair().await;
            refuse();
            assert_eq!(sender.send_many(&mut batch).await.unwrap(), 1);
            assert_eq!(arrived(&receiver, 3).await.concat(), sent);
            assert_eq!(batch[0].contents, sent);
        }
    });
}
