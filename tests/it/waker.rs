//! Wakers that outlive what they wake, are used where nothing works any more, or do things when they
//! are cloned, woken and dropped.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::ptr;
use std::rc::Rc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::thread;
use std::time::Duration;

use runtime::Runtime;
use runtime::io::Source;
use runtime::task::yield_now;
use runtime::time::{pause, sleep};

use crate::support::{begun, limited, run};

/// The current task's waker.
async fn own_waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

/// Never ready; counts how often it was polled.
fn counting(polls: &Rc<Cell<u32>>) -> impl Future<Output = ()> + 'static {
    let polls = polls.clone();
    poll_fn(move |_| {
        polls.set(polls.get() + 1);
        Poll::Pending
    })
}

#[test]
fn a_waker_whose_task_has_ended_wakes_nobody() {
    run(async {
        let stale = runtime::spawn(own_waker()).await.unwrap();
        stale.wake_by_ref();
        yield_now().await;
        stale.wake();
        yield_now().await;
    });
}

#[test]
fn a_waker_of_a_task_that_has_finished_leaves_its_output() {
    run(async {
        let waker = Rc::new(RefCell::new(None));
        let task = runtime::spawn({
            let waker = waker.clone();
            async move { waker.replace(Some(own_waker().await)) }
        });
        yield_now().await;
        assert!(task.is_finished());
        waker.take().unwrap().wake();
        yield_now().await;
        assert!(task.await.unwrap().is_none());
    });
}

#[test]
fn a_stale_waker_polls_the_next_at_its_place_once_too_often_at_most() {
    run(async {
        let stale = runtime::spawn(own_waker()).await.unwrap();
        let polls = Rc::new(Cell::new(0));
        // The slab hands the place that was freed last out first.
        let next = runtime::spawn(counting(&polls));
        yield_now().await;
        assert_eq!(polls.get(), 1);
        stale.wake_by_ref();
        stale.wake();
        for _ in 0..4 {
            yield_now().await;
        }
        assert!(polls.get() <= 2, "{} polls", polls.get());
        assert!(next.cancel().await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_place_left_in_the_run_queue_does_not_poll_its_next_owner_twice() {
    run(async {
        let polls = Rc::new(Cell::new(0));
        // Ends with its place in the queue once more ..
        drop(runtime::spawn(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Ready(())
        })));
        // .. before which another task takes that place, and is in the queue twice.
        let spawns = runtime::spawn({
            let polls = polls.clone();
            async move { Some(runtime::spawn(counting(&polls))) }
        });
        let next = spawns.await.unwrap().unwrap();
        for _ in 0..4 {
            yield_now().await;
        }
        assert_eq!(polls.get(), 1);
        next.abort();
    });
}

#[test]
fn a_waker_whose_runtime_is_gone_wakes_nobody() {
    limited(|| {
        let stale = runtime::block_on(async { runtime::spawn(own_waker()).await.unwrap() });
        stale.wake_by_ref();
        thread::spawn(move || stale.wake()).join().unwrap();
    });
}

/// Makes runtimes until one has the slot of the runtime called `id`.
fn runtime_in_the_slot_of(id: runtime::Id) -> Runtime {
    let slot = |id: runtime::Id| id.to_string().split('.').next().unwrap().to_string();
    let mut others = Vec::new();
    loop {
        let next = Runtime::new().unwrap();
        if slot(next.handle().id()) == slot(id) {
            assert_ne!(next.handle().id(), id);
            return next;
        }
        others.push(next);
        if others.len() == 256 {
            others.clear();
        }
    }
}

#[test]
fn a_waker_whose_runtimes_slot_is_anothers_wakes_nobody_there() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let id = runtime.handle().id();
        let stale = runtime.block_on(async { runtime::spawn(own_waker()).await.unwrap() });
        drop(runtime);

        let next = runtime_in_the_slot_of(id);
        let polls = Rc::new(Cell::new(0));
        let task = next.spawn(counting(&polls));
        next.block_on(async {
            yield_now().await;
            stale.wake_by_ref();
            let (tx, rx) = futures::channel::oneshot::channel();
            thread::spawn(move || {
                stale.wake();
                tx.send(())
            });
            rx.await.unwrap();
            yield_now().await;
        });
        assert_eq!(polls.get(), 1);
        assert!(!task.is_finished());
    });
}

#[test]
fn a_handle_whose_runtimes_slot_is_anothers_leaves_its_tasks_alone() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let id = runtime.handle().id();
        let dead = runtime.spawn(async { "dead" });
        let mut sleep = {
            let _guard = runtime.enter();
            Box::pin(sleep(Duration::from_secs(3600)))
        };
        runtime.block_on(async {
            let polled = poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx))).await;
            assert!(polled.is_pending());
        });
        drop(runtime);

        let next = runtime_in_the_slot_of(id);
        // The same index, the same type: only the epoch differs.
        let alive = next.spawn(async { "alive" });
        next.block_on(async {
            let next_sleep = begun(Duration::from_millis(1), Waker::noop());
            dead.abort();
            drop(sleep);
            assert!(dead.await.unwrap_err().is_cancelled());
            assert_eq!(alive.await.unwrap(), "alive");
            next_sleep.await;
        });
    });
}

/// Does something when its thread takes its thread-locals down.
struct AtThreadEnd(Box<dyn FnOnce()>);

thread_local! {
    static LAST: RefCell<Option<AtThreadEnd>> = const { RefCell::new(None) };
}

impl AtThreadEnd {
    fn run(f: impl FnOnce() + 'static) {
        LAST.set(Some(AtThreadEnd(Box::new(f))));
    }
}

impl Drop for AtThreadEnd {
    fn drop(&mut self) {
        std::mem::replace(&mut self.0, Box::new(|| ()))();
    }
}

#[test]
fn a_waker_in_a_thread_locals_destructor_wakes_a_runtime_elsewhere() {
    run(async {
        let (tx, rx) = std::sync::mpsc::channel::<Waker>();
        let thread = thread::spawn(move || {
            let waker = rx.recv().unwrap();
            AtThreadEnd::run(move || waker.wake());
        });
        let mut asked = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut asked, true) {
                return Poll::Ready(());
            }
            tx.send(cx.waker().clone()).unwrap();
            Poll::Pending
        })
        .await;
        thread.join().unwrap();
    });
}

#[test]
fn what_is_left_of_a_runtime_is_dropped_in_a_thread_locals_destructor() {
    limited(|| {
        let thread = thread::spawn(|| {
            // Made first, so that the library's thread-local, were it to have a destructor, would be
            // taken down before.
            AtThreadEnd::run(|| ());
            let runtime = Runtime::new().unwrap();
            let handle = runtime.handle().clone();
            let task = runtime.spawn(pending::<()>());
            let finished = runtime.spawn(async {});
            let (waker, sleep) = runtime.block_on(async {
                let mut sleep = Box::pin(sleep(Duration::from_secs(3600)));
                poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx).is_ready())).await;
                (own_waker().await, sleep)
            });
            AtThreadEnd::run(move || {
                waker.wake_by_ref();
                task.abort();
                assert!(runtime::Handle::try_current().is_err());
                drop(runtime);
                waker.wake();
                assert!(task.is_finished());
                drop((task, finished, sleep));
                assert!(handle.spawn(async {}).is_finished());
                assert_eq!(runtime::block_on(async { 5 }), 5);
            });
        });
        thread.join().unwrap();
    });
}

thread_local! {
    /// What a disturbing waker drops, one each time.
    static VICTIMS: RefCell<Vec<Box<dyn std::any::Any>>> = const { RefCell::new(Vec::new()) };
    static DISTURBANCES: Cell<u32> = const { Cell::new(0) };
}

/// What a waker should not do but may: spawn, set a timer, drop a socket, wake others.
fn disturb() {
    DISTURBANCES.set(DISTURBANCES.get() + 1);
    let victim = VICTIMS.with_borrow_mut(Vec::pop);
    drop(victim);
    if runtime::Handle::try_current().is_ok() {
        drop(runtime::spawn(yield_now()));
        let kept = runtime::spawn(pending::<()>());
        let mut sleep = Box::pin(sleep(Duration::from_secs(3600)));
        let _ = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        kept.abort();
        drop((sleep, kept));
    }
}

/// A waker that disturbs at each of its clones, wakes and drops, and passes the wakes on to `next`.
fn disturbing(next: Waker) -> Waker {
    fn take(data: *const ()) -> Box<Waker> {
        // SAFETY: each raw waker owns a box of its own, made by `raw`, and gives it up once.
        unsafe { Box::from_raw(data.cast_mut().cast()) }
    }
    fn peek<'a>(data: *const ()) -> &'a Waker {
        // SAFETY: as above, and it is not used beyond the call.
        unsafe { &*data.cast() }
    }
    fn raw(next: Waker) -> RawWaker {
        RawWaker::new(ptr::from_ref(Box::leak(Box::new(next))).cast(), &VTABLE)
    }
    static VTABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            disturb();
            raw(peek(data).clone())
        },
        |data| {
            disturb();
            take(data).wake();
        },
        |data| {
            disturb();
            peek(data).wake_by_ref();
        },
        |data| {
            disturb();
            drop(take(data));
        },
    );
    // SAFETY: the functions keep the contract; what is in the box is `Send`, and the test stays on
    // its thread.
    unsafe { Waker::from_raw(raw(next)) }
}

/// Polls `future` with a new disturbing waker each time.
async fn disturbed<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let waker = disturbing(cx.waker().clone());
        future.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await
}

fn socket_pair() -> (Source<UnixStream>, Source<UnixStream>) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    b.set_nonblocking(true).unwrap();
    (Source::new(a), Source::new(b))
}

async fn read_one(source: &Source<UnixStream>) -> io::Result<u8> {
    let mut byte = [0];
    source.read_with(|mut stream| stream.read_exact(&mut byte)).await?;
    Ok(byte[0])
}

/// A socket that a task waits for, to be dropped under it.
fn a_waited_for_socket() -> Box<dyn std::any::Any> {
    let (a, b) = socket_pair();
    let mut wait = Box::pin(async move { read_one(&a).await });
    let _ = wait.as_mut().poll(&mut Context::from_waker(&disturbing(Waker::noop().clone())));
    Box::new((wait, b))
}

#[test]
fn a_waker_that_re_enters_at_every_step_breaks_nothing() {
    run(async {
        let victims = (0..32).map(|_| a_waited_for_socket()).collect();
        VICTIMS.set(victims);
        // In a join slot, polled twice so that one waker replaces another.
        let (tx, rx) = futures::channel::oneshot::channel();
        let mut task = runtime::spawn(async { rx.await.unwrap() });
        for _ in 0..2 {
            let polled = disturbed(poll_fn(|cx| Poll::Ready(Pin::new(&mut task).poll(cx)))).await;
            assert!(polled.is_pending());
        }
        tx.send(5).unwrap();
        assert_eq!(disturbed(task).await.unwrap(), 5);
        // In a timer. By the test clock it is not over before it is waited for.
        pause();
        let mut nap = Box::pin(sleep(Duration::from_millis(2)));
        for _ in 0..2 {
            assert!(disturbed(poll_fn(|cx| Poll::Ready(nap.as_mut().poll(cx)))).await.is_pending());
        }
        disturbed(nap).await;
        // At a source, two waiters at once.
        let (a, b) = socket_pair();
        let (mut first, mut second) = (Box::pin(a.readable()), Box::pin(a.readable()));
        for _ in 0..2 {
            disturbed(poll_fn(|cx| {
                assert!(first.as_mut().poll(cx).is_pending());
                assert!(second.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            }))
            .await;
        }
        drop(second);
        b.write_with(|mut stream| stream.write(b"x")).await.unwrap();
        disturbed(first).await.unwrap();
        assert_eq!(disturbed(read_one(&a)).await.unwrap(), b'x');
        VICTIMS.take();
        assert!(DISTURBANCES.get() > 20);
    });
}

#[test]
fn a_runtime_goes_with_disturbing_wakers_in_it() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let mut task = runtime.spawn(pending::<()>());
        let (a, _b) = socket_pair();
        let mut readable = Box::pin(a.readable());
        let mut nap = None;
        runtime.block_on(async {
            let waker = disturbing(Waker::noop().clone());
            let cx = &mut Context::from_waker(&waker);
            assert!(Pin::new(&mut task).poll(cx).is_pending());
            VICTIMS.set((0..8).map(|_| a_waited_for_socket()).collect());
            assert!(readable.as_mut().poll(cx).is_pending());
            let nap = nap.insert(Box::pin(sleep(Duration::from_secs(3600))));
            assert!(nap.as_mut().poll(cx).is_pending());
        });
        drop(runtime);
        // What was waited for goes after what it was waited on with.
        drop((readable, nap));
        VICTIMS.take();
    });
}

#[test]
fn a_foreign_waker_that_panics_does_not_end_the_loop() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: std::sync::Arc<Self>) {
            panic!("in wake");
        }
    }
    run(async {
        // By the test clock the timer fires when it is waited for, and not before.
        pause();
        let waker = Waker::from(std::sync::Arc::new(Panics));
        let cx = &mut Context::from_waker(&waker);
        let mut task = runtime::spawn(yield_now());
        assert!(Pin::new(&mut task).poll(cx).is_pending());
        let mut nap = Box::pin(sleep(Duration::from_micros(100)));
        assert!(nap.as_mut().poll(cx).is_pending());
        let (a, b) = socket_pair();
        let mut readable = Box::pin(a.readable());
        assert!(readable.as_mut().poll(cx).is_pending());
        b.write_with(|mut stream| stream.write(b"x")).await.unwrap();
        sleep(Duration::from_millis(1)).await;
        task.await.unwrap();
        nap.await;
        readable.await.unwrap();
    });
}
