//! What the engine takes from `crate::sync`, over loom. Its types cannot be made in statics, nor be used in
//! another execution than the one that made them: so they are made when they are first used in one.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::AtomicU64 as StdAtomicU64;
use std::sync::{LockResult, PoisonError};
use std::time::Duration;

pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
pub(crate) use loom::sync::mpsc;

pub(crate) const WORDS: usize = 2;
pub(crate) const RECORDS: usize = 4;

/// The number of the execution, from 1 on.
static EXECUTION: StdAtomicU64 = StdAtomicU64::new(0);

/// Counts what was made of statics. Loom takes what one thread makes and another uses for a race, unless
/// something orders them: this does.
static MADE: Lazy<AtomicU64> = Lazy::new();

fn made() -> &'static AtomicU64 {
    MADE.get(|| AtomicU64::new(0))
}

/// Begins an execution: what statics had before is forgotten.
pub(crate) fn begin_execution() {
    EXECUTION.fetch_add(1, Ordering::Relaxed);
    made();
}

/// A number that is the same in all executions.
pub(crate) fn arbitrary() -> u64 {
    1
}

/// Something of an execution, made when it is first used there.
struct Lazy<T>(UnsafeCell<Option<(u64, T)>>);

// SAFETY: a process runs one execution at a time, and all its threads on one of the system's.
unsafe impl<T> Sync for Lazy<T> {}
// SAFETY: as above.
unsafe impl<T> Send for Lazy<T> {}

impl<T> Lazy<T> {
    const fn new() -> Lazy<T> {
        Lazy(UnsafeCell::new(None))
    }

    fn get(&self, make: impl FnOnce() -> T) -> &T {
        let execution = EXECUTION.load(Ordering::Relaxed);
        // SAFETY: it is replaced only here, by who is the first to use it in an execution.
        match unsafe { &*self.0.get() } {
            Some((made_in, _)) if *made_in == execution => {}
            _ => {
                let made = make();
                // SAFETY: as above.
                unsafe { *self.0.get() = Some((execution, made)) };
            }
        }
        // SAFETY: as above.
        unsafe { (*self.0.get()).as_ref().map(|(_, made)| made).expect("it was just made") }
    }
}

/// loom's, which knows of no constants.
macro_rules! of_thread {
    ($visibility:vis static $name:ident: $type:ty = const $initial:block;) => {
        loom::thread_local! { $visibility static $name: $type = $initial; }
    };
}
pub(crate) use of_thread as thread_local;

/// An atomic, with the value it was made with at the beginning of each execution. Every use comes after all
/// those before it: what its orderings allow is not explored.
pub(crate) struct Static<T: Copy> {
    initial: T,
    now: UnsafeCell<(u64, T)>,
}

// SAFETY: as for `Lazy`.
unsafe impl<T: Copy> Sync for Static<T> {}

pub(crate) type StaticBool = Static<bool>;
pub(crate) type StaticU32 = Static<u32>;
pub(crate) type StaticU64 = Static<u64>;

impl<T: Copy> Static<T> {
    pub(crate) const fn new(initial: T) -> Self {
        Self { initial, now: UnsafeCell::new((0, initial)) }
    }

    fn update(&self, change: impl FnOnce(T) -> T) -> T {
        made().fetch_add(1, Ordering::AcqRel);
        let execution = EXECUTION.load(Ordering::Relaxed);
        // SAFETY: no other thread runs until the next use of something of loom's.
        let now = unsafe { &mut *self.now.get() };
        let before = if now.0 == execution { now.1 } else { self.initial };
        *now = (execution, change(before));
        before
    }

    pub(crate) fn load(&self, _ordering: Ordering) -> T {
        self.update(|now| now)
    }

    pub(crate) fn store(&self, value: T, _ordering: Ordering) {
        self.update(|_| value);
    }

    pub(crate) fn fetch_add(&self, value: T, _ordering: Ordering) -> T
    where
        T: std::ops::Add<Output = T>,
    {
        self.update(|now| now + value)
    }
}

pub(crate) struct Mutex<T: ?Sized> {
    lock: Lazy<loom::sync::Mutex<()>>,
    value: UnsafeCell<T>,
}

// SAFETY: the lock is held by who reaches the value.
unsafe impl<T: Send + ?Sized> Sync for Mutex<T> {}
impl<T: ?Sized> std::panic::RefUnwindSafe for Mutex<T> {}

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Mutex<T> {
        Mutex { lock: Lazy::new(), value: UnsafeCell::new(value) }
    }

    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let lock = self.lock.get(|| loom::sync::Mutex::new(()));
        let lock = lock.lock().unwrap_or_else(|error| error.into_inner());
        Ok(MutexGuard { lock, value: &self.value })
    }

    pub(crate) fn try_lock(&self) -> Result<MutexGuard<'_, T>, ()> {
        let lock = self.lock.get(|| loom::sync::Mutex::new(()));
        let lock = lock.try_lock().map_err(drop)?;
        Ok(MutexGuard { lock, value: &self.value })
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> std::fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mutex").finish_non_exhaustive()
    }
}

pub(crate) struct MutexGuard<'a, T: ?Sized> {
    lock: loom::sync::MutexGuard<'a, ()>,
    value: &'a UnsafeCell<T>,
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held.
        unsafe { &*self.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held.
        unsafe { &mut *self.value.get() }
    }
}

#[derive(Default)]
pub(crate) struct Condvar(Lazy<loom::sync::Condvar>);

impl<T> Default for Lazy<T> {
    fn default() -> Self {
        Self::new()
    }
}

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

    fn get(&self) -> &loom::sync::Condvar {
        self.0.get(loom::sync::Condvar::new)
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        let MutexGuard { lock, value } = guard;
        let lock = self.get().wait(lock).unwrap_or_else(|error| error.into_inner());
        Ok(MutexGuard { lock, value })
    }

    /// No time passes.
    pub(crate) fn wait_timeout_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        _time: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        while condition(&mut guard) {
            guard = self.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        Ok((guard, WaitTimeoutResult(false)))
    }

    pub(crate) fn notify_one(&self) {
        self.get().notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.get().notify_all();
    }
}

/// loom has none. It is filled in one step; who looks may see that late.
pub(crate) struct OnceLock<T>(UnsafeCell<Option<Filled<T>>>);

struct Filled<T> {
    execution: u64,
    /// What `MADE` was then.
    made: u64,
    value: T,
}

// SAFETY: as for `Lazy`.
unsafe impl<T: Send + Sync> Sync for OnceLock<T> {}
impl<T> std::panic::RefUnwindSafe for OnceLock<T> {}

impl<T> OnceLock<T> {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(None))
    }

    fn filled(&self) -> Option<&Filled<T>> {
        // SAFETY: it is filled once in an execution, and nobody has a reference of another.
        let filled = unsafe { (*self.0.get()).as_ref() };
        filled.filter(|filled| filled.execution == EXECUTION.load(Ordering::Relaxed))
    }

    pub(crate) fn get(&self) -> Option<&T> {
        let seen = made().load(Ordering::Acquire);
        self.filled().filter(|filled| filled.made <= seen).map(|filled| &filled.value)
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        let made = made().fetch_add(1, Ordering::AcqRel) + 1;
        if self.filled().is_some() {
            return Err(value);
        }
        let execution = EXECUTION.load(Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { *self.0.get() = Some(Filled { execution, made, value }) };
        Ok(())
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if self.get().is_none() {
            // What others made is seen after this.
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

pub(crate) mod thread {
    //! Threads with a stack that suffices.

    use std::io;

    pub(crate) use loom::thread::{JoinHandle, yield_now};

    const STACK: usize = 1 << 15; // words

    pub(crate) fn spawn<T: Send + 'static>(
        f: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        Builder::new().spawn(f).unwrap()
    }

    pub(crate) struct Builder;

    impl Builder {
        pub(crate) fn new() -> Builder {
            Builder
        }

        pub(crate) fn name(self, _name: String) -> Builder {
            self
        }

        pub(crate) fn spawn<T: Send + 'static>(
            self,
            f: impl FnOnce() -> T + Send + 'static,
        ) -> io::Result<JoinHandle<T>> {
            loom::thread::Builder::new().stack_size(STACK).spawn(f)
        }
    }
}
