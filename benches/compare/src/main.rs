//! Runs the same programs on every runtime in turn, and shows what they cost side by side.
//!
//! ```text
//! cargo run --release                          everything
//! cargo run --release -- echo-64               one workload; waits and build are further ones
//! cargo run --release -- --tables              the tables and plots anew, of what has been measured
//! cargo run --release -- --quick               does it all work? One short round
//! cargo run --release -- --rounds 6 --peers raw,tokio,runtime echo-1 yield-100
//! ```
//!
//! `--into FOLDER` keeps the results, tables and plots of a run there. Without it, those of a run that is quick or
//! of some peers only go to the target folder, all others here.

mod build;
mod client;
mod counts;
mod document;
mod http2;
mod machine;
mod peers;
mod plot;
mod programs;
mod results;
mod rounds;
mod stats;
mod svg;
mod tables;
mod units;
mod verdicts;
mod waits;
mod workloads;

use std::time::Instant;

use anyhow::{Result, bail};

use crate::machine::Machine;
use crate::peers::{PEERS, Peer};
use crate::programs::Program;
use crate::results::{Entry, Profile, Results, Store};
use crate::tables::OURS;
use crate::workloads::{ROWS, Row};

/// Enough for the interval tests among the verdicts.
const ROUNDS: usize = 21;
/// A quick run does this part of a row's operations.
const QUICK: u64 = 20;

/// What the command line asks for.
struct Wanted {
    rows: Vec<&'static Row>,
    waits: bool,
    build: bool,
    peers: Vec<&'static Peer>,
    rounds: usize,
    quick: bool,
    only_tables: bool,
    store: Store,
}

fn main() -> Result<()> {
    let wanted = wanted()?;
    programs::raise_file_limit()?;
    if !wanted.only_tables {
        measure_all(&wanted)?;
    }
    document::rebuild(&wanted.store, waits::tables(&wanted.store)?.as_deref())?;
    println!("Everything stands in {}.", wanted.store.document().display());
    Ok(())
}

fn measure_all(wanted: &Wanted) -> Result<()> {
    let programs = Programs::build(wanted)?;
    for row in &wanted.rows {
        let start = Instant::now();
        let results = measure(row, &programs, wanted)?;
        wanted.store.keep(&results)?;
        println!("{}", document::section(row, &results));
        eprintln!("{} took {:.0?}\n", row.name, start.elapsed());
        if wanted.quick {
            ours_runs(&results)?;
        }
    }
    if wanted.waits {
        waits::measure(&wanted.store, wanted.rounds)?;
        println!("{}", waits::tables(&wanted.store)?.unwrap_or_default());
    }
    if wanted.build {
        let results = build::measure(wanted.rounds)?;
        wanted.store.keep(&results)?;
        println!("{}", document::build_section(&results));
    }
    Ok(())
}

/// What a quick run is for: unlike a peer, we have a program for each workload.
fn ours_runs(results: &Results) -> Result<()> {
    let ours = results.entries.iter().filter(|entry| entry.peer == OURS);
    match ours.filter_map(|entry| entry.cannot.as_ref()).next() {
        Some(reason) => bail!("{} does not run on {}: {reason}", results.row, OURS),
        None => Ok(()),
    }
}

/// The peers' programs, in both profiles.
struct Programs {
    release: Vec<Program>,
    both: Vec<Program>,
}

impl Programs {
    fn build(wanted: &Wanted) -> Result<Programs> {
        if wanted.rows.is_empty() {
            return Ok(Programs { release: Vec::new(), both: Vec::new() });
        }
        let release = programs::build(&wanted.peers, Profile::Release)?;
        let mut both = release.clone();
        if wanted.rows.iter().any(|row| row.fat) {
            both.extend(programs::build(&wanted.peers, Profile::Fat)?);
        }
        Ok(Programs { release, both })
    }
}

/// Measures and counts one row on all programs.
fn measure(row: &Row, programs: &Programs, wanted: &Wanted) -> Result<Results> {
    let programs = if row.fat { &programs.both } else { &programs.release };
    let mut entries: Vec<_> = programs
        .iter()
        .map(|program| Entry {
            peer: program.peer.name.into(),
            version: program.peer.version(),
            profile: program.profile,
            ..Entry::default()
        })
        .collect();
    let count = if wanted.quick { row.in_short(QUICK) } else { row.count };
    rounds::measure(row, programs, wanted.rounds, count, &mut entries)?;
    counts::count(row, programs, &mut entries, wanted.quick);
    Ok(Results { row: row.name.into(), machine: Machine::of_this_run(), entries })
}

fn wanted() -> Result<Wanted> {
    use lexopt::prelude::*;
    let mut wanted = Wanted {
        rows: Vec::new(),
        waits: false,
        build: false,
        peers: PEERS.iter().collect(),
        rounds: ROUNDS,
        quick: false,
        only_tables: false,
        store: Store::new(env!("CARGO_MANIFEST_DIR")),
    };
    let mut folder = None;
    let mut partial = false;
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("rounds") => wanted.rounds = args.value()?.parse()?,
            Long("peers") => {
                let names = args.value()?.string()?;
                wanted.peers = names.split(',').map(peers::named).collect::<Result<_>>()?;
                partial = true;
            }
            Long("quick") => {
                (wanted.quick, wanted.rounds) = (true, 1);
                partial = true;
            }
            Long("tables") => wanted.only_tables = true,
            Long("into") => folder = Some(args.value()?),
            Value(name) if name == waits::NAME => wanted.waits = true,
            Value(name) if name == build::NAME => wanted.build = true,
            Value(name) => wanted.rows.push(workloads::named(&name.string()?)?),
            _ => return Err(arg.unexpected().into()),
        }
    }
    if let Some(folder) =
        folder.or(partial.then(|| programs::target().join("compare-partial").into()))
    {
        wanted.store = Store::new(folder);
    }
    if wanted.rows.is_empty() && !wanted.waits && !wanted.build {
        wanted.rows = ROWS.iter().collect();
        // A build from clean is nothing that is quick.
        (wanted.waits, wanted.build) = (true, !wanted.quick);
    }
    if wanted.rounds == 0 {
        bail!("--rounds 0 measures nothing: ask for one at least");
    }
    Ok(wanted)
}
