//! System calls of a round trip, ours beside a raw epoll loop, on the server's side.
//!
//! ```text
//! cargo bench --bench syscalls
//! ```
//!
//! Counted as the difference of two runs, so that start and end drop out. With 64 connections
//! the wait's share depends on how many messages each finds.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::io;
use std::process::{Command, ExitCode};

use round_trip::client;
use round_trip::server::{self, What, Who};
use support::median;

#[path = "round_trip/calls.rs"]
mod calls;
mod round_trip;
mod support;

const SETTINGS: [(What, usize); 5] =
    [(What::Tcp, 1), (What::Tcp, 64), (What::Unix, 1), (What::Udp, 1), (What::UnixDatagram, 1)];

const ROUND_TRIPS: u64 = 12_800;
const RUNS: usize = 7;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args[..] {
        [] => table(),
        ["serve", who, what, connections] => {
            support::pin(client::SERVER_PROCESSOR);
            let connections = connections.parse().expect("connections are a number");
            server::serve(Who::named(who), What::named(what), connections).map(|()| {
                calls::counts().for_each(|(name, count)| println!("{name} {count}"));
            })
        }
        _ => Err(io::Error::other("there are no arguments")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

type Counts = BTreeMap<String, f64>;

fn table() -> io::Result<()> {
    support::pin(client::CLIENT_PROCESSOR);
    println!("| calls a round trip | | all | waits | which |\n|---|---|---:|---:|---|");
    for (what, connections) in SETTINGS {
        for who in [Who::Ours, Who::Raw] {
            let runs = (0..RUNS).map(|_| per_round_trip(who, what, connections));
            let runs = runs.collect::<io::Result<Vec<Counts>>>()?;
            let each = medians(&runs);
            let all: f64 = each.values().sum();
            let waits = each.get("epoll_wait").copied().unwrap_or_default();
            let used = each.iter().filter(|(_, count)| **count >= 0.005);
            let which: Vec<_> = used.map(|(name, count)| format!("{name} {count:.2}")).collect();
            println!(
                "| {}, {connections} | {} | {all:.2} | {waits:.2} | {} |",
                what.name(),
                who.name(),
                which.join(", "),
            );
        }
    }
    Ok(())
}

fn medians(runs: &[Counts]) -> Counts {
    let names = runs[0].keys();
    let median_of = |name: &String| median(runs.iter().map(|run| run[name]).collect());
    names.map(|name| (name.clone(), median_of(name))).collect()
}

fn per_round_trip(who: Who, what: What, connections: usize) -> io::Result<Counts> {
    let once = run(who, what, connections, ROUND_TRIPS)?;
    let mut twice = run(who, what, connections, 2 * ROUND_TRIPS)?;
    for (name, count) in &mut twice {
        *count = (*count - once[name]) / ROUND_TRIPS as f64;
    }
    Ok(twice)
}

fn run(who: Who, what: What, connections: usize, round_trips: u64) -> io::Result<Counts> {
    let program = Command::new(std::env::current_exe()?);
    let served = client::drive(program, who, what, connections, round_trips)?;
    let lines = served.stdout.lines().filter_map(|line| line.split_once(' '));
    lines
        .map(|(name, count)| Ok((name.to_string(), count.parse().map_err(io::Error::other)?)))
        .collect()
}
