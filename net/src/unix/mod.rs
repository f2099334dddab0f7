//! What belongs to Unix: pipes, and of its sockets the names, credentials, passed descriptors and halves.
//!
//! # Which socket?
//!
//! [`UnixStream`] carries bytes over a connection, [`UnixSeqpacket`](crate::UnixSeqpacket) messages over
//! a connection, [`UnixDatagram`](crate::UnixDatagram) messages to whoever has a name. All of them keep
//! their order and lose nothing on the way; a sender waits while there is no room.
//!
//! A name that is a path stays in the file system when its socket is gone: remove it before binding
//! again. An [abstract](SocketAddr) one goes by itself.
//!
//! # Passing descriptors
//!
//! `send_with_fds` sends duplicates of descriptors along with a message, and `recv_with_fds` receives
//! them (`SCM_RIGHTS` of unix(7)): at most 253 at a time, closed on exec. The receiver says how many it
//! takes; the kernel closes those beyond, and [`fds_truncated`](WithFds::fds_truncated) tells. So it
//! does with all of them where they meet a plain `read` or `recv`, of which nothing tells.
//!
//! On a stream the descriptors go with the first byte of their message, so it must have one; a read
//! stops after the bytes that they came with, so those of two messages are never mixed.
//!
//! ```
//! # runtime::block_on(async {
//! use std::fs::File;
//! use std::io::Read;
//! use std::os::fd::AsFd;
//! use runtime::net::UnixStream;
//!
//! let (ours, theirs) = UnixStream::pair()?;
//! let file = File::open("/proc/self/comm")?;
//! ours.send_with_fds(b"a file", &[file.as_fd()]).await?;
//!
//! let mut buf = [0; 64];
//! let mut received = theirs.recv_with_fds(&mut buf, 1).await?;
//! assert_eq!(&buf[..received.len], b"a file");
//! let fd = received.fds.pop().expect("it came along");
//! let mut text = String::new();
//! File::from(fd).read_to_string(&mut text)?;
//! # assert!(!text.is_empty());
//! # std::io::Result::Ok(()) }).unwrap();
//! ```
//!
//! # A full backlog
//!
//! Where connect(2) finds that as many clients wait as the listener allows for, the kernel offers
//! nothing to wait for: a nonblocking connect fails with `EAGAIN`, and no event tells of room. `connect`
//! here tries again, after 1 ms at first and then after twice as long each time, up to 64 ms, for as
//! long as it is polled. tokio's returns the error.

mod addr;
mod connect;
pub(crate) mod datagram;
mod fds;
pub(crate) mod listener;
mod messages;
pub mod pipe;
mod scout;
pub(crate) mod seqpacket;
pub(crate) mod socket;
pub(crate) mod stream;
mod ucred;

pub use addr::SocketAddr;
pub use fds::WithFds;
pub use listener::Incoming;
pub use seqpacket::{Record, SeqpacketIncoming};
pub use ucred::{UCred, gid_t, pid_t, uid_t};

use crate::split;
use crate::unix::stream::UnixStream;

/// The read half of a [`UnixStream`], from [`UnixStream::split`].
pub type ReadHalf<'a> = split::ReadHalf<'a, UnixStream>;
/// The write half of a [`UnixStream`], from [`UnixStream::split`].
pub type WriteHalf<'a> = split::WriteHalf<'a, UnixStream>;
/// The read half of a [`UnixStream`], from [`UnixStream::into_split`].
pub type OwnedReadHalf = split::OwnedReadHalf<UnixStream>;
/// The write half of a [`UnixStream`], from [`UnixStream::into_split`].
pub type OwnedWriteHalf = split::OwnedWriteHalf<UnixStream>;
#[doc(hidden)]
pub use split::pattern::*;
/// The two halves given to [`reunite`](split::OwnedReadHalf::reunite), which are of different streams.
pub type ReuniteError = split::ReuniteError<UnixStream>;
