//! WebSockets on this runtime: the examples with python3-websockets at the other end, a gibibyte through them,
//! and peers that misbehave.

#[path = "../support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream as StdStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use async_tungstenite::tungstenite::Message;
use async_tungstenite::tungstenite::protocol::CloseFrame;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::{WebSocketStream, accept_async, client_async};
use ecosystem::certificate;
use futures::{AsyncRead, AsyncWrite, SinkExt, TryStreamExt};
use futures_rustls::TlsConnector;
use runtime::net::{TcpSocket, TcpStream};
use runtime::task::yield_now;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use support::{Directory, LIMIT, Pattern, Program, Random, installed, limited, path, run};

/// What the client prints when the server has answered its close.
const NORMAL: &str = "(closed with 1000: \"\")";

/// A Python that has the package: the system's, if another one stands before it.
fn peer(args: &[&str]) -> Option<Command> {
    let pythons = ["python3", "/usr/bin/python3"];
    let has = |python: &&&str| {
        let import = Command::new(python).args(["-c", "import websockets"]).output();
        import.is_ok_and(|output| output.status.success())
    };
    let python = pythons.iter().find(has).unwrap_or(&pythons[0]);
    installed("python3-websockets", Command::new(python).args(["-c", "import websockets"])).then(
        || {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/websocket/peer.py");
            let mut command = Command::new(python);
            command.arg(script).args(args);
            command
        },
    )
}

/// Runs `websocket_client`: after each line it prints what stands beside it, and after the last `end`.
#[track_caller]
fn converse(url: &str, lines: &[(&str, &str)], end: &str) {
    let mut command = Command::new(path("websocket_client"));
    let mut child = command.arg(url).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut printed = BufReader::new(child.stdout.take().unwrap()).lines();
    for (line, answer) in lines {
        writeln!(input, "{line}").unwrap();
        assert_eq!(printed.next().expect(answer).unwrap(), *answer);
    }
    drop(input);
    assert_eq!(printed.map(Result::unwrap).collect::<String>(), end);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_peer_is_echoed() {
    limited(|| {
        let (server, address) = Program::serve("websocket", &[]);
        let Some(mut peer) = peer(&["client", &format!("ws://{address}")]) else { return };
        let output = peer.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        server.assert_no_complaint();
    });
}

#[test]
fn a_peer_is_echoed_through_tls() {
    limited(|| {
        let directory = Directory::new();
        let file = directory.file("server.pem");
        let (server, address) = Program::serve("websocket", &[&file]);
        let Some(mut peer) = peer(&["client", &format!("wss://{address}"), &file]) else { return };
        let output = peer.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        server.assert_no_complaint();
    });
}

#[test]
fn the_client_talks_to_a_peer() {
    limited(|| {
        let Some(mut peer) = peer(&["server"]) else { return };
        let server = Program::start(&mut peer);
        let line = server.stdout.recv_timeout(LIMIT).unwrap();
        let url = format!("ws://{}", line.strip_prefix("listening on ").expect(&line));

        // We end first.
        converse(&url, &[("hello", "hello"), ("", ""), ("wörld", "wörld")], NORMAL);
        assert_eq!(server.stdout.recv_timeout(LIMIT).unwrap(), "closed: 1000");

        // It does.
        converse(&url, &[("hello", "hello"), ("bye", "(closed with 3001: \"so long\")")], "");
        assert_eq!(server.stdout.recv_timeout(LIMIT).unwrap(), "closed: 3001");
    });
}

#[test]
fn the_server_outlives_clients_that_misbehave() {
    limited(|| {
        let (server, address) = Program::serve("websocket", &[]);
        let connect = || {
            let stream = StdStream::connect(address).unwrap();
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            stream
        };
        let silent = connect();

        let mut other = connect();
        other.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = String::new();
        other.read_to_string(&mut answer).unwrap();
        server.says("No \"Connection: upgrade\" header");

        drop(connect());
        server.says("Handshake not finished");

        run(async {
            // Gone without a close.
            drop(open(TcpStream::connect(address).await.unwrap()).await);
            server.says("Connection reset without closing handshake");

            // A frame that no client may send: it is not masked.
            let stream = TcpStream::connect(address).await.unwrap();
            let socket = open(stream).await;
            socket.get_ref().write_all(b"\x82\x01x").await.unwrap();
            server.says("Received an unmasked frame from client");
        });

        server.says("no handshake within 5s");
        assert_eq!((&silent).read(&mut [0]).unwrap_or(0), 0);
        converse(&format!("ws://{address}"), &[("hello", "hello")], NORMAL);
        server.assert_no_complaint();
    });
}

async fn open<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> WebSocketStream<S> {
    client_async("ws://localhost/", stream).await.unwrap().0
}

/// Sends `len` bytes in messages of many sizes, pings between them, and receives them at the same time.
async fn echoes<S: AsyncRead + AsyncWrite + Unpin>(socket: WebSocketStream<S>, len: usize) {
    let (mut sender, mut receiver) = socket.split();
    let send = async {
        let (mut random, mut pattern, mut left) = (Random(1), Pattern::default(), len);
        while left > 0 {
            let data = pattern.take(random.up_to(4 << 20).min(left));
            left -= data.len();
            sender.send(Message::binary(data)).await.unwrap();
            sender.feed(Message::Ping("still there?".into())).await.unwrap();
        }
        let frame = CloseFrame { code: CloseCode::Library(4000), reason: "that is all".into() };
        sender.send(Message::Close(Some(frame))).await.unwrap();
    };
    let receive = async {
        let (mut random, mut pattern, mut received) = (Random(1), Pattern::default(), 0);
        let (mut pings, mut pongs) = (0, 0);
        while let Some(message) = receiver.try_next().await.unwrap() {
            match message {
                Message::Binary(data) => {
                    assert_eq!(data.len(), random.up_to(4 << 20).min(len - received));
                    pattern.check(&data);
                    received += data.len();
                    pings += 1;
                }
                Message::Pong(data) => {
                    assert_eq!(data, "still there?");
                    pongs += 1;
                }
                Message::Close(frame) => {
                    assert_eq!(frame.unwrap().code, CloseCode::Library(4000));
                }
                other => panic!("{other:?}"),
            }
        }
        // Of several pings the last may be answered for all.
        assert!(0 < pongs && pongs <= pings, "{pongs} of {pings}");
        received
    };
    let ((), received) = runtime::join!(send, receive);
    assert_eq!(received, len);
}

/// Through small buffers, in four tasks; receives that are dropped before they are done lose nothing.
#[test]
fn both_ends_send_at_once() {
    const MESSAGES: usize = 300;
    const MOST: usize = 100_000;
    run(async {
        let listener = TcpSocket::new_v4().unwrap();
        listener.set_send_buffer_size(4096).unwrap();
        listener.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = listener.listen(1).unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(4096).unwrap();
        let stream = socket.connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let (client, server) = runtime::join!(open(stream), accept_async(accepted));
        let tasks = [client, server.unwrap()].map(|end| {
            let (sender, mut receiver) = end.split();
            let send = runtime::spawn(async move {
                let (mut random, mut pattern) = (Random(1), Pattern::default());
                for _ in 0..MESSAGES {
                    let message = Message::binary(pattern.take(random.up_to(MOST)));
                    sender.send(message).await.unwrap();
                }
                sender
            });
            let receive = runtime::spawn(async move {
                let (mut sizes, mut pattern) = (Random(1), Pattern::default());
                let mut random = Random(2);
                let mut received = 0;
                while received < MESSAGES {
                    let turns = random.below(4);
                    let next = runtime::select! {
                        biased;
                        next = receiver.try_next() => next,
                        () = async { for _ in 0..turns { yield_now().await } } => continue,
                    };
                    let message = next.unwrap().expect("the other end is open").into_data();
                    assert_eq!(message.len(), sizes.up_to(MOST));
                    pattern.check(&message);
                    received += 1;
                }
                receiver
            });
            (send, receive)
        });
        for (send, receive) in tasks {
            let _open = (send.await.unwrap(), receive.await.unwrap());
        }
    });
}

#[test]
fn a_gibibyte_goes_both_ways() {
    let (server, address) = Program::serve("websocket", &[]);
    run(async { echoes(open(TcpStream::connect(address).await.unwrap()).await, 1 << 30).await });
    // Of a message of 4 MiB there are some copies at a time.
    assert!(server.peak_memory() < 48 * 1024, "{} KiB", server.peak_memory());
    server.assert_no_complaint();
}

#[test]
fn a_quarter_of_it_goes_both_ways_through_tls() {
    let directory = Directory::new();
    let file = directory.file("server.pem");
    let (server, address) = Program::serve("websocket", &[&file]);
    run(async { echoes(open(secure(address, &file).await).await, 256 << 20).await });
    assert!(server.peak_memory() < 48 * 1024, "{} KiB", server.peak_memory());
    server.assert_no_complaint();
}

async fn secure(address: SocketAddr, file: &str) -> futures_rustls::client::TlsStream<TcpStream> {
    let config = ClientConfig::builder()
        .with_root_certificates(certificate::roots(file).unwrap())
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::from(address.ip());
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}
