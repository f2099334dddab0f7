//! The engine by itself: what one switch, spawn, wake, timeout and pending task cost.
//!
//! ```text
//! cargo bench --bench core                            every operation, in time
//! cargo bench --bench core -- yield-100 1000000       one of them, that often
//! cargo bench --bench core -- --instructions          a table of instructions, by callgrind
//! ```

use std::cell::{Cell, RefCell};
use std::fs;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::process::{Command, ExitCode};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use runtime::Runtime;
use runtime::task::yield_now;
use runtime::time::{sleep, timeout};

mod support;

/// Something the runtime does, to be done `count` times.
struct Operation {
    name: &'static str,
    count: u64,
    /// Runs it and says how long the part took that counts.
    run: fn(u64) -> Duration,
    /// For the table of instructions; without one the figure would mean nothing.
    instructions: Option<Instructions>,
}

/// How often to run an operation under callgrind, and what it should cost at most.
struct Instructions {
    count: u64,
    target: Option<f64>,
}

const fn instructions(count: u64, target: Option<f64>) -> Option<Instructions> {
    Some(Instructions { count, target })
}

const OPERATIONS: &[Operation] = &[
    Operation {
        name: "yield-1",
        count: 5_000_000,
        run: |count| yields(1, count),
        instructions: instructions(100_000, None),
    },
    Operation {
        name: "yield-100",
        count: 5_000_000,
        run: |count| yields(100, count),
        instructions: instructions(100_000, Some(220.0)),
    },
    Operation {
        name: "yield-10000",
        count: 5_000_000,
        run: |count| yields(10_000, count),
        instructions: instructions(200_000, None),
    },
    Operation {
        name: "spawn-join",
        count: 2_000_000,
        run: spawn_join,
        instructions: instructions(50_000, Some(620.0)),
    },
    Operation {
        name: "spawn-join-100",
        count: 2_000_000,
        run: spawn_join_100,
        instructions: instructions(50_000, Some(620.0)),
    },
    Operation {
        name: "wake-task",
        count: 5_000_000,
        run: wake_task,
        instructions: instructions(100_000, None),
    },
    Operation {
        name: "timeout-0",
        count: 2_000_000,
        run: |count| timeouts(0, count),
        instructions: instructions(50_000, Some(320.0)),
    },
    Operation {
        name: "timeout-100000",
        count: 2_000_000,
        run: |count| timeouts(100_000, count),
        instructions: instructions(50_000, None),
    },
    Operation {
        name: "block-on",
        count: 200_000,
        run: block_ons,
        instructions: instructions(2_000, None),
    },
    Operation {
        name: "wake-thread-parked",
        count: 50_000,
        run: wake_from_thread_parked,
        instructions: None,
    },
    Operation {
        name: "wake-thread-spinning",
        count: 1_000_000,
        run: wake_from_thread_spinning,
        instructions: None,
    },
    Operation {
        name: "wake-thread-busy",
        count: 1_000_000,
        run: wake_from_thread_busy,
        instructions: None,
    },
    Operation {
        name: "round-trip-parked",
        count: 50_000,
        run: |count| round_trips(Duration::ZERO, count),
        instructions: None,
    },
    Operation {
        name: "round-trip-spinning",
        count: 1_000_000,
        run: |count| round_trips(SPIN, count),
        instructions: None,
    },
];

/// How long a runtime that spins does: more than anything here takes.
const SPIN: Duration = Duration::from_millis(100);

/// Bytes of state in each task of the memory figure, how many tasks, and the most each may take.
const STATE: usize = 16;
const TASKS: u64 = 1_000_000;
const MEMORY_TARGET: f64 = 112.0;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        [] => every_time(),
        ["--instructions"] => return instructions_table(),
        ["--instructions-here"] => return instructions_here(""),
        ["--instructions-here", part] => return instructions_here(part),
        ["memory"] => println!("{:.1}", memory(TASKS)),
        ["memory", count] => println!("{:.1}", memory(number(count))),
        [name, count] => {
            find(name).map(|operation| (operation.run)(number(count)));
        }
        [name] => {
            if let Some(operation) = find(name) {
                println!("{:.1} ns", time(operation));
            }
        }
        _ => eprintln!("name one operation, and how often to do it"),
    }
    ExitCode::SUCCESS
}

fn number(word: &str) -> u64 {
    word.parse().expect("a count is a number")
}

fn find(name: &str) -> Option<&'static Operation> {
    let found = OPERATIONS.iter().find(|operation| operation.name == name);
    if found.is_none() {
        let names: Vec<_> = OPERATIONS.iter().map(|operation| operation.name).collect();
        eprintln!("there is no {name}; there are {} and memory", names.join(", "));
    }
    found
}

/// Nanoseconds of one operation: the median of five runs.
fn time(operation: &Operation) -> f64 {
    let runs =
        (0..5).map(|_| support::per_operation((operation.run)(operation.count), operation.count));
    support::median(runs.collect())
}

fn every_time() {
    println!("| operation | ns |\n|---|---:|");
    for operation in OPERATIONS {
        println!("| {} | {:.1} |", operation.name, time(operation));
    }
    println!("\n{:.1} bytes per pending task of {STATE} bytes of state", memory(TASKS));
}

/// The table for the profile this is built with, and for fat LTO beside it.
fn instructions_table() -> ExitCode {
    let (here, lto) = (figures(""), figures_with_lto());
    println!("| | target | release | fat LTO, 1 codegen unit |\n|---|---:|---:|---:|");
    let mut ok = true;
    for (name, target) in rows() {
        let cell = |figures: &[(String, Result<f64, String>)]| match figures
            .iter()
            .find(|f| f.0 == name)
        {
            Some((_, Ok(figure))) => format!("{figure:.1}"),
            Some((_, Err(error))) => error.clone(),
            None => "not run".into(),
        };
        ok &= here.iter().any(|(other, figure)| *other == name && figure.is_ok());
        let target = target.map_or(String::new(), |target| format!("{target:.0}"));
        println!("| {name} | {target} | {} | {} |", cell(&here), cell(&lto));
    }
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The figures of this build whose names have `part` in them, a line each: for the program that
/// prints the table, and for who tries something.
fn instructions_here(part: &str) -> ExitCode {
    for (name, figure) in figures(part) {
        match figure {
            Ok(figure) => println!("{name} {figure}"),
            Err(error) => {
                eprintln!("{name}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// What the table has, and the targets.
fn rows() -> Vec<(String, Option<f64>)> {
    let counted = OPERATIONS.iter().filter_map(|operation| {
        let instructions = operation.instructions.as_ref()?;
        Some((format!("{}, instructions", operation.name), instructions.target))
    });
    counted.chain([(memory_row(), Some(MEMORY_TARGET))]).collect()
}

fn memory_row() -> String {
    format!("memory of a task with {STATE} bytes of state, bytes")
}

fn figures(part: &str) -> Vec<(String, Result<f64, String>)> {
    let wanted = OPERATIONS.iter().filter(|operation| operation.name.contains(part));
    let counted = wanted.filter_map(|operation| {
        let count = operation.instructions.as_ref()?.count;
        let figure = support::callgrind::per_operation(count, |count| {
            count_instructions(operation.name, count)
        });
        Some((format!("{}, instructions", operation.name), figure))
    });
    // In a process of its own: what others have freed would hide what this one takes.
    let memory = this_program("memory").and_then(|out| out.trim().parse().map_err(|_| out));
    counted.chain([(memory_row(), memory)]).collect()
}

fn count_instructions(name: &str, count: u64) -> Result<u64, String> {
    let ran = support::callgrind::of_this_program().args([name, &count.to_string()]).output();
    let ran = ran.map_err(|error| format!("valgrind does not run: {error}"))?;
    support::callgrind::collected(&ran.stderr)
}

fn this_program(argument: &str) -> Result<String, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let ran = Command::new(program).arg(argument).output().map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
}

/// Has cargo build this program with the other profile, and run it.
fn figures_with_lto() -> Vec<(String, Result<f64, String>)> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let ran = Command::new(cargo)
        .args(["bench", "--quiet", "--profile", "bench-lto", "--bench", "core"])
        .args(["--", "--instructions-here"])
        .output();
    let Ok(ran) = ran else { return Vec::new() };
    eprint!("{}", String::from_utf8_lossy(&ran.stderr));
    let lines = String::from_utf8_lossy(&ran.stdout).into_owned();
    let parsed = lines.lines().filter_map(|line| {
        let (name, figure) = line.rsplit_once(' ')?;
        Some((name.to_string(), figure.parse().map_err(|_| figure.to_string())))
    });
    parsed.collect()
}

// The operations.

/// `count` yields by `tasks` tasks.
fn yields(tasks: u64, count: u64) -> Duration {
    runtime::block_on(async move {
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
    runtime::block_on(async move {
        let start = Instant::now();
        for i in 0..count {
            assert_eq!(runtime::spawn(async move { i }).await.unwrap(), i);
        }
        start.elapsed()
    })
}

/// As above, a hundred at a time.
fn spawn_join_100(count: u64) -> Duration {
    runtime::block_on(async move {
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

    runtime::block_on(async move {
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
    runtime::block_on(poll_fn(move |cx| {
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
        assert_eq!(runtime::block_on(async move { i }), i);
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
fn memory(count: u64) -> f64 {
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

    runtime::block_on(async move {
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
    #[allow(unsafe_code)]
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    number(pages) * page as u64
}
