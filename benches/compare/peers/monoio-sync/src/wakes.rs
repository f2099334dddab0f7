//! Wakes from another thread.

use monoio::spawn;
use program::wakes::{While, is_over, woken};

pub(crate) async fn parked(count: u64) {
    spawn(woken(While::Parked, count)).await;
}

pub(crate) async fn busy(count: u64) {
    // A task that only wakes itself would run again at once, and nobody else.
    let others = spawn(async {
        while !is_over() {
            spawn(async {}).await;
        }
    });
    spawn(woken(While::Busy, count)).await;
    others.await;
}
