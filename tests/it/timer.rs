//! Timers: never early, in order, and at home on whichever runtime or thread polls them.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use futures::poll;
use futures::stream::{FuturesUnordered, StreamExt};
use runtime::Runtime;
use runtime::task::JoinSet;
use runtime::time::{Instant, Sleep, pause, sleep, sleep_until};

use crate::support::{begun, limited, run};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Numbers below `below` in no order, the same each time.
fn scattered(count: u64, below: u64) -> impl Iterator<Item = u64> {
    (1..=count).map(move |i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % below)
}

/// A waker that counts.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Wakes {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A sleep that was made on `home`, and has begun to wait there if it was `polled`.
fn sleep_of(home: &Runtime, duration: Duration, polled: bool) -> Sleep {
    home.block_on(poll_fn(|cx| {
        Poll::Ready(if polled { begun(duration, cx.waker()) } else { sleep(duration) })
    }))
}

/// A sleep whose runtime is gone.
fn orphan(duration: Duration, polled: bool) -> Sleep {
    sleep_of(&Runtime::new().unwrap(), duration, polled)
}

#[test]
fn nothing_fires_early() {
    run(async {
        let mut set = JoinSet::new();
        for nanos in scattered(3_000, 20_000_000) {
            set.spawn(async move {
                let duration = Duration::from_nanos(nanos);
                let (ours, std) = (Instant::now(), std::time::Instant::now());
                sleep(duration).await;
                assert!(ours.elapsed() >= duration, "{duration:?} on our clock");
                assert!(std.elapsed() >= duration, "{duration:?} on std's clock");
            });
        }
        set.join_all().await;
    });
}

#[test]
fn deadlines_fire_in_order() {
    run(async {
        pause();
        let fired = Rc::new(RefCell::new(Vec::new()));
        let mut set = JoinSet::new();
        for nanos in scattered(1_000, 1_000_000) {
            let fired = fired.clone();
            set.spawn(async move {
                sleep(Duration::from_nanos(nanos)).await;
                fired.borrow_mut().push(nanos);
            });
        }
        set.join_all().await;
        assert_eq!(fired.borrow().len(), 1_000);
        assert!(fired.borrow().is_sorted());
    });
}

/// Wake-ups that follow each other closely are set in the kernel two at a time, and those alone are not.
#[test]
fn sleeps_close_together_end_and_so_does_one_alone_after_them() {
    run(async {
        for _ in 0..5 {
            let mut set = JoinSet::new();
            for micros in 0..200 {
                set.spawn(sleep(Duration::from_micros(50 * micros)));
            }
            set.join_all().await;
            sleep(3 * MS).await;
            sleep(3 * MS).await;
        }
    });
}

#[test]
fn a_hundred_thousand_sleeps_fire_in_order_and_on_the_dot() {
    run(async {
        pause();
        let start = Instant::now();
        let mut set = JoinSet::new();
        for nanos in scattered(100_000, 1_000_000_000_000) {
            set.spawn(async move {
                sleep_until(start + Duration::from_nanos(nanos)).await;
                (start.elapsed().as_nanos() as u64, nanos)
            });
        }
        let fired = set.join_all().await;
        assert_eq!(fired.len(), 100_000);
        assert!(fired.is_sorted());
        assert!(fired.iter().all(|(at, due)| at == due));
    });
}

#[test]
fn one_deadline_may_have_several_sleeps() {
    run(async {
        pause();
        let deadline = Instant::now() + HOUR;
        let (mut a, mut b) = (sleep_until(deadline), sleep_until(deadline));
        assert!(poll!(&mut a).is_pending() && poll!(&mut b).is_pending());
        runtime::join!(&mut a, &mut b);
        assert_eq!(Instant::now(), deadline);
        assert!(a.is_elapsed() && b.is_elapsed());
    });
}

#[test]
fn reset_moves_a_deadline_forwards_and_backwards() {
    run(async {
        pause();
        let start = Instant::now();
        let mut moved = sleep(5 * MS);
        assert!(poll!(&mut moved).is_pending());
        Pin::new(&mut moved).reset(start + 20 * MS);
        assert_eq!(moved.deadline(), start + 20 * MS);
        sleep(10 * MS).await;
        assert!(poll!(&mut moved).is_pending(), "it was to fire later");
        Pin::new(&mut moved).reset(start + 12 * MS);
        (&mut moved).await;
        assert_eq!(start.elapsed(), 12 * MS);
    });
}

#[test]
fn order_survives_any_resets_and_drops() {
    run(async {
        pause();
        let start = Instant::now();
        let at = |nanos| start + Duration::from_nanos(1 + nanos);
        let mut sleeps: Vec<Sleep> = scattered(900, 10_000).map(at).map(sleep_until).collect();
        for sleep in &mut sleeps {
            assert!(poll!(sleep).is_pending());
        }
        for (sleep, nanos) in sleeps.iter_mut().zip(scattered(900, 9_973)) {
            Pin::new(sleep).reset(at(nanos));
        }
        let kept = sleeps.into_iter().enumerate().filter(|(i, _)| i % 3 != 0);
        let kept: FuturesUnordered<_> = kept
            .map(|(_, mut sleep)| async move {
                (&mut sleep).await;
                sleep.deadline()
            })
            .collect();
        let fired: Vec<Instant> = kept.collect().await;
        assert_eq!(fired.len(), 600);
        assert!(fired.is_sorted());
    });
}

#[test]
fn reset_wakes_who_polled_before() {
    run(async {
        pause();
        let start = Instant::now();
        let mut moved = Box::pin(sleep(HOUR));
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(wakes.clone());
        assert!(moved.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        moved.as_mut().reset(start + MS);
        sleep(2 * MS).await;
        assert_eq!(wakes.count(), 1);
        assert!(moved.is_elapsed());
    });
}

#[test]
fn reset_starts_again_after_firing() {
    run(async {
        pause();
        let start = Instant::now();
        let mut again = sleep(MS);
        (&mut again).await;
        assert!(again.is_elapsed());
        Pin::new(&mut again).reset(start + 3 * MS);
        assert!(!again.is_elapsed());
        (&mut again).await;
        assert_eq!(start.elapsed(), 3 * MS);

        // Fired in the heap, not yet polled.
        Pin::new(&mut again).reset(start + 4 * MS);
        assert!(poll!(&mut again).is_pending());
        sleep(2 * MS).await;
        assert!(again.is_elapsed());
        Pin::new(&mut again).reset(start + 9 * MS);
        assert!(!again.is_elapsed());
        (&mut again).await;
        assert_eq!(start.elapsed(), 9 * MS);
    });
}

#[test]
fn a_dropped_sleep_wakes_nobody_and_disturbs_no_other() {
    run(async {
        pause();
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(wakes.clone());
        let mut sleeps: Vec<_> = scattered(200, 1_000)
            .map(|nanos| Box::pin(sleep(Duration::from_nanos(1 + nanos))))
            .collect();
        for sleep in &mut sleeps {
            assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        let mut index = 0;
        sleeps.retain(|_| {
            index += 1;
            index % 4 == 0
        });
        sleep(MS).await;
        assert_eq!(wakes.count(), 50);
        assert!(sleeps.iter().all(|sleep| sleep.is_elapsed()));
    });
}

#[test]
fn zero_and_the_past_are_there_at_once() {
    run(async {
        assert!(poll!(pin!(sleep(Duration::ZERO))).is_ready());
        assert!(poll!(pin!(sleep_until(Instant::now()))).is_ready());
        assert!(poll!(pin!(sleep_until(Instant::now() - HOUR))).is_ready());
        assert!(poll!(pin!(sleep_until(Instant::now() - Duration::MAX))).is_ready());
        let mut reset = sleep(HOUR);
        assert!(poll!(&mut reset).is_pending());
        Pin::new(&mut reset).reset(Instant::now() - Duration::MAX);
        reset.await;
    });
}

#[test]
fn the_longest_duration_never_comes() {
    run(async {
        let mut longest = sleep(Duration::MAX);
        assert!(poll!(&mut longest).is_pending());
        sleep(MS).await;
        assert!(poll!(&mut longest).is_pending());
        Pin::new(&mut longest).reset(Instant::now() + Duration::MAX);
        assert!(poll!(&mut longest).is_pending());

        // Nor does the test clock jump to it: what is waited for beside it comes from another thread.
        pause();
        let (tx, rx) = oneshot::channel();
        let start = Instant::now();
        let sender = thread::spawn(move || tx.send(1));
        let first = futures::future::select(longest, rx).await;
        assert!(matches!(first, futures::future::Either::Right((Ok(1), _))));
        assert_eq!(Instant::now(), start);
        sender.join().unwrap().unwrap();
    });
}

#[test]
fn a_new_waker_takes_the_place_of_the_last() {
    run(async {
        pause();
        let mut sleep_ = Box::pin(sleep(MS));
        let (first, second) = (Arc::new(Wakes::default()), Arc::new(Wakes::default()));
        for wakes in [&first, &second] {
            let waker = Waker::from(wakes.clone());
            assert!(sleep_.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        sleep(2 * MS).await;
        assert_eq!((first.count(), second.count()), (0, 1));
    });
}

#[test]
fn it_may_be_polled_on_another_runtime_of_the_thread() {
    limited(|| {
        let (home, other) = (Runtime::new().unwrap(), Runtime::new().unwrap());
        let start = Instant::now();
        let (unpolled, polled) = (sleep_of(&home, 2 * MS, false), sleep_of(&home, 3 * MS, true));
        other.block_on(async { runtime::join!(unpolled, polled) });
        assert!(start.elapsed() >= 3 * MS);
    });
}

#[test]
fn it_may_be_polled_on_the_runtime_of_another_thread() {
    limited(|| {
        let home = Runtime::new().unwrap();
        let start = Instant::now();
        let (unpolled, polled) = (sleep_of(&home, 2 * MS, false), sleep_of(&home, 3 * MS, true));
        let there = thread::spawn(move || {
            runtime::block_on(async { runtime::join!(unpolled, polled) });
        });
        there.join().unwrap();
        assert!(start.elapsed() >= 3 * MS);
        // What the other thread left in the inbox finds its entry.
        home.block_on(async { sleep(MS).await });
    });
}

#[test]
fn a_foreign_executor_may_poll_it_while_its_home_is_driven() {
    limited(|| {
        let (sleeps_tx, sleeps) = mpsc::channel();
        let (done_tx, done) = oneshot::channel::<()>();
        let start = Instant::now();
        let home = thread::spawn(move || {
            runtime::block_on(async {
                sleeps_tx.send((sleep(2 * MS), begun(3 * MS, Waker::noop()))).unwrap();
                done.await.unwrap();
            });
        });
        let (unpolled, polled) = sleeps.recv().unwrap();
        futures::executor::block_on(futures::future::join(unpolled, polled));
        assert!(start.elapsed() >= 3 * MS);
        done_tx.send(()).unwrap();
        home.join().unwrap();
    });
}

#[test]
fn a_handle_waits_for_it_on_another_thread() {
    limited(|| {
        let (handle_tx, handle) = mpsc::channel();
        let (done_tx, done) = oneshot::channel::<()>();
        let home = thread::spawn(move || {
            runtime::block_on(async {
                handle_tx.send(runtime::Handle::current()).unwrap();
                done.await.unwrap();
            });
        });
        let start = Instant::now();
        handle.recv().unwrap().block_on(async { sleep(2 * MS).await });
        assert!(start.elapsed() >= 2 * MS);
        done_tx.send(()).unwrap();
        home.join().unwrap();
    });
}

#[test]
fn it_outlives_its_runtime_and_waits_where_it_is_polled() {
    limited(|| {
        let start = Instant::now();
        let (unpolled, polled) = (orphan(2 * MS, false), orphan(2 * MS, true));
        // The next runtime may have the slot and the indices of one that is gone.
        runtime::block_on(async {
            let mut innocent = sleep(HOUR);
            assert!(poll!(&mut innocent).is_pending());
            runtime::join!(unpolled, polled);
            assert!(!innocent.is_elapsed());
        });
        assert!(start.elapsed() >= 2 * MS);
    });
}

#[test]
fn an_orphan_cancels_nothing_of_the_next_runtime() {
    limited(|| {
        let mut orphan = orphan(HOUR, true);
        runtime::block_on(async {
            let innocent = begun(2 * MS, Waker::noop());
            Pin::new(&mut orphan).reset(Instant::now() + HOUR);
            drop(orphan);
            innocent.await;
        });
    });
}

#[test]
fn an_orphan_without_any_runtime_panics_with_a_sentence() {
    limited(|| {
        for polled in [false, true] {
            let orphan = orphan(HOUR, polled);
            let payload = catch_unwind(AssertUnwindSafe(|| futures::executor::block_on(orphan)))
                .expect_err("nobody could wake it");
            let message = payload.downcast_ref::<&str>().expect("a sentence");
            assert!(message.contains("without a runtime"), "{message}");
        }
    });
}

#[test]
fn a_sleep_is_dropped_anywhere() {
    limited(|| {
        let home = Runtime::new().unwrap();
        // Between turns, on another thread, and after its runtime.
        drop(sleep_of(&home, HOUR, true));
        let waiting = sleep_of(&home, HOUR, true);
        thread::spawn(move || drop(waiting)).join().unwrap();
        let waiting = sleep_of(&home, HOUR, true);
        home.block_on(async { sleep(MS).await });
        drop(home);
        drop(waiting);
    });
}
