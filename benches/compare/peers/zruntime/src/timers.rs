//! Workloads of timers.

use std::time::Duration;

use futures_lite::future::yield_now;
use program::Meter;
use zruntime::LocalRuntime;

pub(crate) async fn timeouts(runtime: &LocalRuntime, pending: u64, count: u64) {
    for _ in 0..pending {
        runtime.spawn("sleeps", runtime.sleep(Duration::from_secs(3600))).detach();
    }
    yield_now().await;
    let meter = Meter::start();
    for _ in 0..count {
        let limited = runtime.timeout(Duration::from_secs(30), yield_now());
        limited.await.expect("it yields but once");
    }
    meter.stop();
}
