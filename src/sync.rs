//! What threads meet by here, from `std::sync`: `runtime/tests/shuttle/` has shuttle's in its place.

pub(crate) use std::sync::{Mutex, MutexGuard};
