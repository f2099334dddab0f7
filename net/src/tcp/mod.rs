//! The halves of a TCP stream, borrowed ([`ReadHalf`], [`WriteHalf`]) and owned ([`OwnedReadHalf`],
//! [`OwnedWriteHalf`]), and a listener's [`Incoming`] stream.

mod connect;
pub(crate) mod listener;
pub(crate) mod socket;
mod split;
pub(crate) mod stream;

pub use listener::Incoming;
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
