//! A program whose tasks are all stuck, each in its own way, and the dump that says where.
//!
//! Type `cargo run -q --example stuck`. It prints a dump of itself, and another one to stderr each time you type
//! Ctrl-\ (or `kill -QUIT` it from elsewhere); Ctrl-C ends it. One line of the program is for that: `dump_on`.
//!
//! ```text
//! runtime 0.1: block_on and 4 tasks: 1 running, 1 ready, 3 waiting
//!
//! running: the future given to block_on at examples/stuck.rs:45:10
//!
//! ready: task 65540 "spinner", spawned at examples/stuck.rs:72:36, 100.1ms old, polled 231546 times
//!
//! waiting: task 65537 "client", spawned at examples/stuck.rs:58:21, 100.4ms old, polled once
//!     to read from descriptor 4: TCP socket 127.0.0.1:51994 connected to 127.0.0.1:40915
//!
//! waiting: task 65538 "retry", spawned at examples/stuck.rs:61:20, 100.4ms old, polled once
//!     for a deadline in 59 min 59 s
//!
//! waiting: task 65539 "worker", spawned at examples/stuck.rs:65:21, 100.4ms old, polled once
//!     for something else: a channel, a lock, a set of tasks, a blocking closure
//! ```
//!
//! With `-- --hang` a fifth task does not return from a poll, and holds up everybody. That is told of while it lasts,
//! and the dump of Ctrl-\ names it too:
//!
//! ```text
//! runtime 0.1: no answer: the task "hog" spawned at examples/stuck.rs:76:22 holds the thread for 2431 ms already, and all others wait
//! ```

use std::env;
use std::io;
use std::thread;
use std::time::Duration;

use runtime::net::{TcpListener, TcpStream};
use runtime::signal;
use runtime::signal::unix::SignalKind;
use runtime::task::{self, yield_now};
use runtime::time::sleep;
use runtime::{Builder, Handle};

fn main() -> io::Result<()> {
    // `metrics` for the ages and polls, `stall_threshold` for who hangs; without both a dump has the rest.
    Builder::new()
        .metrics(true)
        .stall_threshold(Duration::from_millis(500))
        .build()?
        .block_on(stuck())
}

async fn stuck() -> io::Result<()> {
    Handle::current().dump_on(SignalKind::quit())?;

    // A server that is there, and answers nobody: the system accepts for it.
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let stream = TcpStream::connect(silent.local_addr()?).await?;
    let named = |name| task::Builder::new().name(name);
    named("client").spawn(async move { stream.read(&mut [0; 1024]).await })?;

    // A pause that was meant to be in milliseconds.
    named("retry").spawn(sleep(Duration::from_secs(3600)))?;

    // Work for which nobody asks.
    let (_jobs, queue) = async_channel::unbounded::<String>();
    named("worker").spawn(async move {
        while let Ok(job) = queue.recv().await {
            println!("{job}");
        }
    })?;

    // A loop that waits for a condition by looking again and again.
    let spinner = named("spinner").spawn(async {
        loop {
            yield_now().await;
        }
    })?;

    if env::args().any(|arg| arg == "--hang") {
        named("hog").spawn(async { thread::sleep(Duration::MAX) })?;
    }
    sleep(Duration::from_millis(100)).await;
    println!("{}", Handle::current().dump());

    signal::ctrl_c().await?;
    spinner.abort();
    Ok(())
}
