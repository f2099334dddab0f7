//! The programs on our runtime, as a user would write them.

use std::io;

use program::{Meter, Workload, cannot, listening};
use runtime::net::TcpListener;
use runtime::task::yield_now;

fn main() -> io::Result<()> {
    use Workload::*;
    match Workload::of_this_program() {
        Empty => runtime::block_on(async {}),
        Yield { tasks, count } => runtime::block_on(yields(tasks, count)),
        Echo { buffer } => return runtime::block_on(echo(buffer as usize)),
        _ => cannot("not written yet"),
    }
    Ok(())
}

async fn yields(tasks: u64, count: u64) {
    let each = count / tasks;
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            runtime::spawn(async move {
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
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        runtime::spawn(async move {
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
