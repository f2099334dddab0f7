//! Deadlines that count suspend: as other timers where nothing is suspended, and apart from them by the
//! test clock's suspend. What the kernel's clock does with them is in `tests/boottime.rs`.

use std::future::{Future, pending, poll_fn};
use std::panic::catch_unwind;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use futures::poll;
use runtime::task::{JoinSet, yield_now};
use runtime::time::boottime::{self, Instant, suspend};
use runtime::time::{self, advance, pause, resume};
use runtime::{Builder, Runtime, spawn, spawn_blocking};

use crate::support::{limited, poll_once, run};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A sleep that waits on `home`.
fn begun(home: &Runtime, duration: Duration) -> boottime::Sleep {
    home.block_on(poll_fn(|cx| {
        // On a busy machine a short one may be over before its first poll.
        loop {
            let mut sleep = boottime::sleep(duration);
            if Pin::new(&mut sleep).poll(cx).is_pending() {
                return Poll::Ready(sleep);
            }
        }
    }))
}

#[test]
fn nothing_fires_early() {
    run(async {
        let mut set = JoinSet::new();
        for nanos in (0..500).map(|i| i * 7_919 % 1_000 * 10_000) {
            set.spawn(async move {
                let duration = Duration::from_nanos(nanos);
                let (ours, std) = (Instant::now(), std::time::Instant::now());
                boottime::sleep(duration).await;
                assert!(ours.elapsed() >= duration, "{duration:?} on our clock");
                assert!(std.elapsed() >= duration, "{duration:?} on std's clock");
            });
        }
        set.join_all().await;
    });
}

#[test]
fn each_clock_wakes_a_runtime_that_waits_for_both() {
    run(async {
        for (by_boottime, by_monotonic) in [(MS, HOUR), (HOUR, MS), (MS, MS)] {
            let a = boottime::sleep(by_boottime);
            let b = time::sleep(by_monotonic);
            if by_boottime == MS {
                a.await;
            }
            if by_monotonic == MS {
                b.await;
            }
        }
    });
}

#[test]
fn zero_the_past_and_the_longest() {
    run(async {
        assert!(poll!(pin!(boottime::sleep(Duration::ZERO))).is_ready());
        assert!(poll!(pin!(boottime::sleep_until(Instant::now() - HOUR))).is_ready());
        assert!(poll!(pin!(boottime::sleep_until(Instant::now() - Duration::MAX))).is_ready());
        let mut longest = pin!(boottime::sleep(Duration::MAX));
        assert!(poll!(&mut longest).is_pending());
        boottime::sleep(MS).await;
        assert!(poll!(&mut longest).is_pending());
        pause();
        boottime::sleep(HOUR).await;
        suspend(Duration::MAX).await;
        assert!(poll!(&mut longest).is_pending());
    });
}

#[test]
fn reset_moves_a_deadline_while_others_sleep() {
    run(async {
        let mut moved = boottime::sleep(HOUR);
        assert!(poll!(&mut moved).is_pending());
        time::sleep(MS).await;
        let soon = Instant::now() + MS;
        Pin::new(&mut moved).reset(soon);
        assert_eq!(moved.deadline(), soon);
        (&mut moved).await;
        assert!(moved.is_elapsed());
        Pin::new(&mut moved).reset(Instant::now() + HOUR);
        assert!(!moved.is_elapsed());
        assert!(poll!(&mut moved).is_pending());
    });
}

#[test]
fn timeouts_are_on_that_clock() {
    run(async {
        pause();
        assert_eq!(boottime::timeout(Duration::ZERO, async { 1 }).await, Ok(1));
        let start = (time::Instant::now(), Instant::now());
        let mut timeout = pin!(boottime::timeout(HOUR, pending::<()>()));
        let deadline = Instant::now() + HOUR;
        let mut timeout_at = pin!(boottime::timeout_at(deadline, pending::<()>()));
        assert!(poll!(&mut timeout).is_pending() && poll!(&mut timeout_at).is_pending());
        suspend(HOUR).await;
        assert!(timeout.await.is_err() && timeout_at.await.is_err());
        assert_eq!(start.0.elapsed(), Duration::ZERO);
        assert_eq!(start.1.elapsed(), HOUR);
    });
}

#[test]
fn the_test_clock_is_both_clocks() {
    run(async {
        pause();
        let start = (time::Instant::now(), Instant::now());
        let elapsed = || (start.0.elapsed(), start.1.elapsed());
        advance(MS).await;
        assert_eq!(elapsed(), (MS, MS));
        // It jumps to the next deadline of either.
        let (mut a, mut b) = (pin!(boottime::sleep(2 * MS)), pin!(time::sleep(3 * MS)));
        assert!(poll!(&mut a).is_pending() && poll!(&mut b).is_pending());
        a.await;
        assert_eq!(elapsed(), (3 * MS, 3 * MS));
        b.await;
        assert_eq!(elapsed(), (4 * MS, 4 * MS));
        // Neither goes back when they run on, and neither forgets the suspend.
        suspend(HOUR).await;
        resume();
        assert!(start.0.elapsed() >= 4 * MS && start.0.elapsed() < HOUR);
        assert!(start.1.elapsed() >= HOUR + 4 * MS);
        boottime::sleep(MS).await;
        assert!(start.1.elapsed() >= HOUR + 5 * MS);
        pause();
        assert!(start.1.elapsed() >= HOUR + 5 * MS);
    });
}

#[test]
fn a_suspend_brings_the_deadlines_that_count_it() {
    run(async {
        pause();
        let counts = spawn(boottime::sleep(HOUR));
        let does_not = spawn(time::sleep(HOUR));
        yield_now().await;
        suspend(HOUR - MS).await;
        assert!(!counts.is_finished());
        suspend(MS).await;
        assert!(counts.is_finished() && !does_not.is_finished());
        // What is due is there at once, without a turn.
        assert!(poll!(pin!(boottime::sleep_until(Instant::now()))).is_ready());
        does_not.await.unwrap();
    });
}

#[test]
fn a_suspend_needs_a_paused_clock() {
    limited(|| {
        let said = |f: fn()| *catch_unwind(f).unwrap_err().downcast::<String>().unwrap();
        let running = said(|| runtime::block_on(suspend(HOUR)));
        assert!(running.contains("boottime::suspend") && running.contains("pause"), "{running}");
        let nowhere = said(|| {
            let _ = poll_once(pin!(suspend(HOUR)));
        });
        assert!(nowhere.contains("boottime::suspend"), "{nowhere}");
    });
}

#[test]
fn a_clock_that_does_not_jump_keeps_the_deadline() {
    limited(|| {
        let runtime = Builder::new().start_paused(true).auto_advance(false).build().unwrap();
        runtime.block_on(async {
            let sleep = spawn(boottime::sleep(MS));
            // Long enough for the kernel, which must not be asked to wake us.
            spawn_blocking(|| thread::sleep(2 * MS)).await.unwrap();
            assert!(!sleep.is_finished());
            advance(MS).await;
            sleep.await.unwrap();
        });
    });
}

#[test]
fn it_waits_on_other_threads_and_executors() {
    limited(|| {
        let home = Runtime::new().unwrap();
        // Polled by an executor that is not ours: the home runtime waits for it.
        let start = Instant::now();
        let mut sleep = {
            let _guard = home.enter();
            boottime::sleep(5 * MS)
        };
        let polled = thread::spawn(move || {
            futures::executor::block_on(&mut sleep);
            sleep
        });
        home.block_on(async {
            let sleep = spawn_blocking(|| polled.join().unwrap()).await.unwrap();
            assert!(sleep.is_elapsed());
        });
        assert!(start.elapsed() >= 5 * MS);

        // Begun here, it goes on in a runtime of another thread, and may be dropped there.
        let (mut moved, dropped) = (begun(&home, MS), begun(&home, HOUR));
        thread::spawn(move || {
            drop(dropped);
            runtime::block_on(&mut moved);
            assert!(moved.is_elapsed());
        })
        .join()
        .unwrap();
        // The entry that was dropped there is gone here: its deadline ends no sleep.
        home.block_on(async { boottime::sleep(MS).await });
    });
}

#[test]
fn a_sleep_outlives_its_runtime() {
    limited(|| {
        let orphan = begun(&Runtime::new().unwrap(), MS);
        runtime::block_on(orphan);
    });
}

#[test]
#[should_panic(expected = "with no runtime on this thread")]
fn it_needs_a_runtime() {
    drop(boottime::sleep(MS));
}

#[test]
fn instants_have_arithmetic_that_does_not_overflow() {
    let now = Instant::now();
    assert_eq!(now + HOUR - HOUR, now);
    assert_eq!((now + HOUR) - now, HOUR);
    assert_eq!(now - (now + HOUR), Duration::ZERO);
    assert_eq!(now.checked_duration_since(now + MS), None);
    assert_eq!(now.checked_add(Duration::MAX), None);
    assert!(now + Duration::MAX > now);
    let mut moved = now;
    moved += HOUR;
    moved -= 2 * HOUR;
    assert_eq!(moved, now - HOUR);
    assert!(format!("{now:?}").starts_with("boottime::Instant("), "{now:?}");
}

#[test]
fn a_hosts_loop_is_told_of_the_deadline() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        runtime.prepare().unwrap();
        // Begun between turns, as by a call-back of the host.
        let start = Instant::now();
        let mut sleep = {
            let _guard = runtime.enter();
            boottime::sleep(2 * MS)
        };
        let task = runtime.spawn(async move {
            (&mut sleep).await;
            start.elapsed()
        });
        let host = runtime::epoll::Epoll::new().unwrap();
        host.add(&runtime, runtime::epoll::Flags::IN | runtime::epoll::Flags::ET, 0).unwrap();
        let mut events = runtime::epoll::Events::with_capacity(1);
        while !task.is_finished() {
            host.wait(&mut events, None).unwrap();
            runtime.turn(Some(Duration::ZERO)).unwrap();
        }
        assert!(runtime.block_on(task).unwrap() >= 2 * MS);
    });
}
