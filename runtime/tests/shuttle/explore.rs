//! Telling a story in many orders, at random and by priorities.

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, MaxSteps, Runner};

use crate::run::{Story, number};
use crate::sync::begin_execution;

/// So that a story's orders are the same each time, unless others are asked for.
const SEED: u64 = 1;

/// How many changes of priority PCT makes in an execution. Most bugs need two or three.
const DEPTH: usize = 3;

/// Many times what a story takes; one that goes on for longer does not end.
const STEPS: usize = 200_000;

/// Tells it in so many orders: half of them at random, half by priorities.
pub(crate) fn explore(story: &Story) {
    let orders = number("INTERLEAVINGS").map_or(story.orders, |orders| orders as usize);
    let seed = number("INTERLEAVINGS_SEED").unwrap_or(SEED);
    eprintln!("with INTERLEAVINGS_SEED={seed}");
    check(RandomScheduler::new_from_seed(seed, orders.div_ceil(2)), story.tell);
    check(PctScheduler::new_from_seed(seed, DEPTH, orders / 2), story.tell);
    eprintln!("in {orders} orders");
}

fn check(scheduler: impl Scheduler + 'static, tell: fn()) {
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.silence_warnings = true;
    config.max_steps = MaxSteps::FailAfter(STEPS);
    Runner::new(scheduler, config).run(move || {
        begin_execution();
        tell();
    });
}
