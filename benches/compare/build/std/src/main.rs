//! A thread that sleeps, and what it returns: what every runtime's program is compared with.

use std::thread;
use std::time::Duration;

fn main() {
    let thread = thread::spawn(|| {
        thread::sleep(Duration::from_millis(100));
        "world"
    });
    println!("hello, {}", thread.join().unwrap());
}
