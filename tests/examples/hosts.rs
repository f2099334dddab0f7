//! The examples in which another loop hosts the runtime.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use crate::program::{Program, command, limit};

/// The number that stands before `word`.
#[track_caller]
fn number(printed: &str, word: &str) -> u32 {
    let words: Vec<&str> = printed.split_whitespace().collect();
    let at = words.iter().position(|other| other.trim_matches([',', ';']) == word).expect(printed);
    words[at - 1].parse().expect(printed)
}

#[test]
fn host_epoll() {
    let printed = Program::start("host_epoll", &[]).succeed();
    let (rallies, turns) = (number(&printed, "rallies"), number(&printed, "turns"));
    assert!(rallies > 0 && turns >= rallies, "{printed}");
}

#[test]
fn host_frames() {
    let printed = Program::start("host_frames", &[]).succeed();
    assert_eq!(number(&printed, "frames"), 60);
    assert!(number(&printed, "answers") > 0 && number(&printed, "turns") >= 60, "{printed}");
}

#[test]
fn host_tokio() {
    let doubles: String = (0..5).map(|n| format!("the double of {n} is {}\n", 2 * n)).collect();
    assert_eq!(Program::start("host_tokio", &[]).succeed(), doubles + "5 answers\n");
}

#[test]
fn host_poll() {
    let mut host = Program::of(command("host_poll").arg("127.0.0.1:0").stdin(Stdio::piped()));
    let mut terminal = host.stdin.take().expect("it is piped");
    let mut client = TcpStream::connect(host.address()).unwrap();
    client.set_read_timeout(Some(limit())).unwrap();
    let mut echoed = [0; 5];
    for _ in 0..3 {
        client.write_all(b"hello").unwrap();
        client.read_exact(&mut echoed).unwrap();
        assert_eq!(&echoed, b"hello");
    }
    // Both sides of the one thread have gone on.
    terminal.write_all(b"\n").unwrap();
    host.prints(&["1 clients, 15 bytes echoed"]);
    drop(terminal);
    assert_eq!(host.succeed(), "1 clients, 15 bytes echoed\n");
    assert_eq!(client.read(&mut echoed).unwrap_or(0), 0);
}
