//! A TCP echo server.
//!
//! Type `cargo run --example echo`, and in another terminal `nc 127.0.0.1 7000`: each line comes back.
//! Another address goes behind `--`, as in `cargo run --example echo -- 127.0.0.1:0`; port 0 is any
//! free one. Ctrl-C ends it.

use std::env;
use std::io;

use runtime::net::{TcpListener, TcpStream};

#[runtime::main]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7000".to_string());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // No descriptor left, say: who is connected stays so, and `accept` pauses by itself.
                eprintln!("{error}");
                continue;
            }
        };
        // One task for each client. Nobody waits for it: it ends when the client is gone.
        runtime::spawn(async move {
            if let Err(error) = echo(stream).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn echo(stream: TcpStream) -> io::Result<()> {
    let mut buf = [0; 4096];
    while let len @ 1.. = stream.read(&mut buf).await? {
        stream.write_all(&buf[..len]).await?;
    }
    Ok(())
}
