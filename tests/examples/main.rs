//! The examples, run as a user runs them: what they print, what their servers answer, and how they end.
//!
//! `cargo test` builds them first; `cargo test --test examples` does not, and takes what is there.
#![allow(unsafe_code)]

mod hosts;
mod program;
mod starts;
mod stuck;
#[path = "../support/mod.rs"]
mod support;
mod tools;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Instant;

use program::{Program, limit, path, send_signal};

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the example listens there");
    stream.set_read_timeout(Some(limit())).unwrap();
    stream.set_write_timeout(Some(limit())).unwrap();
    stream
}

#[test]
fn the_daemon_leaves_and_serves_until_it_is_told_to_end() {
    let (first, address) = Program::serve("daemon", &[]);
    // The first process ends, and nobody holds its output open any more.
    let printed = first.succeed();
    let id = printed.strip_prefix("serving; `kill ").and_then(|rest| rest.split('`').next());
    let id = id.and_then(|id| id.parse().ok()).expect(&printed);

    let mut stream = connect(address);
    let mut byte = [0];
    let echoed = stream.write_all(b"x").and_then(|()| stream.read_exact(&mut byte));

    // Whatever came of that, or it would stay.
    send_signal(id, libc::SIGTERM);
    echoed.unwrap();
    assert_eq!(byte, *b"x");
    assert_eq!(stream.read(&mut byte).unwrap(), 0, "it closes its connections as it ends");
}

#[test]
fn hello() {
    assert_eq!(Program::start("hello", &[]).succeed(), "hello, world\n");
}

#[test]
fn timeout() {
    let printed = Program::start("timeout", &[]).succeed();
    assert!(printed.ends_with("the answer is \"42\"\n"), "{printed}");
}

#[test]
fn race() {
    let each_their_own = "each is told what they asked";
    let printed = Program::start("race", &[]).succeed();
    let (usual, found) = printed.split_once('\n').unwrap();
    assert_eq!(usual, format!("the usual order: {each_their_own}"));
    let seed = found.strip_prefix("the order of seed ").and_then(|rest| rest.split_once(':'));
    let (seed, _) = seed.unwrap_or_else(|| panic!("{printed}"));
    assert!(found.contains(" and was told "), "{printed}");

    // That seed again, in other processes. An earlier one finds nothing.
    for _ in 0..3 {
        assert_eq!(Program::start("race", &[seed]).succeed(), found);
    }
    let earlier = Program::start("race", &["0"]).succeed();
    assert!(earlier.starts_with(&format!("the order of seed 0: {each_their_own}\n")), "{earlier}");

    let mended = Program::start("race", &["mended"]).succeed();
    assert_eq!(mended, format!("{usual}\nthe orders of 1000 seeds: {each_their_own}\n"));
}

#[test]
fn number() {
    let script = "(printf 'one\\ntwo\\n'; exec yes) | \"$0\" | head -n 3";
    let output = Command::new("sh").args(["-c", script]).arg(path("number")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed, "     1  one\n     2  two\n     3  y\n");
}

#[test]
fn tour() {
    let printed = Program::start("tour", &[]).succeed();
    for name in [
        "round trips",
        "round trips per second",
        "latency p50",
        "latency p99",
        "latency max",
        "tasks spawned",
        "wakes from the other thread",
        "timer lateness p50",
        "timer lateness max",
    ] {
        let value = printed.lines().find_map(|line| {
            let value = line.trim().strip_prefix(name)?.trim().replace(',', "");
            let digits = value.trim_end_matches(|unit: char| !unit.is_ascii_digit());
            digits.parse::<f64>().ok()
        });
        assert!(value.is_some_and(|value| value > 0.0), "{name}: {value:?} in:\n{printed}");
    }
}

#[test]
fn tour_ends_at_ctrl_c() {
    let tour = Program::start("tour", &[]);
    tour.interrupt();
    let printed = tour.succeed();
    assert!(printed.contains(", until Ctrl-C:"), "{printed}");
    assert!(printed.contains("round trips per second"), "{printed}");
}

#[test]
fn echo() {
    let (_server, address) = Program::serve("echo", &[]);
    assert_echoes(address);
}

#[test]
fn proxy_in_front_of_echo() {
    let (_echo, upstream) = Program::serve("echo", &[]);
    let (_proxy, address) = Program::serve("proxy", &[&upstream.to_string()]);
    assert_echoes(address);
}

/// More than the buffers between hold, so that all must read while they write. The end comes only
/// after ours has gone all the way: a half-close.
fn assert_echoes(address: SocketAddr) {
    let mut stream = connect(address);
    let sent: Vec<u8> =
        (0..8 << 20).map(|n: u32| (n.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect();
    let mut echoed = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            (&stream).write_all(&sent).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
        });
        (&stream).read_to_end(&mut echoed).unwrap();
    });
    assert!(echoed == sent, "{} bytes came back, of {}", echoed.len(), sent.len());

    // Another client is served as well.
    stream = connect(address);
    stream.write_all(b"still there?").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    echoed.clear();
    stream.read_to_end(&mut echoed).unwrap();
    assert_eq!(echoed, b"still there?");
}

#[test]
fn proxy_carries_a_half_close_of_the_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = listener.local_addr().unwrap().to_string();
    let (_proxy, address) = Program::serve("proxy", &[&upstream]);
    let mut client = connect(address);
    // Connecting upstream is the proxy's first act, so that this does not wait for long.
    let (mut server, _) = listener.accept().unwrap();
    server.set_read_timeout(Some(limit())).unwrap();

    server.write_all(b"all I have").unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    let mut read = String::new();
    client.read_to_string(&mut read).unwrap();
    assert_eq!(read, "all I have");

    client.write_all(b"and yet").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    read.clear();
    server.read_to_string(&mut read).unwrap();
    assert_eq!(read, "and yet");
}

#[test]
fn proxy_without_a_server_closes() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (_proxy, address) = Program::serve("proxy", &[&free]);
    assert_eq!(connect(address).read(&mut [0]).unwrap_or(0), 0);
}

/// Both say how many of 2000 connections each core has served.
fn connections_per_core(example: &str) -> Vec<u32> {
    let printed = Program::start(example, &[]).succeed();
    let lines = printed.lines().enumerate().map(|(index, line)| {
        let (core, served) = line.split_once(": ").expect(line);
        assert!(core.starts_with(&format!("core {index} on processor ")), "{line}");
        served.strip_suffix(" connections").and_then(|served| served.parse().ok()).expect(line)
    });
    let served: Vec<u32> = lines.collect();
    assert_eq!(served.iter().sum::<u32>(), 2000, "{printed}");
    served
}

#[test]
fn all_cores() {
    // The kernel spreads by a hash of addresses and ports: that one gets none is beyond belief.
    let served = connections_per_core("all_cores");
    assert!(served.iter().all(|served| *served > 0), "{served:?}");
}

#[test]
fn hand_over() {
    let served = connections_per_core("hand_over");
    if let [first, others @ ..] = &served[..] {
        let most = others.iter().max().unwrap_or(first);
        let least = others.iter().min().unwrap_or(first);
        assert!(most - least <= 1, "{served:?}");
        assert_eq!(*first, if others.is_empty() { 2000 } else { 0 });
    }
}

#[test]
fn bare_loop() {
    assert_serves_meanwhile("bare_loop");
}

#[test]
fn async_loop() {
    assert_serves_meanwhile("async_loop");
}

/// It echoes while a program runs, and ends with it, or, by SIGTERM, upon Ctrl-C.
fn assert_serves_meanwhile(example: &str) {
    let (server, address) = Program::serve(example, &["sleep", "1000"]);
    assert_echoes(address);
    let client = connect(address);
    let deadline = Instant::now() + limit();
    while server.stdout.recv_timeout(limit()).expect("a line each second") != "1 clients" {
        assert!(Instant::now() < deadline, "who has gone is still counted");
    }
    server.signal(libc::SIGINT);
    let printed = server.succeed();
    assert!(printed.ends_with("sleep has ended: signal: 15 (SIGTERM)\n"), "{printed}");
    drop(client);

    let (server, _) = Program::serve(example, &["true"]);
    let printed = server.succeed();
    assert!(printed.ends_with("true has ended: exit status: 0\n"), "{printed}");
}

/// Somebody in the chat.
struct Member {
    lines: BufReader<TcpStream>,
}

impl Member {
    fn connect(address: SocketAddr) -> Member {
        let mut member = Member { lines: BufReader::new(connect(address)) };
        assert_eq!(member.hears(), "* your name?");
        member
    }

    fn says(&mut self, line: &str) {
        self.lines.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn hears(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_string()
    }
}

#[test]
fn chat() {
    let (_server, address) = Program::serve("chat", &[]);
    let mut ann = Member::connect(address);
    ann.says("ann");
    assert_eq!(ann.hears(), "* here: ann");

    let mut bob = Member::connect(address);
    bob.says("ann");
    assert_eq!(bob.hears(), "* this name is taken; another?");
    bob.says("bob");
    assert_eq!(ann.hears(), "* bob is here");
    assert!(["* here: ann, bob", "* here: bob, ann"].contains(&bob.hears().as_str()));

    bob.says("good morning\n\u{1b}[2Jand hello");
    assert_eq!(ann.hears(), "bob: good morning");
    assert_eq!(ann.hears(), "bob: [2Jand hello", "no escape sequences for others' terminals");
    ann.says("hi");
    assert_eq!(bob.hears(), "ann: hi");
    ann.says(&(0..1000).map(|n| n.to_string()).collect::<Vec<_>>().join("\n"));
    for n in 0..1000 {
        assert_eq!(bob.hears(), format!("ann: {n}"), "a burst drops nobody who reads");
    }
    drop(bob);
    assert_eq!(ann.hears(), "* bob is gone");
}

#[test]
fn chat_drops_who_does_not_read() {
    let (_server, address) = Program::serve("chat", &[]);
    let mut slow = Member::connect(address);
    slow.says("slow");
    assert_eq!(slow.hears(), "* here: slow");
    let mut talker = Member::connect(address);
    talker.says("talker");
    assert!(talker.hears().starts_with("* here:"));

    let mut speech = talker.lines.get_ref().try_clone().unwrap();
    let speaking = thread::spawn(move || {
        let line = [b"blah ".repeat(200), b"\n".to_vec()].concat();
        while speech.write_all(&line).is_ok() {}
    });
    assert_eq!(talker.hears(), "* slow is gone");
    talker.lines.get_ref().shutdown(Shutdown::Both).unwrap();
    speaking.join().unwrap();

    // Its connection is closed although it has read nothing yet, so that it cannot write either.
    let deadline = Instant::now() + limit();
    while slow.lines.get_mut().write_all(b"wait\n").is_ok() {
        assert!(Instant::now() < deadline, "the connection is still open");
    }
}
