//! What the engine does by itself: the operations that `core.rs` times and the guard counts.
#![allow(unsafe_code)]
#![allow(dead_code, reason = "each benchmark uses a part")]

use std::cell::{Cell, RefCell};
use std::fs;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use runtime::task::yield_now;
use runtime::time::{sleep, timeout};
use runtime::{Builder, Runtime};

/// Something the runtime does, to be done `count` times.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    /// How often to do it where it is timed.
    pub(crate) count: u64,
    /// Runs it and says how long the part took that counts.
    pub(crate) run: Run,
    /// How often to do it where its instructions are counted.
    pub(crate) counted: Option<u64>,
}

pub(crate) const OPERATIONS: &[Operation] = &[
    counted("yield-1", 5_000_000, 20_000, |count| yields(1, count)),
    counted("yield-100", 5_000_000, 20_000, |count| yields(100, count)),
    counted("yield-10000", 5_000_000, 50_000, |count| yields(10_000, count)),
    counted("spawn-join", 2_000_000, 20_000, spawn_join),
    counted("spawn-join-100", 2_000_000, 20_000, spawn_join_100),
    counted("wake-task", 5_000_000, 20_000, wake_task),
    counted("timeout-0", 2_000_000, 20_480, |count| timeouts(0, count)),
    counted("timeout-100000", 2_000_000, 20_480, |count| timeouts(100_000, count)),
    counted("block-on", 200_000, 2_000, block_ons),
    timed("wake-thread-parked", 50_000, wake_from_thread_parked),
    timed("wake-thread-spinning", 1_000_000, wake_from_thread_spinning),
    timed("wake-thread-busy", 1_000_000, wake_from_thread_busy),
    timed("round-trip-parked", 50_000, |count| round_trips(Duration::ZERO, count)),
    timed("round-trip-spinning", 1_000_000, |count| round_trips(SPIN, count)),
];

pub(crate) type Run = fn(u64) -> Duration;

const fn counted(name: &'static str, count: u64, counted: u64, run: Run) -> Operation {
    Operation { name, count, run, counted: Some(counted) }
}

/// Other threads take part, so that its instructions would mean nothing.
const fn timed(name: &'static str, count: u64, run: Run) -> Operation {
    Operation { name, count, run, counted: None }
}

pub(crate) fn named(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

/// Whether the runtimes here count what they do.
pub(crate) static METRICS: AtomicBool = AtomicBool::new(false);

fn block_on<F: Future>(future: F) -> F::Output {
    let metrics = METRICS.load(Ordering::Relaxed);
    Builder::new().metrics(metrics).build().expect("it asks nothing of the system").block_on(future)
}

/// How long a runtime that spins does: more than anything here takes.
const SPIN: Duration = Duration::from_millis(100);

/// Bytes of state in each task of the memory figure, and how many tasks.
pub(crate) const STATE: usize = 16;
pub(crate) const TASKS: u64 = 1_000_000;

/// `count` yields by `tasks` tasks.
fn yields(tasks: u64, count: u64) -> Duration {
    block_on(async move {
        let spawned: Vec<_> = (0..tasks)
            .map(|_| {
                runtime::spawn(async move {
                    for _ in 0..count / tasks {
                        yield_now().await;
                    }
                })
            })
            .collect();
        let start = Instant::now();
        for task in spawned {
            task.await.unwrap();
        }
        start.elapsed()
    })
}

/// Spawns `count` tasks that are done at once, one after another, and takes the output of each.
fn spawn_join(count: u64) -> Duration {
    block_on(async move {
        let start = Instant::now();
        for i in 0..count {
            assert_eq!(runtime::spawn(async move { i }).await.unwrap(), i);
        }
        start.elapsed()
    })
}

/// As above, a hundred at a time.
fn spawn_join_100(count: u64) -> Duration {
    block_on(async move {
        let start = Instant::now();
        let mut handles = Vec::with_capacity(100);
        for _ in 0..count / 100 {
            handles.extend((0..100).map(|i| runtime::spawn(async move { i })));
            for handle in handles.drain(..) {
                handle.await.unwrap();
            }
        }
        start.elapsed()
    })
}

/// Two tasks wake each other `count` times.
fn wake_task(count: u64) -> Duration {
    #[derive(Default)]
    struct Table {
        served: Cell<u64>,
        waiting: [RefCell<Option<Waker>>; 2],
    }

    /// Waits for its turn, side 0 for even numbers and side 1 for odd ones, and serves.
    async fn play(table: Rc<Table>, side: usize, count: u64) {
        while table.served.get() < count {
            poll_fn(|cx| {
                if table.served.get() % 2 == side as u64 {
                    return Poll::Ready(());
                }
                *table.waiting[side].borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            })
            .await;
            table.served.set(table.served.get() + 1);
            let other = table.waiting[1 - side].borrow_mut().take();
            if let Some(other) = other {
                other.wake();
            }
        }
    }

    block_on(async move {
        let table = Rc::new(Table::default());
        let start = Instant::now();
        let one = runtime::spawn(play(table.clone(), 0, count));
        let other = runtime::spawn(play(table, 1, count));
        one.await.unwrap();
        other.await.unwrap();
        start.elapsed()
    })
}

/// Sets `count` timeouts that do not come and drops each, with `others` sleeps pending.
fn timeouts(others: usize, count: u64) -> Duration {
    block_on(poll_fn(move |cx| {
        let mut spread = Spread(1);
        let mut sleeps: Vec<_> = (0..others).map(|_| Box::pin(sleep(spread.draw()))).collect();
        for sleep in &mut sleeps {
            assert!(sleep.as_mut().poll(cx).is_pending());
        }
        // Drawn before: the drawing is not to be measured.
        let durations: Vec<_> = (0..1024).map(|_| spread.draw()).collect();
        let start = Instant::now();
        for i in 0..count {
            let timeout = pin!(timeout(durations[i as usize % 1024], pending::<()>()));
            assert!(timeout.poll(cx).is_pending());
        }
        Poll::Ready(start.elapsed())
    }))
}

/// Durations between one and two hours, in no order.
struct Spread(u64);

impl Spread {
    fn draw(&mut self) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        Duration::from_secs(3600) + Duration::from_micros((self.0 >> 33) % 3_600_000_000)
    }
}

/// Makes `count` runtimes, each for a future that waits for nothing.
fn block_ons(count: u64) -> Duration {
    let start = Instant::now();
    for i in 0..count {
        assert_eq!(block_on(async move { i }), i);
    }
    start.elapsed()
}

/// Another thread wakes a task of a runtime that sleeps, and waits until it has run; `count` times.
fn wake_from_thread_parked(count: u64) -> Duration {
    wake_from_thread(Duration::ZERO, count, |_| {})
}

/// As above, of a runtime that spins instead.
fn wake_from_thread_spinning(count: u64) -> Duration {
    wake_from_thread(SPIN, count, |_| {})
}

/// As above, of a runtime that has a task always ready.
fn wake_from_thread_busy(count: u64) -> Duration {
    wake_from_thread(Duration::ZERO, count, |done| {
        drop(runtime::spawn(async move {
            while !done.load(Ordering::Relaxed) {
                yield_now().await;
            }
        }));
    })
}

fn wake_from_thread(spin: Duration, count: u64, occupy: fn(Arc<AtomicBool>)) -> Duration {
    let (asked, answered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let done = Arc::new(AtomicBool::new(false));
    runtime_that_spins(spin).block_on(async {
        occupy(done.clone());
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let waking = {
            let (asked, answered) = (asked.clone(), answered.clone());
            thread::spawn(move || {
                let start = Instant::now();
                for i in 1..=count {
                    asked.store(i, Ordering::Release);
                    waker.wake_by_ref();
                    while answered.load(Ordering::Acquire) < i {
                        std::hint::spin_loop();
                    }
                }
                start.elapsed()
            })
        };
        poll_fn(|_| {
            let seen = asked.load(Ordering::Acquire);
            answered.store(seen, Ordering::Release);
            if seen == count { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        done.store(true, Ordering::Relaxed);
        waking.join().unwrap()
    })
}

/// Two runtimes on two threads wake each other, `count` times there and back.
fn round_trips(spin: Duration, count: u64) -> Duration {
    let served = AtomicU64::new(0);
    let (to_one, from_other) = mpsc::channel();
    let (to_other, from_one) = mpsc::channel();
    thread::scope(|scope| {
        let one = scope.spawn(|| play_remotely(spin, &served, (to_other, from_other), 0, count));
        scope.spawn(|| play_remotely(spin, &served, (to_one, from_one), 1, count));
        one.join().unwrap()
    })
}

/// Waits for its turn, even numbers or odd ones, and serves.
fn play_remotely(
    spin: Duration,
    served: &AtomicU64,
    (to_other, from_other): (mpsc::Sender<Waker>, mpsc::Receiver<Waker>),
    side: u64,
    count: u64,
) -> Duration {
    runtime_that_spins(spin).block_on(async {
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        to_other.send(waker).unwrap();
        let other = from_other.recv().unwrap();
        let start = Instant::now();
        for trip in 0..count {
            let turn = 2 * trip + side;
            poll_fn(|_| {
                if served.load(Ordering::Acquire) < turn { Poll::Pending } else { Poll::Ready(()) }
            })
            .await;
            served.store(turn + 1, Ordering::Release);
            other.wake_by_ref();
        }
        start.elapsed()
    })
}

fn runtime_that_spins(spin: Duration) -> Runtime {
    runtime::Builder::new().spin(spin).build().unwrap()
}

/// Bytes of resident memory that each of `count` tasks takes, polled once and then pending.
pub(crate) fn memory(count: u64) -> f64 {
    struct Idle {
        polled: Option<Rc<Cell<u64>>>,
        _more: u64,
    }
    impl Future for Idle {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            if let Some(polled) = self.polled.take() {
                polled.set(polled.get() + 1);
            }
            Poll::Pending
        }
    }
    const { assert!(size_of::<Idle>() == STATE) };

    // The kernel is not to round it up to huge pages.
    // SAFETY: no pointers are passed.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
    block_on(async move {
        // What the runtime needs for its first task is not what one more costs.
        runtime::spawn(async {}).await.unwrap();
        let polled = Rc::new(Cell::new(0));
        let before = resident();
        for i in 0..count {
            drop(runtime::spawn(Idle { polled: Some(polled.clone()), _more: i }));
        }
        while polled.get() < count {
            yield_now().await;
        }
        (resident() - before) as f64 / count as f64
    })
}

/// The resident memory of this process in bytes.
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("/proc is mounted");
    let pages = statm.split(' ').nth(1).expect("statm has a second field");
    // SAFETY: a question without arguments that could be wrong.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages.parse::<u64>().expect("pages are a number") * page as u64
}
