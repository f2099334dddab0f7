//! Spawning, joining, yielding, waking, and waiting for ever.

use program::Meter;
use program::tasks::{Idle, Memory, all_begun, answer, ask, channels, play};
use tokio::task::yield_now;

use crate::flavor::spawn;

pub(crate) async fn spawns(count: u64) {
    let meter = Meter::start();
    for i in 0..count {
        assert_eq!(spawn(async move { i }).await.unwrap(), i);
    }
    meter.stop();
}

pub(crate) async fn spawns_by_the_hundred(count: u64) {
    let mut tasks = Vec::with_capacity(100);
    let meter = Meter::start();
    for _ in 0..count / 100 {
        tasks.extend((0..100).map(|i| spawn(async move { i })));
        for task in tasks.drain(..) {
            task.await.unwrap();
        }
    }
    meter.stop();
}

pub(crate) async fn yields(tasks: u64, count: u64) {
    let each = count / tasks;
    let yields = move || async move {
        for _ in 0..each {
            yield_now().await;
        }
    };
    let tasks: Vec<_> = (0..tasks).map(|_| spawn(yields())).collect();
    let meter = Meter::start();
    for task in tasks {
        task.await.unwrap();
    }
    meter.stop();
}

pub(crate) async fn wakes(count: u64) {
    let meter = Meter::start();
    let (one, other) = (spawn(play(0, count)), spawn(play(1, count)));
    one.await.unwrap();
    other.await.unwrap();
    meter.stop();
}

pub(crate) async fn channel(count: u64) {
    let (asks, answers) = channels();
    let meter = Meter::start();
    let (one, other) = (spawn(ask(asks, count)), spawn(answer(answers)));
    one.await.unwrap();
    other.await.unwrap();
    meter.stop();
}

pub(crate) async fn idle(count: u64) {
    // What the runtime needs for its first task is not what one more costs.
    spawn(async {}).await.unwrap();
    let memory = Memory::before();
    for i in 0..count {
        drop(spawn(Idle::new(i)));
    }
    all_begun(count).await;
    memory.after(count);
}
