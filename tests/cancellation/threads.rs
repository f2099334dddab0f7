//! Several threads at once, each with a runtime of its own, on one socket: every message arrives once.

use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::task::Poll;
use std::thread;

use futures::poll;
use runtime::net::UnixSeqpacket;
use runtime::task::yield_now;

use crate::bytes::with_small_buffers;
use crate::seeds::{Rng, for_seeds};

const SENDERS: u64 = 2;
const RECEIVERS: u64 = 3;
const EACH: u64 = 200;

/// Awaits an operation, or drops it after some polls.
async fn perhaps<T>(op: impl Future<Output = io::Result<T>>, rng: &mut Rng) -> Option<T> {
    let mut op: Pin<&mut _> = pin!(op);
    for _ in 0..rng.below(3) {
        if let Poll::Ready(done) = poll!(&mut op) {
            return Some(done.unwrap());
        }
        for _ in 0..rng.below(100) {
            yield_now().await;
        }
    }
    // Now and then it is awaited after all, which needs a wake.
    if rng.once_in(3) { Some(op.await.unwrap()) } else { None }
}

async fn send(socket: &UnixSeqpacket, numbers: impl Iterator<Item = u64>, mut rng: Rng) {
    for number in numbers {
        while perhaps(socket.send(&number.to_ne_bytes()), &mut rng).await.is_none() {}
    }
}

async fn receive(socket: &UnixSeqpacket, received: &Mutex<Vec<u64>>, mut rng: Rng) {
    loop {
        let mut number = [0; 8];
        match perhaps(socket.recv(&mut number), &mut rng).await {
            None => {}
            Some(record) if record.len == 0 => return,
            Some(_) => received.lock().unwrap().push(u64::from_ne_bytes(number)),
        }
    }
}

#[test]
fn every_message_arrives_once() {
    for_seeds(15, async |rng| {
        let (to, from) = UnixSeqpacket::pair().unwrap();
        with_small_buffers(&to);
        let received = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..RECEIVERS {
                let (from, received, rng) = (&from, &received, rng.fork());
                scope.spawn(|| runtime::block_on(receive(from, received, rng)));
            }
            let senders: Vec<_> = (0..SENDERS)
                .map(|sender| {
                    let (to, rng) = (&to, rng.fork());
                    let numbers = sender * EACH..(sender + 1) * EACH;
                    scope.spawn(|| runtime::block_on(send(to, numbers, rng)))
                })
                .collect();
            senders.into_iter().for_each(|sender| sender.join().unwrap());
            // The receivers' end.
            to.shutdown(Shutdown::Write).unwrap();
        });
        let mut received = received.into_inner().unwrap();
        received.sort_unstable();
        assert!(received.iter().copied().eq(0..SENDERS * EACH), "lost or doubled: {received:?}");
    });
}
