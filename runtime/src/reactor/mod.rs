//! The reactor: the table of registered fds; events go in, woken tasks come out.
//!
//! Facts about epoll that bind us, and what we do:
//!
//! - An edge is reported once. So readiness is kept here until an operation says `EAGAIN`, which
//!   always clears it, whatever was seen before: readiness that stuck would spin.
//! - A registration reports the readiness of that moment, as does a modification. So an fd is
//!   registered when an operation first says `EAGAIN`, for the direction that did, and nothing can fall
//!   between. Directions are not registered ahead of need: on UDP and Unix sockets each packet
//!   consumed is an edge of OUT.
//! - A registration is of the open file, not of the number: one made through a duplicate outlives its
//!   number and reports events for it. So the user data carries a generation, and an `EEXIST` that no
//!   live entry explains is such a ghost, which is taken over.
//! - Once watched, OUT keeps reporting. So when an event says OUT alone and nobody waits to write, the
//!   direction is no longer watched until a write says `EAGAIN` again.
//! - EPOLLEXCLUSIVE, which wakes one of the runtimes that wait for a shared listener, goes with neither
//!   RDHUP nor PRI, and cannot be modified. It is used level-triggered: an edge would be spent on a
//!   runtime that accepts one connection of several. What is ready and waited for by nobody would then
//!   be reported at each look, so it is removed, and added again by the next wait.
//! - Several tasks may wait for one fd. Each is woken; waking only the last would let the others
//!   sleep for ever, and waking the one that is replaced would make two spin.

mod async_fd;
mod driver;
mod readiness;
mod registration;
mod request;
mod source;
mod streams;
mod table;
mod waiters;

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Poll, Waker};

pub use self::async_fd::{AsyncFd, AsyncFdReadyGuard, AsyncFdReadyMutGuard};
pub use self::async_fd::{AsyncFdTryNewError, TryIoError};
pub use self::readiness::{Interest, Ready};
pub use self::source::Source;
pub use self::streams::{ReadFd, Reading, WriteFd, Writing, WritingAll};

use self::driver::Driver;
use self::readiness::RARE;
use self::registration::Wanted;
use self::table::{Entry, Table, index_of};
use self::waiters::{FOREIGN, Ticket, UNUSED};
use crate::core::Core;
use crate::name::Name;
use crate::sys::epoll::{Flags, explain_add};

/// Tickets are handed out from chunks, each of which is one runtime's.
const TICKETS: Ticket = 1 << 16;
static CHUNKS: AtomicU64 = AtomicU64::new(TICKETS);

/// What an operation finds before it is tried.
enum Begun {
    /// It may go through.
    Ready,
    /// It would block, and a waiter is there.
    Waits,
    /// It would block, and the waiter takes more than a look.
    Unclear,
}

pub(crate) struct Reactor {
    driver: OnceCell<Driver>,
    table: RefCell<Table>,
    /// The next; at a chunk's end, one is to be taken first.
    ticket: Cell<Ticket>,
}

impl Reactor {
    pub(crate) fn new() -> Reactor {
        Reactor {
            driver: OnceCell::new(),
            table: RefCell::new(Table::default()),
            ticket: Cell::new(0),
        }
    }

    /// The kernel side, if anything has needed it yet.
    #[inline]
    pub(crate) fn driver(&self) -> Option<&Driver> {
        self.driver.get()
    }

    /// Whether no fd is registered.
    pub(crate) fn is_empty(&self) -> bool {
        self.table.borrow().is_empty()
    }

    /// How many fds are registered.
    #[inline]
    pub(crate) fn registered(&self) -> usize {
        self.table.borrow().used()
    }

    /// The kernel side, made at the first call.
    pub(crate) fn make_driver(&self, core: &Core) -> io::Result<&Driver> {
        if self.driver.get().is_none() {
            let _ = self.driver.set(Driver::new(core.shared.block)?);
        }
        Ok(self.driver.get().expect("it was just set"))
    }

    /// A ticket that no other wait has, of this runtime or another.
    fn next_ticket(&self) -> Ticket {
        let next = self.ticket.get();
        // The chunk is used up: the next one starts where no other does.
        let next = if next % TICKETS == 0 { CHUNKS.fetch_add(TICKETS, Relaxed) } else { next };
        self.ticket.set(next + 1);
        next
    }

    /// Registers an fd for `flags`; the readiness of this moment will come as an event.
    #[inline]
    fn register(&self, core: &Core, fd: RawFd, flags: Flags) -> io::Result<u32> {
        if core.is_of_parent() {
            return Err(io::Error::other(
                "registering a descriptor: this process is a fork of the one whose runtime this is; \
                 call runtime::after_fork() in the child and make a new runtime there",
            ));
        }
        if core.torn_down.get() {
            return Err(io::Error::other(
                "registering a descriptor: the runtime that is current here has been shut down",
            ));
        }
        let driver = self.make_driver(core)?;
        let (index, token) = {
            let table = &mut *self.table.borrow_mut();
            let index = table.insert(fd, flags);
            (index, table.token(index))
        };
        let added = match driver.epoll().ctl_add(fd, triggered(flags), token) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.take_over(driver, fd, index, flags)
            }
            added => added.map_err(explain_add),
        };
        match added {
            Ok(()) => Ok(index),
            Err(error) => {
                self.table.borrow_mut().remove(index);
                Err(error)
            }
        }
    }

    /// epoll knows this number already: from a live entry, or from a ghost that a duplicate keeps.
    #[cold]
    #[inline]
    fn take_over(&self, driver: &Driver, fd: RawFd, index: u32, flags: Flags) -> io::Result<()> {
        let token = {
            let table = self.table.borrow();
            if table.has_another(index, fd) {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    format!(
                        "registering descriptor {fd}: something else of this runtime waits for it \
                         under the same number; share that one, or register a duplicate (dup)"
                    ),
                ));
            }
            table.token(index)
        };
        // The ghost may be an exclusive one, which cannot be modified.
        let _ = driver.epoll().ctl_del(fd);
        driver.epoll().ctl_add(fd, triggered(flags), token).map_err(explain_add)
    }

    /// Watches more directions of a registered fd.
    #[inline]
    fn arm(&self, core: &Core, index: u32, flags: Flags) -> io::Result<()> {
        let (fd, token, wanted) = {
            let table = &mut *self.table.borrow_mut();
            let token = table.token(index);
            let entry = table.at(index);
            if entry.armed.contains(flags) {
                return Ok(());
            }
            (entry.fd, token, entry.armed | flags)
        };
        let driver = self.make_driver(core)?;
        modify(driver, fd, wanted, token).map_err(explain_add)?;
        self.table.borrow_mut().at(index).armed = wanted;
        Ok(())
    }

    /// For a waiter on another thread, which has seen `EAGAIN`: has the kernel report the readiness
    /// of now. The cached bits go too, or the next event of the other direction would wake the waiter
    /// for nothing.
    ///
    /// The waiter's fd may have gone meanwhile, and the entry may be another's: that one is left as it was
    /// or reported anew.
    #[inline]
    fn rearm(&self, core: &Core, index: u32, flags: Flags, mask: Ready) -> io::Result<()> {
        let (fd, armed, token) = {
            let table = &mut *self.table.borrow_mut();
            let Some(entry) = table.get(index) else { return Ok(()) };
            (entry.fd, entry.armed, table.token(index))
        };
        let exclusive = Flags::EXCLUSIVE;
        if !armed.is_empty() && armed.contains(exclusive) != flags.contains(exclusive) {
            // The kernel would refuse it, and watch nothing.
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let driver = self.make_driver(core)?;
        let wanted = armed | flags;
        core.shared.block.unless_released(index, || modify(driver, fd, wanted, token))?;
        let table = &mut *self.table.borrow_mut();
        let entry = table.at(index);
        entry.ready -= mask;
        entry.armed = wanted;
        Ok(())
    }

    /// After an event that woke nobody: stops watching what would only report again.
    #[cold]
    fn unwatch(&self, core: &Core, driver: &Driver, token: u64, flags: Flags) {
        let index = index_of(token);
        let (fd, armed) = {
            let table = &mut *self.table.borrow_mut();
            let entry = table.at(index);
            (entry.fd, entry.armed)
        };
        let exclusive = armed.contains(Flags::EXCLUSIVE);
        if !exclusive && flags != Flags::OUT {
            return;
        }
        let left = if exclusive { Flags::EMPTY } else { armed.difference(Flags::OUT) };
        let unwatched = core.shared.block.unless_released(index, || match exclusive {
            true => driver.epoll().ctl_del(fd),
            false => driver.epoll().ctl_mod(fd, triggered(left), token),
        });
        // If it fails the direction is still watched, which costs an event now and then.
        if unwatched.is_ok() {
            self.table.borrow_mut().at(index).armed = left;
        }
    }

    /// Frees the entry of an fd that is about to be closed or given away.
    #[inline]
    fn deregister(&self, core: &Core, index: u32) {
        let removed = self.table.borrow_mut().remove(index);
        if let (Some((fd, _)), Some(driver)) = (&removed, self.driver()) {
            // In a fork's child this would reach the parent's registration.
            if !core.is_of_parent() {
                // It fails only if somebody has closed the descriptor under us: then it is gone.
                let _ = driver.epoll().ctl_del(*fd);
            }
        }
        // The wakers may be foreign code: they go with nothing borrowed.
        drop(removed);
    }

    fn has(&self, index: u32) -> bool {
        self.table.borrow_mut().get(index).is_some()
    }

    /// Looks whether an operation is worth a try, and leaves a waiter if it is not. The entry is the
    /// caller's, here and below: no foreign code can make it go.
    #[inline(never)]
    fn begin(&self, index: u32, wanted: Wanted, ticket: &mut Ticket, waker: &Waker) -> Begun {
        // To borrow it mutably costs less than to share it: there is no count.
        let table = &mut *self.table.borrow_mut();
        let Some(entry) = table.look(index) else { return Begun::Unclear };
        entry.settle(ticket);
        if entry.is_blocked(wanted) {
            self.wait_alone(entry, wanted, ticket, waker)
        } else {
            Begun::Ready
        }
    }

    /// Leaves the waiter of a future that has none yet, where nobody else waits. Inlined: as a
    /// call it costs 18 instructions more.
    #[inline(always)]
    fn wait_alone(
        &self,
        entry: &mut Entry,
        wanted: Wanted,
        ticket: &mut Ticket,
        waker: &Waker,
    ) -> Begun {
        let next = self.ticket.get();
        let fresh = *ticket == UNUSED && next % TICKETS != 0;
        if !fresh || !entry.waiters.put_alone(next, wanted.mask(), waker) {
            return Begun::Unclear;
        }
        self.ticket.set(next + 1);
        *ticket = next;
        Begun::Waits
    }

    #[inline]
    fn is_blocked(&self, index: u32, wanted: Wanted, ticket: &mut Ticket) -> bool {
        let table = &mut *self.table.borrow_mut();
        let entry = table.at(index);
        entry.settle(ticket);
        entry.is_blocked(wanted)
    }

    /// Leaves a waiter, unless there is readiness that nobody has used up.
    #[inline]
    fn poll_wait(
        &self,
        core: &Core,
        index: u32,
        wanted: Wanted,
        ticket: &mut Ticket,
        waker: &Waker,
    ) -> Poll<io::Result<()>> {
        if *ticket >= FOREIGN {
            // The future has come home. Its waker of elsewhere may be on its way still, and must not
            // take the place of this one when it arrives.
            registration::forget_by_command(Name::new(core.name, index), *ticket);
            *ticket = UNUSED;
        }
        {
            let table = &mut *self.table.borrow_mut();
            let entry = table.at(index);
            if entry.armed.contains(wanted.flags()) {
                if entry.ready.intersects(wanted.mask()) {
                    return Poll::Ready(Ok(()));
                }
                if *ticket == UNUSED {
                    *ticket = self.next_ticket();
                }
                if entry.waiters.put_alone(*ticket, wanted.mask(), waker) {
                    return Poll::Pending;
                }
            }
        }
        self.poll_wait_slow(core, index, wanted, ticket, waker)
    }

    /// For an fd whose direction is not watched yet, or that has waiters, or whose waker is foreign.
    #[cold]
    #[inline]
    fn poll_wait_slow(
        &self,
        core: &Core,
        index: u32,
        wanted: Wanted,
        ticket: &mut Ticket,
        waker: &Waker,
    ) -> Poll<io::Result<()>> {
        self.arm(core, index, wanted.flags())?;
        if *ticket == UNUSED {
            *ticket = self.next_ticket();
        }
        self.put_waiter(index, *ticket, wanted.mask(), waker);
        Poll::Pending
    }

    /// An operation said `EAGAIN`.
    #[inline]
    fn would_block(&self, index: u32, mask: Ready) {
        self.table.borrow_mut().at(index).ready -= mask;
    }

    /// A read of a TCP stream came back short: that proves the queue empty, unless the fd has a past.
    #[inline(never)]
    fn drained(&self, index: u32) {
        let table = &mut *self.table.borrow_mut();
        if let Some(entry) = table.look(index).filter(|entry| !entry.exact) {
            entry.ready -= Ready::READABLE;
        }
    }

    /// What is ready of `mask`, and the tick it was seen at.
    fn readiness(&self, index: u32, mask: Ready) -> (Ready, u32) {
        let table = &mut *self.table.borrow_mut();
        let entry = table.at(index);
        (entry.ready & mask, entry.tick)
    }

    /// Withdraws readiness, unless an event has come since `tick`.
    #[inline]
    fn clear(&self, index: u32, mask: Ready, tick: u32) {
        let table = &mut *self.table.borrow_mut();
        let entry = table.at(index);
        if entry.tick == tick {
            entry.ready -= mask;
        }
    }

    /// Adds a waiter, or renews it.
    #[inline]
    fn put_waiter(&self, index: u32, ticket: Ticket, mask: Ready, waker: &Waker) {
        if self.table.borrow_mut().at(index).waiters.has(ticket, mask, waker) {
            return;
        }
        let waker = waker.clone();
        let (evicted, replaced) = {
            let table = &mut *self.table.borrow_mut();
            let waiters = &mut table.at(index).waiters;
            (waiters.evict(), waiters.put(ticket, mask, waker))
        };
        drop(replaced);
        if let Some(evicted) = evicted {
            evicted.wake();
        }
    }

    #[inline]
    fn remove_waiter(&self, index: u32, ticket: Ticket) {
        let waker = {
            let table = &mut *self.table.borrow_mut();
            table.get(index).and_then(|entry| entry.waiters.remove(ticket))
        };
        drop(waker);
    }

    /// Notes what the events say and wakes who waits for it.
    #[inline]
    pub(crate) fn dispatch(&self, core: &Core, driver: &Driver) {
        driver.take_events(|event| {
            self.dispatch_one(core, driver, event.token(), event.flags());
        });
    }

    #[inline]
    fn dispatch_one(&self, core: &Core, driver: &Driver, token: u64, flags: Flags) {
        let lone = {
            let table = &mut *self.table.borrow_mut();
            let Some(entry) = table.named(token) else {
                // Of an entry that is gone, or of a descriptor of the driver's own.
                return driver.take_own(token);
            };
            entry.ready |= Ready::of_directions(flags);
            if flags.intersects(RARE) {
                entry.ready |= Ready::of_rare(flags);
                entry.exact = true;
            }
            entry.tick = entry.tick.wrapping_add(1);
            entry.waiters.take_lone(entry.ready)
        };
        match lone {
            Some(Some(waker)) => core.wake(waker),
            Some(None) => self.unwatch(core, driver, token, flags),
            None => self.wake_all(core, driver, token, flags),
        }
    }

    /// Wakes every waiter of an fd that has several.
    #[cold]
    fn wake_all(&self, core: &Core, driver: &Driver, token: u64, flags: Flags) {
        let taken = {
            let table = &mut *self.table.borrow_mut();
            let entry = table.at(index_of(token));
            entry.waiters.take(entry.ready)
        };
        if taken.is_empty() {
            self.unwatch(core, driver, token, flags);
        }
        for waker in taken {
            core.wake(waker);
        }
    }

    /// Shows every registered fd, and who waits for it, for what. `see` must run no foreign code. No other
    /// thread closes the fd meanwhile; one that another has deregistered may be closed, and is left out.
    #[cold]
    pub(crate) fn walk(
        &self,
        core: &Core,
        mut see: impl FnMut(RawFd, &mut dyn Iterator<Item = (&Waker, Interest)>),
    ) {
        for (index, entry) in self.table.borrow().iter() {
            let waits = entry.waiters.iter();
            let mut waits = waits.map(|(waker, mask)| (waker, Interest::answered_by(mask)));
            let _ = core.shared.block.unless_released(index, || {
                see(entry.fd, &mut waits);
                Ok(())
            });
        }
    }

    /// Everybody who waits, at the end of the runtime.
    pub(crate) fn take_wakers(&self) -> Vec<Waker> {
        let table = &mut *self.table.borrow_mut();
        let mut wakers = Vec::new();
        for entry in table.iter_mut() {
            for waker in entry.waiters.take(Ready::ALL) {
                wakers.push(waker);
            }
        }
        wakers
    }
}

impl Core {
    /// Frees the entry of an fd that another thread has deregistered.
    pub(crate) fn release_source(&self) {
        let Some(index) = self.shared.block.take_released() else { return };
        let removed = self.reactor.table.borrow_mut().remove(index);
        let Some((_, mut waiters)) = removed else { return };
        // Of a registration that lost to another: who waits asks anew, and finds that one.
        for waker in waiters.take(Ready::ALL) {
            self.wake(waker);
        }
    }
}

/// Edge-triggered, but for an exclusive one.
fn triggered(flags: Flags) -> Flags {
    if flags.contains(Flags::EXCLUSIVE) { flags } else { flags | Flags::ET }
}

/// Watches an fd for `flags` from now on.
fn modify(driver: &Driver, fd: RawFd, flags: Flags, token: u64) -> io::Result<()> {
    if flags.contains(Flags::EXCLUSIVE) {
        // It cannot be modified, and `unwatch` may have removed it.
        let _ = driver.epoll().ctl_del(fd);
        return driver.epoll().ctl_add(fd, flags, token);
    }
    driver.epoll().ctl_mod(fd, triggered(flags), token)
}
