//! Workloads that serve.

use std::io;
use std::net::{Ipv4Addr, Shutdown};

use futures_lite::future;
use futures_lite::io::{AsyncReadExt, AsyncWriteExt};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use program::http::hello;
use program::{CHUNK, DATAGRAM, TIMEOUT, listening};
use smol_hyper::rt::FuturesIo;
use zruntime::LocalRuntime;
use zruntime::net::{TcpListener, TcpStream, UdpSocket};

fn listen(runtime: &LocalRuntime) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(runtime, (Ipv4Addr::LOCALHOST, 0))?;
    listening(listener.local_addr()?.port());
    Ok(listener)
}

async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

pub(crate) async fn echo(runtime: &LocalRuntime, buffer: usize) -> io::Result<()> {
    let listener = listen(runtime)?;
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
        runtime.spawn("connection", connection).detach();
    }
}

pub(crate) async fn echo_with_timeout(runtime: &LocalRuntime, buffer: usize) -> io::Result<()> {
    let listener = listen(runtime)?;
    loop {
        let mut stream = accept(&listener).await?;
        let clock = runtime.clone();
        let connection = async move {
            let mut buffer = vec![0; buffer];
            loop {
                let read = stream.read(&mut buffer);
                let n = clock.timeout(TIMEOUT, read).await??;
                if n == 0 {
                    return io::Result::Ok(());
                }
                stream.write_all(&buffer[..n]).await?;
            }
        };
        runtime.spawn("connection", connection).detach();
    }
}

pub(crate) async fn udp(runtime: &LocalRuntime) -> io::Result<()> {
    let socket = UdpSocket::bind(runtime, (Ipv4Addr::LOCALHOST, 0))?;
    listening(socket.local_addr()?.port());
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let (n, from) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..n], from).await?;
    }
}

pub(crate) async fn proxy(runtime: &LocalRuntime, upstream: u16) -> io::Result<()> {
    let listener = listen(runtime)?;
    loop {
        let client = accept(&listener).await?;
        let connector = runtime.clone();
        let connection = async move {
            let server = TcpStream::connect(&connector, (Ipv4Addr::LOCALHOST, upstream)).await?;
            server.set_nodelay(true)?;
            future::try_zip(pass_on(&client, &server), pass_on(&server, &client)).await
        };
        runtime.spawn("connection", connection).detach();
    }
}

async fn pass_on(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let n = from.read(&mut chunk).await?;
        if n == 0 {
            return to.shutdown(Shutdown::Write);
        }
        to.write_all(&chunk[..n]).await?;
    }
}

pub(crate) async fn http(runtime: &LocalRuntime) -> io::Result<()> {
    let listener = listen(runtime)?;
    loop {
        let stream = FuturesIo::new(accept(&listener).await?);
        let connection = http1::Builder::new().serve_connection(stream, service_fn(hello));
        runtime.spawn("connection", connection).detach();
    }
}
