//! Waits, one by one: what their future's drop takes along, and what it leaves alone.

use std::future::{Future, poll_fn};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::poll;
use runtime::io::Source;
use runtime::task::yield_now;

use crate::exercise::{Wakes, Where, another_runtime, elsewhere};
use crate::seeds::{eventually, for_seeds, turn};

fn pair() -> (Source<UnixStream>, UnixStream) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    (Source::new(a), b)
}

async fn read(source: &Source<UnixStream>) -> u8 {
    let mut byte = [0];
    source.read_with(|mut source| source.read_exact(&mut byte)).await.unwrap();
    byte[0]
}

fn counted() -> (Arc<Wakes>, Waker) {
    let wakes = Arc::new(Wakes::default());
    (wakes.clone(), Waker::from(wakes))
}

/// The event wakes two tasks that read, and one of them is aborted before it has run: the byte is the
/// other's.
#[test]
fn a_reader_aborted_after_the_event_leaves_the_byte_to_the_other() {
    for_seeds(4, async |rng| {
        let (source, mut peer) = pair();
        let source = Rc::new(source);
        // This task waits first and is woken first: it sees the event before the readers do.
        let mut event = pin!(source.readable());
        assert!(poll!(&mut event).is_pending());
        let mut readers: Vec<_> = (0..2)
            .map(|_| {
                let source = source.clone();
                runtime::spawn(async move { read(&source).await })
            })
            .collect();
        yield_now().await;
        peer.write_all(b"x").unwrap();
        event.await.unwrap();
        let aborted = readers.swap_remove(rng.below(2));
        aborted.abort();
        assert!(aborted.await.unwrap_err().is_cancelled());
        assert_eq!(readers.remove(0).await.unwrap(), b'x');
    });
}

/// As above, but the one that is dropped had been woken and was polled by hand.
#[test]
fn a_dropped_wait_does_not_take_the_wake_of_its_neighbours() {
    for_seeds(6, async |rng| {
        let (source, mut peer) = pair();
        let (wakes, wakers): (Vec<_>, Vec<_>) = (0..4).map(|_| counted()).unzip();
        let mut waits: Vec<_> = (0..4).map(|_| Some(Box::pin(read(&source)))).collect();
        for (wait, waker) in waits.iter_mut().flatten().zip(&wakers) {
            assert!(wait.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        }
        let (before, after) = (rng.below(4), rng.below(4));
        waits[before] = None;
        peer.write_all(b"x").unwrap();
        eventually(
            || wakes.iter().enumerate().all(|(i, wakes)| i == before || wakes.get() == 1),
            "woken",
        )
        .await;
        assert_eq!(wakes[before].get(), 0);
        waits[after] = None;
        let mut bytes = 0;
        for (wait, waker) in waits.iter_mut().flatten().zip(&wakers) {
            if let Poll::Ready(byte) = wait.as_mut().poll(&mut Context::from_waker(waker)) {
                assert_eq!(byte, b'x');
                bytes += 1;
            }
        }
        assert_eq!(bytes, 1);
    });
}

/// A poll by hand leaves its waker with the descriptor; the next event takes it.
#[test]
fn the_waker_of_a_poll_by_hand_stays_until_the_next_event() {
    for_seeds(1, async |_| {
        let (source, mut peer) = pair();
        let (wakes, waker) = counted();
        for _ in 0..3 {
            assert!(source.poll_read_ready(&mut Context::from_waker(&waker)).is_pending());
        }
        drop(waker);
        turn().await;
        assert_eq!((Arc::strong_count(&wakes), wakes.get()), (2, 0));
        peer.write_all(b"x").unwrap();
        eventually(|| wakes.get() == 1, "the event wakes it").await;
        assert!(wakes.are_over());
    });
}

/// Waits here, then on another thread, and is dropped here, while its waker is still on its way.
#[test]
fn a_wait_that_has_left_home_is_forgotten_too() {
    for_seeds(1, async |_| {
        let (source, _peer) = pair();
        let (wakes, waker) = counted();
        let mut wait = Box::pin(read(&source));
        let mut poll = || wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending();
        assert!(poll());
        assert!(elsewhere(Where::WithoutARuntime, poll));
        drop((wait, waker));
        eventually(|| wakes.are_over(), "the waker arrived after its future had gone").await;
    });
}

/// Waits here, then on another thread, then here again: its waker of elsewhere arrives last, and must not
/// take the place of the one that is to be woken now.
#[test]
fn a_wait_that_has_been_away_is_woken_at_home() {
    for_seeds(1, async |_| {
        let (source, mut peer) = pair();
        let (wakes, waker) = counted();
        let mut wait = Box::pin(read(&source));
        let mut poll_by =
            |waker: &Waker| wait.as_mut().poll(&mut Context::from_waker(waker)).is_pending();
        assert!(poll_by(Waker::noop()));
        assert!(elsewhere(Where::WithoutARuntime, || poll_by(Waker::noop())));
        assert!(poll_by(&waker));
        drop(waker);
        // What was sent from there arrives.
        turn().await;
        turn().await;
        peer.write_all(b"x").unwrap();
        eventually(|| wakes.get() > 0, "it was not woken at home").await;
    });
}

/// Asks another runtime to register, which does, and is dropped without having been polled again.
#[test]
fn a_wait_asked_of_another_runtime_is_forgotten_there() {
    for_seeds(1, async |_| {
        let (source, _peer) = pair();
        let (wakes, waker) = counted();
        let handle = another_runtime();
        let mut wait = Box::pin(read(&source));
        assert!(elsewhere(Where::InThisRuntime(handle), || {
            wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
        }));
        // It has carried out what came before this.
        handle.spawn(async {}).await.unwrap();
        drop((wait, waker));
        eventually(|| wakes.are_over(), "the other runtime keeps the waker").await;
    });
}

/// Asks another runtime to register, and does it itself before that one has got to it.
#[test]
fn a_wait_asked_of_another_runtime_and_then_had_at_home_is_forgotten_there() {
    for_seeds(50, async |_| {
        let (source, mut peer) = pair();
        let (wakes, waker) = counted();
        let mut wait = Box::pin(read(&source));
        elsewhere(Where::InThisRuntime(another_runtime()), || {
            assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        });
        assert!(poll!(&mut wait).is_pending());
        drop(waker);
        eventually(|| wakes.are_over(), "the other runtime keeps the waker").await;
        peer.write_all(b"x").unwrap();
        assert_eq!(wait.await, b'x');
    });
}

/// Readiness that has come and was not used is the next one's.
#[test]
fn readiness_that_a_dropped_future_had_waited_for_is_not_lost() {
    for_seeds(1, async |_| {
        let (source, mut peer) = pair();
        let mut wait = Box::pin(source.readable());
        assert!(poll!(&mut wait).is_pending());
        peer.write_all(b"x").unwrap();
        // The event has come, and its future goes without having been polled.
        poll_fn(|cx| source.poll_read_ready(cx)).await.unwrap();
        drop(wait);
        assert_eq!(read(&source).await, b'x');
        let empty = source.try_io(runtime::io::Interest::READABLE, |mut a| a.read(&mut [0]));
        assert_eq!(empty.unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

/// Its home is gone, and a runtime of another thread is entered where it is polled: that one wakes it.
#[test]
fn a_timer_whose_runtime_is_gone_waits_with_the_one_that_is_entered() {
    for_seeds(1, async |_| {
        let soon = || Box::pin(runtime::time::sleep(Duration::from_millis(1)));
        let mut timer = elsewhere(Where::InARuntimeOfItsOwn, soon);
        let (wakes, waker) = counted();
        let mut is_pending = || {
            let mut poll = || timer.as_mut().poll(&mut Context::from_waker(&waker)).is_pending();
            elsewhere(Where::InThisRuntime(another_runtime()), &mut poll)
        };
        if is_pending() {
            eventually(|| wakes.get() > 0, "it was not woken").await;
        }
        assert!(!is_pending());
    });
}
