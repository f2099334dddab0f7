//! A WebSocket echo server, by async-tungstenite; with TLS, by futures-rustls.
//!
//! Type `cargo run --example websocket`, and in another terminal `cargo run --example websocket_client`; or
//! in the console of a browser's developer tools:
//!
//! ```js
//! let socket = new WebSocket("ws://127.0.0.1:7002");
//! socket.onmessage = (message) => console.log(message.data);
//! socket.onopen = () => socket.send("hello");
//! ```
//!
//! Another address goes behind `--`, and a file for its certificate behind that: then it speaks `wss`, as in
//! `cargo run --example websocket -- 127.0.0.1:7003 target/localhost.pem`. Ctrl-C ends it.

use std::env;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_tungstenite::tungstenite::Result;
use async_tungstenite::{WebSocketStream, accept_async};
use ecosystem::certificate;
use futures::future::Either;
use futures::{AsyncWriteExt, TryStreamExt};
use futures_rustls::TlsAcceptor;
use futures_rustls::server::TlsStream;
use runtime::net::{TcpListener, TcpStream};
use runtime::time::timeout;
use rustls::ServerConfig;

/// Both have the traits, and so has `Either`.
type Stream = Either<TcpStream, TlsStream<TcpStream>>;

const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);

#[runtime::main]
async fn main() -> io::Result<()> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:7002".to_string());
    let acceptor = args.next().map(|file| acceptor(&file)).transpose()?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
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

fn acceptor(file: &str) -> io::Result<TlsAcceptor> {
    let (certificate, key) = certificate::make(file)?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Sends every text and every block of bytes back. Pings are answered by the library as they are read, and
/// so is the client's close, after which nothing more comes.
async fn serve(acceptor: Option<TlsAcceptor>, stream: TcpStream) -> Result<()> {
    let Ok(accepted) = timeout(HANDSHAKE_LIMIT, accept(acceptor, stream)).await else {
        return Err(io::Error::other(format!("no handshake within {HANDSHAKE_LIMIT:?}")).into());
    };
    let mut socket = accepted?;
    while let Some(message) = socket.try_next().await? {
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    // TLS has an end of its own.
    Ok(socket.get_mut().close().await?)
}

async fn accept(
    acceptor: Option<TlsAcceptor>,
    stream: TcpStream,
) -> Result<WebSocketStream<Stream>> {
    // A message is one write, and should not wait until the last has arrived.
    stream.set_nodelay(true)?;
    let stream = match acceptor {
        None => Either::Left(stream),
        Some(acceptor) => Either::Right(acceptor.accept(stream).await?),
    };
    accept_async(stream).await
}
