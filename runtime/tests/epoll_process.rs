//! `runtime::epoll` where it is about a whole process: signals to it, what its children inherit of the
//! mask, its privileges. This binary runs itself again for each test, in a process of one thread: hence
//! no harness.

#![allow(unsafe_code)]
#![allow(clippy::zombie_processes, reason = "PidFd waits for them")]

use std::env;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::thread;

use runtime_core::epoll::{BlockedSignals, Epoll, EventFd, Events, Flags, PidFd, SignalFd};
use runtime_core::io::AsyncFd;
use runtime_core::signal::unix::{SignalInfo, SignalKind, affects_children, restore_in_child};

/// Functions, each with its name, and the signal that ends them, 0 for none.
macro_rules! tests {
    ($($name:ident $(ends by $signal:ident)?),* $(,)?) => {
        &[$((stringify!($name), $name, 0 $(+ libc::$signal)?)),*]
    };
}

const TESTS: &[(&str, fn(), i32)] = tests![
    it_tells_who_sent_a_signal,
    it_tells_the_value_that_was_queued,
    it_tells_of_a_child,
    a_thread_from_before_does_not_block ends by SIGUSR1,
    what_was_not_read_has_its_effect_afterwards ends by SIGINT,
    a_task_waits_for_signals_and_for_processes,
    without_our_help_a_child_inherits_the_mask,
    a_child_unblocks_what_we_have_blocked_and_nothing_else,
    a_thread_that_outlives_the_guard_has_no_deaf_children,
    without_a_guard_children_need_no_help,
    an_ignored_sigchld_is_named,
    a_capability_over_a_container_is_not_enough_for_wakeup,
];

const ONE: SignalKind = SignalKind::user_defined1();

/// The name of the test that this process is to run.
const VARIABLE: &str = "EPOLL_PROCESS_TEST";

fn main() {
    if let Ok(wanted) = env::var(VARIABLE) {
        // A hang ends by SIGALRM.
        // SAFETY: the call takes a number.
        unsafe { libc::alarm(120) };
        // Whoever started us may have blocked some; a shell has what it starts in the background ignore this one.
        change_mask(libc::SIG_SETMASK, &[]);
        // SAFETY: SIG_DFL is no function of ours.
        unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
        let (_, test, _) = TESTS.iter().find(|(name, ..)| *name == wanted).expect("a test");
        return test();
    }
    // As the harness does it: the arguments that are no options are parts of names.
    let wanted: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    if env::args().any(|arg| arg == "--list") {
        TESTS.iter().for_each(|(name, ..)| println!("{name}: test"));
        return;
    }
    for (name, _, ends_by) in TESTS {
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())) {
            let mut test = Command::new(env::current_exe().expect("our path"));
            let output = test.env(VARIABLE, name).output().expect("run");
            let said = String::from_utf8_lossy(&output.stderr);
            let signal = output.status.signal().unwrap_or(0);
            let ended = signal == *ends_by && (signal != 0 || output.status.success());
            assert!(ended, "test {name} ... {}: {said}", output.status);
            println!("test {name} ... ok");
        }
    }
}

/// Waits for the next signal as a program does.
fn next(signals: &SignalFd) -> SignalInfo {
    let epoll = Epoll::new().expect("epoll");
    epoll.add(signals, Flags::IN, 0).expect("add");
    assert_eq!(epoll.wait(&mut Events::with_capacity(1), None).expect("wait"), 1);
    signals.read().expect("it is readable")
}

fn change_mask(how: i32, kinds: &[SignalKind]) {
    // SAFETY: zeros are an empty set, which outlives the calls.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        for kind in kinds {
            libc::sigaddset(&mut set, kind.as_raw_value());
        }
        assert_eq!(libc::pthread_sigmask(how, &set, std::ptr::null_mut()), 0);
    }
}

fn send_to_ourselves(kind: SignalKind) {
    PidFd::open(std::process::id()).expect("pidfd").send_signal(kind).expect("send");
}

fn it_tells_who_sent_a_signal() {
    let blocked = BlockedSignals::new([ONE]).expect("block");
    let signals = SignalFd::new(&blocked).expect("signalfd");
    // Those that are started from here on do not take the signal either.
    thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || stopped.recv());
        let mut shell = Command::new("sh");
        let mut shell = shell.args(["-c", "kill -USR1 $PPID"]).spawn().expect("sh");
        let info = next(&signals);
        assert_eq!((info.kind(), info.code()), (ONE, libc::SI_USER));
        assert_eq!(info.pid(), Some(shell.id()));
        // SAFETY: the call takes nothing.
        assert_eq!(info.uid(), Some(unsafe { libc::getuid() }));
        shell.wait().expect("wait");
        drop(stop);
    });
    assert_eq!(signals.read().expect_err("once").kind(), ErrorKind::WouldBlock);
}

fn it_tells_the_value_that_was_queued() {
    let blocked = BlockedSignals::new([ONE]).expect("block");
    let signals = SignalFd::new(&blocked).expect("signalfd");
    let mut value = libc::sigval { sival_ptr: std::ptr::null_mut() };
    // SAFETY: it is a union, and this its member `sival_int`.
    unsafe { (&raw mut value).cast::<i32>().write(77) };
    // SAFETY: the call takes no pointer that it follows.
    let result = unsafe { libc::sigqueue(libc::getpid(), ONE.as_raw_value(), value) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    let info = next(&signals);
    assert_eq!((info.code(), info.value()), (libc::SI_QUEUE, Some(77)));
}

fn it_tells_of_a_child() {
    let blocked = BlockedSignals::new([SignalKind::child()]).expect("block");
    let signals = SignalFd::new(&blocked).expect("signalfd");
    let mut child = Command::new("true").spawn().expect("true");
    let info = next(&signals);
    assert_eq!((info.kind(), info.code()), (SignalKind::child(), libc::CLD_EXITED));
    assert_eq!(info.pid(), Some(child.id()));
    assert!(child.wait().expect("wait").success());
}

/// What the documentation warns of.
fn a_thread_from_before_does_not_block() {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = thread::spawn(move || stopped.recv());
    let _blocked = BlockedSignals::new([ONE]).expect("block");
    send_to_ourselves(ONE);
    drop(stop);
    let _ = thread.join();
    panic!("the thread lives on");
}

fn what_was_not_read_has_its_effect_afterwards() {
    let blocked = BlockedSignals::new([SignalKind::interrupt()]).expect("block");
    send_to_ourselves(SignalKind::interrupt());
    drop(blocked);
    panic!("SIGINT was lost");
}

fn a_task_waits_for_signals_and_for_processes() {
    let blocked = BlockedSignals::new([ONE]).expect("block");
    runtime_core::block_on(async {
        let signals = AsyncFd::new(SignalFd::new(&blocked).expect("signalfd")).expect("register");
        for _ in 0..2 {
            let task = runtime_core::task::spawn(async { send_to_ourselves(ONE) });
            let info = loop {
                let mut ready = signals.readable().await.expect("readable");
                if let Ok(info) = ready.try_io(|signals| signals.get_ref().read()) {
                    break info.expect("read");
                }
            };
            assert_eq!(info.kind(), ONE);
            task.await.expect("it does not panic");
        }

        let child = Command::new("sh").args(["-c", "exit 4"]).spawn().expect("sh");
        let process = AsyncFd::new(PidFd::open(child.id()).expect("pidfd")).expect("register");
        let status = loop {
            let mut ready = process.readable().await.expect("readable");
            if let Some(status) = process.get_ref().try_wait().expect("ours") {
                break status;
            }
            ready.clear_ready();
        };
        assert_eq!(status.code(), Some(4));
    });
}

/// The mask that a child has which `prepare` has made ready, a bit for each signal from 1.
fn mask_of_a_child(prepare: impl FnOnce(&mut Command)) -> u64 {
    let mut child = Command::new("sed");
    child.args(["-n", "s/^SigBlk:\\s*//p", "/proc/self/status"]);
    prepare(&mut child);
    let output = child.output().expect("sed");
    let mask = String::from_utf8(output.stdout).expect("digits");
    u64::from_str_radix(mask.trim(), 16).expect("digits")
}

fn with_our_help(child: &mut Command) {
    assert!(affects_children());
    // SAFETY: it only makes system calls and touches nothing but an atomic.
    unsafe { child.pre_exec(restore_in_child) };
}

fn mask_of(kinds: &[SignalKind]) -> u64 {
    kinds.iter().map(|kind| 1 << (kind.as_raw_value() - 1)).sum()
}

fn without_our_help_a_child_inherits_the_mask() {
    let kinds = [SignalKind::interrupt(), SignalKind::from_raw(libc::SIGRTMAX())];
    let _blocked = BlockedSignals::new(kinds).expect("block");
    assert_eq!(mask_of_a_child(|_| ()), mask_of(&kinds));
}

fn a_child_unblocks_what_we_have_blocked_and_nothing_else() {
    // As whoever started us might have done, for reasons of his own.
    let theirs = SignalKind::hangup();
    change_mask(libc::SIG_BLOCK, &[theirs]);
    let last = SignalKind::from_raw(libc::SIGRTMAX());
    let _blocked = BlockedSignals::new([SignalKind::terminate(), theirs, last]).expect("block");
    let ours = [SignalKind::terminate(), last];
    assert_eq!(mask_of_a_child(|_| ()), mask_of(&ours) | mask_of(&[theirs]));
    assert_eq!(mask_of_a_child(with_our_help), mask_of(&[theirs]));
}

fn a_thread_that_outlives_the_guard_has_no_deaf_children() {
    let blocked = BlockedSignals::new([ONE]).expect("block");
    let (guard_is_gone, go_on) = std::sync::mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        go_on.recv().expect("the guard goes");
        (mask_of_a_child(|_| ()), mask_of_a_child(with_our_help))
    });
    drop(blocked);
    guard_is_gone.send(()).expect("the thread waits");
    assert_eq!(thread.join().expect("it does not panic"), (mask_of(&[ONE]), 0));
}

fn without_a_guard_children_need_no_help() {
    assert!(!affects_children());
    drop(BlockedSignals::new([]).expect("none"));
    assert!(!affects_children());
    assert_eq!(mask_of_a_child(|_| ()), 0);
}

fn an_ignored_sigchld_is_named() {
    // SAFETY: the call takes no pointer but a constant that stands for one.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    let child = Command::new("cat").stdin(std::process::Stdio::piped()).spawn().expect("cat");
    let process = PidFd::open(child.id()).expect("pidfd");
    drop(child.stdin);
    let err = process.wait().expect_err("no status is kept");
    assert!(err.to_string().contains("SIGCHLD is ignored"), "{err}");
    let source = err.source().and_then(|source| source.downcast_ref::<io::Error>());
    assert_eq!(source.expect("a source").raw_os_error(), Some(libc::ECHILD));
}

fn a_capability_over_a_container_is_not_enough_for_wakeup() {
    // A user namespace of one's own, where one has all capabilities.
    // SAFETY: the call takes no pointers.
    if unsafe { libc::unshare(libc::CLONE_NEWUSER) } == -1 {
        return; // Where these are forbidden, there is nothing to tell apart.
    }
    let (epoll, event) = (Epoll::new().expect("epoll"), EventFd::new().expect("eventfd"));
    let err = epoll.add(&event, Flags::IN | Flags::WAKEUP, 0).expect_err("over nothing");
    assert_eq!(err.kind(), ErrorKind::PermissionDenied);
    assert!(err.to_string().contains("CAP_BLOCK_SUSPEND"), "{err}");
}
