//! An echo server with a timer, a signal and a child in one loop, on the bare epoll layer: no runtime.
//!
//! Type `cargo run --example bare_loop -- 127.0.0.1:7000 sleep 10`, and in another terminal
//! `nc 127.0.0.1 7000`: each line comes back for as long as the program runs. Every second it prints
//! how many clients there are. Ctrl-C sends the program SIGTERM. `async_loop` is the same on the
//! runtime, in a third of the lines.

use std::collections::HashMap;
use std::env;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::process::Command;
use std::time::Duration;

use runtime::epoll::{BlockedSignals, Epoll, Events, Flags, PidFd, SignalFd, TimerFd};
use runtime::signal::unix::SignalKind;

// What an event's token says it is about.
const LISTENER: u64 = 0;
const TIMER: u64 = 1;
const SIGNALS: u64 = 2;
const CHILD: u64 = 3;
const FIRST_CLIENT: u64 = 4;

fn main() -> io::Result<()> {
    let mut args = env::args().skip(1);
    let address = args.next().expect("usage: bare_loop ADDRESS PROGRAM [ARGUMENT...]");
    let program = args.next().expect("usage: bare_loop ADDRESS PROGRAM [ARGUMENT...]");

    let listener = TcpListener::bind(address)?;
    // A client may be gone between the event and `accept`, which would then wait for another.
    listener.set_nonblocking(true)?;
    println!("listening on {}", listener.local_addr()?);

    // Before the signal is blocked, or the child would inherit the mask and be deaf to it.
    let child = Command::new(&program).args(args).spawn()?;
    // Its id is its own for as long as nobody has waited for it.
    let child = PidFd::open(child.id())?;

    let blocked = BlockedSignals::new([SignalKind::interrupt()])?;
    let signals = SignalFd::new(&blocked)?;

    let timer = TimerFd::new()?;
    let second = Duration::from_secs(1);
    timer.arm_every(second, second)?;

    let epoll = Epoll::new()?;
    epoll.add(&listener, Flags::IN, LISTENER)?;
    epoll.add(&timer, Flags::IN, TIMER)?;
    epoll.add(&signals, Flags::IN, SIGNALS)?;
    epoll.add(&child, Flags::IN, CHILD)?;

    let mut clients = HashMap::new();
    let mut tokens = FIRST_CLIENT..;
    let mut events = Events::with_capacity(64);
    loop {
        epoll.wait(&mut events, None)?;
        for event in &events {
            match event.token() {
                LISTENER => match listener.accept() {
                    Ok((stream, _)) => {
                        let token = tokens.next().expect("there are enough");
                        clients.insert(token, Client::new(stream, &epoll, token)?);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                },
                TIMER => {
                    // Until it is read it is readable.
                    timer.read()?;
                    println!("{} clients", clients.len());
                }
                SIGNALS => {
                    signals.read()?;
                    child.send_signal(SignalKind::terminate())?;
                }
                CHILD => {
                    println!("{program} has ended: {}", child.wait()?);
                    return Ok(());
                }
                token => {
                    let client = clients.get_mut(&token).expect("it goes with its descriptor");
                    if !client.echo(&epoll, token).unwrap_or(false) {
                        // Which closes the stream, and the kernel forgets it.
                        clients.remove(&token);
                    }
                }
            }
        }
    }
}

/// A client, and what it has sent but not got back.
struct Client {
    stream: TcpStream,
    buffer: Box<[u8]>,
    pending: Range<usize>,
}

impl Client {
    fn new(stream: TcpStream, epoll: &Epoll, token: u64) -> io::Result<Client> {
        stream.set_nonblocking(true)?;
        epoll.add(&stream, Flags::IN, token)?;
        Ok(Client { stream, buffer: vec![0; 4096].into(), pending: 0..0 })
    }

    /// One read and one write, so that the others have their turn; false at the end.
    fn echo(&mut self, epoll: &Epoll, token: u64) -> io::Result<bool> {
        let waited_to_write = !self.pending.is_empty();
        if !waited_to_write {
            match self.stream.read(&mut self.buffer) {
                Ok(0) => return Ok(false),
                Ok(n) => self.pending = 0..n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        match self.stream.write(&self.buffer[self.pending.clone()]) {
            Ok(n) => self.pending.start += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        // Who does not read what comes back has nothing more read, or the buffer would grow.
        let waits_to_write = !self.pending.is_empty();
        if waits_to_write != waited_to_write {
            let flags = if waits_to_write { Flags::OUT } else { Flags::IN };
            epoll.modify(&self.stream, flags, token)?;
        }
        Ok(true)
    }
}
