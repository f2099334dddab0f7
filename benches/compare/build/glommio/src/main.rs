//! A task that sleeps, and what it returns, on glommio.

use std::time::Duration;

use glommio::LocalExecutor;
use glommio::timer::sleep;

fn main() {
    LocalExecutor::default().run(async {
        let task = glommio::spawn_local(async {
            sleep(Duration::from_millis(100)).await;
            "world"
        });
        println!("hello, {}", task.await);
    });
}
