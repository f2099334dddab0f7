//! `runtime::epoll` when the kernel refuses: errors injected by a seccomp filter, which holds for
//! one thread.

#![allow(unsafe_code)]

use std::env;
use std::error::Error;
use std::io;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use runtime_core::epoll::{
    BlockedSignals, Epoll, EventFd, Events, Flags, PidFd, PollFd, SignalFd, TimerFd, poll,
};
use runtime_core::signal::unix::SignalKind;

/// From now on, and on this thread, `call` fails with `errno` and does nothing.
fn inject(call: libc::c_long, errno: libc::c_int) {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut steps = [
        step(LOAD, 0, 0, 0), // seccomp_data.nr
        step(JUMP_IF_EQUAL, 0, 1, call as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
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

/// Runs `test` on a thread of its own, which takes its filters with it.
fn isolated(test: impl FnOnce() + Send + 'static) {
    if let Err(panic) = thread::spawn(test).join() {
        std::panic::resume_unwind(panic);
    }
}

fn assert_explained(err: &io::Error, errno: i32, remedy: &str) {
    assert_eq!(err.kind(), io::Error::from_raw_os_error(errno).kind());
    assert!(err.to_string().contains(remedy), "{err}");
    let source = err.source().and_then(|source| source.downcast_ref::<io::Error>());
    assert_eq!(source.expect("a source").raw_os_error(), Some(errno));
}

#[test]
fn no_descriptor_left_names_the_limit() {
    for (errno, remedy) in [(libc::EMFILE, "RLIMIT_NOFILE"), (libc::ENFILE, "file-max")] {
        isolated(move || {
            inject(libc::SYS_epoll_create1, errno);
            inject(libc::SYS_eventfd2, errno);
            inject(libc::SYS_timerfd_create, errno);
            inject(libc::SYS_signalfd4, errno);
            inject(libc::SYS_pidfd_open, errno);
            assert_explained(&Epoll::new().expect_err("injected"), errno, remedy);
            assert_explained(&EventFd::new().expect_err("injected"), errno, remedy);
            assert_explained(&TimerFd::new().expect_err("injected"), errno, remedy);
            assert_explained(&TimerFd::boottime().expect_err("injected"), errno, remedy);
            let blocked = BlockedSignals::new([]).expect("none");
            assert_explained(&SignalFd::new(&blocked).expect_err("injected"), errno, remedy);
            let ourselves = std::process::id();
            assert_explained(&PidFd::open(ourselves).expect_err("injected"), errno, remedy);
        });
    }
}

#[test]
fn no_watch_left_names_the_limit() {
    isolated(|| {
        let (epoll, event) = (Epoll::new().expect("epoll"), EventFd::new().expect("eventfd"));
        inject(libc::SYS_epoll_ctl, libc::ENOSPC);
        let err = epoll.add(&event, Flags::IN, 0).expect_err("injected");
        assert_explained(&err, libc::ENOSPC, "/proc/sys/fs/epoll/max_user_watches");
    });
}

#[test]
fn a_kernel_without_descriptors_of_processes_is_named() {
    for (errno, remedy) in [(libc::ENOSYS, "Linux 5.3"), (libc::EPERM, "seccomp")] {
        isolated(move || {
            inject(libc::SYS_pidfd_open, errno);
            assert_explained(&PidFd::open(1).expect_err("injected"), errno, remedy);
        });
    }
    isolated(|| {
        let process = PidFd::open(std::process::id()).expect("pidfd");
        inject(libc::SYS_waitid, libc::EINVAL);
        assert_explained(&process.wait().expect_err("injected"), libc::EINVAL, "Linux 5.4");
        assert_explained(&process.try_wait().expect_err("injected"), libc::EINVAL, "Linux 5.4");
    });
}

#[test]
fn a_process_of_another_user_is_not_signalled() {
    isolated(|| {
        let process = PidFd::open(std::process::id()).expect("pidfd");
        inject(libc::SYS_pidfd_send_signal, libc::EPERM);
        let err = process.send_signal(SignalKind::terminate()).expect_err("injected");
        assert_explained(&err, libc::EPERM, "may not send SIGTERM");
    });
}

#[test]
fn more_descriptors_than_allowed_names_the_limit() {
    isolated(|| {
        let event = EventFd::new().expect("eventfd");
        inject(libc::SYS_ppoll, libc::EINVAL);
        let err = poll(&mut [PollFd::new(&event, Flags::IN)], None).expect_err("injected");
        assert_explained(&err, libc::EINVAL, "RLIMIT_NOFILE");
    });
}

/// What `on_an_old_kernel` injects, for the process it runs in.
const ERRNO: &str = "EPOLL_PWAIT2_ERRNO";

/// ENOSYS is a kernel before 5.11, EPERM a container whose filter does not know the call. The
/// answer is remembered by the process, so each gets one of its own.
#[test]
fn without_epoll_pwait2_a_wait_takes_milliseconds_and_is_never_early() {
    for errno in [libc::ENOSYS, libc::EPERM] {
        let output = Command::new(env::current_exe().expect("our path"))
            .args(["--exact", "on_an_old_kernel", "--ignored"])
            .env(ERRNO, errno.to_string())
            .output()
            .expect("run");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{errno}: {said}");
    }
}

#[test]
#[ignore = "run by without_epoll_pwait2_.., in a process of its own"]
fn on_an_old_kernel() {
    let errno = env::var(ERRNO).map_or(libc::ENOSYS, |errno| errno.parse().expect("a number"));
    isolated(move || {
        inject(libc::SYS_epoll_pwait2, errno);
        let (epoll, event) = (Epoll::new().expect("epoll"), EventFd::new().expect("eventfd"));
        epoll.add(&event, Flags::IN, 0).expect("add");
        let mut events = Events::with_capacity(1);
        for timeout in [1, 300_000, 1_000_001].map(Duration::from_nanos) {
            let start = Instant::now();
            assert_eq!(epoll.wait(&mut events, Some(timeout)).expect("wait"), 0);
            assert!(start.elapsed() >= timeout, "{:?} of {timeout:?}", start.elapsed());
        }
        // More milliseconds than an i32 holds.
        event.write(1).expect("write");
        let days = Duration::from_secs(100 * 86_400);
        assert_eq!(epoll.wait(&mut events, Some(days)).expect("wait"), 1);
    });
}
