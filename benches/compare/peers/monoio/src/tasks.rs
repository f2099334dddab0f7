//! Spawning, joining, yielding, waking, and waiting for ever.

use monoio::spawn;
use program::tasks::{Idle, Memory, all_begun, answer, ask, channels, give_way, play};
use program::{Meter, cannot};

pub(crate) async fn spawns(count: u64) {
    let meter = Meter::start();
    for i in 0..count {
        assert_eq!(spawn(async move { i }).await, i);
    }
    meter.stop();
}

pub(crate) async fn spawns_by_the_hundred(count: u64) {
    let mut tasks = Vec::with_capacity(100);
    let meter = Meter::start();
    for _ in 0..count / 100 {
        tasks.extend((0..100).map(|i| spawn(async move { i })));
        for task in tasks.drain(..) {
            task.await;
        }
    }
    meter.stop();
}

pub(crate) async fn yields(tasks: u64, count: u64) {
    if tasks > 1 {
        cannot("a task that wakes itself runs again at once, before all others");
    }
    let task = spawn(async move {
        for _ in 0..count {
            give_way().await;
        }
    });
    let meter = Meter::start();
    task.await;
    meter.stop();
}

pub(crate) async fn wakes(count: u64) {
    let meter = Meter::start();
    let (one, other) = (spawn(play(0, count)), spawn(play(1, count)));
    one.await;
    other.await;
    meter.stop();
}

pub(crate) async fn channel(count: u64) {
    let (asks, answers) = channels();
    let meter = Meter::start();
    let (one, other) = (spawn(ask(asks, count)), spawn(answer(answers)));
    one.await;
    other.await;
    meter.stop();
}

pub(crate) async fn idle(count: u64) {
    // What the runtime needs for its first task is not what one more costs.
    behind_all_others().await;
    let memory = Memory::before();
    for i in 0..count {
        drop(spawn(Idle::new(i)));
    }
    behind_all_others().await;
    all_begun(count).await;
    memory.after(count);
}

/// Goes to the end of the queue, as a task that only wakes itself does not.
pub(crate) async fn behind_all_others() {
    spawn(async {}).await;
}
