//! The watchdog of stalls as a thread of its process: how often it wakes, and what becomes of it where there is
//! none to be had, after a fork, and at the end of the process.
#![allow(unsafe_code)]

#[path = "support/mod.rs"]
mod support;

use std::ffi::{c_int, c_void};
use std::fs;
use std::mem;
use std::process::{self, Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use runtime::task::yield_now;
use runtime::{Builder, Runtime, task};
use support::forks::{assert_fine, in_child};
use support::limited;

const MS: Duration = Duration::from_millis(1);

/// Whether threads are refused.
static NO_THREADS: AtomicBool = AtomicBool::new(false);

type Create = extern "C" fn(
    *mut c_void,
    *const c_void,
    extern "C" fn(*mut c_void) -> *mut c_void,
    *mut c_void,
) -> c_int;

// What makes `no_mangle` sound here: it has the name, the signature and the meaning of libc's function.
#[unsafe(no_mangle)]
extern "C" fn pthread_create(
    thread: *mut c_void,
    attributes: *const c_void,
    start: extern "C" fn(*mut c_void) -> *mut c_void,
    argument: *mut c_void,
) -> c_int {
    if NO_THREADS.load(Ordering::Relaxed) {
        return libc::EAGAIN;
    }
    // SAFETY: the name is a string of C, and what bears it has the type of this function.
    let next: Create = unsafe {
        let next = libc::dlsym(libc::RTLD_NEXT, c"pthread_create".as_ptr());
        assert!(!next.is_null());
        mem::transmute(next)
    };
    next(thread, attributes, start, argument)
}

/// Runs an ignored test of this executable in a process of its own.
fn alone(test: &str) -> Output {
    limited(|| {
        let path = std::env::current_exe().expect("our path");
        let mut command = Command::new(path);
        command.args(["--exact", test, "--ignored", "--nocapture"]).output().expect("run")
    })
}

#[track_caller]
fn assert_passes(test: &str) -> String {
    let output = alone(test);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {words}", output.status);
    words
}

/// The folder of the one watchdog of this process.
fn watchdog() -> String {
    loop {
        // It gives itself its name.
        if let Some(watchdog) = find_watchdog() {
            return watchdog;
        }
        thread::yield_now();
    }
}

fn find_watchdog() -> Option<String> {
    let threads = fs::read_dir("/proc/self/task").expect("/proc is there");
    let mut found = threads.map(|thread| thread.unwrap().path().display().to_string()).filter(
        // A name has 15 letters there.
        |thread| fs::read_to_string(format!("{thread}/comm")).unwrap() == "runtime-watchdo\n",
    );
    let watchdog = found.next();
    assert_eq!(found.next(), None, "there is one");
    watchdog
}

/// How often a thread has gone to sleep.
fn sleeps(thread: &str) -> u32 {
    let status = fs::read_to_string(format!("{thread}/status")).expect("the thread is there");
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.expect("a line of it").trim().parse().expect("a number")
}

fn timed(threshold: Duration) -> Runtime {
    Builder::new().stall_threshold(threshold).on_stall(|_| {}).build().unwrap()
}

#[test]
fn the_watchdog_of_an_idle_runtime_does_not_wake() {
    assert_passes("child_idle");
}

#[test]
#[ignore = "run by the_watchdog_of_an_idle_.., in a process of its own"]
fn child_idle() {
    let (wake, woken) = futures::channel::oneshot::channel();
    let runtime = thread::spawn(|| {
        timed(MS).block_on(async {
            let _ = woken.await;
        });
    });
    await_quiet(&limited(watchdog));
    wake.send(()).unwrap();
    runtime.join().unwrap();
}

/// Waits until a watchdog with a threshold of 1 ms sleeps for good.
fn await_quiet(watchdog: &str) {
    limited(|| {
        let mut before = None;
        loop {
            // Who woke at every threshold would never be so quiet.
            thread::sleep(50 * MS);
            let now = Some(sleeps(watchdog));
            if now == before {
                break;
            }
            before = now;
        }
    });
}

#[test]
fn the_watchdog_of_a_runtime_that_only_a_guard_keeps_does_not_wake() {
    assert_passes("child_kept");
}

#[test]
#[ignore = "run by the_watchdog_of_a_runtime_that_only_.., in a process of its own"]
fn child_kept() {
    let runtime = timed(MS);
    let handle = runtime.handle().clone();
    runtime.spawn(std::future::pending::<()>());
    runtime.block_on(yield_now());
    let _guard = handle.enter();
    let watchdog = limited(watchdog);
    drop(runtime);
    await_quiet(&watchdog);
}

#[test]
fn the_watchdog_of_a_busy_runtime_wakes_twice_a_threshold_at_most() {
    assert_passes("child_busy");
}

#[test]
#[ignore = "run by the_watchdog_of_a_busy_.., in a process of its own"]
fn child_busy() {
    let threshold = 20 * MS;
    timed(threshold).block_on(async {
        let start = Instant::now();
        let watchdog = watchdog();
        let before = sleeps(&watchdog);
        // All kinds: many polls, long ones, and rests. On a busy machine the watchdog may come late to its first looks.
        while start.elapsed() < 10 * threshold || sleeps(&watchdog) < before + 2 {
            for _ in 0..1000 {
                yield_now().await;
            }
            thread::sleep(threshold / 3);
            runtime::time::sleep(MS).await;
        }
        let woken = sleeps(&watchdog) - before;
        // It may also have been told of a rest's end in each of them.
        let thresholds = (start.elapsed().as_millis() / threshold.as_millis()) as u32;
        assert!(woken <= 3 * (thresholds + 2), "{woken} times in {thresholds} thresholds");
    });
}

#[test]
fn a_runtime_that_has_not_run_has_no_watchdog() {
    assert_passes("child_unstarted");
}

#[test]
#[ignore = "run by a_runtime_that_has_not_run_.., in a process of its own"]
fn child_unstarted() {
    let threads = || fs::read_dir("/proc/self/task").unwrap().count();
    let before = threads();
    let runtime = timed(MS);
    runtime.spawn(async {});
    assert_eq!(threads(), before);
    runtime.block_on(async {});
    assert_eq!(threads(), before + 1);
}

#[test]
fn where_no_thread_is_to_be_had_stalls_are_told_of_when_they_have_ended() {
    let words = assert_passes("child_refused");
    let refused = words.matches("the system refused the thread that watches for stalls").count();
    assert_eq!(refused, 1, "{words}");
    assert!(words.contains("held the thread for"), "{words}");
}

#[test]
#[ignore = "run by where_no_thread_.., in a process of its own"]
fn child_refused() {
    NO_THREADS.store(true, Ordering::Relaxed);
    let runtime = Builder::new().stall_threshold(MS).build().unwrap();
    for _ in 0..3 {
        runtime.block_on(async { thread::sleep(2 * MS) });
    }
}

#[test]
fn a_forks_child_has_no_watchdog_and_is_told_of_nothing() {
    assert_passes("child_forks");
}

#[test]
#[ignore = "run by a_forks_child_.., in a process of its own"]
fn child_forks() {
    let parent = process::id();
    let told_elsewhere = Arc::new(AtomicBool::new(false));
    let told = told_elsewhere.clone();
    let fresh = timed(MS);
    let runtime = Builder::new()
        .stall_threshold(MS)
        .on_stall(move |_| told.store(process::id() != parent, Ordering::Relaxed))
        .build()
        .unwrap();
    runtime.block_on(async {
        let threads = || fs::read_dir("/proc/self/task").unwrap().count();
        let others: Vec<_> = (0..3).map(|_| runtime::spawn(std::future::pending::<()>())).collect();
        let task = runtime::spawn(async move {
            yield_now().await;
            assert_fine(in_child(|| {
                // It hangs in the parent's task, and drops others of it.
                thread::sleep(3 * MS);
                others.into_iter().for_each(|task| task.abort());
                runtime::after_fork();
                let of_parent = std::panic::catch_unwind(|| fresh.block_on(async {}));
                assert!(of_parent.is_err());
                assert_eq!(threads(), 1);
                drop(fresh);
                // One of its own has.
                timed(MS).block_on(async { assert_eq!(threads(), 2) });
            }));
        });
        task.await.unwrap();
    });
    assert_fine(in_child(move || {
        drop(runtime);
        assert!(!told_elsewhere.load(Ordering::Relaxed));
    }));
}

#[test]
fn a_poll_that_a_fork_leaves_in_the_child_is_told_of_by_nobody_there() {
    assert_passes("child_forks_within_a_poll");
}

#[test]
#[ignore = "run by a_poll_that_a_fork_.., in a process of its own"]
fn child_forks_within_a_poll() {
    let parent = process::id();
    let runtime = Builder::new()
        .stall_threshold(MS)
        .on_stall(move |_| {
            if process::id() != parent {
                // SAFETY: nothing of this process is needed any more.
                unsafe { libc::_exit(3) };
            }
        })
        .build()
        .unwrap();
    let first = runtime.spawn(async {
        // SAFETY: the process has no lock that its child could want.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // The loop of the child ends this poll, and polls the next task, before it sees where it is.
            thread::sleep(3 * MS);
            return;
        }
        let mut status = 0;
        // SAFETY: `status` outlives the call, and the child is ours.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0, "the child was told of a stall");
    });
    let next = runtime.spawn(async move {
        if process::id() != parent {
            // SAFETY: nothing of this process is needed any more.
            unsafe { libc::_exit(0) };
        }
    });
    runtime.block_on(async {
        first.await.unwrap();
        next.await.unwrap();
    });
}

#[test]
fn a_process_may_end_while_a_poll_hangs() {
    let output = alone("child_exits");
    assert_eq!(output.status.code(), Some(7), "{output:?}");
}

#[test]
#[ignore = "run by a_process_may_end_.., in a process of its own"]
fn child_exits() {
    let runtime =
        Builder::new().stall_threshold(MS).on_stall(|_| process::exit(7)).build().unwrap();
    limited(|| runtime.block_on(async { thread::park() }));
}

#[test]
fn a_main_that_returns_is_kept_by_no_watchdog() {
    assert_passes("child_returns");
}

#[test]
#[ignore = "run by a_main_that_returns_.., in a process of its own"]
fn child_returns() {
    let (sender, told) = mpsc::channel();
    thread::spawn(move || {
        let sender = sender;
        let runtime = Builder::new()
            .stall_threshold(MS)
            .on_stall(move |stall| sender.send(stall.task).unwrap_or(()))
            .build()
            .unwrap();
        let task = runtime.spawn(async {
            loop {
                thread::park();
            }
        });
        runtime.block_on(task).unwrap();
    });
    let task: Option<task::Id> = limited(|| told.iter().find(Option::is_some).flatten());
    assert!(task.is_some());
}
