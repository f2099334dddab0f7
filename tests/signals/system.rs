//! What the tests ask of the system themselves: sending signals, dispositions, forks.

use std::ffi::c_void;
use std::io;
use std::mem::{MaybeUninit, zeroed};
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{self, ExitStatus};
use std::ptr;
use std::{fs, thread};

/// Sends a signal to this thread; it has been handled when this returns.
pub(crate) fn raise(signal: i32) {
    // SAFETY: the call takes a number. What the signal does is what the test is about.
    assert_eq!(unsafe { libc::raise(signal) }, 0, "{}", io::Error::last_os_error());
}

pub(crate) fn kill(pid: i32, signal: i32) {
    // SAFETY: as in `raise`.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "{}", io::Error::last_os_error());
}

/// Sends a signal to one thread of this process.
pub(crate) fn kill_thread(thread: i32, signal: i32) {
    // SAFETY: as in `raise`.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, process::id(), thread, signal) };
    assert_eq!(sent, 0, "{}", io::Error::last_os_error());
}

/// Sends a signal with a value.
pub(crate) fn queue(pid: i32, signal: i32, value: i32) {
    let value = libc::sigval { sival_ptr: ptr::without_provenance_mut(value as usize) };
    // SAFETY: as in `raise`; the value is passed on and not followed.
    assert_eq!(unsafe { libc::sigqueue(pid, signal, value) }, 0, "{}", io::Error::last_os_error());
}

/// Has all signals wait in this thread while `body` runs; they have been handled when this returns.
pub(crate) fn with_all_blocked(body: impl FnOnce()) {
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both sets outlive the calls, and the second is read after it was written.
    unsafe {
        let mut all = MaybeUninit::uninit();
        libc::sigfillset(all.as_mut_ptr());
        let blocked = libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), before.as_mut_ptr());
        assert_eq!(blocked, 0);
        body();
        let restored = libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
        assert_eq!(restored, 0);
    }
}

pub(crate) fn own_pid() -> i32 {
    process::id() as i32
}

pub(crate) fn thread_id() -> i32 {
    // SAFETY: the call takes nothing.
    unsafe { libc::gettid() }
}

/// Returns when the thread sleeps in the kernel.
pub(crate) fn wait_until_asleep(thread: i32) {
    loop {
        let stat = fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap();
        let (_, state) = stat.rsplit_once(')').unwrap();
        if state.trim_start().starts_with('S') {
            return;
        }
        thread::yield_now();
    }
}

/// Whether a signal was sent to the thread, and it has not come to handling it.
pub(crate) fn has_pending(thread: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/self/task/{thread}/status")).unwrap();
    let signals = status.lines().find_map(|line| line.strip_prefix("SigPnd:\t"));
    signals.unwrap().bytes().any(|digit| digit != b'0')
}

/// What is to be done with a signal, in full.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Action {
    pub(crate) handler: usize,
    pub(crate) flags: i32,
    /// Whether SIGUSR2 is blocked in the handler; it stands for the mask.
    pub(crate) blocks: bool,
}

pub(crate) const DEFAULT: Action = Action { handler: libc::SIG_DFL, flags: 0, blocks: false };
pub(crate) const IGNORE: Action = Action { handler: libc::SIG_IGN, flags: 0, blocks: false };

pub(crate) fn handler(handler: extern "C" fn(i32), flags: i32) -> Action {
    Action { handler: handler as usize, flags, blocks: false }
}

pub(crate) fn info_handler(
    handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void),
    flags: i32,
) -> Action {
    Action { handler: handler as usize, flags: flags | libc::SA_SIGINFO, blocks: false }
}

pub(crate) fn action(signal: i32) -> Action {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: nothing is set, and the action is written if the call succeeds, which is looked at.
    let action = unsafe {
        assert_eq!(libc::sigaction(signal, ptr::null(), action.as_mut_ptr()), 0);
        action.assume_init()
    };
    // SAFETY: the set is one that the kernel wrote.
    let blocks = unsafe { libc::sigismember(&action.sa_mask, libc::SIGUSR2) } == 1;
    // The C library's own.
    const SA_RESTORER: i32 = 0x0400_0000;
    Action { handler: action.sa_sigaction, flags: action.sa_flags & !SA_RESTORER, blocks }
}

pub(crate) fn set_action(signal: i32, to: Action) {
    // SAFETY: all zeros is an action without flags and mask; the handlers of these tests may be called
    // in a handler's place, and are there for good.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = to.handler;
        action.sa_flags = to.flags;
        if to.blocks {
            libc::sigaddset(&mut action.sa_mask, libc::SIGUSR2);
        }
        assert_eq!(libc::sigaction(signal, &action, ptr::null_mut()), 0);
    }
}

/// Forks by fork(3), which tells those who want to know, or behind their backs by a bare system call. The
/// child runs `body` and ends with 0, or with 1 if that panics. Returns its number.
pub(crate) fn fork(tell: bool, body: impl FnOnce()) -> i32 {
    let child = if tell {
        // SAFETY: this process has one thread, or others that hold nothing that the child needs; the
        // child ends by `_exit`.
        unsafe { libc::fork() }
    } else {
        // SAFETY: as above; a copy of this process is made, on a copy of this stack.
        unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) as i32 }
    };
    assert!(child >= 0, "fork: {}", io::Error::last_os_error());
    if child == 0 {
        // SAFETY: the calls take numbers.
        unsafe { libc::alarm(60) };
        let result = catch_unwind(AssertUnwindSafe(body));
        // SAFETY: nothing of the child is needed any more.
        unsafe { libc::_exit(i32::from(result.is_err())) };
    }
    child
}

pub(crate) fn wait(child: i32) -> ExitStatus {
    loop {
        let mut status = 0;
        // SAFETY: `status` outlives the call, and nobody else waits for the child.
        if unsafe { libc::waitpid(child, &mut status, 0) } == child {
            return ExitStatus::from_raw(status);
        }
        let error = io::Error::last_os_error();
        assert_eq!(error.kind(), io::ErrorKind::Interrupted, "{error}");
    }
}

/// How many descriptors and threads this process has.
pub(crate) fn possessions() -> (usize, usize) {
    let count = |folder| fs::read_dir(folder).unwrap().count();
    (count("/proc/self/fd"), count("/proc/self/task"))
}

/// The lines on signals in a text of /proc/PID/status: pending, blocked, ignored, caught.
pub(crate) fn masks(status: &str) -> Vec<&str> {
    status.lines().filter(|line| line.starts_with("Sig") && !line.starts_with("SigQ")).collect()
}
