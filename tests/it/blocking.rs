//! `spawn_blocking` as a user sees it; the pool's own rules are tested with the engine.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use runtime::task::yield_now;
use runtime::{Builder, Handle, Runtime};

use crate::support::{limited, run};

#[test]
fn a_blocking_closure_runs_elsewhere_and_gives_its_result() {
    run(async {
        let here = thread::current().id();
        let there = runtime::spawn_blocking(|| thread::current().id()).await.unwrap();
        assert_ne!(here, there);
        let handle = Handle::current();
        assert_eq!(handle.spawn_blocking(|| 5).await.unwrap(), 5);
        assert_eq!(runtime::task::spawn_blocking(|| 6).await.unwrap(), 6);
    });
}

#[test]
fn the_runtime_goes_on_meanwhile() {
    run(async {
        let (tx, rx) = mpsc::channel();
        let blocked = runtime::spawn_blocking(move || rx.recv().unwrap());
        runtime::spawn(yield_now()).await.unwrap();
        runtime::time::sleep(Duration::from_millis(1)).await;
        tx.send(5).unwrap();
        assert_eq!(blocked.await.unwrap(), 5);
    });
}

#[test]
fn its_threads_have_the_name_asked_for() {
    limited(|| {
        let runtime = Builder::new().thread_name("by name").build().unwrap();
        let name = runtime.spawn_blocking(|| thread::current().name().map(str::to_string));
        assert_eq!(runtime.block_on(name).unwrap().as_deref(), Some("by name"));
    });
}

#[test]
fn a_panic_in_it_is_its_handles() {
    run(async {
        let error = runtime::spawn_blocking(|| panic!("while blocking")).await.unwrap_err();
        assert!(error.is_panic() && error.to_string().contains("while blocking"), "{error}");
        assert_eq!(runtime::spawn_blocking(|| 5).await.unwrap(), 5);
    });
}

/// A pool whose only thread is held until the sender is used.
pub(crate) fn held_up() -> (Runtime, mpsc::Sender<()>, runtime::JoinHandle<()>) {
    let runtime = Builder::new().max_blocking_threads(1).build().unwrap();
    let (tx, rx) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let first = runtime.spawn_blocking(move || {
        started.send(()).unwrap();
        let _ = rx.recv();
    });
    has_started.recv().unwrap();
    (runtime, tx, first)
}

#[test]
fn aborted_before_it_starts_it_never_does() {
    limited(|| {
        let (runtime, go_on, first) = held_up();
        let ran = Arc::new(AtomicBool::new(false));
        let second = runtime.spawn_blocking({
            let ran = ran.clone();
            move || ran.store(true, Ordering::Relaxed)
        });
        second.abort();
        // One that has started goes on.
        first.abort();
        go_on.send(()).unwrap();
        assert!(runtime.block_on(second).unwrap_err().is_cancelled());
        runtime.block_on(first).unwrap();
        assert!(!ran.load(Ordering::Relaxed));
    });
}

#[test]
fn a_dropped_runtime_cancels_what_has_not_started_and_waits_for_nothing() {
    limited(|| {
        let (runtime, go_on, first) = held_up();
        let second = runtime.spawn_blocking(|| unreachable!("the runtime is gone"));
        drop(runtime);
        assert!(second.is_finished());
        assert!(futures::executor::block_on(second).unwrap_err().is_cancelled());
        // What had started is still there to be joined.
        assert!(!first.is_finished());
        go_on.send(()).unwrap();
        futures::executor::block_on(first).unwrap();
    });
}

#[test]
fn shutdown_timeout_waits_for_what_has_started_but_not_for_ever() {
    limited(|| {
        let (runtime, go_on, first) = held_up();
        let start = Instant::now();
        runtime.shutdown_timeout(Duration::from_millis(20));
        assert!(start.elapsed() >= Duration::from_millis(20));
        assert!(!first.is_finished());
        drop(go_on);
        futures::executor::block_on(first).unwrap();

        let (runtime, go_on, first) = held_up();
        drop(go_on);
        runtime.shutdown_timeout(Duration::from_secs(3600));
        assert!(first.is_finished());

        let (runtime, _go_on, first) = held_up();
        runtime.shutdown_background();
        assert!(!first.is_finished());
    });
}

#[test]
fn a_closure_may_use_the_runtime_by_its_handle() {
    run(async {
        let handle = Handle::current();
        let sum = runtime::spawn_blocking(move || {
            let two = handle.block_on(async {
                runtime::time::sleep(Duration::from_millis(1)).await;
                2
            });
            let three = handle.block_on(handle.spawn(async { 3 })).unwrap();
            two + three
        });
        assert_eq!(sum.await.unwrap(), 5);
    });
}

#[test]
fn the_clock_of_a_test_waits_for_it() {
    limited(|| {
        let runtime = Builder::new().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (tx, rx) = mpsc::channel::<()>();
            let blocked = runtime::spawn_blocking(move || rx.recv().is_err());
            let start = runtime::time::Instant::now();
            let jumps = runtime::spawn(runtime::time::sleep(Duration::from_secs(1)));
            yield_now().await;
            drop(tx);
            assert!(blocked.await.unwrap());
            assert_eq!(start.elapsed(), Duration::ZERO);
            jumps.await.unwrap();
            assert_eq!(start.elapsed(), Duration::from_secs(1));
        });
    });
}

#[test]
fn with_no_runtime_it_panics_with_the_remedy() {
    let panic = catch_unwind(|| drop(runtime::spawn_blocking(|| ()))).unwrap_err();
    let said = panic.downcast::<&str>().unwrap();
    assert!(said.contains("no runtime on this thread"), "{said}");
    assert!(said.contains("Handle::spawn_blocking"), "{said}");
}

#[test]
fn a_pool_of_nobody_is_refused() {
    let panic =
        catch_unwind(AssertUnwindSafe(|| drop(Builder::new().max_blocking_threads(0).build())));
    let said = panic.unwrap_err().downcast::<&str>().unwrap();
    assert!(said.contains("at least 1"), "{said}");
}

#[test]
fn a_blocked_task_does_not_hold_up_the_end() {
    limited(|| {
        let (tx, rx) = mpsc::channel::<()>();
        runtime::block_on(async {
            drop(runtime::spawn_blocking(move || rx.recv()));
            drop(runtime::spawn(pending::<()>()));
        });
        drop(tx);
    });
}
