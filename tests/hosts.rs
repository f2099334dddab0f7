//! The examples in which another loop hosts the runtime, run as a user runs them.
//!
//! `cargo test` builds them first; `cargo test --test hosts` does not, and takes what is there.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// More than anything here takes on a loaded machine.
const LIMIT: Duration = Duration::from_secs(30);

/// Where cargo has built an example.
fn path(name: &str) -> PathBuf {
    let test = env::current_exe().expect("the path of this test");
    let built = test.parent().and_then(|deps| deps.parent()).expect("target/PROFILE");
    built.join("examples").join(name)
}

/// What it prints; it ends by itself.
fn printed(name: &str) -> String {
    // coreutils' timeout, so that one that hangs is ended.
    let output = Command::new("timeout")
        .arg(LIMIT.as_secs().to_string())
        .arg(path(name))
        .output()
        .expect("timeout(1) of coreutils");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("it prints text")
}

/// The number that stands before `word`.
#[track_caller]
fn number(printed: &str, word: &str) -> u32 {
    let words: Vec<&str> = printed.split_whitespace().collect();
    let at = words.iter().position(|other| other.trim_matches([',', ';']) == word).expect(printed);
    words[at - 1].parse().expect(printed)
}

#[test]
fn host_epoll() {
    let printed = printed("host_epoll");
    let (rallies, turns) = (number(&printed, "rallies"), number(&printed, "turns"));
    assert!(rallies > 0 && turns >= rallies, "{printed}");
}

#[test]
fn host_frames() {
    let printed = printed("host_frames");
    assert_eq!(number(&printed, "frames"), 60);
    assert!(number(&printed, "answers") > 0 && number(&printed, "turns") >= 60, "{printed}");
}

#[test]
fn host_tokio() {
    let doubles: String = (0..5).map(|n| format!("the double of {n} is {}\n", 2 * n)).collect();
    assert_eq!(printed("host_tokio"), doubles + "5 answers\n");
}

/// A program that is killed when this is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Both fail only if it has been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn host_poll() {
    let mut host = Command::new(path("host_poll"));
    host.arg("127.0.0.1:0").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut host = Killed(host.spawn().expect("`cargo build --examples` makes it"));
    let mut terminal = host.0.stdin.take().expect("it is piped");
    let mut printed = BufReader::new(host.0.stdout.take().expect("it is piped")).lines();
    let mut line = || printed.next().expect("a line").expect("text");

    let first = line();
    let address = first.strip_prefix("listening on ").expect(&first);
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    let mut echoed = [0; 5];
    for _ in 0..3 {
        client.write_all(b"hello").unwrap();
        client.read_exact(&mut echoed).unwrap();
        assert_eq!(&echoed, b"hello");
    }
    // Both sides of the one thread have gone on.
    terminal.write_all(b"\n").unwrap();
    assert_eq!(line(), "1 clients, 15 bytes echoed");
    drop(terminal);
    assert_eq!(line(), "1 clients, 15 bytes echoed");
    assert!(host.0.wait().unwrap().success());
    assert_eq!(client.read(&mut echoed).unwrap_or(0), 0);
}
