//! A task that sleeps, and what it returns, on monoio.

use std::time::Duration;

#[monoio::main(enable_timer = true)]
async fn main() {
    let task = monoio::spawn(async {
        monoio::time::sleep(Duration::from_millis(100)).await;
        "world"
    });
    println!("hello, {}", task.await);
}
