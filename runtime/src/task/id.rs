//! Task ids: 64-bit serials, unique in the process and never reused.

use std::cell::Cell;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::context;

/// Serials are handed to runtimes by the block, so that a spawn needs no atomic operation.
const BLOCK: u64 = 1 << 16;
static NEXT_BLOCK: AtomicU64 = AtomicU64::new(0);

/// Identifies a task for the life of the process.
///
/// As tokio's `task::Id`, but never reused.
///
/// ```
/// # runtime::block_on(async {
/// let task = runtime::spawn(async { runtime::task::id() });
/// let id = task.id();
/// assert_eq!(task.await.unwrap(), id);
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(NonZeroU64);

impl Id {
    /// The id with this serial, which is nobody's if it is 0.
    pub(crate) fn of(serial: u64) -> Option<Id> {
        NonZeroU64::new(serial).map(Id)
    }

    pub(crate) fn serial(self) -> u64 {
        self.0.get()
    }

    /// An id for a task that is made on a thread without a block of serials.
    pub(crate) fn alone() -> Id {
        IdBlock::new().next()
    }
}

impl fmt::Debug for Id {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({})", self.0)
    }
}

impl fmt::Display for Id {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The serials a runtime has left.
pub(crate) struct IdBlock {
    /// The next one, or a multiple of `BLOCK` if none is left.
    next: Cell<u64>,
    /// How many blocks are used up.
    spent: Cell<u64>,
}

impl IdBlock {
    pub(crate) const fn new() -> IdBlock {
        IdBlock { next: Cell::new(0), spent: Cell::new(0) }
    }

    #[inline]
    pub(crate) fn next(&self) -> Id {
        // The first serial of a block is left out, so that none is 0 and a spent block shows.
        let mut serial = self.next.get();
        if serial % BLOCK == 0 {
            serial = self.first_of_block();
        }
        self.next.set(serial + 1);
        Id(NonZeroU64::new(serial).expect("a serial is at least 1"))
    }

    #[cold]
    fn first_of_block(&self) -> u64 {
        if self.next.get() > 0 {
            self.spent.set(self.spent.get() + 1);
        }
        NEXT_BLOCK.fetch_add(1, Ordering::Relaxed) * BLOCK + 1
    }

    /// Later ones are greater.
    #[inline]
    pub(crate) fn peek(&self) -> u64 {
        self.next.get()
    }

    /// How many there have been.
    #[inline]
    pub(crate) fn given(&self) -> u64 {
        let of_block = match self.next.get() {
            0 => 0,
            next => (next - 1) % BLOCK,
        };
        self.spent.get() * (BLOCK - 1) + of_block
    }
}

/// The id of the running task.
///
/// # Panics
///
/// Outside of a task, the future given to `block_on` included. [`try_id`] does not panic.
///
/// ```
/// # runtime::block_on(async {
/// let handle = runtime::spawn(async { runtime::task::id() });
/// let id = handle.id();
/// assert_eq!(handle.await.unwrap(), id);
/// # });
/// ```
#[track_caller]
pub fn id() -> Id {
    try_id().expect("task::id() was called outside of a task: only spawned tasks have an id")
}

/// The id of the running task, or `None` outside of a task.
///
/// ```
/// assert_eq!(runtime::task::try_id(), None);
/// ```
pub fn try_id() -> Option<Id> {
    Id::of(context::task_serial())
}
