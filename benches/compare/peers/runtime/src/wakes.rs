//! Wakes from another thread.

use std::io;
use std::time::Duration;

use program::wakes::{While, occupy, woken};
use runtime::spawn;

pub(crate) async fn parked(count: u64) {
    spawn(woken(While::Parked, count)).await.unwrap();
}

pub(crate) async fn busy(count: u64) {
    let others = spawn(occupy());
    spawn(woken(While::Busy, count)).await.unwrap();
    others.await.unwrap();
}

pub(crate) fn spinning(count: u64) -> io::Result<()> {
    let runtime = runtime::Builder::new().spin(Duration::MAX).build()?;
    runtime.block_on(async move { spawn(woken(While::Spinning, count)).await.unwrap() });
    Ok(())
}
