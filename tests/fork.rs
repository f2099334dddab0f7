//! What a fork leaves in the child, and that the child leaves the parent's runtime alone.
#![allow(unsafe_code)]

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::future::{pending, poll_fn};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use runtime::Runtime;
use runtime::io::Source;
use runtime::task::yield_now;
use runtime::time::{Instant, sleep};
use support::forks::{assert_fine, in_child, one_at_a_time};
use support::{begun, limited, poll_once, run};

fn socket_pair() -> (Source<UnixStream>, UnixStream) {
    let (a, b) = UnixStream::pair().expect("a pair");
    a.set_nonblocking(true).expect("nonblocking");
    (Source::new(a), b)
}

async fn read_one(source: &Source<UnixStream>) -> u8 {
    let mut byte = [0];
    source.read_with(|mut stream| stream.read_exact(&mut byte)).await.expect("read");
    byte[0]
}

#[test]
fn what_the_child_drops_stays_with_the_parent() {
    let _alone = one_at_a_time();
    run(async {
        let (a, mut b) = socket_pair();
        assert!(poll_once(pin!(a.readable())).is_pending(), "registered");
        let start = Instant::now();
        let nap = begun(Duration::from_millis(30), Waker::noop());
        // Once asleep, so that the timerfd is set to what the child must not disturb.
        sleep(Duration::from_millis(1)).await;

        let (mut a, mut nap) = (Some(a), Some(nap));
        for after_fork in [false, true] {
            assert_fine(in_child(|| {
                if after_fork {
                    runtime::after_fork();
                }
                drop((a.take(), nap.take()));
            }));
        }
        let (a, nap) = (a.expect("the parent's"), nap.expect("the parent's"));
        b.write_all(b"x").expect("write");
        assert_eq!(read_one(&a).await, b'x');
        nap.await;
        assert!(start.elapsed() >= Duration::from_millis(30));
    });
}

#[test]
fn the_child_drops_the_parents_runtime() {
    let _alone = one_at_a_time();
    limited(|| {
        let mut runtime = Some(Runtime::new().expect("a runtime"));
        let (a, mut b) = socket_pair();
        let task = runtime.as_ref().expect("there").spawn(async move {
            let nap = begun(Duration::from_millis(20), Waker::noop());
            let byte = read_one(&a).await;
            nap.await;
            byte
        });
        runtime.as_ref().expect("there").block_on(async {
            yield_now().await;
            // Asleep once, with all registered.
            sleep(Duration::from_micros(1)).await;
            runtime::spawn_blocking(|| ()).await.expect("no panic");
        });
        for after_fork in [false, true] {
            assert_fine(in_child(|| {
                if after_fork {
                    runtime::after_fork();
                }
                drop(runtime.take());
            }));
        }
        b.write_all(b"x").expect("write");
        let runtime = runtime.expect("the parent's");
        assert_eq!(runtime.block_on(task).expect("no panic"), b'x');
    });
}

#[test]
fn a_child_of_a_task_runs_runtimes_of_its_own() {
    let _alone = one_at_a_time();
    run(async {
        let task = runtime::spawn(async {
            let parents = runtime::Handle::current().id();
            assert_fine(in_child(|| {
                // Without it the child is inside the parent's loop still.
                let refused = catch_unwind(|| runtime::block_on(async {})).expect_err("refused");
                let said = refused.downcast_ref::<String>().expect("a sentence");
                assert!(said.contains("runtime::after_fork()"), "{said}");
                runtime::after_fork();
                assert!(runtime::Handle::try_current().is_err());
                for _ in 0..2 {
                    runtime::block_on(async {
                        assert_ne!(runtime::Handle::current().id(), parents);
                        let (a, mut b) = socket_pair();
                        let reads = runtime::spawn(async move { read_one(&a).await });
                        sleep(Duration::from_millis(1)).await;
                        let writes = runtime::spawn_blocking(move || b.write_all(b"x"));
                        assert_eq!(reads.await.expect("no panic"), b'x');
                        writes.await.expect("no panic").expect("written");
                        let handle = runtime::Handle::current();
                        let remote = thread::spawn(move || handle.spawn(async { 5 }));
                        let remote = runtime::spawn_blocking(|| remote.join().expect("joined"));
                        assert_eq!(remote.await.expect("joined").await.expect("ran"), 5);
                    });
                }
                // A child of the child is a third.
                assert_fine(in_child(|| runtime::block_on(async { yield_now().await })));
            }));
        });
        task.await.expect("no panic");
        sleep(Duration::from_millis(1)).await;
    });
}

#[test]
fn turning_the_parents_runtime_is_refused_with_the_remedy() {
    let _alone = one_at_a_time();
    limited(|| {
        let runtime = Runtime::new().expect("a runtime");
        runtime.block_on(async { sleep(Duration::from_micros(1)).await });
        assert_fine(in_child(|| {
            let refused = catch_unwind(AssertUnwindSafe(|| runtime.block_on(async {})));
            let payload = refused.expect_err("refused");
            let said = payload.downcast_ref::<String>().expect("a sentence");
            assert!(said.contains("fork") && said.contains("runtime::after_fork()"));
        }));
        runtime.block_on(async { sleep(Duration::from_micros(1)).await });
    });
}

#[test]
fn the_child_registers_nothing_with_the_parents_epoll() {
    let _alone = one_at_a_time();
    run(async {
        // So that there is an epoll.
        sleep(Duration::from_micros(1)).await;
        let (a, mut b) = socket_pair();
        assert_fine(in_child(|| {
            let Poll::Ready(Err(refused)) = poll_once(pin!(a.readable())) else {
                panic!("it is registered");
            };
            let said = refused.to_string();
            assert!(said.contains("fork") && said.contains("runtime::after_fork()"), "{said}");
        }));
        b.write_all(b"x").expect("write");
        assert_eq!(read_one(&a).await, b'x');
    });
}

#[test]
fn the_child_does_not_wait_for_closures_that_the_parent_runs() {
    let _alone = one_at_a_time();
    limited(|| {
        let mut runtime = Some(Runtime::new().expect("a runtime"));
        let (say, said) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let task = runtime.as_ref().expect("there").spawn_blocking(move || {
            say.send("it runs").expect("heard");
            ended.recv()
        });
        assert_eq!(said.recv(), Ok("it runs"));
        assert_fine(in_child(|| {
            runtime.take().expect("there").shutdown_timeout(Duration::MAX);
        }));
        end.send(()).expect("it waits");
        let runtime = runtime.expect("the parent's");
        assert_eq!(runtime.block_on(task).expect("no panic"), Ok(()));
    });
}

/// The eventfds of this process and their counts.
fn eventfds() -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/fdinfo").expect("/proc").flatten() {
        // The descriptor of this very list is closed again before it is looked at.
        let Ok(info) = fs::read_to_string(entry.path()) else { continue };
        let field = |name| info.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        if let (Some(id), Some(count)) = (field("eventfd-id:"), field("eventfd-count:")) {
            counts.insert(id.to_string(), u64::from_str_radix(count, 16).expect("a count"));
        }
    }
    counts
}

/// A block of the inbox whose eventfd is the parent's too is not used again, nor is that written to.
#[test]
fn the_child_has_an_eventfd_of_its_own() {
    let _alone = one_at_a_time();
    limited(|| {
        let mut runtime = Some(Runtime::new().expect("a runtime"));
        let nap = || sleep(Duration::from_micros(1));
        runtime.as_ref().expect("there").block_on(async { nap().await });
        // It waits for a host now, who is told by the eventfd.
        runtime.as_ref().expect("there").turn(Some(Duration::ZERO)).expect("a turn");
        let parents = eventfds();
        assert!(!parents.is_empty(), "the runtime has slept in epoll");
        assert_fine(in_child(|| {
            let parents_runtime = runtime.take().expect("there");
            parents_runtime.spawn(async {});
            runtime::after_fork();
            drop(parents_runtime);
            assert_eq!(eventfds(), parents, "it is not woken");
            runtime::block_on(async { nap().await });
            assert_eq!(eventfds().len(), parents.len() + 1);
        }));
    });
}

#[test]
fn the_parents_handles_do_nothing_in_the_child() {
    let _alone = one_at_a_time();
    limited(|| {
        let runtime = Runtime::new().expect("a runtime");
        let handle = runtime.handle().clone();
        let mut task = runtime.spawn(async {
            yield_now().await;
            5
        });
        let other = runtime.spawn(pending::<()>());
        let waker = runtime.block_on(async {
            // Asleep in epoll once.
            sleep(Duration::from_micros(1)).await;
            poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
        });
        assert_fine(in_child(|| {
            runtime::after_fork();
            waker.wake_by_ref();
            task.abort();
            other.abort();
            assert!(handle.spawn(async {}).is_finished());
            assert!(handle.spawn_with(|| async {}).is_finished());
            assert!(futures::executor::block_on(&mut task).expect_err("gone").is_cancelled());
        }));
        assert!(!other.is_finished());
        assert_eq!(runtime.block_on(task).expect("neither aborted nor gone"), 5);
    });
}

#[test]
fn an_embedded_runtime_stays_with_its_host_in_the_parent() {
    let _alone = one_at_a_time();
    limited(|| {
        let mut runtime = Some(Runtime::new().expect("a runtime"));
        let hosted = runtime.as_ref().expect("it is here");
        let fd = hosted.as_raw_fd();
        hosted.run_until_stalled();
        assert_fine(in_child(|| {
            let hosted = runtime.as_ref().expect("it is here");
            for refused in [hosted.prepare(), hosted.turn(None).map(drop)] {
                let said = refused.expect_err("refused").to_string();
                assert!(said.contains("fork") && said.contains("runtime::after_fork()"));
            }
            let stalled = catch_unwind(AssertUnwindSafe(|| hosted.run_until_stalled()));
            assert!(stalled.is_err());
            // Good for taking it out of a loop.
            assert_eq!(hosted.as_raw_fd(), fd);
            drop(hosted.spawn(async {}));
            drop(runtime.take());
            runtime::after_fork();
            let own = Runtime::new().expect("a runtime");
            let task = own.spawn(yield_now());
            own.run_until_stalled();
            assert!(task.is_finished());
        }));
        let hosted = runtime.as_ref().expect("it is here");
        assert!(!is_readable(fd), "the child has not woken it");
        let task = hosted.spawn(async {});
        assert!(is_readable(fd));
        hosted.run_until_stalled();
        assert!(task.is_finished() && !is_readable(fd));
    });
}

fn is_readable(fd: RawFd) -> bool {
    let mut fd = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: the pointer and the length are those of one `pollfd`.
    unsafe { libc::poll(&mut fd, 1, 0) == 1 }
}

#[test]
fn a_runtime_asleep_on_another_thread_is_not_woken_by_the_child() {
    let _alone = one_at_a_time();
    limited(|| {
        let (tx, rx) = mpsc::channel();
        let (end, ended) = futures::channel::oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            runtime::block_on(async {
                sleep(Duration::from_micros(1)).await;
                let mut polls = 0;
                let mut ended = pin!(ended);
                poll_fn(|cx| {
                    polls += 1;
                    // It waits before anybody hears of it, or the end could come first.
                    let ended = ended.as_mut().poll(cx).map(drop);
                    let _ = tx.send((cx.waker().clone(), runtime::Handle::current()));
                    ended
                })
                .await;
                polls
            })
        });
        let (waker, handle) = rx.recv().expect("it sends");
        assert_fine(in_child(|| {
            waker.wake_by_ref();
            drop(handle.spawn(async {}));
            // The child's own runtime is another, of whatever slot.
            assert_eq!(runtime::block_on(async { 5 }), 5);
        }));
        end.send(()).expect("it waits");
        assert_eq!(thread.join().expect("no panic"), 2);
    });
}

#[test]
fn the_child_drops_a_runtime_whose_locks_other_threads_hold() {
    let _alone = one_at_a_time();
    limited(|| {
        let mut runtime = Some(Runtime::new().expect("a runtime"));
        let over = Arc::new(AtomicBool::new(false));
        let left = Arc::new(AtomicI32::new(0));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let handle = runtime.as_ref().expect("there").handle().clone();
                let (over, left) = (over.clone(), left.clone());
                thread::spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        // As many as are served, or the forks would copy more and more.
                        if left.load(Ordering::Relaxed) > 0 {
                            left.fetch_sub(1, Ordering::Relaxed);
                            drop(handle.spawn(async {}));
                        }
                    }
                })
            })
            .collect();
        for _ in 0..50 {
            left.store(200, Ordering::Relaxed);
            assert_fine(in_child(|| drop(runtime.take())));
            runtime.as_ref().expect("the parent's").block_on(async {
                for _ in 0..500 {
                    yield_now().await;
                }
            });
        }
        over.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
}

#[test]
fn the_child_drops_a_runtime_whose_tasks_other_threads_await() {
    let _alone = one_at_a_time();
    limited(|| {
        let mut runtime = Some(Runtime::new().expect("a runtime"));
        let over = Arc::new(AtomicBool::new(false));
        let (spawned, is_spawned) = mpsc::channel();
        let thread = thread::spawn({
            let handle = runtime.as_ref().expect("there").handle().clone();
            let over = over.clone();
            move || {
                let mut task = handle.spawn(pending::<()>());
                spawned.send(()).expect("it is waited for");
                // In and out of the lock on what the task leaves for its handle.
                while !over.load(Ordering::Relaxed) {
                    assert!(poll_once(Pin::new(&mut task)).is_pending());
                }
            }
        });
        is_spawned.recv().expect("it is spawned");
        runtime.as_ref().expect("there").block_on(yield_now());
        for _ in 0..100 {
            assert_fine(in_child(|| drop(runtime.take())));
        }
        over.store(true, Ordering::Relaxed);
        thread.join().expect("no panic");
    });
}

#[test]
fn locks_that_threads_hold_at_the_fork_do_not_hang_the_child() {
    let _alone = one_at_a_time();
    run(async {
        // Threads that are in and out of this runtime's inbox, its pool and the allocator.
        let over = Arc::new(AtomicBool::new(false));
        let handle = runtime::Handle::current();
        let held = Arc::new(Mutex::new(0));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (over, handle, held) = (over.clone(), handle.clone(), held.clone());
                thread::spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        let _lock = held.lock();
                        drop(handle.spawn(async {}));
                        drop(handle.spawn_blocking(|| ()));
                    }
                })
            })
            .collect();
        for _ in 0..50 {
            assert_fine(in_child(|| {
                runtime::after_fork();
                drop(handle.spawn(async {}));
                runtime::block_on(async {
                    runtime::spawn(yield_now()).await.expect("no panic");
                    sleep(Duration::from_micros(1)).await;
                });
            }));
            yield_now().await;
        }
        over.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
}

#[test]
fn the_parents_pool_runs_nothing_in_the_child() {
    let _alone = one_at_a_time();
    limited(|| {
        let runtime = Runtime::new().expect("a runtime");
        let run_there = |n| runtime.spawn_blocking(move || n);
        assert_eq!(runtime.block_on(run_there(1)).expect("it ran"), 1);
        // A thread of the pool is there and idle: the child has its count, and not the thread.
        assert_fine(in_child(|| {
            runtime::after_fork();
            let task = run_there(2);
            let error = runtime::block_on(task).expect_err("there is no thread for it");
            assert!(error.is_cancelled());
        }));
        assert_eq!(runtime.block_on(run_there(3)).expect("it ran"), 3);
    });
}

#[test]
fn what_the_parents_threads_do_is_cancelled_in_the_child() {
    let _alone = one_at_a_time();
    limited(|| {
        let runtime = Runtime::new().expect("a runtime");
        let mut done = runtime.spawn_blocking(|| 1);
        let (begun, has_begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let mut under_way = runtime.spawn_blocking(move || {
            begun.send(()).expect("it is waited for");
            may_go_on.recv().expect("it is told");
            2
        });
        has_begun.recv().expect("it begins");
        runtime.block_on(async {
            while !done.is_finished() {
                yield_now().await;
            }
        });
        assert!(!under_way.is_finished());
        assert_fine(in_child(|| {
            runtime::after_fork();
            runtime::block_on(async {
                // What was there at the fork is there.
                assert_eq!((&mut done).await.expect("it is done"), 1);
                assert!(under_way.is_finished());
                assert!((&mut under_way).await.expect_err("it goes on elsewhere").is_cancelled());
                under_way.abort();
            });
        }));
        go_on.send(()).expect("it waits");
        assert_eq!(runtime.block_on(under_way).expect("not aborted by the child"), 2);
        assert_eq!(runtime.block_on(done).expect("not taken by the child"), 1);
    });
}

#[test]
fn the_childs_runtime_takes_on_what_the_parents_has_registered() {
    let _alone = one_at_a_time();
    limited(|| {
        let runtime = Runtime::new().expect("a runtime");
        let (a, mut b) = socket_pair();
        let mut nap = None;
        runtime.block_on(async {
            assert!(poll_once(pin!(a.readable())).is_pending(), "registered");
            nap = Some(begun(Duration::from_millis(2), Waker::noop()));
            sleep(Duration::from_micros(1)).await;
        });
        let mut nap = nap.expect("it was begun");
        assert_fine(in_child(|| {
            runtime::after_fork();
            runtime::block_on(async {
                let mut byte = pin!(read_one(&a));
                assert!(poll_once(byte.as_mut()).is_pending());
                sleep(Duration::from_micros(1)).await;
                b.write_all(b"c").expect("write");
                assert_eq!(byte.await, b'c');
                (&mut nap).await;
            });
        }));
        runtime.block_on(async {
            let mut byte = pin!(read_one(&a));
            assert!(poll_once(byte.as_mut()).is_pending());
            sleep(Duration::from_micros(1)).await;
            b.write_all(b"p").expect("write");
            assert_eq!(byte.await, b'p');
            nap.await;
        });
    });
}

#[test]
fn the_parents_handle_blocks_on_what_needs_no_runtime() {
    let _alone = one_at_a_time();
    limited(|| {
        let runtime = Runtime::new().expect("a runtime");
        let handle = runtime.handle().clone();
        runtime.block_on(async { sleep(Duration::from_micros(1)).await });
        let (a, mut b) = socket_pair();
        assert_fine(in_child(|| {
            runtime::after_fork();
            let (tx, rx) = futures::channel::oneshot::channel();
            let other = thread::spawn(move || tx.send(5));
            assert_eq!(handle.block_on(rx), Ok(5));
            other.join().expect("no panic").expect("it waits");
            // What the parent's runtime would have to serve is refused, and does not hang.
            let mut byte = [0];
            let read = handle.block_on(a.read_with(|mut stream| stream.read(&mut byte)));
            assert!(read.is_err());
            let nap = || handle.block_on(async { sleep(Duration::from_micros(1)).await });
            assert!(catch_unwind(AssertUnwindSafe(nap)).is_err());
        }));
        b.write_all(b"x").expect("write");
        assert_eq!(runtime.block_on(read_one(&a)), b'x');
    });
}

#[test]
fn a_thread_of_the_pool_forks() {
    let _alone = one_at_a_time();
    run(async {
        let child = runtime::spawn_blocking(|| {
            in_child(|| {
                // Pool threads are outside of the loop: there is nothing to leave.
                runtime::block_on(async {
                    sleep(Duration::from_micros(1)).await;
                    assert_eq!(runtime::spawn_blocking(|| 5).await.expect("it ran"), 5);
                });
            })
        });
        assert_fine(child.await.expect("no panic"));
        sleep(Duration::from_micros(1)).await;
    });
}

#[test]
fn each_generation_leaves_the_one_before_alone() {
    let _alone = one_at_a_time();

    /// A runtime with a socket and a timer, which are waited for while the next generation runs.
    fn generation(left: u32, ancestors: &mut Vec<Runtime>) {
        let runtime = Runtime::new().expect("a runtime");
        let (a, mut b) = socket_pair();
        let waits = runtime.spawn(async move {
            let nap = begun(Duration::from_millis(1), Waker::noop());
            let byte = read_one(&a).await;
            nap.await;
            byte
        });
        runtime.block_on(async { sleep(Duration::from_micros(1)).await });
        ancestors.push(runtime);
        if left > 0 {
            assert_fine(in_child(|| {
                runtime::after_fork();
                generation(left - 1, ancestors);
                ancestors.clear();
            }));
        }
        b.write_all(b"x").expect("write");
        let runtime = ancestors.last().expect("ours");
        assert_eq!(runtime.block_on(waits).expect("no panic"), b'x');
    }

    limited(|| generation(3, &mut Vec::new()));
}
