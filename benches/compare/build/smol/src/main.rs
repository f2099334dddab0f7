//! A task that sleeps, and what it returns, on smol.

use std::time::Duration;

use smol::{LocalExecutor, Timer};

fn main() {
    let executor = LocalExecutor::new();
    smol::block_on(executor.run(async {
        let task = executor.spawn(async {
            Timer::after(Duration::from_millis(100)).await;
            "world"
        });
        println!("hello, {}", task.await);
    }));
}
