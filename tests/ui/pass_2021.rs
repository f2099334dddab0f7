//! The same macros in an older edition, where temporaries of a tail expression live longer.
//@ edition: 2021
#![forbid(unsafe_code)]
#![deny(unused)]

use std::sync::Mutex;

#[runtime::main]
async fn main() {
    let shared = Mutex::new(Some(1));
    println!("{} {:?} {:?}", tail(&shared).await, joined(&shared).await, tried(&shared).await);
}

async fn tail(shared: &Mutex<Option<u32>>) -> u32 {
    runtime::select! {
        Some(n) = async { shared.lock().unwrap().take() } => n,
        n = async { *shared.lock().unwrap() }, if shared.lock().is_ok() => n.unwrap_or(1),
    }
}

async fn joined(shared: &Mutex<Option<u32>>) -> (Option<u32>, Option<u32>) {
    runtime::join!(async { *shared.lock().unwrap() }, async { shared.lock().unwrap().take() })
}

async fn tried(shared: &Mutex<Option<u32>>) -> Result<(Option<u32>, ()), ()> {
    runtime::try_join!(async { Ok(*shared.lock().unwrap()) }, async { Err(()) })
}
