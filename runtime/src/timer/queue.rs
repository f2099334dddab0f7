//! The deadlines of a runtime: those that come next sorted, the others in no order.
//!
//! Most deadlines are set, and cancelled long before they come: they are `far`, and never sorted. When the
//! first of them may have come, the soonest part of them is sorted at a stroke and becomes the `run`, from
//! whose end they fire. What is set meanwhile to come before the end of the run goes to a `heap` beside it.
//!
//! All three hold slots of 16 bytes, and what waits for them lies in a slab. Nothing there says where an entry's
//! slot is, so that moving slots touches no memory but theirs. A deadline is therefore cancelled, or moved,
//! by making its slot stale: the entry counts its waits, and a slot of an earlier one is dropped when it comes
//! up, or swept out with the others when they are more than those that count.
//!
//! Invariants: an entry that waits has one slot of its current wait, one that does not has none. No deadline of
//! the run or the heap is after `horizon`, every one in `far` is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ptr;

use crate::sys::prefetch::prefetch;

/// The state of an entry that waits.
const WAITING: u32 = u32::MAX;

/// The state of one that has fired.
const FIRED: u32 = u32::MAX - 1;

/// The state of the vacant entry that is the last of its list. The others have the next one's key.
const NO_MORE: u32 = u32::MAX - 2;

/// One in so many of the far deadlines moves to the run at a time. All are looked at for each part.
const PART: usize = 8;

/// So many stale slots are left alone.
const FEW: usize = 64;

/// A deadline and the slab key of what waits for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Slot {
    deadline: i64,
    key: u32,
    /// Which of the entry's waits it is of.
    wait: u32,
}

struct Entry<V> {
    state: u32,
    /// Counts those whose slot was left behind, which is stale by that.
    wait: u32,
    /// There until it fires.
    value: Option<V>,
}

/// Values by deadline, in nanoseconds of whatever clock the caller keeps.
///
/// An entry belongs to whoever inserted it until [`remove`](Queue::remove): firing takes its value, never the
/// entry out of the slab, so that its key is not reused while its owner holds it.
///
/// Equal deadlines fire in no particular order.
///
/// The slab is our own, since entries are filled and vacated in place: the `slab` crate's moves of
/// them cost a tenth of a time-out.
pub(crate) struct Queue<V> {
    /// The latest first.
    run: Vec<Slot>,
    heap: BinaryHeap<Reverse<Slot>>,
    far: Vec<Slot>,
    /// Between the deadlines of the run and the heap and those of `far`.
    horizon: i64,
    /// None of `far` is earlier. If one was cancelled, all may be later.
    far_from: i64,
    /// How many slots are.
    stale: usize,
    slab: Vec<Entry<V>>,
    vacant: u32,
}

impl<V> Queue<V> {
    /// An empty queue, which owns no memory yet.
    pub(crate) const fn new() -> Self {
        Queue {
            run: Vec::new(),
            heap: BinaryHeap::new(),
            far: Vec::new(),
            horizon: i64::MIN,
            far_from: i64::MAX,
            stale: 0,
            slab: Vec::new(),
            vacant: NO_MORE,
        }
    }

    /// Adds `value` to fire at `deadline` and returns its key.
    #[inline]
    pub(crate) fn insert(&mut self, deadline: i64, value: V) -> u32 {
        let key = self.vacant;
        let wait = match self.slab.get_mut(key as usize) {
            Some(entry) => {
                self.vacant = entry.state;
                entry.state = WAITING;
                entry.value = Some(value);
                entry.wait
            }
            None => return self.append(deadline, value),
        };
        self.push(Slot { deadline, key, wait });
        key
    }

    #[cold]
    fn append(&mut self, deadline: i64, value: V) -> u32 {
        let key = self.slab.len();
        assert!(key < 1 << 31, "insert a timer: at most 2147483648 can exist at a time");
        self.slab.push(Entry { state: WAITING, wait: 0, value: Some(value) });
        self.push(Slot { deadline, key: key as u32, wait: 0 });
        key as u32
    }

    /// Takes the entry out and frees its key. The value comes back unless it has fired.
    ///
    /// # Panics
    ///
    /// If `key` is vacant: its owner removed it already.
    pub(crate) fn remove(&mut self, key: u32) -> Option<V> {
        let entry = &mut self.slab[key as usize];
        let state = entry.state;
        assert!(state >= FIRED, "remove a timer: its key is vacant");
        let value = entry.value.take();
        entry.state = self.vacant;
        self.vacant = key;
        if state == WAITING {
            self.leave(key);
        }
        value
    }

    /// Moves the entry to another deadline, earlier or later; one that fired waits again, and has no
    /// value until [`set`](Queue::set).
    ///
    /// # Panics
    ///
    /// If `key` is vacant.
    pub(crate) fn reset(&mut self, key: u32, deadline: i64) {
        match self.slab[key as usize].state {
            WAITING => self.leave(key),
            FIRED => self.slab[key as usize].state = WAITING,
            _ => panic!("reset a timer: its key is vacant"),
        }
        let wait = self.slab[key as usize].wait;
        self.push(Slot { deadline, key, wait });
    }

    /// The entry's value, unless it has fired or is vacant.
    pub(crate) fn get(&self, key: u32) -> Option<&V> {
        self.slab.get(key as usize)?.value.as_ref()
    }

    /// Gives the entry another value; the one it had comes back.
    ///
    /// # Panics
    ///
    /// If `key` is vacant.
    pub(crate) fn set(&mut self, key: u32, value: V) -> Option<V> {
        let entry = &mut self.slab[key as usize];
        assert!(entry.state >= FIRED, "set a timer: its key is vacant");
        entry.value.replace(value)
    }

    /// Whether the entry has fired since it was inserted or last reset.
    ///
    /// # Panics
    ///
    /// If `key` is vacant.
    pub(crate) fn is_fired(&self, key: u32) -> bool {
        self.slab[key as usize].state == FIRED
    }

    /// Whether nothing waits to fire.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.slots() == self.stale
    }

    /// The earliest deadline, or one before it: of one that was cancelled, until it has come.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<i64> {
        self.soonest().or_else(|| (!self.is_idle()).then_some(self.far_from))
    }

    /// The latest deadline of the run that is not after `bound`.
    pub(crate) fn last_of_run(&self, bound: i64) -> Option<i64> {
        let later = self.run.partition_point(|slot| slot.deadline > bound);
        self.run.get(later).map(|slot| slot.deadline)
    }

    /// Has the processor fetch the entries that are due at `now`, of `most` at most.
    pub(crate) fn expect(&self, now: i64, most: usize) {
        let due = self.run.iter().rev().take(most).take_while(|slot| slot.deadline <= now);
        due.for_each(|slot| prefetch(ptr::from_ref(&self.slab[slot.key as usize]).cast()));
    }

    /// The earliest deadline, looked for.
    pub(crate) fn earliest(&mut self) -> Option<i64> {
        if let Some(soonest) = self.soonest() {
            return Some(soonest);
        }
        let far = self.far.iter().filter(|slot| is_current(&self.slab, slot));
        far.map(|slot| slot.deadline).min()
    }

    /// Fires the earliest entry if its deadline is not after `now`: hands out its key and its value.
    pub(crate) fn pop_due(&mut self, now: i64) -> Option<(u32, Option<V>)> {
        while self.soonest().is_none() && self.far_from <= now && !self.far.is_empty() {
            self.sort_soonest(now);
        }
        self.soonest().filter(|&deadline| deadline <= now)?;
        let slot = self.pop()?;
        let entry = &mut self.slab[slot.key as usize];
        entry.state = FIRED;
        Some((slot.key, entry.value.take()))
    }

    /// Hands out every value. The entries stay, for their owners to remove.
    pub(crate) fn take_values(&mut self) -> Vec<V> {
        self.slab.iter_mut().filter_map(|entry| entry.value.take()).collect()
    }

    #[inline]
    fn push(&mut self, slot: Slot) {
        if slot.deadline > self.horizon {
            self.far_from = self.far_from.min(slot.deadline);
            self.far.push(slot);
        } else {
            self.heap.push(Reverse(slot));
        }
    }

    /// Ends the entry's wait before its time. The slot set last goes at once.
    #[inline]
    fn leave(&mut self, key: u32) {
        let wait = self.slab[key as usize].wait;
        if self.far.last().is_some_and(|last| (last.key, last.wait) == (key, wait)) {
            self.far.pop();
            if self.far.is_empty() {
                self.far_from = i64::MAX;
            }
        } else {
            self.leave_stale(key);
        }
    }

    #[inline(never)]
    fn leave_stale(&mut self, key: u32) {
        let wait = &mut self.slab[key as usize].wait;
        *wait = wait.wrapping_add(1);
        // At the end of the count, so that it comes round to no slot that still lies about.
        let is_last = *wait == u32::MAX;
        self.stale += 1;
        if is_last || self.stale > FEW && self.stale > self.slots() / 2 {
            self.sweep();
        }
    }

    fn sweep(&mut self) {
        let slab = &self.slab;
        self.run.retain(|slot| is_current(slab, slot));
        self.heap.retain(|Reverse(slot)| is_current(slab, slot));
        self.far.retain(|slot| is_current(slab, slot));
        self.far_from = self.far.iter().map(|slot| slot.deadline).min().unwrap_or(i64::MAX);
        self.stale = 0;
    }

    pub(crate) fn slots(&self) -> usize {
        self.run.len() + self.heap.len() + self.far.len()
    }

    /// The earliest deadline of the run and the heap. Stale slots that come up are dropped.
    #[inline]
    fn soonest(&mut self) -> Option<i64> {
        loop {
            let slot = self.top()?;
            if is_current(&self.slab, &slot) {
                return Some(slot.deadline);
            }
            self.pop();
            self.stale -= 1;
        }
    }

    #[inline]
    fn top(&self) -> Option<Slot> {
        match (self.run.last(), self.heap.peek()) {
            (Some(&run), Some(&Reverse(heap))) => Some(run.min(heap)),
            (Some(&slot), None) | (None, Some(&Reverse(slot))) => Some(slot),
            (None, None) => None,
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<Slot> {
        let top = self.top();
        if self.run.last() == top.as_ref() {
            self.run.pop()
        } else {
            self.heap.pop().map(|slot| slot.0)
        }
    }

    /// Moves the soonest of the far deadlines to the run, which is empty, and all that are not after `now`.
    /// If none has come they stay where they are, and the heap takes what is set before the first of them.
    #[cold]
    fn sort_soonest(&mut self, now: i64) {
        let Some(earliest) = self.far.iter().map(|slot| slot.deadline).min() else { return };
        let step = self.far.len().div_ceil(PART);
        let sample = self.far.iter().step_by(step).map(|slot| slot.deadline);
        // Few move all together; of many, the earliest of a sample has about the wanted part before it.
        let soon = if step == 1 { sample.max() } else { sample.min() };
        let horizon =
            if earliest > now { earliest - 1 } else { soon.map_or(now, |soon| soon.max(now)) };
        self.far_from = i64::MAX;
        self.far.retain(|&slot| {
            let is_far = slot.deadline > horizon;
            if is_far {
                self.far_from = self.far_from.min(slot.deadline);
            } else {
                self.run.push(slot);
            }
            is_far
        });
        self.horizon = horizon;
        self.run.sort_unstable_by_key(|slot| Reverse(slot.deadline));
    }
}

/// Whether the slot is of its entry's current wait.
#[inline]
fn is_current<V>(slab: &[Entry<V>], slot: &Slot) -> bool {
    slab[slot.key as usize].wait == slot.wait
}

/// For tests/timer_queue_model.rs, which includes this file.
#[cfg(test)]
#[allow(dead_code)]
impl<V> Queue<V> {
    /// Has the entry, which waits, count as if it had left so many slots behind that one more is the last.
    pub(crate) fn age(&mut self, key: u32) {
        let current =
            |slot: &&mut Slot| slot.key == key && slot.wait == self.slab[key as usize].wait;
        if let Some(slot) = self.far.iter_mut().find(current) {
            slot.wait = u32::MAX - 1;
            self.slab[key as usize].wait = u32::MAX - 1;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots() - self.stale
    }

    fn all(&self) -> impl Iterator<Item = &Slot> {
        self.run.iter().chain(self.heap.iter().map(|slot| &slot.0)).chain(&self.far)
    }

    pub(crate) fn deadline(&self, key: u32) -> Option<i64> {
        let mut own = self.all().filter(|slot| slot.key == key && is_current(&self.slab, slot));
        let deadline = own.next().map(|slot| slot.deadline);
        assert!(own.next().is_none(), "two slots of one wait");
        deadline
    }

    /// Checks the invariants at this file's head.
    pub(crate) fn assert_sound(&self) {
        assert!(self.run.is_sorted_by_key(|slot| Reverse(slot.deadline)));
        for slot in &self.far {
            assert!(slot.deadline >= self.far_from, "a far slot is earlier than known");
            assert!(slot.deadline > self.horizon, "a far slot belongs to the heap");
        }
        let near = self.slots() - self.far.len();
        let beyond = self.all().take(near).filter(|slot| slot.deadline > self.horizon).count();
        assert_eq!(beyond, 0, "slots of the run or the heap that belong to the far ones");
        let waiting = self.slab.iter().filter(|entry| entry.state == WAITING).count();
        let current = self.all().filter(|slot| is_current(&self.slab, slot));
        let current =
            current.inspect(|slot| assert_eq!(self.slab[slot.key as usize].state, WAITING));
        assert_eq!(current.count(), waiting, "slots against entries that say they wait");
        assert_eq!(waiting, self.len(), "stale slots against those that are counted");
        assert!(self.stale <= FEW.max(self.slots() / 2), "more stale slots than others");
    }
}
