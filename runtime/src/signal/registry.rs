//! Who listens for which signal, in the whole process, and what their handler does.
//!
//! The handler takes no lock: it reads the rings and the table of inbox blocks. The registry is for
//! making and dropping listeners, and for the runtimes that wake them. Its lock is held over a fork,
//! so that the child finds it whole.

use std::cell::Cell;
use std::io;
use std::mem::{self, ManuallyDrop};
use std::ops::Range;
use std::sync::{Arc, PoisonError};
use std::task::Waker;

use super::{HOOKS, Hooks};
use crate::name::{Name, RuntimeName};
use crate::sync::{AtomicBool, Mutex, MutexGuard, OnceLock, Ordering, RECORDS, StaticBool};
use crate::sys;
use crate::sys::sigaction::Disposition;
use crate::sys::signal::{MAX_SIGNAL, SignalInfo, SignalKind};
use crate::task::waker;
use crate::wakeups;

/// What the handler keeps of a `SignalInfo`: code, process, user, value.
type Record = [u32; 4];

pub(super) type Ring = super::ring::Ring<RECORDS, 4>;

/// Made when first listened for, and never freed: a handler may be looking.
static RINGS: [OnceLock<Box<Ring>>; MAX_SIGNAL] = [const { OnceLock::new() }; MAX_SIGNAL];

static REGISTRY: Mutex<Registry> =
    Mutex::new(Registry { kinds: [const { Kind::new() }; MAX_SIGNAL], last_serial: 0 });

struct Registry {
    kinds: [Kind; MAX_SIGNAL],
    last_serial: u64,
}

/// The listeners of one signal.
struct Kind {
    disposition: Disposition,
    /// In the order of their keys. A tree would be 20 KiB of code in each program.
    listeners: Vec<(Key, Arc<Listener>)>,
}

/// The listener's runtime, and its serial.
type Key = (u32, u64);

/// A listener as its runtime sees it.
#[derive(Debug, Default)]
pub(super) struct Listener {
    /// Its runtime is gone.
    closed: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Listener {
    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Leaves the waker for the next signal.
    #[inline]
    pub(super) fn wait(&self, waker: &Waker) {
        if self.waker().as_ref().is_some_and(|left| left.will_wake(waker)) {
            return;
        }
        // Cloned before and dropped after the lock is held: both may be foreign code.
        let waker = waker.clone();
        let old = self.waker().replace(waker);
        drop(old);
    }

    #[inline]
    fn take_waker(&self) -> Option<Waker> {
        self.waker().take()
    }

    #[inline]
    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A listener's entry, for as long as the listener is there.
#[derive(Debug)]
pub(super) struct Entry {
    index: usize,
    key: Key,
    pub(super) listener: Arc<Listener>,
    pub(super) ring: &'static Ring,
    /// The ticket of the last signal that is not for it.
    pub(super) since: u64,
}

impl Kind {
    #[inline]
    const fn new() -> Kind {
        Kind { disposition: Disposition::new(), listeners: Vec::new() }
    }

    /// Where the listeners of a runtime are.
    #[inline]
    fn range_of(&self, home: RuntimeName) -> Range<usize> {
        self.position((home.bits(), 0))..self.position((home.bits(), u64::MAX))
    }

    /// Where the listener of this key is, or would be.
    #[inline]
    fn position(&self, key: Key) -> usize {
        self.listeners.partition_point(|(other, _)| *other < key)
    }
}

#[inline]
fn lock() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a signal's kind and ring are; also the number of its bit.
#[inline]
fn index_of(kind: SignalKind) -> usize {
    kind.as_raw_value() as usize - 1
}

/// Listens for `kind` on behalf of the runtime `home`.
///
/// # Errors
///
/// When there is no such signal, or it cannot be listened for, or the runtime is gone.
#[inline]
pub(super) fn add(kind: SignalKind, home: RuntimeName) -> io::Result<Entry> {
    sys::sigaction::check(kind)?;
    hold_over_forks();
    let index = index_of(kind);
    let mut registry = lock();
    // Under the lock, as all that is made once here: a fork cannot find it half done.
    HOOKS.get_or_init(|| Hooks { wakers_of, close, waits_of });
    let ring = &**RINGS[index].get_or_init(|| Box::new(Ring::new()));
    // Before the handler is there: what it takes from the disposition before is for us.
    let since = ring.head();
    // Under the lock: a runtime that ends after this waits in `close` for us.
    if !wakeups::listen(home, 1 << index) {
        return Err(io::Error::other(format!(
            "listening for {kind}: the runtime is gone; listen on one that is alive"
        )));
    }
    registry.last_serial += 1;
    let key = (home.bits(), registry.last_serial);
    let kind = &mut registry.kinds[index];
    if kind.listeners.is_empty() {
        if let Err(error) = kind.disposition.take(index, note) {
            wakeups::unlisten(home, 1 << index);
            return Err(error);
        }
    }
    let listener = Arc::new(Listener::default());
    let position = kind.position(key);
    kind.listeners.insert(position, (key, listener.clone()));
    Ok(Entry { index, key, listener, ring, since })
}

impl Drop for Entry {
    #[inline]
    fn drop(&mut self) {
        let mut registry = lock();
        let kind = &mut registry.kinds[self.index];
        let position = kind.position(self.key);
        if kind.listeners.get(position).is_none_or(|(key, _)| *key != self.key) {
            // Its runtime was gone, or stayed in the parent process.
            return;
        }
        kind.listeners.remove(position);
        let home = RuntimeName::from_bits(self.key.0);
        if kind.range_of(home).is_empty() {
            wakeups::unlisten(home, 1 << self.index);
        }
        if kind.listeners.is_empty() {
            kind.disposition.give_back(self.index);
        }
    }
}

/// The wakers of a runtime's listeners for the signals of these bits.
#[inline]
pub(super) fn wakers_of(home: RuntimeName, signals: u64) -> Vec<Waker> {
    let mut wakers = Vec::new();
    for (index, kind) in lock().kinds.iter().enumerate() {
        if signals & 1 << index != 0 {
            let listeners = &kind.listeners[kind.range_of(home)];
            wakers.extend(listeners.iter().filter_map(|(_, listener)| listener.take_waker()));
        }
    }
    wakers
}

/// For which signals the listeners of a runtime wait, and the tasks that they wake, by name.
#[cold]
pub(super) fn waits_of(home: RuntimeName) -> Vec<(SignalKind, Option<Name>)> {
    let mut waits = Vec::new();
    for (index, kind) in lock().kinds.iter().enumerate() {
        for (_, listener) in &kind.listeners[kind.range_of(home)] {
            if let Some(waker) = &*listener.waker() {
                let kind = SignalKind::from_raw(index as i32 + 1);
                waits.push((kind, waker::name_of(waker)));
            }
        }
    }
    waits
}

/// Ends the listeners of a runtime whose inbox is closed; their wakers come back.
#[inline]
pub(super) fn close(home: RuntimeName) -> Vec<Waker> {
    let mut closed = Vec::new();
    let signals = wakeups::unlisten(home, u64::MAX);
    if signals == 0 {
        return Vec::new();
    }
    let mut registry = lock();
    for (index, kind) in registry.kinds.iter_mut().enumerate() {
        if signals & 1 << index == 0 {
            continue;
        }
        closed.extend(kind.listeners.drain(kind.range_of(home)));
        if kind.listeners.is_empty() {
            kind.disposition.give_back(index);
        }
    }
    drop(registry);
    let mut wakers = Vec::new();
    for (_, listener) in closed {
        listener.closed.store(true, Ordering::Release);
        wakers.extend(listener.take_waker());
    }
    wakers
}

/// Whether a signal that this process ignores is listened for. A program that is started now would
/// not inherit that it is ignored, unless by fork(2), whose hooks give it back before exec.
#[inline]
pub(super) fn hides_an_ignored_signal() -> bool {
    let hides = |kind: &Kind| !kind.listeners.is_empty() && kind.disposition.was_ignored();
    HELD_OVER_FORKS.load(Ordering::Acquire) && lock().kinds.iter().any(hides)
}

/// What the handler does, on whatever thread the signal interrupts: async-signal-safe.
#[inline]
fn note(info: &SignalInfo) {
    let index = index_of(info.kind());
    if let Some(ring) = RINGS.get(index).and_then(OnceLock::get) {
        ring.push(record_of(info));
        wakeups::notify_listeners(1 << index);
    }
}

#[inline]
fn record_of(info: &SignalInfo) -> Record {
    [info.code as u32, info.pid as u32, info.uid, info.value as u32]
}

#[inline]
pub(super) fn info_of(kind: SignalKind, [code, pid, uid, value]: Record) -> SignalInfo {
    SignalInfo {
        signal: kind.as_raw_value(),
        code: code as i32,
        pid: pid as i32,
        uid,
        value: value as i32,
    }
}

thread_local! {
    /// The registry's lock while this thread forks.
    static HELD: Cell<ManuallyDrop<Option<MutexGuard<'static, Registry>>>> =
        const { Cell::new(ManuallyDrop::new(None)) };
}

/// Whether forks hold the lock; before that nobody takes it.
static HELD_OVER_FORKS: StaticBool = StaticBool::new(false);

#[inline]
fn hold_over_forks() {
    // Not a `Once`, which a fork might find taken. Two threads may both come here, and what is told twice
    // holds it once.
    if !HELD_OVER_FORKS.load(Ordering::Acquire) {
        sys::fork::around_fork(before_fork, in_parent, in_child);
        HELD_OVER_FORKS.store(true, Ordering::Release);
    }
}

#[inline]
extern "C" fn before_fork() {
    let registry = held().unwrap_or_else(lock);
    HELD.set(ManuallyDrop::new(Some(registry)));
}

#[inline]
extern "C" fn in_parent() {
    drop(held());
}

/// Puts back what was before: the listeners are the parent's, and so are their signals. One that comes
/// before this the handler treats likewise, as it is in another process.
#[inline]
extern "C" fn in_child() {
    let Some(mut registry) = held() else { return };
    for (index, kind) in registry.kinds.iter_mut().enumerate() {
        if kind.listeners.is_empty() {
            continue;
        }
        kind.disposition.give_back(index);
        for (_, listener) in &kind.listeners {
            listener.closed.store(true, Ordering::Release);
        }
        // Leaked on purpose: the wakers' destructors would be the parent's business.
        mem::forget(mem::take(&mut kind.listeners));
    }
}

#[inline]
fn held() -> Option<MutexGuard<'static, Registry>> {
    ManuallyDrop::into_inner(HELD.replace(ManuallyDrop::new(None)))
}
