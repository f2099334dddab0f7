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
    #[inline(always)]
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

    #[inline(always)]
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
        let mut due = self.due.take();
        self.take_due(core, now, &mut due);
        // Cancelled ones that came woke nobody: the next is not to wait for them. And a hand that stands is
        // nowhere on the kernel's clock.
        if !due.is_empty() && !hand.stands() {
            self.note_firing(hand.real(now));
        }
        while !due.is_empty() {
            if core.observer.watches() {
                core.shared.counters.timers_fired.add(due.len() as u64);
            }
            due.drain(..).for_each(|waker| core.wake(waker));
            self.take_due(core, now, &mut due);
        }
        self.due.set(due);
    }

    /// Some have fired at this time on the kernel's clock.
    fn note_firing(&self, real: i64) {
        self.fired_before.set(self.last_fired.replace(real));
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

    /// Every deadline that has not fired, and who waits for it. `see` must run no foreign code.
    pub(super) fn walk(&self, mut see: impl FnMut(i64, &Waker)) {
        self.heap.borrow().iter().for_each(|(deadline, waker)| see(deadline, waker));
    }

    /// Everybody who waits, at the end of the runtime.
    pub(super) fn take_wakers(&self) -> Vec<Waker> {
        self.heap.borrow_mut().take_values()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::{DENSE_NS, Deadlines, SLACK_NS};
    use crate::Runtime;
    use crate::context::{self, Current};
    use crate::timer::clock::Hand;

    /// Deadlines that fired at these times, and one to come.
    fn fired(times: &[i64], next: i64) -> Deadlines {
        let deadlines = Deadlines::new();
        times.iter().for_each(|&time| deadlines.note_firing(time));
        deadlines.insert(next, Waker::noop());
        deadlines
    }

    #[test]
    fn a_lone_deadline_is_exact_and_a_close_one_held_back() {
        let hand = Hand::default();
        assert_eq!(fired(&[0], SLACK_NS + 1).alarm(&hand), Some(SLACK_NS + 1));
        assert_eq!(fired(&[0], 1).alarm(&hand), Some(SLACK_NS));
    }

    #[test]
    fn the_alarm_after_the_next_is_known_where_deadlines_are_dense_alone() {
        let hand = Hand::default();
        let after = |deadlines: Deadlines| deadlines.alarm_after(deadlines.alarm(&hand)?);
        assert_eq!(after(fired(&[0, DENSE_NS], DENSE_NS + 1)), Some(DENSE_NS + 2 * SLACK_NS));
        // The two before lay too far apart; the next is not held back.
        assert_eq!(after(fired(&[0, DENSE_NS + 1], DENSE_NS + 2)), None);
        assert_eq!(after(fired(&[0, 1], SLACK_NS + 2)), None);
    }

    #[test]
    fn a_cancelled_deadline_that_comes_holds_nobody_back() {
        let (deadlines, hand) = (fired(&[], 2), Hand::default());
        deadlines.remove(deadlines.insert(1, Waker::noop()));
        assert_eq!(deadlines.next(), Some(1), "it is looked for all the same");
        let runtime = Runtime::new().unwrap();
        let _entered = runtime.enter();
        context::with_current(|current| match current {
            Current::Here(core) => deadlines.fire(core, &hand, 1),
            _ => unreachable!("it was just entered"),
        });
        assert_eq!(deadlines.alarm(&hand), Some(2));
    }
}
