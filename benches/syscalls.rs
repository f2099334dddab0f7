//! System calls of a round trip, ours beside a raw epoll loop, on the server's side.
//!
//! ```text
//! cargo bench --bench syscalls                a table
//! cargo bench --bench syscalls -- --check     the table; fails if ours take more than they may
//! ```
//!
//! Counted as the difference of two runs, so that start and end drop out. The client acts while the
//! server is about to wait, so that each wait finds a message on every connection.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;

use round_trip::server::{What, Who};

#[path = "round_trip/calls.rs"]
mod calls;
#[path = "round_trip/in_wait.rs"]
mod in_wait;
mod round_trip;

/// What is echoed, how many calls more than raw ours take for a reason, and how often they look at the
/// clock.
struct Setting {
    what: What,
    connections: usize,
    more: f64,
    clock: f64,
}

const SETTINGS: [Setting; 7] = [
    Setting { what: What::Tcp, connections: 1, more: 0.0, clock: 0.0 },
    Setting { what: What::Tcp, connections: 64, more: 0.0, clock: 0.0 },
    // For each timeout, and for each turn while there are any.
    Setting { what: What::TcpTimeout, connections: 1, more: 0.0, clock: 2.0 },
    Setting { what: What::TcpTimeout, connections: 64, more: 0.0, clock: 1.0 },
    // We may not take a short read for the end of the queue, as descriptors may come along.
    Setting { what: What::Unix, connections: 1, more: 1.0, clock: 0.0 },
    Setting { what: What::Udp, connections: 1, more: 0.0, clock: 0.0 },
    Setting { what: What::UnixDatagram, connections: 1, more: 0.0, clock: 0.0 },
];

/// How much more than that may be, on average.
const MARGIN: f64 = 0.05;

const ROUND_TRIPS: u64 = 1_280;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args[..] {
        [] => table().map(drop),
        ["--check"] => check(),
        _ => Err(io::Error::other("the only argument there is is --check")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> io::Result<()> {
    let failures = table()?;
    if failures.is_empty() { Ok(()) } else { Err(io::Error::other(failures.join("\n"))) }
}

/// Prints the table, and returns a sentence for each figure of ours that is more than it may be.
fn table() -> io::Result<Vec<String>> {
    println!("| calls a round trip | | all | waits | which | looks at the clock |");
    println!("|---|---|---:|---:|---|---:|");
    let mut failures = Vec::new();
    for Setting { what, connections, more, clock } in SETTINGS {
        let echo = format!("{}, {connections}", what.name());
        let ours = Row::of(per_round_trip(Who::Ours, what, connections)?);
        let raw = Row::of(per_round_trip(Who::Raw, what, connections)?);
        ours.print(&echo, Who::Ours);
        raw.print(&echo, Who::Raw);
        let mut judge = |of: &str, found: f64, most: f64| {
            if found > most + MARGIN {
                failures.push(format!(
                    "A round trip of {echo} takes {found:.2} {of}; {most:.2} it may, and the margin is {MARGIN}."
                ));
            }
        };
        judge("system calls", ours.all, raw.all + more);
        judge("looks at the clock", ours.clock, clock);
    }
    Ok(failures)
}

struct Row {
    each: Counts,
    clock: f64,
    /// All but the looks at the clock.
    all: f64,
}

impl Row {
    fn of(mut each: Counts) -> Row {
        let clock = each.remove("clock_gettime").unwrap_or_default();
        let all = each.values().sum();
        Row { each, clock, all }
    }

    fn print(&self, echo: &str, who: Who) {
        let Row { each, clock, all } = self;
        let waits = each.get("epoll_pwait").copied().unwrap_or_default();
        let used = each.iter().filter(|(_, count)| **count >= 0.005);
        let which: Vec<_> = used.map(|(name, count)| format!("{name} {count:.2}")).collect();
        let (who, which) = (who.name(), which.join(", "));
        println!("| {echo} | {who} | {all:.2} | {waits:.2} | {which} | {clock:.2} |");
    }
}

type Counts = BTreeMap<&'static str, f64>;

fn per_round_trip(who: Who, what: What, connections: usize) -> io::Result<Counts> {
    let once = run(who, what, connections, ROUND_TRIPS)?;
    let mut twice = run(who, what, connections, 2 * ROUND_TRIPS)?;
    for (name, count) in &mut twice {
        *count = (*count - once[name]) / ROUND_TRIPS as f64;
    }
    Ok(twice)
}

/// The calls of a server from its start to its end.
fn run(who: Who, what: What, connections: usize, round_trips: u64) -> io::Result<Counts> {
    let before: Vec<_> = calls::counts().collect();
    in_wait::serve(who, what, connections, round_trips)?;
    let made = calls::counts().zip(before);
    Ok(made.map(|((name, after), (_, before))| (name, (after - before) as f64)).collect())
}
