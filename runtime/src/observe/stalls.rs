//! Stalls: polls that hold the thread for longer than the builder was told, and who hears of them.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use super::Hook;
use crate::core::Core;
use crate::spans;
use crate::sys::clock::{monotonic_ns, saturating_ns};
use crate::task::Id;
use crate::task::scheduler::ROOT;

/// A poll that holds, or has held, the thread for longer than
/// [`Builder::stall_threshold`](crate::Builder::stall_threshold).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stall {
    /// The task; `None` for the future of `block_on`.
    pub task: Option<Id>,
    /// The task's name, if it was given one.
    pub name: Option<String>,
    /// Where the task was spawned.
    pub place: Option<&'static std::panic::Location<'static>>,
    /// For how long.
    pub held: Duration,
    /// Whether the poll has ended.
    pub ended: bool,
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, self.place) {
            (Some(name), Some(place)) => write!(f, "the task {name:?} spawned at {place} ")?,
            (None, Some(place)) => write!(f, "the task spawned at {place} ")?,
            _ => f.write_str("the future of block_on ")?,
        }
        let held = self.held.as_millis();
        match self.ended {
            true => write!(f, "held the thread for {held} ms, and all others waited"),
            false => write!(f, "holds the thread for {held} ms already, and all others wait"),
        }
    }
}

pub(super) struct Stalls {
    threshold: i64,
    on_stall: Hook<dyn Fn(&Stall) + Send + Sync>,
    /// When the poll began that is under way.
    since: Cell<i64>,
}

impl Stalls {
    pub(super) fn new(threshold: Duration, on_stall: Hook<dyn Fn(&Stall) + Send + Sync>) -> Stalls {
        Stalls { threshold: saturating_ns(threshold), on_stall, since: Cell::new(0) }
    }

    pub(super) fn poll_begins(&self, _core: &Core, _index: u32) {
        self.since.set(monotonic_ns());
    }

    pub(super) fn poll_ends(&self, core: &Core, index: u32) {
        let held = monotonic_ns() - self.since.get();
        if held >= self.threshold {
            self.report(core, index, Duration::from_nanos(held as u64));
        }
    }

    #[cold]
    fn report(&self, core: &Core, index: u32, held: Duration) {
        let (id, place, name) = core.scheduler.origin(index);
        let is_task = index != ROOT;
        let stall = Stall {
            task: id,
            name: name.map(|name| name.to_string()),
            place: is_task.then_some(place),
            held,
            ended: true,
        };
        core.contain(|| self.tell(&stall));
    }

    fn tell(&self, stall: &Stall) {
        let traced = spans::report_stall(stall);
        match &self.on_stall {
            Some(on_stall) => on_stall(stall),
            None if traced => {}
            // In one piece; and a stderr that is gone is no reason to panic here.
            None => drop(io::stderr().write_all(format!("runtime: {stall}\n").as_bytes())),
        }
    }
}
