//! What the tests share: a time limit, so that a hang is a failure; random numbers; resources; forks;
//! system calls that fail, or are forbidden.

#![allow(dead_code)] // each test binary uses what it needs

pub(crate) mod faults;
pub(crate) mod filter;
pub(crate) mod forks;
pub(crate) mod random;
pub(crate) mod resources;

use std::env;
use std::future::Future;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use runtime::time::Sleep;

/// How much longer everything may take than on a loaded machine: valgrind needs it.
pub(crate) fn time_factor() -> u32 {
    env::var("TEST_TIME_FACTOR").map_or(1, |factor| factor.parse().expect("a whole number"))
}

/// More than any test takes on a loaded machine.
const LIMIT: Duration = Duration::from_secs(240);

/// Runs `body`; ends the process with a sentence if that takes too long.
pub(crate) fn limited<T>(body: impl FnOnce() -> T) -> T {
    let (done, watched) = mpsc::channel::<()>();
    let test = thread::current().name().unwrap_or("a test").to_string();
    let limit = LIMIT * time_factor();
    let watchdog = thread::spawn(move || {
        if let Err(mpsc::RecvTimeoutError::Timeout) = watched.recv_timeout(limit) {
            let sentence = format!("{test} has been running for {limit:?}: it hangs\n");
            // Past the test's captured output, which nobody sees after an abort.
            let _ = io::stderr().write_all(sentence.as_bytes());
            std::process::abort();
        }
    });
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
    drop(done);
    watchdog.join().expect("the watchdog does not panic");
    result.unwrap_or_else(|payload| std::panic::resume_unwind(payload))
}

/// Runs a future on a new runtime, within the time limit.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    limited(|| runtime::block_on(future))
}

/// Polls a future for nobody: it must not count on being woken.
pub(crate) fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A sleep that waits, polled with `waker`. On a busy machine a short one may be over before its first poll: then
/// the next one is tried.
pub(crate) fn begun(duration: Duration, waker: &Waker) -> Sleep {
    loop {
        let mut sleep = runtime::time::sleep(duration);
        if Pin::new(&mut sleep).poll(&mut Context::from_waker(waker)).is_pending() {
            return sleep;
        }
    }
}

/// Lets every other task run, and the loop look at the kernel and into its inbox, some times over.
pub(crate) async fn turns() {
    for _ in 0..500 {
        runtime::task::yield_now().await;
    }
}

/// Writes until a write would block; returns how much that took.
pub(crate) fn fill(mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> usize {
    let mut written = 0;
    loop {
        match write(&[7; 65536]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return written,
            Err(error) => panic!("{error}"),
        }
    }
}
