//! A task that sleeps, and what it returns, on tokio.

use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let task = tokio::spawn(async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        "world"
    });
    println!("hello, {}", task.await.unwrap());
}
