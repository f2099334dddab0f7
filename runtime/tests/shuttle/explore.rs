//! Telling stories: each in a process of its own, in many orders.

use std::env;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, MaxSteps, Runner};

use crate::sync::begin_execution;

/// A story: its name, how many orders of it suffice, and what happens in one.
#[derive(Clone, Copy)]
pub(crate) struct Story {
    pub(crate) name: &'static str,
    pub(crate) orders: usize,
    pub(crate) tell: fn(),
}

/// Set in a process that tells the story of this name.
const VARIABLE: &str = "INTERLEAVINGS_STORY";

/// So that a story's orders are the same each time, unless others are asked for.
const SEED: u64 = 1;

/// How many changes of priority PCT makes in an execution. Most bugs need two or three.
const DEPTH: usize = 3;

/// Many times what a story takes; one that goes on for longer does not end.
const STEPS: usize = 200_000;

fn number(variable: &str) -> Option<u64> {
    let value = env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {value:?}")))
}

/// As the harness does it: the arguments that are no options are parts of names.
pub(crate) fn main(stories: &[Story]) {
    if let Ok(name) = env::var(VARIABLE) {
        let story = stories.iter().find(|story| story.name == name).expect("its name");
        return explore(story);
    }
    if env::args().any(|arg| arg == "--list") {
        stories.iter().for_each(|story| println!("{}: test", story.name));
        return;
    }
    let wanted: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |story: &&Story| {
        wanted.is_empty() || wanted.iter().any(|part| story.name.contains(part.as_str()))
    };
    let queue = Mutex::new(stories.iter().filter(is_wanted));
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some(story) = queue.lock().unwrap().next() else { return };
                    let start = Instant::now();
                    let output = run(story);
                    let passed = output.status.success();
                    let (said, ms) =
                        (if passed { "ok" } else { "FAILED" }, start.elapsed().as_millis());
                    println!("test {} ... {said} in {ms} ms", story.name);
                    if !passed {
                        let said = String::from_utf8_lossy(&output.stderr).into_owned();
                        failed.lock().unwrap().push((story.name, output.status, said));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    for (name, status, said) in &failed {
        println!("\n---- {name}: {status}\n{said}");
    }
    assert!(failed.is_empty(), "{} stories failed", failed.len());
}

/// Tells a story in a process of its own.
fn run(story: &Story) -> Output {
    let program = env::current_exe().expect("our path");
    let mut command = Command::new(program);
    command
        .env(VARIABLE, story.name)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command.stderr(Stdio::piped()).output().expect("a process")
}

/// Tells it in so many orders: half of them by chance, half by priorities.
fn explore(story: &Story) {
    // SAFETY: no pointers are passed. A story that hangs ends by it.
    unsafe { libc::alarm(number("INTERLEAVINGS_LIMIT").unwrap_or(120) as u32) };
    let orders = number("INTERLEAVINGS").map_or(story.orders, |orders| orders as usize);
    let seed = number("INTERLEAVINGS_SEED").unwrap_or(SEED);
    eprintln!("INTERLEAVINGS_SEED={seed} INTERLEAVINGS={orders} repeat this");
    let tell = story.tell;
    check(RandomScheduler::new_from_seed(seed, orders.div_ceil(2)), tell);
    check(PctScheduler::new_from_seed(seed, DEPTH, orders / 2), tell);
}

fn check(scheduler: impl Scheduler + 'static, tell: fn()) {
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.silence_warnings = true;
    config.max_steps = MaxSteps::FailAfter(STEPS);
    Runner::new(scheduler, config).run(move || {
        begin_execution();
        tell();
    });
}
