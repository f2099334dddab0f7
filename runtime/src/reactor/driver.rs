//! The kernel side: one epoll instance with an eventfd and a timerfd in it.

use std::cell::Cell;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use crate::sys::clock::monotonic_ns;
use crate::sys::context;
use crate::sys::epoll::{Epoll, Event, Events, Flags, explain_add};
use crate::sys::timerfd::TimerFd;
use crate::wakeups::Block;

/// Events taken by one look; what is left comes with the next.
const EVENTS: usize = 256;

/// The user data of the two descriptors that are ours. Entries use `[generation 32 | index 32]`.
const WAKEUP: u64 = u64::MAX;
const TIMER: u64 = u64::MAX - 1;

pub(crate) struct Driver {
    /// Shared with the inbox block, where other threads deregister.
    epoll: Arc<Epoll>,
    timer: TimerFd,
    /// What the timerfd is set to and has not reported yet.
    armed: Cell<Option<i64>>,
    /// Away while events are dispatched, and so never borrowed while foreign code runs.
    events: Cell<Option<Events>>,
    is_full: Cell<bool>,
}

impl Driver {
    /// All of it or nothing: what was made before an error is closed again.
    pub(super) fn new(block: &Block) -> io::Result<Driver> {
        let epoll = Arc::new(Epoll::new()?);
        let timer = TimerFd::new()?;
        let wakeup = block.eventfd()?;
        // Neither is ever read: edge-triggered, each write and each expiry is an event of its own.
        for (fd, token) in [(wakeup.as_raw_fd(), WAKEUP), (timer.as_raw_fd(), TIMER)] {
            epoll.ctl_add(fd, Flags::IN | Flags::ET, token).map_err(explain_add)?;
        }
        block.publish_epoll(epoll.clone());
        let events = Cell::new(Some(Events::with_capacity(EVENTS)));
        Ok(Driver { epoll, timer, armed: Cell::new(None), events, is_full: Cell::new(false) })
    }

    pub(crate) fn epoll(&self) -> &Epoll {
        &self.epoll
    }

    /// Has the timerfd end the next wait at `deadline`. What it is set to already is left if it is
    /// no later: an expiry too many costs less than setting it at each turn. If it cannot be set, the
    /// time-out to wait with comes back.
    pub(crate) fn arm(&self, deadline: Option<i64>) -> Option<Duration> {
        let deadline = deadline?;
        if self.armed.get().is_some_and(|armed| armed <= deadline) {
            return None;
        }
        match self.timer.arm_at_ns(deadline) {
            Ok(()) => {
                self.armed.set(Some(deadline));
                None
            }
            Err(_) => {
                let left = deadline.saturating_sub(monotonic_ns());
                Some(Duration::from_nanos(left.max(0) as u64))
            }
        }
    }

    /// Waits for events, which `take_events` then has, and returns how many there are.
    ///
    /// # Errors
    ///
    /// When other code has closed the epoll instance's descriptor.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> io::Result<usize> {
        let mut events = self.events.take().expect("the events are back when nothing dispatches");
        let waited = self.epoll.wait(&mut events, timeout);
        self.events.set(Some(events));
        let count = waited.map_err(|error| {
            context(
                error,
                "waiting for events (has other code closed a descriptor that it does not own?)",
            )
        })?;
        self.is_full.set(count == EVENTS);
        Ok(count)
    }

    /// Whether the last look filled the list, so that the kernel may have more.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full.get()
    }

    /// Hands each event of an fd to `dispatch`; those of our own descriptors end here.
    #[inline]
    pub(super) fn take_events(&self, mut dispatch: impl FnMut(Event)) {
        let Some(mut events) = self.events.take() else { return };
        for event in &events {
            match event.token() {
                WAKEUP => {}
                TIMER => self.armed.set(None),
                _ => dispatch(event),
            }
        }
        events.clear();
        self.events.set(Some(events));
    }
}
