//! `Registration`: the tie between one fd and the runtime that waits for it, from any thread.
//!
//! The name in it is of the runtime that first waited. There the entry is a slab look-up away. On
//! another thread the caller tries the system call itself, and after an `EAGAIN` its waker travels to
//! the owner, which has the kernel report the readiness of now. The registration stays where it is: if
//! it moved to whoever polls, a reader here and a writer there would steal it from each other.

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use crate::context::{self, Current};
use crate::core::Core;
use crate::name::Name;
use crate::reactor::readiness::{Interest, Ready};
use crate::reactor::waiters::Ticket;
use crate::sys::epoll::Flags;
use crate::wakeups;

/// The name of an fd that nobody has registered.
const NONE: u64 = 0;

/// Tickets for waits on other threads; with this bit they differ from a runtime's own.
const FOREIGN_TICKET: Ticket = 1 << 63;
static FOREIGN_TICKETS: AtomicU64 = AtomicU64::new(FOREIGN_TICKET);

pub(crate) struct Registration {
    fd: RawFd,
    name: AtomicU64,
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
    pub(crate) const WRITE: Wanted = Wanted { flags: Flags::OUT, mask: Interest::WRITABLE.mask() };

    pub(crate) fn of(interest: Interest) -> Wanted {
        Wanted { flags: interest.flags(), mask: interest.mask() }
    }

    pub(crate) fn mask(self) -> Ready {
        self.mask
    }
}

/// Readiness as it was seen, to be withdrawn if nothing has come since.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) ready: Ready,
    tick: u32,
}

impl Registration {
    /// Of nobody yet.
    pub(crate) const fn new(fd: RawFd) -> Registration {
        Registration { fd, name: AtomicU64::new(NONE) }
    }

    /// With the current runtime, now.
    pub(crate) fn eager(fd: RawFd, interest: Interest) -> io::Result<Registration> {
        let registration = Registration::new(fd);
        registration.register(interest.flags())?;
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

    /// Whether it is known, without asking the kernel, that the operation would block.
    #[inline]
    pub(crate) fn is_blocked(&self, wanted: Wanted) -> bool {
        self.local(|core, index| core.reactor.is_blocked(index, wanted.flags, wanted.mask))
            .unwrap_or(false)
    }

    /// The operation said `EAGAIN`.
    #[inline]
    pub(crate) fn would_block(&self, wanted: Wanted) {
        self.local(|core, index| core.reactor.would_block(index, wanted.mask));
    }

    /// A read of a TCP stream came back short.
    #[inline]
    pub(crate) fn short_read(&self) {
        self.local(|core, index| core.reactor.short_read(index));
    }

    /// Waits, after an `EAGAIN`, until the operation should be tried again.
    pub(crate) fn poll_wait(
        &self,
        wanted: Wanted,
        ticket: &mut Ticket,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let Some(name) = self.name() else {
                self.register(wanted.flags)?;
                continue;
            };
            let polled = context::local(name.runtime(), |core| {
                self.poll_wait_local(core, name.index(), wanted, ticket, cx)
            });
            if let Some(polled) = polled {
                return polled;
            }
            if self.wait_elsewhere(name, wanted, ticket, cx.waker().clone()) {
                return Poll::Pending;
            }
            // The owner is gone: whoever polls registers anew.
            self.abandon(name);
            *ticket = 0;
        }
    }

    fn poll_wait_local(
        &self,
        core: &Core,
        index: u32,
        wanted: Wanted,
        ticket: &mut Ticket,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        core.reactor.arm(core, index, wanted.flags)?;
        if !core.reactor.readiness(index, wanted.mask).0.is_empty() {
            return Poll::Ready(Ok(()));
        }
        if *ticket == 0 {
            *ticket = core.reactor.next_ticket();
        }
        core.reactor.put_waiter(index, *ticket, wanted.mask, cx.waker());
        Poll::Pending
    }

    /// Waits until something of `wanted` is ready, and says what.
    pub(crate) fn poll_ready(
        &self,
        wanted: Wanted,
        ticket: &mut Ticket,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Seen>> {
        loop {
            if let Some(seen) = self.seen(wanted)? {
                return Poll::Ready(Ok(seen));
            }
            match self.poll_wait(wanted, ticket, cx)? {
                Poll::Ready(()) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// What is known to be ready. On a foreign thread the kernel is asked, never the cache.
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

    /// Withdraws readiness that was seen, unless an event has come since.
    pub(crate) fn clear(&self, seen: Seen, mask: Ready) {
        self.local(|core, index| core.reactor.clear(index, mask, seen.tick));
    }

    /// Takes back the wait of a future that is dropped.
    pub(crate) fn forget(&self, ticket: Ticket) {
        let Some(name) = self.name() else { return };
        let index = name.index();
        let local = context::local(name.runtime(), |core| {
            core.reactor.remove_waiter(index, ticket);
        });
        if local.is_none() {
            // A runtime that is gone has dropped its waiters.
            let _ = wakeups::send(
                name.runtime(),
                Box::new(move |core| core.reactor.remove_waiter(index, ticket)),
            );
        }
    }

    /// Registers with the current runtime. If another thread was faster, its registration stands.
    #[cold]
    fn register(&self, flags: Flags) -> io::Result<()> {
        context::with_current(|current| match current {
            Current::Here(core) => {
                let index = core.reactor.register(core, self.fd, flags)?;
                let name = Name::new(core.name, index);
                let set = self.name.compare_exchange(
                    NONE,
                    name.bits(),
                    Ordering::AcqRel,
                    Ordering::Acquire,
                );
                if set.is_err() {
                    core.reactor.deregister(core, index);
                }
                Ok(())
            }
            Current::Elsewhere(_) | Current::None => Err(io::Error::other(
                "waiting for a descriptor: there is no runtime on this thread to wait with; do \
                 this inside block_on or #[runtime::main]",
            )),
        })
    }

    /// Sends the waker to the owner. False if the owner is gone.
    #[cold]
    fn wait_elsewhere(
        &self,
        name: Name,
        wanted: Wanted,
        ticket: &mut Ticket,
        waker: Waker,
    ) -> bool {
        if *ticket == 0 {
            *ticket = FOREIGN_TICKETS.fetch_add(1, Ordering::Relaxed) + 1;
        }
        let (index, ticket) = (name.index(), *ticket);
        wakeups::send(
            name.runtime(),
            Box::new(move |core| core.wait_for_another_thread(index, wanted, ticket, &waker)),
        )
        .is_ok()
    }

    fn abandon(&self, name: Name) {
        // If this fails another thread has registered it since.
        let _ = self.name.compare_exchange(name.bits(), NONE, Ordering::AcqRel, Ordering::Acquire);
    }
}

impl Core {
    fn wait_for_another_thread(&self, index: u32, wanted: Wanted, ticket: Ticket, waker: &Waker) {
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
    fn drop(&mut self) {
        let Some(name) = self.name() else { return };
        let local = context::local(name.runtime(), |core| {
            core.reactor.deregister(core, name.index());
        });
        if local.is_none() {
            wakeups::deregister(name, self.fd);
        }
    }
}
