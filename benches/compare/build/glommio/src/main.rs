//! A task that sleeps, and what it returns, on glommio.

use std::time::Duration;

use glommio::{LocalExecutor, spawn_local, timer};

fn main() {
    LocalExecutor::default().run(async {
        let task = spawn_local(async {
            timer::sleep(Duration::from_millis(100)).await;
            "world"
        });
        println!("hello, {}", task.await);
    });
}
