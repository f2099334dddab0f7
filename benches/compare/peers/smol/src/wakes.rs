//! Workloads of wakes from another thread.

use program::wakes::{While, occupy, woken};
use smol::LocalExecutor;

pub(crate) async fn parked(executor: &LocalExecutor<'_>, count: u64) {
    executor.spawn(woken(While::Parked, count)).await;
}

pub(crate) async fn busy(executor: &LocalExecutor<'_>, count: u64) {
    let others = executor.spawn(occupy());
    executor.spawn(woken(While::Busy, count)).await;
    others.await;
}
