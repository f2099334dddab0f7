//! Timeouts and intervals.

use std::cell::Cell;
use std::error::Error;
use std::future::{Ready, pending, poll_fn, ready};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::poll;
use runtime::spawn;
use runtime::task::{consume_budget, yield_now};
use runtime::time::{
    Elapsed, Instant, Interval, MissedTickBehavior, advance, interval, interval_at, pause, sleep,
    sleep_until, timeout, timeout_at,
};

use crate::support::run;

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn the_future_or_the_deadline_comes_first() {
    run(async {
        pause();
        let start = Instant::now();
        assert_eq!(timeout(2 * MS, async { sleep(MS).await }).await, Ok(()));
        assert_eq!(start.elapsed(), MS);
        assert!(timeout(2 * MS, sleep(3 * MS)).await.is_err());
        assert_eq!(start.elapsed(), 3 * MS);
        assert!(timeout_at(start + 5 * MS, pending::<()>()).await.is_err());
        assert_eq!(start.elapsed(), 5 * MS);
    });
}

#[test]
fn a_future_that_is_ready_wins_whatever_the_time() {
    run(async {
        assert_eq!(timeout(Duration::ZERO, async { 1 }).await, Ok(1));
        assert_eq!(timeout_at(Instant::now() - HOUR, async { 2 }).await, Ok(2));
        assert!(timeout(Duration::ZERO, pending::<()>()).await.is_err());

        pause();
        let deadline = Instant::now() + MS;
        assert_eq!(timeout_at(deadline, sleep_until(deadline)).await, Ok(()));
    });
}

#[test]
fn the_longest_timeout_never_comes() {
    run(async {
        pause();
        assert_eq!(timeout(Duration::MAX, sleep(HOUR)).await, Ok(()));
        assert_eq!(timeout_at(Instant::now() + Duration::MAX, sleep(HOUR)).await, Ok(()));
    });
}

#[test]
fn what_becomes_a_future_is_taken_too() {
    struct Three;
    impl IntoFuture for Three {
        type Output = i32;
        type IntoFuture = Ready<i32>;
        fn into_future(self) -> Ready<i32> {
            ready(3)
        }
    }
    run(async {
        assert_eq!(timeout(HOUR, Three).await, Ok(3));
        assert_eq!(timeout_at(Instant::now(), Three).await, Ok(3));
    });
}

#[test]
fn the_future_inside_can_be_reached() {
    run(async {
        let mut inside = timeout(HOUR, ready(1));
        assert_eq!(inside.get_ref().clone().await, 1);
        *inside.get_mut() = ready(2);
        assert_eq!(inside.into_inner().await, 2);

        // Given by reference, it goes on.
        pause();
        let start = Instant::now();
        let mut late = Box::pin(sleep(2 * MS));
        assert!(timeout(MS, &mut late).await.is_err());
        late.await;
        assert_eq!(start.elapsed(), 2 * MS);
    });
}

#[test]
fn elapsed_is_an_error_of_its_kind() {
    run(async {
        let elapsed: Elapsed = timeout(Duration::ZERO, pending::<()>()).await.unwrap_err();
        let same: runtime::time::error::Elapsed = elapsed;
        assert_eq!(same.to_string(), "the deadline came before the future was done");
        let error = io::Error::from(elapsed);
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let inner: &(dyn Error + Send + Sync) = error.get_ref().unwrap();
        assert_eq!(inner.downcast_ref(), Some(&elapsed));
    });
}

#[test]
fn a_future_that_uses_up_the_budget_is_timed_out_all_the_same() {
    run(async {
        let busy = spawn(timeout(MS, async {
            loop {
                consume_budget().await;
            }
        }));
        assert!(busy.await.unwrap().is_err());
    });
}

#[test]
fn a_timeout_wakes_nobody_once_it_is_dropped() {
    run(async {
        pause();
        for _ in 0..1_000 {
            assert_eq!(timeout(HOUR, yield_now()).await, Ok(()));
        }
        let start = Instant::now();
        sleep(2 * HOUR).await;
        assert_eq!(start.elapsed(), 2 * HOUR);
    });
}

/// Takes the next tick if it is due now.
fn tick_now(interval: &mut Interval) -> Option<Instant> {
    match interval.poll_tick(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(instant) => Some(instant),
        Poll::Pending => None,
    }
}

#[test]
fn it_ticks_at_once_and_then_each_period() {
    run(async {
        pause();
        let start = Instant::now();
        let mut ticks = interval(10 * MS);
        assert_eq!(ticks.period(), 10 * MS);
        for tick in 0..5 {
            let due = start + tick * 10 * MS;
            assert_eq!(ticks.tick().await, due);
            assert_eq!(Instant::now(), due);
        }
    });
}

#[test]
fn it_starts_when_it_is_told() {
    run(async {
        pause();
        let start = Instant::now();
        let mut later = interval_at(start + HOUR, MS);
        assert_eq!(later.tick().await, start + HOUR);
        assert_eq!(later.tick().await, start + HOUR + MS);

        let mut before = interval_at(start, HOUR);
        assert_eq!(before.tick().await, start, "a tick of the past is there at once");
    });
}

#[test]
fn ticks_keep_to_the_period_though_they_are_taken_late() {
    run(async {
        pause();
        let start = Instant::now();
        let mut ticks = interval(10 * MS);
        ticks.tick().await;
        advance(13 * MS).await;
        assert_eq!(tick_now(&mut ticks), Some(start + 10 * MS));
        assert_eq!(ticks.tick().await, start + 20 * MS);
        assert_eq!(start.elapsed(), 20 * MS);
    });
}

/// The times at which ticks of 100 ms are taken, and when they were due, if the first takes 250 ms.
async fn ticks_after_a_miss(behavior: MissedTickBehavior) -> Vec<(u128, u128)> {
    let start = Instant::now();
    let mut ticks = interval(100 * MS);
    ticks.set_missed_tick_behavior(behavior);
    assert_eq!(ticks.missed_tick_behavior(), behavior);
    ticks.tick().await;
    advance(250 * MS).await;
    let mut taken = Vec::new();
    for _ in 0..4 {
        let due = ticks.tick().await;
        taken.push((start.elapsed().as_millis(), (due - start).as_millis()));
    }
    taken
}

#[test]
fn missed_ticks_are_dealt_with_as_asked() {
    run(async {
        pause();
        let burst = ticks_after_a_miss(MissedTickBehavior::Burst).await;
        assert_eq!(burst, [(250, 100), (250, 200), (300, 300), (400, 400)]);
        let delay = ticks_after_a_miss(MissedTickBehavior::Delay).await;
        assert_eq!(delay, [(250, 100), (350, 350), (450, 450), (550, 550)]);
        let skip = ticks_after_a_miss(MissedTickBehavior::Skip).await;
        assert_eq!(skip, [(250, 100), (300, 300), (400, 400), (500, 500)]);
        assert_eq!(MissedTickBehavior::default(), MissedTickBehavior::Skip);
        assert_eq!(interval(MS).missed_tick_behavior(), MissedTickBehavior::Skip);
    });
}

#[test]
fn a_skipped_tick_that_ends_on_a_multiple_is_not_ticked_twice() {
    run(async {
        pause();
        let start = Instant::now();
        let mut ticks = interval(10 * MS);
        ticks.tick().await;
        advance(20 * MS).await;
        assert_eq!(tick_now(&mut ticks), Some(start + 10 * MS));
        assert_eq!(tick_now(&mut ticks), None);
        assert_eq!(ticks.tick().await, start + 30 * MS);
    });
}

#[test]
fn a_delay_does_not_drift_by_the_lateness_of_timers() {
    run(async {
        pause();
        let start = Instant::now();
        let mut ticks = interval(10 * MS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for tick in 0..5 {
            assert_eq!(ticks.tick().await, start + tick * 10 * MS);
            advance(10 * MS + MS / 10).await;
            sleep_until(start + (tick + 1) * 10 * MS).await;
        }
    });
}

#[test]
fn resets_move_the_next_tick() {
    run(async {
        pause();
        let start = Instant::now();
        let mut ticks = interval(10 * MS);
        ticks.tick().await;
        advance(5 * MS).await;
        ticks.reset();
        assert_eq!(ticks.tick().await, start + 15 * MS);
        ticks.reset_immediately();
        assert_eq!(tick_now(&mut ticks), Some(start + 15 * MS));
        ticks.reset_after(3 * MS);
        assert_eq!(ticks.tick().await, start + 18 * MS);
        ticks.reset_at(start + 50 * MS);
        assert_eq!(ticks.tick().await, start + 50 * MS);
        assert_eq!(ticks.tick().await, start + 60 * MS);
        ticks.reset_at(start);
        assert_eq!(tick_now(&mut ticks), Some(start));
    });
}

#[test]
fn periods_of_any_length_are_fine() {
    run(async {
        pause();
        let start = Instant::now();
        let mut longest = interval(Duration::MAX);
        assert_eq!(longest.tick().await, start);
        assert!(poll!(pin!(longest.tick())).is_pending());
        longest.reset_after(Duration::MAX);
        longest.reset();
        assert!(poll!(pin!(longest.tick())).is_pending());

        let mut shortest = interval(Duration::from_nanos(1));
        shortest.tick().await;
        advance(HOUR).await;
        shortest.tick().await;
        assert!(shortest.tick().await > start + HOUR);

        for behavior in
            [MissedTickBehavior::Burst, MissedTickBehavior::Delay, MissedTickBehavior::Skip]
        {
            let mut ancient = interval_at(Instant::now() - Duration::MAX, HOUR);
            ancient.set_missed_tick_behavior(behavior);
            ancient.tick().await;
            ancient.tick().await;
        }
    });
}

#[test]
fn a_tick_that_is_dropped_is_not_lost() {
    run(async {
        pause();
        let start = Instant::now();
        let mut ticks = interval_at(start + 2 * MS, 10 * MS);
        assert!(timeout(MS, ticks.tick()).await.is_err());
        assert_eq!(ticks.tick().await, start + 2 * MS);
    });
}

#[test]
fn an_interval_that_is_always_behind_lets_others_run() {
    run(async {
        let ran = Rc::new(Cell::new(false));
        let other = spawn({
            let ran = ran.clone();
            async move { ran.set(true) }
        });
        let mut ticks = interval(Duration::from_nanos(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        while !ran.get() {
            poll_fn(|cx| ticks.poll_tick(cx)).await;
        }
        other.await.unwrap();
    });
}
