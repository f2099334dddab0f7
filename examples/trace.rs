//! Writes a trace of a small program, to be looked at: two echo connections, a timer, a channel, and a task that
//! holds the thread now and then.
//!
//!     cargo run --example trace --features trace
//!
//! and then open `trace.json` in <https://ui.perfetto.dev> (it stays on your machine) or `chrome://tracing`. An
//! argument is another name for the file.

use std::env;
use std::io;
use std::thread;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc;
use runtime::net::{TcpListener, TcpStream};
use runtime::task;
use runtime::time::{interval, sleep};

const ROUND_TRIPS: usize = 8;

async fn echo(stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 64];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count]).await?;
    }
}

async fn client(stream: TcpStream, pause: Duration) -> io::Result<()> {
    let mut buffer = [0; 64];
    for _ in 0..ROUND_TRIPS {
        stream.write_all(b"hello").await?;
        stream.read(&mut buffer).await?;
        sleep(pause).await;
    }
    Ok(())
}

/// Numbers for the one who adds them.
async fn count(sender: mpsc::UnboundedSender<u32>) {
    let mut ticks = interval(Duration::from_millis(3));
    for n in 0..ROUND_TRIPS as u32 {
        ticks.tick().await;
        // The other side stays until this one is gone.
        let _ = sender.unbounded_send(n);
    }
}

async fn add(mut numbers: mpsc::UnboundedReceiver<u32>) -> u32 {
    let mut sum = 0;
    while let Some(n) = numbers.next().await {
        sum += n;
    }
    sum
}

/// What everybody else waits for: in the trace its polls are the long ones.
async fn compute() {
    for _ in 0..3 {
        sleep(Duration::from_millis(5)).await;
        thread::sleep(Duration::from_millis(4));
    }
}

async fn program() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut connections = Vec::new();
    for pause in [1, 2] {
        let stream = TcpStream::connect(listener.local_addr()?).await?;
        let (accepted, _) = listener.accept().await?;
        connections.push(task::Builder::new().name("server").spawn(echo(accepted))?);
        let client = client(stream, Duration::from_millis(pause));
        connections.push(task::Builder::new().name("client").spawn(client)?);
    }
    let (sender, numbers) = mpsc::unbounded();
    let counts = task::Builder::new().name("counter").spawn(count(sender))?;
    let adds = task::Builder::new().name("adder").spawn(add(numbers))?;
    let computes = task::Builder::new().name("stall").spawn(compute())?;
    for connection in connections {
        connection.await??;
    }
    counts.await?;
    computes.await?;
    println!("the sum is {}", adds.await?);
    Ok(())
}

fn main() -> io::Result<()> {
    let path = env::args().nth(1).unwrap_or_else(|| "trace.json".into());
    let runtime = runtime::Builder::new().trace(&path).build()?;
    let result = runtime.block_on(program());
    drop(runtime);
    println!("open {path} in https://ui.perfetto.dev");
    result
}
