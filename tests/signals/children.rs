//! What children have of their parent's listeners: those that run other programs, and those that fork(2)
//! leaves with a copy.

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;

use runtime::signal::unix::{Signal, SignalKind, affects_children, signal};
use runtime::{block_on, process};

use crate::support::{poll_once, turns};
use crate::system::{
    DEFAULT, IGNORE, action, fork, handler, kill, masks, own_pid, raise, set_action, wait,
};

const TERM: SignalKind = SignalKind::terminate();

fn hears(listener: &mut Signal) -> bool {
    poll_once(pin!(listener.recv())).is_ready()
}

/// What a program that is run says of its signals. By fork and exec, or by posix_spawn(3) as std likes it
/// best.
fn status_of_a_program(by_fork: bool) -> String {
    let mut command = Command::new("cat");
    command.arg("/proc/self/status");
    if by_fork {
        // SAFETY: it does nothing; that it is there makes std fork.
        unsafe { command.pre_exec(|| Ok(())) };
    }
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

pub(crate) fn a_child_inherits_nothing() {
    let before = status_of_a_program(false);
    let own = fs::read_to_string("/proc/thread-self/status").unwrap();
    block_on(async {
        let _listeners = [
            signal(TERM).unwrap(),
            signal(SignalKind::interrupt()).unwrap(),
            signal(SignalKind::child()).unwrap(),
            signal(SignalKind::from_raw(libc::SIGRTMAX())).unwrap(),
        ];
        for by_fork in [false, true] {
            assert_eq!(masks(&status_of_a_program(by_fork)), masks(&before));
        }
        let blocked = |status: &str| masks(status)[1].to_string();
        let now = fs::read_to_string("/proc/thread-self/status").unwrap();
        assert!(blocked(&own).starts_with("SigBlk"), "{own}");
        assert_eq!(blocked(&now), blocked(&own));
    });
}

pub(crate) fn what_was_ignored_stays_so_over_fork_and_exec() {
    set_action(libc::SIGHUP, IGNORE);
    let before = status_of_a_program(true);
    block_on(async {
        let listener = signal(SignalKind::hangup()).unwrap();
        assert!(affects_children());
        assert_eq!(masks(&status_of_a_program(true)), masks(&before));
        // As it knows how to start it.
        let output = process::Command::new("cat").arg("/proc/self/status").output().await.unwrap();
        assert_eq!(masks(&String::from_utf8(output.stdout).unwrap()), masks(&before));
        drop(listener);
        assert!(!affects_children());
        assert_eq!(masks(&status_of_a_program(false)), masks(&before));
    });
}

pub(crate) fn ignored_children_are_reaped_still() {
    set_action(libc::SIGCHLD, IGNORE);
    block_on(async {
        let mut listener = signal(SignalKind::child()).unwrap();
        let child = fork(true, || ());
        let info = listener.recv_info().await.unwrap();
        assert_eq!(info.pid(), Some(child as u32));
        // SAFETY: there is no status to write.
        let waited = unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
        assert_eq!(waited, -1, "the kernel has reaped it");
    });
    assert_eq!(action(libc::SIGCHLD), IGNORE);
}

/// Also one that comes as soon as the child is there.
pub(crate) fn a_forked_child_does_what_was_before() {
    block_on(async {
        let mut terminate = signal(TERM).unwrap();
        for _ in 0..200 {
            let child = fork(true, || {
                loop {
                    thread::park();
                }
            });
            kill(child, libc::SIGTERM);
            assert_eq!(wait(child).signal(), Some(libc::SIGTERM));
        }
        set_action(libc::SIGUSR1, IGNORE);
        set_action(libc::SIGUSR2, handler(exit_with_7, 0));
        let mut others = [libc::SIGUSR1, libc::SIGUSR2]
            .map(|number| signal(SignalKind::from_raw(number)).unwrap());
        let child = fork(true, || {
            assert_eq!(action(libc::SIGTERM), DEFAULT);
            assert_eq!(action(libc::SIGUSR1), IGNORE);
            raise(libc::SIGUSR1);
            raise(libc::SIGUSR2);
        });
        assert_eq!(wait(child).code(), Some(7));
        turns().await;
        assert!(!hears(&mut terminate) && !others.iter_mut().any(hears));
        raise(libc::SIGTERM);
        assert!(hears(&mut terminate));
    });
}

extern "C" fn exit_with_7(_: i32) {
    // SAFETY: nothing of the child is needed any more.
    unsafe { libc::_exit(7) };
}

pub(crate) fn a_forked_child_listens_for_itself() {
    let in_child = || {
        runtime::after_fork();
        block_on(async {
            for _ in 0..2 {
                let mut listener = signal(TERM).unwrap();
                let waits = runtime::spawn(async move { listener.recv().await });
                turns().await;
                raise(libc::SIGTERM);
                assert_eq!(waits.await.unwrap(), Some(()));
                assert_eq!(action(libc::SIGTERM), DEFAULT);
            }
            // A child of the child is a third.
            let _listener = signal(TERM).unwrap();
            let grandchild = fork(true, || raise(libc::SIGTERM));
            assert_eq!(wait(grandchild).signal(), Some(libc::SIGTERM));
        });
    };
    block_on(async {
        let mut listener = signal(TERM).unwrap();
        let child = fork(true, in_child);
        let status = wait(child);
        assert!(status.success(), "{status}");
        turns().await;
        assert!(!hears(&mut listener));
    });
}

pub(crate) fn the_parents_listeners_end_in_the_child() {
    block_on(async {
        let (mut polled, dropped) = (signal(TERM).unwrap(), signal(TERM).unwrap());
        assert!(!hears(&mut polled));
        let mut dropped = Some(dropped);
        let child = fork(true, || {
            // The child's own, to be left alone by what it does with the parent's.
            runtime::after_fork();
            block_on(async {
                let mut own = signal(TERM).unwrap();
                assert_eq!(poll_once(pin!(polled.recv())), Poll::Ready(None));
                drop(dropped.take());
                raise(libc::SIGTERM);
                assert!(hears(&mut own));
            });
        });
        let status = wait(child);
        assert!(status.success(), "{status}");
        raise(libc::SIGTERM);
        assert!(hears(&mut polled) && hears(&mut dropped.unwrap()));
    });
}

/// Threads are in and out of the registry, whose lock the child must not find held.
pub(crate) fn a_fork_while_others_come_and_go() {
    let over = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let over = over.clone();
            thread::spawn(move || {
                block_on(async {
                    while !over.load(Ordering::Relaxed) {
                        drop(signal(TERM).unwrap());
                    }
                });
            })
        })
        .collect();
    for _ in 0..100 {
        let child = fork(true, || {
            assert_eq!(action(libc::SIGTERM), DEFAULT);
            block_on(async {
                let mut listener = signal(TERM).unwrap();
                raise(libc::SIGTERM);
                assert!(hears(&mut listener));
            });
        });
        let status = wait(child);
        assert!(status.success(), "{status}");
    }
    over.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// By a bare system call: our handler is there still, and must know that the process is another.
pub(crate) fn a_child_that_nobody_told_of_does_what_was_before() {
    block_on(async {
        let mut terminate = signal(TERM).unwrap();
        let child = fork(false, || kill(own_pid(), libc::SIGTERM));
        assert_eq!(wait(child).signal(), Some(libc::SIGTERM));

        set_action(libc::SIGUSR1, IGNORE);
        set_action(libc::SIGUSR2, handler(exit_with_7, 0));
        let mut others = [libc::SIGUSR1, libc::SIGUSR2, libc::SIGURG]
            .map(|number| signal(SignalKind::from_raw(number)).unwrap());
        let child = fork(false, || {
            raise(libc::SIGUSR1);
            raise(libc::SIGURG);
            raise(libc::SIGUSR2);
        });
        assert_eq!(wait(child).code(), Some(7));
        turns().await;
        assert!(!hears(&mut terminate) && !others.iter_mut().any(hears));
    });
}
