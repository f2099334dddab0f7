//! Runtimes, handles and guards: what is current where, and what misuse is told.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use runtime::io::Source;
use runtime::task::yield_now;
use runtime::time::sleep;
use runtime::{Builder, Handle, Runtime};

use crate::support::{limited, run};

/// What a misuse says.
fn told(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it should panic");
    match payload.downcast::<String>() {
        Ok(said) => *said,
        Err(payload) => payload.downcast_ref::<&str>().expect("a sentence").to_string(),
    }
}

fn current() -> Option<runtime::Id> {
    Handle::try_current().ok().map(|handle| handle.id())
}

fn socket_pair() -> (Source<UnixStream>, Source<UnixStream>) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    b.set_nonblocking(true).unwrap();
    (Source::new(a), Source::new(b))
}

#[test]
fn outside_of_a_runtime_there_is_none() {
    let error = Handle::try_current().unwrap_err();
    assert!(error.is_missing_context() && !error.is_thread_local_destroyed());
    assert!(error.to_string().contains("block_on"), "{error}");
    assert!(told(|| drop(Handle::current())).contains("no runtime on this thread"));
    assert!(told(|| drop(sleep(Duration::ZERO))).contains("no runtime on this thread"));
}

#[test]
fn what_needs_a_runtime_panics_at_its_caller() {
    fn place(f: impl FnOnce() + Send + 'static) -> String {
        let (tx, rx) = mpsc::channel();
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if thread::current().name() == Some("misuse") {
                let _ = tx.send(info.location().unwrap().file().to_string());
            } else {
                hook(info);
            }
        }));
        let thread = thread::Builder::new().name("misuse".to_string()).spawn(f).unwrap();
        thread.join().unwrap_err();
        rx.recv().unwrap()
    }
    let misuses: [fn(); 7] = [
        || drop(runtime::spawn(async {})),
        || drop(runtime::spawn_blocking(|| ())),
        || drop(sleep(Duration::ZERO)),
        || drop(Handle::current()),
        || drop(Builder::new().event_interval(0).build()),
        || drop(Builder::new().max_blocking_threads(0).build()),
        || run(async { runtime::block_on(async {}) }),
    ];
    for (number, misuse) in misuses.into_iter().enumerate() {
        // The hook is the process's: one at a time, and the others' panics pass through.
        let place = place(misuse);
        assert_eq!(place, file!(), "misuse {number}");
    }
}

#[test]
fn block_on_inside_a_runtime_says_what_to_do() {
    run(async {
        let inner = Runtime::new().unwrap();
        let handle = inner.handle().clone();
        let own = Handle::current();
        for said in [
            told(|| runtime::block_on(async {})),
            told(|| inner.block_on(async {})),
            told(|| handle.block_on(async {})),
            told(|| own.block_on(async {})),
        ] {
            assert!(said.contains("inside a runtime") && said.contains("`.await`"), "{said}");
        }
        // Nothing is broken by it.
        runtime::spawn(yield_now()).await.unwrap();
    });
}

#[test]
fn a_runtime_runs_many_futures_one_after_another() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let steps = Rc::new(Cell::new(0));
        let task = runtime.spawn({
            let steps = steps.clone();
            async move {
                for _ in 0..3 {
                    yield_now().await;
                    steps.set(steps.get() + 1);
                }
                "done"
            }
        });
        assert_eq!(steps.get(), 0, "nobody drives it");
        assert_eq!(runtime.block_on(async { 1 }), 1);
        runtime.block_on(async { sleep(Duration::from_millis(1)).await });
        assert_eq!(runtime.block_on(task).unwrap(), "done");
        assert_eq!(steps.get(), 3);
    });
}

#[test]
fn entered_it_is_found_and_does_not_run() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let task = {
            let _guard = runtime.enter();
            assert_eq!(current(), Some(runtime.handle().id()));
            let nap = sleep(Duration::from_millis(1));
            let local = Rc::new(5);
            runtime::spawn(async move {
                nap.await;
                *local
            })
        };
        assert_eq!(current(), None);
        assert_eq!(runtime.block_on(task).unwrap(), 5);
    });
}

#[test]
fn guards_nest() {
    limited(|| {
        let (first, second) = (Runtime::new().unwrap(), Runtime::new().unwrap());
        let ids = (Some(first.handle().id()), Some(second.handle().id()));
        let outer = first.enter();
        {
            let _inner = second.handle().enter();
            assert_eq!(current(), ids.1);
            // What is driven counts more than what is entered, and a guard inside more than that.
            first.block_on(async {
                assert_eq!(current(), ids.0);
                let _inside = second.enter();
                assert_eq!(current(), ids.1);
            });
            assert_eq!(current(), ids.1);
        }
        assert_eq!(current(), ids.0);
        drop(outer);
        assert_eq!(current(), None);
    });
}

#[test]
fn guards_dropped_out_of_order_leave_nothing_behind() {
    limited(|| {
        let (first, second) = (Runtime::new().unwrap(), Runtime::new().unwrap());
        let id = Some(second.handle().id());
        let (outer, inner) = (first.enter(), second.enter());
        drop(outer);
        assert_eq!(current(), id, "the inner one stands");
        drop(inner);
        assert_eq!(current(), None);

        // One that leaves the block_on it was made in, and one that ends in another.
        let (outer, other) = (first.enter(), second.handle().clone());
        let escaped = first.block_on(async {
            drop(outer);
            assert_eq!(current(), Some(first.handle().id()));
            other.enter()
        });
        assert_eq!(current(), id);
        drop(escaped);
        assert_eq!(current(), None);
    });
}

#[test]
fn a_runtime_is_dropped_under_a_live_guard() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let handle = runtime.handle().clone();
        let id = handle.id();
        let guard = handle.enter();
        let task = runtime.spawn(pending::<()>());
        drop(runtime);
        assert!(task.is_finished());
        // It is current and closed.
        assert_eq!(current(), Some(id));
        assert!(runtime::spawn(async {}).is_finished());
        assert!(runtime::spawn_blocking(|| ()).is_finished());
        drop(sleep(Duration::from_secs(1)));
        // Its place is not another's before it is gone.
        let next = Runtime::new().unwrap();
        assert_ne!(next.handle().id(), id);
        next.block_on(yield_now());
        drop(guard);
        assert_eq!(current(), None);
    });
}

#[test]
fn a_runtime_is_dropped_inside_the_block_on_of_its_handle() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let handle = runtime.handle().clone();
        let task = runtime.spawn(pending::<()>());
        let (tx, rx) = mpsc::channel::<Waker>();
        let thread = thread::spawn(move || rx.recv().unwrap().wake());
        handle.clone().block_on(async move {
            drop(runtime);
            assert!(task.await.unwrap_err().is_cancelled());
            assert!(handle.spawn(async {}).is_finished());
            // What it still waits for comes, and goes by a block that no other runtime has.
            let other = Runtime::new().unwrap();
            assert_ne!(
                handle.id().to_string().split('.').next(),
                other.handle().id().to_string().split('.').next(),
            );
            let mut asked = false;
            poll_fn(|cx| {
                if std::mem::replace(&mut asked, true) {
                    return Poll::Ready(());
                }
                tx.send(cx.waker().clone()).unwrap();
                Poll::Pending
            })
            .await;
            sleep(Duration::from_millis(1)).await;
        });
        thread.join().unwrap();
    });
}

#[test]
fn on_another_thread_entered_spawn_is_refused_and_the_rest_works() {
    run(async {
        let handle = Handle::current();
        let there = runtime::spawn_blocking(move || {
            let _guard = handle.enter();
            assert_eq!(current(), Some(handle.id()));
            // The run-time half of the rule that nothing that is not `Send` crosses.
            let held = Rc::new(());
            let witness = Rc::downgrade(&held);
            let said = told(|| {
                drop(runtime::spawn(async move {
                    let _held = held;
                }));
            });
            assert!(said.contains("Handle::spawn"), "{said}");
            assert_eq!(witness.strong_count(), 0, "it was dropped here");
            assert!(told(|| drop(runtime::task::Builder::new().spawn(async {}))).contains("spawn"));

            // What is `Send` goes: timers, the pool, the handle.
            futures::executor::block_on(async {
                sleep(Duration::from_millis(1)).await;
                assert_eq!(runtime::spawn_blocking(|| 5).await.unwrap(), 5);
                assert_eq!(Handle::current().spawn(async { 6 }).await.unwrap(), 6);
            });
        });
        there.await.unwrap();
    });
}

#[test]
fn a_handle_drives_its_runtime_on_the_owners_thread() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let handle = runtime.handle().clone();
        let task = runtime.spawn(async {
            sleep(Duration::from_millis(1)).await;
            5
        });
        assert_eq!(handle.block_on(task).unwrap(), 5);
    });
}

#[test]
fn a_handle_blocks_another_thread_while_the_owner_is_driven() {
    run(async {
        let handle = Handle::current();
        let (a, b) = socket_pair();
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(pin!(a.readable()).poll(cx).is_pending(), "registered here");
        let (tx, rx) = oneshot::channel();
        let (back_tx, back_rx) = oneshot::channel();
        let thread = thread::spawn(move || {
            handle.block_on(async move {
                sleep(Duration::from_millis(1)).await;
                let spawned = Handle::current().spawn(async { thread::current().id() });
                tx.send(spawned.await.unwrap()).unwrap();
                back_rx.await.unwrap();
                let mut byte = [0];
                a.read_with(|mut stream| stream.read(&mut byte)).await.unwrap();
                byte[0]
            })
        });
        assert_eq!(rx.await, Ok(thread::current().id()));
        back_tx.send(()).unwrap();
        b.write_with(|mut stream| stream.write(b"x")).await.unwrap();
        let thread = runtime::spawn_blocking(|| thread.join().unwrap());
        assert_eq!(thread.await.unwrap(), b'x');
    });
}

#[test]
fn waiting_for_a_descriptor_with_no_runtime_is_an_error_that_says_so() {
    let (a, _b) = socket_pair();
    let cx = &mut Context::from_waker(Waker::noop());
    let Poll::Ready(Err(error)) = pin!(a.readable()).poll(cx) else { panic!("never a hang") };
    assert!(error.to_string().contains("no runtime on this thread"), "{error}");
}

#[test]
fn ids_tell_runtimes_apart() {
    let first = Runtime::new().unwrap();
    let id = first.handle().id();
    assert_eq!(id, first.handle().clone().id());
    drop(first);
    let second = Runtime::new().unwrap();
    assert_ne!(id, second.handle().id());
}

#[test]
fn an_event_interval_of_zero_is_refused() {
    assert!(told(|| drop(Builder::new().event_interval(0).build())).contains("at least 1"));
}

#[test]
fn a_runtime_inside_a_runtime_is_dropped_in_its_task() {
    run(async {
        let task = runtime::spawn(async {
            let inner = Runtime::new().unwrap();
            let waits = inner.spawn(pending::<()>());
            drop(inner);
            waits.await.unwrap_err().is_cancelled() && runtime::task::try_id().is_some()
        });
        assert!(task.await.unwrap(), "the task is the running one still");
    });
}
