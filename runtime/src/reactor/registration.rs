//! `Registration`: the tie between one fd and the runtime that waits for it, from any thread.
//!
//! The name in it is of the runtime that first waited. There the entry is a slab look-up away. On
//! another thread the caller tries the system call itself, and after an `EAGAIN` its waker travels to
//! the owner, which has the kernel report the readiness of now. The registration stays where it is: if
//! it moved to whoever polls, a reader here and a writer there would steal it from each other.

use std::future::Future;
use std::io;
use std::os::fd::RawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use crate::context::{self, Current};
use crate::coop;
use crate::core::Core;
use crate::name::Name;
use crate::reactor::Begun;
use crate::reactor::readiness::{Interest, Ready};
use crate::reactor::request::Request;
use crate::reactor::waiters::{FOREIGN, SHARED, Ticket, UNUSED};
use crate::sync::{AtomicU64, OnceLock, Ordering, StaticU64};
use crate::sys::epoll::Flags;
use crate::wakeups;

/// The name of an fd that nobody has registered.
const NONE: u64 = 0;

/// The last ticket of a wait that began on another thread than its runtime's.
static FOREIGN_TICKETS: StaticU64 = StaticU64::new(FOREIGN);

pub(crate) struct Registration {
    fd: RawFd,
    name: AtomicU64,
    /// Made when the first wait is on a thread that is not the current runtime's.
    request: OnceLock<Arc<Request>>,
}

/// What an operation waits for: what epoll watches for it, and which readiness answers.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    flags: Flags,
    mask: Ready,
}

impl Wanted {
    /// To read from a socket or a pipe: urgent data counts too, for a read stops at its mark.
    pub(crate) const READ: Wanted = Wanted {
        flags: Flags::IN.union(Flags::RDHUP).union(Flags::PRI),
        mask: Interest::READABLE.mask(),
    };
    /// To accept from a listener that other runtimes wait for too.
    pub(crate) const EXCLUSIVE_READ: Wanted =
        Wanted { flags: Flags::IN.union(Flags::EXCLUSIVE), mask: Interest::READABLE.mask() };
    pub(crate) const WRITE: Wanted = Wanted { flags: Flags::OUT, mask: Interest::WRITABLE.mask() };

    #[inline]
    pub(crate) const fn of(interest: Interest) -> Wanted {
        Wanted { flags: interest.flags(), mask: interest.mask() }
    }

    #[inline]
    pub(crate) const fn flags(self) -> Flags {
        self.flags
    }

    #[inline]
    pub(crate) const fn mask(self) -> Ready {
        self.mask
    }
}

/// Which of these an operation waits for. Where it is known beforehand its type tells, and the future does
/// not keep it: 38 instructions of a round trip.
pub(crate) trait Want: Copy {
    fn wanted(self) -> Wanted;
}

impl Want for Wanted {
    #[inline]
    fn wanted(self) -> Wanted {
        self
    }
}

/// [`Wanted::READ`].
#[derive(Clone, Copy)]
pub(crate) struct ToRead;

impl Want for ToRead {
    #[inline]
    fn wanted(self) -> Wanted {
        Wanted::READ
    }
}

/// [`Wanted::WRITE`].
#[derive(Clone, Copy)]
pub(crate) struct ToWrite;

impl Want for ToWrite {
    #[inline]
    fn wanted(self) -> Wanted {
        Wanted::WRITE
    }
}

/// What an operation gave, and whether that proves the kernel's queue empty.
pub(crate) struct Done<R> {
    pub(crate) value: R,
    pub(crate) drained: bool,
}

/// What is tried, and tried again when the descriptor is ready.
pub(crate) trait Attempt<R> {
    fn attempt(&mut self) -> io::Result<Done<R>>;
}

impl<R, F: FnMut() -> io::Result<Done<R>>> Attempt<R> for F {
    #[inline]
    fn attempt(&mut self) -> io::Result<Done<R>> {
        self()
    }
}

impl<R> Done<R> {
    /// It proves nothing: the next operation may find more.
    #[inline]
    pub(crate) fn with(value: R) -> Done<R> {
        Done { value, drained: false }
    }
}

/// What came of the first try.
enum Tried<R> {
    Done(R),
    /// It would block, and a waiter is there.
    Waits,
    /// It failed; or nobody has tried it.
    Failed(Option<io::Error>),
}

/// Readiness as it was seen, to be withdrawn if nothing has come since.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) ready: Ready,
    tick: u32,
}

impl Registration {
    /// Of nobody yet.
    #[inline]
    pub(crate) fn new(fd: RawFd) -> Registration {
        Registration { fd, name: AtomicU64::new(NONE), request: OnceLock::new() }
    }

    /// With the current runtime, now.
    #[inline]
    pub(crate) fn eager(fd: RawFd, interest: Interest) -> io::Result<Registration> {
        let registration = Registration::new(fd);
        context::with_current(|current| match current {
            Current::Here(core) => registration.register(core, interest.flags()),
            Current::Elsewhere(_) => Err(io::Error::other(
                "registering a descriptor: the runtime entered here is of another thread, and \
                 cannot be asked at once; use io::Source, or do this in a task of that runtime",
            )),
            Current::None => Err(no_runtime()),
        })?;
        Ok(registration)
    }

    #[inline]
    fn name(&self) -> Option<Name> {
        match self.name.load(Ordering::Acquire) {
            NONE => None,
            bits => Some(Name::from_bits(bits)),
        }
    }

    /// Runs `f` on the runtime that has the entry, if that is of this thread.
    #[inline]
    fn local<R>(&self, f: impl FnOnce(&Core, u32) -> R) -> Option<R> {
        let name = self.name()?;
        context::local(name.runtime(), |core| f(core, name.index()))
    }

    /// Runs `f` on the runtime that has the entry, if this thread is inside its loop.
    #[inline(always)]
    fn turning<R>(&self, f: impl FnOnce(&Core, u32) -> R) -> Option<R> {
        let name = self.name()?;
        context::turning(name.runtime(), |core| f(core, name.index()))
    }

    /// The operation said `EAGAIN`.
    #[inline]
    fn would_block(&self, wanted: Wanted) {
        self.local(|core, index| core.reactor.would_block(index, wanted.mask));
    }

    /// The path of a read or write: try, and if that would block, wait.
    ///
    /// It becomes a part of each task's own poll. What does not depend on the operation is called, but for
    /// the looks at the thread-local: in a library's own functions these are calls themselves.
    #[inline(always)]
    pub(crate) fn poll_op<R>(
        &self,
        wanted: Wanted,
        ticket: &mut Ticket,
        cx: &mut Context<'_>,
        op: &mut impl Attempt<R>,
    ) -> Poll<io::Result<R>> {
        if !coop::has_budget_remaining() {
            return self.poll_op_on(wanted, ticket, cx, op, None);
        }
        let tried = self.turning(|core, index| {
            match core.reactor.begin(index, wanted, ticket, cx.waker()) {
                Begun::Ready => {}
                Begun::Waits => return Tried::Waits,
                Begun::Unclear => return Tried::Failed(None),
            }
            match op.attempt() {
                Ok(Done { value, drained }) => {
                    if drained {
                        core.reactor.drained(index);
                    }
                    Tried::Done(value)
                }
                Err(error) => Tried::Failed(Some(error)),
            }
        });
        match tried {
            Some(Tried::Done(value)) => {
                coop::spend();
                Poll::Ready(Ok(value))
            }
            Some(Tried::Waits) => Poll::Pending,
            Some(Tried::Failed(error)) => self.poll_op_on(wanted, ticket, cx, op, error),
            None => self.poll_op_on(wanted, ticket, cx, op, None),
        }
    }

    /// Goes on where `poll_op` leaves off: with an operation that failed, or was not tried.
    #[inline(never)]
    fn poll_op_on<R>(
        &self,
        wanted: Wanted,
        ticket: &mut Ticket,
        cx: &mut Context<'_>,
        op: &mut dyn Attempt<R>,
        failed: Option<io::Error>,
    ) -> Poll<io::Result<R>> {
        match failed {
            None => coop::poll(cx, |cx| self.try_op(wanted, ticket, cx, op, None)),
            // The kernel has taken note that the error was fetched, so no spent budget may hold it back.
            failed => self.try_op(wanted, ticket, cx, op, failed).map(coop::spend_for),
        }
    }

    #[inline]
    fn try_op<R>(
        &self,
        wanted: Wanted,
        ticket: &mut Ticket,
        cx: &mut Context<'_>,
        op: &mut dyn Attempt<R>,
        mut failed: Option<io::Error>,
    ) -> Poll<io::Result<R>> {
        loop {
            let result = match failed.take() {
                Some(error) => Err(error),
                None if self.is_blocked(wanted, ticket) => Err(io::ErrorKind::WouldBlock.into()),
                None => op.attempt(),
            };
            match result {
                Ok(Done { value, drained }) => {
                    if drained {
                        self.local(|core, index| core.reactor.drained(index));
                    }
                    return Poll::Ready(Ok(value));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.would_block(wanted);
                    ready!(self.poll_wait(wanted, ticket, cx))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Whether it is known that an operation would block. Nobody knows while nobody has registered the fd,
    /// nor on another thread than its runtime's.
    #[inline]
    fn is_blocked(&self, wanted: Wanted, ticket: &mut Ticket) -> bool {
        self.local(|core, index| core.reactor.is_blocked(index, wanted, ticket)) == Some(true)
    }

    /// Tries an operation once, now.
    #[inline]
    pub(crate) fn try_io<R>(
        &self,
        interest: Interest,
        op: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        let result = op();
        if let Err(error) = &result {
            if error.kind() == io::ErrorKind::WouldBlock {
                self.would_block(Wanted::of(interest));
            }
        }
        result
    }

    /// Waits, after an `EAGAIN`, until the operation should be tried again.
    #[inline]
    fn poll_wait(
        &self,
        wanted: Wanted,
        ticket: &mut Ticket,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let Some(name) = self.name() else {
                ready!(self.poll_register(wanted, ticket, cx))?;
                continue;
            };
            let polled = context::local(name.runtime(), |core| {
                core.reactor.poll_wait(core, name.index(), wanted, ticket, cx.waker())
            });
            if let Some(polled) = polled {
                return polled;
            }
            if self.wait_elsewhere(name, wanted, ticket, cx.waker().clone()) {
                return Poll::Pending;
            }
            // The owner is gone: whoever polls registers anew.
            self.abandon(name);
        }
    }

    /// Waits until something of `wanted` is ready, and says what.
    #[inline]
    pub(crate) fn poll_ready(
        &self,
        wanted: Wanted,
        ticket: &mut Ticket,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Seen>> {
        coop::poll(cx, |cx| {
            loop {
                if let Some(seen) = self.seen(wanted)? {
                    return Poll::Ready(Ok(seen));
                }
                match ready!(self.poll_wait(wanted, ticket, cx)) {
                    Ok(()) => {}
                    Err(error) => return Poll::Ready(self.ready_without_epoll(wanted, error)),
                }
            }
        })
    }

    /// epoll refuses what is always ready, such as a regular file (EPERM): poll(2) tells whether this
    /// is the reason. Else the error stands.
    #[cold]
    #[inline]
    fn ready_without_epoll(&self, wanted: Wanted, error: io::Error) -> io::Result<Seen> {
        if error.kind() == io::ErrorKind::PermissionDenied {
            let ready = Ready::now(self.fd, wanted.flags)? & wanted.mask;
            if !ready.is_empty() {
                return Ok(Seen { ready, tick: 0 });
            }
        }
        Err(error)
    }

    /// What is known to be ready. On a foreign thread the kernel is asked, never the cache.
    #[inline]
    fn seen(&self, wanted: Wanted) -> io::Result<Option<Seen>> {
        let Some(name) = self.name() else { return Ok(None) };
        let local = context::local(name.runtime(), |core| {
            core.reactor.readiness(name.index(), wanted.mask)
        });
        let (ready, tick) = match local {
            Some(seen) => seen,
            None => (Ready::now(self.fd, wanted.flags)? & wanted.mask, 0),
        };
        Ok((!ready.is_empty()).then_some(Seen { ready, tick }))
    }

    /// Withdraws `mask` of the readiness that was seen, unless an event has come since.
    #[inline]
    pub(crate) fn clear(&self, seen: Seen, mask: Ready) {
        self.local(|core, index| core.reactor.clear(index, mask, seen.tick));
    }

    /// Takes back the wait of a future that is dropped.
    #[inline]
    pub(crate) fn forget(&self, ticket: Ticket) {
        if ticket != UNUSED {
            self.forget_wait(ticket);
        }
    }

    #[cold]
    #[inline]
    fn forget_wait(&self, ticket: Ticket) {
        if let Some(request) = self.request.get() {
            request.forget(ticket);
        }
        let Some(name) = self.name() else { return };
        let local = context::local(name.runtime(), |core| {
            core.reactor.remove_waiter(name.index(), ticket);
        });
        if local.is_none() || ticket >= FOREIGN {
            forget_by_command(name, ticket);
        }
    }

    /// Registers with the current runtime. `Pending` if that is of another thread: then this already
    /// waits there for `wanted`.
    #[cold]
    #[inline]
    fn poll_register(
        &self,
        wanted: Wanted,
        ticket: &mut Ticket,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        context::with_current(|current| match current {
            Current::Here(core) => Poll::Ready(match self.registered_by_request() {
                Some(name) => {
                    self.claim(name);
                    Ok(())
                }
                None => self.register(core, wanted.flags),
            }),
            Current::Elsewhere(handle) => {
                let request = self.request.get_or_init(Arc::default);
                let ticket = foreign(ticket);
                let to = handle.shared.name;
                let name = match ready!(request.poll(self.fd, to, wanted, ticket, cx)) {
                    Ok(name) => name,
                    // A task of that runtime was faster: its registration is the one to wait on.
                    Err(_) if self.name().is_some() => return Poll::Ready(Ok(())),
                    Err(error) => return Poll::Ready(Err(error)),
                };
                if !self.claim(name) {
                    request.withdraw(self.fd);
                }
                Poll::Ready(Ok(()))
            }
            Current::None => Poll::Ready(Err(no_runtime())),
        })
    }

    /// The entry that a request has made, and nobody has polled since. One still on its way is called off.
    #[inline]
    fn registered_by_request(&self) -> Option<Name> {
        self.request.get()?.registered_or_called_off()
    }

    #[inline]
    fn register(&self, core: &Core, flags: Flags) -> io::Result<()> {
        let index = core.reactor.register(core, self.fd, flags)?;
        if !self.claim(Name::new(core.name, index)) {
            core.reactor.deregister(core, index);
        }
        Ok(())
    }

    /// Takes the name of a new entry. False if another thread was faster: its registration stands.
    #[inline]
    fn claim(&self, name: Name) -> bool {
        let (acquire, release) = (Ordering::Acquire, Ordering::AcqRel);
        self.name.compare_exchange(NONE, name.bits(), release, acquire).is_ok()
    }

    /// Sends the waker to the owner. False if the owner is gone.
    #[cold]
    #[inline]
    fn wait_elsewhere(
        &self,
        name: Name,
        wanted: Wanted,
        ticket: &mut Ticket,
        waker: Waker,
    ) -> bool {
        // What the future left when it waited at home, if it did, makes room.
        let (index, left, ticket) = (name.index(), *ticket, foreign(ticket));
        wakeups::send_with(name.runtime(), move || {
            let waker = Undelivered(Some(waker));
            Box::new(move |core| {
                if left != ticket {
                    core.reactor.remove_waiter(index, left);
                }
                core.wait_for_another_thread(index, wanted, ticket, &waker.deliver());
            })
        })
    }

    #[inline]
    fn abandon(&self, name: Name) {
        if let Some(request) = self.request.get() {
            request.reset();
        }
        // If this fails another thread has registered it since.
        let _ = self.name.compare_exchange(name.bits(), NONE, Ordering::AcqRel, Ordering::Acquire);
    }
}

/// A waker on its way to the owner. Dropped without having arrived, the owner being gone, it wakes:
/// who waits registers anew.
struct Undelivered(Option<Waker>);

impl Undelivered {
    #[inline]
    fn deliver(mut self) -> Waker {
        self.0.take().expect("it is there until here")
    }
}

impl Drop for Undelivered {
    #[inline]
    fn drop(&mut self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}

/// Has the owner remove a waiter, after all that was sent before. One that is gone has none.
#[cold]
#[inline]
pub(super) fn forget_by_command(name: Name, ticket: Ticket) {
    let index = name.index();
    let remove = Box::new(move |core: &Core| core.reactor.remove_waiter(index, ticket));
    let _ = wakeups::send(name.runtime(), remove);
}

/// The ticket of a wait on another thread, drawn now if it has none: one from home would not tell that
/// its waker may be on its way still.
#[inline]
fn foreign(ticket: &mut Ticket) -> Ticket {
    if *ticket != SHARED && *ticket < FOREIGN {
        *ticket = FOREIGN_TICKETS.fetch_add(1, Ordering::Relaxed) + 1;
    }
    *ticket
}

#[cold]
#[inline]
fn no_runtime() -> io::Error {
    io::Error::other(
        "waiting for a descriptor: there is no runtime on this thread to wait with; do this inside \
         block_on or #[runtime::main]",
    )
}

/// An operation until it is done. `op` is called again only after it said `WouldBlock`.
#[must_use = "futures do nothing unless polled"]
pub(crate) struct Operation<'a, W, F> {
    registration: &'a Registration,
    want: W,
    ticket: Ticket,
    op: F,
}

impl<'a, W, F> Operation<'a, W, F> {
    #[inline]
    pub(crate) fn new(registration: &'a Registration, want: W, op: F) -> Self {
        Operation { registration, want, ticket: UNUSED, op }
    }
}

// Nothing in it is pinned: `op` is called, never polled.
impl<W, F> Unpin for Operation<'_, W, F> {}

impl<R, W: Want, F: FnMut() -> io::Result<Done<R>>> Future for Operation<'_, W, F> {
    type Output = io::Result<R>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        let this = self.get_mut();
        this.registration.poll_op(this.want.wanted(), &mut this.ticket, cx, &mut this.op)
    }
}

impl<W, F> Drop for Operation<'_, W, F> {
    #[inline]
    fn drop(&mut self) {
        self.registration.forget(self.ticket);
    }
}

/// A wait for readiness.
#[must_use = "futures do nothing unless polled"]
pub(crate) struct Readiness<'a> {
    registration: &'a Registration,
    wanted: Wanted,
    ticket: Ticket,
}

impl<'a> Readiness<'a> {
    #[inline]
    pub(crate) fn new(registration: &'a Registration, wanted: Wanted) -> Self {
        Readiness { registration, wanted, ticket: UNUSED }
    }
}

impl Future for Readiness<'_> {
    type Output = io::Result<Seen>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Seen>> {
        let this = self.get_mut();
        this.registration.poll_ready(this.wanted, &mut this.ticket, cx)
    }
}

impl Drop for Readiness<'_> {
    #[inline]
    fn drop(&mut self) {
        self.registration.forget(self.ticket);
    }
}

impl Core {
    #[inline]
    pub(super) fn wait_for_another_thread(
        &self,
        index: u32,
        wanted: Wanted,
        ticket: Ticket,
        waker: &Waker,
    ) {
        if !self.reactor.has(index) {
            // It was deregistered while the command was on its way.
            return;
        }
        self.reactor.put_waiter(index, ticket, wanted.mask, waker);
        if self.reactor.rearm(self, index, wanted.flags, wanted.mask).is_err() {
            // The operation, tried again, will meet the error.
            waker.wake_by_ref();
        }
    }
}

impl Drop for Registration {
    #[inline]
    fn drop(&mut self) {
        if let Some(request) = self.request.get() {
            request.close(self.fd, self.name());
        }
        let Some(name) = self.name() else { return };
        let local = context::local(name.runtime(), |core| {
            core.reactor.deregister(core, name.index());
        });
        if local.is_none() {
            wakeups::deregister(name, self.fd);
        }
    }
}
