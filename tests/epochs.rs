//! More runtimes, one after another, than a slot has epochs: a slot whose epochs are used up is retired.

#[path = "support/mod.rs"]
mod support;

use std::collections::HashSet;

use runtime::Runtime;
use support::limited;

#[test]
fn no_two_runtimes_of_a_process_have_the_same_name() {
    limited(|| {
        let mut ids = HashSet::new();
        for _ in 0..70_000 {
            let runtime = Runtime::new().expect("a runtime");
            assert!(ids.insert(runtime.handle().id()), "an id was used twice");
        }
        // The first slot is retired by now, and its successor works.
        let runtime = Runtime::new().expect("a runtime");
        let task = runtime.spawn(async { 1 });
        assert_eq!(runtime.block_on(task).expect("it ran"), 1);
    });
}
