//! The clean end of `hyper_server`: it finishes what it has begun, and nothing else.

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use futures::{Stream, StreamExt};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, Version};
use runtime::hyper::Executor;
use runtime::time::timeout;

use crate::program::{LIMIT, Server, within_limit};

/// Begins a request, whose body is given piece by piece.
async fn begin(
    address: SocketAddr,
    version: Version,
    pieces: impl Stream<Item = Bytes> + Send + Unpin + 'static,
) -> Response<Incoming> {
    let body = StreamBody::new(pieces.map(|piece| Ok::<_, Infallible>(Frame::data(piece))));
    let request = Request::post(format!("http://{address}/echo")).body(body).expect("a request");
    let stream = runtime::net::TcpStream::connect(address).await.expect("it listens");
    let answer = if version == Version::HTTP_2 {
        let (mut sender, connection) =
            http2::handshake(Executor, stream).await.expect("a handshake");
        runtime::spawn(connection);
        sender.send_request(request).await
    } else {
        let (mut sender, connection) = http1::handshake(stream).await.expect("a handshake");
        runtime::spawn(connection);
        sender.send_request(request).await
    };
    answer.expect("the head of an answer")
}

async fn next(body: &mut Incoming) -> Bytes {
    let frame = body.frame().await.expect("another piece").expect("no error");
    frame.into_data().expect("data")
}

fn finishes_what_it_began(version: Version, signal: &str) {
    let server = Server::start("hyper_server");
    let connect = || TcpStream::connect(server.address);

    // One that waits for its next request, and one that never sends any.
    let (mut waiting, mut silent) = (connect().unwrap(), connect().unwrap());
    for stream in [&waiting, &silent] {
        stream.set_read_timeout(Some(LIMIT)).expect("an option");
    }
    waiting.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"hello\n") {
        let mut buffer = [0; 256];
        let length = waiting.read(&mut buffer).expect("the answer");
        assert_ne!(length, 0, "it ended: {answer:?}");
        answer.extend_from_slice(&buffer[..length]);
    }

    let exchange = async {
        let (sender, pieces) = async_channel::unbounded();
        sender.send(Bytes::from_static(b"before")).await.unwrap();
        let mut body = begin(server.address, version, Box::pin(pieces)).await.into_body();
        assert_eq!(next(&mut body).await, "before");

        server.signal(signal);
        // It refuses as soon as it has heard; the system may accept for it until then.
        let refusal = within_limit(|| match connect() {
            Ok(_) => None,
            Err(error) => Some(error.kind()),
        });
        assert_eq!(refusal, io::ErrorKind::ConnectionRefused);
        assert_eq!(waiting.read(&mut [0]).expect("its end"), 0);

        sender.send(Bytes::from_static(b"after")).await.unwrap();
        assert_eq!(next(&mut body).await, "after");
        drop(sender);
        let rest = body.collect().await.expect("an end").to_bytes();
        assert!(rest.is_empty(), "{rest:?}");
    };
    runtime::block_on(async { timeout(LIMIT, exchange).await.expect("no hang") });
    let status = server.wait();
    assert!(status.success(), "{status}");
    // What the system has accepted and nobody read from is reset.
    assert!(matches!(silent.read(&mut [0]), Ok(0) | Err(_)));
}

#[test]
fn a_request_of_http1_in_flight_is_finished() {
    finishes_what_it_began(Version::HTTP_11, "TERM");
}

#[test]
fn a_request_of_http2_in_flight_is_finished() {
    finishes_what_it_began(Version::HTTP_2, "INT");
}
