//! hyper's deadlines by our timer, on the test clock: nobody waits for them.

use std::convert::Infallible;
use std::time::Duration;

use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use runtime::hyper::{Executor, Timer};
use runtime::net::UnixStream;
use runtime::time::Instant;

const DEADLINE: Duration = Duration::from_secs(20);

async fn nothing(_: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    Ok(Response::new(Empty::new()))
}

/// Reads to the end; what the server says meanwhile is not looked at.
async fn ended(client: &UnixStream) {
    let mut said = Vec::new();
    client.read_to_end(&mut said).await.expect("an end");
}

#[runtime::test(start_paused = true)]
async fn the_head_of_a_request_is_not_waited_for_for_ever() {
    let (client, server) = UnixStream::pair().unwrap();
    let mut builder = http1::Builder::new();
    builder.timer(Timer).header_read_timeout(DEADLINE);
    let serving = runtime::spawn(builder.serve_connection(server, service_fn(nothing)));
    let begin = Instant::now();
    client.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    ended(&client).await;
    assert_eq!(begin.elapsed().as_secs(), DEADLINE.as_secs());
    assert!(serving.await.unwrap().unwrap_err().is_timeout());
}

#[runtime::test(start_paused = true)]
async fn who_is_still_there_but_silent_is_given_up() {
    let (client, server) = UnixStream::pair().unwrap();
    let mut builder = http2::Builder::new(Executor);
    builder.timer(Timer).keep_alive_interval(DEADLINE).keep_alive_timeout(DEADLINE);
    let serving = runtime::spawn(builder.serve_connection(server, service_fn(nothing)));
    let begin = Instant::now();
    // The preface and empty settings; after that, no answer to any ping.
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    ended(&client).await;
    assert_eq!(begin.elapsed().as_secs(), 2 * DEADLINE.as_secs());
    assert!(serving.await.unwrap().is_err());
}
