//! glommio's streams as hyper wants them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_lite::{AsyncRead, AsyncWrite};
use glommio::net::TcpStream;
use hyper::rt::{Read, ReadBufCursor, Write};

/// What is read goes by a buffer of its own, as glommio's streams fill initialized memory only.
pub(crate) struct HyperIo {
    stream: TcpStream,
    buffer: Box<[u8]>,
}

impl HyperIo {
    pub(crate) fn new(stream: TcpStream) -> HyperIo {
        HyperIo { stream, buffer: vec![0; 8 * 1024].into() }
    }
}

impl Read for HyperIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let HyperIo { stream, buffer } = &mut *self;
        let room = into.remaining().min(buffer.len());
        let n = ready!(Pin::new(stream).poll_read(cx, &mut buffer[..room]))?;
        into.put_slice(&buffer[..n]);
        Poll::Ready(Ok(()))
    }
}

impl Write for HyperIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
