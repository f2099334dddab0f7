//! Lines: a future that is dropped leaves what it has read of a line to the next.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use runtime::io::{Lines, ReadFd, WriteFd, lines};
use runtime::net::unix::pipe;
use runtime::net::{TcpListener, TcpStream, UnixStream};
use runtime::task::yield_now;

use crate::exercise::Wakes;
use crate::seeds::{Rng, for_seeds};

/// Some lines, most of them short.
fn text(rng: &mut Rng) -> Vec<String> {
    let line = |rng: &mut Rng| {
        let len = if rng.once_in(20) { 20_000 } else { 30 };
        let len = rng.below(len);
        (0..len).map(|_| char::from(b'a' + rng.below(26) as u8)).collect()
    };
    (0..60).map(|_| line(rng)).collect()
}

/// Sends the lines in pieces, with pauses between.
async fn send(writer: impl WriteFd, text: String, mut rng: Rng) {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let piece = &rest[..rest.len().min(1 + rng.below(2000))];
        let len = poll_fn(|cx| writer.poll_write(cx, piece)).await.unwrap();
        rest = &rest[len..];
        for _ in 0..rng.below(30) {
            yield_now().await;
        }
    }
}

/// The next line, unless its future is dropped before.
async fn perhaps<R: ReadFd>(lines: &mut Lines<R>, rng: &mut Rng) -> Option<Option<String>> {
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let by_hand = rng.once_in(4);
    let mut next: Pin<Box<dyn Future<Output = io::Result<Option<String>>>>> = match by_hand {
        true => Box::pin(poll_fn(|cx| lines.poll_next_line(cx))),
        false => Box::pin(lines.next_line()),
    };
    for _ in 0..rng.below(4) {
        if let Poll::Ready(line) = next.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(line.unwrap());
        }
        for _ in 0..rng.below(100) {
            yield_now().await;
        }
    }
    drop((next, waker));
    assert!(by_hand || wakes.are_over(), "its waker has stayed behind");
    None
}

async fn all_arrive(writer: impl WriteFd + 'static, reader: impl ReadFd, rng: &mut Rng) {
    let expected = text(rng);
    let sent = expected.iter().fold(String::new(), |text, line| text + line + "\n");
    let sender = runtime::spawn(send(writer, sent, rng.fork()));
    let mut lines = lines(reader);
    let mut received = Vec::new();
    loop {
        match perhaps(&mut lines, rng).await {
            None => yield_now().await,
            Some(None) => break,
            Some(Some(line)) => received.push(line),
        }
    }
    assert!(received == expected, "{} of {} lines", received.len(), expected.len());
    sender.await.unwrap();
}

#[test]
fn lines_of_every_stream() {
    for_seeds(30, async |rng| {
        let (sender, receiver) = pipe::pipe().unwrap();
        all_arrive(sender, receiver, rng).await;
        let (a, b) = UnixStream::pair().unwrap();
        all_arrive(a, b, rng).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        all_arrive(client, server, rng).await;
    });
}
