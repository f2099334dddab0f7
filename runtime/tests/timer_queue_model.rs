//! The queue of deadlines against a sorted map: random operations, everything compared after each.

#[path = "../src/timer/queue.rs"]
mod queue;

/// What the queue uses of the crate: a hint that can be left out.
mod sys {
    pub(crate) mod prefetch {
        pub(crate) fn prefetch(_: *const u8) {}
    }
}

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use queue::Queue;

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

/// What the queue should hold: by key the deadline, `None` once fired, and the value, which goes when
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

    fn insert(&mut self, queue: &mut Queue<u64>, deadline: i64) {
        self.serial += 1;
        let key = queue.insert(deadline, self.serial);
        let before = self.entries.insert(key, (Some(deadline), self.serial));
        assert_eq!(before, None, "key {key} was given out while it was in use");
        self.waiting.insert((deadline, key));
    }

    fn remove(&mut self, queue: &mut Queue<u64>, key: u32) {
        let (deadline, value) = self.entries.remove(&key).unwrap();
        deadline.map(|deadline| self.waiting.remove(&(deadline, key)));
        assert_eq!(queue.remove(key), deadline.map(|_| value));
        assert_eq!(queue.get(key), None);
    }

    fn reset(&mut self, queue: &mut Queue<u64>, key: u32, deadline: i64) {
        let old = self.entries.get_mut(&key).unwrap().0.replace(deadline);
        old.map(|old| self.waiting.remove(&(old, key)));
        self.waiting.insert((deadline, key));
        queue.reset(key, deadline);
        let value = self.entries[&key].1;
        assert_eq!(queue.set(key, value), old.map(|_| value));
    }

    fn pop_due(&mut self, queue: &mut Queue<u64>, now: i64) {
        let earliest = self.earliest().filter(|&deadline| deadline <= now);
        let fired = queue.pop_due(now);
        assert_eq!(fired.is_some(), earliest.is_some(), "something is due at {now}");
        if let Some((key, value)) = fired {
            assert_eq!(value, Some(self.entries[&key].1));
            let deadline = self.entries.get_mut(&key).unwrap().0.take();
            assert_eq!(deadline, earliest, "the one that fired is the earliest");
            self.waiting.remove(&(deadline.unwrap(), key));
        }
    }

    fn apply(&mut self, queue: &mut Queue<u64>, op: Op) {
        match op {
            Op::Insert(deadline) => self.insert(queue, deadline),
            Op::Remove(pick) => {
                self.pick(pick).into_iter().for_each(|key| self.remove(queue, key));
            }
            Op::RemoveLatest => {
                let latest = self.waiting.last().copied();
                latest.into_iter().for_each(|(_, key)| self.remove(queue, key));
            }
            Op::Reset(pick, deadline) => {
                self.pick(pick).into_iter().for_each(|key| self.reset(queue, key, deadline));
            }
            Op::ShiftBy(pick, by) => {
                if let Some(key) = self.pick(pick) {
                    let deadline = self.entries[&key].0.unwrap_or(0).saturating_add(by);
                    self.reset(queue, key, deadline);
                }
            }
            Op::PopDue(now) => self.pop_due(queue, now),
        }
    }

    fn compare(&self, queue: &mut Queue<u64>) {
        queue.assert_sound();
        assert_eq!(queue.len(), self.waiting.len());
        assert_eq!(queue.is_idle(), self.waiting.is_empty());
        assert_eq!(queue.earliest(), self.earliest());
        assert_eq!(queue.next().is_some(), self.earliest().is_some());
        assert!(queue.next() <= self.earliest(), "{:?} is later than the earliest", queue.next());
        let last = queue.last_of_run(0);
        assert!(last.is_none_or(|last| last <= 0), "{last:?} is after the bound");
        queue.expect(0, 4);
        for (&key, &(deadline, value)) in &self.entries {
            assert_eq!(queue.deadline(key), deadline);
            assert_eq!(queue.is_fired(key), deadline.is_none());
            assert_eq!(queue.get(key), deadline.map(|_| &value));
        }
    }
}

/// Deadlines out of a few, so that ties are common, out of many, and the ends of the range.
fn deadline() -> impl Strategy<Value = i64> {
    prop_oneof![4 => -8..8i64, 8 => 0..1_000_000i64, 1 => Just(i64::MIN), 1 => Just(i64::MAX)]
}

/// Mixes that grow the queue, so that it has levels to sift through, and such that shrink it.
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
/// `TIMER_QUEUE_SEED` brings it back.
fn for_all(lengths: RangeInclusive<usize>, check: impl Fn(Vec<Op>)) {
    let seed = match std::env::var("TIMER_QUEUE_SEED") {
        Ok(seed) => seed.parse().expect("TIMER_QUEUE_SEED is a number"),
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
        panic!("with TIMER_QUEUE_SEED={seed}: {failure}");
    }
}

#[test]
fn does_what_a_sorted_map_does() {
    for_all(0..=400, |ops| {
        let (mut queue, mut model) = (Queue::new(), Model::default());
        for op in ops {
            model.apply(&mut queue, op);
            model.compare(&mut queue);
        }
        while !model.waiting.is_empty() {
            model.pop_due(&mut queue, i64::MAX);
            model.compare(&mut queue);
        }
        for key in Vec::from_iter(model.entries.keys().copied()) {
            model.remove(&mut queue, key);
        }
        assert_eq!(queue.take_values().len(), 0, "entries without an owner");
    });
}

#[test]
fn teardown_hands_out_every_value_fired_or_not() {
    for_all(0..=100, |ops| {
        let (mut queue, mut model) = (Queue::new(), Model::default());
        ops.into_iter().for_each(|op| model.apply(&mut queue, op));
        let values = BTreeSet::from_iter(queue.take_values());
        let waiting = model.entries.values().filter(|(deadline, _)| deadline.is_some());
        assert_eq!(values, waiting.map(|&(_, value)| value).collect());
        for key in model.entries.into_keys() {
            assert_eq!(queue.remove(key), None, "the entries stay their owners'");
        }
        assert_eq!((queue.len(), queue.next()), (0, None));
    });
}

#[test]
fn a_fired_entry_keeps_its_key_until_it_is_removed() {
    let mut queue = Queue::new();
    let fired = queue.insert(1, "fired");
    assert_eq!(queue.pop_due(0), None);
    assert_eq!(queue.pop_due(1), Some((fired, Some("fired"))));
    assert_ne!(queue.insert(2, "other"), fired);
    queue.reset(fired, 1);
    assert!(!queue.is_fired(fired));
    assert_eq!(queue.pop_due(2), Some((fired, None)));
    assert_eq!(queue.remove(fired), None);
    assert_eq!(queue.next(), Some(2));
}

#[test]
#[should_panic(expected = "its key is vacant")]
fn removing_twice_panics() {
    let mut queue = Queue::new();
    let key = queue.insert(0, ());
    queue.remove(key);
    queue.remove(key);
}

#[test]
fn an_earlier_wait_is_told_apart_after_the_count_has_come_round() {
    let mut queue = Queue::new();
    let key = queue.insert(1, "moved");
    // The slot set last goes with its wait; those of the first lie about.
    let reset = |queue: &mut Queue<_>, deadline| {
        queue.reset(key, deadline);
        queue.insert(1_000, "last")
    };
    queue.insert(1_000, "last");
    reset(&mut queue, 2);
    queue.age(key);
    for deadline in 3..6 {
        reset(&mut queue, deadline);
        queue.assert_sound();
    }
    assert_eq!(queue.pop_due(4), None);
    assert_eq!(queue.pop_due(5), Some((key, Some("moved"))));
}

#[test]
fn stale_slots_are_never_more_than_the_others() {
    let mut queue = Queue::new();
    let keys = Vec::from_iter((0..1_000).map(|deadline| queue.insert(deadline, ())));
    assert!(queue.pop_due(0).is_some());
    for round in 1..20 {
        for &key in &keys[1..] {
            // Below and above what the run has reached.
            queue.reset(key, if key % 2 == 0 { 1 } else { round * 1_000 });
            assert!(queue.slots() <= 2 * keys.len() + 64, "{} slots", queue.slots());
        }
    }
    queue.assert_sound();
    for key in keys {
        queue.remove(key);
    }
    assert!(queue.is_idle() && queue.slots() <= 64);
}

#[test]
fn the_run_is_known_ahead() {
    let mut queue = Queue::new();
    for deadline in [3, 1, 2] {
        queue.insert(deadline, deadline);
    }
    assert_eq!(queue.last_of_run(9), None, "not sorted yet");
    assert_eq!(queue.pop_due(1), Some((1, Some(1))));
    assert_eq!(queue.last_of_run(1), None);
    assert_eq!(queue.last_of_run(2), Some(2));
    assert_eq!(queue.last_of_run(9), Some(3));
}
