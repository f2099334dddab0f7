//! Signals: Ctrl-C, and in [`unix`] all the others.
//!
//! A signal is noted by a handler and awaited by tasks, as many as like to. Nothing is left in the
//! process when nobody listens.

mod children;
mod listener;
mod registry;
mod ring;

use std::io;
use std::sync::OnceLock;
use std::task::Waker;

use self::unix::{SignalKind, signal};
use crate::core::Core;
use crate::name::{Name, RuntimeName};

/// Signals of every kind.
pub mod unix {
    pub use super::children::{affects_children, restore_in_child};
    pub use super::listener::{Signal, signal};
    pub use crate::sys::signal::{SignalInfo, SignalKind};
}

/// Waits for Ctrl-C: SIGINT.
///
/// As tokio's, with one difference: it listens from its first poll until it is done or dropped, not for
/// ever. Then what was before comes back, so that a second Ctrl-C ends the program. In a loop that means
/// that Ctrl-C ends it whenever no `ctrl_c` is being awaited:
///
/// ```no_run
/// # async fn work() {}
/// # runtime::block_on(async {
/// loop {
///     runtime::select! {
///         _ = runtime::signal::ctrl_c() => break,
///         () = work() => {
///             // Ctrl-C in this block ends the program on the spot.
///         }
///     }
/// }
/// # });
/// ```
///
/// To be told of every one, keep a listener:
///
/// ```no_run
/// use runtime::signal::unix::{SignalKind, signal};
///
/// # async fn work() {}
/// # runtime::block_on(async {
/// let mut interrupts = signal(SignalKind::interrupt())?;
/// loop {
///     runtime::select! {
///         _ = interrupts.recv() => break,
///         () = work() => {
///             // Ctrl-C in this block ends the loop after it.
///         }
///     }
/// }
/// # std::io::Result::Ok(())
/// # });
/// ```
///
/// # Errors
///
/// When the runtime is gone, if another executor polls this.
///
/// # Panics
///
/// When first polled with no runtime on this thread.
///
/// # Cancel safety
///
/// A Ctrl-C that has come and was not returned is lost.
#[inline]
#[expect(
    clippy::manual_async_fn,
    reason = "the body of a `pub async fn` is compiled here, used or not"
)]
pub fn ctrl_c() -> impl Future<Output = io::Result<()>> {
    async {
        match signal(SignalKind::interrupt())?.recv().await {
            Some(()) => Ok(()),
            None => Err(io::Error::other(
                "waiting for Ctrl-C: the runtime is gone; await it on one that is alive",
            )),
        }
    }
}

/// What a runtime calls of the registry. Set by the first listener, so that a program that has none has no
/// code for them either.
static HOOKS: OnceLock<Hooks> = OnceLock::new();

struct Hooks {
    wakers_of: fn(RuntimeName, u64) -> Vec<Waker>,
    close: fn(RuntimeName) -> Vec<Waker>,
    waits_of: fn(RuntimeName) -> Vec<(SignalKind, Option<Name>)>,
}

/// Ends the listeners of a runtime whose inbox is closed; their wakers come back.
pub(crate) fn close(home: RuntimeName) -> Vec<Waker> {
    HOOKS.get().map(|hooks| (hooks.close)(home)).unwrap_or_default()
}

/// For which signals the listeners of a runtime wait, and the tasks that they wake, by name.
pub(crate) fn waits_of(home: RuntimeName) -> Vec<(SignalKind, Option<Name>)> {
    HOOKS.get().map(|hooks| (hooks.waits_of)(home)).unwrap_or_default()
}

impl Core {
    /// Wakes the listeners that the handler has left notice for.
    #[inline]
    pub(crate) fn wake_listeners(&self) {
        let signals = self.shared.block.take_signals();
        if signals != 0 {
            let wakers = HOOKS.get().map(|hooks| (hooks.wakers_of)(self.name, signals));
            wakers.into_iter().flatten().for_each(|waker| self.wake(waker));
        }
    }
}
