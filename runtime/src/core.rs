//! `Core`: what one runtime is made of. It never leaves its thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::builder::Options;
use crate::context;
use crate::fork;
use crate::handle::Shared;
use crate::name::RuntimeName;
use crate::observe::Observer;
use crate::reactor::Reactor;
use crate::rng::Rng;
use crate::spans::Spans;
use crate::task::scheduler::{ROOT, Scheduler};
use crate::task::{Id, Payload, Place};
use crate::timer::{Clock, Timers};
use crate::wakeups::Command;

pub(crate) struct Core {
    pub(crate) name: RuntimeName,
    pub(crate) scheduler: Scheduler,
    pub(crate) spans: Spans,
    pub(crate) timers: Timers,
    pub(crate) reactor: Reactor,
    /// What other threads see of this runtime.
    pub(crate) shared: Arc<Shared>,
    pub(crate) options: Options,
    /// What other threads sent and nobody has carried out yet.
    pub(crate) commands: RefCell<VecDeque<Command>>,
    /// Indices below this have their bit in the inbox.
    pub(crate) reachable: Cell<u32>,
    /// It has been dropped; only a guard keeps it.
    pub(crate) torn_down: Cell<bool>,
    /// Where `block_on` was called, while it runs.
    pub(crate) root: Cell<Option<Place>>,
    /// A panic that `block_on` is to go on with.
    pub(crate) resume: RefCell<Option<Payload>>,
    pub(crate) rng: Rng,
    pub(crate) observer: Observer,
    /// The era of forks it was made in.
    pub(crate) era: u32,
    /// A host waits for its descriptor, and turns it.
    pub(crate) hosted: Cell<bool>,
    /// This thread is inside its loop, maybe with that of another runtime inside of it.
    pub(crate) driving: Cell<bool>,
    /// The next of this thread's runtimes (see `context.rs`).
    pub(crate) next_owned: Cell<*const Core>,
    this: Weak<Core>,
}

impl Core {
    pub(crate) fn new(
        options: Options,
        observer: Observer,
        shared: Arc<Shared>,
        clock_stands: Arc<AtomicBool>,
    ) -> Rc<Core> {
        let order = options.rng_seed.map(Rng::new);
        let rng = Rng::new(options.rng_seed.unwrap_or_else(Rng::arbitrary_seed));
        let core = Rc::new_cyclic(|this| Core {
            name: shared.name,
            scheduler: Scheduler::new(order),
            spans: Spans::new(),
            timers: Timers::new(Clock::new(
                options.start_paused,
                options.auto_advance,
                clock_stands,
            )),
            reactor: Reactor::new(),
            shared,
            options,
            commands: RefCell::new(VecDeque::new()),
            reachable: Cell::new(1),
            torn_down: Cell::new(false),
            root: Cell::new(None),
            resume: RefCell::new(None),
            rng,
            observer,
            era: fork::era(),
            hosted: Cell::new(false),
            driving: Cell::new(false),
            next_owned: Cell::new(std::ptr::null()),
            this: this.clone(),
        });
        core.shared.block.grow(ROOT);
        context::own(&core);
        core
    }

    /// Another owner of this; `None` while it is being dropped.
    pub(crate) fn strong(&self) -> Option<Rc<Core>> {
        self.this.upgrade()
    }

    /// Whether this process is a fork of the one whose runtime this is.
    #[inline]
    pub(crate) fn is_of_parent(&self) -> bool {
        self.era != fork::era()
    }

    /// Makes sure that work put in between turns is found, a task or a deadline: the host is told.
    #[inline]
    pub(crate) fn nudge(&self) {
        if !self.driving.get() {
            self.nudge_host();
        }
    }

    #[cold]
    fn nudge_host(&self) {
        if !self.is_of_parent() {
            self.shared.block.notify();
        }
    }

    pub(crate) fn abort_task(&self, index: u32, id: Id) {
        if self.scheduler.abort(index, id) {
            self.nudge();
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        context::disown(self);
        if !self.is_of_parent() {
            self.shared.block.free(self.name);
        }
    }
}
