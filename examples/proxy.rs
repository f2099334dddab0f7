//! A TCP proxy: what comes in at one address goes out to another, and back.
//!
//! Type `cargo run --example echo`, in a second terminal `cargo run --example proxy`, and in a third
//! `nc 127.0.0.1 7001`. Other addresses go behind `--`, that to listen on and that to go to, as in
//! `cargo run --example proxy -- 127.0.0.1:8080 example.com:80`.

use std::cell::Cell;
use std::env;
use std::io;
use std::time::Duration;

use runtime::net::{TcpListener, TcpStream};
use runtime::time::{Instant, sleep_until, timeout};

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a connection may be silent in both directions.
const IDLE_LIMIT: Duration = Duration::from_secs(300);

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

/// Carries both directions until both have ended, or one fails, or both are silent for too long.
async fn relay(client: TcpStream, upstream: &str) -> io::Result<()> {
    let server = timeout(CONNECT_LIMIT, TcpStream::connect(upstream)).await??;
    let last_active = Cell::new(Instant::now());
    // A stream's operations take `&self`, so that one future reads it while another writes.
    let both = async {
        runtime::try_join!(
            carry(&client, &server, &last_active),
            carry(&server, &client, &last_active),
        )
    };
    runtime::select! {
        ended = both => ended.map(|_| ()),
        () = silence(&last_active) => {
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("silent for {IDLE_LIMIT:?}")))
        }
    }
}

/// One direction. Its end is passed on, and the other direction stays open: a half-close.
async fn carry(from: &TcpStream, to: &TcpStream, last_active: &Cell<Instant>) -> io::Result<()> {
    let mut buf = vec![0; 64 * 1024];
    while let len @ 1.. = from.read(&mut buf).await? {
        last_active.set(Instant::now());
        to.write_all(&buf[..len]).await?;
    }
    to.shutdown().await
}

/// Waits until nothing has happened for `IDLE_LIMIT`. The timer is set anew when it fires, rather
/// than at each read.
async fn silence(last_active: &Cell<Instant>) {
    loop {
        let limit = last_active.get() + IDLE_LIMIT;
        if Instant::now() >= limit {
            return;
        }
        sleep_until(limit).await;
    }
}
