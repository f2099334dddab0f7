//! The deadlines on one clock, and who waits for them.

use std::cell::{Cell, RefCell};
use std::task::{Poll, Waker};

use super::clock::Hand;
use super::queue::Queue;
use crate::core::Core;
use crate::task::waker;

/// After some have fired, those that come within this time fire together, when the last of them has come.
/// A lone one is exact. 100,000 sleeps spread over 2 s then cost about 10,500 wake-ups.
const SLACK_NS: i64 = 190_000;

/// So many are fired at a time.
const BATCH: usize = 64;

/// Wakers by deadline, in nanoseconds of the clock they are on.
pub(crate) struct Deadlines {
    queue: RefCell<Queue<Waker>>,
    /// When some last fired, on the kernel's clock.
    last_fired: Cell<i64>,
    /// Empty, but while some fire: kept for its memory.
    due: Cell<Vec<Waker>>,
}

impl Deadlines {
    pub(super) const fn new() -> Deadlines {
        Deadlines {
            queue: RefCell::new(Queue::new()),
            last_fired: Cell::new(i64::MIN),
            due: Cell::new(Vec::new()),
        }
    }

    /// Adds a deadline; the key is the caller's until it removes it.
    pub(super) fn insert(&self, deadline: i64, waker: &Waker) -> u32 {
        let waker = waker.clone();
        self.queue.borrow_mut().insert(deadline, waker)
    }

    /// Whether a deadline has fired; if not, `waker` is woken when it does.
    pub(super) fn poll(&self, key: u32, waker: &Waker) -> Poll<()> {
        {
            let queue = self.queue.borrow();
            if queue.is_fired(key) {
                return Poll::Ready(());
            }
            if queue.get(key).is_some_and(|kept| kept.will_wake(waker)) {
                return Poll::Pending;
            }
        }
        let waker = waker.clone();
        let replaced = self.queue.borrow_mut().set(key, waker);
        drop(replaced);
        Poll::Pending
    }

    pub(super) fn is_fired(&self, key: u32) -> bool {
        self.queue.borrow().is_fired(key)
    }

    /// Moves a deadline, also one that has fired.
    pub(super) fn reset(&self, key: u32, deadline: i64) {
        self.queue.borrow_mut().reset(key, deadline);
    }

    #[inline]
    pub(super) fn remove(&self, key: u32) {
        let waker = self.queue.borrow_mut().remove(key);
        drop(waker);
    }

    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.queue.borrow().is_idle()
    }

    /// When to look for deadlines that have come: none comes before.
    #[inline]
    pub(super) fn next(&self) -> Option<i64> {
        self.queue.borrow_mut().next()
    }

    /// The earliest that ever comes: the end of the range does not.
    pub(super) fn next_to_come(&self) -> Option<i64> {
        self.queue.borrow_mut().earliest().filter(|&next| next < i64::MAX)
    }

    /// When the kernel is to end a sleep for them, on its clock, which `hand` follows, and the sleep after
    /// that one, if it is known.
    ///
    /// Where the slack holds deadlines back, the last of those that come meanwhile is met: it is on time, and
    /// the others are less late than at the end of the slack.
    #[inline]
    pub(super) fn alarms(&self, hand: &Hand) -> (Option<i64>, Option<i64>) {
        let Some(next) = self.next().filter(|&next| next < i64::MAX) else { return (None, None) };
        let next = hand.real(next);
        let held_until = self.last_fired.get().saturating_add(SLACK_NS);
        if next >= held_until {
            return (Some(next), None);
        }
        let last_of_run = |until| {
            let last = self.queue.borrow().last_of_run(hand.shown_at(until));
            last.map(|last| hand.real(last))
        };
        let alarm = last_of_run(held_until).filter(|&last| last >= next).unwrap_or(held_until);
        let after = last_of_run(alarm.saturating_add(SLACK_NS)).filter(|&last| last > alarm);
        (Some(alarm), after)
    }

    /// Wakes everybody whose deadline has come.
    ///
    /// The wakers are taken out first: the entries of the tasks to wake come from memory meanwhile, as those
    /// of the timers did before.
    pub(super) fn fire(&self, core: &Core, hand: &Hand, now: i64) {
        // A hand that stands is nowhere on the kernel's clock.
        if !hand.stands() {
            self.last_fired.set(hand.real(now));
        }
        let mut due = self.due.take();
        loop {
            self.take_due(core, now, &mut due);
            if due.is_empty() {
                break;
            }
            due.drain(..).for_each(|waker| core.wake(waker));
        }
        self.due.set(due);
    }

    fn take_due(&self, core: &Core, now: i64, due: &mut Vec<Waker>) {
        let queue = &mut *self.queue.borrow_mut();
        queue.expect(now, BATCH);
        while due.len() < BATCH {
            let Some((_key, waker)) = queue.pop_due(now) else { return };
            let Some(waker) = waker else { continue };
            if let Some(name) = waker::name_of(&waker) {
                core.scheduler.expect(name.index());
            }
            due.push(waker);
        }
    }

    /// Everybody who waits, at the end of the runtime.
    pub(super) fn take_wakers(&self) -> Vec<Waker> {
        self.queue.borrow_mut().take_values()
    }
}
