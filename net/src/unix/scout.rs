//! Waiting for room at a receiver that the sender is not connected to.
//!
//! The kernel tells a datagram socket of room in the queue of the peer that it is connected to, and of no
//! other's: who sends to a full queue by name gets `EAGAIN`, while epoll and poll(2) report the socket
//! writable, once or for ever. So a second socket is connected to that name, for as long as one waits, and
//! its readiness is the answer.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use runtime_core::io::Source;

use crate::error::explain;
use crate::sys::{self, UnixKind};
use crate::unix::SocketAddr;

/// One try to send to `target`: `WouldBlock` if the socket's own buffer is full, `None` if the queue there
/// is.
#[inline]
pub(super) fn send_to(
    socket: &UnixDatagram,
    buf: &[u8],
    target: &SocketAddr,
) -> io::Result<Option<usize>> {
    match socket.send_to_addr(buf, target.as_std()) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            if sys::has_full_send_buffer(socket.as_fd())? { Err(error) } else { Ok(None) }
        }
        result => result.map(Some),
    }
}

/// A socket that is connected to a receiver to see whether it has room, and for nothing else.
pub(super) struct Scout {
    io: Source<UnixDatagram>,
}

impl Scout {
    /// What looks at the receiver that has the name now. It may refuse: then the sender tries once more,
    /// as its own error tells more.
    #[inline]
    pub(super) fn at(target: &SocketAddr) -> io::Result<Scout> {
        let socket = sys::unix_socket(UnixKind::Datagram)
            .and_then(|socket| sys::unix_connect(socket.as_fd(), target.as_std()).map(|()| socket))
            .map_err(|error| {
                explain(
                    error,
                    format_args!(
                        "waiting for room at {target:?}, by a socket that is connected to it"
                    ),
                )
            })?;
        Ok(Scout { io: Source::new(socket.into()) })
    }

    /// Waits until the receiver has room, or is gone.
    #[inline]
    pub(super) async fn room(&self) -> io::Result<()> {
        self.io.write_with(has_room).await
    }

    /// As [`room`](Self::room), for futures written by hand.
    #[inline]
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_write_with(cx, has_room)
    }
}

#[inline]
fn has_room(scout: &UnixDatagram) -> io::Result<()> {
    if sys::is_writable(scout.as_fd())? { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
}

/// The scouts of `poll_send_to`, of which no future keeps one: each with the task that waits for it.
#[derive(Default)]
pub(super) struct Scouts {
    /// Made by the first wait.
    waits: OnceLock<Mutex<Vec<Wait>>>,
}

type Wait = (Waker, Scout);

impl Scouts {
    /// Keeps the scout of a task until the same task brings the next, or another one finds that there
    /// is room where this one looks. A task that goes away may leave one behind till then.
    #[inline]
    pub(super) fn put(&self, waker: &Waker, scout: Scout) {
        let wait = (waker.clone(), scout);
        let waits = self.waits.get_or_init(Mutex::default);
        // Wakers are foreign code, so they are dropped and woken without the lock.
        let (replaced, done) = {
            let mut waits = waits.lock().unwrap_or_else(PoisonError::into_inner);
            let (replaced, others): (Vec<_>, Vec<_>) =
                waits.drain(..).partition(|(other, _)| other.will_wake(waker));
            let (done, waiting): (Vec<_>, Vec<_>) =
                others.into_iter().partition(|(_, scout)| has_room(scout.io.get_ref()).is_ok());
            *waits = waiting;
            waits.push(wait);
            (replaced, done)
        };
        drop(replaced);
        // With the scout goes the event that its task waits for.
        done.into_iter().for_each(|(other, _scout)| other.wake());
    }
}
