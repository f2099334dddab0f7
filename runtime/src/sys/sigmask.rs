//! `BlockedSignals`: signals that wait to be read, for as long as a guard lives, and the record of
//! them that keeps children from inheriting it.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, Ordering};

use super::signal::{MAX_SIGNAL, SignalKind};

/// Signals that this thread does not take, so that they wait to be read from a
/// [`SignalFd`](super::signalfd::SignalFd): `pthread_sigmask(3)`.
///
/// Dropped, it lets them in again: those that came and were not read then have their effect, which
/// for SIGINT is to end the process. Only what it has blocked itself is unblocked, so that guards
/// may be dropped in any order, but on their thread, which is why they stay there.
///
/// A signal to the process goes to *any* thread that does not block it. So make this in `main`,
/// before other threads: they start with the mask of the thread that starts them. A thread from
/// before would take Ctrl-C, and the process would end by it. The threads behind
/// [`spawn_blocking`](crate::task::spawn_blocking) come when there is work, not with the runtime.
///
/// A child has the mask of the thread that starts it, and is then deaf to SIGTERM.
/// `runtime::process::Command` unblocks in the child what was blocked here, and nothing else. For
/// [`std::process::Command`] there is
/// [`restore_in_child`](crate::signal::unix::restore_in_child).
///
/// # Examples
///
/// See [`SignalFd`](super::signalfd::SignalFd#examples).
pub struct BlockedSignals {
    /// All that were asked for.
    kinds: SignalSet,
    /// Those of them that are counted in `GUARDS`: the others were blocked by somebody else.
    counted: SignalSet,
    /// The mask is this thread's: not `Send`.
    thread: PhantomData<*const ()>,
}

/// What guards have blocked in this process, at any time.
///
/// It only grows: a thread that was started under a guard keeps the mask when the guard is gone,
/// and hands it on to the children that it starts.
static EVER_BLOCKED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// How many guards of this thread block each signal, of those that only guards block.
    static GUARDS: [Cell<u32>; MAX_SIGNAL] = const { [const { Cell::new(0) }; MAX_SIGNAL] };
}

impl BlockedSignals {
    /// Blocks `kinds` in this thread.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a number that is no signal, for SIGKILL and
    /// SIGSTOP, which nobody can block, and for SIGSEGV, SIGBUS, SIGILL and SIGFPE, which a fault
    /// raises: the process would end by it without a word.
    #[inline]
    pub fn new(kinds: impl IntoIterator<Item = SignalKind>) -> io::Result<BlockedSignals> {
        let kinds = SignalSet::of(kinds)?;
        let before = change_mask(libc::SIG_BLOCK, kinds)?;
        let mut counted = SignalSet(0);
        for signal in kinds.numbers() {
            let guards = guards_of(signal);
            if guards > 0 || !before.has(signal) {
                set_guards_of(signal, guards + 1);
                counted.insert(signal);
            }
        }
        EVER_BLOCKED.fetch_or(counted.0, Ordering::Relaxed);
        Ok(BlockedSignals { kinds, counted, thread: PhantomData })
    }

    /// Which signals these are.
    #[inline]
    pub(crate) fn kinds(&self) -> SignalSet {
        self.kinds
    }
}

impl Drop for BlockedSignals {
    #[inline]
    fn drop(&mut self) {
        let mut last = SignalSet(0);
        for signal in self.counted.numbers() {
            let guards = guards_of(signal) - 1;
            set_guards_of(signal, guards);
            if guards == 0 {
                last.insert(signal);
            }
        }
        // It cannot fail, as the same set was blocked.
        let _ = change_mask(libc::SIG_UNBLOCK, last);
    }
}

impl fmt::Debug for BlockedSignals {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = self.kinds.numbers().map(SignalKind::from_raw);
        f.write_str("BlockedSignals")?;
        f.debug_set().entries(kinds).finish()
    }
}

#[inline]
fn guards_of(signal: libc::c_int) -> u32 {
    GUARDS.with(|guards| guards[signal as usize - 1].get())
}

#[inline]
fn set_guards_of(signal: libc::c_int, count: u32) {
    GUARDS.with(|guards| guards[signal as usize - 1].set(count));
}

/// Whether a child may inherit a mask of ours, so that [`unblock_in_child`] has something to do.
#[inline]
pub(crate) fn child_may_inherit_mask() -> bool {
    EVER_BLOCKED.load(Ordering::Relaxed) != 0
}

/// Unblocks in this thread what guards have ever blocked in this process, and nothing else: for a
/// child between fork and exec. Async-signal-safe.
///
/// # Errors
///
/// None that is known.
#[inline]
pub(crate) fn unblock_in_child() -> io::Result<()> {
    change_mask(libc::SIG_UNBLOCK, SignalSet(EVER_BLOCKED.load(Ordering::Relaxed))).map(drop)
}

/// A set of signals, the bit of each one below its number, as the kernel has it.
#[derive(Clone, Copy)]
pub(crate) struct SignalSet(u64);

impl SignalSet {
    #[inline]
    fn of(kinds: impl IntoIterator<Item = SignalKind>) -> io::Result<SignalSet> {
        let mut set = SignalSet(0);
        for kind in kinds {
            let signal = kind.as_raw_value();
            let reason = match signal {
                libc::SIGKILL | libc::SIGSTOP => "nobody can block it: leave it out",
                libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE => {
                    "it is a fault's, and a fault does not wait: handle it with sigaction(2)"
                }
                signal if !is_signal(signal) => {
                    "there is no such signal: they go from 1 to SIGRTMAX, without those between \
                     SIGSYS and SIGRTMIN"
                }
                signal => {
                    set.insert(signal);
                    continue;
                }
            };
            let sentence = format!("BlockedSignals::new: {kind}: {reason}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, sentence));
        }
        Ok(set)
    }

    #[inline]
    fn insert(&mut self, signal: libc::c_int) {
        self.0 |= 1 << (signal - 1);
    }

    #[inline]
    fn has(self, signal: libc::c_int) -> bool {
        self.0 & 1 << (signal - 1) != 0
    }

    #[inline]
    fn numbers(self) -> impl Iterator<Item = libc::c_int> {
        (1..=MAX_SIGNAL as libc::c_int).filter(move |signal| self.has(*signal))
    }

    /// The set as libc has it. Async-signal-safe.
    #[inline]
    pub(crate) fn to_libc(self) -> libc::sigset_t {
        let mut set = empty();
        for signal in self.numbers() {
            // SAFETY: `set` is a set, and outlives the call.
            unsafe { libc::sigaddset(&mut set, signal) };
        }
        set
    }
}

#[inline]
fn empty() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset writes the whole set.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

/// Whether libc lets programs use a signal of this number: it keeps some for itself.
#[inline]
fn is_signal(signal: libc::c_int) -> bool {
    // SAFETY: the set outlives the call; a wrong number is an error and nothing worse.
    unsafe { libc::sigaddset(&mut empty(), signal) == 0 }
}

/// Changes this thread's mask by `set`, and returns what it was. Async-signal-safe.
#[inline]
fn change_mask(how: libc::c_int, set: SignalSet) -> io::Result<SignalSet> {
    let mut before = empty();
    // SAFETY: both sets outlive the call.
    let errno = unsafe { libc::pthread_sigmask(how, &set.to_libc(), &mut before) };
    if errno != 0 {
        return Err(io::Error::from_raw_os_error(errno));
    }
    let mut blocked = SignalSet(0);
    for signal in 1..=MAX_SIGNAL as libc::c_int {
        // SAFETY: `before` is a set that the kernel has written.
        if unsafe { libc::sigismember(&before, signal) } == 1 {
            blocked.insert(signal);
        }
    }
    Ok(blocked)
}
