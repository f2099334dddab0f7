//! Connecting: `connect(2)` first, the registration after it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use runtime_core::io::Source;

use crate::addr::{Addrs, no_address};
use crate::error::explain;
use crate::sys::{self, Family};
use crate::tcp::stream::TcpStream;

/// Tries the addresses in order; the last error wins.
pub(super) async fn connect_any(addrs: Addrs) -> io::Result<TcpStream> {
    let mut last = None;
    for addr in addrs {
        match connect_new(addr).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(no_address))
}

async fn connect_new(addr: SocketAddr) -> io::Result<TcpStream> {
    let socket = sys::tcp_socket(Family::of(&addr))
        .map_err(|error| explain(error, format_args!("making a socket to connect to {addr}")))?;
    connect(socket, addr).await
}

/// Connects a nonblocking socket. The future owns it, so dropping the future closes it.
pub(super) async fn connect(socket: OwnedFd, addr: SocketAddr) -> io::Result<TcpStream> {
    let explain = |error| explain(error, format_args!("connecting to {addr}"));
    let begun = sys::connect(socket.as_fd(), addr);
    let stream = Source::new(std::net::TcpStream::from(socket));
    match begun {
        Ok(()) => {}
        Err(error) if sys::is_connecting(&error) => {
            stream.write_with(finished).await.map_err(explain)?;
        }
        Err(error) => return Err(explain(error)),
    }
    Ok(TcpStream::from_source(stream))
}

/// Whether the connection stands: `WouldBlock` while it is being made, and how it failed after.
fn finished(stream: &std::net::TcpStream) -> io::Result<()> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(()),
        Err(error) if sys::is_not_connected(&error) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error),
    }
}
