//! A WebSocket client for a terminal or a pipe, by async-tungstenite; with TLS, by futures-rustls. Each line
//! that it reads is a message, and the messages that come are printed.
//!
//! Type `cargo run --example websocket`, and in another terminal `cargo run --example websocket_client`.
//! Another server goes behind `--`, as in `cargo run --example websocket_client -- wss://example.com/chat`, and
//! behind that a file of the certificates to trust, if it is not to be that of Debian's `ca-certificates`.

use std::env;
use std::error::Error;
use std::future::pending;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_tungstenite::tungstenite::protocol::CloseFrame;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::{Message, Result, Utf8Bytes};
use async_tungstenite::{WebSocketStream, client_async};
use ecosystem::certificate;
use futures::TryStreamExt;
use futures::future::Either;
use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use http::Uri;
use runtime::io::{lines, stdin, stdout};
use runtime::net::TcpStream;
use runtime::time::timeout;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Both have the traits, and so has `Either`.
type Stream = Either<TcpStream, TlsStream<TcpStream>>;

#[runtime::main]
async fn main() -> ExitCode {
    match talk().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Until the server has said that it ends, or has answered that we do.
async fn talk() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "ws://127.0.0.1:7002".to_string());
    let file = args.next().unwrap_or_else(|| "/etc/ssl/certs/ca-certificates.crt".to_string());
    let url = url.parse()?;
    let connected = timeout(CONNECT_LIMIT, connect(&url, &file)).await?;
    let (sender, mut receiver) = connected?.split();
    runtime::select! {
        sent = async {
            let mut lines = lines(stdin());
            while let Some(line) = lines.next_line().await? {
                sender.send(Message::text(line)).await?;
            }
            // It fails if the server has closed first. What it has sent until then, or until it answers, is
            // still to be printed.
            let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
            let _ = sender.close(Some(frame)).await;
            pending().await
        } => sent,
        received = async {
            while let Some(message) = receiver.try_next().await? {
                print(message).await?;
            }
            Ok(())
        } => received,
    }
}

async fn connect(url: &Uri, file: &str) -> Result<WebSocketStream<Stream>> {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let secure = url.scheme_str() == Some("wss");
    let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    let stream = if secure {
        let config = ClientConfig::builder()
            .with_root_certificates(certificate::roots(file)?)
            .with_no_client_auth();
        let name = ServerName::try_from(host.to_string()).map_err(io::Error::other)?;
        Either::Right(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
    } else {
        Either::Left(stream)
    };
    let (socket, _response) = client_async(url, stream).await?;
    Ok(socket)
}

async fn print(message: Message) -> io::Result<()> {
    let line = match message {
        Message::Text(text) => format!("{text}\n"),
        Message::Binary(bytes) => format!("({} bytes)\n", bytes.len()),
        Message::Close(Some(frame)) => {
            format!("(closed with {}: {:?})\n", frame.code, frame.reason.as_str())
        }
        _ => return Ok(()),
    };
    stdout().write_all(line.as_bytes()).await
}
