//! Seeds: one random sequence each, and the descriptors of the process before and after it.

use std::env;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use runtime::task::yield_now;

use crate::exercise::{Where, another_runtime, elsewhere};
use crate::support::limited;
use crate::support::resources::open_descriptors;

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// A sequence of its own, for an operation.
    pub(crate) fn fork(&mut self) -> Rng {
        Rng(self.next())
    }

    /// At least one byte, at most `most`: often a few, now and then many.
    pub(crate) fn bytes(&mut self, most: usize) -> Vec<u8> {
        let len = self.len(most);
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// A buffer for as much.
    pub(crate) fn room(&mut self, most: usize) -> Vec<u8> {
        vec![0; self.len(most)]
    }

    fn len(&mut self, most: usize) -> usize {
        let most = if self.once_in(2) { most } else { most.min(16) };
        1 + self.below(most)
    }
}

/// One test at a time: the descriptors that are counted are the process's.
static ALONE: Mutex<()> = Mutex::new(());

/// Says which seed it was.
struct Said(u64);

impl Drop for Said {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("to repeat this alone: SEED={}", self.0);
        }
    }
}

/// Runs `body` for each seed on a runtime of its own, and counts descriptors.
pub(crate) fn for_seeds(count: u64, body: impl AsyncFn(&mut Rng)) {
    let given = |name| env::var(name).ok().map(|value| value.parse::<u64>().expect("a number"));
    let seeds = match given("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..given("SEEDS").unwrap_or(count),
    };
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    another_runtime();
    runtimes_within(8);
    for seeds in seeds.collect::<Vec<_>>().chunks(100) {
        limited(|| {
            for &seed in seeds {
                let _said = Said(seed);
                runtime::block_on(async {
                    let before = fds_of_this_runtime();
                    body(&mut Rng::new(seed)).await;
                    eventually(|| open_descriptors() <= before, "descriptors are left over").await;
                });
            }
        });
    }
}

/// Makes so many runtimes that live at the same time: for each the process keeps an eventfd for ever.
fn runtimes_within(count: usize) {
    if count > 0 {
        elsewhere(Where::InARuntimeOfItsOwn, || {
            fds_of_this_runtime();
            runtimes_within(count - 1);
        });
    }
}

/// How many there are once the runtime has what it needs for itself.
fn fds_of_this_runtime() -> usize {
    let (receiver, _sender) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
    receiver.set_nonblocking(true).expect("a socket");
    drop(runtime::io::AsyncFd::new(receiver).expect("it registers"));
    open_descriptors() - 1
}

/// Lets the loop look at its inbox and at the kernel, which it does after a batch of 64 polls.
pub(crate) async fn turn() {
    for _ in 0..64 {
        yield_now().await;
    }
}

/// Turns the loop until it is so, or has not become so for far too long.
pub(crate) async fn eventually(so: impl Fn() -> bool, what: impl Display) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(120), "{what}");
        // The other threads, whose turn it may be, want the processor too.
        thread::yield_now();
        yield_now().await;
    }
}
