//! A runtime inside a program's own poll(2) loop: the terminal is the program's, the sockets are the
//! runtime's, and there is one thread.
//!
//! Type `cargo run --example host_poll`, and in another terminal `nc 127.0.0.1 7000`: what you type there
//! comes back. Enter in the first one shows how much there was; Ctrl-D ends it. Another address goes behind
//! `--`; port 0 is any free one.

use std::cell::Cell;
use std::env;
use std::io::{self, BufRead};
use std::rc::Rc;
use std::time::Duration;

use runtime::Runtime;
use runtime::epoll::{Flags, PollFd, poll};
use runtime::net::{TcpListener, TcpStream};

/// Shared by the host and its guest without a lock: they take turns on one thread.
#[derive(Default)]
struct Counts {
    clients: Cell<u32>,
    bytes: Cell<usize>,
}

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7000".to_string());
    let runtime = Runtime::new()?;
    // Makes the descriptor that is waited for below, which could not say why it cannot be.
    runtime.prepare()?;
    let listener = runtime.block_on(TcpListener::bind(address))?;
    println!("listening on {}", listener.local_addr()?);
    let counts = Rc::new(Counts::default());
    drop(runtime.spawn(serve(listener, counts.clone())));

    let stdin = io::stdin();
    loop {
        let mut fds = [PollFd::new(&stdin, Flags::IN), PollFd::new(&runtime, Flags::IN)];
        poll(&mut fds, None)?;
        let [typed, guest] = fds.map(|fd| !fd.ready().is_empty());
        if guest {
            // Sockets, timers and other threads alike: one turn looks at all of them.
            runtime.turn(Some(Duration::ZERO))?;
        }
        if typed {
            // All that is there: poll does not know of what stays in a buffer.
            let mut stdin = stdin.lock();
            let length = stdin.fill_buf()?.len();
            stdin.consume(length);
            println!("{} clients, {} bytes echoed", counts.clients.get(), counts.bytes.get());
            if length == 0 {
                return Ok(());
            }
        }
    }
}

async fn serve(listener: TcpListener, counts: Rc<Counts>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(runtime::spawn(echo(stream, counts.clone()))),
            Err(error) => eprintln!("{error}"),
        }
    }
}

async fn echo(stream: TcpStream, counts: Rc<Counts>) -> io::Result<()> {
    counts.clients.set(counts.clients.get() + 1);
    let mut buf = [0; 4096];
    while let len @ 1.. = stream.read(&mut buf).await? {
        counts.bytes.set(counts.bytes.get() + len);
        stream.write_all(&buf[..len]).await?;
    }
    Ok(())
}
