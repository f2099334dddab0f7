//! Two soaks. `bytes`: gigabytes through every kind of stream, with random sizes, stops and dropped futures; the
//! bytes must be those that were sent, and the memory must stay flat. `mixed`: everything there is at once, again and
//! again; every result must be right, and memory, descriptors, threads and children must stay flat.
//!
//! ```text
//! cargo bench --bench soak                   # 10 GiB through each
//! cargo bench --bench soak -- bytes 1        # 1 GiB
//! cargo bench --bench soak -- bytes 1 12345  # with a seed
//! cargo bench --bench soak -- mixed          # for half an hour
//! cargo bench --bench soak -- mixed 60       # for a minute
//! cargo bench --bench soak -- mixed 60 12345 # with a seed
//! cargo bench --bench soak -- mixed 60 12345 17         # beginning with the 17th round of that
//! cargo bench --bench soak -- mixed 10 12345 0 memory   # with a leak: `mixed/plant.rs` has them
//! ```

mod mixed;
#[path = "../../tests/support/mod.rs"]
mod support;
mod transfer;

use std::env;
use std::io;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::mixed::plant::Plant;

fn main() -> ExitCode {
    // `cargo bench` adds an option.
    let args: Vec<_> = env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let (mode, args) = args.split_first().map_or(("bytes", &[][..]), |(mode, args)| (mode, args));
    let result = match mode {
        "bytes" => bytes(args),
        "mixed" => mixed(args),
        _ => panic!("`{mode}`? There are `bytes` and `mixed`"),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("The soak failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bytes(args: &[String]) -> io::Result<bool> {
    let gib = number(args, 0).unwrap_or(10);
    let seed = number(args, 1).unwrap_or_else(any_seed);
    println!("{gib} GiB through each; the seed is {seed}");
    runtime::block_on(async {
        for through in transfer::EACH {
            println!("{}", transfer::carry(through, gib << 30, seed).await?);
        }
        Ok(true)
    })
}

fn mixed(args: &[String]) -> io::Result<bool> {
    let time = Duration::from_secs(number(args, 0).unwrap_or(30 * 60));
    let seed = number(args, 1).unwrap_or_else(any_seed);
    let first = number(args, 2).unwrap_or(0) as usize;
    if let Some(name) = args.get(3) {
        Plant::by_name(name).expect("a plant's name").put_in();
    }
    println!("Mixed load for {time:?}; the seed is {seed}");
    mixed::soak(&mixed::Options { time, seed, first })
}

fn number(args: &[String], index: usize) -> Option<u64> {
    args.get(index).map(|arg| arg.parse().expect("a number"))
}

fn any_seed() -> u64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::from(time.expect("the clock is set").subsec_nanos())
}
