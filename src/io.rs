//! Bytes: the standard streams, moving bytes between descriptors, and waiting for any descriptor.
//!
//! - [`stdin`], [`stdout`], [`stderr`]: asynchronous without a helper thread, whatever they are.
//! - [`copy`], [`copy_bidirectional`], [`send_file`]: bytes that need not pass through the program.
//! - [`lines`]: a reader's lines, each for an await.
//! - [`ReadFd`], [`WriteFd`]: what every byte stream has; what the functions above take.
//! - [`Source`] and [`AsyncFd`]: a descriptor of any other kind. The first registers it when it first has
//!   to wait, the second at once, as tokio's does.
//!
//! # Other crates' traits
//!
//! With a feature each, what is read and written here, and in [`net`](crate::net) and
//! [`process`](crate::process), has the traits of other crates as well, by value and by reference (`&TcpStream` can
//! be copied from and to in two tasks at once):
//!
//! - `futures-io`: `AsyncRead` and `AsyncWrite` of `futures::io`, smol, async-std, async-tungstenite;
//! - `tokio-io`: tokio's `AsyncRead` and `AsyncWrite`, and the methods with a `bytes::BufMut`, such as
//!   `try_read_buf` and `recv_buf`;
//! - `hyper`: hyper's `Read` and `Write`.
//!
//! Vectored writes leave by one system call. To shut down, or close, is to end the write direction of a socket, and
//! nothing elsewhere; flushing does nothing, as nothing is buffered. The wait of a poll stays with the descriptor
//! when its future is dropped: every task that polled is woken by the next event.
//! [`fs::File`](crate::fs::File) has these traits too, but hyper's.
//!
//! Where an extension trait is in scope, its methods and those of the types have the same names. The types' come
//! first, which take `&self`; the others are there by name, and for what is generic:
//!
//! ```
//! # #[cfg(feature = "tokio-io")]
//! # runtime::block_on(async {
//! use runtime::net::UnixStream;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! let (a, mut b) = UnixStream::pair()?;
//! a.write_all(b"one").await?; // the stream's own
//! AsyncWriteExt::write_all(&mut &a, b" two").await?; // the trait's, on a reference
//! AsyncWriteExt::write_u8(&mut &a, b'!').await?; // only the trait has it
//!
//! let mut text = [0; 8];
//! AsyncReadExt::read_exact(&mut b, &mut text).await?;
//! assert_eq!(&text, b"one two!");
//!
//! async fn greet(stream: &mut (impl AsyncWriteExt + Unpin)) -> std::io::Result<()> {
//!     stream.write_all(b"hello").await // the trait's, the only one there is
//! }
//! greet(&mut b).await?;
//! # std::io::Result::Ok(()) }).unwrap();
//! ```

pub use runtime_core::io::*;
pub use runtime_net::io::*;
