//! Workloads of timers.

use std::io;
use std::time::Instant;

use program::tasks::{all_begun, begun, give_way};
use program::timers::{expect, hours, moments, print_lateness, woke};
use program::{Meter, TIMEOUT};
use zruntime::LocalRuntime;

pub(crate) async fn timeouts(runtime: &LocalRuntime, pending: u64, count: u64) -> io::Result<()> {
    for duration in hours(pending) {
        let clock = runtime.clone();
        let sleeper = async move {
            begun();
            clock.sleep(duration).await;
        };
        runtime.spawn("sleeper", sleeper).detach();
    }
    all_begun(pending).await;
    let clock = runtime.clone();
    let setting = async move {
        let meter = Meter::start();
        for _ in 0..count {
            clock.timeout(TIMEOUT, give_way()).await.expect("it gives way but once");
        }
        meter.stop();
    };
    runtime.spawn("setting", setting).await
}

pub(crate) async fn sleeps(runtime: &LocalRuntime, count: u64) -> io::Result<()> {
    expect(count);
    let meter = Meter::start();
    let sleepers: Vec<_> = moments(count)
        .map(|duration| {
            let clock = runtime.clone();
            runtime.spawn("sleeper", async move {
                let deadline = Instant::now() + duration;
                clock.sleep(duration).await;
                woke(deadline);
            })
        })
        .collect();
    for sleeper in sleepers {
        sleeper.await?;
    }
    meter.stop();
    print_lateness(count);
    Ok(())
}
