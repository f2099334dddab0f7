//! Connecting: to one address, and to the first of several that answers ([RFC 8305]).
//!
//! `connect(2)` comes first and the registration after it: a socket that is neither connected nor
//! connecting is reported as hung up, and that mark stays.
//!
//! [RFC 8305]: https://www.rfc-editor.org/rfc/rfc8305

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::vec;

use runtime_core::io::Source;
use runtime_core::time::{Instant, Sleep, sleep};

use crate::addr::{Addrs, no_address};
use crate::error::{explain, explain_all};
use crate::sys::{self, Family};
use crate::tcp::stream::TcpStream;

/// For how long an attempt is the latest before the next address is tried beside it: the RFC's
/// Connection Attempt Delay, as recommended there.
const STAGGER: Duration = Duration::from_millis(250);

/// Connects to the first of the addresses that answers. Dropping the future closes all its sockets.
#[inline]
pub(super) async fn connect_any(addrs: Addrs) -> io::Result<TcpStream> {
    let mut race = Race::new(interleave(addrs.collect()));
    poll_fn(|cx| race.poll(cx)).await
}

/// Connects a nonblocking socket. The future owns it, so dropping the future closes it.
#[inline]
pub(super) async fn connect(socket: OwnedFd, addr: SocketAddr) -> io::Result<TcpStream> {
    let connected = async {
        let attempt = Attempt::begin(socket, addr)?;
        poll_fn(|cx| attempt.poll(cx)).await?;
        Ok(attempt.into_stream())
    };
    connected.await.map_err(|error| failed(addr, error))
}

/// The addresses with their families taking turns, beginning with the first one's, so that a family
/// without a route costs one stagger at most.
#[inline]
fn interleave(addrs: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addrs.first() else { return addrs };
    let (family, other): (Vec<_>, Vec<_>) =
        addrs.iter().partition(|addr| addr.is_ipv4() == first.is_ipv4());
    let mut other = other.into_iter();
    let mut turns = Vec::with_capacity(addrs.len());
    for addr in family {
        turns.push(addr);
        turns.extend(other.next());
    }
    turns.extend(other);
    turns
}

/// A connection being made. Dropping it gives it up and closes the socket.
struct Attempt {
    addr: SocketAddr,
    socket: Source<std::net::TcpStream>,
    /// Said by connect(2) itself, as with fast open, where the handshake waits for the first write.
    connected: bool,
}

impl Attempt {
    #[inline]
    fn begin(socket: OwnedFd, addr: SocketAddr) -> io::Result<Attempt> {
        let connected = match sys::connect(socket.as_fd(), addr) {
            Ok(()) => true,
            Err(error) if sys::is_connecting(&error) => false,
            // It goes on by itself then too, and calling it again would be wrong.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => false,
            Err(error) => return Err(error),
        };
        Ok(Attempt { addr, socket: Source::new(socket.into()), connected })
    }

    #[inline]
    fn poll(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.connected {
            return Poll::Ready(Ok(()));
        }
        self.socket.poll_write_with(cx, has_connected)
    }

    #[inline]
    fn into_stream(self) -> TcpStream {
        TcpStream::from_source(self.socket)
    }
}

/// Whether the connection stands: `WouldBlock` while it is being made, and how it failed after.
#[inline]
fn has_connected(socket: &std::net::TcpStream) -> io::Result<()> {
    match socket.peer_addr() {
        Ok(_) => Ok(()),
        Err(error) if sys::is_not_connected(&error) => {
            Err(socket.take_error()?.unwrap_or_else(|| io::ErrorKind::WouldBlock.into()))
        }
        Err(error) => Err(error),
    }
}

/// Attempts at several addresses, of which the first to succeed wins.
///
/// The next begins when one has failed, or when the latest has been under way for the stagger.
struct Race {
    to_try: vec::IntoIter<SocketAddr>,
    under_way: Vec<Attempt>,
    failed: Vec<(SocketAddr, io::Error)>,
    /// The end of the latest attempt's stagger. Made when the first attempt has to wait.
    stagger: Option<Sleep>,
}

impl Race {
    #[inline]
    fn new(addrs: Vec<SocketAddr>) -> Race {
        let (under_way, failed) = (Vec::new(), Vec::new());
        Race { to_try: addrs.into_iter(), under_way, failed, stagger: None }
    }

    #[inline]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        loop {
            let failed_before = self.failed.len();
            if let Some(winner) = self.poll_attempts(cx) {
                return Poll::Ready(Ok(winner.into_stream()));
            }
            if self.to_try.as_slice().is_empty() {
                return if self.under_way.is_empty() {
                    Poll::Ready(Err(none_connected(std::mem::take(&mut self.failed))))
                } else {
                    Poll::Pending
                };
            }
            let one_failed = self.failed.len() > failed_before;
            if !(one_failed || self.under_way.is_empty()) {
                ready!(self.poll_stagger(cx));
            }
            self.begin_next();
        }
    }

    /// The attempt that has succeeded, if one has. Those that failed are put with the others.
    #[inline]
    fn poll_attempts(&mut self, cx: &mut Context<'_>) -> Option<Attempt> {
        let mut i = 0;
        while let Some(attempt) = self.under_way.get(i) {
            match attempt.poll(cx) {
                Poll::Ready(Ok(())) => return Some(self.under_way.remove(i)),
                Poll::Ready(Err(error)) => {
                    self.failed.push((self.under_way.remove(i).addr, error));
                }
                Poll::Pending => i += 1,
            }
        }
        None
    }

    #[inline]
    fn poll_stagger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let stagger = self.stagger.get_or_insert_with(|| sleep(STAGGER));
        Pin::new(stagger).poll(cx)
    }

    /// Begins the next attempt, past those that fail at once.
    #[inline]
    fn begin_next(&mut self) {
        for addr in self.to_try.by_ref() {
            match sys::tcp_socket(Family::of(&addr)).and_then(|fd| Attempt::begin(fd, addr)) {
                Ok(attempt) => {
                    self.under_way.push(attempt);
                    break;
                }
                Err(error) => self.failed.push((addr, error)),
            }
        }
        if let Some(stagger) = &mut self.stagger {
            Pin::new(stagger).reset(Instant::now() + STAGGER);
        }
    }
}

#[inline]
fn failed(addr: SocketAddr, error: io::Error) -> io::Error {
    explain(error, format_args!("connecting to {addr}"))
}

/// All errors in one, of the kind of the last that came from an address that could be reached.
#[inline]
fn none_connected(mut failures: Vec<(SocketAddr, io::Error)>) -> io::Error {
    if failures.len() <= 1 {
        return failures.pop().map_or_else(no_address, |(addr, error)| failed(addr, error));
    }
    let telling = failures.iter().rposition(|(_, error)| !sys::is_unreachable(error));
    let telling = telling.unwrap_or(failures.len() - 1);
    let count = failures.len();
    explain_all(failures, telling, format_args!("connecting to any of {count} addresses"))
}
