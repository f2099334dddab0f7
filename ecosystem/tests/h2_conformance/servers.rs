//! The same server twice: on this runtime, and on tokio. Each has a thread, and ends with the test.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};

/// As many streams as a connection may have at once.
pub(crate) const STREAMS_MAX: u32 = 10;
/// The window of a connection and of each stream, which is also the one it begins with.
pub(crate) const WINDOW: usize = 65_535;
/// How many bytes `/long` has.
pub(crate) const LONG: usize = 200_000;

async fn answer(
    request: Request<Incoming>,
) -> Result<Response<Either<Full<Bytes>, Incoming>>, Infallible> {
    let body = match request.uri().path() {
        "/echo" => Either::Right(request.into_body()),
        "/long" => Either::Left(Full::from(vec![7; LONG])),
        // It neither reads nor answers.
        "/hold" => pending().await,
        _ => Either::Left(Full::from("hello")),
    };
    Ok(Response::new(body))
}

fn configure<E>(builder: &mut http2::Builder<E>) {
    builder
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(WINDOW as u32)
        .initial_connection_window_size(WINDOW as u32);
}

pub(crate) fn ours() -> SocketAddr {
    in_thread(|address| {
        runtime::block_on(async {
            let listener = runtime::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            address.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let mut builder = http2::Builder::new(runtime::hyper::Executor);
                configure(&mut builder);
                runtime::spawn(builder.serve_connection(stream, service_fn(answer)));
            }
        })
    })
}

pub(crate) fn tokio() -> SocketAddr {
    in_thread(|address| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            address.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let mut builder = http2::Builder::new(TokioExecutor::new());
                configure(&mut builder);
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), service_fn(answer)));
            }
        })
    })
}

fn in_thread(serve: fn(mpsc::Sender<SocketAddr>)) -> SocketAddr {
    let (sender, address) = mpsc::channel();
    thread::spawn(move || serve(sender));
    address.recv().expect("it listens")
}
