//! The smallest program: a task, and what it returns. `cargo run --example hello`

use std::time::Duration;

use runtime::task::JoinError;
use runtime::time::sleep;

#[runtime::main]
async fn main() -> Result<(), JoinError> {
    let task = runtime::spawn(async {
        sleep(Duration::from_millis(100)).await;
        "world"
    });
    // The task runs while this one waits for it. An error would say that it panicked.
    println!("hello, {}", task.await?);
    Ok(())
}
