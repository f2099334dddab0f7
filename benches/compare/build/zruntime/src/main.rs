//! A task that sleeps, and what it returns, on zruntime.

use std::time::Duration;

use zruntime::LocalRuntime;

fn main() {
    let runtime = LocalRuntime::new().unwrap();
    runtime.block_on(async {
        let clock = runtime.clone();
        let task = runtime.spawn("greeter", async move {
            clock.sleep(Duration::from_millis(100)).await;
            "world"
        });
        println!("hello, {}", task.await.unwrap());
    });
}
