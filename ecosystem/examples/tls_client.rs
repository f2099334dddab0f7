//! A TLS client for a terminal or a pipe, by tokio-rustls: what it reads goes to the server, and what comes
//! from there is printed.
//!
//! Type `cargo run --example tls_echo`, and in another terminal
//! `cargo run --example tls_client -- localhost:7443 target/localhost.pem`. The second argument is a file of
//! the certificates to trust. Without it they are those of Debian's `ca-certificates`, as in
//! `printf 'GET / HTTP/1.0\r\nHost: example.com\r\n\r\n' | cargo run --example tls_client -- example.com:443`.

use std::env;
use std::future::pending;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ecosystem::certificate;
use runtime::io::{stdin, stdout};
use runtime::net::TcpStream;
use runtime::time::timeout;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncWriteExt, copy, split};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const CONNECT_LIMIT: Duration = Duration::from_secs(10);

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

async fn talk() -> io::Result<()> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "localhost:7443".to_string());
    let file = args.next().unwrap_or_else(|| "/etc/ssl/certs/ca-certificates.crt".to_string());
    let config = ClientConfig::builder()
        .with_root_certificates(certificate::roots(&file)?)
        .with_no_client_auth();
    let connected = timeout(CONNECT_LIMIT, connect(&address, Arc::new(config))).await?;
    let stream =
        connected.map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
    let (mut reader, mut writer) = split(stream);
    let mut printed = stdout();
    runtime::select! {
        sent = async {
            copy(&mut stdin(), &mut writer).await?;
            // Tells the server that nothing more comes; what it has to say yet still does.
            writer.shutdown().await?;
            pending().await
        } => sent,
        received = copy(&mut reader, &mut printed) => received.map(drop),
    }?;
    // The server has ended first, perhaps: then it is told now.
    writer.shutdown().await
}

/// Connects, and sees that the server is the one that `address` names.
async fn connect(address: &str, config: Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
    let host = address.rsplit_once(':').map_or(address, |(host, _port)| host);
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_string());
    let name = name.map_err(io::Error::other)?;
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(config).connect(name, stream).await
}
