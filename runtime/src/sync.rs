//! What the files under the models take from `std::sync`.
//!
//! `tests/loom_wakeups.rs` compiles those files over loom's types, in a module of this name.

pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
pub(crate) use std::sync::{Mutex, OnceLock};

/// Words in one chunk of the wake bitmap; one summary word covers a chunk, so at most 64.
/// The models take 2, to stay small.
pub(crate) const WORDS: usize = 64;
