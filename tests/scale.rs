//! Many of each: a million tasks in linear time, thousands of runtimes that leave nothing behind.
#![allow(unsafe_code)]

#[path = "support/mod.rs"]
mod support;

use std::cell::Cell;
use std::env;
use std::fs;
use std::future::pending;
use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use runtime::Runtime;
use runtime::io::Source;
use runtime::task::yield_now;

/// What this thread has computed so far, in microseconds: sleeping and other threads do not count.
fn computed() -> u64 {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the call fills what the pointer shows, which outlives it.
    let result = unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) };
    assert_eq!(result, 0);
    // SAFETY: zeroed and then filled.
    let usage = unsafe { usage.assume_init() };
    usage.ru_utime.tv_sec as u64 * 1_000_000 + usage.ru_utime.tv_usec as u64
}

/// Makes so many tasks, polls each once, and tears them down; what making and tearing down took.
fn make_and_tear_down(tasks: u32) -> [u64; 2] {
    struct Count(Rc<Cell<u32>>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let dropped = Rc::new(Cell::new(0));
    let runtime = Runtime::new().expect("a runtime");
    let start = computed();
    runtime.block_on(async {
        for _ in 0..tasks {
            let count = Count(dropped.clone());
            drop(runtime::spawn(async move {
                let _count = count;
                pending::<()>().await;
            }));
        }
        yield_now().await;
    });
    let made = computed();
    drop(runtime);
    assert_eq!(dropped.get(), tasks);
    [made - start, computed() - made]
}

#[test]
fn a_million_pending_tasks_are_made_and_torn_down_in_linear_time() {
    support::limited(|| {
        make_and_tear_down(10_000);
        let small = make_and_tear_down(250_000);
        let large = make_and_tear_down(1_000_000);
        // Quadratic would be 16 times as much for 4 times as many.
        for (small, large) in small.into_iter().zip(large) {
            assert!(large <= 8 * small.max(1_000), "{small} us for 250,000, {large} for a million");
        }
    });
}

#[test]
fn two_thousand_runtimes_leave_no_descriptor_and_no_thread() {
    // Alone in a process, where only they can add to what is counted.
    let output = support::limited(|| {
        Command::new(env::current_exe().expect("our path"))
            .args(["--exact", "child_many_runtimes", "--ignored", "--nocapture"])
            .output()
            .expect("run")
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

fn entries(directory: &str) -> usize {
    fs::read_dir(directory).expect(directory).count()
}

/// Uses all that makes descriptors and threads.
fn use_a_runtime() {
    runtime::block_on(async {
        let (a, mut b) = UnixStream::pair().expect("a pair");
        a.set_nonblocking(true).expect("nonblocking");
        let reads = runtime::spawn(async move {
            let mut byte = [0];
            Source::new(a).read_with(|mut stream| stream.read(&mut byte)).await
        });
        runtime::time::sleep(Duration::from_micros(1)).await;
        let blocking = runtime::spawn_blocking(move || b.write(b"x"));
        assert_eq!(reads.await.expect("no panic").expect("read"), 1);
        blocking.await.expect("no panic").expect("written");
        // Some are left waiting.
        let (a, b) = UnixStream::pair().expect("a pair");
        a.set_nonblocking(true).expect("nonblocking");
        drop(runtime::spawn(async move {
            let _ = Source::new(a).readable().await;
            drop(b);
        }));
        drop(runtime::spawn(runtime::time::sleep(Duration::from_secs(3600))));
        yield_now().await;
    });
}

#[test]
#[ignore = "run by two_thousand_runtimes_.., in a process of its own"]
fn child_many_runtimes() {
    // A slot of the runtimes' table keeps one eventfd for ever; they all get the same.
    use_a_runtime();
    let settled = || loop {
        let threads = entries("/proc/self/task");
        // The harness's thread and this one. The pool's end when they come to it.
        if threads <= 2 {
            break threads;
        }
        thread::yield_now();
    };
    let before = (entries("/proc/self/fd"), settled());
    for _ in 0..2_000 {
        use_a_runtime();
    }
    assert_eq!((entries("/proc/self/fd"), settled()), before);
}
