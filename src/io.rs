//! Bytes: the standard streams, moving bytes between descriptors, and waiting for any descriptor.
//!
//! - [`stdin`], [`stdout`], [`stderr`]: asynchronous without a helper thread, whatever they are.
//! - [`copy`], [`copy_bidirectional`], [`send_file`]: bytes that need not pass through the program.
//! - [`lines`]: a reader's lines, each for an await.
//! - [`ReadFd`], [`WriteFd`]: what every byte stream has; what the functions above take.
//! - [`Source`] and [`AsyncFd`]: a descriptor of any other kind. The first registers it when it first has
//!   to wait, the second at once, as tokio's does.

pub use runtime_core::io::*;
pub use runtime_net::io::*;
