//! The mixed load: rounds in which everything there is goes on at once. Each operation's result is checked, and
//! after each round what the process has of the system is looked at: nothing may be left of it.
//!
//! A round's work follows from the seed and the round's number alone; how tasks, threads and processes meet in it
//! is up to the system.

mod children;
mod datagrams;
mod files;
mod heap;
mod measured;
mod partner;
pub(crate) mod plant;
mod proxy;
mod runtimes;
mod share;
mod signals;
mod tasks;
mod tcp;
mod threads;
mod timers;
mod unix;

use std::fs;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use runtime::task::JoinSet;
use runtime::time::sleep;
use runtime::{Builder, Handle};

use self::measured::{MEASURES, Rule, Sample};
use self::share::{Share, World};
use crate::support::random::mix;

/// Also on a slow machine: a quarter of them warms up, and a leak shows in the others.
const FEWEST_ROUNDS: usize = 32;

/// More than half an hour has.
const MOST_ROUNDS: usize = 1 << 16;

/// So that threads of the pool come and go as well.
const KEEP_ALIVE: Duration = Duration::from_millis(20);

type Running = Pin<Box<dyn Future<Output = io::Result<()>>>>;

/// A part of the work of a round.
struct Load {
    name: &'static str,
    run: fn(Share) -> Running,
    operations: AtomicU64,
    runs: AtomicBool,
}

macro_rules! loads {
    ($($name:literal: $module:ident),* $(,)?) => {
        [$(Load {
            name: $name,
            run: |share| Box::pin($module::run(share)),
            operations: AtomicU64::new(0),
            runs: AtomicBool::new(false),
        }),*]
    };
}

static LOADS: [Load; 12] = loads! {
    "TCP connections": tcp,
    "Unix connections, passed descriptors": unix,
    "datagrams": datagrams,
    "proxy": proxy,
    "timers": timers,
    "tasks, channels": tasks,
    "threads, blocking closures": threads,
    "a runtime on another thread": partner,
    "runtimes made and dropped, embedded": runtimes,
    "files": files,
    "children": children,
    "signals": signals,
};

/// What is done, and for how long.
pub(crate) struct Options {
    pub(crate) time: Duration,
    pub(crate) seed: u64,
    /// The number of the first round: to begin with one that has failed.
    pub(crate) first: usize,
}

/// Returns false if something is not flat. What went wrong otherwise is an error, or a panic.
pub(crate) fn soak(options: &Options) -> io::Result<bool> {
    let folder = std::env::temp_dir().join(format!("epoll-runtime-soak-{}", process::id()));
    fs::create_dir(&folder)?;
    let (stop_partner, stopped) = oneshot::channel();
    let (partner, partner_thread) = start_partner(stopped)?;
    thread::spawn(watch);

    let runtime = Builder::new()
        .metrics(true)
        .rng_seed(options.seed)
        .thread_keep_alive(KEEP_ALIVE)
        .build()?;
    let here = runtime.handle().clone();
    let world = Arc::new(World { here, partner, folder: folder.clone() });
    let samples = runtime.block_on(async {
        rounds(options, &world).await.unwrap_or_else(|error| {
            // What is under way would only complain of being dropped.
            eprintln!("The soak failed in {error}");
            let _ = fs::remove_dir_all(&folder);
            process::exit(1);
        })
    });

    drop(stop_partner);
    partner_thread.join().expect("the partner does not panic")?;
    fs::remove_dir(folder)?;
    Ok(report(&samples))
}

/// A runtime on another thread, which is there during the whole soak.
fn start_partner(
    stopped: oneshot::Receiver<()>,
) -> io::Result<(Handle, thread::JoinHandle<io::Result<()>>)> {
    let (tell, told) = mpsc::channel();
    let thread = thread::spawn(move || {
        let runtime = Builder::new().metrics(true).thread_keep_alive(KEEP_ALIVE).build()?;
        runtime.block_on(async {
            tell.send(Handle::current()).expect("the soak waits for it");
            // Dropped is told, too.
            let _ = stopped.await;
        });
        Ok(())
    });
    let handle = told.recv().map_err(|_| io::Error::other("the partner has not come up"))?;
    Ok((handle, thread))
}

/// Rounds until the time is over; returns what was there after each.
async fn rounds(options: &Options, world: &Arc<World>) -> io::Result<Vec<Sample>> {
    let start = Instant::now();
    let between_lines = (options.time / 10).min(Duration::from_secs(60));
    let mut next_line = Duration::ZERO;
    // Their place is touched before the first is taken, so that they do not grow in what they show.
    let mut samples = vec![Sample::default(); MOST_ROUNDS];
    samples.clear();
    // What the runtime and the system keep from the first use on, the first round has made.
    let before = Sample::now(world);
    while samples.len() < FEWEST_ROUNDS
        || (start.elapsed() < options.time && samples.len() < MOST_ROUNDS)
    {
        let number = options.first + samples.len();
        let in_round = |error| io::Error::other(format!("round {number}: {error}"));
        round(number, options.seed, world).await.map_err(in_round)?;
        samples.push(rest(world, &before).await.map_err(in_round)?);
        let elapsed = start.elapsed();
        if elapsed >= next_line {
            next_line = elapsed + between_lines;
            let sample = samples.last().expect("it was pushed");
            println!(
                "{:5.0} s, round {number}: {} operations; {sample}",
                elapsed.as_secs_f64(),
                total()
            );
        }
    }
    Ok(samples)
}

/// All loads once, at the same time.
async fn round(number: usize, seed: u64, world: &Arc<World>) -> io::Result<()> {
    let mut tasks = JoinSet::new();
    for (index, load) in LOADS.iter().enumerate() {
        let seed = mix(seed ^ mix((number * LOADS.len() + index) as u64));
        let share = Share::new(seed, world.clone(), &load.operations);
        tasks.spawn(async move {
            load.runs.store(true, Ordering::Relaxed);
            (load.run)(share)
                .await
                .map_err(|error| io::Error::other(format!("{}: {error}", load.name)))?;
            load.runs.store(false, Ordering::Relaxed);
            Ok(())
        });
    }
    share::all(tasks).await
}

/// Waits until what must return to what it was has done so: dropped children are reaped when they have ended, threads
/// of pools go when there is nothing for them to do.
async fn rest(world: &World, before: &Sample) -> io::Result<Sample> {
    // Counted and not timed: a process that was stopped for a while has not waited.
    for _ in 0..1000 {
        let sample = Sample::now(world);
        if sample.has_returned_to(before) {
            return Ok(sample);
        }
        sleep(Duration::from_millis(10)).await;
    }
    let sample = Sample::now(world);
    Err(io::Error::other(format!("something is left.\nAt the start: {before}\nNow: {sample}")))
}

fn total() -> u64 {
    LOADS.iter().map(|load| load.operations.load(Ordering::Relaxed)).sum()
}

/// Ends the process if nothing gets on any more, and says where.
fn watch() {
    let mut seen = total();
    let mut idle = 0;
    while idle < 120 {
        thread::sleep(Duration::from_secs(1));
        let now = total();
        idle = if now == seen { idle + 1 } else { 0 };
        seen = now;
    }
    eprintln!("No operation has ended for {idle} s. These loads have not: ");
    for load in LOADS.iter().filter(|load| load.runs.load(Ordering::Relaxed)) {
        eprintln!("  {}", load.name);
    }
    process::abort();
}

/// The tables. Returns whether everything is flat.
fn report(samples: &[Sample]) -> bool {
    println!("\n| load | operations |\n|---|---:|");
    for load in &LOADS {
        println!("| {} | {} |", load.name, load.operations.load(Ordering::Relaxed));
    }
    println!("| all, in {} rounds | {} |", samples.len(), total());

    let (_warm_up, compared) = samples.split_at(samples.len() / 4);
    let (first, second) = compared.split_at(compared.len() / 2);
    let most = |samples: &[Sample]| samples.iter().copied().fold(Sample::default(), Sample::most);
    let (start, first, second) = (samples[0], most(first), most(second));
    println!("\nAfter the rounds, the first quarter of which warms up; at most:\n");
    println!("| | after the first | in the first half | in the second half | may grow by | |");
    println!("|---|---:|---:|---:|---:|---|");
    let mut is_flat = true;
    for (index, measure) in MEASURES.iter().enumerate() {
        let (start, first, second) = (start.0[index], first.0[index], second.0[index]);
        let slack = match measure.rule {
            Rule::Returns => 0,
            Rule::GrowsAtMost(slack) => slack,
        };
        let grows = second > first + slack;
        is_flat &= !grows;
        let verdict = if grows { "**grows**" } else { "flat" };
        println!("| {} | {start} | {first} | {second} | {slack} | {verdict} |", measure.name);
    }
    is_flat
}
