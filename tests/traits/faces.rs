//! The three crates' traits of one kind, so that a test can be written once for all of them.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

/// By futures-io's traits.
pub(crate) struct Futures;
/// By tokio's.
pub(crate) struct Tokio;
/// By hyper's.
pub(crate) struct Hyper;

/// What stands where nothing was read.
const UNTOUCHED: u8 = 0xA5;

/// How a stream is read by one crate's trait.
pub(crate) trait Reads<S: ?Sized> {
    /// Reads into a buffer of `room` bytes.
    fn poll_read(
        stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        room: usize,
    ) -> Poll<io::Result<Vec<u8>>>;
}

/// How a stream is written by one crate's trait.
pub(crate) trait Writes<S: ?Sized> {
    fn poll_write(stream: Pin<&mut S>, cx: &mut Context<'_>, buf: &[u8])
    -> Poll<io::Result<usize>>;
    fn poll_write_vectored(
        stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;
    /// Whether the trait says that vectored writes are worth their while. futures-io's says nothing.
    fn is_write_vectored(stream: &S) -> bool;
    fn poll_flush(stream: Pin<&mut S>, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn poll_shutdown(stream: Pin<&mut S>, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// What was read of a buffer whose first `read` bytes were; the others must be as they were.
fn read_of(buffer: &[u8], read: usize) -> Vec<u8> {
    let (read, rest) = buffer.split_at(read);
    assert!(rest.iter().all(|&byte| byte == UNTOUCHED), "it wrote behind what it read");
    read.to_vec()
}

/// The same, of a buffer that a trait took for uninitialised.
fn read_of_uninit(buffer: &[MaybeUninit<u8>], read: usize) -> Vec<u8> {
    // SAFETY: the whole buffer was initialised before it was lent as one that need not be.
    let bytes = buffer.iter().map(|byte| unsafe { byte.assume_init() }).collect::<Vec<_>>();
    read_of(&bytes, read)
}

impl<S: futures::AsyncRead + ?Sized> Reads<S> for Futures {
    fn poll_read(
        stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        room: usize,
    ) -> Poll<io::Result<Vec<u8>>> {
        let mut buffer = vec![UNTOUCHED; room];
        stream.poll_read(cx, &mut buffer).map_ok(|read| read_of(&buffer, read))
    }
}

impl<S: tokio::io::AsyncRead + ?Sized> Reads<S> for Tokio {
    fn poll_read(
        stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        room: usize,
    ) -> Poll<io::Result<Vec<u8>>> {
        // Something is in the buffer already, which the read has to leave alone.
        let mut buffer = vec![MaybeUninit::new(UNTOUCHED); room + 1];
        let mut lent = tokio::io::ReadBuf::uninit(&mut buffer);
        lent.put_slice(&[7]);
        let polled = stream.poll_read(cx, &mut lent);
        let (filled, initialised) = (lent.filled().to_vec(), lent.initialized().len());
        assert_eq!(filled[0], 7);
        polled.map_ok(|()| {
            assert!(initialised >= filled.len());
            let read = read_of_uninit(&buffer[1..], filled.len() - 1);
            assert_eq!(read, filled[1..]);
            read
        })
    }
}

impl<S: ::hyper::rt::Read + ?Sized> Reads<S> for Hyper {
    fn poll_read(
        stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        room: usize,
    ) -> Poll<io::Result<Vec<u8>>> {
        let mut buffer = vec![MaybeUninit::new(UNTOUCHED); room];
        let mut lent = ::hyper::rt::ReadBuf::uninit(&mut buffer);
        let polled = stream.poll_read(cx, lent.unfilled());
        let filled = lent.filled().to_vec();
        polled.map_ok(|()| {
            assert_eq!(read_of_uninit(&buffer, filled.len()), filled);
            filled
        })
    }
}

macro_rules! writes {
    ($face:ty, $trait:path, $shutdown:ident, $is_vectored:expr) => {
        impl<S: $trait + ?Sized> Writes<S> for $face {
            fn poll_write(
                stream: Pin<&mut S>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                stream.poll_write(cx, buf)
            }

            fn poll_write_vectored(
                stream: Pin<&mut S>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                stream.poll_write_vectored(cx, bufs)
            }

            fn is_write_vectored(stream: &S) -> bool {
                let is_vectored: fn(&S) -> bool = $is_vectored;
                is_vectored(stream)
            }

            fn poll_flush(stream: Pin<&mut S>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                stream.poll_flush(cx)
            }

            fn poll_shutdown(stream: Pin<&mut S>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                stream.$shutdown(cx)
            }
        }
    };
}

writes!(Futures, futures::AsyncWrite, poll_close, |_| true);
writes!(Tokio, tokio::io::AsyncWrite, poll_shutdown, S::is_write_vectored);
writes!(Hyper, ::hyper::rt::Write, poll_shutdown, S::is_write_vectored);

/// Reads once, into a buffer of `room` bytes, with `F`'s trait.
pub(crate) async fn read<F: Reads<S>, S: Unpin>(stream: &mut S, room: usize) -> Vec<u8> {
    poll_fn(|cx| F::poll_read(Pin::new(stream), cx, room)).await.unwrap()
}

/// Reads until so many bytes have come.
pub(crate) async fn read_all<F: Reads<S>, S: Unpin>(stream: &mut S, len: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < len {
        let read = read::<F, S>(stream, len - all.len()).await;
        assert!(!read.is_empty(), "the stream ended after {} bytes", all.len());
        all.extend(read);
    }
    all
}

/// Polls once; whoever waits, waits with this task's waker.
pub(crate) async fn once<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    poll_fn(|cx| Poll::Ready(poll(cx))).await
}
