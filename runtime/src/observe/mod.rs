//! What a runtime that is watched notes of itself: counts, the polls and ages of its tasks, stalls.
//!
//! The loop is compiled for each kind of [`Probe`]: a runtime that nobody watches runs one in which nothing
//! of this is left, not even the question whether somebody does.

mod ages;
mod metrics;
mod stalls;

use std::sync::Arc;
use std::time::Duration;

pub use self::metrics::Metrics;
pub use self::stalls::Stall;

use self::ages::Ages;
pub(crate) use self::metrics::Counters;
use self::stalls::Stalls;
use crate::core::Core;

/// What the loop tells of itself as it goes.
pub(crate) trait Probe: Copy {
    /// Whether the scheduler counts the polls of each task.
    const COUNTS: bool;

    fn turn_begins(self);

    /// The polls of a turn are over: so many of them.
    fn polled(self, core: &Core, polls: u32);

    /// A task is to be polled, or the future of `block_on`, which is at [`ROOT`].
    ///
    /// [`ROOT`]: crate::task::scheduler::ROOT
    fn poll_begins(self, core: &Core, index: u32);

    fn poll_ends(self, core: &Core, index: u32);

    /// The task's entry is still there.
    fn task_ends(self, core: &Core, index: u32);

    /// A look at the kernel, or a sleep in it, has brought so many events.
    fn looked(self, events: usize);

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
    fn turn_begins(self) {}

    #[inline(always)]
    fn polled(self, _core: &Core, _polls: u32) {}

    #[inline(always)]
    fn poll_begins(self, _core: &Core, _index: u32) {}

    #[inline(always)]
    fn poll_ends(self, _core: &Core, _index: u32) {}

    #[inline(always)]
    fn task_ends(self, _core: &Core, _index: u32) {}

    #[inline(always)]
    fn looked(self, _events: usize) {}

    #[inline(always)]
    fn parks(self, _core: &Core) {}

    #[inline(always)]
    fn unparks(self, _core: &Core) {}
}

/// Somebody does. Only with `TIMED` is a clock read for each poll.
#[derive(Clone, Copy)]
pub(crate) struct Watched<'a, const TIMED: bool>(pub(crate) &'a Observer);

impl<const TIMED: bool> Probe for Watched<'_, TIMED> {
    const COUNTS: bool = true;

    #[inline(always)]
    fn turn_begins(self) {
        self.0.counters.turns.add(1);
    }

    #[inline(always)]
    fn polled(self, core: &Core, polls: u32) {
        let counters = &self.0.counters;
        counters.polls.add(u64::from(polls));
        counters.tasks_alive.set(core.scheduler.counted_alive());
        counters.fds_registered.set(core.reactor.registered() as u64);
        self.0.ages.note(core);
    }

    #[inline(always)]
    fn poll_begins(self, core: &Core, index: u32) {
        if TIMED {
            self.0.poll_begins(core, index);
        }
    }

    #[inline(always)]
    fn poll_ends(self, core: &Core, index: u32) {
        if TIMED {
            self.0.poll_ends(core, index);
        }
    }

    #[inline(always)]
    fn task_ends(self, core: &Core, index: u32) {
        core.scheduler.note_end(index);
    }

    #[inline(always)]
    fn looked(self, events: usize) {
        self.0.counters.events.add(events as u64);
    }

    #[inline(always)]
    fn parks(self, core: &Core) {
        call(&self.0.on_park, core);
        self.0.counters.parks.add(1);
        self.0.counters.busy.ends();
    }

    #[inline(always)]
    fn unparks(self, core: &Core) {
        self.0.counters.busy.begins();
        call(&self.0.on_unpark, core);
    }
}

/// A function of the user's that is told of something.
pub(crate) type Hook<F = dyn Fn() + Send + Sync> = Option<Arc<F>>;

fn call(hook: &Hook, core: &Core) {
    if let Some(hook) = hook {
        core.contain(|| hook());
    }
}

/// What a builder was asked to watch.
#[derive(Clone, Default)]
pub(crate) struct Wishes {
    pub(crate) metrics: bool,
    pub(crate) on_park: Hook,
    pub(crate) on_unpark: Hook,
    pub(crate) stall_threshold: Option<Duration>,
    pub(crate) on_stall: Hook<dyn Fn(&Stall) + Send + Sync>,
}

/// What a watched runtime has noted.
pub(crate) struct Observer {
    /// The part that other threads see.
    pub(crate) counters: Arc<Counters>,
    pub(crate) ages: Ages,
    on_park: Hook,
    on_unpark: Hook,
    stalls: Option<Stalls>,
}

impl Observer {
    /// `None` where nothing was wished for.
    #[inline]
    pub(crate) fn new(wishes: &Wishes) -> Option<Box<Observer>> {
        let Wishes { metrics, on_park, on_unpark, stall_threshold, .. } = wishes;
        let hooked = on_park.is_some() || on_unpark.is_some();
        (*metrics || hooked || stall_threshold.is_some()).then(|| Observer::of(wishes.clone()))
    }

    #[cold]
    fn of(wishes: Wishes) -> Box<Observer> {
        let Wishes { on_park, on_unpark, stall_threshold, on_stall, .. } = wishes;
        let stalls = stall_threshold.map(|threshold| Stalls::new(threshold, on_stall));
        Box::new(Observer {
            counters: Arc::default(),
            ages: Ages::new(),
            on_park,
            on_unpark,
            stalls,
        })
    }

    /// The loop runs until this is dropped, but for its parks.
    pub(crate) fn busy(&self) -> impl Drop {
        struct Ends<'a>(&'a Counters);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                self.0.busy.ends();
            }
        }
        self.counters.busy.begins();
        Ends(&self.counters)
    }

    /// Whether polls are timed.
    pub(crate) fn is_timed(&self) -> bool {
        self.stalls.is_some()
    }

    fn poll_begins(&self, core: &Core, index: u32) {
        if let Some(stalls) = &self.stalls {
            stalls.poll_begins(core, index);
        }
    }

    fn poll_ends(&self, core: &Core, index: u32) {
        if let Some(stalls) = &self.stalls {
            stalls.poll_ends(core, index);
        }
    }
}

impl Core {
    /// How old a task is and how often it was polled, if somebody counts.
    #[cold]
    #[allow(dead_code, reason = "the dump is on its way")]
    pub(crate) fn history(&self, index: u32, serial: u64) -> Option<(Duration, u32)> {
        let age = self.observer.as_ref()?.ages.age(index, serial);
        Some((Duration::from_nanos(age.max(0) as u64), self.scheduler.polls(index)))
    }
}
