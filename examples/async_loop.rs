//! An echo server with a timer, a signal and a child in one loop: `bare_loop` on the runtime.
//!
//! Type `cargo run --example async_loop -- 127.0.0.1:7000 sleep 10`, and in another terminal
//! `nc 127.0.0.1 7000`: each line comes back for as long as the program runs. Every second it prints
//! how many clients there are. Ctrl-C sends the program SIGTERM.

use std::{env, io, time::Duration};

use runtime::net::TcpListener;
use runtime::process::Command;
use runtime::signal::unix::{SignalKind, signal};
use runtime::task::JoinSet;
use runtime::time::{Instant, interval_at};

#[runtime::main]
async fn main() -> io::Result<()> {
    let mut args = env::args().skip(1);
    let address = args.next().expect("usage: async_loop ADDRESS PROGRAM [ARGUMENT...]");
    let program = args.next().expect("usage: async_loop ADDRESS PROGRAM [ARGUMENT...]");

    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let mut child = Command::new(&program).args(args).spawn()?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let second = Duration::from_secs(1);
    let mut seconds = interval_at(Instant::now() + second, second);
    let mut clients = JoinSet::new();
    loop {
        runtime::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                clients.spawn(async move { runtime::io::copy(&stream, &stream).await });
            }
            Some(_) = clients.join_next() => {}
            _ = seconds.tick() => println!("{} clients", clients.len()),
            _ = interrupt.recv() => child.signal(SignalKind::terminate())?,
            status = child.wait() => {
                println!("{program} has ended: {}", status?);
                return Ok(());
            }
        }
    }
}
