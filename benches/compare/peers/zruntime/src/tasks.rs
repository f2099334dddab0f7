//! Workloads of tasks alone.

use std::io;

use futures_lite::future::yield_now;
use program::Meter;
use program::tasks::{Idle, Memory, all_begun, answer, ask, channels, play};
use zruntime::LocalRuntime;

pub(crate) async fn spawns(runtime: &LocalRuntime, count: u64) -> io::Result<()> {
    let meter = Meter::start();
    for _ in 0..count {
        runtime.spawn("ready", async {}).await?;
    }
    meter.stop();
    Ok(())
}

pub(crate) async fn spawns_by_the_hundred(runtime: &LocalRuntime, count: u64) -> io::Result<()> {
    let mut tasks = Vec::with_capacity(100);
    let meter = Meter::start();
    for _ in 0..count / 100 {
        tasks.extend((0..100).map(|_| runtime.spawn("ready", async {})));
        for task in tasks.drain(..) {
            task.await?;
        }
    }
    meter.stop();
    Ok(())
}

pub(crate) async fn yields(runtime: &LocalRuntime, tasks: u64, count: u64) -> io::Result<()> {
    let each = count / tasks;
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            runtime.spawn("yields", async move {
                for _ in 0..each {
                    yield_now().await;
                }
            })
        })
        .collect();
    let meter = Meter::start();
    for task in tasks {
        task.await?;
    }
    meter.stop();
    Ok(())
}

pub(crate) async fn wakes(runtime: &LocalRuntime, count: u64) -> io::Result<()> {
    let meter = Meter::start();
    let players = [0, 1].map(|side| runtime.spawn("player", play(side, count)));
    for player in players {
        player.await?;
    }
    meter.stop();
    Ok(())
}

pub(crate) async fn channel(runtime: &LocalRuntime, count: u64) -> io::Result<()> {
    let (asks, answers) = channels();
    let meter = Meter::start();
    let answering = runtime.spawn("answers", answer(answers));
    runtime.spawn("asks", ask(asks, count)).await?;
    answering.await?;
    meter.stop();
    Ok(())
}

pub(crate) async fn memory(runtime: &LocalRuntime, count: u64) -> io::Result<()> {
    runtime.spawn("ready", async {}).await?;
    let memory = Memory::before();
    for number in 0..count {
        runtime.spawn("idle", Idle::new(number)).detach();
    }
    all_begun(count).await;
    memory.after(count);
    Ok(())
}
