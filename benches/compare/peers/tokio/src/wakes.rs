//! Wakes from another thread.

use program::wakes::{While, occupy, woken};

use crate::flavor::spawn;

pub(crate) async fn parked(count: u64) {
    spawn(woken(While::Parked, count)).await.unwrap();
}

pub(crate) async fn busy(count: u64) {
    let others = spawn(occupy());
    spawn(woken(While::Busy, count)).await.unwrap();
    others.await.unwrap();
}
