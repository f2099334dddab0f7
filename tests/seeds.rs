//! A seed repeats the order of polls: in this process, in another, and whatever order wakes come in.
//!
//! A binary of its own, and one test for the most of it: while a child is started anywhere in a process, it holds
//! what is closed here.

#[path = "support/mod.rs"]
mod support;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::pin;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use runtime::net::{UnixListener, UnixStream};
use runtime::task::{JoinSet, yield_now};
use runtime::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use runtime::{Builder, spawn};

use support::limited;
use support::random::Random;

const MS: Duration = Duration::from_millis(1);

/// Who was polled, in order, and with the clock paused also when.
#[derive(Clone, Default)]
struct Log {
    start: Option<Instant>,
    lines: Rc<RefCell<Vec<String>>>,
}

impl Log {
    fn note(&self, what: &str) {
        let at = self.start.map_or(String::new(), |start| format!("{:?} ", start.elapsed()));
        self.lines.borrow_mut().push(at + what);
    }

    /// The future, with a line for each poll.
    async fn polls<F: Future>(self, name: impl Into<String>, future: F) -> F::Output {
        let name = name.into();
        let mut future = pin!(future);
        poll_fn(|cx| {
            self.note(&name);
            future.as_mut().poll(cx)
        })
        .await
    }
}

/// Something of all that a test of network code has: tasks, channels, sockets, and what waits for several.
async fn scenario(log: Log) {
    let mut tasks = JoinSet::new();

    // Workers that share a queue, and answer in the order in which they come to it.
    let (jobs, queue) = async_channel::bounded(2);
    let (answers, answered) = async_channel::unbounded();
    for worker in 0..4 {
        let (queue, answers) = (queue.clone(), answers.clone());
        tasks.spawn(log.clone().polls(format!("worker {worker}"), async move {
            while let Ok(job) = queue.recv().await {
                yield_now().await;
                answers.send((worker, job)).await.unwrap();
            }
        }));
    }
    drop((queue, answers));

    // A server, its clients, and connections that end together.
    let listener =
        UnixListener::bind(format!("\0seeds {:p} {}", &log, std::process::id())).unwrap();
    let address = listener.local_addr().unwrap();
    let server = log.clone();
    tasks.spawn(log.clone().polls("server", async move {
        for connection in 0..4 {
            let (stream, _) = listener.accept().await.unwrap();
            drop(spawn(server.clone().polls(format!("connection {connection}"), async move {
                let mut bytes = [0; 100];
                while let Ok(count @ 1..) = stream.read(&mut bytes).await {
                    stream.write_all(&bytes[..count]).await.unwrap();
                }
            })));
        }
    }));
    for client in 0..4 {
        let address = address.clone();
        tasks.spawn(log.clone().polls(format!("client {client}"), async move {
            let stream = UnixStream::connect_addr(&address).await.unwrap();
            for round in 0..9 {
                let (sent, mut read) = ([round], [0]);
                let (wrote, count) =
                    runtime::join!(stream.write_all(&sent), stream.read(&mut read));
                wrote.unwrap();
                assert_eq!((count.unwrap(), read), (1, sent));
            }
        }));
    }

    // Somebody whom all keep busy.
    let (ours, theirs) = UnixStream::pair().unwrap();
    tasks.spawn(log.clone().polls("writer", async move {
        for byte in 0..5 {
            theirs.write_all(&[byte]).await.unwrap();
            yield_now().await;
        }
    }));
    let says = log.clone();
    tasks.spawn(log.clone().polls("selector", async move {
        let mut byte = [0];
        let (mut read, mut closed) = (false, false);
        while !(read && closed) {
            runtime::select! {
                count = ours.read(&mut byte), if !read => {
                    read = count.unwrap() == 0;
                    says.note("selector: a byte");
                }
                answer = answered.recv(), if !closed => {
                    closed = answer.is_err();
                    says.note(&format!("selector: {answer:?}"));
                }
                _ = ready(()) => says.note("selector: nothing"),
            }
            yield_now().await;
        }
    }));

    for job in 0..10 {
        jobs.send(job).await.unwrap();
    }
    drop(jobs);
    let aborted = spawn(log.clone().polls("aborted", pending::<()>()));
    let unordered: FuturesUnordered<_> = (0..4)
        .map(|number| {
            log.clone().polls(format!("unordered {number}"), async move {
                yield_now().await;
                number
            })
        })
        .collect();
    log.note(&format!("unordered: {:?}", unordered.collect::<Vec<_>>().await));
    aborted.abort();
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

/// Deadlines that fall together, and an interval among them.
async fn waits(log: Log) {
    let mut tasks = JoinSet::new();
    for sleeper in 0..6 {
        let says = log.clone();
        tasks.spawn(log.clone().polls(format!("sleeper {sleeper}"), async move {
            for _ in 0..4 {
                sleep(10 * MS).await;
                let late = timeout(5 * MS, sleep((2 + sleeper) * MS)).await;
                says.note(&format!("sleeper {sleeper}: {late:?}"));
            }
        }));
    }
    let says = log.clone();
    tasks.spawn(log.clone().polls("ticks", async move {
        let mut ticks = interval(5 * MS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for _ in 0..10 {
            runtime::select! {
                _ = ticks.tick() => says.note("ticks: tick"),
                () = sleep(5 * MS) => says.note("ticks: sleep"),
            }
        }
    }));
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

/// The order of polls under a seed, in real time and without deadlines, or in the clock's and with them.
fn order(seed: u64, paused: bool) -> Vec<String> {
    order_of(Builder::new().rng_seed(seed), paused)
}

fn order_of(builder: &mut Builder, paused: bool) -> Vec<String> {
    let runtime = builder.start_paused(paused).build().unwrap();
    let log = runtime.block_on(async {
        let log = Log { start: paused.then(Instant::now), ..Log::default() };
        if paused {
            runtime::join!(scenario(log.clone()), waits(log.clone()));
        } else {
            scenario(log.clone()).await;
        }
        log
    });
    drop(runtime);
    log.lines.take()
}

/// Shows where two orders part.
#[track_caller]
fn assert_same(one: &[String], other: &[String]) {
    let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let shown = |order: &[String]| order[same..order.len().min(same + 9)].to_vec();
    assert!(
        one == other,
        "after {same} polls that are the same: {:?}, {:?}",
        shown(one),
        shown(other)
    );
}

/// Does nothing, unless it is called by the test below.
#[test]
fn prints_its_orders() {
    if std::env::var_os("PRINTS_ITS_ORDERS").is_some() {
        println!("{:?}\n{:?}", order(7, false), order(7, true));
    }
}

#[test]
fn a_seed_repeats_the_order_of_polls_a_hundred_times_and_in_other_processes() {
    limited(|| {
        for paused in [false, true] {
            let mut orders = BTreeSet::new();
            for (seed, times) in [(7, 100), (8, 10), (u64::MAX, 10)] {
                let first = order(seed, paused);
                assert!(first.len() > 150, "{} polls: {first:?}", first.len());
                for _ in 0..times {
                    assert_same(&order(seed, paused), &first);
                }
                orders.insert(first);
            }
            assert_eq!(orders.len(), 3, "another seed is another order");

            // Nor does it change for who looks on.
            let mut watched = Builder::new();
            watched.rng_seed(7).metrics(true).on_park(|| {}).on_unpark(|| {});
            assert_same(&order_of(&mut watched, paused), &order(7, paused));
        }

        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "prints_its_orders", "--nocapture"]);
        command.env("PRINTS_ITS_ORDERS", "yes").env_remove("RUST_TEST_NOCAPTURE");
        let expected = format!("{:?}\n{:?}\n", order(7, false), order(7, true));
        for _ in 0..4 {
            let printed = String::from_utf8(command.output().unwrap().stdout).unwrap();
            assert!(printed.contains(&expected), "{printed}\nwithout\n{expected}");
        }
    });
}

/// In which order ten tasks run when others wrote to each one's socket, in the order given.
fn order_after_writes(seed: u64, writes: &[usize]) -> Vec<usize> {
    Builder::new().rng_seed(seed).build().unwrap().block_on(async {
        let ran = Rc::new(RefCell::new(Vec::new()));
        let waiting = Rc::new(Cell::new(0));
        let mut writers = Vec::new();
        let mut readers = JoinSet::new();
        for reader in 0..writes.len() {
            let (ours, theirs) = UnixStream::pair().unwrap();
            writers.push(theirs);
            let (ran, waiting) = (ran.clone(), waiting.clone());
            readers.spawn(async move {
                waiting.set(waiting.get() + 1);
                ours.read_exact(&mut [0]).await.unwrap();
                ran.borrow_mut().push(reader);
            });
        }
        while waiting.get() < writes.len() {
            yield_now().await;
        }
        // What is written now comes in one look at the kernel.
        for &reader in writes {
            writers[reader].write_all(b"!").await.unwrap();
        }
        while readers.join_next().await.is_some() {}
        ran.take()
    })
}

#[test]
fn who_was_woken_first_is_nothing_to_the_draw() {
    limited(|| {
        let mut orders = BTreeSet::new();
        for seed in 0..20 {
            let mut writes: Vec<usize> = (0..10).collect();
            let first = order_after_writes(seed, &writes);
            let mut random = Random::new(seed);
            for _ in 0..5 {
                (1..10).for_each(|end| writes.swap(end, random.below(end + 1)));
                assert_eq!(order_after_writes(seed, &writes), first, "seed {seed}, {writes:?}");
            }
            orders.insert(first);
        }
        assert!(orders.len() > 10, "{orders:?}");
    });
}

#[test]
fn what_comes_from_the_kernel_may_overtake_what_is_ready() {
    limited(|| {
        let mut seen = BTreeSet::new();
        for seed in 0..200 {
            let runtime = Builder::new().rng_seed(seed).build().unwrap();
            let before = runtime.block_on(async {
                let (ours, theirs) = UnixStream::pair().unwrap();
                let waits = Rc::new(Cell::new(false));
                let reader = spawn({
                    let waits = waits.clone();
                    async move {
                        waits.set(true);
                        ours.read(&mut [0]).await.unwrap()
                    }
                });
                while !waits.get() {
                    yield_now().await;
                }
                theirs.write_all(b"!").await.unwrap();
                let mut turns = 0;
                while !reader.is_finished() {
                    turns += 1;
                    yield_now().await;
                }
                turns
            });
            seen.insert(before);
        }
        // Not only when the batch is full, after 64 polls.
        assert!(seen.len() > 5 && seen.first() < Some(&3), "{seen:?}");
    });
}

#[test]
fn the_order_of_tasks_says_nothing_of_that_of_branches() {
    limited(|| {
        let mut seen = BTreeSet::new();
        for seed in 0..64 {
            let runtime = Builder::new().rng_seed(seed).build().unwrap();
            seen.insert(runtime.block_on(async {
                let drawn = Rc::new(RefCell::new(Vec::new()));
                let both = ["ann", "bob"].map(|name| {
                    let drawn = drawn.clone();
                    spawn(async move {
                        let branch = runtime::select! { _ = ready(()) => 1, _ = ready(()) => 2 };
                        drawn.borrow_mut().push((name, branch));
                    })
                });
                for task in both {
                    task.await.unwrap();
                }
                drawn.take()
            }));
        }
        // Either may be first, and each of them take either branch.
        assert_eq!(seen.len(), 8, "{seen:?}");
    });
}
