//! One turn of the loop, in order. Nothing else polls tasks, and nothing else waits for events.

use std::ops::ControlFlow;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::context;
use crate::coop;
use crate::core::Core;
use crate::name::Name;
use crate::task::scheduler::{Next, ROOT};
use crate::task::waker;
use crate::timer::Idle;
use crate::wakeups::{ASLEEP_IN_EPOLL, ASLEEP_ON_FUTEX};

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

impl Core {
    /// Takes what other threads left, runs a batch of tasks, looks at the kernel, fires timers.
    /// Sleeps in the kernel only if no task is ready.
    pub(crate) fn turn(&self, root: &mut Root<'_>) {
        self.assert_own_process();
        self.take_inbox();
        if self.run_batch(root).is_break() {
            return;
        }
        if !self.scheduler.is_idle() {
            self.look();
        } else {
            match self.timers.when_idle(|| self.shared.pool.in_flight() > 0) {
                Idle::SleepUntil(deadline) => self.sleep(deadline),
                Idle::Jump => self.jump_unless_events_come(),
            }
        }
        self.timers.fire(self);
    }

    /// Tasks woken and commands sent by other threads.
    fn take_inbox(&self) {
        if self.shared.block.is_notified() {
            for command in self.shared.block.take(|index| self.scheduler.wake(index)) {
                command(self);
            }
        }
    }

    /// Polls tasks until none is ready, at most `event_interval` of them. Breaks when the root is
    /// done or a panic is to be passed on.
    fn run_batch(&self, root: &mut Root<'_>) -> ControlFlow<()> {
        for _ in 0..self.options.event_interval {
            match self.scheduler.next() {
                None => break,
                Some(Next::Poll { index, serial, task }) => self.poll_task(index, serial, task),
                Some(Next::Cancel { index, serial, task }) => self.cancel_task(index, serial, task),
                Some(Next::Root) => {
                    self.poll_root(root);
                    if root.done {
                        return ControlFlow::Break(());
                    }
                }
            }
        }
        match &*self.resume.borrow() {
            Some(_panic) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }

    fn poll_root(&self, root: &mut Root<'_>) {
        let waker = waker::of(Name::new(self.name, ROOT));
        context::begin_poll(0, coop::BUDGET);
        root.done = (root.poll)(&mut Context::from_waker(&waker)).is_ready();
        context::begin_poll(0, coop::UNLIMITED);
    }

    /// Takes the events that are there and wakes who waits for them.
    fn look(&self) {
        if let Some(driver) = self.reactor.driver() {
            driver.wait(Some(Duration::ZERO));
            self.reactor.dispatch(self, driver);
        }
    }

    /// Sleeps until an event, a wake from another thread, or the deadline.
    fn sleep(&self, deadline: Option<i64>) {
        let block = self.shared.block;
        // A deadline alone brings the epoll instance about: the kernel rounds a futex's time-outs
        // by the thread's timer slack. If it is refused, the futex will do.
        if deadline.is_some() {
            let _ = self.reactor.make_driver(self);
        }
        let Some(driver) = self.reactor.driver() else {
            if block.prepare_park(ASLEEP_ON_FUTEX) {
                block.sleep_on_futex(deadline);
                block.unpark();
            }
            return;
        };
        let timeout = driver.arm(deadline);
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
        if self.scheduler.is_idle() && !self.shared.block.is_notified() {
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
