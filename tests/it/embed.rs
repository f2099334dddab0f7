//! A runtime in a host's loop: when its descriptor is readable, what a turn does, and that nothing is
//! forgotten between turns.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use runtime::epoll::{Epoll, EventFd, Events, Flags};
use runtime::io::{AsyncFd, Source};
use runtime::task::yield_now;
use runtime::time::{self, Instant, Sleep, sleep, timeout};
use runtime::{Builder, Runtime, UnhandledPanic};

use crate::support::{begun, limited};

const HOUR: Duration = Duration::from_secs(3600);

/// Waits until the runtime's descriptor is readable, as a host in poll(2) does.
#[allow(unsafe_code)]
fn poll(runtime: &Runtime, timeout_ms: i32) -> bool {
    let mut fd = libc::pollfd { fd: runtime.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the pointer and the length are those of one `pollfd`.
    let ready = unsafe { libc::poll(&mut fd, 1, timeout_ms) };
    assert!(ready >= 0, "{}", std::io::Error::last_os_error());
    assert!(fd.revents & !libc::POLLIN == 0, "{:#x}", fd.revents);
    ready == 1
}

fn is_readable(runtime: &Runtime) -> bool {
    poll(runtime, 0)
}

/// A host: turns whenever the descriptor says so, until `done`.
fn host(runtime: &Runtime, mut done: impl FnMut() -> bool) {
    while !done() {
        poll(runtime, -1);
        runtime.turn(Some(Duration::ZERO)).unwrap();
    }
}

/// A runtime with its descriptor, and nothing to do.
fn hosted() -> Runtime {
    let runtime = Runtime::new().unwrap();
    runtime.prepare().unwrap();
    settle(&runtime);
    runtime
}

/// Turns until there is nothing to do.
fn settle(runtime: &Runtime) {
    // An eventfd that was used before reports once more when it is taken into an epoll instance.
    runtime.prepare().unwrap();
    runtime.run_until_stalled();
    assert!(!is_readable(runtime));
}

/// A task that shows its waker and ends once it is told to.
struct Told {
    waker: Rc<RefCell<Option<Waker>>>,
    told: Arc<AtomicBool>,
}

impl Told {
    fn spawn_on(runtime: &Runtime) -> (Told, runtime::JoinHandle<()>) {
        let told = Told { waker: Rc::default(), told: Arc::default() };
        let (waker, flag) = (told.waker.clone(), told.told.clone());
        let task = runtime.spawn(poll_fn(move |cx| {
            waker.replace(Some(cx.waker().clone()));
            if flag.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
        }));
        (told, task)
    }

    fn tell(&self) {
        self.told.store(true, Ordering::Relaxed);
        self.waker.borrow().as_ref().expect("it was polled").wake_by_ref();
    }
}

/// What a foreign executor on this thread wakes.
#[derive(Default)]
struct Flag(AtomicBool);

impl Flag {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_spawn_between_turns_makes_the_descriptor_readable() {
    limited(|| {
        let runtime = hosted();
        let task = runtime.spawn(async {});
        assert!(is_readable(&runtime));
        settle(&runtime);
        assert!(task.is_finished());

        let task = {
            let _guard = runtime.enter();
            runtime::spawn(async {})
        };
        assert!(is_readable(&runtime));
        settle(&runtime);
        assert!(task.is_finished());

        let task = runtime.handle().spawn(async {});
        assert!(is_readable(&runtime));
        settle(&runtime);
        assert!(task.is_finished());
    });
}

#[test]
fn a_spawn_before_the_descriptor_is_made_is_not_forgotten() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let task = runtime.spawn(async {});
        assert!(is_readable(&runtime));
        settle(&runtime);
        assert!(task.is_finished());
    });
}

#[test]
fn a_wake_between_turns_makes_the_descriptor_readable() {
    limited(|| {
        let runtime = hosted();
        let (told, task) = Told::spawn_on(&runtime);
        settle(&runtime);
        for _ in 0..3 {
            told.waker.borrow().as_ref().unwrap().wake_by_ref();
            assert!(is_readable(&runtime));
            assert_eq!(runtime.turn(Some(Duration::ZERO)).unwrap().tasks_polled(), 1);
            assert!(!is_readable(&runtime));
        }
        {
            // Entered is not turning.
            let _guard = runtime.enter();
            told.tell();
            assert!(is_readable(&runtime));
        }
        settle(&runtime);
        assert!(task.is_finished());
    });
}

#[test]
fn an_abort_between_turns_makes_the_descriptor_readable() {
    limited(|| {
        let runtime = hosted();
        let task = runtime.spawn(pending::<()>());
        settle(&runtime);
        task.abort();
        assert!(is_readable(&runtime));
        settle(&runtime);
        assert!(task.is_finished());
    });
}

#[test]
fn a_wake_from_another_thread_makes_the_descriptor_readable() {
    limited(|| {
        let runtime = hosted();
        let (tx, rx) = oneshot::channel();
        let task = runtime.spawn(rx);
        settle(&runtime);
        let (go, started) = mpsc::channel();
        let thread = thread::spawn(move || {
            started.recv().unwrap();
            tx.send(7).unwrap();
        });
        go.send(()).unwrap();
        host(&runtime, || task.is_finished());
        thread.join().unwrap();
        assert_eq!(runtime.block_on(task).unwrap(), Ok(7));

        let handle = runtime.handle().clone();
        settle(&runtime);
        let done = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let done = done.clone();
            move || drop(handle.spawn(async move { done.store(true, Ordering::Relaxed) }))
        });
        host(&runtime, || done.load(Ordering::Relaxed));
        thread.join().unwrap();
    });
}

#[test]
fn a_wake_that_comes_in_a_turn_by_the_inbox_is_not_slept_over() {
    limited(|| {
        let runtime = hosted();
        let mut waited = false;
        let task = runtime.spawn(poll_fn(move |cx| {
            if waited {
                return Poll::Ready(());
            }
            waited = true;
            let waker = cx.waker().clone();
            thread::spawn(move || waker.wake()).join().unwrap();
            Poll::Pending
        }));
        let turn = runtime.turn(Some(Duration::ZERO)).unwrap();
        assert!(turn.more());
        assert!(is_readable(&runtime));
        host(&runtime, || task.is_finished());
    });
}

#[test]
fn blocking_work_makes_the_descriptor_readable() {
    limited(|| {
        let runtime = hosted();
        let (go, started) = mpsc::channel();
        let task = runtime.spawn(async move {
            runtime::spawn_blocking(move || started.recv().unwrap()).await.unwrap();
        });
        settle(&runtime);
        go.send(()).unwrap();
        host(&runtime, || task.is_finished());
    });
}

#[test]
fn io_makes_the_descriptor_readable() {
    limited(|| {
        let runtime = hosted();
        let (a, mut b) = UnixStream::pair().unwrap();
        a.set_nonblocking(true).unwrap();
        let task = runtime.spawn(async move {
            let a = Source::new(a);
            let mut bytes = [0; 8];
            for _ in 0..3 {
                a.read_with(|mut stream| stream.read(&mut bytes)).await.unwrap();
            }
        });
        settle(&runtime);
        for _ in 0..3 {
            b.write_all(b"x").unwrap();
            assert!(is_readable(&runtime));
            // One turn: the kernel first, then the task.
            let turn = runtime.turn(Some(Duration::ZERO)).unwrap();
            assert_eq!((turn.events_taken(), turn.tasks_polled(), turn.more()), (1, 1, false));
            assert!(!is_readable(&runtime));
        }
        assert!(task.is_finished());
    });
}

#[test]
fn interest_between_turns_is_registered_at_once() {
    limited(|| {
        let runtime = hosted();
        let (a, mut b) = UnixStream::pair().unwrap();
        a.set_nonblocking(true).unwrap();
        let a = Source::new(a);
        let flag = Arc::new(Flag::default());
        {
            let _guard = runtime.enter();
            let waker = Waker::from(flag.clone());
            let mut readable = Box::pin(a.readable());
            let polled = readable.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
            b.write_all(b"x").unwrap();
            host(&runtime, || flag.is_set());
        }
    });
}

#[test]
fn a_deadline_makes_the_descriptor_readable() {
    limited(|| {
        let runtime = hosted();
        let deadline = Instant::now() + Duration::from_millis(5);
        let task = runtime.spawn(async move { time::sleep_until(deadline).await });
        settle_before(&runtime, deadline);
        host(&runtime, || task.is_finished());
        assert!(Instant::now() >= deadline);
    });
}

/// Turns until nothing is ready; a deadline may have come meanwhile.
fn settle_before(runtime: &Runtime, deadline: Instant) {
    runtime.run_until_stalled();
    assert!(!is_readable(runtime) || Instant::now() >= deadline);
}

#[test]
fn a_deadline_that_another_executor_waits_for_makes_the_descriptor_readable() {
    limited(|| {
        let runtime = hosted();
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(flag.clone());
        let _guard = runtime.enter();
        let mut nap = begun(Duration::from_millis(5), &waker);
        host(&runtime, || flag.is_set());
        assert!(Pin::new(&mut nap).poll(&mut Context::from_waker(&waker)).is_ready());
    });
}

#[test]
fn a_deadline_moved_between_turns_makes_the_descriptor_readable() {
    limited(|| {
        let runtime = hosted();
        let nap: Rc<RefCell<Option<Pin<Box<Sleep>>>>> = Rc::default();
        let task = runtime.spawn({
            let nap = nap.clone();
            let _guard = runtime.enter();
            nap.replace(Some(Box::pin(sleep(HOUR))));
            poll_fn(move |cx| nap.borrow_mut().as_mut().unwrap().as_mut().poll(cx))
        });
        settle(&runtime);
        let soon = Instant::now() + Duration::from_millis(5);
        nap.borrow_mut().as_mut().unwrap().as_mut().reset(soon);
        host(&runtime, || task.is_finished());
    });
}

#[test]
fn a_turn_that_ends_with_a_deadline_leaves_the_timer_set() {
    limited(|| {
        // By `block_on` too: the host hears of what that has left.
        let runtime = hosted();
        let task = runtime.spawn(async { sleep(Duration::from_millis(5)).await });
        runtime.block_on(yield_now());
        host(&runtime, || task.is_finished());
    });
}

#[test]
fn tasks_left_over_keep_the_descriptor_readable() {
    limited(|| {
        let runtime = hosted();
        let tasks: Vec<_> = (0..200).map(|_| runtime.spawn(async {})).collect();
        let mut polls = Vec::new();
        while is_readable(&runtime) {
            let turn = runtime.turn(Some(Duration::ZERO)).unwrap();
            assert_eq!(turn.more(), is_readable(&runtime));
            polls.push(turn.tasks_polled());
        }
        assert_eq!(polls, [64, 64, 64, 8]);
        assert!(tasks.iter().all(|task| task.is_finished()));
    });
}

#[test]
fn commands_left_over_keep_the_descriptor_readable() {
    limited(|| {
        let runtime = hosted();
        let handle = runtime.handle().clone();
        let count = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let counted = count.clone();
        thread::spawn(move || {
            for _ in 0..200 {
                let count = counted.clone();
                drop(handle.spawn(async move {
                    count.fetch_add(1, Ordering::Relaxed);
                }));
            }
        })
        .join()
        .unwrap();
        let mut turns = 0;
        while is_readable(&runtime) {
            let turn = runtime.turn(Some(Duration::ZERO)).unwrap();
            assert!(turn.tasks_polled() <= 64);
            turns += 1;
        }
        assert_eq!((count.load(Ordering::Relaxed), turns), (200, 4));
    });
}

/// A host in an edge-triggered epoll, which turns once for each edge and does not ask for `more`.
fn edge_triggered_host(runtime: &Runtime, done: impl Fn() -> bool) {
    let epoll = Epoll::new().unwrap();
    epoll.add(runtime, Flags::IN | Flags::ET, 0).unwrap();
    let mut events = Events::with_capacity(1);
    while !done() {
        assert_eq!(epoll.wait(&mut events, None).unwrap(), 1);
        runtime.turn(Some(Duration::ZERO)).unwrap();
    }
}

#[test]
fn an_edge_triggered_host_gets_an_edge_for_tasks_left_over() {
    limited(|| {
        let runtime = hosted();
        let tasks: Vec<_> = (0..200).map(|_| runtime.spawn(async {})).collect();
        edge_triggered_host(&runtime, || tasks.iter().all(|task| task.is_finished()));
    });
}

/// More descriptors than one look takes, all of them ready at once, and a task for each.
fn many_events(runtime: &Runtime) -> Rc<Cell<usize>> {
    const MANY: usize = 600;
    let left = Rc::new(Cell::new(MANY));
    let mut fds = Vec::new();
    for _ in 0..MANY {
        let event = Rc::new(EventFd::new().unwrap());
        fds.push(event.clone());
        let left = left.clone();
        drop(runtime.spawn(async move {
            let event = AsyncFd::new(event.as_fd()).unwrap();
            let _ = event.readable().await.unwrap();
            left.set(left.get() - 1);
        }));
    }
    settle(runtime);
    assert_eq!(left.get(), MANY);
    fds.iter().for_each(|event| event.write(1).unwrap());
    left
}

#[test]
fn an_edge_triggered_host_gets_an_edge_for_events_left_over() {
    limited(|| {
        let runtime = Builder::new().event_interval(1000).build().unwrap();
        runtime.prepare().unwrap();
        let left = many_events(&runtime);
        edge_triggered_host(&runtime, || left.get() == 0);
    });
}

#[test]
fn a_turn_takes_256_events_and_says_that_there_may_be_more() {
    limited(|| {
        let runtime = Builder::new().event_interval(1000).build().unwrap();
        runtime.prepare().unwrap();
        let left = many_events(&runtime);
        let mut events = Vec::new();
        loop {
            let turn = runtime.turn(Some(Duration::ZERO)).unwrap();
            events.push(turn.events_taken());
            if !turn.more() {
                break;
            }
        }
        assert_eq!(left.get(), 0);
        // The last but one wrote the eventfd, which counts.
        assert!(events.len() == 3 && events[..2] == [256, 256], "{events:?}");
        assert!(!is_readable(&runtime));
    });
}

#[test]
fn a_turn_of_another_runtime_inside_a_task() {
    limited(|| {
        let outer = hosted();
        let inner = Rc::new(hosted());
        let (tx, rx) = oneshot::channel();
        let log = Rc::new(RefCell::new(Vec::new()));
        let told = Rc::new(Told::spawn_on(&outer).0);
        outer.run_until_stalled();
        let task = outer.spawn({
            let (inner, log, told) = (inner.clone(), log.clone(), told.clone());
            async move {
                let task = inner.spawn({
                    let log = log.clone();
                    async move {
                        // Of the other runtime: a wake from here goes by its inbox.
                        told.tell();
                        sleep(Duration::from_millis(1)).await;
                        log.borrow_mut().push("inner");
                        tx.send(()).unwrap();
                    }
                });
                while !task.is_finished() {
                    inner.turn(None).unwrap();
                }
                // The outer one is current again, and this is its loop.
                assert!(panics(|| runtime::block_on(async {})).contains("inside a runtime"));
                runtime::spawn(async move { log.borrow_mut().push("outer") }).await.unwrap();
                sleep(Duration::from_millis(1)).await;
                rx.await.unwrap();
            }
        });
        host(&outer, || task.is_finished() && told.told.load(Ordering::Relaxed));
        assert_eq!(*log.borrow(), ["inner", "outer"]);
        settle(&outer);
        settle(&inner);
    });
}

#[test]
fn a_runtime_in_a_runtime() {
    limited(|| {
        let inner = hosted();
        let task = inner.spawn(async {
            sleep(Duration::from_millis(1)).await;
            runtime::spawn_blocking(|| 7).await.unwrap()
        });
        let seven = runtime::block_on(async {
            let inner = AsyncFd::new(inner).unwrap();
            while !task.is_finished() {
                let mut guard = inner.readable().await.unwrap();
                guard.clear_ready();
                inner.get_ref().turn(Some(Duration::ZERO)).unwrap();
            }
            task.await.unwrap()
        });
        assert_eq!(seven, 7);
    });
}

/// The panic's message.
fn panics(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it panics");
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => {
            payload.downcast::<&str>().map_or_else(|_| String::new(), |m| m.to_string())
        }
    }
}

#[test]
fn a_turn_inside_of_the_same_runtimes_loop_panics() {
    limited(|| {
        let runtime = Rc::new(hosted());
        let other = Rc::new(hosted());
        let said = Rc::new(RefCell::new(Vec::new()));
        drop(runtime.spawn({
            let (runtime, other, said) = (runtime.clone(), other.clone(), said.clone());
            async move {
                let turn = || drop(runtime.turn(None));
                said.borrow_mut().push(panics(turn));
                said.borrow_mut().push(panics(|| _ = runtime.run_until_stalled()));
                // Also with another's loop in between.
                drop(other.spawn({
                    let (runtime, said) = (runtime.clone(), said.clone());
                    async move { said.borrow_mut().push(panics(|| drop(runtime.turn(None)))) }
                }));
                other.run_until_stalled();
                // The descriptor may be asked for.
                assert!(runtime.as_raw_fd() > 0);
            }
        }));
        runtime.run_until_stalled();
        let said = said.borrow();
        assert_eq!(said.len(), 3);
        assert!(
            said.iter().all(|said| said.contains("inside of the runtime's own loop")),
            "{said:?}"
        );
    });
}

#[test]
fn block_on_and_turns_take_turns() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        // Parked on the futex: there is no descriptor yet.
        let (tx, rx) = oneshot::channel();
        let thread = thread::spawn(move || tx.send(1).unwrap());
        assert_eq!(runtime.block_on(rx), Ok(1));
        thread.join().unwrap();

        for _ in 0..3 {
            let (told, task) = Told::spawn_on(&runtime);
            settle(&runtime);
            // Parked in epoll, from a host's turn.
            let (tx, rx) = oneshot::channel();
            let thread = thread::spawn(move || tx.send(2).unwrap());
            assert_eq!(runtime.block_on(rx), Ok(2));
            thread.join().unwrap();
            settle(&runtime);
            told.tell();
            assert!(is_readable(&runtime), "block_on has left the runtime as a turn does");
            host(&runtime, || task.is_finished());
        }
    });
}

#[test]
fn the_descriptor_made_inside_of_the_loop() {
    limited(|| {
        let runtime = Rc::new(Runtime::new().unwrap());
        let (told, task) = Told::spawn_on(&runtime);
        let inside = runtime.clone();
        runtime.block_on(async move {
            assert!(inside.as_raw_fd() > 0);
            yield_now().await;
            // Wakes go by the run queue here.
            inside.spawn(yield_now()).await.unwrap();
        });
        settle(&runtime);
        told.tell();
        assert!(is_readable(&runtime));
        host(&runtime, || task.is_finished());
    });
}

#[test]
fn a_turn_waits_for_what_comes_first() {
    limited(|| {
        let runtime = hosted();
        // The time-out.
        let start = Instant::now();
        let turn = runtime.turn(Some(Duration::from_millis(2))).unwrap();
        assert!(turn.tasks_polled() == 0 && !turn.more());
        assert!(start.elapsed() >= Duration::from_millis(2));
        // A deadline, far from a time-out that the clock cannot hold.
        let task = runtime.spawn(async { sleep(Duration::from_millis(2)).await });
        while !task.is_finished() {
            runtime.turn(Some(Duration::MAX)).unwrap();
        }
        // Another thread.
        let (tx, rx) = oneshot::channel();
        let thread = thread::spawn(move || tx.send(()).unwrap());
        let task = runtime.spawn(rx);
        while !task.is_finished() {
            runtime.turn(None).unwrap();
        }
        thread.join().unwrap();
        // Nothing, as a task is ready.
        let _task = runtime.spawn(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        }));
        for _ in 0..100 {
            let turn = runtime.turn(None).unwrap();
            assert!(turn.more() && turn.tasks_polled() == 64);
        }
    });
}

#[test]
fn a_turn_is_bounded_also_when_tasks_wake_each_other() {
    limited(|| {
        let runtime = Builder::new().event_interval(7).build().unwrap();
        let _tasks: Vec<_> = (0..100)
            .map(|_| {
                runtime.spawn(async {
                    loop {
                        yield_now().await;
                    }
                })
            })
            .collect();
        for _ in 0..100 {
            assert_eq!(runtime.turn(None).unwrap().tasks_polled(), 7);
        }
    });
}

#[test]
fn run_until_stalled_runs_all_that_is_ready() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let (a, b) = UnixStream::pair().unwrap();
        a.set_nonblocking(true).unwrap();
        b.set_nonblocking(true).unwrap();
        let (a, b) = (Source::new(a), Source::new(b));
        let mut waits = runtime.spawn(pending::<()>());
        let reader = runtime.spawn(async move {
            let mut byte = [0];
            for _ in 0..100 {
                a.read_with(|mut stream| stream.read(&mut byte)).await.unwrap();
            }
        });
        let writer = runtime.spawn(async move {
            for _ in 0..100 {
                b.write_with(|mut stream| stream.write(b"x")).await.unwrap();
                yield_now().await;
            }
            // The last byte is in the kernel when this ends.
            b
        });
        let turn = runtime.run_until_stalled();
        assert!(!turn.more() && turn.tasks_polled() > 100 && turn.events_taken() > 0, "{turn:?}");
        assert!(reader.is_finished() && writer.is_finished() && !waits.is_finished());
        waits.abort();
        let turn = runtime.run_until_stalled();
        assert_eq!((turn.tasks_polled(), turn.more()), (1, false));
        assert!(runtime.block_on(&mut waits).unwrap_err().is_cancelled());
    });
}

#[test]
fn run_until_stalled_looks_for_what_another_thread_waits_for() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let (a, mut b) = UnixStream::pair().unwrap();
        a.set_nonblocking(true).unwrap();
        b.write_all(b"x").unwrap();
        let a = Source::new(a);
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(flag.clone());
        let handle = runtime.handle().clone();
        let _a = thread::spawn(move || {
            let _guard = handle.enter();
            assert!(a.poll_read_ready(&mut Context::from_waker(&waker)).is_pending());
            a
        })
        .join()
        .unwrap();
        runtime.run_until_stalled();
        assert!(flag.is_set());
    });
}

#[test]
fn a_panic_to_be_passed_on_comes_out_of_the_turn() {
    limited(|| {
        let runtime = Builder::new().unhandled_panic(UnhandledPanic::Resume).build().unwrap();
        drop(runtime.spawn(async { panic!("first") }));
        let task = runtime.spawn(async {});
        assert_eq!(panics(|| drop(runtime.turn(None))), "first");
        host(&runtime, || task.is_finished());

        // A panic that is nobody's from between turns on.
        let lost = runtime.spawn(async { panic!("second") });
        settle(&runtime);
        drop(lost);
        assert!(is_readable(&runtime));
        assert_eq!(panics(|| drop(runtime.turn(None))), "second");
        settle(&runtime);

        drop(runtime.spawn(async { panic!("third") }));
        let task = runtime.spawn(async {
            for _ in 0..1000 {
                yield_now().await;
            }
        });
        assert_eq!(panics(|| _ = runtime.run_until_stalled()), "third");
        assert!(!task.is_finished(), "it does not wait for the others");
        host(&runtime, || task.is_finished());
    });
}

#[test]
fn each_panic_to_be_passed_on_comes_out_of_a_turn_of_its_own() {
    limited(|| {
        let runtime = Builder::new().unhandled_panic(UnhandledPanic::Resume).build().unwrap();
        for name in ["first", "second", "third"] {
            drop(runtime.spawn(async move { panic!("{name}") }));
        }
        let task = runtime.spawn(async {});
        for name in ["first", "second", "third"] {
            assert!(is_readable(&runtime) && !task.is_finished());
            assert_eq!(panics(|| drop(runtime.turn(None))), name);
        }
        settle(&runtime);
        assert!(task.is_finished());

        // Of two in one poll, the first.
        let lost = ["fourth", "fifth"].map(|name| runtime.spawn(async move { panic!("{name}") }));
        settle(&runtime);
        drop(runtime.spawn(async move { drop(lost) }));
        assert_eq!(panics(|| drop(runtime.turn(None))), "fourth");
        settle(&runtime);

        // One that is nobody's from between turns on, and one of the next task.
        let lost = runtime.spawn(async { panic!("sixth") });
        settle(&runtime);
        drop(runtime.spawn(async { panic!("seventh") }));
        drop(lost);
        assert_eq!(panics(|| drop(runtime.turn(None))), "sixth");
        assert_eq!(panics(|| drop(runtime.turn(None))), "seventh");
        settle(&runtime);
    });
}

#[test]
fn a_panic_of_block_on_leaves_a_runtime_that_can_be_hosted() {
    limited(|| {
        let runtime = hosted();
        let (told, task) = Told::spawn_on(&runtime);
        assert_eq!(panics(|| runtime.block_on(async { panic!("root") })), "root");
        settle(&runtime);
        told.tell();
        assert!(is_readable(&runtime));
        host(&runtime, || task.is_finished());
    });
}

#[test]
fn a_paused_clock_moves_in_turns_that_may_wait() {
    limited(|| {
        let runtime = Builder::new().start_paused(true).build().unwrap();
        let _guard = runtime.enter();
        let start = Instant::now();
        let task = runtime.spawn(sleep(HOUR));
        let elapsed = || Instant::now() - start;

        runtime.run_until_stalled();
        runtime.turn(Some(Duration::ZERO)).unwrap();
        assert_eq!(elapsed(), Duration::ZERO);
        assert!(!is_readable(&runtime));
        // As far as the turn would wait at most.
        runtime.turn(Some(HOUR / 4)).unwrap();
        assert_eq!(elapsed(), HOUR / 4);
        assert!(!task.is_finished());
        // As far as the next deadline.
        runtime.turn(None).unwrap();
        assert_eq!(elapsed(), HOUR);
        assert!(task.is_finished());
        // With no deadline, too.
        runtime.turn(Some(HOUR)).unwrap();
        assert_eq!(elapsed(), 2 * HOUR);
    });
}

#[test]
fn a_clock_that_goes_on_between_turns_makes_the_descriptor_readable() {
    limited(|| {
        let runtime = Builder::new().start_paused(true).build().unwrap();
        let task = runtime.spawn(async { sleep(Duration::from_millis(5)).await });
        settle(&runtime);
        let _guard = runtime.enter();
        time::resume();
        host(&runtime, || task.is_finished());
    });
}

#[test]
fn a_runtime_dropped_between_turns() {
    limited(|| {
        let epoll = Epoll::new().unwrap();
        let runtime = hosted();
        epoll.add(&runtime, Flags::IN, 0).unwrap();
        let (told, task) = Told::spawn_on(&runtime);
        settle(&runtime);
        epoll.delete(&runtime).unwrap();
        drop(runtime);
        assert!(task.is_finished());
        // To nobody.
        told.tell();
        assert_eq!(epoll.wait(&mut Events::with_capacity(1), Some(Duration::ZERO)).unwrap(), 0);
        // The next one in the same place.
        let runtime = hosted();
        let task = runtime.spawn(async {});
        host(&runtime, || task.is_finished());
    });
}

#[test]
fn a_thread_that_wakes_without_end_keeps_no_events_away() {
    limited(|| Runtime::new().unwrap().block_on(flooded()));
}

#[test]
fn nor_does_it_while_the_runtime_spins() {
    limited(|| spinning().block_on(flooded()));
}

fn spinning() -> Runtime {
    Builder::new().spin(Duration::from_millis(1)).build().unwrap()
}

/// Reads a byte beside a thread that wakes the runtime whenever it has run all that was ready.
async fn flooded() {
    let (mut a, b) = UnixStream::pair().unwrap();
    b.set_nonblocking(true).unwrap();
    let over = Rc::new(Cell::new(false));
    let (flood, wakers) = mpsc::channel::<Waker>();
    let (woken, wait) = mpsc::channel();
    let thread = thread::spawn(move || {
        for waker in wakers {
            waker.wake();
            woken.send(()).unwrap();
        }
    });
    let flooded = runtime::spawn({
        let over = over.clone();
        let mut polls = 0;
        poll_fn(move |cx| {
            if over.get() {
                return Poll::Ready(());
            }
            polls += 1;
            assert!(polls < 1000, "the byte waits behind the wakes");
            if polls == 10 {
                a.write_all(b"x").unwrap();
            }
            flood.send(cx.waker().clone()).unwrap();
            wait.recv().unwrap();
            Poll::Pending
        })
    });
    let b = Source::new(b);
    b.read_with(|mut stream| stream.read(&mut [0])).await.unwrap();
    over.set(true);
    flooded.await.unwrap();
    thread.join().unwrap();
}

#[test]
fn a_timeout_that_is_set_and_cancelled_in_each_turn() {
    limited(|| {
        let runtime = hosted();
        for _ in 0..100 {
            let task = runtime.spawn(async { timeout(HOUR, yield_now()).await });
            settle(&runtime);
            assert!(task.is_finished());
        }
    });
}
