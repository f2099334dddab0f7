//! `block_on(async {})` asks nothing of the kernel and starts no thread: under a seccomp filter that
//! leaves a process nothing but to exit.
#![allow(unsafe_code)]

#[path = "support/mod.rs"]
mod support;

use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;

use support::filter::{child, forbid_system_calls_but};

/// Has the allocator take a few megabytes from the kernel and keep them.
fn warm_the_heap() {
    // SAFETY: the calls take numbers only.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1 << 30);
    }
    let blocks: Vec<_> = (0..4096).map(|_| black_box(Box::new([0u8; 1024]))).collect();
    drop(blocks);
}

/// Does `body` with no way to the kernel, and exits.
fn without_the_kernel(body: impl FnOnce()) -> ! {
    warm_the_heap();
    forbid_system_calls_but(&[]);
    body();
    // SAFETY: nothing of this process is needed any more.
    unsafe { libc::_exit(0) }
}

#[test]
fn an_empty_block_on_makes_no_system_call() {
    let status = child("child_empty");
    assert!(status.success(), "{status}");
}

#[test]
#[ignore = "run by an_empty_block_on_.., in a process of its own"]
fn child_empty() {
    without_the_kernel(|| {
        // The process's first runtime, with all that is made once.
        runtime::block_on(async {});
        assert_eq!(runtime::block_on(async { 1 }), 1);
    });
}

#[test]
fn tasks_that_wait_for_each_other_make_no_system_call() {
    let status = child("child_tasks");
    assert!(status.success(), "{status}");
}

#[test]
#[ignore = "run by tasks_that_wait_.., in a process of its own"]
fn child_tasks() {
    without_the_kernel(|| {
        let sum = runtime::block_on(async {
            let tasks: Vec<_> = (0..100)
                .map(|number| {
                    runtime::spawn(async move {
                        runtime::task::yield_now().await;
                        number
                    })
                })
                .collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await.expect("it does not panic");
            }
            for _ in 0..1_000 {
                runtime::task::yield_now().await;
            }
            sum
        });
        assert_eq!(sum, 4950);
    });
}

#[test]
fn the_filter_kills() {
    let status = child("child_asks");
    assert_eq!(status.signal(), Some(libc::SIGSYS), "{status}");
}

#[test]
#[ignore = "run by the_filter_kills, in a process of its own"]
fn child_asks() {
    without_the_kernel(|| {
        // SAFETY: the call takes nothing.
        black_box(unsafe { libc::getpid() });
    });
}
