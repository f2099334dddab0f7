//! Who waits on one fd: any number of wakers, each with what it waits for.

use std::mem::ManuallyDrop;
use std::task::Waker;

use crate::reactor::Ready;
use crate::task::waker;

/// Tells the waits on an fd apart, so that a future that is dropped takes its own waker with it and no
/// other. No two waits ever have the same, for a future may outlive the runtime it first waited on.
pub(crate) type Ticket = u64;

/// The ticket of polls that have no future to drop: theirs are told apart by what they wake.
pub(crate) const SHARED: Ticket = 0;
/// What a future has until it waits.
pub(crate) const UNUSED: Ticket = 1;
/// From here on the tickets of waits that began on other threads.
pub(crate) const FOREIGN: Ticket = 1 << 63;

/// Far more than poll one fd by hand at a time: if they did, they would take turns being woken.
const MANY: usize = 1024;

struct Waiter {
    ticket: Ticket,
    mask: Ready,
    waker: Waker,
}

impl Waiter {
    #[inline]
    fn is(&self, ticket: Ticket, mask: Ready, waker: &Waker) -> bool {
        self.ticket == ticket
            && (ticket != SHARED || self.mask == mask && self.waker.will_wake(waker))
    }
}

/// The waiters of an fd. One is the common case and needs no allocation.
#[derive(Default)]
pub(super) struct Waiters {
    first: Option<Waiter>,
    more: Vec<Waiter>,
}

/// Wakers taken out, to be woken or dropped when nothing is borrowed.
pub(super) struct Taken {
    first: Option<Waiter>,
    more: Vec<Waiter>,
}

impl Waiters {
    /// Whether exactly this wait is there already.
    #[inline]
    pub(super) fn has(&self, ticket: Ticket, mask: Ready, waker: &Waker) -> bool {
        self.first.iter().chain(&self.more).any(|waiter| {
            waiter.is(ticket, mask, waker) && waiter.mask == mask && waiter.waker.will_wake(waker)
        })
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.more.is_empty()
    }

    /// Whom each wait wakes, and what it waits for.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Waker, Ready)> {
        self.first.iter().chain(&self.more).map(|waiter| (&waiter.waker, waiter.mask))
    }

    /// Adds a wait if it is the only one and its waker is of ours, so that no foreign code runs here.
    #[inline]
    pub(super) fn put_alone(&mut self, ticket: Ticket, mask: Ready, waker: &Waker) -> bool {
        if !self.is_empty() {
            return false;
        }
        let Some(name) = waker::name_of(waker) else { return false };
        let waker = ManuallyDrop::into_inner(waker::of(name));
        self.first = Some(Waiter { ticket, mask, waker });
        true
    }

    /// Adds a wait, or renews it: then the waker it had comes back.
    #[inline]
    pub(super) fn put(&mut self, ticket: Ticket, mask: Ready, waker: Waker) -> Option<Waker> {
        let mut all = self.first.iter_mut().chain(&mut self.more);
        if let Some(waiter) = all.find(|waiter| waiter.is(ticket, mask, &waker)) {
            waiter.mask = mask;
            return Some(std::mem::replace(&mut waiter.waker, waker));
        }
        let waiter = Waiter { ticket, mask, waker };
        match &self.first {
            None => self.first = Some(waiter),
            Some(_) => self.more.push(waiter),
        }
        None
    }

    /// Makes room: takes out a wait without a future once there are very many. Nobody else would ever
    /// take out those of futures that are gone, on an fd that stays idle; whoever is not gone asks anew
    /// when it is woken.
    #[inline]
    pub(super) fn evict(&mut self) -> Option<Waker> {
        if self.more.len() < MANY {
            return None;
        }
        let position = self.more.iter().position(|waiter| waiter.ticket == SHARED)?;
        Some(self.more.swap_remove(position).waker)
    }

    /// Takes out the wait with this ticket.
    #[inline]
    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<Waker> {
        let waiter = if self.first.as_ref().is_some_and(|first| first.ticket == ticket) {
            self.first.take()
        } else {
            let position = self.more.iter().position(|waiter| waiter.ticket == ticket);
            position.map(|position| self.more.swap_remove(position))
        };
        waiter.map(|waiter| waiter.waker)
    }

    /// Takes out the only waiter, if it waits for something in `ready`. `None` if there are several.
    #[inline]
    pub(super) fn take_lone(&mut self, ready: Ready) -> Option<Option<Waker>> {
        if !self.more.is_empty() {
            return None;
        }
        let lone = self.first.take_if(|first| first.mask.intersects(ready));
        Some(lone.map(|waiter| waiter.waker))
    }

    /// Takes out all who wait for something in `ready`.
    #[inline]
    pub(super) fn take(&mut self, ready: Ready) -> Taken {
        let first = self.first.take_if(|first| first.mask.intersects(ready));
        let mut more = Vec::new();
        for waiter in std::mem::take(&mut self.more) {
            let list = if waiter.mask.intersects(ready) { &mut more } else { &mut self.more };
            list.push(waiter);
        }
        Taken { first, more }
    }
}

impl Taken {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.more.is_empty()
    }
}

impl Iterator for Taken {
    type Item = Waker;

    #[inline]
    fn next(&mut self) -> Option<Waker> {
        self.first.take().or_else(|| self.more.pop()).map(|waiter| waiter.waker)
    }
}
