//! Servers: echo over TCP.

use std::io;

use compio::BufResult;
use compio::io::{AsyncRead, AsyncWriteExt};
use compio::net::{TcpListener, TcpStream};
use program::listening;

pub(crate) async fn echo(buffer: usize) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    listening(listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        compio::runtime::spawn(echo_one(stream, buffer)).detach();
    }
}

async fn echo_one(mut stream: TcpStream, buffer: usize) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(buffer);
    loop {
        buffer.clear();
        let read;
        BufResult(read, buffer) = stream.read(buffer).await;
        if read? == 0 {
            return Ok(());
        }
        let written;
        BufResult(written, buffer) = stream.write_all(buffer).await;
        written?;
    }
}
