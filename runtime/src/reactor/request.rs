//! A request to register an fd with a runtime of another thread, by command, since the table is its own.
//!
//! That is how sockets work under `Handle::enter` and `Handle::block_on` elsewhere: nobody on this
//! thread has registered them, and the runtime that is entered is not of this thread.

use std::io;
use std::mem;
use std::os::fd::RawFd;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::core::Core;
use crate::name::{Name, RuntimeName};
use crate::reactor::registration::{Wanted, forget_by_command};
use crate::reactor::waiters::{FOREIGN, SHARED, Ticket};
use crate::sync::{Mutex, MutexGuard};
use crate::wakeups;

#[derive(Default)]
pub(super) struct Request {
    state: Mutex<State>,
}

#[derive(Default)]
enum State {
    #[default]
    Idle,
    /// The command is on its way, and these wait for it.
    Asked(Vec<Waiter>),
    Registered(Name),
    Refused(io::Error),
    /// The fd is about to be closed: nothing may be registered any more.
    Closed,
}

struct Waiter {
    ticket: Ticket,
    wanted: Wanted,
    waker: Waker,
}

impl Waiter {
    /// Waits without a future are told apart by what they wake, as in `waiters.rs`.
    #[inline]
    fn is(&self, other: &Waiter) -> bool {
        self.ticket == other.ticket && (self.ticket != SHARED || self.waker.will_wake(&other.waker))
    }
}

impl Request {
    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the runtime `to`, if nobody has yet, and waits for readiness or for the refusal. Ready
    /// with the name once there is one.
    #[inline]
    pub(super) fn poll(
        self: &Arc<Request>,
        fd: RawFd,
        to: RuntimeName,
        wanted: Wanted,
        ticket: Ticket,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Name>> {
        // Wakers may be foreign code: cloned before the lock is taken, dropped after.
        let waiter = Waiter { ticket, wanted, waker: cx.waker().clone() };
        let mut state = self.lock();
        match &mut *state {
            State::Registered(name) => Poll::Ready(Ok(*name)),
            State::Refused(_) => match mem::take(&mut *state) {
                State::Refused(error) => Poll::Ready(Err(error)),
                _ => unreachable!("it was refused a line ago, under the same lock"),
            },
            State::Asked(waiters) => {
                let replaced = waiters.iter().position(|kept| kept.is(&waiter));
                let replaced = replaced.map(|position| waiters.swap_remove(position));
                waiters.push(waiter);
                drop(state);
                drop(replaced);
                Poll::Pending
            }
            State::Idle => {
                *state = State::Asked(vec![waiter]);
                drop(state);
                let asking = Asking { request: self.clone(), fd };
                match wakeups::send(to, Box::new(move |core| asking.register(core))) {
                    Ok(()) => Poll::Pending,
                    Err(_) => Poll::Ready(Err(io::Error::other(
                        "waiting for a descriptor: the runtime entered on this thread is gone",
                    ))),
                }
            }
            State::Closed => unreachable!("nobody polls a registration that is dropped"),
        }
    }

    /// The entry, once the command was carried out. Until then it is called off, as the caller is about
    /// to register the fd itself: who waits for it asks anew, and finds that registration.
    #[inline]
    pub(super) fn registered_or_called_off(&self) -> Option<Name> {
        let mut state = self.lock();
        let waiters = match &mut *state {
            State::Registered(name) => return Some(*name),
            State::Asked(waiters) => mem::take(waiters),
            _ => return None,
        };
        *state = State::Idle;
        drop(state);
        waiters.into_iter().for_each(|waiter| waiter.waker.wake());
        None
    }

    /// The future with this ticket is dropped.
    #[inline]
    pub(super) fn forget(&self, ticket: Ticket) {
        let mut state = self.lock();
        let forgotten = match &mut *state {
            State::Asked(waiters) => {
                let position = waiters.iter().position(|waiter| waiter.ticket == ticket);
                position.map(|position| waiters.swap_remove(position))
            }
            // It may wait there already.
            State::Registered(name) if ticket >= FOREIGN => {
                forget_by_command(*name, ticket);
                None
            }
            _ => None,
        };
        drop(state);
        drop(forgotten);
    }

    /// The runtime that had registered it is gone.
    #[inline]
    pub(super) fn reset(&self) {
        let mut state = self.lock();
        if let State::Registered(_) = *state {
            *state = State::Idle;
        }
    }

    /// Another registration was faster: this one goes.
    #[inline]
    pub(super) fn withdraw(&self, fd: RawFd) {
        if let State::Registered(name) = mem::take(&mut *self.lock()) {
            wakeups::deregister(name, fd);
        }
    }

    /// The fd is about to be closed. `known` is deregistered by who knows it.
    #[inline]
    pub(super) fn close(&self, fd: RawFd, known: Option<Name>) {
        let before = mem::replace(&mut *self.lock(), State::Closed);
        if let State::Registered(name) = before {
            if known != Some(name) {
                wakeups::deregister(name, fd);
            }
        }
    }
}

/// The command on its way. Dropped without being run, the runtime being gone, it wakes who waits: they
/// ask anew, and get the error.
struct Asking {
    request: Arc<Request>,
    fd: RawFd,
}

impl Asking {
    #[inline]
    fn register(&self, core: &Core) {
        let mut state = self.request.lock();
        let State::Asked(waiters) = &mut *state else { return };
        let waiters = mem::take(waiters);
        let Some(first) = waiters.first() else {
            *state = State::Idle;
            return;
        };
        // Under the lock, so that the fd cannot be closed in between.
        match core.reactor.register(core, self.fd, first.wanted.flags()) {
            Ok(index) => {
                *state = State::Registered(Name::new(core.name, index));
                drop(state);
                for waiter in waiters {
                    let Waiter { ticket, wanted, waker } = waiter;
                    core.wait_for_another_thread(index, wanted, ticket, &waker);
                }
            }
            Err(error) => {
                *state = State::Refused(error);
                drop(state);
                waiters.into_iter().for_each(|waiter| core.wake(waiter.waker));
            }
        }
    }
}

impl Drop for Asking {
    #[inline]
    fn drop(&mut self) {
        let mut state = self.request.lock();
        let State::Asked(waiters) = &mut *state else { return };
        let waiters = mem::take(waiters);
        *state = State::Idle;
        drop(state);
        waiters.into_iter().for_each(|waiter| waiter.waker.wake());
    }
}
