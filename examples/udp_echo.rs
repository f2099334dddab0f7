//! A UDP echo server, one task for all who send.
//!
//! Type `cargo run --example udp_echo`, and in another terminal `nc -u 127.0.0.1 7004`: each line comes back.
//! Another address goes behind `--`.

use std::env;
use std::io;

use runtime::net::UdpSocket;

#[runtime::main]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7004".to_string());
    let socket = UdpSocket::bind(address).await?;
    println!("listening on {}", socket.local_addr()?);
    // As large as a datagram can be: what is longer than the buffer would be cut off.
    let mut buf = vec![0; 65_536];
    loop {
        // An error is of one datagram, such as the news that nobody has received our answer.
        match echo(&socket, &mut buf).await {
            Ok(()) => {}
            Err(error) => eprintln!("{error}"),
        }
    }
}

async fn echo(socket: &UdpSocket, buf: &mut [u8]) -> io::Result<()> {
    let (len, peer) = socket.recv_from(buf).await?;
    socket.send_to(&buf[..len], peer).await?;
    Ok(())
}
