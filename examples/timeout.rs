//! A deadline for something slow, and more tries when it is missed: `cargo run --example timeout`
//!
//! The server in here leaves its first clients waiting and answers the third.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use runtime::net::{TcpListener, TcpStream};
use runtime::time::{sleep, timeout};

const DEADLINE: Duration = Duration::from_millis(200);
const TRIES: u32 = 5;

#[runtime::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = runtime::spawn(answer_the_third(listener));

    println!("the answer is {:?}", ask_patiently(address).await?);
    server.await?
}

/// Tries again after each failure, and waits twice as long each time, so as not to add to the load
/// of a server that has too much.
async fn ask_patiently(address: SocketAddr) -> io::Result<String> {
    let mut pause = Duration::from_millis(50);
    for attempt in 1..=TRIES {
        // At the deadline `ask` is dropped, and with it its connection: nothing is left behind.
        let error = match timeout(DEADLINE, ask(address)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error,
            Err(_elapsed) => {
                io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {DEADLINE:?}"))
            }
        };
        println!("try {attempt}: {error}");
        if attempt < TRIES {
            println!("       again in {pause:?}");
            sleep(pause).await;
            pause *= 2;
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer in {TRIES} tries")))
}

async fn ask(address: SocketAddr) -> io::Result<String> {
    let stream = TcpStream::connect(address).await?;
    stream.write_all(b"how much?").await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn answer_the_third(listener: TcpListener) -> io::Result<()> {
    // Kept, for a closed connection would be an answer of a kind.
    let _first = listener.accept().await?;
    let _second = listener.accept().await?;
    let (third, _peer) = listener.accept().await?;
    third.read_to_end(&mut Vec::new()).await?;
    third.write_all(b"42").await
}
