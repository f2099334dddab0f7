//! What a runtime that is watched notes of itself: counts, the polls and ages of its tasks, stalls.
//!
//! The loop is compiled for each kind of [`Probe`]: a runtime that nobody watches runs one in which nothing
//! of this is left, not even the question whether somebody does.

mod ages;
mod metrics;
mod stalls;
mod trace;
mod watch;
mod watchdog;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use self::metrics::Metrics;
pub use self::stalls::Stall;

use self::ages::Ages;
pub(crate) use self::metrics::Counters;
use self::stalls::{OnStall, Stalls};
use self::trace::Trace;
pub(crate) use self::trace::{Queued, Step};
pub(crate) use self::watch::Watch;
use crate::core::Core;
use crate::task::Id;
use crate::turn::{Done, Root};

/// What the loop tells of itself as it goes.
pub(crate) trait Probe: Copy {
    /// Whether the scheduler counts the polls of each task.
    const COUNTS: bool;

    fn turn_begins(self, core: &Core);

    /// The polls of a turn are over: so many of them.
    fn polled(self, core: &Core, polls: u32);

    /// A task is to be polled, or the future of `block_on`, which is at [`ROOT`].
    ///
    /// [`ROOT`]: crate::task::scheduler::ROOT
    fn poll_begins(self, core: &Core, index: u32, serial: u64);

    /// It has been, also if it panicked; a panic may also have come before it began.
    fn poll_ends(self, core: &Core, index: u32);

    /// The task's entry is still there.
    fn task_ends(self, core: &Core, index: u32);

    /// A look at the kernel, or a sleep in it, has brought so many events.
    fn looked(self, core: &Core, events: usize);

    /// A step besides polls and parks is over, and did so much.
    fn stepped(self, core: &Core, step: Step);

    /// There is nothing to do. Runs foreign code, which may change that.
    fn parks(self, core: &Core);

    fn unparks(self, core: &Core);
}

/// Nobody watches.
#[derive(Clone, Copy)]
pub(crate) struct Unwatched;

impl Probe for Unwatched {
    const COUNTS: bool = false;

    #[inline(always)]
    fn turn_begins(self, _core: &Core) {}

    #[inline(always)]
    fn polled(self, _core: &Core, _polls: u32) {}

    #[inline(always)]
    fn poll_begins(self, _core: &Core, _index: u32, _serial: u64) {}

    #[inline(always)]
    fn poll_ends(self, _core: &Core, _index: u32) {}

    #[inline(always)]
    fn task_ends(self, _core: &Core, _index: u32) {}

    #[inline(always)]
    fn looked(self, _core: &Core, _events: usize) {}

    #[inline(always)]
    fn stepped(self, _core: &Core, _step: Step) {}

    #[inline(always)]
    fn parks(self, _core: &Core) {}

    #[inline(always)]
    fn unparks(self, _core: &Core) {}
}

/// Somebody does. Only with `TIMED` is a clock read for each poll.
#[derive(Clone, Copy)]
pub(crate) struct Watched<const TIMED: bool>;

impl<const TIMED: bool> Probe for Watched<TIMED> {
    const COUNTS: bool = true;

    #[inline(always)]
    fn turn_begins(self, core: &Core) {
        core.shared.counters.turns.add(1);
    }

    #[inline(always)]
    fn polled(self, core: &Core, polls: u32) {
        let counters = &core.shared.counters;
        counters.polls.add(u64::from(polls));
        counters.tasks_alive.set(core.scheduler.counted_alive());
        counters.fds_registered.set(core.reactor.registered() as u64);
        core.observer.ages.note(core);
    }

    #[inline(always)]
    fn poll_begins(self, core: &Core, index: u32, serial: u64) {
        if TIMED {
            core.observer.poll_begins(core, index, serial);
        }
    }

    #[inline(always)]
    fn poll_ends(self, core: &Core, index: u32) {
        if TIMED {
            core.observer.poll_ends(core, index);
        }
    }

    #[inline(always)]
    fn task_ends(self, core: &Core, index: u32) {
        core.observer.task_ends(core, index);
    }

    #[inline(always)]
    fn looked(self, core: &Core, events: usize) {
        core.shared.counters.events.add(events as u64);
    }

    #[inline(always)]
    fn stepped(self, core: &Core, step: Step) {
        if TIMED {
            core.observer.traced(|trace| trace.step(core, step));
        }
    }

    #[inline(always)]
    fn parks(self, core: &Core) {
        core.observer.call(core, |told| &told.on_park);
        core.shared.counters.parks.add(1);
        core.shared.counters.busy.ends();
        if TIMED {
            core.observer.traced(Trace::parks);
            core.observer.rests();
        }
    }

    #[inline(always)]
    fn unparks(self, core: &Core) {
        core.shared.counters.busy.begins();
        if TIMED {
            core.observer.goes_on(core);
            core.observer.traced(|trace| trace.unparks(core));
        }
        core.observer.call(core, |told| &told.on_unpark);
    }
}

/// A function of the user's that is told of something.
pub(crate) type Hook<F = dyn Fn() + Send + Sync> = Option<Arc<F>>;

/// The code that watches. It is reached by these pointers alone, which the builder's methods set that ask for it: a
/// program that calls none of them is 58 kB smaller.
pub(crate) struct Code {
    pub(crate) run: fn(&Core, &mut Root<'_>),
    pub(crate) turn_for_host: fn(&Core, Option<Duration>) -> io::Result<Done>,
    tell: fn(Wishes) -> io::Result<Box<Told>>,
    around_drop: fn(&Core, u32, &mut dyn FnMut()),
}

static CODE: Code = Code {
    run: Core::run_watched,
    turn_for_host: Core::turn_watched_for_host,
    tell: Told::new,
    around_drop: Core::watch_drop_by_code,
};

/// What a builder was asked to watch.
#[derive(Clone, Default)]
pub(crate) struct Wishes {
    code: Option<&'static Code>,
    pub(crate) metrics: bool,
    pub(crate) on_park: Hook,
    pub(crate) on_unpark: Hook,
    pub(crate) stall_threshold: Option<Duration>,
    pub(crate) on_stall: OnStall,
    /// Where to, with the feature.
    pub(crate) trace: Option<PathBuf>,
}

impl Wishes {
    /// Says that something is, or may be, wished for.
    pub(crate) fn watch(&mut self) -> &mut Wishes {
        self.code = Some(&CODE);
        self
    }
}

/// How a runtime is watched, and what was noted besides the counters.
///
/// Small where little is asked for: a runtime that only counts, and spawns nothing, allocates nothing for it.
pub(crate) struct Observer {
    /// `None` where nobody watches.
    code: Option<&'static Code>,
    ages: Ages,
    told: Option<Box<Told>>,
}

/// Who is told of what happens.
struct Told {
    on_park: Hook,
    on_unpark: Hook,
    stalls: Option<Stalls>,
    trace: Option<Trace>,
}

impl Observer {
    #[inline]
    pub(crate) fn new(wishes: &Wishes) -> io::Result<Observer> {
        let Wishes { code, metrics, on_park, on_unpark, stall_threshold, trace, .. } = wishes;
        let hooked = on_park.is_some() || on_unpark.is_some();
        let tells = hooked || stall_threshold.is_some() || trace.is_some();
        let code = code.filter(|_| *metrics || tells);
        let told = match code.filter(|_| tells) {
            Some(code) => Some((code.tell)(wishes.clone())?),
            None => None,
        };
        Ok(Observer { code, ages: Ages::new(), told })
    }

    #[inline]
    pub(crate) fn watches(&self) -> bool {
        self.code.is_some()
    }

    #[inline]
    pub(crate) fn code(&self) -> Option<&'static Code> {
        self.code
    }

    /// Whether polls are timed.
    pub(crate) fn is_timed(&self) -> bool {
        self.told.as_ref().is_some_and(|told| told.stalls.is_some() || told.trace.is_some())
    }

    #[inline]
    fn find_stalls(&self) -> Option<&Stalls> {
        self.told.as_ref().and_then(|told| told.stalls.as_ref())
    }

    /// What other threads see of its polls, if they are timed.
    #[inline]
    pub(crate) fn watch(&self) -> Option<Arc<Watch>> {
        self.find_stalls().map(Stalls::watch)
    }

    /// The loop of a runtime whose polls are timed runs until what comes back is dropped, but for its parks.
    pub(crate) fn runs(&self, core: &Core) -> impl Drop {
        struct Rests<'a>(&'a Observer);
        impl Drop for Rests<'_> {
            fn drop(&mut self) {
                self.0.rests();
            }
        }
        self.goes_on(core);
        self.traced(|trace| trace.begins(core));
        Rests(self)
    }

    fn rests(&self) {
        if let Some(stalls) = self.find_stalls() {
            stalls.rests();
        }
    }

    fn goes_on(&self, core: &Core) {
        if let Some(stalls) = self.find_stalls() {
            stalls.runs(core);
        }
    }

    fn poll_begins(&self, core: &Core, index: u32, serial: u64) {
        if let Some(stalls) = self.find_stalls() {
            stalls.poll_begins(core, index, serial);
        }
        self.traced(Trace::poll_begins);
    }

    fn poll_ends(&self, core: &Core, index: u32) {
        self.traced(|trace| trace.poll_ends(core, index));
        if let Some(stalls) = self.find_stalls() {
            stalls.poll_ends(core, index);
        }
    }

    /// The task's entry is still there.
    #[inline(always)]
    pub(crate) fn task_ends(&self, core: &Core, index: u32) {
        core.scheduler.note_end(index);
        self.traced(|trace| trace.task_ends(index));
    }

    #[inline(always)]
    fn traced(&self, note: impl FnOnce(&Trace)) {
        if let Some(trace) = self.told.as_ref().and_then(|told| told.trace.as_ref()) {
            note(trace);
        }
    }

    #[inline]
    fn call(&self, core: &Core, which: impl FnOnce(&Told) -> &Hook) {
        if let Some(hook) = self.told.as_deref().and_then(|told| which(told).as_ref()) {
            core.contain(|| hook());
        }
    }
}

impl Told {
    #[cold]
    fn new(wishes: Wishes) -> io::Result<Box<Told>> {
        let Wishes { on_park, on_unpark, stall_threshold, on_stall, trace, .. } = wishes;
        let stalls = stall_threshold.map(|threshold| Stalls::new(threshold, on_stall));
        let trace = trace.map(|path| Trace::create(&path)).transpose()?;
        Ok(Box::new(Told { on_park, on_unpark, stalls, trace }))
    }
}

impl Core {
    /// A task has come from another thread, with an id from there.
    #[cold]
    pub(crate) fn note_from_elsewhere(&self, index: u32, id: Id) {
        self.scheduler.note_from_elsewhere();
        if self.observer.watches() {
            self.observer.ages.note_from_elsewhere(index, id.serial());
        }
    }

    /// Runs what drops a task's future, which may hold the thread as a poll may.
    #[cold]
    pub(crate) fn watch_drop<R>(&self, index: u32, drop: impl FnOnce() -> R) -> R {
        let Some(code) = self.observer.code else { return drop() };
        let (mut drop, mut dropped) = (Some(drop), None);
        (code.around_drop)(self, index, &mut || dropped = drop.take().map(|drop| drop()));
        dropped.expect("it has run")
    }

    fn watch_drop_by_code(&self, index: u32, drop: &mut dyn FnMut()) {
        match self.observer.find_stalls() {
            Some(stalls) => stalls.around(self, index, drop),
            None => drop(),
        }
    }

    /// How old a task is and how often it was polled, if somebody counts.
    #[cold]
    pub(crate) fn history(&self, index: u32, serial: u64) -> Option<(Duration, u32)> {
        let age = || Duration::from_nanos(self.observer.ages.age(index, serial).max(0) as u64);
        self.observer.watches().then(|| (age(), self.scheduler.polls(index)))
    }
}
