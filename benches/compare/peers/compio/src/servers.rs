//! The servers: a task for each connection.
//!
//! A buffer is cleared before each read, as compio leaves its length alone if the bytes read are fewer.

use std::io;
use std::net::Ipv4Addr;

use compio::BufResult;
use compio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use compio::net::{TcpListener, TcpStream, UdpSocket};
use compio::runtime::spawn;
use compio::time::timeout;
use cyper_core::HyperStream;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use program::http::hello;
use program::{CHUNK, DATAGRAM, TIMEOUT, listening};

async fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    listening(listener.local_addr()?.port());
    Ok(listener)
}

async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

pub(crate) async fn echo(buffer: usize) -> io::Result<()> {
    let listener = listen().await?;
    loop {
        let mut stream = accept(&listener).await?;
        let task = spawn(async move {
            let mut buffer = Vec::with_capacity(buffer);
            loop {
                buffer.clear();
                let BufResult(n, filled) = stream.read(buffer).await;
                if n? == 0 {
                    return io::Result::Ok(());
                }
                let written;
                BufResult(written, buffer) = stream.write_all(filled).await;
                written?;
            }
        });
        task.detach();
    }
}

pub(crate) async fn echo_with_timeouts(buffer: usize) -> io::Result<()> {
    let listener = listen().await?;
    loop {
        let mut stream = accept(&listener).await?;
        let task = spawn(async move {
            let mut buffer = Vec::with_capacity(buffer);
            loop {
                buffer.clear();
                let read = timeout(TIMEOUT, stream.read(buffer)).await;
                let BufResult(n, filled) = read.map_err(io::Error::other)?;
                if n? == 0 {
                    return io::Result::Ok(());
                }
                let written;
                BufResult(written, buffer) = stream.write_all(filled).await;
                written?;
            }
        });
        task.detach();
    }
}

pub(crate) async fn udp() -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    listening(socket.local_addr()?.port());
    let mut buffer = Vec::with_capacity(DATAGRAM);
    loop {
        buffer.clear();
        let BufResult(received, filled) = socket.recv_from(buffer).await;
        let (_, from) = received?;
        let sent;
        BufResult(sent, buffer) = socket.send_to(filled, from).await;
        sent?;
    }
}

pub(crate) async fn proxy(upstream: u16) -> io::Result<()> {
    let listener = listen().await?;
    loop {
        let client = accept(&listener).await?;
        let task = spawn(async move {
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, upstream)).await?;
            server.set_nodelay(true)?;
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            spawn(carry(from_client, to_server)).detach();
            carry(from_server, to_client).await
        });
        task.detach();
    }
}

async fn carry(mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let mut chunk = Vec::with_capacity(CHUNK);
    loop {
        chunk.clear();
        let BufResult(n, filled) = from.read(chunk).await;
        if n? == 0 {
            return to.shutdown().await;
        }
        let written;
        BufResult(written, chunk) = to.write_all(filled).await;
        written?;
    }
}

pub(crate) async fn http() -> io::Result<()> {
    let listener = listen().await?;
    loop {
        let stream = HyperStream::new_plain(accept(&listener).await?);
        spawn(http1::Builder::new().serve_connection(stream, service_fn(hello))).detach();
    }
}
