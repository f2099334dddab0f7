//! Interleaved rounds: in each, every program runs once, so that what disturbs the machine disturbs all.

use std::fmt;

use anyhow::Result;

use crate::client::Client;
use crate::programs::{CLIENT_PROCESSOR, Printed, Program, pin};
use crate::stats::median;
use crate::workloads::{Load, Row};

/// What one program said of itself in each round, or why it cannot do this.
pub(crate) enum Samples {
    Figures(Vec<Printed>),
    Cannot(String),
}

/// Runs a workload on each of the programs, `rounds` times.
///
/// A round begins with another program than the last, as who runs first may find the caches cold.
pub(crate) fn measure(row: &Row, programs: &[Program], rounds: usize) -> Result<Vec<Samples>> {
    pin(CLIENT_PROCESSOR)?;
    let mut all: Vec<_> = programs.iter().map(|_| Samples::Figures(Vec::new())).collect();
    for round in 0..rounds {
        for turn in 0..programs.len() {
            let which = (round + turn) % programs.len();
            let Samples::Figures(figures) = &mut all[which] else { continue };
            match run(row, &programs[which])? {
                Ok(printed) => figures.push(printed),
                Err(reason) => all[which] = Samples::Cannot(reason),
            }
        }
    }
    Ok(all)
}

fn run(row: &Row, program: &Program) -> Result<Result<Printed, String>> {
    let printed = match row.load {
        None => program.run(row.workload.with_count(row.count))?,
        Some(load) => serve(row, load, program)?,
    };
    Ok(printed.map(|printed| per_operation(printed, row.count)))
}

/// The times of a run, for one operation; what else was printed stays as it is.
fn per_operation(mut printed: Printed, count: u64) -> Printed {
    for name in ["cpu_ns", "wall_ns"] {
        if let Some(ns) = printed.get_mut(name) {
            *ns /= count as f64;
        }
    }
    printed
}

/// Puts the load on a server and asks the kernel what it cost.
fn serve(row: &Row, load: Load, program: &Program) -> Result<Result<Printed, String>> {
    let mut server = program.start(row.workload)?;
    let port = match server.port()? {
        Ok(port) => port,
        Err(reason) => return Ok(Err(reason)),
    };
    let mut client = Client::connect(port, load)?;
    // The first messages wait for accept and registration, and are not what the others are like.
    client.round_trips(20 * load.connections as u64)?;
    let before = server.cpu_ns()?;
    let start = std::time::Instant::now();
    client.round_trips(row.count)?;
    let wall = start.elapsed().as_nanos() as f64;
    let cpu = (server.cpu_ns()? - before) as f64;
    Ok(Ok(Printed::from([("cpu_ns".into(), cpu), ("wall_ns".into(), wall)])))
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Samples::Cannot(reason) => write!(f, "cannot: {reason}"),
            Samples::Figures(rounds) => {
                let cpu: Vec<f64> =
                    rounds.iter().filter_map(|round| round.get("cpu_ns").copied()).collect();
                match median(&cpu) {
                    Some(m) => {
                        write!(f, "{:.1} ns of CPU ({:.1} to {:.1})", m.value, m.low, m.high)
                    }
                    None => write!(f, "no figure"),
                }
            }
        }
    }
}
