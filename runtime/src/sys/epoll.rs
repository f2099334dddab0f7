//! `Epoll`: the kernel's list of descriptors to watch, its flags and its events.

use std::fmt;
use std::io;
use std::iter::Copied;
use std::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::capability::may_block_suspend;
use super::deadline::{Deadline, wait_until};
use super::{context, cvt, explain_create, owns_fd, retry};

/// A set of descriptors that one call waits for: `epoll(7)`.
///
/// Each descriptor is added with the [`Flags`] that matter and a token of the caller's choice,
/// which comes back with each [`Event`]. An `Epoll` may be shared by threads, and, as a descriptor
/// itself, be added to another `Epoll`.
///
/// The kernel watches the *open file* behind a descriptor and forgets it when the last descriptor
/// of that file is closed. While a duplicate (`try_clone`, `dup`, a forked child) lives, closing
/// the descriptor that was added does not end its events: [`delete`](Epoll::delete) it first.
///
/// # Examples
///
/// ```
/// use runtime::epoll::{Epoll, Events, Flags};
/// use std::io::Write;
///
/// let (reader, mut writer) = std::os::unix::net::UnixStream::pair()?;
/// let epoll = Epoll::new()?;
/// epoll.add(&reader, Flags::IN, 7)?;
///
/// writer.write_all(b"x")?;
/// let mut events = Events::with_capacity(16);
/// epoll.wait(&mut events, None)?;
/// for event in &events {
///     assert_eq!(event.token(), 7);
///     assert!(event.is_readable());
/// }
///
/// epoll.modify(&reader, Flags::IN.union(Flags::OUT), 8)?;
/// epoll.wait(&mut events, None)?;
/// let event = events.iter().next().expect("one");
/// assert!(event.token() == 8 && event.is_writable());
/// epoll.delete(&reader)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Epoll {
    fd: OwnedFd,
}

impl Epoll {
    /// An empty set, close-on-exec.
    ///
    /// # Errors
    ///
    /// When the process or the system has no descriptor left, or the kernel no memory.
    pub fn new() -> io::Result<Epoll> {
        // SAFETY: the call takes no pointers.
        let fd = cvt(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
            .map_err(|err| explain_create(err, "epoll_create1"))?;
        // SAFETY: the descriptor was made just now and is nobody else's.
        Ok(Epoll { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Takes over an epoll instance from elsewhere, with whatever it watches.
    pub fn from_owned_fd(fd: OwnedFd) -> Epoll {
        Epoll::from(fd)
    }

    /// Watches `fd` for `flags`; its events carry `token`.
    ///
    /// What is ready already is reported, edge-triggered or not.
    ///
    /// # Errors
    ///
    /// The text says what to do; the `source()` is the kernel's error.
    ///
    /// - [`AlreadyExists`](io::ErrorKind::AlreadyExists): `fd` is in the set.
    /// - [`PermissionDenied`](io::ErrorKind::PermissionDenied): a kind of file that cannot be
    ///   waited for (a regular file, a directory); [`Flags::WAKEUP`] without `CAP_BLOCK_SUSPEND`.
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): [`Flags::EXCLUSIVE`] beside flags that it
    ///   does not go with, or this epoll added to itself.
    /// - ENOSPC: the user watches `/proc/sys/fs/epoll/max_user_watches` descriptors.
    /// - ELOOP: epolls that watch each other in a circle, or more than five deep.
    pub fn add(&self, fd: impl AsFd, flags: Flags, token: u64) -> io::Result<()> {
        require_privilege("ADD", flags)?;
        self.ctl_add(fd.as_fd().as_raw_fd(), flags, token).map_err(explain_add)
    }

    /// Replaces the flags and the token of `fd`, and re-arms it after [`Flags::ONESHOT`] fired.
    ///
    /// What is ready is reported anew, also where it is edge-triggered and was reported before.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) when `fd` is not in the set;
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when it was added with [`Flags::EXCLUSIVE`],
    /// or `flags` has it; [`PermissionDenied`](io::ErrorKind::PermissionDenied) as for
    /// [`add`](Epoll::add).
    pub fn modify(&self, fd: impl AsFd, flags: Flags, token: u64) -> io::Result<()> {
        require_privilege("MOD", flags)?;
        self.ctl_mod(fd.as_fd().as_raw_fd(), flags, token).map_err(explain_mod)
    }

    /// Stops watching `fd`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) when `fd` is not in the set;
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) as for [`add`](Epoll::add).
    pub fn delete(&self, fd: impl AsFd) -> io::Result<()> {
        self.ctl_del(fd.as_fd().as_raw_fd()).map_err(explain_del)
    }

    /// Waits until a descriptor is ready or `timeout` has passed, and returns how many events
    /// `events` has now.
    ///
    /// `None` waits without end, a zero `timeout` only looks. `Ok(0)` means that the time has
    /// passed: never early, to the nanosecond from Linux 5.11 on, rounded up to milliseconds
    /// before. A signal does not end the wait: it goes on with the time that is left. The
    /// earlier contents of `events` are dropped.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when `timeout` is over some 292 years (so is
    /// [`Duration::MAX`]; pass `None`), or the descriptor is not an epoll instance, which only
    /// [`from_owned_fd`](Epoll::from_owned_fd) can cause.
    #[inline]
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<usize> {
        match timeout {
            None => retry(|| self.wait_ms(events, -1)),
            Some(Duration::ZERO) => retry(|| self.wait_ms(events, 0)),
            Some(timeout) => self.wait_for(events, timeout),
        }
        .map_err(explain_wait)
    }

    fn wait_for(&self, events: &mut Events, timeout: Duration) -> io::Result<usize> {
        let deadline = Deadline::after(timeout, "epoll_wait")?;
        wait_until(deadline, |left_ns| self.wait_ns(events, left_ns))
    }

    /// [`add`](Epoll::add) with the kernel's bare error, for whoever acts on the errno.
    pub(crate) fn ctl_add(&self, fd: RawFd, flags: Flags, token: u64) -> io::Result<()> {
        self.ctl(libc::EPOLL_CTL_ADD, fd, flags, token)
    }

    /// [`modify`](Epoll::modify) with the kernel's bare error.
    pub(crate) fn ctl_mod(&self, fd: RawFd, flags: Flags, token: u64) -> io::Result<()> {
        self.ctl(libc::EPOLL_CTL_MOD, fd, flags, token)
    }

    /// [`delete`](Epoll::delete) with the kernel's bare error.
    pub(crate) fn ctl_del(&self, fd: RawFd) -> io::Result<()> {
        self.ctl(libc::EPOLL_CTL_DEL, fd, Flags::EMPTY, 0)
    }

    fn ctl(&self, op: libc::c_int, fd: RawFd, flags: Flags, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: flags.bits(), u64: token };
        // SAFETY: `event` outlives the call; a number that is no descriptor is an error and nothing
        // worse.
        cvt(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), op, fd, &mut event) })?;
        Ok(())
    }

    /// One wait of at most `ns` nanoseconds, by the finest call that this kernel has.
    fn wait_ns(&self, events: &mut Events, ns: i64) -> io::Result<usize> {
        if !NO_PWAIT2.load(Ordering::Relaxed) {
            match self.pwait2(events, ns) {
                // EPERM is what old seccomp filters of containers answer to calls they do not know.
                Err(err) if matches!(err.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
                    NO_PWAIT2.store(true, Ordering::Relaxed);
                }
                result => return result,
            }
        }
        self.wait_ms(events, whole_ms(ns))
    }

    fn pwait2(&self, events: &mut Events, ns: i64) -> io::Result<usize> {
        let timeout = KernelTimespec { tv_sec: ns / 1_000_000_000, tv_nsec: ns % 1_000_000_000 };
        let (list, capacity) = events.room();
        // SAFETY: `list` has room for `capacity` events, the timeout is of the kernel's layout, and
        // both outlive the call; without a signal mask its size is not looked at.
        let n = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.fd.as_raw_fd(),
                list,
                capacity,
                &raw const timeout,
                ptr::null::<libc::sigset_t>(),
                0usize,
            )
        };
        // SAFETY: the kernel has filled the first `n` events.
        unsafe { events.filled(n as libc::c_int) }
    }

    #[inline]
    fn wait_ms(&self, events: &mut Events, timeout: libc::c_int) -> io::Result<usize> {
        let (list, capacity) = events.room();
        // SAFETY: `list` has room for `capacity` events and outlives the call.
        let n = unsafe { libc::epoll_wait(self.fd.as_raw_fd(), list, capacity, timeout) };
        // SAFETY: the kernel has filled the first `n` events.
        unsafe { events.filled(n) }
    }
}

owns_fd!(Epoll);

/// Set once the kernel has said that it lacks `epoll_pwait2` (Linux 5.11).
static NO_PWAIT2: AtomicBool = AtomicBool::new(false);

/// `ns` as the milliseconds that `epoll_wait` takes: rounded up, at most 24 days in one go.
fn whole_ms(ns: i64) -> libc::c_int {
    (ns as u64).div_ceil(1_000_000).try_into().unwrap_or(libc::c_int::MAX)
}

/// The timespec of `epoll_pwait2`: 64 bits each on every target, whatever libc's `time_t` is.
#[repr(C)]
struct KernelTimespec {
    tv_sec: i64,
    tv_nsec: i64,
}

/// Refuses [`Flags::WAKEUP`] where the kernel would drop it in silence.
#[inline]
fn require_privilege(op: &str, flags: Flags) -> io::Result<()> {
    if flags.contains(Flags::WAKEUP) && !may_block_suspend() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "epoll_ctl({op}): WAKEUP takes the capability CAP_BLOCK_SUSPEND over the machine: \
                 give it to the program (setcap cap_block_suspend+ep), or leave out WAKEUP"
            ),
        ));
    }
    Ok(())
}

#[cold]
fn explain_wait(err: io::Error) -> io::Error {
    match err.raw_os_error() {
        Some(libc::EINVAL) => context(
            err,
            "epoll_wait: the descriptor is not an epoll instance: give from_owned_fd one that is",
        ),
        _ => err,
    }
}

/// Adds the sentence to an error of [`Epoll::ctl_add`].
#[cold]
pub(crate) fn explain_add(err: io::Error) -> io::Error {
    let sentence = match err.raw_os_error() {
        Some(libc::EEXIST) => {
            "epoll_ctl(ADD): the descriptor is in the set already: call modify, or \
             delete it before you close it while a duplicate of it lives"
        }
        Some(libc::EPERM) => UNWATCHABLE,
        Some(libc::ENOSPC) => {
            "epoll_ctl(ADD): this user watches as many descriptors as allowed: raise \
             /proc/sys/fs/epoll/max_user_watches"
        }
        Some(libc::EINVAL) => {
            "epoll_ctl(ADD): EXCLUSIVE goes with IN, OUT, ET and WAKEUP only and not on an \
             epoll, and an epoll cannot watch itself: leave out the other flags, or EXCLUSIVE"
        }
        Some(libc::ELOOP) => {
            "epoll_ctl(ADD): the epolls would watch each other in a circle or more than \
             five deep: add the descriptors to one epoll"
        }
        Some(libc::ENOMEM) => "epoll_ctl(ADD): the kernel has no memory left for it",
        Some(libc::EBADF) => CLOSED,
        _ => "epoll_ctl(ADD): the kernel refused",
    };
    context(err, sentence)
}

#[cold]
#[inline]
fn explain_mod(err: io::Error) -> io::Error {
    let sentence = match err.raw_os_error() {
        Some(libc::ENOENT) => "epoll_ctl(MOD): the descriptor is not in the set: call add",
        Some(libc::EPERM) => UNWATCHABLE,
        Some(libc::EINVAL) => {
            "epoll_ctl(MOD): what has EXCLUSIVE cannot be modified, nor can EXCLUSIVE be given \
             later: delete and add it anew"
        }
        Some(libc::EBADF) => CLOSED,
        _ => "epoll_ctl(MOD): the kernel refused",
    };
    context(err, sentence)
}

#[cold]
#[inline]
fn explain_del(err: io::Error) -> io::Error {
    let sentence = match err.raw_os_error() {
        Some(libc::ENOENT) => {
            "epoll_ctl(DEL): the descriptor is not in the set: give the one that was added, once"
        }
        Some(libc::EPERM) => UNWATCHABLE,
        Some(libc::EBADF) => CLOSED,
        _ => "epoll_ctl(DEL): the kernel refused",
    };
    context(err, sentence)
}

const CLOSED: &str =
    "epoll_ctl: the descriptor is not open: give one that is, and delete it before you close it";

const UNWATCHABLE: &str = "epoll_ctl: epoll cannot wait for this kind of file (a regular file or a \
     directory): read and write it directly, or in spawn_blocking";

/// What to wait for, and what has happened: the bits of `epoll_ctl(2)`.
///
/// # Examples
///
/// ```
/// use runtime::epoll::Flags;
///
/// let flags = Flags::IN | Flags::ET;
/// assert!(flags.contains(Flags::IN));
/// assert!(!flags.intersects(Flags::OUT | Flags::PRI));
/// assert_eq!(format!("{flags:?}"), "Flags(IN | ET)");
/// ```
#[repr(transparent)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags(u32);

impl Flags {
    /// No flag. [`ERR`](Flags::ERR) and [`HUP`](Flags::HUP) are reported even so.
    pub const EMPTY: Flags = Flags(0);
    /// There is something to read, or the end of it, or a connection to accept.
    pub const IN: Flags = Flags(libc::EPOLLIN as u32);
    /// There is room to write, or a `connect` is done.
    pub const OUT: Flags = Flags(libc::EPOLLOUT as u32);
    /// Something exceptional: urgent data of TCP, a change on a pseudo-terminal's master, in sysfs,
    /// in a cgroup.
    pub const PRI: Flags = Flags(libc::EPOLLPRI as u32);
    /// An error, or no reader left at the other end of a pipe. Reported without being asked for.
    pub const ERR: Flags = Flags(libc::EPOLLERR as u32);
    /// Both directions are shut, or the peer has closed. Reported without being asked for.
    pub const HUP: Flags = Flags(libc::EPOLLHUP as u32);
    /// The peer of a stream socket has shut down its writing half.
    pub const RDHUP: Flags = Flags(libc::EPOLLRDHUP as u32);
    /// As [`IN`](Flags::IN), in System V's terms.
    pub const RDNORM: Flags = Flags(libc::EPOLLRDNORM as u32);
    /// Priority band data to read; unused by most of Linux.
    pub const RDBAND: Flags = Flags(libc::EPOLLRDBAND as u32);
    /// As [`OUT`](Flags::OUT), in System V's terms.
    pub const WRNORM: Flags = Flags(libc::EPOLLWRNORM as u32);
    /// Room for priority band data.
    pub const WRBAND: Flags = Flags(libc::EPOLLWRBAND as u32);
    /// Ignored by the kernel.
    pub const MSG: Flags = Flags(libc::EPOLLMSG as u32);
    /// Edge-triggered: report changes, not states. Read or write until `WouldBlock` after each
    /// event.
    pub const ET: Flags = Flags(libc::EPOLLET as u32);
    /// Report one event and then none until [`Epoll::modify`].
    pub const ONESHOT: Flags = Flags(libc::EPOLLONESHOT as u32);
    /// Of several epolls that wait for one file with this flag, wake at least one, not all (Linux
    /// 4.5). Goes with `IN`, `OUT`, `ERR`, `HUP`, `ET` and `WAKEUP` only.
    pub const EXCLUSIVE: Flags = Flags(libc::EPOLLEXCLUSIVE as u32);
    /// Keep the machine from suspending between the event and the wait after the one that reports
    /// it; not with `ET` or `ONESHOT`. Takes the capability `CAP_BLOCK_SUSPEND`: without it,
    /// [`Epoll::add`] and [`Epoll::modify`] refuse what the kernel would take and ignore. A kernel
    /// that never suspends (without `CONFIG_PM_SLEEP`) has nothing to do for it.
    pub const WAKEUP: Flags = Flags(libc::EPOLLWAKEUP as u32);
    /// Only from [`poll`](super::poll::poll()): the descriptor is not open.
    pub const NVAL: Flags = Flags(libc::POLLNVAL as u32);

    /// The flags of the kernel's `bits`, also of those that have no name here.
    #[inline]
    pub const fn from_bits_retain(bits: u32) -> Flags {
        Flags(bits)
    }

    /// The kernel's bits.
    #[inline]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether no flag is set.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every flag of `other` is set.
    #[inline]
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any flag of `other` is set.
    #[inline]
    pub const fn intersects(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    /// The flags of both: `|` for constants.
    #[inline]
    pub const fn union(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// The flags of this one that are not of `other`.
    #[inline]
    pub const fn difference(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }

    const NAMES: [(&'static str, Flags); 16] = [
        ("IN", Flags::IN),
        ("OUT", Flags::OUT),
        ("PRI", Flags::PRI),
        ("ERR", Flags::ERR),
        ("HUP", Flags::HUP),
        ("RDHUP", Flags::RDHUP),
        ("RDNORM", Flags::RDNORM),
        ("RDBAND", Flags::RDBAND),
        ("WRNORM", Flags::WRNORM),
        ("WRBAND", Flags::WRBAND),
        ("MSG", Flags::MSG),
        ("ET", Flags::ET),
        ("ONESHOT", Flags::ONESHOT),
        ("EXCLUSIVE", Flags::EXCLUSIVE),
        ("WAKEUP", Flags::WAKEUP),
        ("NVAL", Flags::NVAL),
    ];
}

impl BitOr for Flags {
    type Output = Flags;
    #[inline]
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    #[inline]
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

impl BitAnd for Flags {
    type Output = Flags;
    #[inline]
    fn bitand(self, other: Flags) -> Flags {
        Flags(self.0 & other.0)
    }
}

impl BitAndAssign for Flags {
    #[inline]
    fn bitand_assign(&mut self, other: Flags) {
        self.0 &= other.0;
    }
}

impl fmt::Debug for Flags {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flags(")?;
        let mut unnamed = self.0;
        let mut separator = "";
        for (name, flag) in Flags::NAMES {
            if self.contains(flag) {
                write!(f, "{separator}{name}")?;
                separator = " | ";
                unnamed &= !flag.0;
            }
        }
        if unnamed != 0 {
            write!(f, "{separator}{unnamed:#x}")?;
        } else if self.is_empty() {
            f.write_str("EMPTY")?;
        }
        f.write_str(")")
    }
}

/// What has happened to one descriptor.
///
/// # Examples
///
/// ```
/// use runtime::epoll::{Epoll, EventFd, Events, Flags};
///
/// let event_fd = EventFd::new()?;
/// let epoll = Epoll::new()?;
/// epoll.add(&event_fd, Flags::IN | Flags::OUT, 3)?;
///
/// let mut events = Events::with_capacity(4);
/// epoll.wait(&mut events, None)?;
/// let event = events.iter().next().expect("an event");
/// assert_eq!(event.token(), 3);
/// assert_eq!(event.flags(), Flags::OUT);
/// assert!(event.is_writable() && !event.is_readable());
/// # Ok::<(), std::io::Error>(())
/// ```
// The kernel's struct is packed on x86-64: its fields are read by value, never by reference.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Event(libc::epoll_event);

impl Event {
    /// The token given to [`Epoll::add`] or last to [`Epoll::modify`].
    #[inline]
    pub const fn token(self) -> u64 {
        self.0.u64
    }

    /// Everything that was reported.
    #[inline]
    pub const fn flags(self) -> Flags {
        Flags(self.0.events)
    }

    /// A read would not block: there is data, the end, or an error to collect (`IN`, `RDHUP`,
    /// `HUP`, `ERR`).
    #[inline]
    pub const fn is_readable(self) -> bool {
        self.flags().intersects(Flags::IN.union(Flags::RDHUP).union(Flags::HUP).union(Flags::ERR))
    }

    /// A write would not block: there is room, or an error to collect (`OUT`, `HUP`, `ERR`).
    #[inline]
    pub const fn is_writable(self) -> bool {
        self.flags().intersects(Flags::OUT.union(Flags::HUP).union(Flags::ERR))
    }

    /// Something exceptional is there, such as urgent data (`PRI`).
    #[inline]
    pub const fn is_priority(self) -> bool {
        self.flags().contains(Flags::PRI)
    }

    /// An error is there (`ERR`); on a socket, SO_ERROR tells which.
    #[inline]
    pub const fn is_error(self) -> bool {
        self.flags().contains(Flags::ERR)
    }

    /// The peer has hung up (`HUP`); there may be data left to read.
    #[inline]
    pub const fn is_hup(self) -> bool {
        self.flags().contains(Flags::HUP)
    }

    /// The peer will send nothing more (`RDHUP` or `HUP`); there may be data left to read.
    #[inline]
    pub const fn is_read_closed(self) -> bool {
        self.flags().intersects(Flags::RDHUP.union(Flags::HUP))
    }
}

impl fmt::Debug for Event {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("token", &self.token()).field("flags", &self.flags()).finish()
    }
}

/// Room for the events of one [`Epoll::wait`], to be used again for the next.
///
/// # Examples
///
/// ```
/// use runtime::epoll::{Epoll, EventFd, Events, Flags};
/// use std::time::Duration;
///
/// let event_fd = EventFd::new()?;
/// let epoll = Epoll::new()?;
/// epoll.add(&event_fd, Flags::IN, 0)?;
///
/// let mut events = Events::with_capacity(64);
/// event_fd.write(1)?;
/// for _ in 0..2 {
///     assert_eq!(epoll.wait(&mut events, Some(Duration::ZERO))?, events.len());
///     for event in &events {
///         assert!(event.is_readable());
///     }
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Events {
    list: Vec<Event>,
}

/// The most events that the kernel takes in one call.
const MAX_EVENTS: usize = libc::c_int::MAX as usize / size_of::<libc::epoll_event>();

impl Events {
    /// Room for at least `capacity` events; 0 counts as 1, for the kernel has to report into
    /// something.
    ///
    /// With less room than descriptors that are ready, the others are reported by the next waits,
    /// in turn.
    pub fn with_capacity(capacity: usize) -> Events {
        Events { list: Vec::with_capacity(capacity.max(1)) }
    }

    /// How many events one wait can report.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.list.capacity().min(MAX_EVENTS)
    }

    /// How many events the last wait has reported.
    #[inline]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether the last wait has reported none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Drops the events; the room stays. [`Epoll::wait`] does this itself.
    #[inline]
    pub fn clear(&mut self) {
        self.list.clear();
    }

    /// The events of the last wait, in the kernel's order.
    #[inline]
    pub fn iter(&self) -> Copied<slice::Iter<'_, Event>> {
        self.list.iter().copied()
    }

    /// Empties the list and lends its room to the kernel.
    fn room(&mut self) -> (*mut libc::epoll_event, libc::c_int) {
        self.list.clear();
        // `Event` is transparent, so the cast is right; MAX_EVENTS makes the number fit.
        (self.list.as_mut_ptr().cast(), self.capacity() as libc::c_int)
    }

    /// Takes the kernel's answer: the number of events, or -1 for an error.
    ///
    /// # Safety
    ///
    /// If `n` is not negative, the first `n` events of the room have been written.
    unsafe fn filled(&mut self, n: libc::c_int) -> io::Result<usize> {
        let n = cvt(n)? as usize;
        // SAFETY: the caller vouches for the contents, and the kernel never writes more than the
        // room.
        unsafe { self.list.set_len(n) };
        Ok(n)
    }
}

impl<'a> IntoIterator for &'a Events {
    type Item = Event;
    type IntoIter = Copied<slice::Iter<'a, Event>>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_rounded_up_and_do_not_wrap() {
        assert_eq!([1, 1_000_000, 1_000_001].map(whole_ms), [1, 1, 2]);
        let days = |days: i64| whole_ms(days * 86_400_000_000_000);
        assert_eq!([days(24), days(25), days(100)], [2_073_600_000, i32::MAX, i32::MAX]);
    }

    #[test]
    fn every_known_error_of_add_has_a_remedy() {
        for (errno, remedy) in [
            (libc::EEXIST, "call modify"),
            (libc::EPERM, "spawn_blocking"),
            (libc::ENOSPC, "max_user_watches"),
            (libc::EINVAL, "EXCLUSIVE"),
            (libc::ELOOP, "one epoll"),
        ] {
            let err = explain_add(io::Error::from_raw_os_error(errno));
            assert_eq!(err.kind(), io::Error::from_raw_os_error(errno).kind());
            assert!(err.to_string().contains(remedy), "{err}");
        }
    }
}
