//! The stories of `shuttle/` with threads, futexes and epoll as the system has them, again and again: what the
//! models make of those is held against the real ones, at whatever moments the machine comes to.
//!
//! `ROUNDS=100000` asks for more of each. An argument is a part of a story's name.
#![allow(unsafe_code, reason = "the engine's rooms, and a signal")]
#![allow(
    dead_code,
    unused_imports,
    unexpected_cfgs,
    unreachable_pub,
    missing_docs,
    missing_debug_implementations,
    clippy::large_enum_variant,
    reason = "the engine's own files, of which this uses a part"
)]

extern crate self as runtime_core;

#[path = "../../src/blocking.rs"]
mod blocking;
#[path = "../../src/builder.rs"]
mod builder;
#[path = "../../src/context.rs"]
mod context;
#[path = "../../src/coop.rs"]
mod coop;
#[path = "../../src/core.rs"]
mod core;
#[path = "../../src/dump/mod.rs"]
pub mod dump;
#[path = "../../src/embed.rs"]
mod embed;
#[path = "../../src/fork.rs"]
mod fork;
#[path = "../../src/handle.rs"]
mod handle;
#[path = "../../src/name.rs"]
mod name;
#[path = "../../src/observe/mod.rs"]
mod observe;
#[path = "../../src/per_core.rs"]
mod per_core;
#[path = "../../src/reactor/mod.rs"]
mod reactor;
#[path = "../../src/rng.rs"]
mod rng;
#[path = "../../src/runtime.rs"]
mod runtime;
#[path = "../../src/signal/mod.rs"]
pub mod signal;
#[path = "../../src/spans.rs"]
mod spans;
mod sync;
mod sys;
#[path = "../../src/task/mod.rs"]
pub mod task;
#[path = "../../src/timer/mod.rs"]
mod timer;
#[path = "../../src/turn.rs"]
mod turn;
#[path = "../../src/wakeups/mod.rs"]
mod wakeups;

pub use crate::builder::{Builder, UnhandledPanic};
pub use crate::handle::{EnterGuard, Handle};
pub use crate::runtime::{Runtime, block_on};

/// What the facade takes from here.
pub mod __private {
    pub use crate::rng::random_below;
    pub use crate::sys::context;
    pub use crate::task::remote_join::try_spawn_blocking;
}

#[path = "../../../src/fs/mod.rs"]
mod fs;
#[path = "../../../src/task/join_set.rs"]
mod join_set;

mod explore;
#[path = "../shuttle/run.rs"]
mod run;
#[path = "../shuttle/stories/mod.rs"]
mod stories;

fn main() {
    run::main(&stories::all(), explore::explore);
}
