//! A task from `spawn` to its outcome: joining, detaching, aborting.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;

use futures::future::{Either, select};
use runtime::Runtime;
use runtime::task::{AbortHandle, yield_now};

use crate::support::{limited, run};

/// Counts the drops of its clones.
#[derive(Clone, Default)]
struct Drops(Rc<Cell<u32>>);

impl Drops {
    fn count(&self) -> u32 {
        self.0.get()
    }

    /// What counts one drop.
    fn token(&self) -> impl Drop + use<> {
        struct Token(Rc<Cell<u32>>);
        impl Drop for Token {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
            }
        }
        Token(self.0.clone())
    }
}

#[test]
fn a_task_need_not_be_send() {
    run(async {
        let shared = Rc::new(Cell::new(1));
        let task = runtime::spawn({
            let shared = shared.clone();
            async move {
                yield_now().await;
                shared.set(2);
                shared
            }
        });
        assert!(Rc::ptr_eq(&task.await.unwrap(), &shared));
        assert_eq!(shared.get(), 2);
    });
}

#[test]
fn spawn_does_not_poll() {
    run(async {
        let polled = Rc::new(Cell::new(false));
        let task = runtime::spawn({
            let polled = polled.clone();
            async move { polled.set(true) }
        });
        assert!(!polled.get());
        task.await.unwrap();
        assert!(polled.get());
    });
}

#[test]
fn dropping_the_handle_detaches_the_task() {
    run(async {
        let (tx, rx) = futures::channel::oneshot::channel();
        drop(runtime::spawn(async move {
            yield_now().await;
            tx.send(7).unwrap();
        }));
        assert_eq!(rx.await, Ok(7));
    });
}

#[test]
fn the_output_nobody_takes_is_dropped_with_the_handle() {
    run(async {
        let drops = Drops::default();
        let task = runtime::spawn(ready(drops.token()));
        yield_now().await;
        assert!(task.is_finished());
        assert_eq!(drops.count(), 0);
        drop(task);
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn the_future_is_dropped_as_soon_as_it_is_ready() {
    run(async {
        let drops = Drops::default();
        let held = drops.token();
        let task = runtime::spawn(poll_fn(move |_| {
            let _held = &held;
            Poll::Ready(())
        }));
        yield_now().await;
        assert_eq!(drops.count(), 1);
        task.await.unwrap();
    });
}

#[test]
fn aborted_before_its_first_poll_it_is_never_polled() {
    run(async {
        let drops = Drops::default();
        let held = drops.token();
        let task = runtime::spawn(async move {
            let _held = held;
            unreachable!("it was aborted before");
        });
        task.abort();
        assert!(!task.is_finished(), "it ends when the runtime comes to it");
        let error = task.await.unwrap_err();
        assert!(error.is_cancelled() && !error.is_panic());
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn aborted_while_pending_its_future_is_gone_before_the_handle_says_so() {
    run(async {
        let drops = Drops::default();
        let held = drops.token();
        let task = runtime::spawn(async move {
            let _held = held;
            pending::<()>().await;
        });
        yield_now().await;
        task.abort();
        task.abort();
        assert_eq!(drops.count(), 0, "never inside of abort");
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(drops.count(), 1);
    });
}

/// Spawns a task that has its own abort handle by the time it is polled.
fn spawn_with_own_handle<T: 'static>(
    mut poll: impl FnMut(&AbortHandle, &mut Context<'_>) -> Poll<T> + 'static,
) -> runtime::JoinHandle<T> {
    let own = Rc::new(RefCell::new(None::<AbortHandle>));
    let task = runtime::spawn({
        let own = own.clone();
        poll_fn(move |cx| poll(own.borrow().as_ref().unwrap(), cx))
    });
    *own.borrow_mut() = Some(task.abort_handle());
    task
}

#[test]
fn a_task_that_aborts_itself_ends_at_its_next_await() {
    run(async {
        let polls = Rc::new(Cell::new(0));
        let count = polls.clone();
        let task = spawn_with_own_handle(move |own, _| {
            count.set(count.get() + 1);
            own.abort();
            Poll::<()>::Pending
        });
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(polls.get(), 1);
    });
}

#[test]
fn a_task_that_aborts_itself_and_is_ready_keeps_its_output() {
    run(async {
        let task = spawn_with_own_handle(|own, _| {
            own.abort();
            Poll::Ready(5)
        });
        assert_eq!(task.await.unwrap(), 5);
    });
}

#[test]
fn a_task_that_wakes_itself_and_is_ready_keeps_its_output() {
    run(async {
        let task = runtime::spawn(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Ready(5)
        }));
        // It comes up in the queue once more before it is asked for.
        yield_now().await;
        yield_now().await;
        assert!(task.is_finished());
        assert_eq!(task.await.unwrap(), 5);
    });
}

#[test]
fn abort_after_completion_keeps_the_output() {
    run(async {
        let task = runtime::spawn(async { 5 });
        yield_now().await;
        task.abort();
        yield_now().await;
        assert_eq!(task.await.unwrap(), 5);
    });
}

#[test]
fn cancel_gives_what_became_of_the_task() {
    struct PanicsInDrop;
    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("in the drop");
        }
    }
    run(async {
        assert!(runtime::spawn(pending::<()>()).cancel().await.unwrap_err().is_cancelled());

        let finished = runtime::spawn(async { 5 });
        yield_now().await;
        assert_eq!(finished.cancel().await.unwrap(), 5);

        let panicked = runtime::spawn(async { panic!("in the poll") });
        yield_now().await;
        let error = panicked.cancel().await.unwrap_err();
        assert!(error.to_string().contains("in the poll"), "{error}");

        let panics = PanicsInDrop;
        let panics = runtime::spawn(async move {
            let _panics = panics;
            pending::<()>().await;
        });
        yield_now().await;
        let error = panics.cancel().await.unwrap_err();
        assert!(error.is_panic() && error.to_string().contains("in the drop"), "{error}");
    });
}

#[test]
fn an_abort_handle_outlives_the_task_and_the_runtime() {
    let (aborted, finished, detached) = run(async {
        let task = runtime::spawn(pending::<()>());
        let aborted = task.abort_handle();
        assert_eq!(aborted.id(), task.id());
        assert!(!aborted.is_finished() && !task.is_finished());
        aborted.clone().abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(aborted.is_finished());

        let mut task = runtime::spawn(async {});
        (&mut task).await.unwrap();
        assert!(task.is_finished());
        let finished = task.abort_handle();
        assert!(finished.is_finished());

        let detached = runtime::spawn(pending::<()>()).abort_handle();
        assert!(!detached.is_finished());
        (aborted, finished, detached)
    });
    for handle in [aborted, finished, detached] {
        assert!(handle.is_finished());
        handle.abort();
    }
}

#[test]
fn aborting_a_task_that_is_gone_spares_the_next_at_its_place() {
    run(async {
        let first = runtime::spawn(async {});
        let stale = first.abort_handle();
        first.await.unwrap();
        // The slab hands the place that was freed last out first.
        let second = runtime::spawn(async {
            yield_now().await;
            5
        });
        stale.abort();
        assert_eq!(second.await.unwrap(), 5);
    });
}

#[test]
fn ids_are_never_used_twice() {
    fn ids_of_a_runtime() -> Vec<runtime::task::Id> {
        runtime::block_on(async {
            let mut ids = Vec::new();
            for _ in 0..500 {
                let task = runtime::spawn(async { runtime::task::id() });
                let id = task.id();
                assert_eq!(task.await.unwrap(), id);
                ids.push(id);
            }
            ids
        })
    }
    limited(|| {
        let threads: Vec<_> = (0..4).map(|_| thread::spawn(ids_of_a_runtime)).collect();
        let mut ids = ids_of_a_runtime();
        ids.extend(ids_of_a_runtime());
        ids.extend(threads.into_iter().flat_map(|thread| thread.join().unwrap()));
        let number = ids.len();
        assert_eq!(ids.into_iter().collect::<HashSet<_>>().len(), number);
    });
}

#[test]
fn only_a_task_has_an_id() {
    assert!(runtime::task::try_id().is_none());
    run(async {
        assert!(runtime::task::try_id().is_none(), "block_on's future is no task");
        let task = runtime::spawn(async { runtime::task::try_id() });
        let id = task.id();
        assert_eq!(task.await.unwrap(), Some(id));
    });
}

#[test]
fn awaited_by_another_runtime_on_the_same_thread() {
    limited(|| {
        let (first, second) = (Runtime::new().unwrap(), Runtime::new().unwrap());
        let task = first.spawn(async {
            yield_now().await;
            Rc::new(5)
        });
        let waits = second.spawn(task);
        first.block_on(yield_now());
        first.block_on(yield_now());
        assert_eq!(*second.block_on(waits).unwrap().unwrap(), 5);
    });
}

#[test]
fn awaited_by_a_runtime_and_by_a_foreign_executor_on_other_threads() {
    type Await = fn(runtime::JoinHandle<i32>) -> Result<i32, runtime::task::JoinError>;
    for wait in
        [(|task| runtime::block_on(task)) as Await, |task| futures::executor::block_on(task)]
    {
        run(async move {
            let (go, gone) = futures::channel::oneshot::channel::<()>();
            let task = runtime::spawn(async {
                gone.await.unwrap();
                5
            });
            let (tx, rx) = futures::channel::oneshot::channel();
            let thread = thread::spawn(move || tx.send(wait(task)));
            go.send(()).unwrap();
            assert_eq!(rx.await.unwrap().unwrap(), 5);
            thread.join().unwrap().unwrap();
        });
    }
}

#[test]
fn a_handle_on_another_thread_aborts_and_sees_the_end() {
    run(async {
        let task = runtime::spawn(pending::<()>());
        let (tx, rx) = futures::channel::oneshot::channel();
        let thread = thread::spawn(move || {
            assert!(!task.is_finished());
            let handle = task.abort_handle();
            task.abort();
            let error = futures::executor::block_on(task).unwrap_err();
            // The answer may lag behind; it comes.
            while !handle.is_finished() {
                thread::yield_now();
            }
            tx.send(error).unwrap();
        });
        assert!(rx.await.unwrap().is_cancelled());
        thread.join().unwrap();
    });
}

#[test]
fn dropped_on_another_thread_it_detaches() {
    run(async {
        let (tx, rx) = futures::channel::oneshot::channel();
        let (dropped, was_dropped) = futures::channel::oneshot::channel();
        let task = runtime::spawn(async move {
            was_dropped.await.unwrap();
            tx.send(5).unwrap();
        });
        thread::spawn(move || {
            drop(task);
            dropped.send(()).unwrap();
        });
        assert_eq!(rx.await, Ok(5));
    });
}

#[test]
fn a_handle_in_a_select_is_dropped_and_awaited_again() {
    run(async {
        let (tx, rx) = futures::channel::oneshot::channel();
        let mut task = runtime::spawn(async { rx.await.unwrap() });
        for _ in 0..3 {
            match select(&mut task, pin!(yield_now())).await {
                Either::Left(_) => unreachable!("it waits for the channel"),
                Either::Right(((), _)) => {}
            }
        }
        // The last to poll is woken: another task.
        let waits = runtime::spawn(task);
        yield_now().await;
        tx.send(5).unwrap();
        assert_eq!(waits.await.unwrap().unwrap(), 5);
    });
}

#[test]
fn a_handle_whose_runtime_is_gone_is_cancelled() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let drops = Drops::default();
        let (pending, finished) =
            (runtime.spawn(pending::<()>()), runtime.spawn(ready(drops.token())));
        runtime.block_on(yield_now());
        assert!(finished.is_finished());
        drop(runtime);
        assert_eq!(drops.count(), 1, "the output goes with the runtime");
        assert!(pending.is_finished() && finished.is_finished());
        assert!(runtime::block_on(pending).unwrap_err().is_cancelled());
        assert!(futures::executor::block_on(finished).map(drop).unwrap_err().is_cancelled());
    });
}

#[test]
fn a_waiter_elsewhere_is_told_when_the_runtime_goes() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let task = runtime.spawn(pending::<()>());
        let (tx, rx) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut task = task;
            let polled = Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
            tx.send(()).unwrap();
            futures::executor::block_on(task)
        });
        rx.recv().unwrap();
        drop(runtime);
        assert!(thread.join().unwrap().unwrap_err().is_cancelled());
    });
}

#[test]
fn awaiting_a_handle_a_second_time_panics_with_a_sentence() {
    run(async {
        let mut task = runtime::spawn(async {});
        (&mut task).await.unwrap();
        let again = catch_unwind(AssertUnwindSafe(|| {
            let _ = Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop()));
        }));
        let said = again.unwrap_err().downcast::<&str>().unwrap();
        assert!(said.contains("after it had given its output"), "{said}");
    });
}

#[test]
fn spawn_with_no_runtime_panics_at_the_caller_with_the_remedy() {
    let panic = catch_unwind(|| drop(runtime::spawn(async {}))).unwrap_err();
    let said = panic.downcast::<String>().unwrap();
    assert!(said.contains("no runtime on this thread") && said.contains("block_on"), "{said}");
}
