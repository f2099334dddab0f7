//! Workloads of wakes from another thread.

use std::io;
use std::time::Duration;

use program::wakes::{While, occupy, woken};
use zruntime::LocalRuntime;

pub(crate) async fn parked(runtime: &LocalRuntime, count: u64) -> io::Result<()> {
    runtime.spawn("woken", woken(While::Parked, count)).await
}

pub(crate) async fn busy(runtime: &LocalRuntime, count: u64) -> io::Result<()> {
    let others = runtime.spawn("occupies", occupy());
    runtime.spawn("woken", woken(While::Busy, count)).await?;
    others.await
}

pub(crate) async fn spinning(runtime: &LocalRuntime, count: u64) -> io::Result<()> {
    // Longer than any wait here.
    runtime.set_busy_poll(Duration::from_millis(100));
    runtime.spawn("woken", woken(While::Spinning, count)).await
}
