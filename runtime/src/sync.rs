//! What the threads of a process meet by, from `std::sync`.
//!
//! `tests/loom_*.rs` and `tests/shuttle/` compile the files that import from here over the types of loom and
//! of shuttle, in a module of this name. Those cannot all be made in statics, so what is in one has a name of
//! its own.

pub(crate) use std::sync::atomic::{
    AtomicBool as StaticBool, AtomicU32 as StaticU32, AtomicU64 as StaticU64,
};
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, OnceLock};
pub(crate) use std::{thread, thread_local};

/// Words in one chunk of the wake bitmap; one summary word covers a chunk, so at most 64.
/// The models take 2, to stay small.
pub(crate) const WORDS: usize = 64;

/// Records kept of each signal: 8 KiB, once somebody has listened for it.
/// The models take 4.
pub(crate) const RECORDS: usize = 256;
