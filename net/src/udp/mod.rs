//! UDP: the socket, and what goes along with a datagram.
//!
//! - [`UdpSocket`](crate::UdpSocket), one datagram a call, by tokio's names.
//! - [`send_many`](crate::UdpSocket::send_many) and [`recv_many`](crate::UdpSocket::recv_many):
//!   several datagrams a call, each a [`Datagram`] with its own peer, source address and type of
//!   service on the way out, and a buffer with its [`Received`] on the way in.
//! - [`send_segmented`](crate::UdpSocket::send_segmented) and
//!   [`recv_segmented`](crate::UdpSocket::recv_segmented): one buffer of many datagrams, cut and put
//!   together by the kernel (GSO and GRO).

mod batch;
mod datagram;
mod options;
mod segments;
pub(crate) mod socket;

pub use datagram::{Datagram, Received};
