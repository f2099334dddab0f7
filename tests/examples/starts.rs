//! The examples that programs start from: a store, echoes, a service, workers, a period.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use crate::program::{Program, command, limit, path};
use crate::tools::Folder;

/// A client of the store.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(limit())).unwrap();
        Client(BufReader::new(stream))
    }

    fn asks(&mut self, line: &str) -> String {
        writeln!(self.0.get_ref(), "{line}").unwrap();
        let mut answer = String::new();
        self.0.read_line(&mut answer).unwrap();
        answer
    }
}

#[test]
fn store_keeps_what_one_sets_for_all() {
    let (_store, address) = Program::serve("store", &[]);
    let (mut ann, mut bob) = (Client::connect(address), Client::connect(address));
    assert_eq!(ann.asks("get colour"), "none\n");
    assert_eq!(ann.asks("set colour light blue"), "ok\n");
    assert_eq!(bob.asks("get colour"), "= light blue\n");
    assert_eq!(bob.asks("colour?"), "commands: set KEY VALUE, get KEY\n");
}

#[test]
fn store_answers_what_it_has_read_and_ends() {
    let (store, address) = Program::serve("store", &[]);
    let mut idle = Client::connect(address);
    assert_eq!(idle.asks("set key value"), "ok\n");
    store.interrupt();
    assert_eq!(store.succeed(), "ended\n");
    // The end of the stream, not a reset.
    assert_eq!(idle.0.read(&mut [0]).unwrap(), 0);
}

#[test]
fn store_does_not_wait_for_ever_for_who_does_not_read() {
    let (store, address) = Program::serve("store", &[]);
    let mut client = Client::connect(address);
    assert_eq!(client.asks(&format!("set key {}", "x".repeat(60_000))), "ok\n");
    // More answers than the kernel buffers, until the store reads no further question either.
    client.0.get_ref().set_nonblocking(true).unwrap();
    let mut stream = client.0.get_ref();
    let questions = "get key\n".repeat(10_000);
    let written = stream.write(questions.as_bytes()).unwrap();
    assert!(written > 8 * 1000, "{written}");
    store.interrupt();
    assert_eq!(store.succeed(), "ended; 1 clients did not take their answers\n");
}

#[test]
fn store_accepts_no_more_than_its_limit() {
    let (_store, address) = Program::serve("store", &[]);
    let mut clients: Vec<Client> = (0..500).map(|_| Client::connect(address)).collect();
    assert_eq!(clients[499].asks("get key"), "none\n");
    let mut late = Client::connect(address);
    late.0.get_mut().write_all(b"set key value\n").unwrap();
    // All are served in the order in which they came, but for the one that waits.
    for client in &mut clients {
        assert_eq!(client.asks("get key"), "none\n");
    }
    drop(clients.pop());
    let mut answer = String::new();
    late.0.read_line(&mut answer).unwrap();
    assert_eq!(answer, "ok\n");
}

#[test]
fn store_ends_with_a_client_that_sends_no_lines() {
    let (store, address) = Program::serve("store", &[]);
    let mut client = Client::connect(address);
    // The end, or a reset, as not all was read.
    let _ = client.0.get_mut().write_all(&[b'x'; 70_000]);
    assert_eq!(client.0.read(&mut [0]).unwrap_or(0), 0);
    store.says("a client: ", "");
}

#[test]
fn udp_echo() {
    let (_server, address) = Program::serve("udp_echo", &[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(limit())).unwrap();
    socket.connect(address).unwrap();
    let mut buf = vec![0; 70_000];
    for len in [1, 0, 1000, 65_507] {
        assert_eq!(socket.send(&vec![7; len]).unwrap(), len);
        let received = socket.recv(&mut buf).unwrap();
        assert!(buf[..received] == vec![7; len], "{received} of {len} bytes");
    }
}

#[test]
fn unix_service_knows_who_asks_and_leaves_no_socket() {
    let folder = Folder::new("service");
    let path = folder.0.join("socket");
    let service = Program::of(command("unix_service").arg(&path));
    service.prints(&[&format!("listening on {}", path.display())]);
    let mut answer = String::new();
    UnixStream::connect(&path).unwrap().read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with(&format!("hello, process {} of ", std::process::id())), "{answer}");

    let (status, _, said) = Program::of(command("unix_service").arg(&path)).finish();
    assert!(!status.success() && said[0].contains("in use"), "{said:?}");

    service.interrupt();
    assert_eq!(service.succeed(), "");
    assert!(!path.exists());
}

#[test]
fn sums_of_many_files() {
    let folder = Folder::new("sums");
    let mut expected = Vec::new();
    // The check value of CRC-32, and what is known of no bytes at all.
    for number in 0..50 {
        folder.write(&format!("check {number}"), "123456789");
        expected.push(format!("cbf43926  check {number}"));
    }
    folder.write("empty", "");
    expected.push("00000000  empty".to_string());
    expected.sort();
    let names = expected.iter().map(|line| format!("{}\n", &line["cbf43926  ".len()..]));
    let names: String = names.collect::<String>() + "missing\n";

    let mut sums = command("sums");
    let mut sums = Program::of(sums.stdin(Stdio::piped()).current_dir(&folder.0));
    sums.stdin.as_mut().unwrap().write_all(names.as_bytes()).unwrap();
    let (status, mut printed, said) = sums.finish();
    assert_eq!(status.code(), Some(1));
    assert_eq!(said, ["sums: missing: No such file or directory (os error 2)"]);
    printed.sort();
    assert_eq!(printed, expected);
}

#[test]
fn sums_ends_when_nobody_reads() {
    let folder = Folder::new("sums-unread");
    folder.write("file", "123456789");
    let script = "yes file | \"$0\" | head -n 1";
    let mut pipeline = Command::new("sh");
    pipeline.args(["-c", script]).arg(path("sums")).current_dir(&folder.0);
    let pipeline = Program::of(pipeline.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let (status, printed, said) = pipeline.finish();
    assert!(status.success(), "{status}");
    assert_eq!((printed, said), (vec!["cbf43926  file".to_string()], vec![]));
}

#[test]
fn every_runs_again_and_ends_on_ctrl_c() {
    let every = Program::start("every", &["0.001", "sh", "-c", "echo again; exit 3"]);
    every.prints(&["again", "again", "again"]);
    every.says("every: exit status: 3", "");
    every.interrupt();
    assert!(every.finish().0.success());
}

#[test]
fn every_ends_the_run_under_way() {
    let every = Program::start("every", &["1000", "sh", "-c", "echo running; exec sleep 1000"]);
    every.prints(&["running"]);
    every.interrupt();
    // Its output ends when nobody is left to write to it.
    assert!(every.finish().0.success());
}

#[test]
fn every_says_what_it_does_not_take() {
    for (args, code, text) in [
        (&[][..], 2, "usage: every "),
        (&["1"], 2, "usage: every "),
        (&["0", "true"], 2, "usage: every "),
        (&["-1", "true"], 2, "usage: every "),
        (&["1e-30", "true"], 2, "usage: every "),
        (&["1", "/no such program"], 1, "Error: "),
    ] {
        let (status, _, said) = Program::start("every", args).finish();
        assert_eq!(status.code(), Some(code), "{args:?}: {said:?}");
        assert!(said[0].starts_with(text), "{args:?}: {said:?}");
    }
}
