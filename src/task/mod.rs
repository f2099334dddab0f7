//! Tasks: running futures beside each other, waiting for them, cancelling them.
//!
//! [`spawn`] starts one, its [`JoinHandle`] waits for it; a [`JoinSet`] waits for many; [`task_local!`] gives
//! a future and all it calls a value of their own. A task that computes for long lets the others run by
//! [`yield_now`] or [`consume_budget`]. Names and meaning are those of tokio's `task`; no future needs to be
//! `Send`.
//!
//! [`task_local!`]: crate::task_local

pub mod join_set;
mod task_local;

#[doc(inline)]
pub use runtime_core::task::*;

#[doc(inline)]
pub use self::join_set::JoinSet;
pub use self::task_local::{AccessError, LocalKey, TaskLocalFuture};

#[doc(hidden)]
pub use runtime_core::task::spawn as spawn_local;

/// The cooperative budget, where tokio has it.
pub mod coop {
    #[doc(no_inline)]
    pub use runtime_core::task::{
        Unconstrained, consume_budget, has_budget_remaining, unconstrained,
    };
}
