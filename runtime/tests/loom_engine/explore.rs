//! Telling a story in every order.

use loom::model::Builder;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::run::Story;
use crate::sync::{begin_execution, thread};

/// Many times what a story takes; one that goes on for longer does not end.
const STEPS: usize = 20_000;

pub(crate) fn explore(story: &Story) {
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    let mut builder = Builder::new();
    builder.max_branches = STEPS;
    let preemptions = *builder.preemption_bound.get_or_insert(1);
    eprintln!("with LOOM_MAX_PREEMPTIONS={preemptions}");
    let tell = story.tell;
    builder.check(move || {
        begin_execution();
        TOLD.fetch_add(1, Ordering::Relaxed);
        // The thread of the model has a small stack.
        thread::spawn(tell).join().unwrap();
    });
    eprintln!("in {} orders", TOLD.load(Ordering::Relaxed));
}
