//! The deadlines on one clock, and who waits for them.

use std::cell::{Cell, RefCell};
use std::task::{Poll, Waker};

use super::clock::Hand;
use super::heap::Heap;
use crate::core::Core;
use crate::task::waker;

/// Timer wake-ups are at least this far apart: deadlines that lie close fire together. A lone one
/// is exact. 100,000 sleeps spread over 2 s then cost at most 12,500 wake-ups.
const SLACK_NS: i64 = 160_000;

/// After two that were no further apart than this, one that is held back is taken for one of many.
const DENSE_NS: i64 = 4 * SLACK_NS;

/// So many are fired at a time.
const BATCH: usize = 64;

/// Wakers by deadline, in nanoseconds of the clock they are on.
pub(crate) struct Deadlines {
    heap: RefCell<Heap<Waker>>,
    /// When some last fired, on the kernel's clock, and when before that.
    last_fired: Cell<i64>,
    fired_before: Cell<i64>,
    /// Empty, but while some fire: kept for its memory.
    due: Cell<Vec<Waker>>,
}

impl Deadlines {
    pub(super) const fn new() -> Deadlines {
        Deadlines {
            heap: RefCell::new(Heap::new()),
            last_fired: Cell::new(i64::MIN),
            fired_before: Cell::new(i64::MIN),
            due: Cell::new(Vec::new()),
        }
    }

    /// Adds a deadline; the key is the caller's until it removes it.
    pub(super) fn insert(&self, deadline: i64, waker: &Waker) -> u32 {
        let waker = waker.clone();
        self.heap.borrow_mut().insert(deadline, waker)
    }

    /// Whether a deadline has fired; if not, `waker` is woken when it does.
    pub(super) fn poll(&self, key: u32, waker: &Waker) -> Poll<()> {
        {
            let heap = self.heap.borrow();
            if heap.is_fired(key) {
                return Poll::Ready(());
            }
            if heap.get(key).is_some_and(|kept| kept.will_wake(waker)) {
                return Poll::Pending;
            }
        }
        let waker = waker.clone();
        let replaced = self.heap.borrow_mut().set(key, waker);
        drop(replaced);
        Poll::Pending
    }

    pub(super) fn is_fired(&self, key: u32) -> bool {
        self.heap.borrow().is_fired(key)
    }

    /// Moves a deadline, also one that has fired.
    pub(super) fn reset(&self, key: u32, deadline: i64) {
        self.heap.borrow_mut().reset(key, deadline);
    }

    #[inline]
    pub(super) fn remove(&self, key: u32) {
        let waker = self.heap.borrow_mut().remove(key);
        drop(waker);
    }

    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.heap.borrow().is_idle()
    }

    /// When to look for deadlines that have come: none comes before.
    #[inline]
    pub(super) fn next(&self) -> Option<i64> {
        self.heap.borrow().peek()
    }

    /// The earliest that ever comes: the end of the range does not.
    pub(super) fn next_to_come(&self) -> Option<i64> {
        self.heap.borrow().earliest().filter(|&next| next < i64::MAX)
    }

    /// When the kernel is to end a sleep for them, on its clock, which `hand` follows.
    #[inline]
    pub(super) fn alarm(&self, hand: &Hand) -> Option<i64> {
        let next = self.next().filter(|&next| next < i64::MAX)?;
        let soonest = self.last_fired.get().saturating_add(SLACK_NS);
        Some(hand.real(next).max(soonest))
    }

    /// When the kernel is to end the sleep after that one, if it is safe to say: where the slack holds one
    /// wake-up after another back, there are many to come.
    pub(super) fn alarm_after(&self, alarm: i64) -> Option<i64> {
        let (last, before) = (self.last_fired.get(), self.fired_before.get());
        let held_back = alarm == last.saturating_add(SLACK_NS);
        (held_back && last.saturating_sub(before) <= DENSE_NS)
            .then(|| alarm.saturating_add(SLACK_NS))
    }

    /// Wakes everybody whose deadline has come.
    ///
    /// The wakers are taken out first: the entries of the tasks to wake come from memory meanwhile.
    pub(super) fn fire(&self, core: &Core, hand: &Hand, now: i64) {
        // A hand that stands is nowhere on the kernel's clock.
        if !hand.stands() {
            self.fired_before.set(self.last_fired.replace(hand.real(now)));
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
        let heap = &mut *self.heap.borrow_mut();
        while due.len() < BATCH {
            let Some((_key, waker)) = heap.pop_due(now) else { return };
            let Some(waker) = waker else { continue };
            if let Some(name) = waker::name_of(&waker) {
                core.scheduler.expect(name.index());
            }
            due.push(waker);
        }
    }

    /// Everybody who waits, at the end of the runtime.
    pub(super) fn take_wakers(&self) -> Vec<Waker> {
        self.heap.borrow_mut().take_values()
    }
}
