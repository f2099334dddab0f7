//! Spawning, joining, yielding, waking, and waiting for ever.

use glommio::{executor, spawn_local};
use program::Meter;
use program::tasks::{Idle, Memory, all_begun, answer, ask, channels, play};

pub(crate) async fn spawns(count: u64) {
    let meter = Meter::start();
    for i in 0..count {
        assert_eq!(spawn_local(async move { i }).await, i);
    }
    meter.stop();
}

pub(crate) async fn spawns_by_the_hundred(count: u64) {
    let mut tasks = Vec::with_capacity(100);
    let meter = Meter::start();
    for _ in 0..count / 100 {
        tasks.extend((0..100).map(|i| spawn_local(async move { i })));
        for task in tasks.drain(..) {
            task.await;
        }
    }
    meter.stop();
}

pub(crate) async fn yields(tasks: u64, count: u64) {
    let each = count / tasks;
    let yields = move || async move {
        for _ in 0..each {
            executor().yield_now().await;
        }
    };
    let tasks: Vec<_> = (0..tasks).map(|_| spawn_local(yields())).collect();
    let meter = Meter::start();
    for task in tasks {
        task.await;
    }
    meter.stop();
}

pub(crate) async fn wakes(count: u64) {
    let meter = Meter::start();
    let (one, other) = (spawn_local(play(0, count)), spawn_local(play(1, count)));
    one.await;
    other.await;
    meter.stop();
}

pub(crate) async fn channel(count: u64) {
    let (asks, answers) = channels();
    let meter = Meter::start();
    let (one, other) = (spawn_local(ask(asks, count)), spawn_local(answer(answers)));
    one.await;
    other.await;
    meter.stop();
}

pub(crate) async fn idle(count: u64) {
    // What the runtime needs for its first task is not what one more costs.
    spawn_local(async {}).await;
    let memory = Memory::before();
    for i in 0..count {
        spawn_local(Idle::new(i)).detach();
    }
    all_begun(count).await;
    memory.after(count);
}
