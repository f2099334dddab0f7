//! Runs the same programs on every runtime in turn, and shows what they cost side by side.
//!
//! ```text
//! cargo run --release                                everything
//! cargo run --release -- echo-64                     one workload
//! cargo run --release -- --tables                    the tables and plots of what has been measured
//! cargo run --release -- --rounds 5 --peers raw,tokio,runtime yield-100 echo-1
//! cargo run --release -- --quick                     does it all work?
//! ```

mod client;
mod counts;
mod machine;
mod peers;
mod programs;
mod results;
mod rounds;
mod stats;
#[expect(dead_code, reason = "plots come next")]
mod svg;
mod tables;
mod units;
mod workloads;

use anyhow::{Result, bail};

use crate::machine::Machine;
use crate::peers::{PEERS, Peer};
use crate::programs::{CLIENT_PROCESSOR, Program, pin};
use crate::results::{Entry, Profile, Results, Store};
use crate::workloads::{Counted, ROWS, Row};

/// What the command line asks for.
struct Wanted {
    rows: Vec<&'static Row>,
    peers: Vec<&'static Peer>,
    rounds: usize,
    quick: bool,
    tables: bool,
    store: Option<Store>,
}

fn main() -> Result<()> {
    let wanted = wanted()?;
    programs::raise_file_limit()?;
    let programs = Programs::build(&wanted)?;
    for row in &wanted.rows {
        let results = measure(row, &programs, &wanted);
        println!("{}", tables::table(row.title, row.headline, &results));
        if let Some(store) = &wanted.store {
            store.keep(&results)?;
        }
    }
    Ok(())
}

/// The peers' programs, in both profiles.
struct Programs {
    release: Vec<Program>,
    both: Vec<Program>,
}

impl Programs {
    fn build(wanted: &Wanted) -> Result<Programs> {
        let release = programs::build(&wanted.peers, Profile::Release)?;
        let mut both = programs::build(&wanted.peers, Profile::Release)?;
        if wanted.rows.iter().any(|row| row.fat) {
            both.extend(programs::build(&wanted.peers, Profile::Fat)?);
        }
        Ok(Programs { release, both })
    }
}

/// Measures and counts one row on all programs.
fn measure(row: &Row, programs: &Programs, wanted: &Wanted) -> Results {
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
    let _ = pin(CLIENT_PROCESSOR);
    rounds::measure(row, programs, wanted.rounds, row.count, &mut entries);
    counts::count(row, programs, &mut entries);
    Results { row: row.name.into(), machine: Machine::of_this_run(), entries }
}

fn wanted() -> Result<Wanted> {
    use lexopt::prelude::*;
    let mut wanted = Wanted {
        rows: Vec::new(),
        peers: PEERS.iter().collect(),
        rounds: 21,
        quick: false,
        tables: false,
        store: None,
    };
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("rounds") => wanted.rounds = args.value()?.parse()?,
            Long("peers") => {
                let names = args.value()?.string()?;
                wanted.peers = names.split(',').map(peers::named).collect::<Result<_>>()?;
            }
            Value(name) => wanted.rows.push(workloads::named(&name.string()?)?),
            _ => return Err(arg.unexpected().into()),
        }
    }
    if wanted.rows.is_empty() {
        wanted.rows = ROWS.iter().collect();
    }
    if wanted.rounds == 0 {
        bail!("--rounds 0 measures nothing: ask for one at least");
    }
    Ok(wanted)
}
