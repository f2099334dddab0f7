//! tokio-util's codecs on this runtime: the store of lines against nc and socat, frames of a length over each
//! stream, and the adapters between the traits of futures-io and of tokio.

mod support;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::{Command, Stdio};
use std::thread;

use bytes::Bytes;
use futures::io::{AsyncBufReadExt, AsyncReadExt};
use futures::{SinkExt, StreamExt, TryStreamExt, stream};
use runtime::net::{TcpListener, TcpStream, UnixStream};
use support::{Pattern, Program, installed, limited, run};
use tokio_util::codec::{Framed, FramedRead, FramedWrite, LengthDelimitedCodec, LinesCodec};
use tokio_util::compat::{FuturesAsyncReadCompatExt, TokioAsyncReadCompatExt};

/// What a program that copies between a connection and its own streams gets for `typed`.
fn type_to(command: &mut Command, typed: &[u8]) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = limited(|| {
        thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(typed).unwrap());
            child.wait_with_output().unwrap()
        })
    });
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_store_answers_nc_and_socat() {
    let (store, address) = Program::serve("lines_store", &[]);
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    if installed("netcat-openbsd", Command::new("nc").arg("-h")) {
        let answers = type_to(
            Command::new("nc").args(["-N", &ip, &port]),
            b"set name some words\r\nget name\nget other\nkeys\nhello\n",
        );
        assert_eq!(
            answers,
            "stored\nvalue some words\nnothing\nkeys name\nset KEY VALUE, get KEY, or keys\n"
        );
    }
    if installed("socat", Command::new("socat").arg("-V")) {
        // The last line is not ended; and the store is everybody's.
        let mut socat = Command::new("socat");
        socat.args(["-t", "1000", "-", &format!("TCP:{address}")]);
        assert_eq!(type_to(&mut socat, b"set other x\nkeys"), "stored\nkeys name other\n");
    }
    store.assert_no_complaint();
}

#[test]
fn the_store_keeps_up_with_who_sends_much() {
    const LINES: usize = 100_000;
    let (store, address) = Program::serve("lines_store", &[]);
    run(async {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut questions, answers) = Framed::new(stream, LinesCodec::new()).split();
        let ask = async {
            let mut lines = stream::iter((0..LINES).map(|n| Ok(format!("set {n} {n}"))));
            questions.send_all(&mut lines).await.unwrap();
        };
        let read = async {
            let stored = answers.take(LINES).map(|answer| answer.unwrap() == "stored");
            assert!(stored.all(|stored| async move { stored }).await);
        };
        runtime::join!(ask, read);
    });
    store.assert_no_complaint();
}

#[test]
fn the_store_refuses_long_lines() {
    let (store, address) = Program::serve("lines_store", &[]);
    run(async {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&[b'x'; 1025]).await.unwrap();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    });
    store.says("max line length exceeded");
    store.assert_no_complaint();
}

/// Frames of all sizes, each with bytes of its own.
fn frames() -> Vec<Bytes> {
    let mut pattern = Pattern::default();
    let sizes = [0, 1, 3, 4, 5, 8191, 8192, 8193, 100_000, 4 << 20];
    sizes.iter().cycle().take(30).map(|&size| pattern.take(size).into()).collect()
}

fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(4 << 20).new_codec()
}

#[test]
fn frames_go_both_ways_at_once() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (a, b) =
            runtime::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let (a, b) = (a.unwrap(), b.unwrap().0);
        // One by its halves, one whole.
        let (read, write) = a.into_split();
        let (mut read, write) = (FramedRead::new(read, codec()), FramedWrite::new(write, codec()));
        let echo = async {
            let (sink, frames) = Framed::new(b, codec()).split();
            frames.map_ok(|frame| frame.freeze()).forward(sink).await.unwrap();
        };
        let send = async {
            stream::iter(frames()).map(Ok).forward(write).await.unwrap();
        };
        let receive = async {
            for frame in frames() {
                let echoed = read.next().await.unwrap().unwrap();
                assert!(echoed == frame, "not the bytes that were sent");
            }
            assert!(read.next().await.is_none());
        };
        runtime::join!(echo, send, receive);
    });
}

/// A peer that knows no frames, and writes a byte at a time.
#[test]
fn frames_in_pieces() {
    let (ours, mut theirs) = StdUnixStream::pair().unwrap();
    let peer = thread::spawn(move || {
        for byte in b"\0\0\0\x05hello\0\0\0\0\0\0\0\x05wor" {
            theirs.write_all(&[*byte]).unwrap();
        }
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        let mut sent = vec![];
        theirs.read_to_end(&mut sent).unwrap();
        sent
    });
    run(async {
        let mut frames = Framed::new(UnixStream::from_std(ours).unwrap(), codec());
        frames.send(Bytes::from("hi")).await.unwrap();
        assert_eq!(frames.next().await.unwrap().unwrap()[..], *b"hello");
        assert_eq!(frames.next().await.unwrap().unwrap()[..], *b"");
        let cut = frames.next().await.unwrap().unwrap_err();
        assert_eq!(cut.to_string(), "bytes remaining on stream");
    });
    assert_eq!(limited(|| peer.join().unwrap()), b"\0\0\0\x02hi");
}

#[test]
fn frames_that_are_too_long_are_refused() {
    run(async {
        let (a, b) = UnixStream::pair().unwrap();
        a.write_all(b"\xff\xff\xff\xff").await.unwrap();
        let error = Framed::new(b, codec()).next().await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "frame size too big");
    });
}

/// Our streams have both kinds of traits; what wraps them may have one only.
#[test]
fn adapters_between_the_traits() {
    run(async {
        let (a, b) = UnixStream::pair().unwrap();
        // futures-io's reader to a codec, and tokio's to futures.
        let reader = futures::io::BufReader::new(a).compat();
        let mut lines = Framed::new(reader, LinesCodec::new());
        let mut stream = futures::io::BufReader::new(tokio::io::BufStream::new(b).compat());

        lines.send("one").await.unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        assert_eq!(line, "one\n");

        futures::AsyncWriteExt::write_all(&mut stream, b"two\nthree").await.unwrap();
        futures::AsyncWriteExt::close(&mut stream).await.unwrap();
        let got: Vec<String> = (&mut lines).map(Result::unwrap).collect().await;
        assert_eq!(got, ["two", "three"]);

        drop(lines);
        let mut rest = vec![];
        stream.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"");
    });
}
