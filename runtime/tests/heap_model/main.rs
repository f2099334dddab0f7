//! The heap of deadlines against a sorted map: random operations, everything compared after each.

#[path = "../../src/timer/heap.rs"]
mod heap;
mod model;

use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;

use heap::Heap;
use model::{Model, Op};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

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
            model.compare(&heap);
        }
        model.end(&mut heap);
    });
}

#[test]
fn teardown_hands_out_every_value_fired_or_not() {
    for_all(0..=100, |ops| {
        let (mut heap, mut model) = (Heap::new(), Model::default());
        ops.into_iter().for_each(|op| model.apply(&mut heap, op));
        model.tear_down(&mut heap);
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
