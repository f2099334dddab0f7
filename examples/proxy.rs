//! A TCP proxy: what comes in at one address goes out to another, and back.
//!
//! Type `cargo run --example echo`, in a second terminal `cargo run --example proxy`, and in a third
//! `nc 127.0.0.1 7001`. Other addresses go behind `--`, that to listen on and that to go to, as in
//! `cargo run --example proxy -- 127.0.0.1:8080 example.com:80`.

use std::env;
use std::io;
use std::time::Duration;

use runtime::io::copy_bidirectional;
use runtime::net::{TcpListener, TcpStream};
use runtime::time::timeout;

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// After this long without a word the other host is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(60);

#[runtime::main]
async fn main() -> io::Result<()> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:7001".to_string());
    let upstream = args.next().unwrap_or_else(|| "127.0.0.1:7000".to_string());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}, for {upstream}", listener.local_addr()?);
    loop {
        let (client, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("{error}");
                continue;
            }
        };
        let upstream = upstream.clone();
        runtime::spawn(async move {
            if let Err(error) = relay(client, &upstream).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

/// Carries both directions until both have ended, or one fails.
async fn relay(client: TcpStream, upstream: &str) -> io::Result<()> {
    let server = timeout(CONNECT_LIMIT, TcpStream::connect(upstream)).await??;
    for stream in [&client, &server] {
        // What is passed on has been gathered already: it should not wait for more.
        stream.set_nodelay(true)?;
        stream.set_keepalive(true)?;
        stream.set_keepalive_idle(SILENCE)?;
    }
    copy_bidirectional(&client, &server).await?;
    Ok(())
}
