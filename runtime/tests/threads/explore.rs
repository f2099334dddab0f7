//! Telling a story many times.

use crate::run::{Story, number};

/// Fewer than of the models' orders: here the system starts every thread.
const PART: u64 = 5;

pub(crate) fn explore(story: &Story) {
    let rounds = number("ROUNDS").unwrap_or(story.orders as u64 / PART);
    // A signal that comes while nobody listens is not to end us.
    // SAFETY: it is to be ignored, which needs no handler.
    unsafe { libc::signal(libc::SIGUSR1, libc::SIG_IGN) };
    // SAFETY: as above.
    unsafe { libc::signal(libc::SIGUSR2, libc::SIG_IGN) };
    for _ in 0..rounds {
        (story.tell)();
    }
    eprintln!("{rounds} times");
}
