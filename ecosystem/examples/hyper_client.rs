//! An HTTP client on hyper-util's pool: one connection serves many requests, over HTTP/1 or HTTP/2.
//!
//! Type `cargo run --example hyper_client -- URL...`. The bodies go to standard output, a line about each
//! answer to standard error. With `--http2` before the URLs it speaks HTTP/2 without asking, and with `--put`
//! it sends standard input with the first of them, as it comes:
//!
//!     head -c 10M /dev/urandom | tee sent | cargo run --example hyper_client -- --put http://127.0.0.1:8080/echo | cmp - sent
//!
//! (`cargo run --example hyper_server` is a server for that.) What connects is [`Connector`], to copy: it is all
//! that hyper-util's client needs of a runtime besides `runtime::hyper`.

use std::env;
use std::error::Error;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{Method, Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use runtime::hyper::{Executor, Timer};
use runtime::io::{stdin, stdout};
use runtime::net::TcpStream;
use runtime::time::{Instant, timeout};
use tower::Service;

/// How long to wait for the head of an answer.
const PATIENCE: Duration = Duration::from_secs(30);
const BUFFER: usize = 64 * 1024;

type Body = UnsyncBoxBody<Bytes, io::Error>;

#[runtime::main]
async fn main() -> ExitCode {
    let (flags, urls): (Vec<_>, Vec<_>) =
        env::args().skip(1).partition(|arg| arg.starts_with("--"));
    let has = |flag: &str| flags.iter().any(|given| given == flag);
    if urls.is_empty() || flags.iter().any(|flag| flag != "--http2" && flag != "--put") {
        eprintln!("usage: hyper_client [--http2] [--put] URL...");
        return ExitCode::from(2);
    }
    let client = Client::builder(Executor)
        .timer(Timer)
        .pool_timer(Timer)
        .http2_only(has("--http2"))
        .build(Connector);
    let mut upload = has("--put");
    for url in urls {
        let upload = std::mem::take(&mut upload);
        if let Err(error) = fetch(&client, &url, upload).await {
            eprintln!("{url}: {}", in_full(&*error));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

async fn fetch(
    client: &Client<Connector, Body>,
    url: &str,
    upload: bool,
) -> Result<(), Box<dyn Error>> {
    let begin = Instant::now();
    let request = Request::builder().uri(url);
    let request = match upload {
        true => request.method(Method::PUT).body(standard_input())?,
        false => request.body(Empty::new().map_err(|never| match never {}).boxed_unsync())?,
    };
    let response = timeout(PATIENCE, client.request(request)).await??;
    let (head, mut body) = response.into_parts();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        // What is not data is trailers.
        if let Ok(data) = frame?.into_data() {
            stdout().write_all(&data).await?;
            length += data.len();
        }
    }
    eprintln!("{:?} {}, {length} bytes in {:?}: {url}", head.version, head.status, begin.elapsed());
    Ok(())
}

/// Standard input as a body whose length nobody knows.
fn standard_input() -> Body {
    let chunks = stream::try_unfold(stdin(), async |input| {
        let mut chunk = vec![0; BUFFER];
        let length = input.read(&mut chunk).await?;
        chunk.truncate(length);
        io::Result::Ok((length > 0).then(|| (Frame::data(Bytes::from(chunk)), input)))
    });
    StreamBody::new(chunks).boxed_unsync()
}

/// An error and what it comes from: hyper-util says only "client error (Connect)" of itself.
fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// Connects to the hosts of `http:` addresses.
#[derive(Clone)]
struct Connector;

impl Service<Uri> for Connector {
    type Response = HttpStream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<HttpStream>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(async move {
            if uri.scheme_str() != Some("http") {
                return Err(invalid("only http: is spoken here"));
            }
            let host = uri.host().ok_or_else(|| invalid("the address names no host"))?;
            // In an address, IPv6 stands in brackets.
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(80))).await?;
            stream.set_nodelay(true)?;
            Ok(HttpStream(stream))
        })
    }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

/// A stream of which hyper-util's client can ask what it is: over TLS it would say which HTTP was agreed on.
struct HttpStream(TcpStream);

impl Connection for HttpStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for HttpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl Write for HttpStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Write::poll_write(Pin::new(&mut self.0), cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Write::poll_write_vectored(Pin::new(&mut self.0), cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        Write::is_write_vectored(&self.0)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Write::poll_flush(Pin::new(&mut self.0), cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Write::poll_shutdown(Pin::new(&mut self.0), cx)
    }
}
