//! The watchdog: a thread that tells of a poll while it hangs.

use std::io;
use std::sync::Arc;
use std::thread::{self, Thread};
use std::time::Duration;

use super::stalls::{OnStall, Stall, tell};
use super::watch::{Sighting, Step, Told, Watch};
use crate::blocking::contain;
use crate::sys::clock::monotonic_ns;

/// Starts it. It ends after [`Watch::end`] and an `unpark`; nobody waits for that, since it may be in foreign
/// code that waits for the runtime's thread.
#[cold]
pub(super) fn start(watch: Arc<Watch>, on_stall: OnStall) -> io::Result<Thread> {
    let watchdog = thread::Builder::new().name("runtime-watchdog".to_string());
    // Let go at once: a fork's child, which has no such thread, could not.
    let handle = watchdog.spawn(move || run(&watch, &on_stall))?;
    Ok(handle.thread().clone())
}

fn run(watch: &Watch, on_stall: &OnStall) {
    let mut told = Told::default();
    loop {
        let now = monotonic_ns();
        match watch.step(now, &mut told) {
            Step::Report(sighting) => report(watch, &sighting, now, on_stall),
            Step::SleepUntil(due) => thread::park_timeout(Duration::from_nanos((due - now) as u64)),
            Step::SleepForGood => thread::park(),
            Step::End => return,
        }
    }
}

fn report(watch: &Watch, sighting: &Sighting, now: i64, on_stall: &OnStall) {
    if let Some(origin) = watch.origin(sighting) {
        let held = Duration::from_nanos((now - sighting.since) as u64);
        contain(|| tell(&Stall::of(origin, held, false), on_stall));
    }
}
