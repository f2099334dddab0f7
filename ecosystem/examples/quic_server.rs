//! A QUIC echo server: what a client sends on a stream comes back on it. quinn, over `ecosystem::quinn`.
//!
//! Type `cargo run --example quic_server`, and in another terminal `cargo run --example quic_client`: each
//! line comes back. Another address, and a file for the certificate, go behind `--`, as in
//! `cargo run --example quic_server -- 127.0.0.1:4433 quic.pem`. Ctrl-C closes all connections and ends it.

use std::env;
use std::error::Error;
use std::net::UdpSocket;

use ecosystem::quinn::Runtime;
use quinn::{Connection, Endpoint, EndpointConfig, RecvStream, SendStream, ServerConfig};

#[runtime::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:4433".to_string());
    let certificate = args.next().unwrap_or_else(|| "quic.pem".to_string());

    let config = Some(server_config(&certificate)?);
    let socket = UdpSocket::bind(address)?;
    let endpoint = Endpoint::new(EndpointConfig::default(), config, socket, Runtime::current())?;
    println!("listening on {}", endpoint.local_addr()?);

    loop {
        runtime::select! {
            incoming = endpoint.accept() => {
                let Some(incoming) = incoming else { break };
                let peer = incoming.remote_address();
                runtime::spawn(async move {
                    let served = async { serve(incoming.await?).await };
                    if let Err(error) = served.await {
                        eprintln!("{peer}: {error}");
                    }
                });
            }
            _ = runtime::signal::ctrl_c() => break,
        }
    }
    endpoint.close(0_u32.into(), b"the server ends");
    endpoint.wait_idle().await;
    Ok(())
}

/// With a new key, whose certificate clients find in a file.
fn server_config(certificate: &str) -> Result<ServerConfig, Box<dyn Error>> {
    let (certificate, key) = ecosystem::certificate::make(certificate)?;
    Ok(ServerConfig::with_single_cert(vec![certificate], key)?)
}

/// One task for each stream of a connection.
async fn serve(connection: Connection) -> Result<(), quinn::ConnectionError> {
    use quinn::ConnectionError::{ApplicationClosed, LocallyClosed};
    loop {
        match connection.accept_bi().await {
            Ok((send, recv)) => {
                let peer = connection.remote_address();
                runtime::spawn(async move {
                    if let Err(error) = echo(send, recv).await {
                        eprintln!("{peer}: {error}");
                    }
                });
            }
            Err(ApplicationClosed(_) | LocallyClosed) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

async fn echo(mut send: SendStream, mut recv: RecvStream) -> Result<(), Box<dyn Error>> {
    while let Some(chunk) = recv.read_chunk(usize::MAX, true).await? {
        send.write_chunk(chunk.bytes).await?;
    }
    send.finish()?;
    Ok(())
}
