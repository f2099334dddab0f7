//! Workloads of timers.

use std::io;
use std::time::{Duration, Instant};

use program::tasks::{all_begun, begun, give_way};
use program::timers::{expect, hours, moments, print_lateness, woke};
use program::{Meter, TIMEOUT};
use smol::prelude::*;
use smol::{LocalExecutor, Timer};

/// Limits a future's time as smol's documentation shows, there being no function for it.
pub(crate) async fn timeout<T>(
    limit: Duration,
    future: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let too_late = async {
        Timer::after(limit).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    future.or(too_late).await
}

pub(crate) async fn timeouts(executor: &LocalExecutor<'_>, pending: u64, count: u64) {
    for duration in hours(pending) {
        let sleeper = async move {
            begun();
            Timer::after(duration).await;
        };
        executor.spawn(sleeper).detach();
    }
    all_begun(pending).await;
    let setting = async move {
        let meter = Meter::start();
        for _ in 0..count {
            let soon = async {
                give_way().await;
                Ok(())
            };
            timeout(TIMEOUT, soon).await.expect("it gives way but once");
        }
        meter.stop();
    };
    executor.spawn(setting).await;
}

pub(crate) async fn sleeps(executor: &LocalExecutor<'_>, count: u64) {
    expect(count);
    let meter = Meter::start();
    let sleepers: Vec<_> = moments(count)
        .map(|duration| {
            executor.spawn(async move {
                let deadline = Instant::now() + duration;
                Timer::after(duration).await;
                woke(deadline);
            })
        })
        .collect();
    for sleeper in sleepers {
        sleeper.await;
    }
    meter.stop();
    print_lateness(count);
}
