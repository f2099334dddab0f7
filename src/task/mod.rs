//! Tasks: spawning futures, waiting for them, cancelling them.

#[doc(inline)]
pub use runtime_core::task::*;
