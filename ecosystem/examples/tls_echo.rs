//! A TLS echo server, by futures-rustls.
//!
//! Type `cargo run --example tls_echo`, and in another terminal
//! `openssl s_client -quiet -connect localhost:7443 -CAfile target/localhost.pem`, or
//! `cargo run --example tls_client -- localhost:7443 target/localhost.pem`: each line comes back. Another
//! address, and another file for the certificate that it makes itself, go behind `--`. Ctrl-C ends it.

use std::env;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ecosystem::certificate;
use futures::{AsyncReadExt, AsyncWriteExt};
use futures_rustls::TlsAcceptor;
use runtime::net::{TcpListener, TcpStream};
use runtime::time::timeout;
use rustls::ServerConfig;

/// Who connects and says nothing is gone after this.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);

#[runtime::main]
async fn main() -> io::Result<()> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:7443".to_string());
    let file = args.next().unwrap_or_else(|| "target/localhost.pem".to_string());
    let (certificate, key) = certificate::make(&file)?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(io::Error::other)?;
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
            if let Err(error) = echo(acceptor, stream).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

/// Goes on until the client has said that nothing more comes, then says the same.
async fn echo(acceptor: TlsAcceptor, stream: TcpStream) -> io::Result<()> {
    let Ok(accepted) = timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await else {
        return Err(io::Error::other(format!("no TLS handshake within {HANDSHAKE_LIMIT:?}")));
    };
    let mut stream = accepted?;
    let mut buf = vec![0; 16 * 1024];
    while let len @ 1.. = stream.read(&mut buf).await? {
        stream.write_all(&buf[..len]).await?;
        // The end of a write that the socket had no room for waits in the session. Nobody would send it
        // while this task waits for the client, which may be waiting for it.
        stream.flush().await?;
    }
    stream.close().await
}
