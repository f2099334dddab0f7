//! The programs on tokio's current_thread runtime and, with `on=local`, on its LocalRuntime.

use std::future::Future;
use std::io;

use program::{Meter, Workload, cannot, flavor, listening};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::yield_now;

fn block_on<F: Future>(future: F) -> F::Output {
    let mut builder = Builder::new_current_thread();
    builder.enable_all();
    match flavor().as_deref() {
        Some("local") => {
            let options = LocalOptions::default();
            builder.build_local(options).expect("a runtime").block_on(future)
        }
        _ => builder.build().expect("a runtime").block_on(future),
    }
}

fn main() -> io::Result<()> {
    use Workload::*;
    match Workload::of_this_program() {
        Empty => block_on(async {}),
        Yield { tasks, count } => block_on(yields(tasks, count)),
        Echo { buffer } => return block_on(echo(buffer as usize)),
        _ => cannot("not written yet"),
    }
    Ok(())
}

async fn yields(tasks: u64, count: u64) {
    let each = count / tasks;
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            tokio::spawn(async move {
                for _ in 0..each {
                    yield_now().await;
                }
            })
        })
        .collect();
    let meter = Meter::start();
    for task in tasks {
        task.await.expect("the task only yields");
    }
    meter.stop();
}

async fn echo(buffer: usize) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    listening(listener.local_addr()?.port());
    loop {
        let (mut stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let mut buffer = vec![0; buffer];
            loop {
                let n = stream.read(&mut buffer).await?;
                if n == 0 {
                    return io::Result::Ok(());
                }
                stream.write_all(&buffer[..n]).await?;
            }
        });
    }
}
