//! Bytes: the standard streams, and lines. Applications see this as part of `runtime::io`.

pub use crate::lines::{Lines, lines};
pub use crate::stdio::{Stderr, Stdin, Stdout, stderr, stdin, stdout};
