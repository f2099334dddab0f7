//! Signals do not end `runtime::epoll`'s waits. A process of its own, for a signal's action belongs
//! to the whole process.

#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::os::unix::thread::JoinHandleExt;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use runtime_core::epoll::{Epoll, EventFd, Events, Flags};

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

/// Runs `wait` on a thread that is sent a signal every 100 us until it ends, or 30 seconds at most.
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
        assert!(start.elapsed() < Duration::from_secs(30), "signals keep the wait from its end");
        // SAFETY: the thread has not been joined, so its id is valid.
        unsafe { libc::pthread_kill(thread.as_pthread_t(), libc::SIGUSR1) };
        if SIGNALS.load(Ordering::Relaxed) >= before + 10 {
            if let Some(after) = after.take() {
                after();
            }
        }
        thread::sleep(Duration::from_micros(100));
    }
    assert!(SIGNALS.load(Ordering::Relaxed) > before, "no signal came");
    thread.join().expect("the wait does not panic")
}

#[test]
fn a_timed_wait_goes_on_with_the_time_that_is_left() {
    let timeout = Duration::from_millis(100);
    let (result, elapsed) = under_signals(
        move || {
            let epoll = Epoll::new().expect("epoll");
            let start = Instant::now();
            (epoll.wait(&mut Events::with_capacity(1), Some(timeout)), start.elapsed())
        },
        || {},
    );
    assert_eq!(result.expect("no EINTR"), 0);
    assert!(elapsed >= timeout);
}

#[test]
fn an_endless_wait_goes_on_until_the_event() {
    let event = std::sync::Arc::new(EventFd::new().expect("eventfd"));
    let theirs = event.clone();
    let result = under_signals(
        move || {
            let epoll = Epoll::new().expect("epoll");
            epoll.add(&*theirs, Flags::IN, 0).expect("add");
            epoll.wait(&mut Events::with_capacity(1), None)
        },
        || event.write(1).expect("write"),
    );
    assert_eq!(result.expect("no EINTR"), 1);
}
