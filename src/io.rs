//! Bytes: waiting for any descriptor, the traits of byte streams, and moving bytes between them.

pub use runtime_core::io::*;
pub use runtime_net::io::*;
