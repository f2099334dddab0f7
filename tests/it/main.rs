//! What a user could write, in one binary: a file per room.

#[path = "../support/mod.rs"]
mod support;

mod async_fd;
mod auto_traits;
mod blocking;
mod clock;
mod gone;
mod handle;
mod join_set;
mod panics_in_tasks;
mod reactor;
mod task;
mod task_local;
mod threads;
mod time;
mod timer;
mod turn;
mod unix;
mod waker;
