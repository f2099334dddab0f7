//! A task that sleeps, and what it returns, on our runtime.

use std::time::Duration;

#[runtime::main]
async fn main() {
    let task = runtime::spawn(async {
        runtime::time::sleep(Duration::from_millis(100)).await;
        "world"
    });
    println!("hello, {}", task.await.unwrap());
}
