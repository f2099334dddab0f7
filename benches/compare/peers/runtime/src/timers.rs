//! Timeouts that never come, and sleeps.

use std::time::Instant;

use program::tasks::{all_begun, begun, give_way};
use program::timers::{expect, hours, moments, print_lateness, woke};
use program::{Meter, TIMEOUT};
use runtime::spawn;
use runtime::time::{sleep, timeout};

pub(crate) async fn timeouts(pending: u64, count: u64) {
    for hours in hours(pending) {
        drop(spawn(async move {
            begun();
            sleep(hours).await;
        }));
    }
    all_begun(pending).await;
    let meter = Meter::start();
    for _ in 0..count {
        timeout(TIMEOUT, give_way()).await.unwrap();
    }
    meter.stop();
}

pub(crate) async fn sleeps(count: u64) {
    expect(count);
    let meter = Meter::start();
    let sleeps = moments(count).map(|moment| {
        spawn(async move {
            let deadline = Instant::now() + moment;
            sleep(moment).await;
            woke(deadline);
        })
    });
    for sleep in sleeps.collect::<Vec<_>>() {
        sleep.await.unwrap();
    }
    meter.stop();
    print_lateness(count);
}
