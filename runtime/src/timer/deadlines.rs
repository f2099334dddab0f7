//! The deadlines on one clock, and who waits for them.

use std::cell::{Cell, RefCell};
use std::task::{Poll, Waker};

use super::clock::Hand;
use super::heap::Heap;
use crate::core::Core;

/// Timer wake-ups are at least this far apart: deadlines that lie close fire together. A lone one
/// is exact. 100,000 sleeps spread over 2 s then cost at most 20,000 wake-ups.
const SLACK_NS: i64 = 100_000;

/// Wakers by deadline, in nanoseconds of the clock they are on.
pub(crate) struct Deadlines {
    heap: RefCell<Heap<Waker>>,
    /// When some last fired, on the kernel's clock.
    last_fired: Cell<i64>,
}

impl Deadlines {
    pub(super) const fn new() -> Deadlines {
        Deadlines { heap: RefCell::new(Heap::new()), last_fired: Cell::new(i64::MIN) }
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
        self.next().is_none()
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

    /// Wakes everybody whose deadline has come.
    pub(super) fn fire(&self, core: &Core, hand: &Hand, now: i64) {
        // A hand that stands is nowhere on the kernel's clock.
        if !hand.stands() {
            self.last_fired.set(hand.real(now));
        }
        loop {
            let waker = {
                let heap = &mut *self.heap.borrow_mut();
                let Some((_key, waker)) = heap.pop_due(now) else { return };
                waker
            };
            if let Some(waker) = waker {
                core.wake(waker);
            }
        }
    }

    /// Everybody who waits, at the end of the runtime.
    pub(super) fn take_wakers(&self) -> Vec<Waker> {
        self.heap.borrow_mut().take_values()
    }
}
