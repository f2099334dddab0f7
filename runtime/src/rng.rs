//! A small generator for fair choices: which branch first, which task next. Not for secrets.

use std::cell::Cell;

use crate::context::{self, Current};
use crate::sys::clock::monotonic_ns;

/// SplitMix64 (Steele, Lea, Flood, 2014).
pub(crate) struct Rng(Cell<u64>);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Rng {
        Rng(Cell::new(seed))
    }

    /// A seed that differs from run to run, without asking the system.
    pub(crate) fn arbitrary_seed() -> u64 {
        let here = 0u8;
        (&raw const here).addr() as u64 ^ (monotonic_ns() as u64).rotate_left(32)
    }

    fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..n`, by multiplication: the bias is below n / 2^32.
    pub(crate) fn below(&self, n: u32) -> u32 {
        (((self.next() >> 32) * u64::from(n)) >> 32) as u32
    }

    /// Another generator, whose draws have nothing to do with this one's.
    pub(crate) fn split(&self) -> Rng {
        Rng::new(self.next())
    }
}

/// A number in `0..n` for a fair choice, from the current runtime's generator.
///
/// For `select!`; outside of a runtime it is 0.
#[doc(hidden)]
pub fn random_below(n: u32) -> u32 {
    context::with_current(|current| match current {
        Current::Here(core) => core.rng.below(n),
        Current::Elsewhere(_) | Current::None => 0,
    })
}
