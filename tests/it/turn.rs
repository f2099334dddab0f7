//! The loop: in which order tasks run, that nobody starves, and how a runtime is taken down.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Either, select};
use runtime::io::Source;
use runtime::task::{consume_budget, has_budget_remaining, unconstrained, yield_now};
use runtime::time::sleep;
use runtime::{Builder, Runtime};

use crate::support::{limited, run};

type Log = Rc<RefCell<Vec<u32>>>;

fn socket_pair() -> (Source<UnixStream>, Source<UnixStream>) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    b.set_nonblocking(true).unwrap();
    (Source::new(a), Source::new(b))
}

/// The order in which ten tasks run that are ready at once, three times each.
fn order(builder: &mut Builder) -> Vec<u32> {
    builder.build().unwrap().block_on(async {
        let log = Log::default();
        let tasks: Vec<_> = (0..10)
            .map(|number| {
                let log = log.clone();
                runtime::spawn(async move {
                    for _ in 0..3 {
                        log.borrow_mut().push(number);
                        yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        log.take()
    })
}

#[test]
fn ready_tasks_run_first_come_first_served() {
    limited(|| {
        let rounds: Vec<u32> = (0..3).flat_map(|_| 0..10).collect();
        assert_eq!(order(&mut Builder::new()), rounds);
        assert_eq!(order(Builder::new().event_interval(1)), rounds);
    });
}

#[test]
fn a_seed_repeats_the_order_and_another_changes_it() {
    limited(|| {
        let seeded = |seed| order(Builder::new().rng_seed(seed));
        assert_eq!(seeded(1), seeded(1));
        assert_ne!(seeded(1), seeded(2));
        assert_ne!(seeded(1), order(&mut Builder::new()));
    });
}

/// A task that is ready in the poll in which it wakes itself is in the queue when it ends. The others that
/// are there, and one that is spawned meanwhile, run nevertheless, and once.
fn around_a_task_that_ends_in_the_queue(builder: &mut Builder, joined: bool) -> Vec<&'static str> {
    builder.build().unwrap().block_on(async move {
        let log = Rc::new(RefCell::new(Vec::new()));
        let say = |word| {
            let log = log.clone();
            move || log.borrow_mut().push(word)
        };
        let ended = runtime::spawn(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Ready(())
        }));
        let yields = runtime::spawn({
            let (first, second) = (say("first"), say("second"));
            async move {
                first();
                yield_now().await;
                second();
            }
        });
        let spawns = runtime::spawn({
            let spawned = say("spawned");
            async move {
                let task = runtime::spawn(async move { spawned() });
                task.await.unwrap();
            }
        });
        if joined {
            ended.await.unwrap();
        } else {
            drop(ended);
        }
        yields.await.unwrap();
        spawns.await.unwrap();
        log.take()
    })
}

#[test]
fn a_task_that_ends_in_the_queue_displaces_nobody() {
    limited(|| {
        for joined in [false, true] {
            let words = around_a_task_that_ends_in_the_queue(&mut Builder::new(), joined);
            assert_eq!(words, ["first", "second", "spawned"]);
            for seed in 0..20 {
                let builder = &mut Builder::new();
                let mut words =
                    around_a_task_that_ends_in_the_queue(builder.rng_seed(seed), joined);
                words.sort();
                assert_eq!(words, ["first", "second", "spawned"], "seed {seed}");
            }
        }
    });
}

#[test]
fn nothing_sleeps_while_a_seeded_order_has_tasks_left() {
    // One poll in a turn: what the draws have left over is all that says that there is work.
    limited(|| {
        for seed in 0..20 {
            assert_eq!(order(Builder::new().rng_seed(seed).event_interval(1)).len(), 30);
        }
    });
}

#[test]
fn a_task_woken_many_times_is_polled_once() {
    run(async {
        let polls = Rc::new(Cell::new(0));
        let task = runtime::spawn({
            let polls = polls.clone();
            poll_fn(move |cx| {
                polls.set(polls.get() + 1);
                for _ in 0..3 {
                    cx.waker().wake_by_ref();
                }
                if polls.get() < 3 { Poll::Pending } else { Poll::Ready(()) }
            })
        });
        task.await.unwrap();
        yield_now().await;
        assert_eq!(polls.get(), 3);
    });
}

/// What must come through while something else is always ready: a sibling, a timer, a socket, a wake
/// from another thread.
async fn the_others() {
    let sibling = runtime::spawn(yield_now());
    let timer = runtime::spawn(sleep(Duration::from_millis(2)));
    let (a, b) = socket_pair();
    let reads = runtime::spawn(async move {
        let mut byte = [0];
        a.read_with(|mut stream| stream.read(&mut byte)).await.unwrap()
    });
    yield_now().await;
    let (tx, rx) = oneshot::channel();
    let thread = thread::spawn(move || {
        b.get_ref().write_all(b"x").unwrap();
        tx.send(()).unwrap();
    });
    rx.await.unwrap();
    assert_eq!(reads.await.unwrap(), 1);
    timer.await.unwrap();
    sibling.await.unwrap();
    thread.join().unwrap();
}

/// Runs `the_others` beside a task that goes on until they are through.
fn beside<F: Future<Output = ()> + 'static>(greedy: impl FnOnce(Rc<Cell<bool>>) -> F) {
    let over = Rc::new(Cell::new(false));
    let greedy = greedy(over.clone());
    run(async move {
        let greedy = runtime::spawn(greedy);
        the_others().await;
        over.set(true);
        greedy.await.unwrap();
    });
}

#[test]
fn a_task_that_wakes_itself_starves_nobody() {
    beside(|over| {
        poll_fn(move |cx| {
            cx.waker().wake_by_ref();
            if over.get() { Poll::Ready(()) } else { Poll::Pending }
        })
    });
}

#[test]
fn many_tasks_that_wake_themselves_starve_nobody() {
    beside(|over| async move {
        let yields = |over: Rc<Cell<bool>>| async move {
            while !over.get() {
                yield_now().await;
            }
        };
        let tasks: Vec<_> = (0..1000).map(|_| runtime::spawn(yields(over.clone()))).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn an_always_ready_budget_starves_nobody() {
    beside(|over| async move {
        while !over.get() {
            consume_budget().await;
        }
    });
}

#[test]
fn an_always_ready_socket_starves_nobody() {
    beside(|over| async move {
        let (a, b) = socket_pair();
        let mut byte = [0];
        while !over.get() {
            b.write_with(|mut stream| stream.write(b"x")).await.unwrap();
            a.read_with(|mut stream| stream.read(&mut byte)).await.unwrap();
        }
    });
}

#[test]
fn always_ready_joins_starve_nobody() {
    beside(|over| async move {
        let mut finished: Vec<_> = (0..10_000).map(|_| runtime::spawn(async {})).collect();
        yield_now().await;
        while !over.get() {
            match finished.pop() {
                Some(task) => task.await.unwrap(),
                None => yield_now().await,
            }
        }
    });
}

#[test]
fn always_elapsed_sleeps_starve_nobody() {
    beside(|over| async move {
        while !over.get() {
            sleep(Duration::ZERO).await;
        }
    });
}

#[test]
fn the_future_given_to_block_on_starves_nobody() {
    run(async {
        let over = Rc::new(Cell::new(false));
        drop(runtime::spawn({
            let over = over.clone();
            async move {
                the_others().await;
                over.set(true);
            }
        }));
        while !over.get() {
            consume_budget().await;
        }
    });
}

#[test]
fn a_poll_may_do_128_operations() {
    run(async {
        let task = runtime::spawn(async {
            for done in 0..128 {
                assert!(has_budget_remaining(), "{done}");
                let mut next = pin!(consume_budget());
                assert!(poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await.is_ready());
            }
            assert!(!has_budget_remaining());
            let mut next = pin!(consume_budget());
            assert!(poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await.is_pending());
            next.await;
            assert!(has_budget_remaining());
        });
        task.await.unwrap();
    });
}

#[test]
fn what_is_unconstrained_has_no_budget_and_gives_back_what_it_found() {
    run(async {
        let task = runtime::spawn(async {
            let mut many = pin!(unconstrained(async {
                for _ in 0..10_000 {
                    consume_budget().await;
                }
            }));
            let at_once = poll_fn(|cx| Poll::Ready(many.as_mut().poll(cx))).await;
            assert!(at_once.is_ready());
            // Outside of it counting goes on where it was.
            let mut done = 0;
            while has_budget_remaining() {
                consume_budget().await;
                done += 1;
            }
            assert_eq!(done, 128);
        });
        task.await.unwrap();
    });
}

#[test]
fn the_root_and_its_tasks_take_turns() {
    run(async {
        let steps = Rc::new(Cell::new(0));
        let task = runtime::spawn({
            let steps = steps.clone();
            async move {
                for _ in 0..10 {
                    steps.set(steps.get() + 1);
                    yield_now().await;
                }
            }
        });
        for step in 0..10 {
            assert_eq!(steps.get(), step);
            yield_now().await;
        }
        task.await.unwrap();
    });
}

#[test]
fn a_wake_between_two_block_ons_is_not_lost() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let slot = Rc::new(RefCell::new(None::<Waker>));
        let woken = Rc::new(Cell::new(false));
        let task = runtime.spawn({
            let (slot, woken) = (slot.clone(), woken.clone());
            poll_fn(move |cx| {
                slot.replace(Some(cx.waker().clone()));
                if woken.get() { Poll::Ready(()) } else { Poll::Pending }
            })
        });
        runtime.block_on(yield_now());
        woken.set(true);
        slot.take().unwrap().wake();
        runtime.block_on(task).unwrap();
    });
}

#[test]
fn a_runtime_sleeps_until_another_thread_wakes_it() {
    run(async {
        for _ in 0..100 {
            let (tx, rx) = oneshot::channel();
            let thread = thread::spawn(move || tx.send(1));
            assert_eq!(rx.await, Ok(1));
            thread.join().unwrap().unwrap();
        }
    });
}

/// Calls a function when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Pending for ever, with something to drop.
async fn holding<T>(value: T) {
    let _value = value;
    pending::<()>().await;
}

#[test]
fn a_runtime_drops_its_tasks_in_order_polled_or_not() {
    limited(|| {
        let log = Log::default();
        let runtime = Runtime::new().unwrap();
        let note = |number: u32| {
            let log = log.clone();
            OnDrop(move || log.borrow_mut().push(number))
        };
        for number in 0..5 {
            drop(runtime.spawn(holding(note(number))));
        }
        runtime.block_on(yield_now());
        for number in 5..10 {
            drop(runtime.spawn(holding(note(number))));
        }
        drop(runtime);
        assert_eq!(log.take(), (0..10).collect::<Vec<_>>());
    });
}

#[test]
fn destructors_at_the_end_find_the_runtime_in_working_order() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let waits = runtime.spawn(pending::<()>());
        let (a, b) = socket_pair();
        let mut nap = {
            let _guard = runtime.enter();
            Box::pin(sleep(Duration::from_secs(3600)))
        };
        runtime.block_on(async {
            poll_fn(|cx| Poll::Ready(nap.as_mut().poll(cx).is_ready())).await;
            let cx = &mut Context::from_waker(Waker::noop());
            assert!(pin!(a.readable()).as_mut().poll(cx).is_pending());
        });
        let (tx, mut rx) = oneshot::channel();
        let done = Rc::new(Cell::new(false));
        let mut held = Some((nap, a, b, waits, tx));
        let on_drop = OnDrop({
            let done = done.clone();
            move || {
                let (nap, a, b, waits, tx) = held.take().unwrap();
                // A spawn is refused, quietly.
                let dropped = Arc::new(AtomicBool::new(false));
                let late = OnDrop({
                    let dropped = dropped.clone();
                    move || dropped.store(true, Ordering::Relaxed)
                });
                let mut refused = runtime::spawn(holding(late));
                assert!(dropped.load(Ordering::Relaxed), "its future is dropped at once");
                assert!(refused.is_finished());
                let cx = &mut Context::from_waker(Waker::noop());
                match Pin::new(&mut refused).poll(cx) {
                    Poll::Ready(Err(error)) => assert!(error.is_cancelled()),
                    other => panic!("{other:?}"),
                }
                // Others are woken and aborted.
                tx.send(5).unwrap();
                waits.abort();
                // Timers and sockets come and go.
                let mut new_nap = Box::pin(sleep(Duration::from_secs(1)));
                assert!(new_nap.as_mut().poll(cx).is_pending());
                let (c, _d) = socket_pair();
                assert!(pin!(c.readable()).as_mut().poll(cx).is_pending());
                drop((nap, a, b, new_nap, c));
                assert!(runtime::Handle::try_current().is_ok());
                done.set(true);
            }
        });
        drop(runtime.spawn(holding(on_drop)));
        drop(runtime);
        assert!(done.get());
        assert_eq!(rx.try_recv(), Ok(Some(5)));
    });
}

#[test]
fn what_waits_in_another_runtime_is_woken_when_a_runtime_goes() {
    run(async {
        let other = Runtime::new().unwrap();
        let (a, b) = socket_pair();
        {
            // Registered there, waited for from here.
            let _guard = other.enter();
            let cx = &mut Context::from_waker(Waker::noop());
            assert!(pin!(a.readable()).as_mut().poll(cx).is_pending());
        }
        let a = Rc::new(a);
        let polls = Rc::new(Cell::new(0));
        let waits = runtime::spawn({
            let (a, polls) = (a.clone(), polls.clone());
            async move {
                let mut readable = pin!(a.readable());
                poll_fn(|cx| {
                    polls.set(polls.get() + 1);
                    readable.as_mut().poll(cx)
                })
                .await
            }
        });
        yield_now().await;
        assert_eq!(polls.get(), 1);
        drop(other);
        while polls.get() < 2 {
            yield_now().await;
        }
        // It waits here now.
        b.get_ref().write_all(b"x").unwrap();
        waits.await.unwrap().unwrap();
    });
}

#[test]
fn a_future_that_lost_a_race_leaves_nothing_that_wakes() {
    run(async {
        let (a, _b) = socket_pair();
        for _ in 0..100 {
            match select(pin!(a.readable()), pin!(yield_now())).await {
                Either::Left(_) => unreachable!("nothing was written"),
                Either::Right(_) => {}
            }
        }
    });
}
