//! Panics in every place foreign code runs: caught, told once, and nobody else is hurt.

use std::any::Any;
use std::cell::Cell;
use std::env;
use std::error::Error;
use std::future::{pending, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::process::{Command, Output, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::thread;

use runtime::task::{self, JoinError, yield_now};
use runtime::{Builder, Runtime, UnhandledPanic};

use crate::support::{limited, run, turns};

/// Panics when it is dropped.
struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

/// Pending for ever, with something to drop.
async fn holding<T>(value: T) {
    let _value = value;
    pending::<()>().await;
}

fn said(payload: &(dyn Any + Send)) -> &str {
    let literal = payload.downcast_ref::<&str>().copied();
    literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("?")
}

fn caught(f: impl FnOnce()) -> Option<String> {
    catch_unwind(AssertUnwindSafe(f)).err().map(|payload| said(&*payload).to_string())
}

/// A task's error, and proof that others go on.
async fn failed<T: 'static>(task: runtime::JoinHandle<T>) -> JoinError {
    let sibling = runtime::spawn(yield_now());
    let Err(error) = task.await else { panic!("it panicked") };
    sibling.await.unwrap();
    error
}

#[test]
fn in_a_poll() {
    run(async {
        let error = failed(runtime::spawn(async {
            yield_now().await;
            panic!("number {}", 5);
        }))
        .await;
        assert!(error.is_panic() && !error.is_cancelled());
        assert_eq!(said(&*error.into_panic()), "number 5");
    });
}

#[test]
fn in_the_drop_of_a_future_that_is_ready() {
    run(async {
        let bomb = Bomb("after ready");
        let error = failed(runtime::spawn(poll_fn(move |_| {
            let _bomb = &bomb;
            Poll::Ready(5)
        })))
        .await;
        assert!(error.to_string().contains("after ready"), "{error}");
    });
}

#[test]
fn in_a_poll_and_in_the_drop_that_follows_it_the_first_is_told() {
    struct Both;
    impl Future for Both {
        type Output = ();
        fn poll(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> Poll<Self::Output> {
            panic!("first");
        }
    }
    impl Drop for Both {
        fn drop(&mut self) {
            panic!("second");
        }
    }
    run(async {
        let error = failed(runtime::spawn(Both)).await;
        assert!(error.to_string().contains("first"), "{error}");
    });
}

#[test]
fn in_the_drop_at_an_abort() {
    run(async {
        let polled = runtime::spawn(holding(Bomb("polled")));
        yield_now().await;
        polled.abort();
        assert!(failed(polled).await.to_string().contains("polled"));

        let unpolled = runtime::spawn(holding(Bomb("unpolled")));
        unpolled.abort();
        assert!(failed(unpolled).await.to_string().contains("unpolled"));
    });
}

#[test]
fn in_the_drops_when_the_runtime_goes_the_others_are_dropped_still() {
    struct Count(Rc<Cell<u32>>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    limited(|| {
        let drops = Rc::new(Cell::new(0));
        let runtime = Runtime::new().unwrap();
        let mut handles = Vec::new();
        for _ in 0..3 {
            drop(runtime.spawn(holding(Count(drops.clone()))));
            drop(runtime.spawn(holding(Bomb("detached, at the end"))));
            handles.push(runtime.spawn(holding(Bomb("joinable, at the end"))));
        }
        runtime.block_on(yield_now());
        drop(runtime);
        assert_eq!(drops.get(), 3);
        for handle in handles {
            assert!(handle.is_finished());
        }
    });
}

#[test]
fn in_an_output_that_the_runtime_is_left_with() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let handle = runtime.spawn(async { Bomb("left") });
        runtime.block_on(yield_now());
        assert!(handle.is_finished());
        drop(runtime);
        drop(handle);
    });
}

#[test]
fn in_an_output_nobody_takes() {
    run(async {
        // Detached before it ends, and after.
        drop(runtime::spawn(async { Bomb("detached before") }));
        let after = runtime::spawn(async { Bomb("detached after") });
        yield_now().await;
        drop(after);
        runtime::spawn(yield_now()).await.unwrap();
    });
}

#[test]
fn in_the_root_block_on_passes_it_on_and_the_runtime_goes_on() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let task = runtime.spawn(async {
            for _ in 0..3 {
                yield_now().await;
            }
            5
        });
        let panic = caught(|| {
            runtime.block_on(async {
                yield_now().await;
                panic!("in the root");
            })
        });
        assert_eq!(panic.as_deref(), Some("in the root"));
        assert!(runtime::Handle::try_current().is_err(), "the context is as before");
        assert!(task::try_id().is_none());
        assert_eq!(runtime.block_on(task).unwrap(), 5);
    });
}

#[test]
fn in_the_drop_of_the_root() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let bomb = Bomb("the root's drop");
        let panic = caught(|| {
            runtime.block_on(async {
                let _bomb = bomb;
            })
        });
        assert_eq!(panic.as_deref(), Some("the root's drop"));
        runtime.block_on(runtime.spawn(yield_now())).unwrap();
    });
}

#[test]
fn with_a_payload_whose_drop_panics() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        drop(runtime.spawn(async { panic_any(Bomb("a detached task's payload")) }));
        let aborted = runtime.spawn(holding(OnDrop));
        runtime.block_on(yield_now());
        runtime.block_on(async {
            aborted.cancel().await.map_err(std::mem::forget).unwrap_err();
            yield_now().await;
        });
        // And one that is there when the runtime goes.
        let kept = runtime.spawn(async { panic_any(Bomb("a kept payload")) });
        runtime.block_on(yield_now());
        drop(runtime);
        drop(kept);
    });

    struct OnDrop;
    impl Drop for OnDrop {
        fn drop(&mut self) {
            panic_any(Bomb("a payload out of a drop"));
        }
    }
}

#[test]
fn in_what_spawn_with_makes() {
    run(async {
        let handle = runtime::Handle::current();
        let make = || -> std::future::Ready<()> { panic!("in make") };
        let error = failed(handle.spawn_with(make)).await;
        assert!(error.to_string().contains("in make"), "{error}");
    });
}

#[test]
fn a_join_error_says_what_it_is() {
    run(async {
        let panicked = failed(runtime::spawn(async { panic!("the words") })).await;
        let id = panicked.id().to_string();
        assert_eq!(panicked.to_string(), format!("task {id} panicked with message \"the words\""));
        assert!(format!("{panicked:?}").starts_with("JoinError::Panic("), "{panicked:?}");
        assert!(panicked.source().is_none());
        let error = io::Error::from(panicked);
        assert_eq!(error.kind(), io::ErrorKind::Other);
        assert!(error.to_string().contains("the words"));

        let wordless = failed(runtime::spawn(async { panic_any(5) })).await;
        assert_eq!(wordless.to_string(), format!("task {} panicked", wordless.id()));
        let payload = wordless.try_into_panic().unwrap();
        assert_eq!(*payload.downcast::<i32>().unwrap(), 5);

        let task = runtime::spawn(pending::<()>());
        let id = task.id();
        let cancelled = task.cancel().await.unwrap_err();
        assert_eq!(cancelled.id(), id);
        assert_eq!(cancelled.to_string(), format!("task {id} was cancelled"));
        assert!(format!("{cancelled:?}").starts_with("JoinError::Cancelled("), "{cancelled:?}");
        let cancelled = cancelled.try_into_panic().unwrap_err();
        assert!(cancelled.is_cancelled());
        let panic = caught(|| drop(cancelled.into_panic())).unwrap();
        assert!(panic.contains("was cancelled"), "{panic}");
    });
}

#[test]
fn resume_hands_an_unlooked_at_panic_to_block_on() {
    fn resuming() -> Runtime {
        Builder::new().unhandled_panic(UnhandledPanic::Resume).build().unwrap()
    }
    limited(|| {
        let runtime = resuming();
        drop(runtime.spawn(async { panic!("nobody looks") }));
        let panic = caught(|| runtime.block_on(pending::<()>()));
        assert_eq!(panic.as_deref(), Some("nobody looks"));
        // It was passed on once; the runtime goes on.
        runtime.block_on(yield_now());

        let looked_at = runtime.spawn(async { panic!("somebody looks") });
        assert!(runtime.block_on(looked_at).unwrap_err().is_panic());

        let runtime = resuming();
        drop(runtime.spawn(holding(Bomb("as the runtime goes"))));
        drop(runtime.spawn(async { panic_any(Bomb("never handed on")) }));
        assert_eq!(caught(|| drop(runtime)), None);
    });
}

/// Runs one of the tests below in a process of its own.
fn child(test: &str, stderr: Stdio) -> Output {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", &format!("panics_in_tasks::{test}"), "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .and_then(|child| child.wait_with_output())
        .unwrap()
}

#[test]
fn a_panic_nobody_looks_at_is_logged_with_name_and_place() {
    let output = limited(|| child("child_logs", Stdio::piped()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let reports: Vec<_> = said.lines().filter(|line| line.contains("nobody awaits it")).collect();
    assert_eq!(reports.len(), 5, "{said}");
    for (report, words) in reports.iter().zip(["plain", "named", "output", "remote", "followed"]) {
        assert!(report.ends_with(words), "{report}");
        assert!(report.contains(file!()), "the place is where it was spawned: {report}");
        assert_eq!(report.contains("\"the name\""), words == "named", "{report}");
    }
}

#[test]
#[ignore = "run by a_panic_nobody_looks_at_.., in a process of its own"]
fn child_logs() {
    run(async {
        drop(runtime::spawn(async { panic!("plain") }));
        yield_now().await;
        let named = task::Builder::new().name("the name").spawn(async { panic!("named") });
        drop(named.unwrap());
        yield_now().await;
        drop(runtime::spawn(async { Bomb("output") }));
        yield_now().await;
        // From another thread, where the handle is dropped; one is known to be gone when it ends.
        let handle = runtime::Handle::current();
        let (tx, rx) = futures::channel::oneshot::channel::<()>();
        let remote = async {
            rx.await.unwrap();
            panic!("remote")
        };
        thread::spawn(move || drop(handle.spawn(remote))).join().unwrap();
        turns().await;
        tx.send(()).unwrap();
        turns().await;
        // Of this thread, polled and dropped on another.
        let (tx, rx) = futures::channel::oneshot::channel::<()>();
        let mut followed = runtime::spawn(async {
            rx.await.unwrap();
            panic!("followed")
        });
        let poll = move || {
            let cx = &mut std::task::Context::from_waker(std::task::Waker::noop());
            assert!(std::pin::Pin::new(&mut followed).poll(cx).is_pending());
        };
        thread::spawn(poll).join().unwrap();
        turns().await;
        tx.send(()).unwrap();
        turns().await;
    });
}

#[test]
fn abort_ends_the_process() {
    use std::os::unix::process::ExitStatusExt;
    let output = limited(|| child("child_aborts", Stdio::piped()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{said}");
    assert!(said.contains("nobody awaits it: for the last time"), "{said}");
}

#[test]
#[ignore = "run by abort_ends_the_process, in a process of its own"]
fn child_aborts() {
    let runtime = Builder::new().unhandled_panic(UnhandledPanic::Abort).build().unwrap();
    // One that is looked at does not abort.
    let looked_at = runtime.spawn(async { panic!("for once") });
    runtime.block_on(looked_at).unwrap_err();
    drop(runtime.spawn(async { panic!("for the last time") }));
    runtime.block_on(pending::<()>());
}

#[test]
fn a_report_that_cannot_be_written_ends_nothing() {
    let (reader, writer) = UnixStream::pair().unwrap();
    drop(reader);
    let stderr = Stdio::from(OwnedFd::from(writer));
    let output = limited(|| child("child_logs_into_a_closed_pipe", stderr));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
#[ignore = "run by a_report_that_cannot_.., in a process of its own"]
fn child_logs_into_a_closed_pipe() {
    run(async {
        drop(runtime::spawn(async { panic!("unheard") }));
        yield_now().await;
        assert_eq!(runtime::spawn(async { 5 }).await.unwrap(), 5);
    });
}

#[test]
fn tasks_that_panic_by_the_thousand() {
    static DROPS: AtomicU32 = AtomicU32::new(0);
    struct Count;
    impl Drop for Count {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Ordering::Relaxed);
        }
    }
    run(async {
        let tasks: Vec<_> = (0..1000_usize)
            .map(|number| {
                let count = Count;
                runtime::spawn(async move {
                    let _count = count;
                    yield_now().await;
                    std::panic::resume_unwind(Box::new(number));
                })
            })
            .collect();
        for (number, task) in tasks.into_iter().enumerate() {
            let payload = task.await.unwrap_err().into_panic();
            assert_eq!(*payload.downcast::<usize>().unwrap(), number);
        }
        assert_eq!(DROPS.load(Ordering::Relaxed), 1000);
    });
}
