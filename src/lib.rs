//! An async runtime for when one thread is enough: single-threaded, on Linux epoll.
//!
//! ```no_run
//! use runtime::net::TcpListener;
//!
//! #[runtime::main]
//! async fn main() -> std::io::Result<()> {
//!     let listener = TcpListener::bind("127.0.0.1:7000").await?;
//!     loop {
//!         let (stream, _) = listener.accept().await?;
//!         runtime::spawn(async move {
//!             let mut buf = [0; 1024];
//!             while let Ok(n @ 1..) = stream.read(&mut buf).await {
//!                 if stream.write_all(&buf[..n]).await.is_err() {
//!                     break;
//!                 }
//!             }
//!         });
//!     }
//! }
//! ```
//!
//! One thread runs everything: tasks need not be `Send`, a switch between them is a function call, and
//! nothing needs a lock. Where tokio has a name for something, the name, the signature and the meaning
//! here are tokio's; the items say where they differ.
//!
//! # Where things are
//!
//! - [`main`] and [`test`](macro@test) make a runtime for a function; [`block_on`] does for a future;
//!   [`Builder`] and [`Runtime`] give control over it.
//! - [`spawn`] and [`task`]: running futures beside each other, waiting for them, cancelling them.
//! - [`net`]: TCP, UDP and Unix sockets, and pipes.
//! - [`time`]: sleeping, timeouts, intervals, and a clock that tests can stop.
//! - [`io`]: the standard streams, moving bytes, and waiting for any other file descriptor.
//! - [`signal`]: Ctrl-C, and every other signal.
//! - [`process`]: child processes.
//! - [`fs`]: files, on the blocking pool.
//! - [`join!`], [`try_join!`], [`select!`]: several futures in one task.
//! - [`Handle`] and [`spawn_blocking`]: other threads. [`per_core`]: a runtime on each core.
//! - [`dump`]: what is alive, and what it waits for.
//! - [`epoll`]: the layer below, without the runtime.
//!
//! And the [guide], in chapters: a [first program](guide::first_program), [moving from
//! tokio](guide::from_tokio), [one thread](guide::one_thread) and `Send`, [what dropping
//! loses](guide::cancellation), [testing](guide::testing), [command-line tools](guide::command_line), [inside
//! another program's loop](guide::embedding), [how epoll is used](guide::epoll), [what to use beside
//! it](guide::libraries), and [when not to](guide::when_not).
//!
//! Sockets, timers, wakers and handles are `Send` and work on any thread. The one place where a waker may
//! not be used is a signal handler: let a task wait for the [`signal`] instead, or write to an
//! [`epoll::EventFd`].
//!
//! Channels and locks are other crates' business: those of `futures`, `async-channel` and `tokio::sync`
//! run here.
//!
//! # Features
//!
//! - `macros`, on by default: `#[runtime::main]` and `#[runtime::test]`.
//! - `futures-io`, `tokio-io`, `hyper`: the traits of those crates for every byte stream; with the last also
//!   `runtime::hyper`, its executor and timer.
//! - `tracing`: a span for every task, which is entered while it is polled: `task` of the target
//!   `runtime::task`, at the level `TRACE`, with the fields `id`, `name` if it has one, and `place`, where it was
//!   spawned; its parent is the span that is current there. [`spawn_blocking`] makes one called `blocking`. A panic
//!   that nobody awaits is an event at the level `ERROR`, besides what [`Builder::unhandled_panic`] says. A stall
//!   ([`Builder::stall_threshold`]) is one at the level `WARN`, of the target `runtime::stall`, with the fields
//!   `held_ms` and `ended` besides. Without a subscriber all this costs some instructions a poll, and without the
//!   feature nothing.
//! - `trace`: a trace of the loop for Perfetto and Chrome, by [`Builder::trace`].
//! - `full`: all of them.

#![forbid(unsafe_code)]

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
/// The README's program, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod macros;
mod sync;

pub mod fs;
pub mod guide;
#[cfg(feature = "hyper")]
pub mod hyper;
pub mod io;
pub mod task;
pub mod time;

#[doc(inline)]
pub use runtime_core::task::{JoinHandle, spawn, spawn_blocking};
#[doc(inline)]
pub use runtime_core::{
    Builder, Core, EnterGuard, Handle, Id, Metrics, Runtime, Stall, TryCurrentError, Turn,
    UnhandledPanic, after_fork, block_on, per_core,
};
#[cfg(feature = "macros")]
#[doc(inline)]
pub use runtime_macros::{main, test};

/// The names that tokio has in a module of this name, for those who change `tokio::` to `runtime::`.
#[doc(hidden)]
pub mod runtime {
    pub use crate::{Builder, EnterGuard, Handle, Id, Runtime, TryCurrentError, UnhandledPanic};
}

#[doc(inline)]
pub use runtime_core::{dump, epoll, signal};
#[doc(inline)]
pub use runtime_net as net;
#[doc(inline)]
pub use runtime_net::process;
