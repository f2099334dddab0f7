//! What listeners of all kinds do to accept: past connections that failed, and on when the process has
//! no descriptor left.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use runtime_core::Handle;
use runtime_core::io::Source;
use runtime_core::time::{Instant, Sleep, sleep_until};

use crate::error::explain;
use crate::sys;

/// A listening socket.
pub(crate) struct Acceptor<L> {
    io: Source<L>,
    exclusive: bool,
    /// Made by the first try that finds no descriptor left.
    exhaustion: OnceLock<Mutex<Exhaustion>>,
}

impl<L: AsFd> Acceptor<L> {
    /// Around a socket that is nonblocking already.
    #[inline]
    pub(crate) fn new(listener: L) -> Acceptor<L> {
        Acceptor { io: Source::new(listener), exclusive: false, exhaustion: OnceLock::new() }
    }

    #[inline]
    pub(crate) fn get_ref(&self) -> &L {
        self.io.get_ref()
    }

    #[inline]
    pub(crate) fn into_inner(self) -> L {
        self.io.into_inner()
    }

    #[inline]
    pub(crate) fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    /// Whether a connection wakes only one of those that wait for this socket, in whatever runtime.
    #[inline]
    pub(crate) fn set_exclusive(&mut self, exclusive: bool) {
        // The kernel does not change one kind of registration into the other.
        self.io.deregister();
        self.exclusive = exclusive;
    }

    /// The next connection, by `accept`, which is accept4(2). Dropping the future loses none.
    #[inline]
    pub(crate) async fn accept<C>(
        &self,
        mut accept: impl FnMut(&L) -> io::Result<C>,
    ) -> io::Result<C> {
        loop {
            let accepted = match self.exclusive {
                true => self.io.read_exclusive_with(&mut accept).await,
                false => self.io.read_with(&mut accept).await,
            };
            match accepted {
                Ok(connection) => return Ok(self.accepted(connection)),
                // The next try is an operation of its own, so that a listener of which each connection has
                // failed lets others run.
                Err(error) if sys::is_of_new_socket(&error) => {}
                Err(error) => sleep_until(self.next_try(error)?).await,
            }
        }
    }

    /// As [`accept`](Self::accept), for futures written by hand.
    #[inline]
    pub(crate) fn poll_accept<C>(
        &self,
        cx: &mut Context<'_>,
        mut accept: impl FnMut(&L) -> io::Result<C>,
    ) -> Poll<io::Result<C>> {
        loop {
            let accepted = ready!(match self.exclusive {
                true => self.io.poll_read_exclusive_with(cx, &mut accept),
                false => self.io.poll_read_with(cx, &mut accept),
            });
            match accepted {
                Ok(connection) => return Poll::Ready(Ok(self.accepted(connection))),
                Err(error) if sys::is_of_new_socket(&error) => {}
                Err(error) => {
                    let until = self.next_try(error)?;
                    ready!(self.poll_sleep(until, cx));
                }
            }
        }
    }

    #[inline]
    fn accepted<C>(&self, connection: C) -> C {
        if self.exhaustion.get().is_some() {
            self.exhaustion().pause = None;
        }
        connection
    }

    /// When to try again after this error, or the error for the caller.
    #[inline]
    fn next_try(&self, error: io::Error) -> io::Result<Instant> {
        let Some(what) = sys::exhausted(&error) else { return Err(error) };
        // Without a runtime there is no timer to wait by.
        let has_timers = Handle::try_current().is_ok();
        let next = if has_timers { self.exhaustion().next_try(Instant::now()) } else { None };
        next.ok_or_else(|| {
            explain(
                error,
                format_args!("accepting a connection, which waits until it can be: {what}"),
            )
        })
    }

    /// Pending until then, whoever else waits. The lock is not held where wakers and timers are
    /// cloned, polled or dropped.
    #[inline]
    fn poll_sleep(&self, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let mut sleep = Box::pin(sleep_until(until));
        if sleep.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let sleeper = (cx.waker().clone(), sleep);
        let gone = self.exhaustion().put(sleeper);
        drop(gone);
        Poll::Pending
    }

    #[inline]
    fn exhaustion(&self) -> MutexGuard<'_, Exhaustion> {
        let state = self.exhaustion.get_or_init(Mutex::default);
        state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pauses of a listener that has run out of descriptors.
///
/// An error is told at most once per pause: the first at once, opening a pause, and the next when a
/// try at or after its end fails too, opening one twice as long. Within a pause a call that fails
/// tries again now and then, which is cheap, so that clients do not wait for the end of it.
#[derive(Default)]
struct Exhaustion {
    pause: Option<Pause>,
    /// The tasks that wait in `poll_accept`, each with a timer of its own: a task that goes away
    /// must not take the others' wake with it.
    sleepers: Vec<Sleeper>,
}

struct Pause {
    until: Instant,
    length: Duration,
}

type Sleeper = (Waker, Pin<Box<Sleep>>);

impl Exhaustion {
    const BETWEEN_TRIES: Duration = Duration::from_millis(10);
    const SHORTEST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_secs(1);

    /// When to try again in the current pause; at or after its end, opens the next and returns `None`.
    #[inline]
    fn next_try(&mut self, now: Instant) -> Option<Instant> {
        let length = match self.pause {
            Some(Pause { until, .. }) if now < until => {
                return Some(until.min(now + Self::BETWEEN_TRIES));
            }
            Some(Pause { length, .. }) => (length * 2).min(Self::LONGEST),
            None => Self::SHORTEST,
        };
        self.pause = Some(Pause { until: now + length, length });
        None
    }

    /// Adds a sleeper and gives back those it replaces and those whose time has come.
    #[inline]
    fn put(&mut self, sleeper: Sleeper) -> Vec<Sleeper> {
        let (gone, waiting) = self
            .sleepers
            .drain(..)
            .partition(|(waker, sleep)| sleep.is_elapsed() || waker.will_wake(&sleeper.0));
        self.sleepers = waiting;
        self.sleepers.push(sleeper);
        gone
    }
}
