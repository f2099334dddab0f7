//! The smallest program: `cargo run --example hello`

use std::time::Duration;

#[runtime::main]
async fn main() {
    let task = runtime::spawn(async {
        runtime::time::sleep(Duration::from_millis(100)).await;
        "world"
    });
    println!("hello, {}", task.await.expect("the task neither panics nor is cancelled"));
}
