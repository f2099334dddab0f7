//! What the engine takes from `crate::sync`, as it is.

#[path = "../../src/sync.rs"]
mod real;

pub(crate) use std::sync::mpsc;

pub(crate) use real::*;

/// A number that differs from story to story: the order of a runtime's tasks, of which nothing depends that is
/// looked at.
pub(crate) fn arbitrary() -> u64 {
    static NEXT: StaticU64 = StaticU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
