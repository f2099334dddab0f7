//! The heap of deadlines against a sorted map: random operations, everything compared after each.

#[path = "../src/timer/heap.rs"]
mod heap;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;

use heap::Heap;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

/// Which entry an operation means, out of those that exist: taken modulo their number.
type Pick = usize;

#[derive(Clone, Copy, Debug)]
enum Op {
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
struct Model {
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

    fn apply(&mut self, heap: &mut Heap<u64>, op: Op) {
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

    fn compare(&self, heap: &mut Heap<u64>) {
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
}

/// Deadlines out of a few, so that ties are common, out of many, and the ends of the range.
fn deadline() -> impl Strategy<Value = i64> {
    prop_oneof![4 => -8..8i64, 8 => 0..1_000_000i64, 1 => Just(i64::MIN), 1 => Just(i64::MAX)]
}

/// Mixes that grow the heap, so that it has levels to sift through, and such that shrink it.
fn op() -> impl Strategy<Value = Op> {
    let pick = || 0..10_000usize;
    prop_oneof![
        8 => deadline().prop_map(Op::Insert),
        3 => pick().prop_map(Op::Remove),
        1 => Just(Op::RemoveLatest),
        2 => (pick(), deadline()).prop_map(|(pick, deadline)| Op::Reset(pick, deadline)),
        2 => (pick(), -500_000..500_000i64).prop_map(|(pick, by)| Op::ShiftBy(pick, by)),
        3 => deadline().prop_map(Op::PopDue),
    ]
}

/// Runs `check` on random lists of operations. The seed is in the message of a failure, and
/// `HEAP_MODEL_SEED` brings it back.
fn for_all(lengths: RangeInclusive<usize>, check: impl Fn(Vec<Op>)) {
    let seed = match std::env::var("HEAP_MODEL_SEED") {
        Ok(seed) => seed.parse().expect("HEAP_MODEL_SEED is a number"),
        Err(_) => RandomState::new().hash_one(0),
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&u64::to_le_bytes(seed));
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config = ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() };
    let result = TestRunner::new_with_rng(config, rng).run(&vec(op(), lengths), |ops| {
        check(ops);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("with HEAP_MODEL_SEED={seed}: {failure}");
    }
}

#[test]
fn does_what_a_sorted_map_does() {
    for_all(0..=400, |ops| {
        let (mut heap, mut model) = (Heap::new(), Model::default());
        for op in ops {
            model.apply(&mut heap, op);
            model.compare(&mut heap);
        }
        while !model.waiting.is_empty() {
            model.pop_due(&mut heap, i64::MAX);
            model.compare(&mut heap);
        }
        for key in Vec::from_iter(model.entries.keys().copied()) {
            model.remove(&mut heap, key);
        }
        assert_eq!(heap.take_values().len(), 0, "entries without an owner");
    });
}

#[test]
fn teardown_hands_out_every_value_fired_or_not() {
    for_all(0..=100, |ops| {
        let (mut heap, mut model) = (Heap::new(), Model::default());
        ops.into_iter().for_each(|op| model.apply(&mut heap, op));
        let values = BTreeSet::from_iter(heap.take_values());
        let waiting = model.entries.values().filter(|(deadline, _)| deadline.is_some());
        assert_eq!(values, waiting.map(|&(_, value)| value).collect());
        for key in model.entries.into_keys() {
            assert_eq!(heap.remove(key), None, "the entries stay their owners'");
        }
        assert_eq!((heap.len(), heap.peek()), (0, None));
    });
}

#[test]
fn a_fired_entry_keeps_its_key_until_it_is_removed() {
    let mut heap = Heap::new();
    let fired = heap.insert(1, "fired");
    assert_eq!(heap.pop_due(0), None);
    assert_eq!(heap.pop_due(1), Some((fired, Some("fired"))));
    assert_ne!(heap.insert(2, "other"), fired);
    heap.reset(fired, 1);
    assert!(!heap.is_fired(fired));
    assert_eq!(heap.pop_due(2), Some((fired, None)));
    assert_eq!(heap.remove(fired), None);
    assert_eq!(heap.peek(), Some(2));
}

#[test]
#[should_panic(expected = "its key is vacant")]
fn removing_twice_panics() {
    let mut heap = Heap::new();
    let key = heap.insert(0, ());
    heap.remove(key);
    heap.remove(key);
}
