//! Workloads of timers.

use std::io;
use std::time::Duration;

use program::Meter;
use smol::future::yield_now;
use smol::prelude::*;
use smol::{LocalExecutor, Timer};

pub(crate) async fn timeouts(executor: &LocalExecutor<'_>, pending: u64, count: u64) {
    for _ in 0..pending {
        executor.spawn(Timer::after(Duration::from_secs(3600))).detach();
    }
    yield_now().await;
    let meter = Meter::start();
    for _ in 0..count {
        timeout(Duration::from_secs(30), yield_now()).await.expect("it yields but once");
    }
    meter.stop();
}

/// What smol's users write, as there is none.
async fn timeout<T>(limit: Duration, future: impl Future<Output = T>) -> io::Result<T> {
    let too_late = async {
        Timer::after(limit).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    async { Ok(future.await) }.or(too_late).await
}
