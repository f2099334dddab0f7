//! What a user could write, in one binary: a file per room.

#[path = "../support/mod.rs"]
mod support;

mod task;
