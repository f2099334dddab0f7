//! Gigabytes through every kind of stream, with random sizes, stops and dropped futures: the bytes must be
//! those that were sent, and the memory must stay flat.
//!
//! ```text
//! cargo bench --bench soak                 # 10 GiB through each
//! cargo bench --bench soak -- 1            # 1 GiB
//! cargo bench --bench soak -- 1 12345      # with a seed
//! ```

#[path = "../../tests/support/mod.rs"]
mod support;
mod transfer;

use std::env;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() -> io::Result<()> {
    // `cargo bench` adds an option.
    let mut args = env::args().skip(1).filter(|arg| !arg.starts_with("--"));
    let mut number = || args.next().map(|arg| arg.parse::<u64>().expect("GiB, and then a seed"));
    let gib = number().unwrap_or(10);
    let seed = number().unwrap_or_else(|| {
        let time = SystemTime::now().duration_since(UNIX_EPOCH);
        u64::from(time.expect("the clock is set").subsec_nanos())
    });
    println!("{gib} GiB through each; the seed is {seed}");
    runtime::block_on(async {
        for through in transfer::EACH {
            println!("{}", transfer::carry(through, gib << 30, seed).await?);
        }
        Ok(())
    })
}
