//! `block_on(async {})` asks nothing of the kernel and starts no thread: under a seccomp filter that
//! leaves a process nothing but to exit.
#![allow(unsafe_code)]

#[path = "support/mod.rs"]
mod support;

use std::env;
use std::hint::black_box;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

/// From now on any system call of this thread but `exit_group` kills the process.
fn forbid_system_calls() {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut steps = [
        step(LOAD, 0, 0, 0), // seccomp_data.nr
        step(JUMP_IF_EQUAL, 0, 1, libc::SYS_exit_group as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
        step(RETURN, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: the call takes numbers only.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    // SAFETY: the program and its steps outlive the call, which copies them.
    let result =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

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
    forbid_system_calls();
    body();
    // SAFETY: nothing of this process is needed any more.
    unsafe { libc::_exit(0) }
}

fn child(test: &str) -> ExitStatus {
    support::limited(|| {
        Command::new(env::current_exe().expect("our path"))
            .args(["--exact", test, "--ignored", "--nocapture"])
            .output()
            .expect("run")
            .status
    })
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
