//! Workloads of tasks alone.

use program::Meter;
use smol::LocalExecutor;
use smol::future::yield_now;

pub(crate) async fn spawns(executor: &LocalExecutor<'_>, count: u64) {
    let meter = Meter::start();
    for _ in 0..count {
        executor.spawn(async {}).await;
    }
    meter.stop();
}

pub(crate) async fn spawns_by_the_hundred(executor: &LocalExecutor<'_>, count: u64) {
    let mut tasks = Vec::with_capacity(100);
    let meter = Meter::start();
    for _ in 0..count / 100 {
        tasks.extend((0..100).map(|_| executor.spawn(async {})));
        for task in tasks.drain(..) {
            task.await;
        }
    }
    meter.stop();
}

pub(crate) async fn yields(executor: &LocalExecutor<'_>, tasks: u64, count: u64) {
    let each = count / tasks;
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            executor.spawn(async move {
                for _ in 0..each {
                    yield_now().await;
                }
            })
        })
        .collect();
    let meter = Meter::start();
    for task in tasks {
        task.await;
    }
    meter.stop();
}
