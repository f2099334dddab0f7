//! Signals do not end the waits of `runtime::epoll`. A process of its own, for a signal's action belongs
//! to the whole process.

#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::os::fd::AsFd;
use std::os::unix::thread::JoinHandleExt;
use std::process::{Command, Stdio};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use runtime_core::epoll::{Epoll, EventFd, Events, Flags, PidFd, PollFd, poll, select};

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_signal: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

/// Installs the counting handler; without SA_RESTART, though epoll would not restart anyway.
fn handle_sigusr1() {
    // SAFETY: a sigaction of zeros is valid: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = count as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler only adds to an atomic, and `action` outlives the call.
    let result = unsafe { libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut()) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Runs `wait` on a thread that is sent a signal every 100 us until it ends, or four minutes at most.
///
/// `after` is called once ten signals have been taken.
fn under_signals<T: Send + 'static>(
    wait: impl FnOnce() -> T + Send + 'static,
    after: impl FnOnce(),
) -> T {
    handle_sigusr1();
    let before = SIGNALS.load(Ordering::Relaxed);
    let mut after = Some(after);
    let thread = thread::spawn(wait);
    let start = Instant::now();
    while !thread.is_finished() {
        assert!(start.elapsed() < Duration::from_secs(240), "signals keep the wait from its end");
        // SAFETY: the thread has not been joined, so its id is valid.
        unsafe { libc::pthread_kill(thread.as_pthread_t(), libc::SIGUSR1) };
        if SIGNALS.load(Ordering::Relaxed) >= before + 10 {
            if let Some(after) = after.take() {
                after();
            }
        }
        thread::sleep(Duration::from_micros(100));
    }
    thread.join().expect("the wait does not panic")
}

/// A wait for `event`, or, if there is none, for the time to pass.
type Wait = fn(Option<&EventFd>, Option<Duration>) -> io::Result<usize>;

const WAITS: [(&str, Wait); 3] = [
    ("epoll", |event, timeout| {
        let epoll = Epoll::new()?;
        if let Some(event) = event {
            epoll.add(event, Flags::IN, 0)?;
        }
        epoll.wait(&mut Events::with_capacity(1), timeout)
    }),
    ("poll", |event, timeout| {
        let mut fds: Vec<_> =
            event.map(|event| PollFd::new(event, Flags::IN)).into_iter().collect();
        poll(&mut fds, timeout)
    }),
    ("select", |event, timeout| {
        let fds: Vec<_> = event.map(AsFd::as_fd).into_iter().collect();
        Ok(select(&fds, &[], &[], timeout)?.len())
    }),
];

#[test]
fn a_timed_wait_goes_on_with_the_time_that_is_left() {
    let timeout = Duration::from_millis(50);
    for (name, wait) in WAITS {
        let before = SIGNALS.load(Ordering::Relaxed);
        // On a busy machine the time may be over before the first signal is sent.
        while SIGNALS.load(Ordering::Relaxed) == before {
            let (result, elapsed) = under_signals(
                move || {
                    let start = Instant::now();
                    (wait(None, Some(timeout)), start.elapsed())
                },
                || {},
            );
            assert_eq!(result.expect("no EINTR"), 0, "{name}");
            assert!(elapsed >= timeout, "{name}");
        }
    }
}

#[test]
fn an_endless_wait_goes_on_until_the_event() {
    for (name, wait) in WAITS {
        let event = Arc::new(EventFd::new().expect("eventfd"));
        let theirs = event.clone();
        let result =
            under_signals(move || wait(Some(&theirs), None), || event.write(1).expect("write"));
        assert_eq!(result.expect("no EINTR"), 1, "{name}");
    }
}

#[test]
#[allow(clippy::zombie_processes, reason = "PidFd waits for it")]
fn waiting_for_a_child_goes_on_until_its_end() {
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("cat");
    let stdin = child.stdin.take();
    let process = PidFd::open(child.id()).expect("pidfd");
    let status = under_signals(move || process.wait(), || drop(stdin));
    assert!(status.expect("no EINTR").success());
}
