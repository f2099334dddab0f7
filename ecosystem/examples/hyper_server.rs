//! An HTTP server on hyper: HTTP/1 and HTTP/2 on one port, and a clean end.
//!
//! Type `cargo run --example hyper_server`, or with an address, as `127.0.0.1:8080`, which is where it listens
//! otherwise. From another terminal, with or without `--http2-prior-knowledge`:
//!
//! - `curl http://127.0.0.1:8080/` says hello;
//! - `curl -T FILE http://127.0.0.1:8080/echo` sends a body, and has it back while it is still being sent;
//! - `curl http://127.0.0.1:8080/wait/3000` is answered after three seconds;
//! - `curl http://127.0.0.1:8080/requests` says how many requests there were;
//! - `h2load -n 100000 -c 64 -m 10 http://127.0.0.1:8080/` sends many.
//!
//! On Ctrl-C or SIGTERM it accepts nothing more, finishes the requests that it has begun to answer, for at most
//! half a minute, and ends.

use std::cell::Cell;
use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::io;
use std::rc::{Rc, Weak};
use std::time::Duration;

use http_body_util::{Either, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::CONTENT_LENGTH;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use runtime::hyper::{Executor, Timer};
use runtime::net::{TcpListener, TcpStream};
use runtime::signal::unix::{SignalKind, signal};
use runtime::time::{sleep, timeout};
use runtime::{select, spawn};

/// How long a client may take to send a request's head, or say nothing between two requests.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long requests may take that have begun when the server is told to end.
const GRACE: Duration = Duration::from_secs(30);

#[runtime::main]
async fn main() -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);

    let site = Rc::new(Site::default());
    let server = Rc::new(server());
    let connections = Rc::new(GracefulShutdown::new());
    loop {
        let (stream, client) = select! {
            accepted = listener.accept() => accepted?,
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        };
        let serving = serve(stream, site.clone(), server.clone(), Rc::downgrade(&connections));
        spawn(async move {
            // What goes wrong with one connection is nothing to the others.
            if let Err(error) = serving.await {
                eprintln!("{client}: {error}");
            }
        });
    }

    drop(listener);
    let connections = Rc::into_inner(connections).expect("the tasks have weak references");
    if timeout(GRACE, connections.shutdown()).await.is_err() {
        eprintln!("some requests took longer than {GRACE:?} and are given up");
    }
    Ok(())
}

fn server() -> auto::Builder<Executor> {
    let mut server = auto::Builder::new(Executor);
    server.http1().timer(Timer).header_read_timeout(PATIENCE);
    server.http2().timer(Timer).keep_alive_interval(PATIENCE);
    server
}

async fn serve(
    stream: TcpStream,
    site: Rc<Site>,
    server: Rc<auto::Builder<Executor>>,
    connections: Weak<GracefulShutdown>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    // hyper writes what belongs together at once; the kernel need not wait for more.
    stream.set_nodelay(true)?;
    // Before the first byte hyper does not know which HTTP it will be, and sets no deadline.
    timeout(PATIENCE, stream.readable()).await??;
    let service = service_fn(move |request| site.clone().answer(request));
    let connection = server.serve_connection(stream, service);
    match connections.upgrade().map(|connections| connections.watch(connection)) {
        Some(connection) => connection.await,
        None => Ok(()), // The server ends, and this client has asked for nothing yet.
    }
}

type Body = Either<Full<Bytes>, Incoming>;

/// What the answers share: without a lock, since all of them are made on this thread.
#[derive(Default)]
struct Site {
    requests: Cell<u64>,
}

impl Site {
    async fn answer(
        self: Rc<Site>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        self.requests.set(self.requests.get() + 1);
        let only_the_head = request.method() == Method::HEAD;
        let mut response = self.page(request).await;
        // Over HTTP/1 hyper leaves the body out by itself.
        if only_the_head {
            if let Some(length) = response.body().size_hint().exact() {
                response.headers_mut().insert(CONTENT_LENGTH, length.into());
            }
            *response.body_mut() = Either::Left(Full::default());
        }
        Ok(response)
    }

    async fn page(&self, request: Request<Incoming>) -> Response<Body> {
        match request.uri().path() {
            "/" => text(StatusCode::OK, "hello\n"),
            "/echo" => Response::new(Either::Right(request.into_body())),
            "/requests" => text(StatusCode::OK, format!("{}\n", self.requests.get())),
            path => match path.strip_prefix("/wait/").map(str::parse) {
                Some(Ok(milliseconds)) => {
                    sleep(Duration::from_millis(milliseconds)).await;
                    text(StatusCode::OK, "here you are\n")
                }
                Some(Err(_)) => text(StatusCode::BAD_REQUEST, "wait how many milliseconds?\n"),
                None => text(StatusCode::NOT_FOUND, "nothing is here\n"),
            },
        }
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(text.into())));
    *response.status_mut() = status;
    response
}
