//! A listener, a timer, a signal and a child in one loop, on the bare epoll layer and no runtime.
//!
//! Type `cargo run --example bare_loop -- 127.0.0.1:7000 sleep 10`, and in another terminal
//! `nc 127.0.0.1 7000`: it says how long the program has been running. Each second that passes is
//! printed. It ends with the program; Ctrl-C sends that SIGTERM. `async_loop` is the same on the
//! runtime.

use std::env;
use std::io::{self, ErrorKind, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use runtime::epoll::{BlockedSignals, Epoll, Events, Flags, PidFd, SignalFd, TimerFd};
use runtime::signal::unix::SignalKind;

// What an event's token says it is about.
const CONNECTION: u64 = 0;
const SECOND: u64 = 1;
const SIGNAL: u64 = 2;
const CHILD: u64 = 3;

fn main() -> io::Result<()> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:7000".to_string());
    let program = args.next().unwrap_or_else(|| "sleep".to_string());

    let listener = TcpListener::bind(address)?;
    // A client may be gone between the event and `accept`, which would then wait for another.
    listener.set_nonblocking(true)?;
    println!("listening on {}", listener.local_addr()?);

    // Before the signal is blocked, or the child would inherit the mask and be deaf to it.
    let child = Command::new(&program).args(args).spawn()?;
    // Its id is its own for as long as nobody has waited for it.
    let child = PidFd::open(child.id())?;
    let started = Instant::now();

    let blocked = BlockedSignals::new([SignalKind::interrupt()])?;
    let signals = SignalFd::new(&blocked)?;

    let timer = TimerFd::new()?;
    let second = Duration::from_secs(1);
    timer.arm_every(second, second)?;

    let epoll = Epoll::new()?;
    epoll.add(&listener, Flags::IN, CONNECTION)?;
    epoll.add(&timer, Flags::IN, SECOND)?;
    epoll.add(&signals, Flags::IN, SIGNAL)?;
    epoll.add(&child, Flags::IN, CHILD)?;

    let mut events = Events::with_capacity(16);
    loop {
        epoll.wait(&mut events, None)?;
        for event in &events {
            match event.token() {
                CONNECTION => {
                    let mut stream = match listener.accept() {
                        Ok((stream, _)) => stream,
                        Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                        Err(error) => return Err(error),
                    };
                    let elapsed = started.elapsed().as_secs();
                    // One line has room in the socket's buffer, so this does not wait.
                    let line = format!("{program} has been running for {elapsed} s\n");
                    if let Err(error) = stream.write_all(line.as_bytes()) {
                        eprintln!("{error}");
                    }
                }
                SECOND => {
                    // Until it is read, the timer stays readable.
                    timer.read()?;
                    println!("{} s", started.elapsed().as_secs());
                }
                SIGNAL => {
                    println!("{}", signals.read()?.kind());
                    child.send_signal(SignalKind::terminate())?;
                }
                CHILD => {
                    println!("{program} has ended: {}", child.wait()?);
                    return Ok(());
                }
                token => unreachable!("nothing was added as {token}"),
            }
        }
    }
}
