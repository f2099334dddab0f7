//! Timers and other threads, on a clock that stands and jumps: no time passes here.

use std::pin::pin;
use std::time::Duration;

use super::{Flag, poll_once};
use crate::run::Story;
use crate::sync::thread;
use crate::timer::sleep;
use crate::{Builder, Runtime};

pub(crate) const STORIES: &[Story] = &[
    Story { name: "timers::slept_elsewhere", orders: 1000, loom: true, tell: slept_elsewhere },
    Story {
        name: "timers::given_up_elsewhere",
        orders: 1000,
        loom: true,
        tell: given_up_elsewhere,
    },
    Story { name: "timers::dropped_elsewhere", orders: 1000, loom: true, tell: dropped_elsewhere },
];

const LONG: Duration = Duration::from_secs(3600);

fn runtime() -> Runtime {
    Builder::new().start_paused(true).build().unwrap()
}

/// Another thread sleeps by the runtime that it has entered.
fn slept_elsewhere() {
    let (runtime, done) = (runtime(), Flag::new());
    let thread = thread::spawn({
        let (handle, done) = (runtime.handle().clone(), done.clone());
        move || {
            handle.block_on(async { sleep(LONG).await });
            done.set();
        }
    });
    runtime.block_on(done.wait());
    thread.join().unwrap();
}

/// It gives one up, which may be on its way to the runtime, and sleeps again.
fn given_up_elsewhere() {
    let (runtime, done) = (runtime(), Flag::new());
    let thread = thread::spawn({
        let (handle, done) = (runtime.handle().clone(), done.clone());
        move || {
            handle.block_on(async {
                let _ = poll_once(pin!(sleep(LONG * 2))).await;
                sleep(LONG).await;
            });
            done.set();
        }
    });
    runtime.block_on(done.wait());
    thread.join().unwrap();
}

/// A timer of the runtime is dropped on another thread while the runtime sets others, which may get its place.
fn dropped_elsewhere() {
    let runtime = runtime();
    let thread = runtime.block_on(async {
        let mut dropped = Box::pin(sleep(LONG));
        assert!(poll_once(dropped.as_mut()).await.is_pending());
        let thread = thread::spawn(move || drop(dropped));
        for _ in 0..2 {
            sleep(LONG / 4).await;
        }
        thread
    });
    thread.join().unwrap();
}
