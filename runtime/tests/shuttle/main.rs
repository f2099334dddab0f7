//! The whole engine over shuttle, and of the facade what threads meet in: its own files, with threads, locks, atomics, thread-locals and the waits in
//! the kernel replaced by those of `sync.rs` and `sys.rs` here. A story is told in many orders of its
//! threads, chosen at random and by priorities (PCT), and repeats by its seed. A lost wake shows as a
//! deadlock. All is sequentially consistent: what is not is for the models of `loom_*.rs`.
//!
//! `INTERLEAVINGS=1000` asks for other than the usual number of orders for each story, and
//! `INTERLEAVINGS_SEED=7` for others; a failure says what repeats it. An argument is a part of a story's name.
#![allow(unsafe_code, reason = "the engine's rooms, and statics that begin anew")]
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
mod run;
mod stories;

fn main() {
    run::main(&stories::all(), explore::explore);
}
