//! Polls that hold the thread are told of while they do, and when they have ended.
//!
//! What hangs here hangs until it was told of, so that no machine is too slow for these tests.

use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use runtime::task::yield_now;
use runtime::time::{self, sleep};
use runtime::{Builder, Handle, Runtime, Stall, task};

use crate::support::limited;

const THRESHOLD: Duration = Duration::from_millis(5);
const HOUR: Duration = Duration::from_secs(3600);

/// What was told, in order, and by which thread.
#[derive(Clone)]
struct Reports(Arc<Mutex<Receiver<(Stall, String)>>>);

impl Reports {
    fn next(&self) -> (Stall, String) {
        self.0.lock().unwrap().recv().expect("the runtime is there")
    }

    /// Waits for a report by the watchdog of the poll of `task`. A loaded machine has stalls of its own.
    fn of(&self, task: Option<task::Id>) -> Stall {
        loop {
            let (stall, thread) = self.next();
            if stall.task == task && !stall.ended {
                assert_eq!(thread, "runtime-watchdog");
                return stall;
            }
        }
    }

    /// Waits for a report of the end of the poll of `task` that has lasted at least so long.
    fn end_of(&self, task: Option<task::Id>, held: Duration) -> Stall {
        loop {
            let (stall, thread) = self.next();
            if stall.task == task && stall.ended && stall.held >= held {
                assert_ne!(thread, "runtime-watchdog");
                return stall;
            }
        }
    }
}

fn report_to(sender: Sender<(Stall, String)>) -> impl Fn(&Stall) + Send + Sync {
    move |stall| {
        let thread = thread::current().name().unwrap_or_default().to_string();
        let _ = sender.send((stall.clone(), thread));
    }
}

fn timed(configure: impl FnOnce(&mut Builder) -> &mut Builder) -> (Runtime, Reports) {
    let (sender, reports) = mpsc::channel();
    let mut builder = Builder::new();
    builder.stall_threshold(THRESHOLD).on_stall(report_to(sender));
    let runtime = configure(&mut builder).build().unwrap();
    (runtime, Reports(Arc::new(Mutex::new(reports))))
}

/// A future that hangs in its poll until it was told of, and gives that.
async fn hang(reports: Reports) -> Stall {
    reports.of(task::try_id())
}

#[test]
fn a_task_that_hangs_is_told_of_while_it_does() {
    limited(|| {
        let (runtime, reports) = timed(|builder| builder);
        runtime.block_on(async {
            let line = line!() + 1;
            let task = runtime::spawn(hang(reports.clone()));
            let id = task.id();
            let stall = task.await.unwrap();
            assert_eq!(stall.task, Some(id));
            assert_eq!(stall.name, None);
            let place = stall.place.unwrap();
            assert_eq!((place.file(), place.line()), (file!(), line));
            assert!(stall.held >= THRESHOLD, "{stall:?}");
            let words = stall.to_string();
            assert!(words.contains("holds the thread for") && words.contains(file!()), "{words}");
            let end = reports.end_of(Some(id), stall.held);
            assert_eq!((end.place, end.name), (stall.place, None));
        });
    });
}

#[test]
fn names_are_told_and_are_not_mixed_up_at_one_index() {
    limited(|| {
        let (runtime, reports) = timed(|builder| builder);
        runtime.block_on(async {
            // Each has the index of the one before it.
            for name in [Some("one"), None, Some("three")] {
                let spawning = match name {
                    Some(name) => task::Builder::new().name(name),
                    None => task::Builder::new(),
                };
                let stall = spawning.spawn(hang(reports.clone())).unwrap().await.unwrap();
                assert_eq!(stall.name.as_deref(), name);
            }
        });
    });
}

#[test]
fn a_task_that_hangs_at_its_second_poll_is_told_of() {
    limited(|| {
        let (runtime, reports) = timed(|builder| builder);
        runtime.block_on(async {
            let other = runtime::spawn(pending::<()>());
            let task = runtime::spawn(async move {
                yield_now().await;
                hang(reports).await
            });
            let id = task.id();
            assert_eq!(task.await.unwrap().task, Some(id));
            other.abort();
        });
    });
}

#[test]
fn a_long_hang_is_told_of_each_time_it_has_doubled() {
    limited(|| {
        let (runtime, reports) = timed(|builder| builder);
        runtime.block_on(async {
            let task = runtime::spawn(async move {
                let id = task::try_id();
                let mut held = Duration::ZERO;
                for times in 0..5 {
                    let stall = reports.of(id);
                    assert!(stall.held >= THRESHOLD * 2u32.pow(times), "{times}: {stall:?}");
                    assert!(stall.held > held);
                    held = stall.held;
                }
            });
            task.await.unwrap();
        });
    });
}

#[test]
fn the_future_of_block_on_is_told_of_too() {
    limited(|| {
        let (runtime, reports) = timed(|builder| builder);
        let stall = runtime.block_on(hang(reports.clone()));
        assert_eq!((stall.task, stall.place, &stall.name), (None, None, &None));
        assert!(stall.to_string().contains("the future of block_on"), "{stall}");
        reports.end_of(None, stall.held);
    });
}

#[test]
fn a_runtime_that_was_idle_is_watched_again() {
    limited(|| {
        let (runtime, reports) = timed(|builder| builder);
        for _ in 0..3 {
            runtime.block_on(async {
                // Long enough for the watchdog to have gone to sleep for good.
                sleep(4 * THRESHOLD).await;
                runtime::spawn(hang(reports.clone())).await.unwrap();
            });
            thread::sleep(4 * THRESHOLD);
        }
    });
}

/// Hangs when it is dropped, until it was told of.
struct HangsInDrop(Reports, Option<task::Id>);

impl Drop for HangsInDrop {
    fn drop(&mut self) {
        self.0.of(self.1);
    }
}

/// A task that waits for good and hangs when it is dropped.
fn hangs_in_drop(reports: &Reports) -> impl Future<Output = ()> + use<> {
    let mut hangs = HangsInDrop(reports.clone(), None);
    poll_fn(move |_| {
        let hangs = &mut hangs; // the whole of it
        hangs.1 = task::try_id();
        Poll::Pending
    })
}

#[test]
fn a_drop_for_an_abort_that_hangs_is_told_of() {
    limited(|| {
        let (runtime, reports) = timed(|builder| builder);
        runtime.block_on(async {
            let task = runtime::spawn(hangs_in_drop(&reports));
            let id = task.id();
            yield_now().await;
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
            reports.end_of(Some(id), THRESHOLD);
        });
    });
}

#[test]
fn a_drop_with_the_runtime_that_hangs_is_told_of() {
    limited(|| {
        let (runtime, reports) = timed(|builder| builder);
        let id = runtime.spawn(hangs_in_drop(&reports)).id();
        runtime.block_on(yield_now());
        // So that the watchdog sleeps for good, most times.
        thread::sleep(3 * THRESHOLD);
        drop(runtime);
        reports.end_of(Some(id), THRESHOLD);
    });
}

#[test]
fn a_drop_with_a_runtime_that_never_ran_is_told_of() {
    limited(|| {
        let (runtime, reports) = timed(|builder| builder);
        let hangs = Arc::new(Mutex::new(HangsInDrop(reports.clone(), None)));
        let held = hangs.clone();
        let id = runtime.spawn(async move { drop(held) }).id();
        hangs.lock().unwrap().1 = Some(id);
        drop(hangs);
        drop(runtime);
        reports.end_of(Some(id), THRESHOLD);
    });
}

#[test]
fn the_end_of_a_runtime_within_its_own_poll_leaves_that_watched() {
    limited(|| {
        let (runtime, reports) = timed(|builder| builder);
        let id = runtime.spawn(hangs_in_drop(&reports)).id();
        let handle = runtime.handle().clone();
        handle.block_on(async {
            yield_now().await;
            drop(runtime);
            reports.end_of(Some(id), THRESHOLD);
            let stall = reports.of(None);
            assert!(stall.held >= 2 * THRESHOLD, "it began before that drop: {stall:?}");
        });
        reports.end_of(None, THRESHOLD);
    });
}

#[test]
fn a_task_that_hangs_and_panics_has_an_end() {
    limited(|| {
        let (runtime, reports) = timed(|builder| builder);
        runtime.block_on(async {
            let told = reports.clone();
            let task = runtime::spawn(async move {
                told.of(task::try_id());
                panic!("on purpose");
            });
            let id = task.id();
            assert!(task.await.unwrap_err().is_panic());
            reports.end_of(Some(id), THRESHOLD);
            runtime::spawn(hang(reports)).await.unwrap();
        });
    });
}

#[test]
fn a_block_on_that_hangs_and_panics_has_an_end_and_the_next_is_watched() {
    limited(|| {
        let (runtime, reports) = timed(|builder| builder);
        for _ in 0..2 {
            let panics = catch_unwind(AssertUnwindSafe(|| {
                runtime.block_on(async {
                    reports.of(None);
                    panic!("on purpose");
                })
            }));
            assert!(panics.is_err());
            reports.end_of(None, THRESHOLD);
        }
        runtime.block_on(hang(reports));
    });
}

#[test]
fn who_runs_another_runtime_in_a_task_is_told_of_with_it() {
    limited(|| {
        let (outer, outer_reports) = timed(|builder| builder);
        let (inner, inner_reports) = timed(|builder| builder);
        outer.block_on(async move {
            let task = runtime::spawn(async move {
                let outer_id = task::try_id();
                inner.spawn(async move {
                    inner_reports.of(task::try_id());
                    outer_reports.of(outer_id);
                });
                inner.turn(Some(Duration::ZERO)).unwrap();
            });
            task.await.unwrap();
        });
    });
}

#[test]
fn turns_of_a_host_are_watched() {
    limited(|| {
        let (runtime, reports) = timed(|builder| builder);
        for _ in 0..2 {
            let task = runtime.spawn(hang(reports.clone()));
            while !task.is_finished() {
                runtime.turn(Some(Duration::ZERO)).unwrap();
            }
            thread::sleep(3 * THRESHOLD);
        }
        runtime.spawn(hang(reports));
        runtime.run_until_stalled();
    });
}

#[test]
fn a_paused_clock_does_not_stop_the_watchdogs() {
    limited(|| {
        let (runtime, reports) = timed(|builder| builder.start_paused(true));
        runtime.block_on(async {
            time::sleep(HOUR).await;
            runtime::spawn(hang(reports)).await.unwrap();
        });
    });
}

#[test]
fn a_hook_that_panics_ends_neither_the_loop_nor_the_watchdog() {
    limited(|| {
        let (sender, reports) = mpsc::channel();
        let panics = AtomicU32::new(0);
        let report = report_to(sender);
        let runtime = Builder::new()
            .stall_threshold(THRESHOLD)
            .on_stall(move |stall| {
                report(stall);
                panics.fetch_add(1, Ordering::Relaxed);
                panic!("on purpose");
            })
            .build()
            .unwrap();
        let reports = Reports(Arc::new(Mutex::new(reports)));
        runtime.block_on(async {
            let told = reports.clone();
            let task = runtime::spawn(async move {
                told.of(task::try_id());
                told.of(task::try_id());
            });
            let id = task.id();
            task.await.unwrap();
            reports.end_of(Some(id), THRESHOLD);
            runtime::spawn(hang(reports)).await.unwrap();
        });
    });
}

#[test]
fn a_hook_that_blocks_keeps_neither_the_loop_nor_the_runtimes_end() {
    limited(|| {
        let (go_on, blocks) = mpsc::channel::<()>();
        let (sender, reports) = mpsc::channel();
        let (blocks, report) = (Mutex::new(blocks), report_to(sender));
        let runtime = Builder::new()
            .stall_threshold(THRESHOLD)
            .on_stall(move |stall| {
                report(stall);
                if !stall.ended {
                    let _ = blocks.lock().unwrap().recv();
                }
            })
            .build()
            .unwrap();
        let reports = Reports(Arc::new(Mutex::new(reports)));
        runtime.block_on(async {
            runtime::spawn(hang(reports.clone())).await.unwrap();
            // New tasks, at new indices.
            let many: Vec<_> = (0..100).map(|_| runtime::spawn(yield_now())).collect();
            for one in many {
                one.await.unwrap();
            }
            sleep(THRESHOLD).await;
        });
        drop(runtime);
        drop(go_on);
    });
}

#[test]
fn a_hook_may_ask_the_runtime() {
    limited(|| {
        let (sender, reports) = mpsc::channel();
        let handle = Arc::new(Mutex::new(None::<Handle>));
        let (asked, report) = (handle.clone(), report_to(sender));
        let runtime = Builder::new()
            .stall_threshold(THRESHOLD)
            .metrics(true)
            .on_stall(move |stall| {
                let handle = asked.lock().unwrap();
                let metrics = handle.as_ref().expect("it was left there").metrics();
                assert!(metrics.counting && metrics.turns > 0);
                report(stall);
            })
            .build()
            .unwrap();
        *handle.lock().unwrap() = Some(runtime.handle().clone());
        let reports = Reports(Arc::new(Mutex::new(reports)));
        runtime.block_on(async {
            let task = runtime::spawn(hang(reports.clone()));
            let id = task.id();
            task.await.unwrap();
            reports.end_of(Some(id), THRESHOLD);
        });
    });
}

#[test]
fn a_dump_that_gets_no_answer_says_who_is_polled() {
    limited(|| {
        let (runtime, _reports) = timed(|builder| builder);
        let handle = runtime.handle().clone();
        let entered = runtime.enter();
        let task = task::Builder::new().name("hangs").spawn(async move {
            let dump = thread::spawn(move || handle.dump()).join().unwrap();
            assert!(!dump.is_complete());
            let poll = dump.under_way.as_ref().expect("polls are timed");
            assert_eq!((poll.task, poll.name.as_deref()), (task::try_id(), Some("hangs")));
            assert!(poll.held > Duration::ZERO && !poll.ended);
            assert!(dump.to_string().contains("the task \"hangs\" spawned at"), "{dump}");
        });
        drop(entered);
        runtime.block_on(task.unwrap()).unwrap();
        assert!(runtime.dump().under_way.is_none());
    });
}

/// Says when it is dropped.
struct Told(#[allow(dead_code, reason = "its end is the message")] Sender<()>);

/// A runtime whose watchdog sleeps for an hour, and what hears when nobody has its hook any more.
fn sleepy() -> (Runtime, Receiver<()>) {
    let (sender, gone) = mpsc::channel();
    let told = Told(sender);
    let runtime = Builder::new()
        .stall_threshold(HOUR)
        .on_stall(move |_| {
            let _ = &told;
        })
        .build()
        .unwrap();
    (runtime, gone)
}

#[test]
fn the_watchdog_ends_with_its_runtime() {
    limited(|| {
        for _ in 0..1000 {
            let (runtime, gone) = sleepy();
            runtime.block_on(async { runtime::spawn(yield_now()).await.unwrap() });
            drop(runtime);
            // Its threads have let go of it.
            assert!(gone.recv().is_err());
        }
    });
}

#[test]
fn a_runtime_that_never_runs_lets_go_of_its_hook() {
    limited(|| {
        let (runtime, gone) = sleepy();
        drop(runtime);
        assert!(gone.recv().is_err());
    });
}

#[test]
fn nothing_is_told_of_what_stays_below_the_threshold() {
    limited(|| {
        let (sender, reports) = mpsc::channel();
        let runtime =
            Builder::new().stall_threshold(HOUR).on_stall(report_to(sender)).build().unwrap();
        runtime.block_on(async {
            for _ in 0..100 {
                runtime::spawn(yield_now()).await.unwrap();
            }
            thread::sleep(THRESHOLD);
        });
        drop(runtime);
        assert!(reports.recv().is_err());
    });
}
