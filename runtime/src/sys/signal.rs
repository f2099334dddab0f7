//! Signals as the kernel knows them: their numbers, and what it says of one that has come.

use std::fmt;

/// Signals are numbered from 1 to this; in tables index 0 stands for signal 1.
pub(crate) const MAX_SIGNAL: usize = 64;

/// A signal, by its number: `signal(7)`.
///
/// As tokio's `SignalKind`, with the names of more signals.
///
/// ```
/// use runtime::signal::unix::SignalKind;
///
/// assert_eq!(SignalKind::interrupt().to_string(), "SIGINT");
/// assert_eq!(SignalKind::from_raw(15), SignalKind::terminate());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignalKind(libc::c_int);

/// The named signals, each a constructor.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $signal:ident),* $(,)?) => {
        impl SignalKind {
            $(
                $(#[$doc])*
                pub const fn $name() -> SignalKind {
                    SignalKind(libc::$signal)
                }
            )*

            #[inline]
            fn name(self) -> Option<&'static str> {
                match self.0 {
                    $(libc::$signal => Some(stringify!($signal)),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// SIGALRM: a timer of `alarm(2)` or `setitimer(2)` has expired. Ends the process by default.
    alarm = SIGALRM,
    /// SIGCHLD: a child has ended, stopped or gone on. Ignored by default.
    child = SIGCHLD,
    /// SIGCONT: go on after a stop.
    resume = SIGCONT,
    /// SIGHUP: the terminal is gone; to daemons, by custom: read your configuration again. Ends the
    /// process by default.
    hangup = SIGHUP,
    /// SIGINT: Ctrl-C. Ends the process by default.
    interrupt = SIGINT,
    /// SIGIO: input or output is possible (`O_ASYNC`). Ends the process by default.
    io = SIGIO,
    /// SIGKILL: ends the process. It cannot be listened for.
    kill = SIGKILL,
    /// SIGPIPE: a pipe or socket has no reader. Rust programs ignore it from the start.
    pipe = SIGPIPE,
    /// SIGQUIT: Ctrl-\. Ends the process by default, with a core dump.
    quit = SIGQUIT,
    /// SIGSTOP: stops the process. It cannot be listened for.
    stop = SIGSTOP,
    /// SIGTERM: the polite request to end. Ends the process by default.
    terminate = SIGTERM,
    /// SIGTSTP: Ctrl-Z. Stops the process by default.
    terminal_stop = SIGTSTP,
    /// SIGUSR1: whatever the program makes of it. Ends the process by default.
    user_defined1 = SIGUSR1,
    /// SIGUSR2: whatever the program makes of it. Ends the process by default.
    user_defined2 = SIGUSR2,
    /// SIGWINCH: the terminal's window has another size. Ignored by default.
    window_change = SIGWINCH,
}

impl SignalKind {
    /// The signal of this number, which is not checked: real-time signals, for example, are
    /// `SIGRTMIN` and on.
    #[inline]
    pub const fn from_raw(signal: libc::c_int) -> SignalKind {
        SignalKind(signal)
    }

    /// The signal's number.
    #[inline]
    pub const fn as_raw_value(&self) -> libc::c_int {
        self.0
    }
}

impl From<libc::c_int> for SignalKind {
    #[inline]
    fn from(signal: libc::c_int) -> SignalKind {
        SignalKind::from_raw(signal)
    }
}

impl From<SignalKind> for libc::c_int {
    #[inline]
    fn from(kind: SignalKind) -> libc::c_int {
        kind.as_raw_value()
    }
}

/// The name as in `signal(7)`, or the number.
impl fmt::Display for SignalKind {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for SignalKind {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "SignalKind({name})"),
            None => write!(f, "SignalKind({})", self.0),
        }
    }
}

/// What the kernel says of a signal that has come: `siginfo_t` of `sigaction(2)`.
///
/// From [`Signal::recv_info`](crate::signal::unix::Signal::recv_info):
///
/// ```
/// use runtime::signal::unix::{SignalKind, signal};
/// # runtime::block_on(async {
/// let mut signals = signal(SignalKind::user_defined1())?;
/// let mut kill = std::process::Command::new("kill");
/// let mut kill = kill.args(["-USR1", &std::process::id().to_string()]).spawn()?;
/// let info = signals.recv_info().await.expect("the runtime is there");
/// assert_eq!(info.kind(), SignalKind::user_defined1());
/// assert_eq!(info.pid(), Some(kill.id()));
/// kill.wait()?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalInfo {
    pub(crate) signal: libc::c_int,
    pub(crate) code: libc::c_int,
    pub(crate) pid: libc::pid_t,
    pub(crate) uid: libc::uid_t,
    pub(crate) value: libc::c_int,
}

impl SignalInfo {
    /// Which signal it is.
    #[inline]
    pub fn kind(&self) -> SignalKind {
        SignalKind(self.signal)
    }

    /// Where it comes from: `si_code`, that is, `SI_USER` for kill(2), `SI_QUEUE` for sigqueue(3),
    /// `SI_TKILL` for raise(3), `SI_KERNEL` for Ctrl-C at a terminal, and more of `sigaction(2)`.
    #[inline]
    pub fn code(&self) -> i32 {
        self.code
    }

    /// The process that sent it or, of SIGCHLD, the child; `None` if the kernel sent it by itself.
    #[inline]
    pub fn pid(&self) -> Option<u32> {
        self.has_sender().then_some(self.pid as u32)
    }

    /// The real user of the process that sent it or, of SIGCHLD, of the child; `None` if the kernel
    /// sent it by itself.
    #[inline]
    pub fn uid(&self) -> Option<u32> {
        self.has_sender().then_some(self.uid)
    }

    /// The value that sigqueue(3) or a POSIX timer sent along.
    #[inline]
    pub fn value(&self) -> Option<i32> {
        let has_value = matches!(
            self.code,
            libc::SI_QUEUE | libc::SI_TIMER | libc::SI_MESGQ | libc::SI_ASYNCIO
        );
        has_value.then_some(self.value)
    }

    #[inline]
    fn has_sender(&self) -> bool {
        matches!(self.code, libc::SI_USER | libc::SI_QUEUE | libc::SI_TKILL | libc::SI_MESGQ)
            || (self.signal == libc::SIGCHLD && self.code > 0 && self.code != libc::SI_KERNEL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_the_kernels_numbers() {
        assert_eq!(SignalKind::interrupt().as_raw_value(), libc::SIGINT);
        assert_eq!(i32::from(SignalKind::window_change()), libc::SIGWINCH);
        assert_eq!(SignalKind::from(libc::SIGTERM), SignalKind::terminate());
    }

    #[test]
    fn kinds_are_named() {
        assert_eq!(SignalKind::hangup().to_string(), "SIGHUP");
        assert_eq!(format!("{:?}", SignalKind::kill()), "SignalKind(SIGKILL)");
        assert_eq!(SignalKind::from_raw(40).to_string(), "signal 40");
    }

    #[test]
    fn only_what_has_a_sender_names_one() {
        let info = |signal, code| SignalInfo { signal, code, pid: 7, uid: 8, value: 9 };
        let sent = info(libc::SIGUSR1, libc::SI_USER);
        assert_eq!((sent.pid(), sent.uid(), sent.value()), (Some(7), Some(8), None));
        assert_eq!(info(libc::SIGUSR1, libc::SI_QUEUE).value(), Some(9));
        assert_eq!(info(libc::SIGINT, libc::SI_KERNEL).pid(), None);
        assert_eq!(info(libc::SIGCHLD, libc::CLD_EXITED).pid(), Some(7));
        assert_eq!(info(libc::SIGALRM, libc::SI_TIMER).pid(), None);
    }
}
