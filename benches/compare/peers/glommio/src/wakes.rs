//! Wakes from another thread.

use glommio::spawn_local;
use program::wakes::{While, woken};

pub(crate) async fn parked(count: u64) {
    spawn_local(woken(While::Parked, count)).await;
}

pub(crate) async fn spinning(count: u64) {
    spawn_local(woken(While::Spinning, count)).await;
}
