//! The signal handler: when it is installed, what it does, and what it leaves behind.

use std::io;
use std::mem::{self, MaybeUninit};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};

use super::signal::{MAX_SIGNAL, SignalInfo, SignalKind};
use super::{context, cvt};

/// What to do with signals that somebody listens for. Async-signal-safe.
type Note = fn(&SignalInfo);

static NOTE: OnceLock<Note> = OnceLock::new();
/// The signals that are listened for, a bit each.
static WANTED: AtomicU64 = AtomicU64::new(0);
/// The process that listens. Its child may run the handler with a copy of its memory, or with
/// its very memory after a vfork, before it is told that it is a child.
static PROCESS: AtomicI32 = AtomicI32::new(0);
/// What was to be done with each signal before: as `pack` says it.
static PREVIOUS: [AtomicUsize; MAX_SIGNAL] =
    [const { AtomicUsize::new(libc::SIG_DFL) }; MAX_SIGNAL];

/// Has one address, unlike a function.
static OURS: InfoHandler = on_signal;

/// What is to be done with a signal in this process, now and before we listened for it. The caller keeps
/// one for each signal, under a lock.
pub(crate) struct Disposition {
    /// What our handler has replaced.
    previous: Option<libc::sigaction>,
    /// Somebody had replaced our handler when it was to go: theirs may still call it.
    is_covered: bool,
}

impl Disposition {
    #[inline]
    pub(crate) const fn new() -> Disposition {
        Disposition { previous: None, is_covered: false }
    }

    /// Has the signal noted from now on.
    #[inline]
    pub(crate) fn take(&mut self, index: usize, note: Note) -> io::Result<()> {
        let signal = index as libc::c_int + 1;
        let current = action_of(signal).map_err(|err| explain(err, signal))?;
        let is_installed = is_ours(&current);
        let may_call_ours = self.is_covered && is_handler(&current);
        if !is_installed && !may_call_ours {
            PREVIOUS[index].store(pack(&current), Ordering::Release);
            self.previous = Some(current);
        }
        PROCESS.store(process(), Ordering::Relaxed);
        NOTE.get_or_init(|| note);
        WANTED.fetch_or(1 << index, Ordering::AcqRel);
        if !is_installed && !may_call_ours {
            if let Err(err) = set_action(signal, &ours(signal, &current)) {
                WANTED.fetch_and(!(1 << index), Ordering::AcqRel);
                return Err(explain(err, signal));
            }
        }
        Ok(())
    }

    /// Whether the signal was ignored before.
    #[inline]
    pub(crate) fn was_ignored(&self) -> bool {
        self.previous.is_some_and(|previous| previous.sa_sigaction == libc::SIG_IGN)
    }

    /// Has the signal do again what it did before, unless somebody has replaced our handler.
    /// Async-signal-safe, as a fork's child is to call nothing else.
    #[inline]
    pub(crate) fn give_back(&mut self, index: usize) {
        let signal = index as libc::c_int + 1;
        WANTED.fetch_and(!(1 << index), Ordering::AcqRel);
        // These fail for what is no signal, and this is one.
        let Ok(current) = action_of(signal) else { return };
        self.is_covered = !is_ours(&current) && is_handler(&current);
        if let (true, Some(previous)) = (is_ours(&current), &self.previous) {
            let _ = set_action(signal, previous);
        }
    }
}

/// Whether the signal may be listened for.
#[inline]
pub(crate) fn check(kind: SignalKind) -> io::Result<()> {
    let why_not = match kind.as_raw_value() {
        libc::SIGKILL | libc::SIGSTOP => "the kernel lets nobody handle it",
        libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE => {
            "it says that an instruction failed, which no listener can mend"
        }
        number if number < 1 || number > MAX_SIGNAL as libc::c_int => {
            "this system has no such signal"
        }
        _ => return Ok(()),
    };
    let sentence = format!("listening for {kind}: {why_not}; choose another");
    Err(io::Error::new(io::ErrorKind::InvalidInput, sentence))
}

#[cold]
fn explain(err: io::Error, signal: libc::c_int) -> io::Error {
    let kind = SignalKind::from_raw(signal);
    context(err, format!("listening for {kind}: the C library keeps it to itself; choose another"))
}

#[inline]
fn process() -> libc::pid_t {
    // SAFETY: the call takes nothing and cannot fail.
    unsafe { libc::getpid() }
}

#[inline]
fn action_of(signal: libc::c_int) -> io::Result<libc::sigaction> {
    let mut action = MaybeUninit::uninit();
    // SAFETY: nothing is set; the action, which outlives the call, is written if it succeeds.
    cvt(unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) })?;
    // SAFETY: the call succeeded.
    Ok(unsafe { action.assume_init() })
}

#[inline]
fn set_action(signal: libc::c_int, action: &libc::sigaction) -> io::Result<()> {
    // SAFETY: the action outlives the call. It is our own handler, which may run at any time, or
    // what the process had chosen before.
    cvt(unsafe { libc::sigaction(signal, action, ptr::null_mut()) }).map(drop)
}

/// The action that does nothing but what the kernel does.
#[inline]
fn default_action() -> libc::sigaction {
    // SAFETY: all zeros is SIG_DFL, no flags, an empty mask and no restorer.
    unsafe { mem::zeroed() }
}

/// Our handler, in the place of `previous`.
#[inline]
fn ours(signal: libc::c_int, previous: &libc::sigaction) -> libc::sigaction {
    if is_handler(previous) {
        // It runs within ours, so as it had asked to run.
        let mut action = *previous;
        action.sa_sigaction = OURS as libc::sighandler_t;
        action.sa_flags = previous.sa_flags & !libc::SA_RESETHAND | libc::SA_SIGINFO;
        return action;
    }
    let mut action = default_action();
    action.sa_sigaction = OURS as libc::sighandler_t;
    // The kernel stacks up the handlers of all signals that wait, and the stack for signals (std gives a
    // thread 8 KiB) has room for two or three frames. So ours are one after another.
    // SAFETY: the set is the action's own.
    unsafe { libc::sigfillset(&mut action.sa_mask) };
    // What else these flags say of children stays so, and whoever ignores SIGCHLD says no less.
    let of_children = previous.sa_flags & (libc::SA_NOCLDSTOP | libc::SA_NOCLDWAIT);
    let ignores_children = signal == libc::SIGCHLD && previous.sa_sigaction == libc::SIG_IGN;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK | of_children;
    if ignores_children {
        action.sa_flags |= libc::SA_NOCLDWAIT;
    }
    action
}

#[inline]
fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == OURS as libc::sighandler_t
}

#[inline]
fn is_handler(action: &libc::sigaction) -> bool {
    !matches!(action.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN)
}

/// No address of user space has this bit: it says that a handler takes three arguments.
const TAKES_INFO: usize = 1 << 63;

/// An action's handler in one word, for ours to read at any time.
#[inline]
fn pack(action: &libc::sigaction) -> usize {
    let takes_info = is_handler(action) && action.sa_flags & libc::SA_SIGINFO != 0;
    action.sa_sigaction | if takes_info { TAKES_INFO } else { 0 }
}

type Handler = extern "C" fn(libc::c_int);
type InfoHandler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// Notes the signal if this process listens for it, and then does what was done with it before. With no
/// listener that is all, also what the kernel does by default.
#[inline]
extern "C" fn on_signal(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: this is the thread's own errno, which the interrupted code may be about to read.
    let errno = unsafe { *libc::__errno_location() };
    let index = (signal - 1) as usize;
    let is_wanted = WANTED.load(Ordering::Acquire).checked_shr(index as u32).unwrap_or(0) & 1 == 1;
    let is_noted = is_wanted && PROCESS.load(Ordering::Relaxed) == process();
    if let (true, Some(note)) = (is_noted, NOTE.get()) {
        // SAFETY: the kernel, or the handler that calls ours, passes what SA_SIGINFO promises.
        note(&info_of(unsafe { &*info }));
    }
    match PREVIOUS.get(index).map_or(libc::SIG_IGN, |previous| previous.load(Ordering::Acquire)) {
        libc::SIG_IGN => {}
        libc::SIG_DFL if is_noted || is_nothing_by_default(signal) => {}
        libc::SIG_DFL => do_the_default(signal),
        handler if handler & TAKES_INFO != 0 => {
            // SAFETY: that it has this type is what the flag of its action said, and it is called with
            // what we were called with. It stays there as long as whoever installed it must expect
            // signals; that it was not replaced properly would be theirs to answer for.
            let handler: InfoHandler = unsafe { mem::transmute(handler & !TAKES_INFO) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: as above; without the flag it takes the number only.
            let handler: Handler = unsafe { mem::transmute(handler) };
            handler(signal);
        }
    }
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

/// These are not for `do_the_default`: while it has them unblocked more could come, each in a frame of its
/// own on a stack that is small.
#[inline]
fn is_nothing_by_default(signal: libc::c_int) -> bool {
    matches!(signal, libc::SIGCHLD | libc::SIGCONT | libc::SIGURG | libc::SIGWINCH)
}

/// Does with a signal what the kernel does by default, which may be the end of this process.
#[inline]
fn do_the_default(signal: libc::c_int) {
    let Ok(current) = action_of(signal) else { return };
    if !is_ours(&current) {
        // Ours was called by another handler, whose business it is.
        return;
    }
    let _ = set_action(signal, &default_action());
    // SAFETY: the set outlives the calls that fill and read it. All of these may be called in a
    // handler.
    unsafe {
        let mut set = MaybeUninit::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        libc::raise(signal);
        // It has been blocked since our handler began; this is where it strikes.
        libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), ptr::null_mut());
    }
    // It was a stop, and that is over.
    let _ = set_action(signal, &current);
}

#[inline]
fn info_of(info: &libc::siginfo_t) -> SignalInfo {
    // SAFETY: the kernel fills all of a siginfo_t, and any bytes are these integers. Which of them mean
    // something is for SignalInfo's methods to say.
    let (pid, uid, value) = unsafe { (info.si_pid(), info.si_uid(), info.si_value()) };
    // The union's int lies where its pointer begins.
    let [a, b, c, d, ..] = (value.sival_ptr as usize).to_ne_bytes();
    SignalInfo {
        signal: info.si_signo,
        code: info.si_code,
        pid,
        uid,
        value: libc::c_int::from_ne_bytes([a, b, c, d]),
    }
}
