//! Stalls: polls that hold the thread for longer than the builder was told, and who hears of them.

use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::thread::Thread;
use std::time::Duration;

use super::Hook;
use super::watch::{Origin, Watch};
use super::watchdog;
use crate::core::Core;
use crate::handle::Handle;
use crate::spans;
use crate::sys::clock::{monotonic_ns, saturating_ns};
use crate::task::Id;

pub(super) type OnStall = Hook<dyn Fn(&Stall) + Send + Sync>;

/// A poll that holds, or has held, the thread for longer than
/// [`Builder::stall_threshold`](crate::Builder::stall_threshold); given to
/// [`on_stall`](crate::Builder::on_stall). As text it is a sentence.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stall {
    /// The task; `None` for the future of `block_on`.
    pub task: Option<Id>,
    /// The task's name, if it was given one.
    pub name: Option<String>,
    /// Where the task was spawned.
    pub place: Option<&'static std::panic::Location<'static>>,
    /// For how long, so far.
    pub held: Duration,
    /// Whether the poll has ended: then it is told of for the last time.
    pub ended: bool,
}

impl Stall {
    pub(super) fn of(origin: Origin, held: Duration, ended: bool) -> Stall {
        let Origin { serial, place, name } = origin;
        let task = Id::of(serial);
        let name = name.map(|name| name.to_string());
        Stall { task, name, place: task.map(|_| place), held, ended }
    }
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

/// The loop's side: it times its polls, tells of those that were stalls, and shows them to the watchdog.
pub(super) struct Stalls {
    threshold: i64,
    watch: Arc<Watch>,
    on_stall: OnStall,
    /// The serials of the tasks whose origins the watch has, by index.
    known: RefCell<Vec<u64>>,
    /// Started when the loop first runs; `None` if the system refused it.
    watchdog: OnceCell<Option<Thread>>,
}

/// The watchdog tells of no poll that is younger, or it would be awake all the time.
const PACE: Duration = Duration::from_millis(1);

/// No task's serial, nor that of the future of `block_on`, which is 0.
const NOBODY: u64 = u64::MAX;

impl Stalls {
    pub(super) fn new(threshold: Duration, on_stall: OnStall) -> Stalls {
        Stalls {
            threshold: saturating_ns(threshold),
            watch: Arc::new(Watch::new(saturating_ns(threshold.max(PACE)))),
            on_stall,
            known: RefCell::new(Vec::new()),
            watchdog: OnceCell::new(),
        }
    }

    pub(super) fn watch(&self) -> Arc<Watch> {
        self.watch.clone()
    }

    /// The loop runs, and polls.
    pub(super) fn runs(&self, core: &Core) {
        if core.is_of_parent() {
            // It does not, and the watchdog stayed with the parent.
            return;
        }
        let is_asleep = self.watch.runs();
        match self.watchdog.get_or_init(|| self.start(core)) {
            Some(watchdog) if is_asleep => watchdog.unpark(),
            _ => {}
        }
    }

    pub(super) fn rests(&self) {
        self.watch.rests();
    }

    #[cold]
    fn start(&self, core: &Core) -> Option<Thread> {
        let refused = |error: io::Error| {
            core.contain(|| {
                write_line(&format!(
                    "the system refused the thread that watches for stalls ({error}): they are \
                     reported when they have ended, and not while they last"
                ));
            });
        };
        watchdog::start(self.watch.clone(), self.on_stall.clone()).map_err(refused).ok()
    }

    #[inline(always)]
    pub(super) fn poll_begins(&self, core: &Core, index: u32, serial: u64) {
        if self.known.borrow().get(index as usize) != Some(&serial) {
            self.introduce(core, index, serial);
        }
        self.watch.poll_begins(index, monotonic_ns());
    }

    #[cold]
    fn introduce(&self, core: &Core, index: u32, serial: u64) {
        if core.is_of_parent() {
            // The lock may be held by a thread of the parent's.
            return;
        }
        let known = &mut *self.known.borrow_mut();
        if known.len() <= index as usize {
            known.resize(index as usize + 1, NOBODY);
        }
        known[index as usize] = serial;
        self.watch.introduce(index, origin(core, index));
    }

    #[inline(always)]
    pub(super) fn poll_ends(&self, core: &Core, index: u32) {
        // None, if it had not begun when it panicked, or has ended already.
        let Some(since) = self.watch.poll_ends() else { return };
        let held = monotonic_ns() - since;
        if held >= self.threshold {
            self.report(core, index, Duration::from_nanos(held as u64));
        }
    }

    #[cold]
    fn report(&self, core: &Core, index: u32, held: Duration) {
        if !core.is_of_parent() {
            let stall = Stall::of(origin(core, index), held, true);
            core.contain(|| tell(&stall, &self.on_stall));
        }
    }

    /// Runs what drops a task's future: a poll like others, but that the loop may rest, or be within a poll.
    pub(super) fn around<R>(&self, core: &Core, index: u32, drop: impl FnOnce() -> R) -> R {
        let outer = self.watch.poll_ends().map(|since| (self.watch.index(), since));
        let was_resting = self.watch.is_resting();
        self.runs(core);
        let (id, _, _) = core.scheduler.origin(index);
        self.poll_begins(core, index, id.map_or(NOBODY, Id::serial));
        let dropped = drop();
        self.poll_ends(core, index);
        if was_resting {
            self.rests();
        }
        if let Some((index, since)) = outer {
            self.watch.poll_begins(index, since);
        }
        dropped
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        self.watch.end();
        if let Some(Some(watchdog)) = self.watchdog.get() {
            watchdog.unpark();
        }
    }
}

/// Of a task that is there, or of the future of `block_on`.
#[cold]
fn origin(core: &Core, index: u32) -> Origin {
    let (id, place, name) = core.scheduler.origin(index);
    Origin { serial: id.map_or(0, Id::serial), place, name: name.map(|name| Arc::from(&*name)) }
}

pub(super) fn tell(stall: &Stall, on_stall: &OnStall) {
    let traced = spans::report_stall(stall);
    match on_stall {
        Some(on_stall) => on_stall(stall),
        None if traced => {}
        None => write_line(&stall.to_string()),
    }
}

/// In one piece; and a stderr that is gone is no reason to panic here.
fn write_line(sentence: &str) {
    drop(io::stderr().write_all(format!("runtime: {sentence}\n").as_bytes()));
}

impl Handle {
    /// The poll that is under way, as if it were a stall; `None` if there is none, or if polls are not timed.
    /// From any thread, at any time but after a fork.
    #[cold]
    pub(crate) fn poll_under_way(&self) -> Option<Stall> {
        let watch = self.shared.watch.as_ref()?;
        let sighting = watch.look()?;
        let held = Duration::from_nanos((monotonic_ns() - sighting.since) as u64);
        Some(Stall::of(watch.origin(&sighting)?, held, false))
    }
}
