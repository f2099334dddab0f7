//! Workloads that serve.

use std::io;
use std::net::{Ipv4Addr, Shutdown};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use program::http::hello;
use program::{CHUNK, DATAGRAM, TIMEOUT, listening};
use smol::net::{TcpListener, TcpStream, UdpSocket};
use smol::prelude::*;
use smol::{LocalExecutor, future};
use smol_hyper::rt::FuturesIo;

use crate::timers::timeout;

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

pub(crate) async fn echo(executor: &LocalExecutor<'_>, buffer: usize) -> io::Result<()> {
    let listener = listen().await?;
    loop {
        let mut stream = accept(&listener).await?;
        let connection = async move {
            let mut buffer = vec![0; buffer];
            loop {
                let n = stream.read(&mut buffer).await?;
                if n == 0 {
                    return io::Result::Ok(());
                }
                stream.write_all(&buffer[..n]).await?;
            }
        };
        executor.spawn(connection).detach();
    }
}

pub(crate) async fn echo_with_timeout(
    executor: &LocalExecutor<'_>,
    buffer: usize,
) -> io::Result<()> {
    let listener = listen().await?;
    loop {
        let mut stream = accept(&listener).await?;
        let connection = async move {
            let mut buffer = vec![0; buffer];
            loop {
                let n = timeout(TIMEOUT, stream.read(&mut buffer)).await?;
                if n == 0 {
                    return io::Result::Ok(());
                }
                stream.write_all(&buffer[..n]).await?;
            }
        };
        executor.spawn(connection).detach();
    }
}

pub(crate) async fn udp() -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    listening(socket.local_addr()?.port());
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let (n, from) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..n], from).await?;
    }
}

pub(crate) async fn proxy(executor: &LocalExecutor<'_>, upstream: u16) -> io::Result<()> {
    let listener = listen().await?;
    loop {
        let client = accept(&listener).await?;
        let connection = async move {
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, upstream)).await?;
            server.set_nodelay(true)?;
            let there = pass_on(client.clone(), server.clone());
            let back = pass_on(server, client);
            future::try_zip(there, back).await
        };
        executor.spawn(connection).detach();
    }
}

async fn pass_on(mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let n = from.read(&mut chunk).await?;
        if n == 0 {
            return to.shutdown(Shutdown::Write);
        }
        to.write_all(&chunk[..n]).await?;
    }
}

pub(crate) async fn http(executor: &LocalExecutor<'_>) -> io::Result<()> {
    let listener = listen().await?;
    loop {
        let stream = FuturesIo::new(accept(&listener).await?);
        executor.spawn(http1::Builder::new().serve_connection(stream, service_fn(hello))).detach();
    }
}
