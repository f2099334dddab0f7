//! The engine of `epoll-runtime`: tasks, readiness, timers and wakeups, on one thread and one epoll
//! instance.
//!
//! Applications use the facade, the crate `epoll-runtime` with the library name `runtime`; the
//! examples here say `runtime::` for that reason. Where each idea lives:
//!
//! - a **task** is an entry in a slab and one allocation (`task/`);
//! - **readiness** is what epoll has told us of an fd and no `EAGAIN` has withdrawn (`reactor/`);
//! - a **timer** is an entry in a heap of deadlines (`timer/`);
//! - a **wakeup** from another thread is a bit, or a command, in an inbox that is never freed
//!   (`wakeups/`);
//! - a **signal** is a record that a handler has left, and a bit in the same inbox (`signal/`);
//! - the **loop** that ties them is `turn.rs`, on one page; how a host's loop takes its turns is
//!   `embed.rs`.

#[cfg(not(target_os = "linux"))]
compile_error!("epoll-runtime is for Linux: it stands on epoll, eventfd and timerfd");

mod blocking;
mod builder;
mod context;
mod coop;
mod core;
mod embed;
mod fork;
mod handle;
mod name;
mod observe;
mod per_core;
mod reactor;
mod rng;
mod runtime;
mod spans;
mod sync;
mod sys;
mod timer;
mod turn;
mod wakeups;

pub mod dump;
pub mod signal;
pub mod task;

pub use crate::builder::{Builder, UnhandledPanic};
pub use crate::embed::Turn;
pub use crate::fork::after_fork;
pub use crate::handle::{EnterGuard, Handle, Id, TryCurrentError};
pub use crate::observe::{Metrics, Stall};
pub use crate::per_core::{Core, per_core};
pub use crate::runtime::{Runtime, block_on};

/// Time: sleeping, and the clock that tests can stop.
pub mod time {
    pub use crate::timer::{Instant, Sleep, advance, pause, resume, sleep, sleep_until};

    /// Deadlines that count the time that the machine is suspended.
    pub mod boottime {
        pub use crate::timer::boottime::{Instant, Sleep, sleep, sleep_until, suspend};
    }
}

/// Readiness of file descriptors.
pub mod io {
    pub use crate::reactor::{AsyncFd, AsyncFdReadyGuard, AsyncFdReadyMutGuard};
    pub use crate::reactor::{AsyncFdTryNewError, Interest, Ready, TryIoError};
    pub use crate::reactor::{ReadFd, Reading, Source, WriteFd, Writing, WritingAll};
}

/// The layer below: epoll and the descriptors that bear events, safe, and usable without the
/// runtime.
///
/// [`EventFd`](epoll::EventFd) is for wake-ups, [`TimerFd`](epoll::TimerFd) for time,
/// [`SignalFd`](epoll::SignalFd) for signals, [`PidFd`](epoll::PidFd) for processes: each is waited
/// for by an [`Epoll`](epoll::Epoll), or, on the runtime, by an [`AsyncFd`](io::AsyncFd). For a
/// handful of descriptors, once in a while, [`poll`](epoll::poll()) and
/// [`select`](epoll::select()) do without.
pub mod epoll {
    pub use crate::sys::epoll::{Epoll, Event, Events, Flags};
    pub use crate::sys::eventfd::EventFd;
    pub use crate::sys::pidfd::PidFd;
    pub use crate::sys::poll::{PollFd, poll};
    pub use crate::sys::select::{Selected, select};
    pub use crate::sys::sigmask::BlockedSignals;
    pub use crate::sys::signalfd::SignalFd;
    pub use crate::sys::timerfd::TimerFd;
}

/// For the facade.
#[doc(hidden)]
pub mod __private {
    pub use crate::rng::random_below;
    pub use crate::sys::context;
    pub use crate::task::remote_join::try_spawn_blocking;
}
