//! Channels and locks of other crates, and tower: what the examples print, and that each wakes tasks of this runtime
//! from other threads.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use ecosystem::tower::TimeoutLayer;
use futures::channel::mpsc::unbounded;
use futures::future::{Either, join_all, select};
use futures::stream::FuturesUnordered;
use futures::{SinkExt, StreamExt, stream};
use runtime::time::Elapsed;
use support::{Program, limited, path, run};
use tokio::sync::{Barrier, Mutex, Notify, RwLock, Semaphore, broadcast, mpsc, oneshot, watch};
use tower::buffer::Buffer;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

#[test]
fn the_examples() {
    for (example, wanted) in [
        (
            "channels",
            &[
                "the first order is here",
                "12 loaves are baked",
                "baker 0 goes home, baker 1 goes home, baker 2 goes home",
                "the customer has 12 breads",
                "[1, 2, 3, 4, 5, 7, 9, 20, 21, 22]",
            ][..],
        ),
        (
            "middleware",
            &[
                "hello, ada",
                "hello, bob",
                "no answer: the deadline came before the future was done",
                "hello, cy",
                "hello, dot",
                "hello, eve; service overloaded",
            ],
        ),
    ] {
        let program = Program::start(&mut Command::new(path(example)));
        assert_eq!(limited(|| program.succeed()), wanted, "{example}");
    }
}

/// Runs a part of a test on another thread, that has no runtime.
fn elsewhere<T: Send + 'static>(
    body: impl Future<Output = T> + Send + 'static,
) -> thread::JoinHandle<T> {
    thread::spawn(|| futures::executor::block_on(body))
}

const ROUNDS: usize = 1000;

/// Each answer is awaited before the next question, so that both sides sleep and are woken each time.
#[test]
fn channels_cross_threads() {
    run(async {
        let (ask, mut asked) = mpsc::channel(1);
        let (answer, answers) = async_channel::bounded(1);
        let there = elsewhere(async move {
            while let Some(question) = asked.recv().await {
                answer.send(question + 1).await.unwrap();
            }
        });
        for n in 0..ROUNDS {
            ask.send(n).await.unwrap();
            assert_eq!(answers.recv().await.unwrap(), n + 1);
        }
        drop(ask);
        assert!(answers.recv().await.is_err());
        there.join().unwrap();

        let (mut ask, mut asked) = futures::channel::mpsc::channel(0);
        let there = elsewhere(async move {
            while let Some((question, reply)) = asked.next().await {
                let reply: oneshot::Sender<usize> = reply;
                reply.send(question + 1).unwrap();
            }
        });
        for n in 0..ROUNDS {
            let (reply, answer) = oneshot::channel();
            ask.send((n, reply)).await.unwrap();
            assert_eq!(answer.await.unwrap(), n + 1);
        }
        drop(ask);
        there.join().unwrap();
    });
}

#[test]
fn what_all_hear_crosses_threads() {
    run(async {
        let (latest, mut seen) = watch::channel(0);
        let (seen_there, mut echoed) = watch::channel(0);
        let there = elsewhere(async move {
            while seen.changed().await.is_ok() {
                let now = *seen.borrow_and_update();
                seen_there.send(now).unwrap();
            }
        });
        for n in 1..=ROUNDS {
            latest.send(n).unwrap();
            assert_eq!(*echoed.wait_for(|&echoed| echoed == n).await.unwrap(), n);
        }
        drop(latest);
        there.join().unwrap();

        let (news, _) = broadcast::channel(16);
        let heard: Vec<_> = (0..3)
            .map(|_| {
                let mut news = news.subscribe();
                runtime::spawn(async move {
                    let mut heard = vec![];
                    while let Ok(n) = news.recv().await {
                        heard.push(n);
                    }
                    heard
                })
            })
            .collect();
        let there = elsewhere(async move {
            (0..10).for_each(|n| assert_eq!(news.send(n).unwrap(), 3));
        });
        for heard in join_all(heard).await {
            assert!(heard.unwrap().into_iter().eq(0..10));
        }
        there.join().unwrap();
    });
}

/// Tasks of this runtime and a thread add to what a lock guards, each over an `.await`.
#[test]
fn locks_cross_threads() {
    run(async {
        let (mutex, rwlock) = (Arc::new(Mutex::new(0)), Arc::new(RwLock::new(0)));
        let add = |mutex: Arc<Mutex<usize>>, rwlock: Arc<RwLock<usize>>| async move {
            for _ in 0..ROUNDS {
                let mut sum = mutex.lock().await;
                *rwlock.write().await += 1;
                assert!(*rwlock.read().await > 0);
                *sum += 1;
            }
        };
        let there = elsewhere(add(mutex.clone(), rwlock.clone()));
        let here = (0..4).map(|_| runtime::spawn(add(mutex.clone(), rwlock.clone())));
        for task in join_all(here).await {
            task.unwrap();
        }
        runtime::spawn_blocking(|| there.join().unwrap()).await.unwrap();
        assert_eq!((*mutex.lock().await, *rwlock.read().await), (5 * ROUNDS, 5 * ROUNDS));

        let semaphore = Arc::new(Semaphore::new(2));
        let inside = Arc::new(AtomicUsize::new(0));
        let enter = |semaphore: Arc<Semaphore>, inside: Arc<AtomicUsize>| async move {
            for _ in 0..ROUNDS {
                let permit = semaphore.acquire().await.unwrap();
                assert!(inside.fetch_add(1, Ordering::SeqCst) < 2);
                thread::yield_now();
                inside.fetch_sub(1, Ordering::SeqCst);
                drop(permit);
            }
        };
        let threads = [0; 2].map(|_| elsewhere(enter(semaphore.clone(), inside.clone())));
        runtime::spawn(enter(semaphore.clone(), inside.clone())).await.unwrap();
        runtime::spawn_blocking(|| threads.map(|there| there.join().unwrap())).await.unwrap();
    });
}

#[test]
fn bells_and_barriers_cross_threads() {
    run(async {
        let (ping, pong) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let barrier = Arc::new(Barrier::new(3));
        let there = {
            let (ping, pong, barrier) = (ping.clone(), pong.clone(), barrier.clone());
            elsewhere(async move {
                for _ in 0..ROUNDS {
                    ping.notified().await;
                    pong.notify_one();
                }
                barrier.wait().await.is_leader()
            })
        };
        for _ in 0..ROUNDS {
            ping.notify_one();
            pong.notified().await;
        }
        let other = barrier.clone();
        let task = runtime::spawn(async move { other.wait().await.is_leader() });
        let mut leaders = vec![barrier.wait().await.is_leader(), task.await.unwrap()];
        leaders.push(there.join().unwrap());
        assert_eq!(leaders.iter().filter(|&&leads| leads).count(), 1);
    });
}

/// Futures that wake only what they are part of: many in one task, woken by many threads.
#[test]
fn many_futures_in_one_task() {
    run(async {
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..ROUNDS).map(|_| oneshot::channel()).unzip();
        let unordered = receivers.into_iter().collect::<FuturesUnordered<_>>();
        let mut senders: Vec<_> = senders.into_iter().enumerate().collect();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let senders = senders.split_off(senders.len() - ROUNDS / 4);
                thread::spawn(|| senders.into_iter().for_each(|(n, s)| s.send(n).unwrap()))
            })
            .collect();
        let mut got: Vec<usize> = unordered.map(Result::unwrap).collect().await;
        got.sort_unstable();
        assert!(got.into_iter().eq(0..ROUNDS));
        threads.into_iter().for_each(|thread| thread.join().unwrap());

        // Never more than ten at a time.
        let running = AtomicUsize::new(0);
        let squares = stream::iter(0..ROUNDS)
            .map(|n| {
                let running = &running;
                async move {
                    assert!(running.fetch_add(1, Ordering::Relaxed) < 10);
                    runtime::task::yield_now().await;
                    running.fetch_sub(1, Ordering::Relaxed);
                    n * n
                }
            })
            .buffer_unordered(10)
            .fold(0, |sum, square| async move { sum + square });
        assert_eq!(squares.await, (0..ROUNDS).map(|n| n * n).sum::<usize>());

        // Of what loses a race nothing is left, and the channel goes on.
        let (sender, mut receiver) = unbounded();
        let never = pin!(receiver.next());
        let soon = pin!(runtime::time::sleep(Duration::from_millis(1)));
        assert!(matches!(select(never, soon).await, Either::Right(_)));
        sender.unbounded_send(1).unwrap();
        futures::select! {
            one = receiver.next() => assert_eq!(one, Some(1)),
            complete => panic!("the sender is there"),
        }
    });
}

#[test]
fn tower_limits_sheds_and_ends_in_time() {
    run(async {
        let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counter, peak) = (inside.clone(), most.clone());
        let service =
            ServiceBuilder::new().concurrency_limit(3).service(service_fn(move |n: u32| {
                let (counter, peak) = (counter.clone(), peak.clone());
                async move {
                    peak.fetch_max(counter.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    runtime::time::sleep(Duration::from_micros(100)).await;
                    counter.fetch_sub(1, Ordering::SeqCst);
                    Ok::<_, std::io::Error>(n + 1)
                }
            }));
        let (service, worker) = Buffer::pair(service, 16);
        let worker = runtime::spawn(worker);
        // Half of them from a thread.
        let (handle, there) = (runtime::Handle::current(), service.clone());
        let there = thread::spawn(move || {
            handle.block_on(join_all((0..100).map(|n| there.clone().oneshot(n))))
        });
        let here = join_all((0..100).map(|n| service.clone().oneshot(n))).await;
        drop(service);
        worker.await.unwrap();
        // Its timers are ours: we must not block.
        let there = runtime::spawn_blocking(|| there.join().unwrap()).await.unwrap();
        for answers in [here, there] {
            for (n, answer) in (0..).zip(answers) {
                assert_eq!(answer.unwrap(), n + 1);
            }
        }
        assert_eq!(inside.load(Ordering::SeqCst), 0);
        assert!(most.load(Ordering::SeqCst) <= 3);

        let mut late = ServiceBuilder::new()
            .layer(TimeoutLayer(Duration::from_millis(1)))
            .service(service_fn(|()| std::future::pending::<Result<(), std::io::Error>>()));
        let error = late.ready().await.unwrap().call(()).await.unwrap_err();
        assert!(error.is::<Elapsed>(), "{error}");
    });
}

/// Why some of tower is not in the table of what runs: it asks for tokio's timer, or for its `spawn`.
#[test]
fn what_asks_for_tokio_panics_at_once() {
    fn panics(body: impl FnOnce()) {
        let panic = catch_unwind(AssertUnwindSafe(body)).unwrap_err();
        let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
        let text = text.or(panic.downcast_ref::<String>().cloned()).expect("a panic with a text");
        assert!(text.contains("Tokio 1.x runtime"), "{text}");
    }
    let service = || service_fn(|()| async { Ok::<(), std::io::Error>(()) });
    let second = Duration::from_secs(1);
    run(async {
        panics(|| drop(Buffer::new(service(), 1)));
        panics(|| drop(ServiceBuilder::new().rate_limit(1, second).service(service())));
        panics(|| drop(ServiceBuilder::new().timeout(second).service(service()).call(())));
    });
}
