//! Echo, ours beside a raw epoll loop: instructions and time of a round trip.
//!
//! ```text
//! cargo bench --bench echo                            time, as a ratio to raw
//! cargo bench --bench echo -- --instructions          user instructions, by callgrind
//! ```
//!
//! The server is a process of its own on one processor, the client polls without sleeping on the
//! other. System calls are counted by `syscalls.rs`.
#![allow(unsafe_code)]

use std::io;
use std::process::{Command, ExitCode};

use round_trip::client::{self, Served};
use round_trip::server::{self, What, Who};
use support::{callgrind, median, per_operation, quartiles};

mod round_trip;
mod support;

/// What is measured: over what, connections, round trips of a timed run and of one under callgrind.
struct Setting {
    what: What,
    connections: usize,
    timed: u64,
    /// Only TCP is counted. Elsewhere the server reads until `EAGAIN`, and slowed down as it is then it
    /// finds the next message instead, and never waits.
    counted: Option<u64>,
}

const SETTINGS: [Setting; 5] = [
    Setting { what: What::Tcp, connections: 1, timed: 5_000, counted: Some(4_000) },
    Setting { what: What::Tcp, connections: 64, timed: 32_000, counted: Some(12_800) },
    Setting { what: What::Unix, connections: 1, timed: 5_000, counted: None },
    Setting { what: What::Udp, connections: 1, timed: 5_000, counted: None },
    Setting { what: What::UnixDatagram, connections: 1, timed: 5_000, counted: None },
];

/// Pairs of runs, ours and raw after each other.
const ROUNDS: usize = 15;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args[..] {
        [] => times(),
        ["--instructions"] => instructions(),
        ["serve", who, what, connections] => {
            support::pin(client::SERVER_PROCESSOR);
            let connections = connections.parse().expect("connections are a number");
            server::serve(Who::named(who), What::named(what), connections)
        }
        _ => Err(io::Error::other("the only argument there is is --instructions")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn times() -> io::Result<()> {
    support::pin(client::CLIENT_PROCESSOR);
    println!(
        "| echo of 64 bytes | ours, us | raw, us | ratio, its quartiles |\n|---|---:|---:|---:|"
    );
    for Setting { what, connections, timed, .. } in SETTINGS {
        let run = |who| -> io::Result<f64> {
            let program = Command::new(std::env::current_exe()?);
            let Served { elapsed, .. } = client::drive(program, who, what, connections, timed)?;
            Ok(per_operation(elapsed, timed) / 1000.0)
        };
        let (mut ours, mut raw, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            // Whoever goes first in a pair goes second in the next.
            let (a, b) = if round % 2 == 0 {
                let a = run(Who::Ours)?;
                (a, run(Who::Raw)?)
            } else {
                let b = run(Who::Raw)?;
                (run(Who::Ours)?, b)
            };
            ours.push(a);
            raw.push(b);
            ratios.push(a / b);
        }
        let (low, high) = quartiles(ratios.clone());
        println!(
            "| {}, {connections} | {:.2} | {:.2} | {:.3} ({low:.3} to {high:.3}) |",
            what.name(),
            median(ours),
            median(raw),
            median(ratios),
        );
    }
    Ok(())
}

fn instructions() -> io::Result<()> {
    println!("| user instructions a round trip | ours | raw |\n|---|---:|---:|");
    for Setting { what, connections, counted, .. } in SETTINGS {
        let Some(counted) = counted else { continue };
        let count_once = |who| {
            callgrind::per_operation(counted, |round_trips| {
                let program = callgrind::of_this_program();
                let served = client::drive(program, who, what, connections, round_trips);
                callgrind::collected(&served.map_err(|error| error.to_string())?.stderr)
            })
            .map_err(io::Error::other)
        };
        let count = |who| -> io::Result<f64> {
            let runs = (0..3).map(|_| count_once(who)).collect::<io::Result<Vec<_>>>();
            Ok(median(runs?))
        };
        let (ours, raw) = (count(Who::Ours)?, count(Who::Raw)?);
        println!("| {}, {connections} | {ours:.0} | {raw:.0} |", what.name());
    }
    Ok(())
}
