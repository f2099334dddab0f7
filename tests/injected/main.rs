//! Every system call fails once: at each n at which a scenario makes it, with each errno that its man page
//! allows; and from the first on, as when something has run out. What comes of it is an error, which is a
//! sentence, or a retry; never a panic, a hang, a spin or a leak; and the runtime then does the same again as if
//! nothing had been.
//!
//! A scenario runs in a process of its own, under a driver that answers each of its system calls (`seam.rs`).
//! Which calls there are to fail is learnt from a run in which none does; `calls.rs` has what they fail with.
//!
//! `cargo test --test injected` takes a spread of them. Behind `--`: `--full` for all, a scenario's name for all
//! of that, or what a failure says to type. The environment's `FAULTS_SEED` repeats a spread.
#![allow(unsafe_code)]

mod calls;
mod memory;
mod run;
mod scenarios;
mod seam;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::io;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use calls::Faults;
use run::{Call, Fault, Limits, Outcome, Who, run};
use scenarios::{BROKEN, SCENARIOS, Scenario};
use support::random::Random;

/// The exit code of a scenario where filters cannot be had.
const UNAVAILABLE: i32 = 77;

/// Kinds of descriptors, as the kernel calls them.
const EVENTFD: &str = "anon_inode:[eventfd]";
const PIDFD: &str = "anon_inode:[pidfd]";

/// More blocks of memory than are left without a fault: tables that the first to need them makes for good.
const BLOCKS: i64 = 2;

/// How many of a spread are chosen by the seed, beside the first call of each kind with each errno.
const BY_SEED: usize = 400;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["--scenario", name] => scenarios::play(name),
        ["--one", scenario, call, nth, errno] => one(scenario, call, nth, errno),
        _ => many(&words),
    }
}

/// What is too much of a scenario that nobody knows yet.
const FIRST: Limits = Limits { calls: 100_000, looks: 300 };

/// What a scenario does without a fault.
struct Clean {
    scenario: &'static Scenario,
    /// The most that were seen, as threads are not always as quick.
    counts: BTreeMap<Call, u32>,
    total: u64,
    left: BTreeMap<String, u32>,
    blocks: i64,
}

impl Clean {
    /// `None` where this system cannot run them so.
    fn learn(scenario: &'static Scenario) -> io::Result<Option<Clean>> {
        let name = scenario.name;
        let mut clean = Clean {
            scenario,
            counts: BTreeMap::new(),
            total: 0,
            left: BTreeMap::new(),
            blocks: i64::MIN,
        };
        for _ in 0..3 {
            let Some(outcome) = run(name, None, FIRST)? else { return Ok(None) };
            let Outcome { counts, total, wrong, said, left, blocks, .. } = outcome;
            assert!(wrong.is_none(), "{name}, with no fault: {wrong:?}\n{said}");
            for (call, count) in counts {
                let most = clean.counts.entry(call).or_default();
                *most = count.max(*most);
            }
            for (kind, count) in left {
                let most = clean.left.entry(kind).or_default();
                *most = count.max(*most);
            }
            clean.total = clean.total.max(total);
            clean.blocks = clean.blocks.max(blocks.expect("it came to its end"));
        }
        Ok(Some(clean))
    }

    /// Twenty times what it takes, so that a retry or a pause is none; and a bit for the shortest.
    fn limits(&self) -> Limits {
        Limits { calls: self.total * 20 + 2000, ..FIRST }
    }

    /// What is wrong with a run that had a fault.
    fn judge(&self, outcome: &Outcome, fault: &Fault) -> Option<String> {
        if let Some(wrong) = &outcome.wrong {
            return Some(wrong.clone());
        }
        let more = |(kind, count): (&String, &u32)| {
            // A runtime that had to wait, for a change, has left its eventfd to the next.
            let least = u32::from(kind == EVENTFD);
            // Told that somebody else has reaped it, nobody does.
            if fault.errno == libc::ECHILD && matches!(kind.as_str(), "child" | PIDFD) {
                return None;
            }
            let usual = self.left.get(kind).copied().unwrap_or(0).max(least);
            (*count > usual).then(|| format!("it leaks: {kind}"))
        };
        let blocks = outcome.blocks.filter(|blocks| *blocks > self.blocks + BLOCKS);
        let memory = || blocks.map(|blocks| format!("it leaks: memory, {blocks} blocks"));
        outcome.left.iter().find_map(more).or_else(memory)
    }
}

/// A scenario and a fault in it, as it is typed.
fn label(scenario: &str, Fault { call, nth, errno, lasts }: &Fault) -> String {
    let on = if *lasts { "+" } else { "" };
    format!("{scenario} '{call}' {nth}{on} {errno}")
}

fn one(scenario: &str, call: &str, nth: &str, errno: &str) -> ExitCode {
    let scenario = SCENARIOS.iter().find(|known| known.name == scenario).expect("a scenario");
    let (who, name) = match call.strip_prefix("fork: ") {
        Some(name) => (Who::Fork, name),
        None => (Who::Program, call),
    };
    let call = Call { who, name: name.to_string() };
    let lasts = nth.ends_with('+');
    let nth = nth.trim_end_matches('+').parse().expect("the how manieth call");
    let errno = errno.parse().expect("an errno, as a number");
    let fault = Fault { call, nth, errno, lasts };
    let Some(clean) = Clean::learn(scenario).expect("it runs") else { return cannot() };
    let outcome = run(scenario.name, Some(&fault), clean.limits()).expect("it runs");
    let outcome = outcome.expect("it ran without a fault");
    for (call, count) in &outcome.counts {
        println!("{count:5} {call}");
    }
    println!("{}fired: {}, {} calls", outcome.said, outcome.fired, outcome.total);
    println!("left: {:?}, usually: {:?}", outcome.left, clean.left);
    println!("blocks: {:?}, usually: {:?}", outcome.blocks, clean.blocks);
    match clean.judge(&outcome, &fault) {
        None => ExitCode::SUCCESS,
        Some(wrong) => {
            println!("{}: {wrong}", label(scenario.name, &fault));
            ExitCode::FAILURE
        }
    }
}

fn cannot() -> ExitCode {
    println!("skipped: this system lets no process have its system calls answered by another");
    ExitCode::SUCCESS
}

fn many(words: &[&str]) -> ExitCode {
    let begin = Instant::now();
    if let Err(blind) = see_what_is_broken() {
        println!("{blind}");
        return ExitCode::FAILURE;
    }
    let names: Vec<_> = words.iter().filter(|word| !word.starts_with("--")).collect();
    let full = words.contains(&"--full") || !names.is_empty();
    let chosen = |name: &str| names.is_empty() || names.contains(&&name);
    let mut cleans = Vec::new();
    for scenario in SCENARIOS.iter().filter(|scenario| chosen(scenario.name)) {
        match Clean::learn(scenario).expect("it runs") {
            Some(clean) => cleans.push(clean),
            None => return cannot(),
        }
    }
    let all = all_faults(&cleans);
    let seed = env::var("FAULTS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    let faults = if full { all } else { spread(all, seed) };
    if full {
        left_out(&cleans);
    }
    let scenarios = cleans.len();
    println!("{} faults in {scenarios} scenarios, with FAULTS_SEED={seed}", faults.len());
    let (failures, fired) = run_all(&cleans, &faults);
    for failure in &failures {
        println!("\ncargo test --test injected -- --one {failure}");
    }
    // Threads are not always as quick: one that found its work done sleeps once less.
    let seconds = begin.elapsed().as_secs_f64();
    println!("{fired} of them came to pass; {} failures, {seconds:.1} s", failures.len());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether what goes wrong is seen: else nothing here means anything.
fn see_what_is_broken() -> Result<(), String> {
    let call = Call { who: Who::Program, name: "epoll_create1".to_string() };
    let fault = Fault { call, nth: 1, errno: libc::EMFILE, lasts: false };
    for (scenario, words) in BROKEN {
        let Some(clean) = Clean::learn(scenario).expect("it runs") else { return Ok(()) };
        let looks = if words.contains("hangs") { 5 } else { FIRST.looks };
        let limits = Limits { looks, ..clean.limits() };
        let outcome = run(scenario.name, Some(&fault), limits).expect("it runs");
        let judged = outcome.and_then(|outcome| clean.judge(&outcome, &fault));
        if !judged.as_ref().is_some_and(|judged| judged.contains(words)) {
            return Err(format!("`{}` is seen as {judged:?}, not as {words}", scenario.name));
        }
    }
    Ok(())
}

type Chosen = (usize, Fault);

/// Every fault, with the index of its scenario.
fn all_faults(cleans: &[Clean]) -> Vec<Chosen> {
    let mut all = Vec::new();
    for (index, clean) in cleans.iter().enumerate() {
        for (call, count) in &clean.counts {
            let faults = calls::faults(&call.name);
            let Scenario { name, not_ours, .. } = clean.scenario;
            if not_ours.contains(&call.name.as_str()) {
                continue;
            }
            let faults =
                faults.unwrap_or_else(|| panic!("{name} makes `{call}`: add it to calls.rs"));
            let Faults::With(errnos) = faults else { continue };
            for nth in 1..=*count {
                let fault = |errno: &i32| {
                    let errno = *errno;
                    let is_to_last = nth == 1 && calls::may_last(&call.name, errno);
                    let once = Fault { call: call.clone(), nth, errno, lasts: false };
                    let lasting = is_to_last.then(|| Fault { lasts: true, ..once.clone() });
                    [Some(once), lasting].into_iter().flatten()
                };
                all.extend(errnos.iter().flat_map(fault).map(|fault| (index, fault)));
            }
        }
    }
    all
}

/// Says which calls are made but never fail, and why.
fn left_out(cleans: &[Clean]) {
    let calls: BTreeSet<_> = cleans.iter().flat_map(|clean| clean.counts.keys()).collect();
    for call in calls {
        if let Some(Faults::None(reason)) = calls::faults(&call.name) {
            println!("left out: {call}: {reason}");
        }
    }
}

/// The first call of each kind with each errno, wherever it is made, and some others.
fn spread(all: Vec<Chosen>, seed: u64) -> Vec<Chosen> {
    let mut seen = BTreeSet::new();
    let (mut faults, mut others): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|(_, Fault { call, errno, .. })| seen.insert((call.clone(), *errno)));
    let mut random = Random::new(seed);
    for _ in 0..BY_SEED.min(others.len()) {
        let place = random.below(others.len());
        faults.push(others.swap_remove(place));
    }
    faults
}

/// What is wrong, each with what to type; and how many calls were made that were to fail.
fn run_all(cleans: &[Clean], faults: &[Chosen]) -> (Vec<String>, usize) {
    let (next, fired) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failures = Mutex::new(Vec::new());
    let work = || {
        while let Some((index, fault)) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
            let clean = &cleans[*index];
            let outcome = run(clean.scenario.name, Some(fault), clean.limits()).expect("it runs");
            let outcome = outcome.expect("it ran without a fault");
            fired.fetch_add(usize::from(outcome.fired), Ordering::Relaxed);
            if let Some(wrong) = clean.judge(&outcome, fault) {
                let failure =
                    format!("{}: {wrong}\n{}", label(clean.scenario.name, fault), outcome.said);
                println!("{failure}");
                failures.lock().expect("no panic").push(failure);
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    (failures.into_inner().expect("no panic"), fired.into_inner())
}
