//! One turn of the loop, in order. Nothing else polls tasks, and nothing else waits for events.

use std::hint;
use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::context;
use crate::coop;
use crate::core::Core;
use crate::name::Name;
use crate::observe::{Probe, Step, Unwatched, Watched};
use crate::sys::clock::{monotonic_ns, saturating_ns};
use crate::task::cell::BoxedTask;
use crate::task::scheduler::{Next, ROOT};
use crate::task::waker;
use crate::task::{Failure, Place};
use crate::timer::Alarms;
use crate::wakeups::{ASLEEP_IN_EPOLL, ASLEEP_ON_FUTEX, Command};

/// The future given to `block_on`, which lies on that call's stack.
pub(crate) struct Root<'a> {
    poll: &'a mut dyn FnMut(&mut Context<'_>) -> Poll<()>,
    done: bool,
}

impl<'a> Root<'a> {
    pub(crate) fn new(poll: &'a mut dyn FnMut(&mut Context<'_>) -> Poll<()>) -> Root<'a> {
        Root { poll, done: false }
    }
}

/// How far a batch has come. It outlives a panic in it.
struct Batch {
    left: u32,
    /// The task that is being polled.
    running: Option<(u32, BoxedTask)>,
}

/// What a turn in a host's loop did.
pub(crate) struct Done {
    pub(crate) polled: usize,
    pub(crate) events: usize,
}

impl Core {
    /// Turns until the root is done, which was given to `block_on` at this place.
    ///
    /// # Panics
    ///
    /// When it cannot go on, and with a panic that is to be passed on.
    #[track_caller]
    pub(crate) fn run(&self, root: &mut Root<'_>, place: Place) {
        struct Ends<'a>(&'a Core);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                self.0.root.set(None);
            }
        }
        self.root.set(Some(place));
        let _ends = Ends(self);
        self.scheduler.wake(ROOT);
        match self.observer.code() {
            None => self.run_probed(Unwatched, root),
            Some(code) => (code.run)(self, root),
        }
    }

    #[cold]
    #[track_caller]
    pub(crate) fn run_watched(&self, root: &mut Root<'_>) {
        let _busy = self.shared.counters.busy.scope();
        match self.observer.is_timed() {
            false => self.run_probed(Watched::<false>, root),
            true => {
                let _runs = self.observer.runs(self);
                self.run_probed(Watched::<true>, root);
            }
        }
    }

    #[track_caller]
    fn run_probed<P: Probe>(&self, probe: P, root: &mut Root<'_>) {
        while !root.done {
            if let Err(error) = self.turn(probe, root) {
                panic!("the runtime cannot go on: {error}");
            }
            self.pass_panic_on();
        }
    }

    /// Takes what other threads left, runs a batch of tasks, looks at the kernel, fires timers.
    /// Sleeps in the kernel only if no task is ready.
    ///
    /// The steps are inlined here by force: a host's turn has them too, and as calls they cost an echo
    /// over one connection 22 instructions more.
    fn turn<P: Probe>(&self, probe: P, root: &mut Root<'_>) -> io::Result<()> {
        probe.turn_begins(self);
        self.check_own_process()?;
        self.take_inbox();
        probe.stepped(self, Step::Inbox);
        let (flow, _polled) = self.run_batch(probe, root);
        if flow.is_continue() {
            self.look_or_sleep(probe, None)?;
            self.timers.fire(self);
            probe.stepped(self, Step::Timers);
        }
        Ok(())
    }

    /// The same steps for a host, which comes when the kernel has something: that first, so that what
    /// it is for has run when the host goes on. Sleeps at most for `limit`.
    #[inline]
    pub(crate) fn turn_for_host(&self, limit: Option<Duration>) -> io::Result<Done> {
        match self.observer.code() {
            None => self.turn_probed_for_host(Unwatched, limit),
            Some(code) => (code.turn_for_host)(self, limit),
        }
    }

    #[cold]
    pub(crate) fn turn_watched_for_host(&self, limit: Option<Duration>) -> io::Result<Done> {
        let _busy = self.shared.counters.busy.scope();
        match self.observer.is_timed() {
            false => self.turn_probed_for_host(Watched::<false>, limit),
            true => {
                let _runs = self.observer.runs(self);
                self.turn_probed_for_host(Watched::<true>, limit)
            }
        }
    }

    #[inline]
    fn turn_probed_for_host<P: Probe>(
        &self,
        probe: P,
        limit: Option<Duration>,
    ) -> io::Result<Done> {
        probe.turn_begins(self);
        self.check_own_process()?;
        let events = self.look_or_sleep(probe, limit)?;
        self.timers.fire(self);
        probe.stepped(self, Step::Timers);
        self.take_inbox();
        probe.stepped(self, Step::Inbox);
        // Somebody may still wake the root of a `block_on` that is over.
        let mut nobody = |_: &mut Context<'_>| Poll::Pending;
        let (_flow, polled) = self.run_batch(probe, &mut Root::new(&mut nobody));
        Ok(Done { polled, events })
    }

    /// Tasks woken and commands sent by other threads. Of commands a batch as large as of polls: else
    /// threads that send faster than they are carried out would keep the tasks here from running.
    #[inline(always)]
    fn take_inbox(&self) {
        if self.shared.block.is_notified() {
            self.take_what_came();
        }
        if self.has_commands() {
            self.run_commands();
        }
    }

    #[cold]
    fn take_what_came(&self) {
        let mut woken = 0;
        let sent = self.shared.block.take(|index| {
            self.scheduler.wake(index);
            woken += 1;
        });
        if self.observer.watches() {
            self.shared.counters.remote_wakes.add(woken);
        }
        self.commands.borrow_mut().extend(sent);
        self.wake_listeners();
    }

    #[cold]
    fn run_commands(&self) {
        for _ in 0..self.options.event_interval {
            let Some(command) = self.next_command() else { return };
            // Wakers and outputs of other threads may be dropped in it, and panic.
            self.contain(|| command(self));
        }
    }

    /// A function, so that the borrow ends before the command runs.
    pub(crate) fn next_command(&self) -> Option<Command> {
        self.commands.borrow_mut().pop_front()
    }

    #[inline]
    fn has_commands(&self) -> bool {
        !self.commands.borrow().is_empty()
    }

    /// Whether a task is ready, or a command taken in.
    #[inline]
    pub(crate) fn has_work(&self) -> bool {
        !self.scheduler.is_idle() || self.has_commands()
    }

    /// Polls tasks until none is ready, at most `event_interval` of them, and counts them. Breaks when
    /// the root is done or a panic is to be passed on.
    fn run_batch<P: Probe>(&self, probe: P, root: &mut Root<'_>) -> (ControlFlow<()>, usize) {
        let mut batch = Batch { left: self.options.event_interval, running: None };
        let flow = loop {
            if self.resume.borrow().is_some() {
                // The next task may panic as well, and only one panic can be passed on.
                break ControlFlow::Break(());
            }
            // One net for the whole batch: a net for each poll costs 7 instructions more.
            match catch_unwind(AssertUnwindSafe(|| self.poll_tasks(probe, &mut batch, root))) {
                Ok(flow) => break flow,
                Err(panic) => match batch.running.take() {
                    Some((index, task)) => {
                        probe.poll_ends(self, index);
                        self.fail_task(index, task, Failure::Panicked(panic));
                    }
                    None => {
                        probe.poll_ends(self, ROOT);
                        probe.polled(self, self.options.event_interval - batch.left);
                        resume_unwind(panic)
                    }
                },
            }
        };
        let polled = self.options.event_interval - batch.left;
        probe.polled(self, polled);
        (flow, polled as usize)
    }

    #[inline(always)]
    fn poll_tasks<P: Probe>(
        &self,
        probe: P,
        batch: &mut Batch,
        root: &mut Root<'_>,
    ) -> ControlFlow<()> {
        while batch.left > 0 {
            let Some(next) = self.scheduler.next() else { break };
            batch.left -= 1;
            match next {
                Next::Poll { index, serial, task } => {
                    let (_, task) = batch.running.insert((index, task));
                    let polled = self.poll_task(probe, index, serial, task);
                    if let Some((index, task)) = batch.running.take() {
                        match polled {
                            Poll::Pending => self.scheduler.put_back::<P>(index, task),
                            Poll::Ready(()) => self.end_task(probe, index, task),
                        }
                    }
                }
                Next::Cancel { index, serial, task } => self.cancel_task(index, serial, task),
                Next::Root => {
                    self.poll_root(probe, root);
                    if root.done {
                        return ControlFlow::Break(());
                    }
                }
            }
        }
        context::begin_poll(0, coop::UNLIMITED);
        match &*self.resume.borrow() {
            Some(_panic) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }

    fn poll_root<P: Probe>(&self, probe: P, root: &mut Root<'_>) {
        let waker = waker::of(Name::new(self.name, ROOT));
        context::begin_poll(0, coop::BUDGET);
        probe.poll_begins(self, ROOT, 0);
        root.done = (root.poll)(&mut Context::from_waker(&waker)).is_ready();
        probe.poll_ends(self, ROOT);
    }

    /// Takes the events that are there; if nothing is ready it waits for them, or for a deadline.
    /// Returns how many came.
    #[inline(always)]
    fn look_or_sleep<P: Probe>(&self, probe: P, limit: Option<Duration>) -> io::Result<usize> {
        let events = if self.has_work() || limit == Some(Duration::ZERO) {
            self.look()?
        } else {
            self.park(probe, limit)?
        };
        probe.looked(self, events);
        probe.stepped(self, Step::Events);
        Ok(events)
    }

    /// Waits for events, for a deadline, or for another thread.
    #[inline(always)]
    fn park<P: Probe>(&self, probe: P, limit: Option<Duration>) -> io::Result<usize> {
        if let Some(ns) = self.timers.jump(limit, || self.shared.pool.in_flight() > 0) {
            return self.jump_unless_events_come(ns);
        }
        probe.parks(self);
        // Who was told of the park may have woken somebody.
        let waited = if P::COUNTS && self.has_work() { self.look() } else { self.wait(limit) };
        probe.unparks(self);
        waited
    }

    #[inline(always)]
    fn wait(&self, limit: Option<Duration>) -> io::Result<usize> {
        let alarms = self.timers.alarms();
        let limit = if self.options.spin.is_zero() {
            limit
        } else {
            match self.spin(alarms, limit)? {
                ControlFlow::Break(events) => return Ok(events),
                ControlFlow::Continue(limit) => limit,
            }
        };
        self.sleep(alarms, limit)
    }

    /// Takes the events that are there and wakes who waits for them.
    fn look(&self) -> io::Result<usize> {
        let Some(driver) = self.reactor.driver() else { return Ok(0) };
        let events = driver.wait(Some(Duration::ZERO))?;
        self.reactor.dispatch(self, driver);
        Ok(events)
    }

    /// Looks again and again before it sleeps, as long as the builder was told. Who wakes us meanwhile
    /// finds us awake: neither side makes a system call. If nothing came, the rest of `limit` comes back.
    #[inline(never)]
    fn spin(
        &self,
        alarms: Alarms,
        limit: Option<Duration>,
    ) -> io::Result<ControlFlow<usize, Option<Duration>>> {
        let spin = limit.map_or(self.options.spin, |limit| limit.min(self.options.spin));
        if spin.is_zero() || self.timers.clock.is_paused() {
            return Ok(ControlFlow::Continue(limit));
        }
        let start = monotonic_ns();
        let end = start.saturating_add(saturating_ns(spin));
        let waits_for_fds = !self.reactor.is_empty();
        loop {
            // First: who wakes us without end must not keep the events from us.
            if waits_for_fds {
                let events = self.look()?;
                if events > 0 {
                    return Ok(ControlFlow::Break(events));
                }
            }
            if self.shared.block.is_notified() {
                return Ok(ControlFlow::Break(0));
            }
            // Asked for anew: a suspend brings the alarms near that count it.
            let alarm = alarms.while_up();
            let now = monotonic_ns();
            if alarm.is_some_and(|alarm| alarm <= now) {
                return Ok(ControlFlow::Break(0));
            }
            if now >= end {
                let spent = Duration::from_nanos((now - start) as u64);
                return Ok(match limit.map(|limit| limit.saturating_sub(spent)) {
                    Some(Duration::ZERO) => ControlFlow::Break(0),
                    rest => ControlFlow::Continue(rest),
                });
            }
            hint::spin_loop();
        }
    }

    /// Sleeps until an event, a wake from another thread, or an alarm, and no longer than `limit`.
    #[inline(always)]
    fn sleep(&self, alarms: Alarms, limit: Option<Duration>) -> io::Result<usize> {
        let block = self.shared.block;
        // A deadline alone brings the epoll instance about: the kernel rounds a futex's time-outs
        // by the thread's timer slack. If it is refused, the futex will do.
        if alarms.any() {
            let _ = self.reactor.make_driver(self);
        }
        let Some(driver) = self.reactor.driver() else {
            debug_assert!(limit.is_none(), "a host's turn has made the driver");
            self.sleep_on_futex(alarms);
            return Ok(0);
        };
        let timeout = match (driver.arm(alarms), limit) {
            (Some(left), Some(limit)) => Some(left.min(limit)),
            (left, limit) => left.or(limit),
        };
        if !block.prepare_park(ASLEEP_IN_EPOLL) {
            // Who notifies us without end must not keep the events from us.
            return self.look();
        }
        let waited = driver.wait(timeout);
        block.unpark();
        self.reactor.dispatch(self, driver);
        waited
    }

    #[cold]
    fn sleep_on_futex(&self, alarms: Alarms) {
        let block = self.shared.block;
        if block.prepare_park(ASLEEP_ON_FUTEX) {
            block.sleep_on_futex(alarms.on_monotonic());
            block.unpark();
        }
    }

    /// The test clock's jump, unless the kernel or another thread has something for us.
    #[cold]
    fn jump_unless_events_come(&self, ns: i64) -> io::Result<usize> {
        let events = self.look()?;
        if !self.has_work() && !self.shared.block.is_notified() {
            self.timers.clock.advance(ns);
        }
        Ok(events)
    }

    /// # Errors
    ///
    /// When this process is a fork of the one whose runtime this is.
    #[inline(always)]
    pub(crate) fn check_own_process(&self) -> io::Result<()> {
        if self.is_of_parent() { Err(not_our_process()) } else { Ok(()) }
    }
}

#[cold]
fn not_our_process() -> io::Error {
    io::Error::other(
        "this process is a fork of the one whose runtime this is, and must not turn it: call \
         runtime::after_fork() in the child and make a new runtime there",
    )
}
