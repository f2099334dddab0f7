//! 256 MiB of the soak of `benches/soak`, in a process of its own: memory and descriptors are looked at.

#[path = "support/mod.rs"]
mod support;
#[path = "../benches/soak/transfer.rs"]
mod transfer;

use std::env;

use support::run;

#[test]
fn soak() {
    let seed = env::var("SOAK_TEST_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    println!("SOAK_TEST_SEED={seed}");
    run(async {
        for through in transfer::EACH {
            println!("{}", transfer::carry(through, 256 << 20, seed).await.unwrap());
        }
    });
}
