//! tower's middleware around a service: a queue, a limit, and a deadline for each request.
//!
//! Type `cargo run --example middleware`. What runs here is what needs neither tokio's timer nor its `spawn`: limits of
//! concurrency, shedding of load, `Buffer::pair`, and all combinators. `ecosystem::tower` has a deadline in place of
//! tower's `Timeout`; that, `RateLimit`, `Hedge`, `SpawnReady` and `Buffer::new` panic without tokio.

use std::error::Error;
use std::io;
use std::time::Duration;

use ecosystem::tower::TimeoutLayer;
use futures::future::join_all;
use runtime::net::{TcpListener, TcpStream};
use runtime::time::{Elapsed, sleep};
use tower::buffer::Buffer;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

const LIMIT: usize = 2;

#[runtime::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    runtime::spawn(serve(listener));

    // From the outside in: at most so many at a time, a deadline for each of them, the request itself.
    let service = ServiceBuilder::new()
        .concurrency_limit(LIMIT)
        .layer(TimeoutLayer(Duration::from_secs(1)))
        .service(service_fn(move |name: &'static str| async move {
            let stream = TcpStream::connect(address).await?;
            stream.write_all(name.as_bytes()).await?;
            stream.shutdown().await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            io::Result::Ok(answer)
        }));
    // Clones of a buffer share one service, whose task is ours to spawn: `Buffer::new` would ask tokio to.
    let (service, worker) = Buffer::pair(service, 8);
    runtime::spawn(worker);

    let names = ["ada", "bob", "slow", "cy", "dot"];
    for answer in join_all(names.map(|name| service.clone().oneshot(name))).await {
        match answer {
            Ok(answer) => println!("{answer}"),
            Err(error) if error.is::<Elapsed>() => println!("no answer: {error}"),
            Err(error) => return Err(error),
        }
    }

    // Who sheds load refuses at once what would have to wait.
    let mut shedding = ServiceBuilder::new().load_shed().concurrency_limit(1).service(service);
    let first = shedding.ready().await?.call("eve");
    let second = shedding.ready().await?.call("fred");
    let (first, second) = runtime::join!(first, second);
    println!("{}; {}", first?, second.unwrap_err());
    Ok(())
}

/// Greets; takes its time with a client called slow.
async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        runtime::spawn(async move {
            let mut name = String::new();
            stream.read_to_string(&mut name).await?;
            if name == "slow" {
                sleep(Duration::from_secs(3600)).await;
            }
            stream.write_all(format!("hello, {name}").as_bytes()).await
        });
    }
}
