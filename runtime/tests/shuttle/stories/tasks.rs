//! Tasks and other threads: waking, spawning, joining, aborting, detaching, and a runtime that goes meanwhile.

use std::future::pending;
use std::os::fd::AsFd;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::{Counted, Flag, join, poll_once, runtime, runtime_with_epoll};
use crate::run::Story;
use crate::sync::{Ordering, thread};
use crate::sys::epoll::{Epoll, Events, Flags};
use crate::task::{spawn, yield_now};
use crate::{Runtime, block_on};

pub(crate) const STORIES: &[Story] = &[
    Story { name: "tasks::one_place_for_two", orders: 1000, loom: true, tell: one_place_for_two },
    Story { name: "tasks::the_root_is_woken", orders: 2000, loom: true, tell: the_root_is_woken },
    Story { name: "tasks::woken_on_a_futex", orders: 1000, loom: true, tell: woken_on_a_futex },
    Story { name: "tasks::woken_in_epoll", orders: 1000, loom: true, tell: woken_in_epoll },
    Story {
        name: "tasks::woken_in_a_hosts_loop",
        orders: 1000,
        loom: true,
        tell: woken_in_a_hosts_loop,
    },
    Story {
        name: "tasks::woken_by_a_late_waker",
        orders: 1000,
        loom: true,
        tell: woken_by_a_late_waker,
    },
    Story {
        name: "tasks::two_runtimes_take_turns",
        orders: 500,
        loom: true,
        tell: two_runtimes_take_turns,
    },
    Story {
        name: "tasks::spawned_by_two_threads",
        orders: 1000,
        loom: false,
        tell: spawned_by_two_threads,
    },
    Story {
        name: "tasks::joined_on_another_thread",
        orders: 1000,
        loom: true,
        tell: joined_on_another_thread,
    },
    Story {
        name: "tasks::joined_as_the_runtime_goes",
        orders: 1000,
        loom: true,
        tell: joined_as_it_goes,
    },
    Story {
        name: "tasks::spawned_as_the_runtime_goes",
        orders: 1000,
        loom: true,
        tell: spawned_as_it_goes,
    },
    Story {
        name: "tasks::aborted_as_it_is_spawned",
        orders: 2000,
        loom: true,
        tell: aborted_as_it_is_spawned,
    },
    Story {
        name: "tasks::aborted_by_another_thread",
        orders: 1000,
        loom: true,
        tell: aborted_by_another,
    },
    Story {
        name: "tasks::detached_as_it_ends",
        orders: 1000,
        loom: true,
        tell: detached_as_it_ends,
    },
    Story {
        name: "tasks::asked_whether_it_has_ended",
        orders: 500,
        loom: true,
        tell: asked_whether_ended,
    },
];

/// A runtime that ended while another thread drives on has done all it was asked, and lost nothing.
fn with_nothing_left(alive: &Arc<AtomicUsize>) {
    assert_eq!(alive.load(Ordering::Relaxed), 0, "neither dropped nor given out");
}

fn the_root_is_woken() {
    let flag = Flag::new();
    let setter = thread::spawn({
        let flag = flag.clone();
        move || flag.set()
    });
    block_on(flag.wait());
    setter.join().unwrap();
}

/// Two threads wake a task each.
fn woken(runtime: &Runtime) {
    let flags = [Flag::new(), Flag::new()];
    let setters = flags.clone().map(|flag| thread::spawn(move || flag.set()));
    runtime.block_on(async {
        for task in flags.map(|flag| spawn(async move { flag.wait().await })) {
            task.await.unwrap();
        }
    });
    join(setters);
}

fn woken_on_a_futex() {
    woken(&runtime());
}

fn woken_in_epoll() {
    woken(&runtime_with_epoll());
}

/// The same with a host that sleeps until the runtime's descriptor is ready.
fn woken_in_a_hosts_loop() {
    let runtime = runtime();
    let host = Epoll::new().unwrap();
    runtime.prepare().unwrap();
    host.add(runtime.as_fd(), Flags::IN | Flags::ET, 0).unwrap();
    let flags = [Flag::new(), Flag::new()];
    let tasks = flags.clone().map(|flag| runtime.spawn(async move { flag.wait().await }));
    let setters = flags.map(|flag| thread::spawn(move || flag.set()));
    while !tasks.iter().all(|task| task.is_finished()) {
        host.wait(&mut Events::with_capacity(1), None).unwrap();
        while runtime.turn(Some(Duration::ZERO)).unwrap().more() {}
    }
    join(setters);
}

/// A waker outlives its runtime, and wakes while the next one takes its place.
fn woken_by_a_late_waker() {
    let (late, flag) = (Flag::new(), Flag::new());
    let runtime = runtime();
    runtime.block_on(async {
        let _ = poll_once(pin!(late.wait())).await;
    });
    let slot = runtime.handle().id().to_string();
    let setters = [&late, &flag].map(|flag| {
        let flag = flag.clone();
        thread::spawn(move || flag.set())
    });
    drop(runtime);
    let next = super::runtime();
    let next_slot = next.handle().id().to_string();
    assert_eq!(slot.split('.').next(), next_slot.split('.').next(), "it has the same place");
    next.block_on(async {
        spawn(async move { flag.wait().await }).await.unwrap();
    });
    drop(next);
    join(setters);
}

/// Each waits for the other, again and again.
fn two_runtimes_take_turns() {
    let flags: [[Arc<Flag>; 2]; 3] = std::array::from_fn(|_| [Flag::new(), Flag::new()]);
    let other = thread::spawn({
        let flags = flags.clone();
        move || {
            block_on(async {
                for [ping, pong] in &flags {
                    ping.wait().await;
                    pong.set();
                }
            })
        }
    });
    runtime_with_epoll().block_on(async {
        for [ping, pong] in &flags {
            ping.set();
            pong.wait().await;
        }
    });
    other.join().unwrap();
}

/// A runtime has gone, and two threads make one each: only one of them takes the place.
fn one_place_for_two() {
    drop(runtime());
    let made = [Flag::new(), Flag::new()];
    let threads = [0, 1].map(|i| {
        let made = made.clone();
        thread::spawn(move || {
            let runtime = runtime();
            made[i].set();
            runtime.block_on(made[1 - i].wait());
            runtime.handle().id()
        })
    });
    let ids = join(threads);
    assert_ne!(ids[0], ids[1]);
}

/// Two threads spawn a task on a runtime of a third and wait for its output.
fn spawned_by_two_threads() {
    let runtime = runtime();
    let done = [Flag::new(), Flag::new()];
    let threads = done.clone().map(|done| {
        let handle = runtime.handle().clone();
        thread::spawn(move || {
            let task = handle.spawn(async {
                yield_now().await;
                7
            });
            assert_eq!(handle.block_on(task).unwrap(), 7);
            done.set();
        })
    });
    runtime.block_on(async {
        done[0].wait().await;
        done[1].wait().await;
    });
    join(threads);
}

/// A handle that was made on the runtime's thread is awaited on another, which may be before or after the
/// task has ended.
fn joined_on_another_thread() {
    let alive = Arc::new(AtomicUsize::new(0));
    let runtime = runtime();
    let done = Flag::new();
    let thread = runtime.block_on(async {
        let output = Counted::new(&alive);
        let task = spawn(async {
            yield_now().await;
            output
        });
        let thread = thread::spawn({
            let (handle, done) = (runtime.handle().clone(), done.clone());
            move || {
                drop(handle.block_on(task).unwrap());
                done.set();
            }
        });
        done.wait().await;
        thread
    });
    with_nothing_left(&alive);
    thread.join().unwrap();
}

/// The same, but the runtime may be gone at any time: the output comes, or the word that none will.
fn joined_as_it_goes() {
    let alive = Arc::new(AtomicUsize::new(0));
    let runtime = runtime();
    let output = Counted::new(&alive);
    let task = runtime.spawn(async {
        yield_now().await;
        output
    });
    let thread = thread::spawn({
        let handle = runtime.handle().clone();
        move || match handle.block_on(task) {
            Ok(output) => drop(output),
            Err(error) => assert!(error.is_cancelled()),
        }
    });
    runtime.block_on(yield_now());
    drop(runtime);
    thread.join().unwrap();
    with_nothing_left(&alive);
}

fn spawned_as_it_goes() {
    let alive = Arc::new(AtomicUsize::new(0));
    let runtime = runtime();
    let thread = thread::spawn({
        let (handle, alive) = (runtime.handle().clone(), alive.clone());
        move || {
            let output = Counted::new(&alive);
            let task = handle.spawn(async {
                yield_now().await;
                output
            });
            match handle.block_on(task) {
                Ok(output) => drop(output),
                Err(error) => assert!(error.is_cancelled()),
            }
        }
    });
    runtime.block_on(yield_now());
    runtime.block_on(yield_now());
    drop(runtime);
    thread.join().unwrap();
    with_nothing_left(&alive);
}

/// The runtime makes the task while another thread aborts it: one of them sees what the other did.
fn aborted_as_it_is_spawned() {
    let runtime = runtime();
    let done = Flag::new();
    let thread = thread::spawn({
        let (handle, done) = (runtime.handle().clone(), done.clone());
        move || {
            let task = handle.spawn(pending::<()>());
            task.abort();
            assert!(handle.block_on(task).unwrap_err().is_cancelled());
            done.set();
        }
    });
    runtime.block_on(done.wait());
    thread.join().unwrap();
}

fn aborted_by_another() {
    let runtime = runtime();
    runtime.block_on(async {
        let flag = Flag::new();
        let task = spawn({
            let flag = flag.clone();
            async move { flag.wait().await }
        });
        let abort = task.abort_handle();
        let threads = [thread::spawn(move || abort.abort()), thread::spawn(move || flag.set())];
        if let Err(error) = task.await {
            assert!(error.is_cancelled());
        }
        join(threads);
    });
}

/// Another thread has a task spawned and lets go of its handle, before or after it has ended.
fn detached_as_it_ends() {
    let alive = Arc::new(AtomicUsize::new(0));
    let runtime = runtime();
    let done = Flag::new();
    let thread = thread::spawn({
        let (handle, done) = (runtime.handle().clone(), done.clone());
        let output = Counted::new(&alive);
        move || {
            let task = handle.spawn(async move {
                done.set();
                output
            });
            drop(task);
        }
    });
    runtime.block_on(done.wait());
    thread.join().unwrap();
    runtime.block_on(yield_now());
    drop(runtime);
    with_nothing_left(&alive);
}

/// Another thread asks until it is told that the task has ended.
fn asked_whether_ended() {
    let runtime = runtime();
    let done = Flag::new();
    let task = runtime.spawn(yield_now());
    let thread = thread::spawn({
        let done = done.clone();
        move || {
            while !task.is_finished() {
                thread::yield_now();
            }
            done.set();
        }
    });
    runtime.block_on(done.wait());
    thread.join().unwrap();
}
