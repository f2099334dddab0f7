//! Servers: echo over TCP.

use std::io;

use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use program::listening;

pub(crate) async fn echo(buffer: usize) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listening(listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        monoio::spawn(echo_one(stream, buffer));
    }
}

async fn echo_one(mut stream: TcpStream, buffer: usize) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(buffer);
    loop {
        let read;
        (read, buffer) = stream.read(buffer).await;
        if read? == 0 {
            return Ok(());
        }
        let written;
        (written, buffer) = stream.write_all(buffer).await;
        written?;
    }
}
