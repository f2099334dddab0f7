//! Timers that are set, moved, dropped, and come: none too early.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use runtime::task::{JoinSet, yield_now};
use runtime::time::{Instant, boottime, interval, sleep, timeout};

use super::share::{Share, all};

const TASKS: usize = 300;
/// In microseconds.
const LONGEST: usize = 30_000;

pub(crate) async fn run(mut share: Share) -> io::Result<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(ticks(share.part()));
    for _ in 0..TASKS {
        tasks.spawn(one(share.part()));
    }
    all(tasks).await
}

async fn one(mut share: Share) -> io::Result<()> {
    let mut duration = || Duration::from_micros(share.random.below(LONGEST) as u64);
    let (first, second) = (duration(), duration());
    let start = Instant::now();
    match share.random.below(6) {
        0 => {
            sleep(first).await;
            assert!(
                start.elapsed() >= first,
                "a sleep of {first:?} ends after {:?}",
                start.elapsed()
            );
        }
        1 => {
            let mut moved = pin!(sleep(first));
            assert!(is_pending(moved.as_mut()) || start.elapsed() >= first);
            moved.as_mut().reset(start + second);
            moved.await;
            assert!(start.elapsed() >= second, "a sleep that was moved ends too early");
        }
        2 => {
            let dropped = Box::pin(sleep(first));
            yield_now().await;
            drop(dropped);
        }
        3 => assert_eq!(timeout(Duration::from_secs(3600), async { 1 }).await, Ok(1)),
        4 => {
            let pending = timeout(first, std::future::pending::<()>()).await;
            assert!(pending.is_err() && start.elapsed() >= first, "a timeout that ends too early");
        }
        _ => {
            let start = boottime::Instant::now();
            boottime::sleep(first).await;
            assert!(start.elapsed() >= first, "a sleep on the other clock ends too early");
        }
    }
    share.done();
    Ok(())
}

fn is_pending(future: Pin<&mut impl Future>) -> bool {
    matches!(future.poll(&mut Context::from_waker(Waker::noop())), Poll::Pending)
}

async fn ticks(share: Share) -> io::Result<()> {
    let mut ticks = interval(Duration::from_millis(1));
    let mut last = ticks.tick().await;
    for _ in 0..20 {
        let tick = ticks.tick().await;
        assert!(tick > last && Instant::now() >= tick, "a tick too early");
        last = tick;
        share.done();
    }
    Ok(())
}
