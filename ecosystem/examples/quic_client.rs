//! A QUIC client: sends its input on a stream, and prints what comes back. quinn, over `ecosystem::quinn`.
//!
//! Type `cargo run --example quic_server`, and in another terminal, in the same folder,
//! `cargo run --example quic_client`. Another address, and the file with the server's certificate, go behind
//! `--`, as in `cargo run --example quic_client -- 127.0.0.1:4433 quic.pem <file >copy`.

use std::env;
use std::error::Error;
use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use ecosystem::quinn::Runtime;
use quinn::{ClientConfig, Endpoint, EndpointConfig, RecvStream, SendStream};

#[runtime::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:4433".to_string());
    let certificate = args.next().unwrap_or_else(|| "quic.pem".to_string());
    let address: SocketAddr = address.parse()?;

    let socket = match address {
        SocketAddr::V4(_) => UdpSocket::bind("0.0.0.0:0")?,
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?,
    };
    let endpoint = Endpoint::new(EndpointConfig::default(), None, socket, Runtime::current())?;
    let known = Arc::new(ecosystem::certificate::roots(&certificate)?);
    let config = ClientConfig::with_root_certificates(known)?;

    let connection = endpoint.connect_with(config, address, "localhost")?.await?;
    let (send, recv) = connection.open_bi().await?;
    runtime::try_join!(input(send), output(recv))?;

    connection.close(0_u32.into(), b"done");
    endpoint.wait_idle().await;
    Ok(())
}

async fn input(mut send: SendStream) -> Result<(), Box<dyn Error>> {
    let stdin = runtime::io::stdin();
    let mut buf = vec![0; 64 * 1024];
    while let len @ 1.. = stdin.read(&mut buf).await? {
        send.write_all(&buf[..len]).await?;
    }
    send.finish()?;
    Ok(())
}

async fn output(mut recv: RecvStream) -> Result<(), Box<dyn Error>> {
    let stdout = runtime::io::stdout();
    let mut buf = vec![0; 64 * 1024];
    while let Some(len) = recv.read(&mut buf).await? {
        stdout.write_all(&buf[..len]).await?;
    }
    Ok(())
}
