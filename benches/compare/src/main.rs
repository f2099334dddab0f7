//! Runs the same programs on every runtime in turn, and shows what they cost side by side.
//!
//! ```text
//! cargo run --release                                every workload
//! cargo run --release -- echo-64                     one of them
//! cargo run --release -- --rounds 5 --peers raw,tokio,runtime yield-100 echo-1
//! ```

mod client;
mod peers;
mod programs;
mod rounds;
mod stats;
mod workloads;

use anyhow::{Result, bail};

use crate::peers::{PEERS, Peer};
use crate::rounds::measure;
use crate::workloads::{ROWS, Row};

/// What the command line asks for.
struct Wanted {
    rows: Vec<&'static Row>,
    peers: Vec<&'static Peer>,
    rounds: usize,
}

fn main() -> Result<()> {
    let wanted = wanted()?;
    let programs = programs::build(&wanted.peers)?;
    for row in &wanted.rows {
        println!("\n{}: {}", row.name, row.title);
        for (program, samples) in programs.iter().zip(measure(row, &programs, wanted.rounds)?) {
            println!("{:>20}  {samples}", program.peer.name);
        }
    }
    Ok(())
}

fn wanted() -> Result<Wanted> {
    use lexopt::prelude::*;
    let mut wanted = Wanted { rows: Vec::new(), peers: PEERS.iter().collect(), rounds: 21 };
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
