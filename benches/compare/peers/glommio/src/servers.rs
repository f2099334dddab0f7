//! The servers: a task for each connection.

use std::io;
use std::net::Ipv4Addr;

use futures_lite::io::{ReadHalf, WriteHalf, split};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::net::{TcpListener, TcpStream, UdpSocket};
use glommio::spawn_local;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use program::http::hello;
use program::{CHUNK, DATAGRAM, TIMEOUT, listening};

use crate::hyper_io::HyperIo;

fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listening(listener.local_addr()?.port());
    Ok(listener)
}

async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let stream = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

pub(crate) async fn echo(buffer: usize) -> io::Result<()> {
    let listener = listen()?;
    loop {
        spawn_local(echo_one(accept(&listener).await?, buffer)).detach();
    }
}

/// glommio's way to a timeout around each read is to say so once.
pub(crate) async fn echo_with_timeouts(buffer: usize) -> io::Result<()> {
    let listener = listen()?;
    loop {
        let stream = accept(&listener).await?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        spawn_local(echo_one(stream, buffer)).detach();
    }
}

async fn echo_one(mut stream: TcpStream, buffer: usize) -> io::Result<()> {
    let mut buffer = vec![0; buffer];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n]).await?;
    }
}

pub(crate) async fn udp() -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    listening(socket.local_addr()?.port());
    let mut buffer = [0; DATAGRAM];
    loop {
        let (n, from) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..n], from).await?;
    }
}

pub(crate) async fn proxy(upstream: u16) -> io::Result<()> {
    let listener = listen()?;
    loop {
        let client = accept(&listener).await?;
        let task = spawn_local(async move {
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, upstream)).await?;
            server.set_nodelay(true)?;
            let (from_client, to_client) = split(client);
            let (from_server, to_server) = split(server);
            spawn_local(carry(from_client, to_server)).detach();
            carry(from_server, to_client).await
        });
        task.detach();
    }
}

async fn carry(mut from: ReadHalf<TcpStream>, mut to: WriteHalf<TcpStream>) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let n = from.read(&mut chunk).await?;
        if n == 0 {
            return to.close().await;
        }
        to.write_all(&chunk[..n]).await?;
    }
}

pub(crate) async fn http() -> io::Result<()> {
    let listener = listen()?;
    loop {
        let stream = HyperIo::new(accept(&listener).await?);
        spawn_local(http1::Builder::new().serve_connection(stream, service_fn(hello))).detach();
    }
}
