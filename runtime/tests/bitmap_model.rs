//! The wake bitmap at its real size: against a set of indices, and under threads.

use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicU32;
use std::thread;

#[allow(dead_code, unused_imports, reason = "what other files need is there too")]
#[path = "../src/sync.rs"]
mod sync;

#[path = "../src/wakeups/bitmap.rs"]
mod bitmap;

use bitmap::Bitmap;
use sync::Ordering;

const CHUNK_BITS: u32 = sync::WORDS as u32 * 64;

/// The ends of buckets, and numbers that share a bit of the topmost word.
const CHUNKS: [u32; 12] = [0, 1, 2, 3, 4, 7, 8, 63, 64, 65, 127, 128];

#[derive(Clone, Copy, Debug)]
enum Op {
    Grow(usize),
    Set(u32),
    Drain,
}

/// Few chunks, words and bits, so that they meet.
fn index() -> impl Strategy<Value = u32> {
    let word = prop::sample::select(&[0, 1, 63][..]);
    let bit = prop::sample::select(&[0, 1, 31, 32, 63][..]);
    (prop::sample::select(&CHUNKS[..]), word, bit)
        .prop_map(|(chunk, word, bit): (u32, u32, u32)| chunk * CHUNK_BITS + word * 64 + bit)
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => index().prop_map(|index| Op::Grow(index as usize + 1)),
        8 => index().prop_map(Op::Set),
        1 => Just(Op::Drain),
    ]
}

fn drained(bitmap: &Bitmap) -> Vec<u32> {
    let mut bits = Vec::new();
    bitmap.drain(|bit| bits.push(bit));
    bits.sort_unstable();
    bits
}

proptest! {
    // No file of past failures beside the tests: they print what they need to be run again.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_a_set(ops in prop::collection::vec(op(), 0..200)) {
        let bitmap = Bitmap::new();
        let mut model = BTreeSet::new();
        let mut bits = 0;
        for op in ops {
            match op {
                Op::Grow(to) => {
                    bitmap.grow(to);
                    bits = bits.max(to);
                }
                Op::Set(index) => {
                    // The owner grows before it hands out a name.
                    bits = bits.max(index as usize + 1);
                    bitmap.grow(bits);
                    let word = index / 64 * 64;
                    let found_empty = model.range(word..=word + 63).next().is_none();
                    prop_assert_eq!(bitmap.set(index), found_empty);
                    model.insert(index);
                }
                Op::Drain => {
                    let expected: Vec<u32> = std::mem::take(&mut model).into_iter().collect();
                    prop_assert_eq!(drained(&bitmap), expected);
                }
            }
        }
        prop_assert_eq!(drained(&bitmap), model.into_iter().collect::<Vec<u32>>());
    }
}

#[test]
fn every_bit_has_its_own_place() {
    // Beyond 64 chunks, to the end of a bucket.
    let bits = 128 * CHUNK_BITS;
    let bitmap = Bitmap::new();
    bitmap.grow(bits as usize);
    for index in 0..bits {
        assert_eq!(bitmap.set(index), index % 64 == 0);
    }
    assert!(drained(&bitmap).into_iter().eq(0..bits));
    assert_eq!(drained(&bitmap), []);
}

#[test]
fn bits_that_do_not_exist_are_ignored() {
    let bitmap = Bitmap::new();
    // The first chunk is always there.
    bitmap.grow(CHUNK_BITS as usize);
    assert!(!bitmap.set(CHUNK_BITS));
    bitmap.grow(CHUNK_BITS as usize + 1);
    assert!(!bitmap.set(2 * CHUNK_BITS));
    assert!(!bitmap.set(u32::MAX));
    assert_eq!(drained(&bitmap), []);
}

#[test]
#[cfg(target_pointer_width = "64")]
#[should_panic(expected = "room for 2^32 tasks")]
fn more_bits_than_indices_panics() {
    Bitmap::new().grow((1 << 32) + 1);
}

/// The protocol on a real processor, by luck of timing; the models of loom_wakeups.rs try all orders.
/// A lost mark is never made good, since a word that is not empty is marked by nobody else: what
/// was asked for last tells whether one was lost on the way.
#[test]
fn every_bit_set_by_threads_is_seen_at_last() {
    const THREADS: u32 = 3;
    const WAKES: u32 = 300_000;

    // Few, so that they meet: two words in each of two chunks that share a bit of the topmost word.
    let indices = [0, 64, 64 * CHUNK_BITS, 64 * CHUNK_BITS + 64];
    let position = |index| indices.iter().position(|&other| other == index).unwrap();
    let wanted: Vec<AtomicU32> = indices.iter().map(|_| AtomicU32::new(0)).collect();
    let mut seen = vec![0; indices.len()];

    let bitmap = Bitmap::new();
    bitmap.grow(128 * CHUNK_BITS as usize);
    let mut look = || {
        bitmap.drain(|index| {
            let position = position(index);
            seen[position] = wanted[position].load(Ordering::Relaxed);
        });
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|seed| {
                let (bitmap, indices, wanted) = (&bitmap, &indices, &wanted);
                scope.spawn(move || {
                    let mut random = u64::from(seed) + 1;
                    for _ in 0..WAKES {
                        // Knuth's MMIX generator; its high bits are the good ones.
                        random = random
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1_442_695_040_888_963_407);
                        let position = (random >> 33) as usize % indices.len();
                        wanted[position].fetch_add(1, Ordering::Relaxed);
                        bitmap.set(indices[position]);
                    }
                })
            })
            .collect();
        while !threads.iter().all(|thread| thread.is_finished()) {
            look();
        }
    });
    look();

    let wanted: Vec<u32> = wanted.into_iter().map(AtomicU32::into_inner).collect();
    assert_eq!(seen, wanted);
}
