//! 10,000 connections at once in one runtime, opened, used and closed in random order; the clients are a
//! second process, as one alone may have no room for both ends. Descriptors and memory come back to where
//! they were.
#![allow(unsafe_code)]

#[path = "support/mod.rs"]
mod support;

use std::cell::Cell;
use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use runtime::net::{TcpListener, TcpStream};
use runtime::task::JoinSet;
use runtime::{spawn, spawn_blocking};
use support::random::Random;
use support::resources::{open_descriptors, resident_kib};
use support::run;

const CONNECTIONS: u64 = 10_000;
/// Tasks of the second process: each has its share of the connections, and does one thing at a time.
const CLIENTS: u64 = 100;
/// How often each of them uses a connection, or closes one and opens another.
const STEPS: u64 = 100;

/// What the second process is told.
const ADDRESSES: &str = "CONNECTIONS_TEST_ADDRESSES";
const SEED: &str = "CONNECTIONS_TEST_SEED";

/// What it tells.
const ALL_ARE_OPEN: &str = "all are open";
const ALL_ARE_CLOSED: &str = "all are closed";

#[test]
fn ten_thousand_connections_leave_nothing_behind() {
    raise_the_limit_of_descriptors();
    let seed = env::var(SEED).map_or(7, |seed| seed.parse().expect("a number"));
    println!("{SEED}={seed}");
    run(async {
        let server = Server::new();
        let addresses = server.listen().await;
        // What the runtime needs for itself it has after this.
        runtime::time::sleep(Duration::from_nanos(1)).await;
        let descriptors = open_descriptors();

        let mut memory = vec![resident_kib()];
        for seed in [seed, seed + 1] {
            let mut clients = Clients::start(&addresses, seed);
            clients = clients.until(ALL_ARE_OPEN).await;
            assert_eq!(server.live.get(), CONNECTIONS);
            assert_eq!(open_descriptors(), descriptors + CONNECTIONS as usize + PIPES);
            println!("{} KiB with all connections open", resident_kib());
            clients.go_on();
            clients.until(ALL_ARE_CLOSED).await.end().await;

            server.until_all_are_gone().await;
            assert_eq!(open_descriptors(), descriptors);
            memory.push(resident_kib());
        }
        println!("{memory:?} KiB before, and after each time");
        let [before, once, twice] = memory[..] else { unreachable!() };
        // The tables of tasks and descriptors keep their size, and nothing grows any more.
        assert!(once < before + 3 * 1024, "{memory:?} KiB");
        assert!(twice < once + 512, "{memory:?} KiB");
    });
}

/// Echoes, and counts who is connected.
struct Server {
    live: Rc<Cell<u64>>,
    /// Told each time the last one has gone.
    emptied: (Sender<()>, Receiver<()>),
}

impl Server {
    fn new() -> Server {
        Server { live: Rc::default(), emptied: async_channel::unbounded() }
    }

    /// On several addresses, as each has only so many ports for connections that are not quite over.
    async fn listen(&self) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        for last in 1..=4 {
            let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, last), 0)).await.unwrap();
            addresses.push(listener.local_addr().unwrap());
            let (live, emptied) = (self.live.clone(), self.emptied.0.clone());
            spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.expect("there are descriptors");
                    live.set(live.get() + 1);
                    let (live, emptied) = (live.clone(), emptied.clone());
                    spawn(async move {
                        // Some clients reset the connection.
                        let _ = serve(stream).await;
                        live.set(live.get() - 1);
                        if live.get() == 0 {
                            emptied.try_send(()).expect("there is room");
                        }
                    });
                }
            });
        }
        addresses
    }

    async fn until_all_are_gone(&self) {
        while self.live.get() > 0 {
            self.emptied.1.recv().await.unwrap();
        }
    }
}

async fn serve(stream: TcpStream) -> io::Result<()> {
    let mut buf = [0; 1024];
    while let len @ 1.. = stream.read(&mut buf).await? {
        stream.write_all(&buf[..len]).await?;
    }
    Ok(())
}

/// To the second process and from it.
const PIPES: usize = 2;

/// The second process.
struct Clients {
    child: Child,
    told: BufReader<ChildStdout>,
}

impl Clients {
    fn start(addresses: &[SocketAddr], seed: u64) -> Clients {
        let addresses: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
        let mut child = Command::new(env::current_exe().expect("the path of this test"))
            .args(["--exact", "child_clients", "--ignored", "--nocapture"])
            .env(ADDRESSES, addresses.join(" "))
            .env(SEED, seed.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test, once more");
        let told = BufReader::new(child.stdout.take().expect("it is piped"));
        Clients { child, told }
    }

    /// Waits until it says so.
    async fn until(mut self, line: &'static str) -> Clients {
        spawn_blocking(move || {
            let mut told = self.told.by_ref().lines().map_while(Result::ok);
            assert!(told.any(|told| told == line), "the clients never said: {line}");
            self
        })
        .await
        .unwrap()
    }

    fn go_on(&mut self) {
        let stdin = self.child.stdin.as_mut().expect("it is piped");
        stdin.write_all(b"go on\n").expect("the clients wait for it");
    }

    async fn end(mut self) {
        let status = spawn_blocking(move || self.child.wait()).await.unwrap();
        assert!(status.unwrap().success(), "the clients failed");
    }
}

#[test]
#[ignore = "run by ten_thousand_.., in a process of its own"]
fn child_clients() {
    let addresses = env::var(ADDRESSES).expect("it is told");
    let addresses: Vec<SocketAddr> =
        addresses.split(' ').map(|address| address.parse().expect("an address")).collect();
    let seed: u64 = env::var(SEED).expect("it is told").parse().expect("a number");
    run(async {
        runtime::time::sleep(Duration::from_nanos(1)).await;
        let descriptors = open_descriptors();

        // Both are closed as a sign: one by all clients, the other to them.
        let (opening, all_are_open) = async_channel::bounded::<()>(1);
        let (wait, go_on) = async_channel::bounded::<()>(1);
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let random = Random::new(seed * CLIENTS + number);
            let (opening, go_on) = (opening.clone(), go_on.clone());
            clients.spawn(client(addresses.clone(), random, opening, go_on));
        }
        drop(opening);
        all_are_open.recv().await.unwrap_err();
        say(ALL_ARE_OPEN);
        spawn_blocking(|| io::stdin().read_line(&mut String::new())).await.unwrap().unwrap();
        wait.close();
        for outcome in clients.join_all().await {
            outcome.unwrap();
        }
        assert_eq!(open_descriptors(), descriptors);
        say(ALL_ARE_CLOSED);
    });
}

async fn client(
    addresses: Vec<SocketAddr>,
    mut random: Random,
    opening: Sender<()>,
    go_on: Receiver<()>,
) -> io::Result<()> {
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS / CLIENTS {
        streams.push(open(&addresses, &mut random).await?);
    }
    drop(opening);
    go_on.recv().await.unwrap_err();
    for _ in 0..STEPS {
        let index = random.below(streams.len());
        if random.below(2) == 0 {
            echo(&streams[index], random.next()).await?;
        } else {
            close(streams.swap_remove(index), &mut random).await?;
            streams.push(open(&addresses, &mut random).await?);
        }
    }
    while !streams.is_empty() {
        close(streams.swap_remove(random.below(streams.len())), &mut random).await?;
    }
    Ok(())
}

/// Connects and sees an answer, so that the server has the connection too.
async fn open(addresses: &[SocketAddr], random: &mut Random) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(addresses[random.below(addresses.len())]).await?;
    echo(&stream, random.next()).await?;
    Ok(stream)
}

async fn echo(stream: &TcpStream, number: u64) -> io::Result<()> {
    let mut echoed = [0; 8];
    stream.write_all(&number.to_le_bytes()).await?;
    stream.read_exact(&mut echoed).await?;
    assert_eq!(u64::from_le_bytes(echoed), number);
    Ok(())
}

/// Just so, half by half, or with a reset.
async fn close(stream: TcpStream, random: &mut Random) -> io::Result<()> {
    match random.below(3) {
        0 => {}
        1 => {
            stream.shutdown().await?;
            assert_eq!(stream.read(&mut [0]).await?, 0);
        }
        _ => stream.set_zero_linger()?,
    }
    Ok(())
}

/// A line of its own, past the test's output.
fn say(line: &str) {
    io::stdout().write_all(format!("\n{line}\n").as_bytes()).expect("somebody listens");
}

fn raise_the_limit_of_descriptors() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the calls read and write `limit`, which outlives them.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
    let needed = CONNECTIONS + 100;
    let limit = limit.rlim_max;
    assert!(limit >= needed, "{limit} descriptors are too few: raise ulimit -Hn to {needed}");
}
