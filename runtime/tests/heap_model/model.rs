//! What a heap of deadlines should hold, and the operations on both. fuzz/fuzz_targets/heap.rs has it too.

use std::collections::{BTreeMap, BTreeSet};

use crate::heap::Heap;

/// Which entry an operation means, out of those that exist: taken modulo their number.
pub(crate) type Pick = usize;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Insert(i64),
    Remove(Pick),
    RemoveLatest,
    Reset(Pick, i64),
    ShiftBy(Pick, i64),
    PopDue(i64),
}

/// What the heap should hold: by key the deadline, `None` once fired, and the value, which goes when
/// it fires; and those that wait, sorted.
#[derive(Default)]
pub(crate) struct Model {
    entries: BTreeMap<u32, (Option<i64>, u64)>,
    waiting: BTreeSet<(i64, u32)>,
    serial: u64,
}

impl Model {
    fn pick(&self, pick: Pick) -> Option<u32> {
        let index = pick.checked_rem(self.entries.len())?;
        self.entries.keys().nth(index).copied()
    }

    fn earliest(&self) -> Option<i64> {
        self.waiting.first().map(|&(deadline, _)| deadline)
    }

    fn insert(&mut self, heap: &mut Heap<u64>, deadline: i64) {
        self.serial += 1;
        let key = heap.insert(deadline, self.serial);
        let before = self.entries.insert(key, (Some(deadline), self.serial));
        assert_eq!(before, None, "key {key} was given out while it was in use");
        self.waiting.insert((deadline, key));
    }

    fn remove(&mut self, heap: &mut Heap<u64>, key: u32) {
        let (deadline, value) = self.entries.remove(&key).unwrap();
        deadline.map(|deadline| self.waiting.remove(&(deadline, key)));
        assert_eq!(heap.remove(key), deadline.map(|_| value));
        assert_eq!(heap.get(key), None);
    }

    fn reset(&mut self, heap: &mut Heap<u64>, key: u32, deadline: i64) {
        let old = self.entries.get_mut(&key).unwrap().0.replace(deadline);
        old.map(|old| self.waiting.remove(&(old, key)));
        self.waiting.insert((deadline, key));
        heap.reset(key, deadline);
        let value = self.entries[&key].1;
        assert_eq!(heap.set(key, value), old.map(|_| value));
    }

    fn pop_due(&mut self, heap: &mut Heap<u64>, now: i64) {
        let earliest = self.earliest().filter(|&deadline| deadline <= now);
        let fired = heap.pop_due(now);
        assert_eq!(fired.is_some(), earliest.is_some(), "something is due at {now}");
        if let Some((key, value)) = fired {
            assert_eq!(value, Some(self.entries[&key].1));
            let deadline = self.entries.get_mut(&key).unwrap().0.take();
            assert_eq!(deadline, earliest, "the one that fired is the earliest");
            self.waiting.remove(&(deadline.unwrap(), key));
        }
    }

    pub(crate) fn apply(&mut self, heap: &mut Heap<u64>, op: Op) {
        match op {
            Op::Insert(deadline) => self.insert(heap, deadline),
            Op::Remove(pick) => {
                self.pick(pick).into_iter().for_each(|key| self.remove(heap, key));
            }
            Op::RemoveLatest => {
                let latest = self.waiting.last().copied();
                latest.into_iter().for_each(|(_, key)| self.remove(heap, key));
            }
            Op::Reset(pick, deadline) => {
                self.pick(pick).into_iter().for_each(|key| self.reset(heap, key, deadline));
            }
            Op::ShiftBy(pick, by) => {
                if let Some(key) = self.pick(pick) {
                    let deadline = self.entries[&key].0.unwrap_or(0).saturating_add(by);
                    self.reset(heap, key, deadline);
                }
            }
            Op::PopDue(now) => self.pop_due(heap, now),
        }
    }

    pub(crate) fn compare(&self, heap: &Heap<u64>) {
        heap.assert_sound();
        assert_eq!(heap.len(), self.waiting.len());
        assert_eq!(heap.is_idle(), self.waiting.is_empty());
        assert_eq!(heap.earliest(), self.earliest());
        assert_eq!(heap.peek().is_some(), self.earliest().is_some());
        assert!(heap.peek() <= self.earliest(), "{:?} is later than the earliest", heap.peek());
        let mut seen: Vec<(i64, u64)> = heap.iter().map(|(at, value)| (at, *value)).collect();
        let waiting = self.entries.values().filter_map(|&(at, value)| Some((at?, value)));
        let mut waiting: Vec<(i64, u64)> = waiting.collect();
        seen.sort();
        waiting.sort();
        assert_eq!(seen, waiting);
        for (&key, &(deadline, value)) in &self.entries {
            assert_eq!(heap.deadline(key), deadline);
            assert_eq!(heap.is_fired(key), deadline.is_none());
            assert_eq!(heap.get(key), deadline.map(|_| &value));
        }
    }
    /// Compares at this step if that is due: many entries are not looked at after each.
    pub(crate) fn compare_at(&self, step: usize, heap: &Heap<u64>) {
        if step % (1 + self.entries.len() / 32) == 0 {
            self.compare(heap);
        }
    }

    /// Fires and removes all that is left.
    pub(crate) fn end(mut self, heap: &mut Heap<u64>) {
        while !self.waiting.is_empty() {
            self.pop_due(heap, i64::MAX);
            self.compare_at(self.waiting.len(), heap);
        }
        for key in Vec::from_iter(self.entries.keys().copied()) {
            self.remove(heap, key);
        }
        assert_eq!(heap.take_values().len(), 0, "entries without an owner");
    }

    /// As a runtime that is dropped: takes every value, and the owners' removes come later.
    pub(crate) fn tear_down(self, heap: &mut Heap<u64>) {
        let values = BTreeSet::from_iter(heap.take_values());
        let waiting = self.entries.values().filter(|(deadline, _)| deadline.is_some());
        assert_eq!(values, waiting.map(|&(_, value)| value).collect());
        for key in self.entries.into_keys() {
            assert_eq!(heap.remove(key), None, "the entries stay their owners'");
        }
        assert_eq!((heap.len(), heap.peek()), (0, None));
    }
}
