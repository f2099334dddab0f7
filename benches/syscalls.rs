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

/// What is echoed, and how many calls more than raw ours take for a reason.
struct Setting {
    what: What,
    connections: usize,
    more: f64,
}

const SETTINGS: [Setting; 7] = [
    Setting { what: What::Tcp, connections: 1, more: 0.0 },
    Setting { what: What::Tcp, connections: 64, more: 0.0 },
    Setting { what: What::TcpTimeout, connections: 1, more: 0.0 },
    Setting { what: What::TcpTimeout, connections: 64, more: 0.0 },
    // We may not take a short read for the end of the queue, as descriptors may come along.
    Setting { what: What::Unix, connections: 1, more: 1.0 },
    Setting { what: What::Udp, connections: 1, more: 0.0 },
    Setting { what: What::UnixDatagram, connections: 1, more: 0.0 },
];

/// How many calls ours may take beyond that, on average.
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
    let failures: Vec<String> = table()?;
    if failures.is_empty() { Ok(()) } else { Err(io::Error::other(failures.join("\n"))) }
}

/// Prints the table, and returns a sentence for each setting in which ours take more than they may.
fn table() -> io::Result<Vec<String>> {
    println!("| calls a round trip | | all | waits | which |\n|---|---|---:|---:|---|");
    let mut failures = Vec::new();
    for Setting { what, connections, more } in SETTINGS {
        let echo = format!("{}, {connections}", what.name());
        let ours = row(&echo, Who::Ours, per_round_trip(Who::Ours, what, connections)?);
        let raw = row(&echo, Who::Raw, per_round_trip(Who::Raw, what, connections)?);
        if ours > raw + more + MARGIN {
            failures.push(format!(
                "A round trip of {echo} takes {ours:.2} system calls, raw ones {raw:.2}; \
                 ours may take {more} more, and the margin is {MARGIN}."
            ));
        }
    }
    Ok(failures)
}

/// Prints a row, and returns how many calls it has.
fn row(echo: &str, who: Who, each: Counts) -> f64 {
    let all: f64 = each.values().sum();
    let waits = each.get("epoll_pwait").copied().unwrap_or_default();
    let used = each.iter().filter(|(_, count)| **count >= 0.005);
    let which: Vec<_> = used.map(|(name, count)| format!("{name} {count:.2}")).collect();
    println!("| {echo} | {} | {all:.2} | {waits:.2} | {} |", who.name(), which.join(", "));
    all
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
