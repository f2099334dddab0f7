//! Sockets, pipes and child processes for `epoll-runtime`, on the engine's public API alone.
//!
//! Applications see this crate as `runtime::net`; what moves bytes, with the standard streams, in
//! `runtime::io`; and children in `runtime::process`. Names, signatures and meaning are tokio's.
//!
//! - [`TcpListener`] and [`TcpStream`], and the stream's halves in [`tcp`]; [`TcpSocket`] where
//!   options must be set before `bind` or `connect`.
//! - [`UdpSocket`], and what goes along with a datagram in [`udp`].
//! - [`UnixListener`], [`UnixStream`], [`UnixDatagram`], [`UnixSeqpacket`]; names, credentials and
//!   passed descriptors in [`unix`], and pipes in [`unix::pipe`].
//! - [`ToSocketAddrs`] and [`lookup_host`].
//!
//! [`io`] and [`process`] are part of `runtime::io`, and `runtime::process`: look there.
//!
//! Every operation takes `&self`, so tasks share a socket by `&`, `Rc` or `Arc`; any number of them
//! may wait on it. Sockets are `Send` and `Sync`. A socket registers with the runtime it first waits
//! on, not when it is made.
//!
//! # Byte streams
//!
//! TCP and Unix streams, their halves, pipes, the standard streams and those of children have the same methods,
//! without a trait to import:
//!
//! ```
//! use std::io::{ErrorKind, IoSlice};
//!
//! use runtime::io::{Interest, Ready};
//! use runtime::net::UnixStream;
//!
//! # runtime::block_on(async {
//! let (ours, theirs) = UnixStream::pair()?;
//!
//! // What there is room for, and all of it, waiting for room.
//! let written = ours.write(b"ab").await?;
//! assert_eq!(written, 2);
//! ours.write_all(b"cdefgh").await?;
//! ours.write_vectored(&[IoSlice::new(b"i"), IoSlice::new(b"j")]).await?;
//!
//! // What is there, and a known length of it.
//! let mut buf = [0; 4];
//! assert_eq!(theirs.read(&mut buf).await?, 4);
//! theirs.read_exact(&mut buf).await?;
//! assert_eq!(&buf, b"efgh");
//!
//! // Now or not at all; and waiting for the readiness alone.
//! assert_eq!(theirs.try_read(&mut buf)?, 2);
//! assert_eq!(theirs.try_read(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
//! ours.writable().await?;
//! assert_eq!(ours.try_write(b"kl")?, 2);
//! theirs.readable().await?;
//! assert!(theirs.ready(Interest::READABLE).await?.contains(Ready::READABLE));
//!
//! // A call of the caller's own, repeated while it says `WouldBlock`.
//! let k = theirs
//!     .async_io(Interest::READABLE, || {
//!         let mut byte = [0; 1];
//!         theirs.try_read(&mut byte).map(|_| byte[0])
//!     })
//!     .await?;
//! assert_eq!(k, b'k');
//!
//! // The end of what is written, and everything until the end. `flush` has nothing to do.
//! ours.flush().await?;
//! ours.shutdown().await?;
//! let mut rest = String::new();
//! theirs.read_to_string(&mut rest).await?;
//! assert_eq!(rest, "l");
//! assert_eq!(theirs.read_to_end(&mut Vec::new()).await?, 0);
//! # std::io::Result::Ok(()) }).unwrap();
//! ```
//!
//! # Errors
//!
//! An error that names the operation keeps the system's error inside: its
//! [`kind`](std::io::Error::kind) is that one's, and its source is that one; only
//! [`raw_os_error`](std::io::Error::raw_os_error) is `None`, where tokio gives the bare error.
//!
//! # The path of one read
//!
//! 1. [`TcpStream::read`] hands `recv(2)` on the nonblocking socket, as a closure, to the
//!    [`Source`](runtime_core::io::Source) around it.
//! 2. The source tries it at once. With data in the queue that was all: one system call. If less
//!    came than was asked for, the queue is empty now (true of TCP alone), and the source remembers
//!    that, which saves the next read the try that would fail.
//! 3. Else the kernel says `EAGAIN`. At the first of these the source adds the socket to epoll; it
//!    then notes the task's waker and the future is pending.
//! 4. The turn in which epoll reports the socket readable wakes the task, whose poll tries again.
//!
//! Dropping the future at any point forgets the waker and nothing else: the bytes are in the
//! caller's buffer or still in the kernel's queue.

mod acceptor;
mod addr;
mod copy;
mod error;
mod fd_traits;
pub mod io; // applications see it as `runtime::io`
mod lines;
mod methods;
mod options;
pub mod process; // applications see it as `runtime::process`
pub mod split;
mod stdio;
mod sys;
pub mod tcp;
#[cfg(any(feature = "futures-io", feature = "hyper", feature = "tokio-io"))]
mod traits;
pub mod udp;
pub mod unix;

pub use addr::{ToSocketAddrs, lookup_host};
pub use tcp::listener::TcpListener;
pub use tcp::socket::TcpSocket;
pub use tcp::stream::TcpStream;
pub use udp::socket::UdpSocket;
pub use unix::datagram::UnixDatagram;
pub use unix::listener::UnixListener;
pub use unix::seqpacket::{UnixSeqpacket, UnixSeqpacketListener};
pub use unix::socket::UnixSocket;
pub use unix::stream::UnixStream;
