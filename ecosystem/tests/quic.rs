//! quinn on this runtime: the two examples with each other, HTTP/3 with the client of ngtcp2, and the adapter by
//! itself.

mod support;

use std::fs;
use std::io::{IoSliceMut, Read, Write};
use std::net::UdpSocket;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ecosystem::quinn::Runtime;
use quinn::Runtime as _;
use quinn::udp::{RecvMeta, Transmit};
use support::{Directory, Pattern, Program, installed, limited, path, run, signal};

const MIB: usize = 1024 * 1024;

/// The echo server, and what a client of it is told.
fn server(directory: &Directory) -> (Program, [String; 2]) {
    let certificate = directory.file("quic.pem");
    let (server, address) = Program::serve("quic_server", &[&certificate]);
    (server, [address.to_string(), certificate])
}

fn client(server: &[String; 2]) -> Child {
    let mut client = Command::new(path("quic_client"));
    client.args(server).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    client.spawn().expect("an example of ours")
}

/// Sends so many bytes of the pattern by a client, and checks what it prints.
fn echo(server: &[String; 2], len: usize) {
    let mut client = client(server);
    let mut input = client.stdin.take().unwrap();
    let sender = thread::spawn(move || {
        let mut pattern = Pattern::default();
        let mut left = len;
        while left > 0 {
            let piece = pattern.next(left);
            input.write_all(piece).unwrap();
            left -= piece.len();
        }
    });
    let mut output = client.stdout.take().unwrap();
    let mut pattern = Pattern::default();
    let mut buf = vec![0; 64 * 1024];
    let mut received = 0;
    while let read @ 1.. = output.read(&mut buf).unwrap() {
        pattern.check(&buf[..read]);
        received += read;
    }
    let Output { status, stderr, .. } = client.wait_with_output().unwrap();
    assert!(status.success(), "{status}: {}", String::from_utf8_lossy(&stderr));
    assert_eq!(received, len);
    sender.join().unwrap();
}

#[test]
fn a_gibibyte_comes_back_as_it_was_sent() {
    let directory = Directory::new();
    let (program, server) = server(&directory);
    limited(|| echo(&server, 1024 * MIB));
    assert!(program.peak_memory() < 128 * 1024, "{} KiB", program.peak_memory());
    program.assert_no_complaint();
}

#[test]
fn clients_are_served_at_once() {
    let directory = Directory::new();
    let (program, server) = server(&directory);
    limited(|| {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| echo(&server, 4 * MIB));
            }
        });
    });
    program.assert_no_complaint();
}

#[test]
fn the_loss_of_a_client_is_nobody_elses() {
    let directory = Directory::new();
    let (program, server) = server(&directory);
    let mut lost = client(&server);
    let mut some = [0; 1000];
    limited(|| {
        lost.stdin.as_mut().unwrap().write_all(&some).unwrap();
        lost.stdout.as_mut().unwrap().read_exact(&mut some).unwrap();
    });
    lost.kill().unwrap();
    lost.wait().unwrap();
    limited(|| echo(&server, MIB));
    program.assert_no_complaint();
}

#[test]
fn clients_hear_of_the_servers_end() {
    let directory = Directory::new();
    let (mut program, server) = server(&directory);
    let mut client = client(&server);
    let mut line = [0; 6];
    let output = limited(|| {
        client.stdin.as_mut().unwrap().write_all(b"hello\n").unwrap();
        client.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
        signal(&program.child, "INT");
        assert!(program.child.wait().unwrap().success());
        // Its input is still open: it is the connection that has ended.
        let _input = client.stdin.take();
        client.wait_with_output().unwrap()
    });
    assert_eq!(&line, b"hello\n");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the server ends"), "{said}");
}

#[test]
fn a_server_that_is_not_trusted_is_told_of() {
    let directory = Directory::new();
    let (program, [address, _]) = server(&directory);
    let other = directory.file("other.pem");
    ecosystem::certificate::make(&other).unwrap();
    let output = limited(|| client(&[address, other]).wait_with_output().unwrap());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("certificate"), "{said}");
    program.says("aborted by peer: the cryptographic handshake failed: error 51: invalid peer certificate: BadSignature");
}

/// What another implementation of QUIC and TLS, ngtcp2 with GnuTLS, gets for a request.
fn ngtcp2(port: u16, into: &Directory, args: &[&str]) -> Vec<u8> {
    let port = port.to_string();
    let mut client = Command::new("gtlsclient");
    client.args(["-q", "--exit-on-all-streams-close", "--download", &into.file("")]).args(args);
    client.args(["127.0.0.1", &port, "https://localhost/answer"]);
    let output = limited(|| client.output().unwrap());
    assert!(output.status.success(), "{output:?}");
    fs::read(into.file("answer")).expect("it stores what it gets")
}

#[test]
fn http3() {
    if !installed("ngtcp2-client", Command::new("gtlsclient").arg("--help")) {
        return;
    }
    let directory = Directory::new();
    let (program, address) = Program::serve("http3", &[&directory.file("http3.pem")]);
    assert_eq!(ngtcp2(address.port(), &directory, &[]), b"hello from /answer\n");

    let sent = Pattern::default().take(64 * MIB);
    fs::write(directory.file("sent"), &sent).unwrap();
    let post = ["-m", "POST", "-d", &directory.file("sent")];
    assert!(ngtcp2(address.port(), &directory, &post) == sent, "not the bytes that were sent");

    // Packets are lost both ways, and those behind the losses overtake them.
    let sent = &sent[..MIB];
    fs::write(directory.file("sent"), sent).unwrap();
    let lossy = ["-m", "POST", "-d", &directory.file("sent"), "-t", "0.02", "-r", "0.02"];
    assert!(ngtcp2(address.port(), &directory, &lossy) == sent, "not the bytes that were sent");
    program.assert_no_complaint();
}

/// The kernel cuts what is sent in one call, and puts together what comes.
#[test]
fn segments() {
    const SEGMENT: usize = 1200;
    run(async {
        let adapter = Runtime::current();
        let wrap = |socket: UdpSocket| adapter.wrap_udp_socket(socket).unwrap();
        let [from, to] = [0, 1].map(|_| wrap(UdpSocket::bind("127.0.0.1:0").unwrap()));
        assert!(from.max_transmit_segments() >= 10 && to.max_receive_segments() >= 10);

        let contents = Pattern::default().take(10 * SEGMENT - 1);
        let transmit = Transmit {
            destination: to.local_addr().unwrap(),
            ecn: None,
            contents: &contents,
            segment_size: Some(SEGMENT),
            src_ip: None,
        };
        let mut buf = vec![0; 64 * 1024];
        let mut meta = [RecvMeta::default()];
        // The second time after a wait.
        for wait in [false, true] {
            let send = async {
                if wait {
                    runtime::time::sleep(Duration::from_millis(10)).await;
                }
                from.try_send(&transmit).unwrap();
            };
            let recv = std::future::poll_fn(|cx| {
                to.poll_recv(cx, &mut [IoSliceMut::new(&mut buf)], &mut meta)
            });
            let ((), received) = runtime::join!(send, recv);
            assert_eq!(received.unwrap(), 1);
            assert_eq!((meta[0].len, meta[0].stride), (contents.len(), SEGMENT));
            assert!(buf[..contents.len()] == contents, "not the bytes that were sent");
        }
    });
}

/// Each connection has its own poller of their socket.
#[test]
fn all_who_wait_for_room_are_woken() {
    run(async {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let socket = Runtime::current().wrap_udp_socket(socket).unwrap();
        let waiting = [0; 3].map(|_| {
            let mut poller = Arc::clone(&socket).create_io_poller();
            let ready = std::future::poll_fn(move |cx| poller.as_mut().poll_writable(cx));
            runtime::spawn(ready)
        });
        for task in waiting {
            task.await.unwrap().unwrap();
        }
    });
}

/// An endpoint belongs to its runtime, whichever thread it is used on.
#[test]
fn connections_are_made_on_other_threads() {
    let directory = Directory::new();
    let (program, [address, certificate]) = server(&directory);
    let known = Arc::new(ecosystem::certificate::roots(&certificate).unwrap());
    run(async {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let config = quinn::EndpointConfig::default();
        let endpoint = quinn::Endpoint::new(config, None, socket, Runtime::current()).unwrap();
        // A thread with no runtime of its own.
        let thread = thread::spawn(move || {
            let config = quinn::ClientConfig::with_root_certificates(known).unwrap();
            futures::executor::block_on(async {
                let connecting =
                    endpoint.connect_with(config, address.parse().unwrap(), "localhost");
                let (mut send, mut recv) =
                    connecting.unwrap().await.unwrap().open_bi().await.unwrap();
                send.write_all(b"hello").await.unwrap();
                send.finish().unwrap();
                recv.read_to_end(5).await.unwrap()
            })
        });
        let echoed = runtime::spawn_blocking(|| thread.join().unwrap()).await.unwrap();
        assert_eq!(echoed, b"hello");
    });
    program.assert_no_complaint();
}
