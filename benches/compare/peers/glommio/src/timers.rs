//! Timeouts that never come, and sleeps.

use std::time::Instant;

use glommio::spawn_local;
use glommio::timer::{sleep, timeout};
use program::tasks::{all_begun, begun, give_way};
use program::timers::{expect, hours, moments, print_lateness, woke};
use program::{Meter, TIMEOUT};

pub(crate) async fn timeouts(pending: u64, count: u64) {
    for hours in hours(pending) {
        let sleeper = spawn_local(async move {
            begun();
            sleep(hours).await;
        });
        sleeper.detach();
    }
    all_begun(pending).await;
    let given = || async {
        give_way().await;
        Ok(())
    };
    let timeouts = spawn_local(async move {
        let meter = Meter::start();
        for _ in 0..count {
            timeout(TIMEOUT, given()).await.unwrap();
        }
        meter.stop();
    });
    timeouts.await;
}

pub(crate) async fn sleeps(count: u64) {
    expect(count);
    let meter = Meter::start();
    let sleeps = moments(count).map(|moment| {
        spawn_local(async move {
            let deadline = Instant::now() + moment;
            sleep(moment).await;
            woke(deadline);
        })
    });
    for sleep in sleeps.collect::<Vec<_>>() {
        sleep.await;
    }
    meter.stop();
    print_lateness(count);
}
