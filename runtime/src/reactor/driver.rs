//! The kernel side: one epoll instance with an eventfd and up to three timerfds in it.

use std::cell::{Cell, OnceCell};
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use crate::sys::clock::monotonic_ns;
use crate::sys::context;
use crate::sys::epoll::{Epoll, Event, Events, Flags, explain_add};
use crate::sys::timerfd::TimerFd;
use crate::timer::Alarms;
use crate::wakeups::Block;

/// Events taken by one look; what is left comes with the next.
const EVENTS: usize = 256;

/// The user data of the descriptors that are ours. Entries use `[generation 32 | index 32]`.
const WAKEUP: u64 = u64::MAX;
const MONOTONIC: u64 = u64::MAX - 1;
const BOOTTIME: u64 = u64::MAX - 2;
const SECOND: u64 = u64::MAX - 3;

pub(crate) struct Driver {
    /// Shared with the inbox block, where other threads deregister.
    epoll: Arc<Epoll>,
    monotonic: Timer,
    /// For the wake-up after the next, where they follow each other closely: to set the timer that is due first
    /// costs most, presumably as only that one is programmed into the hardware. Measured in a virtual machine
    /// that is a third of what such a sleep costs. Made when first needed.
    second: OnceCell<Timer>,
    /// Made when first needed.
    boottime: OnceCell<Timer>,
    /// Away while events are dispatched, and so never borrowed while foreign code runs.
    events: Cell<Option<Box<Events>>>,
    is_full: Cell<bool>,
}

/// A timerfd in the epoll instance.
struct Timer {
    fd: TimerFd,
    /// What it is set to and has not reported yet.
    armed: Cell<Option<i64>>,
}

impl Timer {
    /// It is never read: edge-triggered, each expiry is an event of its own.
    fn new(fd: TimerFd, epoll: &Epoll, token: u64) -> io::Result<Timer> {
        epoll.ctl_add(fd.as_raw_fd(), Flags::IN | Flags::ET, token).map_err(explain_add)?;
        Ok(Timer { fd, armed: Cell::new(None) })
    }

    /// Whether it has the next wait end at `deadline` or before.
    fn is_armed_by(&self, deadline: i64) -> bool {
        self.armed.get().is_some_and(|armed| armed <= deadline)
    }

    /// Has it end the next wait at `deadline`. What it is set to already is left if it is no later: an
    /// expiry too many costs less than setting it at each turn.
    fn arm(&self, deadline: i64) -> io::Result<()> {
        if !self.is_armed_by(deadline) {
            self.fd.arm_at_ns(deadline)?;
            self.armed.set(Some(deadline));
        }
        Ok(())
    }
}

impl Driver {
    /// All of it or nothing: what was made before an error is closed again.
    pub(super) fn new(block: &Block) -> io::Result<Driver> {
        let epoll = Arc::new(Epoll::new()?);
        let monotonic = Timer::new(TimerFd::new()?, &epoll, MONOTONIC)?;
        let wakeup = block.eventfd()?;
        // It is never read: edge-triggered, each write is an event of its own.
        epoll.ctl_add(wakeup.as_raw_fd(), Flags::IN | Flags::ET, WAKEUP).map_err(explain_add)?;
        block.publish_epoll(epoll.clone());
        let events = Cell::new(Some(Box::new(Events::with_capacity(EVENTS))));
        let (second, boottime, is_full) = (OnceCell::new(), OnceCell::new(), Cell::new(false));
        Ok(Driver { epoll, monotonic, second, boottime, events, is_full })
    }

    pub(crate) fn epoll(&self) -> &Epoll {
        &self.epoll
    }

    /// Has the timerfds end the next wait. If that fails, the time-out to wait with comes back.
    #[inline]
    pub(crate) fn arm(&self, alarms: Alarms) -> Option<Duration> {
        if alarms.any() { self.arm_any(alarms) } else { None }
    }

    fn arm_any(&self, alarms: Alarms) -> Option<Duration> {
        let arm_boottime = |deadline| self.boottime().and_then(|timer| timer.arm(deadline)).is_ok();
        let deadline = match alarms.boottime {
            Some(deadline) if !arm_boottime(deadline) => alarms.on_monotonic(),
            _ => alarms.monotonic,
        };
        let deadline = deadline?;
        self.arm_monotonic(deadline, alarms.after).err().map(|_| {
            let left = deadline.saturating_sub(monotonic_ns());
            Duration::from_nanos(left.max(0) as u64)
        })
    }

    fn arm_monotonic(&self, deadline: i64, after: Option<i64>) -> io::Result<()> {
        if !self.second.get().is_some_and(|second| second.is_armed_by(deadline)) {
            self.monotonic.arm(deadline)?;
        }
        let Some(after) = after else { return Ok(()) };
        let is_free = |timer: &&Timer| timer.armed.get().is_none();
        let free =
            Some(&self.monotonic).filter(is_free).or_else(|| self.second().ok().filter(is_free));
        free.map_or(Ok(()), |timer| timer.arm(after))
    }

    fn second(&self) -> io::Result<&Timer> {
        if self.second.get().is_none() {
            let timer = Timer::new(TimerFd::new()?, &self.epoll, SECOND)?;
            let _ = self.second.set(timer);
        }
        Ok(self.second.get().expect("it was just set"))
    }

    fn boottime(&self) -> io::Result<&Timer> {
        if self.boottime.get().is_none() {
            let timer = Timer::new(TimerFd::boottime()?, &self.epoll, BOOTTIME)?;
            let _ = self.boottime.set(timer);
        }
        Ok(self.boottime.get().expect("it was just set"))
    }

    /// Waits for events, which `take_events` then has, and returns how many there are.
    ///
    /// # Errors
    ///
    /// When other code has closed the epoll instance's descriptor.
    #[inline]
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> io::Result<usize> {
        let mut events = self.events.take().expect("the events are back when nothing dispatches");
        let waited = self.epoll.wait(&mut events, timeout);
        self.events.set(Some(events));
        let count = waited.map_err(explain_wait)?;
        self.is_full.set(count == EVENTS);
        Ok(count)
    }

    /// Whether the last look filled the list, so that the kernel may have more.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full.get()
    }

    /// Hands each event to `dispatch`.
    #[inline]
    pub(super) fn take_events(&self, dispatch: impl FnMut(Event)) {
        let Some(mut events) = self.events.take() else { return };
        events.iter().for_each(dispatch);
        events.clear();
        self.events.set(Some(events));
    }

    /// An event of a descriptor of our own. The table has no entry at these indices, so that nothing is
    /// asked of the others' events for it.
    #[cold]
    pub(super) fn take_own(&self, token: u64) {
        match token {
            MONOTONIC => self.monotonic.armed.set(None),
            SECOND => self.second.get().into_iter().for_each(|timer| timer.armed.set(None)),
            BOOTTIME => self.boottime.get().into_iter().for_each(|timer| timer.armed.set(None)),
            // The eventfd is there to end a sleep; or the event is of an entry that is gone.
            _ => {}
        }
    }
}

#[cold]
fn explain_wait(error: io::Error) -> io::Error {
    context(error, "waiting for events (has other code closed a descriptor that it does not own?)")
}
