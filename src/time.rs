//! Time: sleeping, and the clock that tests can stop.

#[doc(inline)]
pub use runtime_core::time::*;
