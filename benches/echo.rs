//! Echo, ours beside a raw epoll loop: the time of a round trip, as a ratio.
//!
//! ```text
//! cargo bench --bench echo
//! ```
//!
//! The server is a process of its own on one processor, the client polls without sleeping on the
//! other. Instructions are counted by `guard`, system calls by `syscalls`.
#![allow(unsafe_code)]

use std::io;
use std::process::ExitCode;

use round_trip::client;
use round_trip::server::{Server, What, Who};
use support::{median, per_operation, quartiles};

mod round_trip;
mod support;

/// What is measured: over what, connections, round trips of a run.
const SETTINGS: [(What, usize, u64); 5] = [
    (What::Tcp, 1, 5_000),
    (What::Tcp, 64, 32_000),
    (What::Unix, 1, 5_000),
    (What::Udp, 1, 5_000),
    (What::UnixDatagram, 1, 5_000),
];

/// Pairs of runs, ours and raw after each other.
const ROUNDS: usize = 15;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args[..] {
        [] => times(),
        ["serve", who, what, connections] => serve(who, what, connections),
        _ => Err(io::Error::other(
            "there are no arguments; instructions are counted by: cargo bench --bench guard",
        )),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The server, in the process that the client starts.
fn serve(who: &str, what: &str, connections: &str) -> io::Result<()> {
    support::pin(client::SERVER_PROCESSOR);
    let connections = connections.parse().expect("connections are a number");
    let (server, address) = Server::bind(What::named(what))?;
    println!("{address}");
    server.serve(Who::named(who), connections)
}

fn times() -> io::Result<()> {
    support::pin(client::CLIENT_PROCESSOR);
    println!(
        "| echo of 64 bytes | ours, us | raw, us | ratio, its quartiles |\n|---|---:|---:|---:|"
    );
    for (what, connections, count) in SETTINGS {
        let run = |who| -> io::Result<f64> {
            let elapsed = client::drive(who, what, connections, count)?;
            Ok(per_operation(elapsed, count) / 1000.0)
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
