//! The servers: a task for each connection.

use std::io;
use std::net::Ipv4Addr;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use program::http::hello;
use program::{DATAGRAM, TIMEOUT, listening};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::flavor::spawn;

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
        spawn(async move {
            let mut buffer = vec![0; buffer];
            loop {
                let n = stream.read(&mut buffer).await?;
                if n == 0 {
                    return io::Result::Ok(());
                }
                stream.write_all(&buffer[..n]).await?;
            }
        });
    }
}

pub(crate) async fn echo_with_timeouts(buffer: usize) -> io::Result<()> {
    let listener = listen().await?;
    loop {
        let mut stream = accept(&listener).await?;
        spawn(async move {
            let mut buffer = vec![0; buffer];
            loop {
                let n = timeout(TIMEOUT, stream.read(&mut buffer)).await??;
                if n == 0 {
                    return io::Result::Ok(());
                }
                stream.write_all(&buffer[..n]).await?;
            }
        });
    }
}

pub(crate) async fn udp() -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    listening(socket.local_addr()?.port());
    let mut buffer = [0; DATAGRAM];
    loop {
        let (n, from) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..n], from).await?;
    }
}

pub(crate) async fn proxy(upstream: u16) -> io::Result<()> {
    let listener = listen().await?;
    loop {
        let mut client = accept(&listener).await?;
        spawn(async move {
            let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, upstream)).await?;
            server.set_nodelay(true)?;
            copy_bidirectional(&mut client, &mut server).await
        });
    }
}

pub(crate) async fn http() -> io::Result<()> {
    let listener = listen().await?;
    loop {
        let stream = TokioIo::new(accept(&listener).await?);
        spawn(http1::Builder::new().serve_connection(stream, service_fn(hello)));
    }
}

pub(crate) async fn http2() -> io::Result<()> {
    let listener = listen().await?;
    loop {
        let stream = TokioIo::new(accept(&listener).await?);
        let server = http2::Builder::new(TokioExecutor::new());
        spawn(server.serve_connection(stream, service_fn(hello)));
    }
}
