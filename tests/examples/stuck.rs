//! The example whose tasks are stuck: its dumps name each, where it was spawned, and what it waits for.

use std::fs;
use std::net::SocketAddr;

use crate::program::{Program, limit};

/// Where the source spawns the task of this name.
fn place(name: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/stuck.rs");
    let source = fs::read_to_string(path).expect("the example");
    let spawn = format!("named({name:?}).spawn(");
    let found = source.lines().zip(1..).find(|(line, _)| line.contains(&spawn));
    let (line, number) = found.unwrap_or_else(|| panic!("no {spawn}"));
    let column = line.find(".spawn").expect("just found") + 2;
    format!("spawned at examples/stuck.rs:{number}:{column}")
}

/// The lines of a dump, from the next on to that of the task which is last in it.
fn dump(program: &Program) -> Vec<String> {
    let mut lines = Vec::new();
    while !lines.iter().any(|line: &String| line.contains("\"worker\"")) {
        lines.push(program.stdout.recv_timeout(limit()).expect("the dump goes on"));
    }
    lines.push(program.stdout.recv_timeout(limit()).expect("the dump goes on"));
    lines
}

/// What a dump says of a task: its own line, and the one after it.
#[track_caller]
fn said_of<'a>(dump: &'a [String], name: &str) -> (&'a str, &'a str) {
    let at = dump.iter().position(|line| line.contains(&format!("{name:?}")));
    let at = at.unwrap_or_else(|| panic!("no {name:?} in {dump:#?}"));
    (&dump[at], dump.get(at + 1).map_or("", String::as_str))
}

#[test]
fn stuck() {
    let program = Program::start("stuck", &[]);
    let dump = dump(&program);
    for (name, state) in
        [("client", "waiting"), ("retry", "waiting"), ("worker", "waiting"), ("spinner", "ready")]
    {
        let (line, _) = said_of(&dump, name);
        assert!(line.starts_with(&format!("{state}: task ")), "{line}");
        assert!(line.contains(&place(name)), "{line} is not {}", place(name));
        assert!(line.contains(" old, polled "), "{line}");
        assert_eq!(line.ends_with(" old, polled once"), name != "spinner", "{line}");
    }
    let (spinner, _) = said_of(&dump, "spinner");
    let polls = spinner.strip_suffix(" times").and_then(|line| line.rsplit(' ').next());
    let polls: u64 = polls.and_then(|polls| polls.parse().ok()).expect(spinner);
    assert!(polls > 2, "{spinner}");

    let (_, wait) = said_of(&dump, "client");
    let (descriptor, addresses) = wait.split_once(": TCP socket ").expect(wait);
    assert!(descriptor.starts_with("    to read from descriptor "), "{wait}");
    let (own, peer) = addresses.split_once(" connected to ").expect(wait);
    let (own, peer): (SocketAddr, SocketAddr) = (own.parse().unwrap(), peer.parse().unwrap());
    assert!(own.ip().is_loopback() && peer.ip().is_loopback() && own != peer, "{wait}");
    let (_, wait) = said_of(&dump, "retry");
    assert!(wait.starts_with("    for a deadline in 5"), "{wait}");
    let (_, wait) = said_of(&dump, "worker");
    assert!(wait.starts_with("    for something else: a channel, "), "{wait}");
    let (_, wait) = said_of(&dump, "spinner");
    assert_eq!(wait, "", "it waits for nothing");

    program.interrupt();
    program.succeed();
}

#[test]
fn stuck_in_a_poll() {
    let program = Program::start("stuck", &["--hang"]);
    let line = program.says_at_last("runtime: the task \"hog\" ");
    assert!(line.contains(&place("hog")), "{line}");
    // The dump says it as well.
    program.signal(libc::SIGQUIT);
    let line = program.says_at_last("runtime 0.1: no answer: the task \"hog\" ");
    assert!(line.contains(&place("hog")), "{line}");
}
