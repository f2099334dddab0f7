//! `JoinSet`: tasks in the order in which they end, none lost, none left behind.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::future::{pending, ready};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use runtime::task::{AbortHandle, JoinSet, try_id, unconstrained, yield_now};
use runtime::time::{pause, sleep};
use runtime::{Handle, Runtime, spawn};

use crate::support::{limited, run};

const SECOND: Duration = Duration::from_secs(1);

/// Counts the drops of its clones.
#[derive(Clone, Default)]
struct Dropped(Rc<Cell<usize>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn outputs_come_in_the_order_of_the_ends() {
    run(async {
        pause();
        let mut set = JoinSet::new();
        assert!(set.is_empty());
        for seconds in [3, 1, 2] {
            set.spawn(async move {
                sleep(seconds * SECOND).await;
                seconds
            });
        }
        assert_eq!(set.len(), 3);
        assert!(set.try_join_next().is_none());
        let mut outputs = Vec::new();
        while let Some(output) = set.join_next().await {
            outputs.push(output.unwrap());
        }
        assert_eq!(outputs, [1, 2, 3]);
        assert!(set.is_empty());
        assert!(set.join_next().await.is_none());
    });
}

#[test]
fn ids_tell_the_tasks_apart() {
    run(async {
        let mut set = JoinSet::new();
        let handles: Vec<AbortHandle> =
            (0..10).map(|_| set.spawn(async { try_id().unwrap() })).collect();
        let panics = set.spawn(async { panic!("on purpose") });
        let mut seen = HashSet::new();
        while let Some(joined) = set.join_next_with_id().await {
            match joined {
                Ok((id, output)) => {
                    assert_eq!(id, output);
                    assert!(handles.iter().any(|handle| handle.id() == id));
                    assert!(seen.insert(id));
                }
                Err(error) => {
                    assert!(error.is_panic());
                    assert_eq!(error.id(), panics.id());
                }
            }
        }
        assert_eq!(seen.len(), 10);

        let one = set.spawn(async { try_id().unwrap() });
        yield_now().await;
        assert_eq!(set.try_join_next_with_id().unwrap().unwrap(), (one.id(), one.id()));
        assert!(set.try_join_next_with_id().is_none());
    });
}

#[test]
fn a_hundred_thousand_tasks_are_joined_one_by_one() {
    run(async {
        let mut set: JoinSet<u64> = (0..100_000).map(ready).collect();
        let mut sum = 0;
        while let Some(output) = set.join_next().await {
            sum += output.unwrap();
        }
        assert_eq!(sum, 100_000 * 99_999 / 2);
    });
}

#[test]
fn a_join_looks_only_at_what_has_ended() {
    run(async {
        // To look at all of them each time would be 2,500,000,000 looks: over the time limit.
        let mut set: JoinSet<u32> = JoinSet::new();
        for _ in 0..50_000 {
            set.spawn(pending());
        }
        for round in 0..50_000 {
            set.spawn(ready(round));
            assert_eq!(set.join_next().await.unwrap().unwrap(), round);
        }
        assert_eq!(set.len(), 50_000);
    });
}

#[test]
fn looking_at_many_new_tasks_lets_others_run() {
    run(async {
        let mut set: JoinSet<()> = (0..1_000).map(|_| pending()).collect();
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(wakes.clone());
        let mut polls = 0;
        while wakes.0.load(Ordering::Relaxed) == polls {
            assert!(set.poll_join_next(&mut Context::from_waker(&waker)).is_pending());
            polls += 1;
        }
        // Each poll but the last had more to look at.
        assert!((4..=16).contains(&polls), "{polls} polls");
    });
}

#[test]
fn a_wake_is_one_wake() {
    run(async {
        let mut set = JoinSet::new();
        let (tx, rx) = oneshot::channel::<()>();
        set.spawn(async { rx.await.unwrap() });
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(wakes.clone());
        let mut cx = Context::from_waker(&waker);
        assert!(set.poll_join_next(&mut cx).is_pending());
        assert!(set.poll_join_next(&mut cx).is_pending());
        yield_now().await;
        assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
        tx.send(()).unwrap();
        yield_now().await;
        yield_now().await;
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert!(matches!(set.poll_join_next(&mut cx), Poll::Ready(Some(Ok(())))));
        assert!(matches!(set.poll_join_next(&mut cx), Poll::Ready(None)));
    });
}

#[test]
fn dropping_a_join_loses_nothing() {
    run(async {
        let mut set = JoinSet::new();
        for i in 0..100 {
            set.spawn(async move {
                for _ in 0..i % 7 {
                    yield_now().await;
                }
                i
            });
        }
        let mut outputs = HashSet::new();
        while !set.is_empty() {
            // A poll, and the future is gone.
            match set.join_next().now_or_never() {
                Some(joined) => assert!(outputs.insert(joined.unwrap().unwrap())),
                None => yield_now().await,
            }
        }
        assert_eq!(outputs.len(), 100);
    });
}

#[test]
fn joining_without_end_lets_others_run() {
    run(async {
        let joined = Rc::new(Cell::new(0));
        let joining = spawn({
            let joined = joined.clone();
            async move {
                let mut set: JoinSet<()> = (0..10_000).map(|_| ready(())).collect();
                // Let all of them end.
                while set.try_join_next().is_none() {
                    yield_now().await;
                }
                while set.join_next().await.is_some() {
                    joined.set(joined.get() + 1);
                }
            }
        });
        while joined.get() == 0 {
            yield_now().await;
        }
        assert!(joined.get() <= 128, "{} joins in one poll", joined.get());
        joining.await.unwrap();
        assert_eq!(joined.get(), 9_999);
    });
}

#[test]
fn a_spent_budget_hides_nothing_from_try_join_next() {
    run(async {
        let task = spawn(async {
            let mut set: JoinSet<u32> = (0..500).map(ready).collect();
            yield_now().await;
            // All in one poll.
            let joined = std::iter::from_fn(|| set.try_join_next()).count();
            assert_eq!((joined, set.len()), (500, 0));

            let mut set: JoinSet<u32> = (0..500).map(ready).collect();
            yield_now().await;
            unconstrained(async { while set.join_next().await.is_some() {} }).await;
        });
        task.await.unwrap();
    });
}

#[test]
fn dropping_the_set_aborts_its_tasks() {
    run(async {
        let dropped = Dropped::default();
        let mut set = JoinSet::new();
        let mut handles = Vec::new();
        for _ in 0..10 {
            let held = dropped.clone();
            handles.push(set.spawn(async move {
                let _held = held;
                pending::<()>().await;
            }));
        }
        yield_now().await;
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(wakes.clone());
        assert!(set.poll_join_next(&mut Context::from_waker(&waker)).is_pending());
        drop(set);
        yield_now().await;
        assert_eq!(wakes.0.load(Ordering::Relaxed), 0, "nobody waits any more");
        assert_eq!(dropped.0.get(), 10);
        assert!(handles.iter().all(AbortHandle::is_finished));
    });
}

#[test]
fn detached_tasks_go_on() {
    run(async {
        let mut set = JoinSet::new();
        let (tx, rx) = oneshot::channel();
        let (go, wait) = oneshot::channel::<()>();
        set.spawn(async {
            wait.await.unwrap();
            tx.send(1).unwrap();
        });
        assert!(set.join_next().now_or_never().is_none());
        set.detach_all();
        assert!(set.is_empty());
        // The key of the task that is gone has another's by now.
        set.spawn(async {});
        drop(set);
        yield_now().await;
        go.send(()).unwrap();
        assert_eq!(rx.await, Ok(1));
    });
}

#[test]
fn aborted_tasks_say_so() {
    run(async {
        let mut set = JoinSet::new();
        let one = set.spawn(pending::<()>());
        set.spawn(pending::<()>());
        one.abort();
        let error = set.join_next_with_id().await.unwrap().unwrap_err();
        assert!(error.is_cancelled());
        assert_eq!(error.id(), one.id());
        set.abort_all();
        assert_eq!(set.len(), 1);
        assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());

        // What has ended keeps its output.
        set.spawn(async {});
        yield_now().await;
        set.abort_all();
        assert!(set.join_next().await.unwrap().is_ok());
    });
}

#[test]
fn shutdown_waits_until_all_futures_are_gone() {
    run(async {
        let dropped = Dropped::default();
        let mut set = JoinSet::new();
        for _ in 0..10 {
            let held = dropped.clone();
            set.spawn(async move {
                let _held = held;
                pending::<()>().await;
            });
        }
        set.shutdown().await;
        assert_eq!(dropped.0.get(), 10);
        assert!(set.is_empty());
    });
}

#[test]
fn join_all_gives_every_output() {
    run(async {
        pause();
        let mut set = JoinSet::default();
        set.extend([2u32, 1, 3].map(|seconds| async move {
            sleep(seconds * SECOND).await;
            seconds
        }));
        assert_eq!(set.join_all().await, [1, 2, 3]);
        assert_eq!(JoinSet::<()>::new().join_all().await, []);
    });
}

#[test]
fn join_all_passes_a_panic_on_and_aborts_the_rest() {
    run(async {
        let dropped = Dropped::default();
        let mut set = JoinSet::new();
        let held = dropped.clone();
        set.spawn(async move {
            let _held = held;
            pending::<()>().await;
        });
        set.spawn(async { panic!("on purpose") });
        let payload = AssertUnwindSafe(set.join_all()).catch_unwind().await.unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
        yield_now().await;
        assert_eq!(dropped.0.get(), 1);

        let mut set = JoinSet::new();
        set.spawn(pending::<()>()).abort();
        let payload = AssertUnwindSafe(set.join_all()).catch_unwind().await.unwrap_err();
        let sentence = payload.downcast_ref::<String>().unwrap();
        assert!(sentence.contains("was cancelled"), "{sentence}");
    });
}

#[test]
fn blocking_closures_and_other_runtimes_may_be_in_it() {
    limited(|| {
        let (handle_tx, handle) = mpsc::channel();
        let (done_tx, done) = oneshot::channel::<()>();
        let other = thread::spawn(move || {
            runtime::block_on(async {
                handle_tx.send(Handle::current()).unwrap();
                done.await.unwrap();
            });
        });
        let there = handle.recv().unwrap();
        runtime::block_on(async {
            let mut set = JoinSet::new();
            let here = thread::current().id();
            set.spawn(async { thread::current().id() });
            set.spawn_on(async { thread::current().id() }, &there);
            set.spawn_on(async { thread::current().id() }, &Handle::current());
            set.spawn_blocking(|| thread::current().id());
            set.spawn_blocking_on(|| thread::current().id(), &there);
            set.spawn_local(async { thread::current().id() });
            let threads = set.join_all().await;
            assert_eq!(threads.len(), 6);
            assert_eq!(threads.iter().filter(|&&thread| thread == here).count(), 3);
            assert_eq!(threads.iter().filter(|&&id| id == other.thread().id()).count(), 1);
        });
        done_tx.send(()).unwrap();
        other.join().unwrap();
    });
}

#[test]
fn wakes_of_other_threads_are_not_lost() {
    run(async {
        let mut set = JoinSet::new();
        for round in 0..200 {
            for i in 0..4 {
                set.spawn_blocking(move || round * 4 + i);
            }
            let mut sum = 0;
            while let Some(output) = set.join_next().await {
                sum += output.unwrap();
            }
            assert_eq!(sum, round * 16 + 6);
        }
    });
}

#[test]
fn a_set_may_go_to_another_thread() {
    limited(|| {
        let home = Runtime::new().unwrap();
        let (go, wait) = oneshot::channel::<()>();
        let mut set = JoinSet::new();
        home.block_on(async {
            set.spawn(async {
                wait.await.unwrap();
                5
            });
            // Its handle has been polled here, its waker is with the task.
            assert!(set.join_next().now_or_never().is_none());
        });
        let joining = thread::spawn(move || futures::executor::block_on(set.join_next()));
        home.block_on(async {
            go.send(()).unwrap();
            while !joining.is_finished() {
                yield_now().await;
            }
        });
        assert_eq!(joining.join().unwrap().unwrap().unwrap(), 5);
    });
}

#[test]
fn a_set_outlives_its_runtime() {
    limited(|| {
        let mut set = runtime::block_on(async {
            let mut set = JoinSet::new();
            set.spawn(pending::<()>());
            assert!(set.join_next().now_or_never().is_none());
            set.spawn(pending::<()>());
            set
        });
        // The next runtime has the slot of the one that is gone.
        runtime::block_on(async {
            let innocent = spawn(async {
                yield_now().await;
                1
            });
            for _ in 0..2 {
                assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
            }
            set.spawn(pending::<()>());
            assert_eq!(innocent.await.unwrap(), 1);
        });
        drop(set);
    });
}

#[test]
fn an_output_may_use_the_runtime_as_it_is_dropped() {
    run(async {
        struct Spawns(Rc<RefCell<Vec<u32>>>);
        impl Drop for Spawns {
            fn drop(&mut self) {
                let log = self.0.clone();
                drop(spawn(async move { log.borrow_mut().push(1) }));
            }
        }
        let log = Rc::new(RefCell::new(Vec::new()));
        let mut set = JoinSet::new();
        for _ in 0..3 {
            set.spawn(ready(Spawns(log.clone())));
        }
        yield_now().await;
        drop(set);
        yield_now().await;
        assert_eq!(*log.borrow(), [1, 1, 1]);
    });
}

#[test]
fn it_is_send_when_the_outputs_are() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<JoinSet<u32>>();
    let debug = format!("{:?}", JoinSet::<u32>::new());
    assert_eq!(debug, "JoinSet { len: 0, .. }");
}
