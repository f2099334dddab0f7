//! Workloads of tasks alone.

use program::Meter;
use program::tasks::{Idle, Memory, all_begun, answer, ask, channels, play};
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

pub(crate) async fn wakes(executor: &LocalExecutor<'_>, count: u64) {
    let meter = Meter::start();
    let players = [0, 1].map(|side| executor.spawn(play(side, count)));
    for player in players {
        player.await;
    }
    meter.stop();
}

pub(crate) async fn channel(executor: &LocalExecutor<'_>, count: u64) {
    let (asks, answers) = channels();
    let meter = Meter::start();
    let answering = executor.spawn(answer(answers));
    executor.spawn(ask(asks, count)).await;
    answering.await;
    meter.stop();
}

pub(crate) async fn memory(executor: &LocalExecutor<'_>, count: u64) {
    executor.spawn(async {}).await;
    let memory = Memory::before();
    for number in 0..count {
        executor.spawn(Idle::new(number)).detach();
    }
    all_begun(count).await;
    memory.after(count);
}
