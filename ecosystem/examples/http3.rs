//! An HTTP/3 server: greets who asks for anything by GET, and sends the body of a POST back. h3 on quinn, over
//! `ecosystem::quinn`.
//!
//! Type `cargo run --example http3`, and in another terminal, with the client of ngtcp2,
//! `gtlsclient -q 127.0.0.1 4433 https://localhost/`, or `curl --http3 --cacert quic.pem https://localhost:4433/` if
//! yours can. Another address, and a file for the certificate, go behind `--`, as in
//! `cargo run --example http3 -- 127.0.0.1:4433 quic.pem`.

use std::env;
use std::error::Error;
use std::net::UdpSocket;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use ecosystem::quinn::Runtime;
use h3::server::RequestResolver;
use http::{Method, Response};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, EndpointConfig, Incoming, ServerConfig};

#[runtime::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:4433".to_string());
    let certificate = args.next().unwrap_or_else(|| "quic.pem".to_string());
    let socket = UdpSocket::bind(address)?;
    let config = Some(server_config(&certificate)?);
    let endpoint = Endpoint::new(EndpointConfig::default(), config, socket, Runtime::current())?;
    println!("listening on {}", endpoint.local_addr()?);
    while let Some(incoming) = endpoint.accept().await {
        let peer = incoming.remote_address();
        runtime::spawn(async move {
            if let Err(error) = serve(incoming).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
    Ok(())
}

/// With a new key, whose certificate clients find in a file.
fn server_config(certificate: &str) -> Result<ServerConfig, Box<dyn Error>> {
    let (certificate, key) = ecosystem::certificate::make(certificate)?;
    let mut tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    tls.alpn_protocols = vec![b"h3".to_vec()];
    Ok(ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?)))
}

/// One task for each request of a connection.
async fn serve(incoming: Incoming) -> Result<(), Box<dyn Error>> {
    let connection = h3_quinn::Connection::new(incoming.await?);
    let mut connection = h3::server::Connection::new(connection).await?;
    loop {
        match connection.accept().await {
            Ok(Some(request)) => runtime::spawn(async move {
                if let Err(error) = answer(request).await {
                    eprintln!("{error}");
                }
            }),
            Ok(None) => return Ok(()),
            Err(error) if error.is_h3_no_error() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
    }
}

async fn answer(
    request: RequestResolver<h3_quinn::Connection, Bytes>,
) -> Result<(), h3::error::StreamError> {
    let (request, mut stream) = request.resolve_request().await?;
    stream.send_response(Response::new(())).await?;
    if request.method() == Method::POST {
        while let Some(mut data) = stream.recv_data().await? {
            stream.send_data(data.copy_to_bytes(data.remaining())).await?;
        }
    } else {
        stream.send_data(Bytes::from(format!("hello from {}\n", request.uri().path()))).await?;
    }
    stream.finish().await
}
