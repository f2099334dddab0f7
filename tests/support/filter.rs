//! A seccomp filter that kills the process for any system call but some.
#![allow(unsafe_code)]

use std::env;
use std::io;
use std::process::{Command, ExitStatus};

/// From now on any system call of this thread but `exit_group` and these kills the process.
pub(crate) fn forbid_system_calls_but(allowed: &[libc::c_long]) {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut steps = vec![step(LOAD, 0, 0, 0)]; // seccomp_data.nr
    for call in allowed.iter().chain([&libc::SYS_exit_group]) {
        steps.push(step(JUMP_IF_EQUAL, 0, 1, *call as u32));
        steps.push(step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW));
    }
    steps.push(step(RETURN, 0, 0, libc::SECCOMP_RET_KILL_PROCESS));
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: the call takes numbers only.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    // SAFETY: the program and its steps outlive the call, which copies them.
    let result =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Runs an ignored test of this executable in a process of its own: the filter is for good.
pub(crate) fn child(test: &str) -> ExitStatus {
    super::limited(|| {
        Command::new(env::current_exe().expect("our path"))
            .args(["--exact", test, "--ignored", "--nocapture"])
            .output()
            .expect("run")
            .status
    })
}
