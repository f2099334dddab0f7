//! One turn of the loop, in order. Nothing else polls tasks, and nothing else waits for events.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::context;
use crate::coop;
use crate::core::Core;
use crate::name::Name;
use crate::task::Failure;
use crate::task::cell::BoxedTask;
use crate::task::scheduler::{Next, ROOT};
use crate::task::waker;
use crate::timer::{Alarms, Idle};
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

    pub(crate) fn is_done(&self) -> bool {
        self.done
    }
}

/// How far a batch has come. It outlives a panic in it.
struct Batch {
    left: u32,
    /// The task that is being polled.
    running: Option<(u32, BoxedTask)>,
}

impl Core {
    /// Takes what other threads left, runs a batch of tasks, looks at the kernel, fires timers.
    /// Sleeps in the kernel only if no task is ready.
    pub(crate) fn turn(&self, root: &mut Root<'_>) {
        self.assert_own_process();
        self.take_inbox();
        if self.run_batch(root).is_break() {
            return;
        }
        if self.has_work() {
            self.look();
        } else {
            match self.timers.when_idle(|| self.shared.pool.in_flight() > 0) {
                Idle::SleepUntil(alarms) => self.sleep(alarms),
                Idle::Jump => self.jump_unless_events_come(),
            }
        }
        self.timers.fire(self);
    }

    /// Tasks woken and commands sent by other threads. Of commands a batch as large as of polls: else
    /// threads that send faster than they are carried out would keep the tasks here from running.
    fn take_inbox(&self) {
        if self.shared.block.is_notified() {
            let sent = self.shared.block.take(|index| self.scheduler.wake(index));
            self.commands.borrow_mut().extend(sent);
        }
        for _ in 0..self.options.event_interval {
            let Some(command) = self.next_command() else { return };
            // Wakers and outputs of other threads may be dropped in it, and panic.
            self.contain(|| command(self));
        }
    }

    /// A function, so that the borrow ends before the command runs.
    #[inline]
    fn next_command(&self) -> Option<Command> {
        self.commands.borrow_mut().pop_front()
    }

    /// Whether a task is ready, or a command taken in.
    fn has_work(&self) -> bool {
        !self.scheduler.is_idle() || !self.commands.borrow().is_empty()
    }

    /// Polls tasks until none is ready, at most `event_interval` of them. Breaks when the root is
    /// done or a panic is to be passed on.
    fn run_batch(&self, root: &mut Root<'_>) -> ControlFlow<()> {
        let mut batch = Batch { left: self.options.event_interval, running: None };
        loop {
            // One net for the whole batch: a net for each poll costs 7 instructions more.
            match catch_unwind(AssertUnwindSafe(|| self.poll_tasks(&mut batch, root))) {
                Ok(flow) => return flow,
                Err(panic) => match batch.running.take() {
                    Some((index, task)) => self.fail_task(index, task, Failure::Panicked(panic)),
                    None => resume_unwind(panic),
                },
            }
        }
    }

    fn poll_tasks(&self, batch: &mut Batch, root: &mut Root<'_>) -> ControlFlow<()> {
        while batch.left > 0 {
            batch.left -= 1;
            match self.scheduler.next() {
                None => break,
                Some(Next::Poll { index, serial, task }) => {
                    let (_, task) = batch.running.insert((index, task));
                    let polled = self.poll_task(index, serial, task);
                    if let Some((index, task)) = batch.running.take() {
                        match polled {
                            Poll::Pending => self.scheduler.put_back(index, task),
                            Poll::Ready(()) => self.end_task(index, task),
                        }
                    }
                }
                Some(Next::Cancel { index, serial, task }) => self.cancel_task(index, serial, task),
                Some(Next::Root) => {
                    self.poll_root(root);
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

    fn poll_root(&self, root: &mut Root<'_>) {
        let waker = waker::of(Name::new(self.name, ROOT));
        context::begin_poll(0, coop::BUDGET);
        root.done = (root.poll)(&mut Context::from_waker(&waker)).is_ready();
    }

    /// Takes the events that are there and wakes who waits for them.
    fn look(&self) {
        if let Some(driver) = self.reactor.driver() {
            driver.wait(Some(Duration::ZERO));
            self.reactor.dispatch(self, driver);
        }
    }

    /// Sleeps until an event, a wake from another thread, or an alarm.
    fn sleep(&self, alarms: Alarms) {
        let block = self.shared.block;
        // A deadline alone brings the epoll instance about: the kernel rounds a futex's time-outs
        // by the thread's timer slack. If it is refused, the futex will do.
        if alarms.any() {
            let _ = self.reactor.make_driver(self);
        }
        let Some(driver) = self.reactor.driver() else {
            if block.prepare_park(ASLEEP_ON_FUTEX) {
                block.sleep_on_futex(alarms.on_monotonic());
                block.unpark();
            }
            return;
        };
        let timeout = driver.arm(alarms);
        if block.prepare_park(ASLEEP_IN_EPOLL) {
            driver.wait(timeout);
            block.unpark();
            self.reactor.dispatch(self, driver);
        }
    }

    /// The test clock's jump: to the next deadline, unless the kernel or another thread has
    /// something for us.
    fn jump_unless_events_come(&self) {
        self.look();
        if !self.has_work() && !self.shared.block.is_notified() {
            self.timers.jump();
        }
    }

    #[track_caller]
    fn assert_own_process(&self) {
        assert!(
            !self.is_of_parent(),
            "this process is a fork of the one whose runtime this is, and must not turn it: call \
             runtime::after_fork() in the child and make a new runtime there"
        );
    }
}
