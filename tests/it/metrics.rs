//! What a runtime counts, and whom it tells of its parks.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use runtime::io::{AsyncFd, Interest};
use runtime::task::{consume_budget, yield_now};
use runtime::time::{self, sleep};
use runtime::{Builder, Handle, Metrics, Runtime};

use crate::support::{limited, turns};

fn counting() -> Runtime {
    Builder::new().metrics(true).build().unwrap()
}

#[test]
fn a_runtime_that_was_not_asked_counts_nothing_but_what_it_holds() {
    let runtime = Runtime::new().unwrap();
    let tasks: Vec<_> = (0..3).map(|_| runtime.spawn(pending::<()>())).collect();
    runtime.block_on(yield_now());
    let metrics = runtime.metrics();
    assert!(!metrics.counting);
    assert_eq!((metrics.tasks_alive, metrics.fds_registered), (3, 0));
    assert_eq!((metrics.turns, metrics.polls), (0, 0));
    drop(tasks);
    let handle = runtime.handle().clone();
    assert_eq!(thread::spawn(move || handle.metrics()).join().unwrap(), Metrics::default());
}

#[test]
fn polls_are_counted_whoever_is_polled() {
    limited(|| {
        let runtime = counting();
        runtime.block_on(async {
            runtime::spawn(async {
                for _ in 0..9 {
                    yield_now().await;
                }
            })
            .await
            .unwrap();
        });
        let before = runtime.metrics();
        assert!(before.counting && before.turns >= 1);
        // The task ten times, the root before it and after.
        assert_eq!(before.polls, 12);
        let aborted = runtime.spawn(pending::<()>());
        aborted.abort();
        runtime.run_until_stalled();
        assert_eq!(runtime.metrics().polls, 13);
        assert!(runtime.metrics().turns > before.turns);
    });
}

#[test]
fn a_turn_polls_many() {
    limited(|| {
        let runtime = Builder::new().metrics(true).event_interval(10).build().unwrap();
        let task = runtime.spawn(async {
            for _ in 0..100 {
                yield_now().await;
            }
        });
        runtime.block_on(task).unwrap();
        let metrics = runtime.metrics();
        assert_eq!((metrics.polls, metrics.turns), (103, 11));
        assert_eq!((metrics.parks, metrics.events), (0, 0));
    });
}

#[test]
fn tasks_are_alive_until_they_have_ended_wherever_they_come_from() {
    limited(|| {
        let runtime = counting();
        let handle = runtime.handle().clone();
        let seen_elsewhere = || {
            thread::spawn({
                let handle = handle.clone();
                move || handle.metrics().tasks_alive
            })
        };
        runtime.block_on(async {
            let ours: Vec<_> = (0..5).map(|_| runtime::spawn(pending::<()>())).collect();
            let other = handle.clone();
            let theirs = thread::spawn(move || other.spawn(pending::<()>())).join().unwrap();
            turns().await;
            assert_eq!(Handle::current().metrics().tasks_alive, 6);
            assert_eq!(seen_elsewhere().join().unwrap(), 6);
            theirs.abort();
            ours[0].abort();
            let panics = runtime::spawn(async { panic!("on purpose") });
            assert!(panics.await.is_err() && theirs.await.is_err());
            assert_eq!(Handle::current().metrics().tasks_alive, 4);
            // Their handles are dropped, and they live on.
            drop(ours);
            yield_now().await;
            assert_eq!(Handle::current().metrics().tasks_alive, 4);
        });
        assert_eq!(runtime.metrics().tasks_alive, 4);
        assert_eq!(seen_elsewhere().join().unwrap(), 4);
    });
}

#[test]
fn more_tasks_than_a_block_of_ids_are_counted_right() {
    limited(|| {
        let runtime = counting();
        let handle = runtime.handle().clone();
        runtime.block_on(async {
            for _ in 0..140 {
                let tasks: Vec<_> = (0..1000).map(|_| runtime::spawn(async {})).collect();
                for task in tasks {
                    task.await.unwrap();
                }
            }
            runtime::spawn(pending::<()>());
            yield_now().await;
        });
        assert_eq!(thread::spawn(move || handle.metrics().tasks_alive).join().unwrap(), 1);
    });
}

#[test]
fn descriptors_are_there_from_registration_to_drop() {
    limited(|| {
        let runtime = counting();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        runtime.block_on(async {
            let fd = AsyncFd::with_interest(ours, Interest::READABLE).unwrap();
            assert_eq!(Handle::current().metrics().fds_registered, 1);
            let events = Handle::current().metrics().events;
            theirs.write_all(b"x").unwrap();
            drop(fd.readable().await.unwrap());
            assert!(Handle::current().metrics().events > events);
        });
        assert_eq!(runtime.metrics().fds_registered, 0);
    });
}

#[test]
fn timers_that_come_are_counted_and_cancelled_ones_are_not() {
    limited(|| {
        let runtime = Builder::new().metrics(true).start_paused(true).build().unwrap();
        runtime.block_on(async {
            let short = Duration::from_secs(1);
            time::timeout(short, async {}).await.unwrap();
            for _ in 0..7 {
                sleep(short).await;
            }
        });
        let metrics = runtime.metrics();
        assert_eq!(metrics.timers_fired, 7);
        assert_eq!(metrics.parks, 0, "the clock jumped");
    });
}

#[test]
fn wakes_from_other_threads_are_counted() {
    limited(|| {
        let runtime = counting();
        runtime.block_on(async {
            for round in 0..5 {
                let (sender, wakers) = mpsc::channel();
                let waking = thread::spawn(move || {
                    let waker: std::task::Waker = wakers.recv().unwrap();
                    waker.wake();
                });
                let mut polled = false;
                poll_fn(|cx| {
                    if polled {
                        return Poll::Ready(());
                    }
                    polled = true;
                    sender.send(cx.waker().clone()).unwrap();
                    Poll::Pending
                })
                .await;
                waking.join().unwrap();
                assert_eq!(Handle::current().metrics().remote_wakes, round + 1);
            }
        });
    });
}

#[test]
fn a_task_that_uses_up_its_budget_is_counted_each_time() {
    limited(|| {
        let runtime = counting();
        runtime.block_on(async {
            for _ in 0..1000 {
                consume_budget().await;
            }
        });
        // 128 a poll.
        assert_eq!(runtime.metrics().budget_exhaustions, 7);
    });
}

#[test]
fn busy_is_what_polls_take_and_not_what_is_waited() {
    limited(|| {
        let runtime = counting();
        let handle = runtime.handle().clone();
        let held = Duration::from_millis(30);
        runtime.block_on(async {
            // Also while it lasts, and from elsewhere.
            let before = Handle::current().metrics().busy;
            let seen = thread::spawn(move || {
                thread::sleep(held);
                handle.metrics().busy
            });
            assert!(seen.join().unwrap() >= before + held);
        });
        let busy = runtime.metrics().busy;
        assert!(busy >= held);
        // Between its runs it is not.
        thread::sleep(held);
        assert_eq!(runtime.metrics().busy, busy);
        // Nor while it waits, which is when it stands still: a runtime that runs is seen to.
        let handle = runtime.handle().clone();
        let (wake, woken) = futures::channel::oneshot::channel();
        let looks = thread::spawn(move || {
            let busy_now = || {
                let before = handle.metrics().busy;
                thread::sleep(Duration::from_millis(1));
                handle.metrics().busy > before
            };
            while handle.metrics().parks == 0 || busy_now() {}
            let busy = handle.metrics().busy;
            thread::sleep(held);
            let later = handle.metrics().busy;
            wake.send(()).unwrap();
            assert_eq!(later, busy);
        });
        runtime.block_on(woken).unwrap();
        looks.join().unwrap();
        assert!(runtime.metrics().parks >= 1);
    });
}

/// A runtime whose parks and unparks are written down.
fn told() -> (Builder, Arc<Mutex<Vec<&'static str>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let (parks, unparks) = (told.clone(), told.clone());
    let mut builder = Builder::new();
    builder
        .on_park(move || parks.lock().unwrap().push("park"))
        .on_unpark(move || unparks.lock().unwrap().push("unpark"));
    (builder, told)
}

#[test]
fn hooks_are_told_of_each_park_in_pairs() {
    limited(|| {
        let (mut builder, told) = told();
        let runtime = builder.build().unwrap();
        runtime.block_on(async {});
        assert!(told.lock().unwrap().is_empty(), "it had work all the time");
        // On a busy machine the time may be over before the loop has come to waiting.
        while told.lock().unwrap().is_empty() {
            runtime.block_on(async { sleep(Duration::from_millis(1)).await });
        }
        let told = told.lock().unwrap();
        assert!(told.len() % 2 == 0, "{told:?}");
        assert!(told.chunks(2).all(|pair| pair == ["park", "unpark"]), "{told:?}");
    });
}

#[test]
fn what_a_hook_wakes_runs_without_a_wait() {
    limited(|| {
        // Nothing else would ever end the sleep.
        let waker = Arc::new(Mutex::new(None::<std::task::Waker>));
        let taken = waker.clone();
        let runtime = Builder::new()
            .on_park(move || {
                if let Some(waker) = taken.lock().unwrap().take() {
                    waker.wake();
                }
            })
            .build()
            .unwrap();
        let mut polls = 0;
        runtime.block_on(poll_fn(|cx| {
            polls += 1;
            if polls == 3 {
                return Poll::Ready(());
            }
            *waker.lock().unwrap() = Some(cx.waker().clone());
            Poll::Pending
        }));
    });
}

#[test]
fn a_hook_that_spawns_is_heeded() {
    limited(|| {
        let runtime = Builder::new()
            .on_park({
                let spawned = std::sync::atomic::AtomicBool::new(false);
                move || {
                    if !spawned.swap(true, std::sync::atomic::Ordering::Relaxed) {
                        runtime::spawn(async { sleep(Duration::from_millis(1)).await });
                    }
                }
            })
            .build()
            .unwrap();
        runtime.block_on(async { sleep(Duration::from_millis(20)).await });
    });
}

#[test]
fn a_hook_that_panics_ends_nothing() {
    limited(|| {
        let runtime = Builder::new().on_park(|| panic!("on purpose")).build().unwrap();
        runtime.block_on(async { sleep(Duration::from_millis(1)).await });
    });
}

#[test]
fn a_watched_runtime_survives_panics_and_goes_on_counting() {
    limited(|| {
        let runtime = counting();
        let polled = Rc::new(Cell::new(0));
        let count = polled.clone();
        runtime.block_on(async move {
            let handles: Vec<_> = (0..10)
                .map(|n| {
                    let count = count.clone();
                    runtime::spawn(async move {
                        count.set(count.get() + 1);
                        assert!(n % 2 == 0, "on purpose");
                    })
                })
                .collect();
            for (n, handle) in handles.into_iter().enumerate() {
                assert_eq!(handle.await.is_ok(), n % 2 == 0);
            }
        });
        assert_eq!(polled.get(), 10);
        assert_eq!(runtime.metrics().tasks_alive, 0);
    });
}

#[test]
fn polls_are_counted_that_ended_with_the_panic_of_block_on() {
    limited(|| {
        let runtime = counting();
        let panics = || runtime.block_on(async { panic!("the root's") });
        catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
        assert_eq!(runtime.metrics().polls, 1);
    });
}

#[test]
fn a_runtime_that_is_gone_holds_nothing() {
    limited(|| {
        let runtime = counting();
        let (_one, other) = UnixStream::pair().unwrap();
        let _other = {
            let _entered = runtime.enter();
            AsyncFd::new(other).unwrap()
        };
        drop(runtime.spawn(pending::<()>()));
        let handle = runtime.handle().clone();
        let held = |metrics: Metrics| (metrics.tasks_alive, metrics.fds_registered);
        runtime.block_on(yield_now());
        assert_eq!(held(handle.metrics()), (1, 1));
        drop(runtime);
        assert_eq!(held(handle.metrics()), (0, 0));
        assert_eq!(handle.metrics().polls, 3);
    });
}
