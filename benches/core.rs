//! The engine by itself: what one switch, spawn, wake, timeout and pending task cost.
//!
//! ```text
//! cargo bench --bench core                            every operation, in time
//! cargo bench --bench core -- yield-100 1000000       one of them, that often
//! ```
//!
//! Instructions are counted by `guard`.

use std::process::ExitCode;

use operations::{OPERATIONS, Operation, STATE, TASKS};

mod operations;
mod support;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        [] => every_time(),
        ["memory"] => println!("{:.1}", operations::memory(TASKS)),
        [name] => match operations::named(name) {
            Some(operation) => println!("{:.1} ns", time(operation)),
            None => return usage(),
        },
        [name, count] => match (operations::named(name), count.parse()) {
            (Some(operation), Ok(count)) => drop((operation.run)(count)),
            _ => return usage(),
        },
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    let names: Vec<_> = OPERATIONS.iter().map(|operation| operation.name).collect();
    eprintln!("name one operation, and how often to do it: {}, or memory", names.join(", "));
    eprintln!("instructions are counted by: cargo bench --bench guard");
    ExitCode::FAILURE
}

/// Nanoseconds of one operation: the median of five runs.
fn time(operation: &Operation) -> f64 {
    let runs =
        (0..5).map(|_| support::per_operation((operation.run)(operation.count), operation.count));
    support::median(runs.collect())
}

fn every_time() {
    println!("| operation | ns |\n|---|---:|");
    for operation in OPERATIONS {
        println!("| {} | {:.1} |", operation.name, time(operation));
    }
    println!("\n{:.1} bytes per pending task of {STATE} bytes of state", operations::memory(TASKS));
}
