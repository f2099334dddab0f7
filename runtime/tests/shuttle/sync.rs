//! What the engine takes from `crate::sync`, over shuttle: every use of one of these is a point at which
//! another thread may go on.
//!
//! Statics begin anew with each execution, so that an execution depends on nothing but its seed.

use std::cell::{Cell, UnsafeCell};
use std::ops::Deref;
use std::sync::atomic::AtomicU64 as StdAtomicU64;
use std::sync::{LockResult, PoisonError};
use std::time::Duration;

use shuttle::rand::Rng;
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
pub(crate) use shuttle::sync::{Mutex, MutexGuard, mpsc};
pub(crate) use shuttle::{thread, thread_local};

pub(crate) const WORDS: usize = 2;
pub(crate) const RECORDS: usize = 4;

/// The number of the execution, from 1 on.
static EXECUTION: StdAtomicU64 = StdAtomicU64::new(0);

/// Begins an execution: what statics had before is forgotten.
pub(crate) fn begin_execution() {
    EXECUTION.fetch_add(1, Ordering::Relaxed);
}

/// A number that is another in each execution.
pub(crate) fn arbitrary() -> u64 {
    shuttle::rand::thread_rng().r#gen()
}

macro_rules! of_static {
    ($name:ident, $atomic:ident, $value:ty) => {
        /// An atomic, with the value it was made with at the beginning of each execution.
        pub(crate) struct $name {
            initial: $value,
            used_in: Cell<u64>,
            now: UnsafeCell<$atomic>,
        }

        // SAFETY: a process runs one execution at a time, and all its threads on one of the system's.
        unsafe impl Sync for $name {}
        // SAFETY: as above.
        unsafe impl Send for $name {}
        impl $name {
            pub(crate) const fn new(initial: $value) -> Self {
                let now = UnsafeCell::new($atomic::new(initial));
                Self { initial, used_in: Cell::new(0), now }
            }
        }

        impl Deref for $name {
            type Target = $atomic;

            fn deref(&self) -> &Self::Target {
                let execution = EXECUTION.load(Ordering::Relaxed);
                if self.used_in.replace(execution) < execution {
                    // SAFETY: nobody has used it in this execution, and those of others are over.
                    unsafe { *self.now.get() = $atomic::new(self.initial) };
                }
                // SAFETY: it is replaced only above.
                unsafe { &*self.now.get() }
            }
        }
    };
}

of_static!(StaticBool, AtomicBool, bool);
of_static!(StaticU32, AtomicU32, u32);
of_static!(StaticU64, AtomicU64, u64);

/// shuttle has none.
pub(crate) struct OnceLock<T> {
    filling: Mutex<()>,
    is_filled: StaticBool,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: as for the atomics.
unsafe impl<T: Send + Sync> Sync for OnceLock<T> {}
impl<T> std::panic::RefUnwindSafe for OnceLock<T> {}

impl<T> OnceLock<T> {
    pub(crate) const fn new() -> Self {
        Self {
            filling: Mutex::new(()),
            is_filled: StaticBool::new(false),
            value: UnsafeCell::new(None),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        if !self.is_filled.load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: it is filled once in an execution, before this.
        unsafe { (*self.value.get()).as_ref() }
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        let _filling = self.filling.lock().unwrap();
        if self.get().is_some() {
            return Err(value);
        }
        // SAFETY: nobody has seen it in this execution, and the lock keeps others from filling it.
        unsafe { *self.value.get() = Some(value) };
        self.is_filled.store(true, Ordering::Release);
        Ok(())
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if self.get().is_none() {
            let _ = self.set(make());
        }
        self.get().expect("it was just filled")
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    fn clone(&self) -> Self {
        let copy = Self::new();
        if let Some(value) = self.get() {
            let _ = copy.set(value.clone());
        }
        copy
    }
}

impl<T> std::fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnceLock").finish_non_exhaustive()
    }
}

/// shuttle's, with time-outs: its own waits have no end.
#[derive(Default)]
pub(crate) struct Condvar(shuttle::sync::Condvar);

/// Whether the time had passed.
pub(crate) struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub(crate) fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.0.wait(guard)
    }

    /// Any time but the longest may be over whenever the condition is looked at.
    pub(crate) fn wait_timeout_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        time: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        while condition(&mut guard) {
            if time < Duration::MAX && arbitrary() % 2 == 0 {
                return Ok((guard, WaitTimeoutResult(true)));
            }
            guard = self.0.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        Ok((guard, WaitTimeoutResult(false)))
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}
