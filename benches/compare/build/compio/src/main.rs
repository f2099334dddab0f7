//! A task that sleeps, and what it returns, on compio.

use std::time::Duration;

#[compio::main]
async fn main() {
    let task = compio::runtime::spawn(async {
        compio::time::sleep(Duration::from_millis(100)).await;
        "world"
    });
    println!("hello, {}", task.await.unwrap());
}
