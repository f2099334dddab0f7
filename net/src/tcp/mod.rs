//! The halves of a TCP stream, borrowed ([`ReadHalf`], [`WriteHalf`]) and owned ([`OwnedReadHalf`],
//! [`OwnedWriteHalf`]), and a listener's [`Incoming`] stream.

mod connect;
pub(crate) mod listener;
mod options;
pub(crate) mod socket;
pub(crate) mod stream;

pub use listener::Incoming;

use crate::split;
use crate::tcp::stream::TcpStream;

/// The read half of a [`TcpStream`], from [`TcpStream::split`].
pub type ReadHalf<'a> = split::ReadHalf<'a, TcpStream>;
/// The write half of a [`TcpStream`], from [`TcpStream::split`].
pub type WriteHalf<'a> = split::WriteHalf<'a, TcpStream>;
/// The read half of a [`TcpStream`], from [`TcpStream::into_split`].
pub type OwnedReadHalf = split::OwnedReadHalf<TcpStream>;
/// The write half of a [`TcpStream`], from [`TcpStream::into_split`].
pub type OwnedWriteHalf = split::OwnedWriteHalf<TcpStream>;
#[doc(hidden)]
pub use split::pattern::*;
/// The two halves given to [`reunite`](split::OwnedReadHalf::reunite), which are of different streams.
pub type ReuniteError = split::ReuniteError<TcpStream>;
