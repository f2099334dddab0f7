//! Connecting, and what to do while the listener's backlog is full.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use runtime_core::Handle;
use runtime_core::task::consume_budget;
use runtime_core::time::sleep;

use crate::error::explain;
use crate::sys::{self, UnixKind};
use crate::unix::SocketAddr;

const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(64);

/// A new socket, connected.
#[inline]
pub(super) async fn connect_new(kind: UnixKind, addr: &SocketAddr) -> io::Result<OwnedFd> {
    let socket = sys::unix_socket(kind)
        .map_err(|error| explain(error, format_args!("making a socket to connect to {addr:?}")))?;
    connect(socket, addr).await
}

/// Connects a nonblocking socket. The future owns it, so dropping the future closes it.
#[inline]
pub(super) async fn connect(socket: OwnedFd, addr: &SocketAddr) -> io::Result<OwnedFd> {
    // As a rule nothing here waits, so this lets the others run.
    consume_budget().await;
    let mut pause = SHORTEST_PAUSE;
    loop {
        match sys::unix_connect(socket.as_fd(), addr.as_std()) {
            Ok(()) => return Ok(socket),
            // The backlog is full. Without a runtime there is no timer to wait by.
            Err(error)
                if error.kind() == io::ErrorKind::WouldBlock && Handle::try_current().is_ok() => {}
            Err(error) => return Err(explain(error, format_args!("connecting to {addr:?}"))),
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
