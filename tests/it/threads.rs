//! Other threads: spawning from them, waking from them, and runtimes that come and go meanwhile.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use runtime::task::yield_now;
use runtime::time::sleep;
use runtime::{Handle, JoinHandle, Runtime};

use crate::support::{limited, run, turns};

#[test]
fn eight_threads_spawn_ten_thousand_each() {
    const THREADS: usize = 8;
    const EACH: usize = 10_000;
    run(async {
        let ran = Arc::new(AtomicUsize::new(0));
        let (done, all) = oneshot::channel();
        let done = Arc::new(Mutex::new(Some(done)));
        let start = Arc::new(Barrier::new(THREADS));
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (handle, ran) = (Handle::current(), ran.clone());
                let (done, start) = (done.clone(), start.clone());
                thread::spawn(move || {
                    start.wait();
                    for _ in 0..EACH {
                        let (ran, done) = (ran.clone(), done.clone());
                        drop(handle.spawn(async move {
                            if ran.fetch_add(1, Ordering::Relaxed) + 1 == THREADS * EACH {
                                done.lock().unwrap().take().unwrap().send(()).unwrap();
                            }
                        }));
                    }
                })
            })
            .collect();
        all.await.unwrap();
        assert_eq!(ran.load(Ordering::Relaxed), THREADS * EACH);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn threads_that_spawn_faster_than_they_are_served_starve_nobody() {
    run(async {
        let over = Arc::new(AtomicBool::new(false));
        let spawned = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (handle, over) = (Handle::current(), over.clone());
                let spawned = spawned.clone();
                thread::spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        drop(handle.spawn(async {}));
                        spawned.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        while spawned.load(Ordering::Relaxed) < 1_000 {
            yield_now().await;
        }
        for _ in 0..200 {
            yield_now().await;
        }
        runtime::spawn(sleep(Duration::from_millis(1))).await.unwrap();
        over.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn what_one_thread_spawns_starts_in_its_order() {
    run(async {
        let handle = Handle::current();
        let (tx, rx) = mpsc::channel();
        let thread = thread::spawn(move || {
            let tasks = (0..100).map(|number| {
                let tx = tx.clone();
                handle.spawn(async move { tx.send(number).unwrap() })
            });
            tasks.collect::<Vec<_>>()
        });
        for task in runtime::spawn_blocking(|| thread.join().unwrap()).await.unwrap() {
            task.await.unwrap();
        }
        assert!(rx.try_iter().eq(0..100));
    });
}

#[test]
fn the_handle_of_a_remote_spawn_is_awaited_on_either_side() {
    run(async {
        let handle = Handle::current();
        let (tx, rx) = oneshot::channel();
        let thread = thread::spawn(move || {
            let there = handle.spawn(async {
                yield_now().await;
                1
            });
            let here = handle.spawn(async { 2 });
            tx.send(here).map_err(drop).unwrap();
            futures::executor::block_on(there).unwrap()
        });
        assert_eq!(rx.await.unwrap().await.unwrap(), 2);
        let thread = runtime::spawn_blocking(|| thread.join().unwrap());
        assert_eq!(thread.await.unwrap(), 1);
    });
}

#[test]
fn a_handle_that_was_polled_elsewhere_is_awaited_at_home() {
    run(async {
        let (go, gone) = oneshot::channel::<u32>();
        let handle = poll_elsewhere(runtime::spawn(gone));
        let join = runtime::spawn(handle);
        // The handle is polled here before a turn of the loop takes in what the poll over there has left.
        turns().await;
        go.send(1).unwrap();
        assert_eq!(join.await.unwrap().unwrap(), Ok(1));
    });
}

#[test]
fn a_handle_that_was_polled_elsewhere_and_at_home_is_awaited_elsewhere() {
    run(async {
        let (go, gone) = oneshot::channel::<u32>();
        let mut handle = poll_elsewhere(runtime::spawn(gone));
        // What that has left is taken in.
        turns().await;
        assert!(futures::poll!(&mut handle).is_pending());
        let thread = thread::spawn(|| futures::executor::block_on(handle));
        go.send(1).unwrap();
        let join = runtime::spawn_blocking(|| thread.join().unwrap());
        assert_eq!(join.await.unwrap().unwrap(), Ok(1));
    });
}

/// Polls a handle once on a thread without a runtime.
fn poll_elsewhere<T: Send + 'static>(mut handle: JoinHandle<T>) -> JoinHandle<T> {
    let poll = move || {
        assert!(handle.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
        handle
    };
    thread::spawn(poll).join().unwrap()
}

#[test]
fn a_remote_spawn_is_aborted_from_either_side() {
    run(async {
        let handle = Handle::current();
        let (tx, rx) = oneshot::channel();
        let thread = thread::spawn(move || {
            // Before it has come over, most likely, and after.
            let early = handle.spawn(pending::<()>());
            early.abort();
            assert!(futures::executor::block_on(early).unwrap_err().is_cancelled());
            let (started, has_started) = mpsc::channel();
            let late = handle.spawn(async move {
                started.send(()).unwrap();
                pending::<()>().await;
            });
            has_started.recv().unwrap();
            assert!(!late.is_finished());
            assert!(futures::executor::block_on(late.cancel()).unwrap_err().is_cancelled());
            tx.send(handle.spawn(pending::<()>())).map_err(drop).unwrap();
        });
        let from_here = rx.await.unwrap();
        assert!(from_here.cancel().await.unwrap_err().is_cancelled());
        thread.join().unwrap();
    });
}

#[test]
fn spawn_with_makes_a_future_that_stays() {
    run(async {
        let (handle, owner) = (Handle::current(), thread::current().id());
        let task = thread::spawn(move || {
            handle.spawn_with(move || {
                assert_eq!(thread::current().id(), owner);
                let local = Rc::new(Cell::new(1));
                async move {
                    runtime::spawn({
                        let local = local.clone();
                        async move { local.set(2) }
                    })
                    .await
                    .unwrap();
                    local.get()
                }
            })
        });
        let task = runtime::spawn_blocking(|| task.join().unwrap()).await.unwrap();
        assert_eq!(task.await.unwrap(), 2);
    });
}

/// Says which thread dropped it.
struct DropsOn(mpsc::Sender<thread::ThreadId>);

impl Drop for DropsOn {
    fn drop(&mut self) {
        self.0.send(thread::current().id()).unwrap();
    }
}

#[test]
fn spawned_on_a_runtime_that_is_gone_a_future_is_dropped_by_the_caller() {
    limited(|| {
        let handle = Runtime::new().unwrap().handle().clone();
        let (tx, rx) = mpsc::channel();
        thread::spawn(move || {
            let held = DropsOn(tx);
            let task = handle.spawn(async move {
                let _held = held;
            });
            assert_eq!(rx.try_recv(), Ok(thread::current().id()));
            assert!(task.is_finished());
            assert!(futures::executor::block_on(task).unwrap_err().is_cancelled());
            assert!(handle.spawn_with(|| async { 1 }).is_finished());
            assert!(handle.spawn_blocking(|| 1).is_finished());
        })
        .join()
        .unwrap();
    });
}

#[test]
fn spawned_on_a_runtime_that_ends_before_it_looks_a_future_is_cancelled() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let handle = runtime.handle().clone();
        let (tx, rx) = mpsc::channel();
        let held = DropsOn(tx);
        let task = thread::spawn(move || {
            handle.spawn(async move {
                let _held = held;
            })
        });
        let task = task.join().unwrap();
        drop(runtime);
        assert_eq!(rx.try_recv(), Ok(thread::current().id()));
        assert!(futures::executor::block_on(task).unwrap_err().is_cancelled());
    });
}

#[test]
fn a_storm_of_wakes_from_threads_loses_none() {
    const TASKS: usize = 64;
    const ROUNDS: u32 = 2_000;
    /// A counter that a task waits on: woken, it must see every step sooner or later.
    #[derive(Default)]
    struct Cell {
        step: AtomicU32,
        waker: Mutex<Option<Waker>>,
    }
    run(async {
        let cells: Arc<Vec<Cell>> = Arc::new((0..TASKS).map(|_| Cell::default()).collect());
        let tasks: Vec<_> = (0..TASKS)
            .map(|index| {
                let cells = cells.clone();
                runtime::spawn(poll_fn(move |cx| {
                    let cell = &cells[index];
                    cell.waker.lock().unwrap().replace(cx.waker().clone());
                    match cell.step.load(Ordering::Acquire) {
                        ROUNDS => Poll::Ready(()),
                        _ => Poll::Pending,
                    }
                }))
            })
            .collect();
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let cells = cells.clone();
                thread::spawn(move || {
                    // A generator is enough of a disorder; each thread has a quarter of the tasks.
                    let mut state = thread as u32 + 1;
                    let mut left = [ROUNDS; TASKS / 4];
                    let mut open = left.len();
                    while open > 0 {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        let own = (state >> 16) as usize % left.len();
                        if left[own] == 0 {
                            continue;
                        }
                        left[own] -= 1;
                        open -= usize::from(left[own] == 0);
                        let cell = &cells[own * 4 + thread];
                        cell.step.fetch_add(1, Ordering::AcqRel);
                        let waker = cell.waker.lock().unwrap().take();
                        if let Some(waker) = waker {
                            waker.wake();
                        }
                        if state & 63 == 0 {
                            // Lets the owner fall asleep now and then.
                            thread::park_timeout(Duration::from_micros(100));
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn wakes_that_come_as_the_owner_falls_asleep() {
    // Ping-pong: each wake meets an owner that is about to sleep, with and without an epoll.
    for with_timer in [false, true] {
        run(async move {
            if with_timer {
                sleep(Duration::from_micros(1)).await;
            }
            let turn = Arc::new(AtomicU32::new(0));
            let (tx, rx) = mpsc::channel::<Waker>();
            let thread = thread::spawn({
                let turn = turn.clone();
                move || {
                    for waker in rx {
                        turn.fetch_add(1, Ordering::Release);
                        waker.wake();
                    }
                }
            });
            for round in 0..5_000 {
                let mut asked = false;
                poll_fn(|cx| {
                    if !std::mem::replace(&mut asked, true) {
                        tx.send(cx.waker().clone()).unwrap();
                    }
                    match turn.load(Ordering::Acquire) > round {
                        true => Poll::Ready(()),
                        false => Poll::Pending,
                    }
                })
                .await;
            }
            drop(tx);
            thread.join().unwrap();
        });
    }
}

#[test]
fn late_wakers_fire_while_runtimes_come_and_go() {
    limited(|| {
        let over = Arc::new(AtomicBool::new(false));
        let (tx, rx) = mpsc::channel::<Waker>();
        let late = thread::spawn({
            let over = over.clone();
            move || {
                let mut wakers = VecDeque::new();
                while !over.load(Ordering::Relaxed) {
                    wakers.extend(rx.try_iter());
                    while wakers.len() > 100 {
                        wakers.pop_front();
                    }
                    wakers.iter().for_each(Waker::wake_by_ref);
                }
            }
        });
        for round in 0..2_000 {
            runtime::block_on(async {
                let task = runtime::spawn(poll_fn({
                    let tx = tx.clone();
                    let mut polls = 0;
                    move |cx| {
                        tx.send(cx.waker().clone()).unwrap();
                        polls += 1;
                        cx.waker().wake_by_ref();
                        if polls < 3 { Poll::Pending } else { Poll::Ready(polls) }
                    }
                }));
                // What must come goes by the same block as what comes too late.
                let (tx, rx) = oneshot::channel();
                let handle = Handle::current();
                let thread = thread::spawn(move || drop(handle.spawn(async { tx.send(1) })));
                assert_eq!(rx.await, Ok(1));
                if round % 4 == 0 {
                    sleep(Duration::from_micros(10)).await;
                }
                assert!(task.await.unwrap() >= 3);
                thread.join().unwrap();
            });
        }
        over.store(true, Ordering::Relaxed);
        late.join().unwrap();
    });
}

#[test]
fn handles_of_old_runtimes_leave_the_new_alone() {
    limited(|| {
        let mut old = Vec::new();
        for _ in 0..500 {
            let runtime = Runtime::new().unwrap();
            let handle = runtime.handle().clone();
            let task = runtime.spawn(async { 1 });
            let sleep = {
                let _guard = runtime.enter();
                sleep(Duration::from_micros(1))
            };
            // The handles of all runtimes before, used on this one's entries' indices.
            runtime.block_on(async {
                let alive = runtime::spawn(async {
                    yield_now().await;
                    2
                });
                for (handle, task, sleep) in old.drain(..) {
                    let (handle, task): (Handle, runtime::JoinHandle<i32>) = (handle, task);
                    task.abort();
                    assert!(task.await.unwrap_err().is_cancelled());
                    assert!(handle.spawn(async {}).is_finished());
                    drop::<runtime::time::Sleep>(sleep);
                }
                assert_eq!(alive.await.unwrap(), 2);
            });
            old.push((handle, task, sleep));
        }
    });
}

#[test]
fn runtimes_on_many_threads_wake_each_other() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 1_000;
    limited(|| {
        // A ring: each runtime passes on what it gets.
        let (txs, rxs): (Vec<_>, Vec<_>) =
            (0..THREADS).map(|_| futures::channel::mpsc::unbounded::<usize>()).unzip();
        let threads: Vec<_> = rxs
            .into_iter()
            .enumerate()
            .map(|(number, mut rx)| {
                let next = txs[(number + 1) % THREADS].clone();
                thread::spawn(move || {
                    use futures::StreamExt;
                    runtime::block_on(async {
                        let mut last = 0;
                        while let Some(hops) = rx.next().await {
                            last = hops;
                            if hops > 0 {
                                let _ = next.unbounded_send(hops - 1);
                            }
                            if hops < THREADS {
                                break;
                            }
                        }
                        last
                    })
                })
            })
            .collect();
        txs[0].unbounded_send(ROUNDS).unwrap();
        for thread in threads {
            assert!(thread.join().unwrap() < THREADS);
        }
    });
}
