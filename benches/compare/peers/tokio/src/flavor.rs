//! Which of tokio's runtimes for one thread.

use std::future::Future;
use std::sync::OnceLock;

use tokio::runtime::{Builder, LocalOptions};
use tokio::task::JoinHandle;

fn is_local() -> bool {
    static LOCAL: OnceLock<bool> = OnceLock::new();
    *LOCAL.get_or_init(|| program::flavor().as_deref() == Some("local"))
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut builder = Builder::new_current_thread();
    builder.enable_all();
    if is_local() {
        builder.build_local(LocalOptions::default()).expect("a runtime").block_on(future)
    } else {
        builder.build().expect("a runtime").block_on(future)
    }
}

/// As each of them spawns.
#[inline]
pub(crate) fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    if is_local() { tokio::task::spawn_local(future) } else { tokio::spawn(future) }
}
