//! Bytes: the standard streams, lines, and moving bytes. Applications see this as part of `runtime::io`.

pub use crate::copy::{copy, copy_bidirectional, send_file};
pub use crate::lines::{Lines, lines};
pub use crate::stdio::{Stderr, Stdin, Stdout, stderr, stdin, stdout};
