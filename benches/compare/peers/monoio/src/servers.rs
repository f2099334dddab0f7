//! The servers: a task for each connection.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use monoio::io::{
    AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt, OwnedReadHalf, OwnedWriteHalf, Splitable,
};
use monoio::net::udp::UdpSocket;
use monoio::net::{TcpListener, TcpStream};
use monoio::spawn;
use monoio::time::timeout;
use program::{CHUNK, DATAGRAM, TIMEOUT, listening};

fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listening(listener.local_addr()?.port());
    Ok(listener)
}

async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

pub(crate) async fn echo(buffer: usize) -> io::Result<()> {
    let listener = listen()?;
    loop {
        let mut stream = accept(&listener).await?;
        spawn(async move {
            let mut buffer = vec![0; buffer];
            loop {
                let (n, filled) = stream.read(buffer).await;
                if n? == 0 {
                    return io::Result::Ok(());
                }
                let written;
                (written, buffer) = stream.write_all(filled).await;
                written?;
            }
        });
    }
}

pub(crate) async fn echo_with_timeouts(buffer: usize) -> io::Result<()> {
    let listener = listen()?;
    loop {
        let mut stream = accept(&listener).await?;
        spawn(async move {
            let mut buffer = vec![0; buffer];
            loop {
                let (n, filled) = timeout(TIMEOUT, stream.read(buffer)).await?;
                if n? == 0 {
                    return io::Result::Ok(());
                }
                let written;
                (written, buffer) = stream.write_all(filled).await;
                written?;
            }
        });
    }
}

pub(crate) async fn udp() -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    listening(socket.local_addr()?.port());
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let (received, filled) = socket.recv_from(buffer).await;
        let (_, from) = received?;
        let sent;
        (sent, buffer) = socket.send_to(filled, from).await;
        sent?;
    }
}

pub(crate) async fn proxy(upstream: u16) -> io::Result<()> {
    let listener = listen()?;
    loop {
        let client = accept(&listener).await?;
        spawn(async move {
            let server =
                TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, upstream))).await?;
            server.set_nodelay(true)?;
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            spawn(carry(from_client, to_server));
            carry(from_server, to_client).await
        });
    }
}

async fn carry(
    mut from: OwnedReadHalf<TcpStream>,
    mut to: OwnedWriteHalf<TcpStream>,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let (n, filled) = from.read(chunk).await;
        if n? == 0 {
            return to.shutdown().await;
        }
        let written;
        (written, chunk) = to.write_all(filled).await;
        written?;
    }
}
