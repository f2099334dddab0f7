//! An HTTPS server: hyper over TLS, by tokio-rustls. It speaks HTTP/2 or HTTP/1.1, as the client can.
//!
//! Type `cargo run --example https`, and in another terminal
//! `curl --cacert target/localhost.pem https://localhost:8443`; with `-T FILE` behind it the file goes there
//! and comes back at the same time. Another address, and another file for the certificate that it makes
//! itself, go behind `--`. Ctrl-C ends it.

use std::convert::Infallible;
use std::env;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ecosystem::certificate;
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::Builder;
use runtime::hyper::{Executor, Timer};
use runtime::net::{TcpListener, TcpStream};
use runtime::time::timeout;
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);

#[runtime::main]
async fn main() -> io::Result<()> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:8443".to_string());
    let file = args.next().unwrap_or_else(|| "target/localhost.pem".to_string());
    let (certificate, key) = certificate::make(&file)?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(io::Error::other)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}, certificate in {file}", listener.local_addr()?);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("{error}");
                continue;
            }
        };
        let acceptor = acceptor.clone();
        runtime::spawn(async move {
            if let Err(error) = serve(acceptor, stream).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream) -> io::Result<()> {
    // hyper gathers what belongs together: it should not wait until what went before has arrived.
    stream.set_nodelay(true)?;
    let Ok(accepted) = timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await else {
        return Err(io::Error::other(format!("no TLS handshake within {HANDSHAKE_LIMIT:?}")));
    };
    let mut builder = Builder::new(Executor);
    builder.http1().timer(Timer);
    builder.http2().timer(Timer);
    // The stream of tokio-rustls has tokio's traits, and so needs the adapter; our own streams have hyper's.
    let connection = builder.serve_connection(TokioIo::new(accepted?), service_fn(answer));
    connection.await.map_err(io::Error::other)
}

/// What is sent comes back as it comes; who sends nothing is greeted.
async fn answer(
    request: Request<Incoming>,
) -> Result<Response<Either<Incoming, Full<Bytes>>>, Infallible> {
    let body = match *request.method() {
        Method::POST | Method::PUT => Either::Left(request.into_body()),
        _ => Either::Right(Full::from(format!("hello over {:?}\n", request.version()))),
    };
    Ok(Response::new(body))
}
