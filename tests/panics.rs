//! Misuse panics at the caller's line, with a sentence that says what to do instead.
//!
//! A binary of its own: the panic hook is the process's.

mod support;

use std::cell::RefCell;
use std::future::pending;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use runtime::io::AsyncFd;
use runtime::signal::unix::{SignalKind, signal};
use runtime::task::JoinSet;
use runtime::time::{self, Instant};
use runtime::{Builder, Handle, Runtime};

use crate::support::limited;

/// A panic as the hook sees it.
struct Seen {
    message: String,
    file: String,
}

thread_local! {
    static LAST: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

/// The panic of `misuse`.
#[track_caller]
fn panic_of<T>(misuse: impl FnOnce() -> T) -> Seen {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let payload = info.payload();
            let message = match payload.downcast_ref::<&str>() {
                Some(words) => words.to_string(),
                None => payload.downcast_ref::<String>().expect("panics speak").clone(),
            };
            let seen = Seen {
                message,
                file: info.location().expect("panics have a place").file().to_string(),
            };
            LAST.set(Some(seen));
            default(info);
        }));
    });
    LAST.set(None);
    let result = catch_unwind(AssertUnwindSafe(|| drop(misuse())));
    assert!(result.is_err(), "this was to panic");
    LAST.take().expect("the hook has seen the panic")
}

/// Asserts that `misuse` panics in this file, with words that name the operation and the remedy.
#[track_caller]
fn assert_panics_here<T>(misuse: impl FnOnce() -> T, words: &[&str]) {
    let seen = panic_of(misuse);
    assert_eq!(seen.file, file!(), "the place of {:?}", seen.message);
    for word in words {
        assert!(seen.message.contains(word), "{word:?} is not in {:?}", seen.message);
    }
}

#[test]
fn no_runtime_on_the_thread() {
    let ms = Duration::from_millis(1);
    assert_panics_here(|| runtime::spawn(async {}), &["spawn", "inside block_on"]);
    assert_panics_here(|| JoinSet::new().spawn(async {}), &["spawn", "inside block_on"]);
    assert_panics_here(
        || runtime::task::Builder::new().spawn(async {}),
        &["task::Builder::spawn", "inside block_on"],
    );
    assert_panics_here(|| runtime::spawn_blocking(|| ()), &["spawn_blocking", "inside block_on"]);
    assert_panics_here(|| JoinSet::new().spawn_blocking(|| ()), &["spawn_blocking"]);
    assert_panics_here(|| time::sleep(ms), &["sleep", "inside block_on"]);
    assert_panics_here(|| time::sleep_until(Instant::now()), &["sleep", "inside block_on"]);
    assert_panics_here(|| time::timeout(ms, async {}), &["timeout", "inside block_on"]);
    assert_panics_here(|| time::timeout_at(Instant::now(), async {}), &["timeout"]);
    assert_panics_here(|| time::interval(ms), &["interval", "inside block_on"]);
    assert_panics_here(|| time::interval_at(Instant::now(), ms), &["interval"]);
    assert_panics_here(|| time::pause(), &["time::pause", "inside block_on"]);
    assert_panics_here(|| time::resume(), &["time::resume", "inside block_on"]);
    assert_panics_here(|| Handle::current(), &["Handle::current", "inside block_on"]);
    assert_panics_here(|| signal(SignalKind::hangup()), &["a signal", "inside block_on"]);
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_panics_here(|| AsyncFd::new(socket), &["AsyncFd", "inside block_on"]);
}

#[test]
fn blocking_inside_of_a_runtime() {
    limited(|| {
        runtime::block_on(async {
            assert_panics_here(|| runtime::block_on(async {}), &["block_on", ".await", "spawn"]);
            let other = Runtime::new().unwrap();
            assert_panics_here(|| other.block_on(async {}), &["Runtime::block_on", ".await"]);
            let handle = Handle::current();
            assert_panics_here(|| handle.block_on(async {}), &["Handle::block_on", ".await"]);
        });
    });
}

#[test]
fn values_that_make_no_sense() {
    limited(|| {
        let misuse = |builder: fn(&mut Builder) -> &mut Builder, words: &[&str]| {
            assert_panics_here(|| builder(&mut Builder::new()).build(), words);
        };
        misuse(|builder| builder.event_interval(0), &["event_interval", "at least 1"]);
        misuse(|builder| builder.max_blocking_threads(0), &["max_blocking_threads", "at least 1"]);
        misuse(|builder| builder.thread_name("a\0b"), &["NUL"]);
        runtime::block_on(async {
            assert_panics_here(|| time::interval(Duration::ZERO), &["period", "yield_now"]);
            assert_panics_here(
                || time::interval_at(Instant::now(), Duration::ZERO),
                &["period", "at least 1 ns"],
            );
        });
    });
}

#[test]
fn things_only_a_task_has() {
    limited(|| {
        assert_panics_here(|| runtime::task::id(), &["task::id", "spawned tasks"]);
        runtime::block_on(async {
            assert_panics_here(|| runtime::task::id(), &["task::id", "spawned tasks"]);
        });
        runtime::task_local!(static KEY: u32);
        assert_panics_here(|| KEY.get(), &["outside of a scope", "`sync_scope`"]);
        assert_panics_here(
            || KEY.sync_scope(1, || KEY.with(|_| KEY.sync_scope(2, || ()))),
            &["inside `with`", "leave `with` before"],
        );
    });
}

#[test]
fn the_clock_out_of_turn() {
    limited(|| {
        runtime::block_on(async {
            assert_panics_here(|| time::resume(), &["time::resume", "call time::pause before"]);
            time::pause();
            assert_panics_here(|| time::pause(), &["time::pause", "paused already"]);
        });
    });
}

#[test]
fn a_join_error_of_the_other_kind() {
    limited(|| {
        runtime::block_on(async {
            let error = runtime::spawn(pending::<()>()).cancel().await.unwrap_err();
            assert_panics_here(|| error.into_panic(), &["cancelled", "no panic"]);
        });
    });
}

#[test]
fn spawning_where_a_runtime_of_another_thread_is_entered() {
    limited(|| {
        let (handle_tx, handle) = mpsc::channel();
        let (done_tx, done) = oneshot::channel::<()>();
        let home = thread::spawn(move || {
            runtime::block_on(async {
                handle_tx.send(Handle::current()).unwrap();
                done.await.unwrap();
            });
        });
        let handle = handle.recv().unwrap();
        let guard = handle.enter();
        assert_panics_here(|| runtime::spawn(async {}), &["spawn", "Handle::spawn"]);
        assert_panics_here(|| JoinSet::new().spawn(async {}), &["spawn", "Handle::spawn"]);
        assert_panics_here(
            || runtime::task::Builder::new().spawn(async {}),
            &["task::Builder::spawn"],
        );
        drop(guard);
        done_tx.send(()).unwrap();
        home.join().unwrap();
    });
}
