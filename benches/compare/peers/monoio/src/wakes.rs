//! Wakes from another thread.

use monoio::spawn;
use program::wakes::{While, is_over, woken};

use crate::tasks::behind_all_others;

pub(crate) async fn parked(count: u64) {
    spawn(woken(While::Parked, count)).await;
}

pub(crate) async fn busy(count: u64) {
    let others = spawn(async {
        while !is_over() {
            behind_all_others().await;
        }
    });
    spawn(woken(While::Busy, count)).await;
    others.await;
}
