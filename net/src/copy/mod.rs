//! Moving bytes from one descriptor to another: `copy`, `copy_bidirectional`, `send_file`.

mod pipe;
mod send_file;
mod transfer;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use runtime_core::io::{ReadFd, WriteFd};

pub use self::send_file::send_file;

use self::transfer::Transfer;

/// How much is moved as one operation of the task's budget: what a pipe holds.
const CHUNK: usize = 64 * 1024;

/// Copies everything from `reader` to `writer` until the reader ends, and returns how much it was. The
/// writer is left open.
///
/// Anything that is a [`ReadFd`] goes to anything that is a [`WriteFd`]: sockets, their halves, pipes, the
/// standard streams. As tokio's `io::copy`, a call of which compiles here too.
///
/// What comes in small portions is copied through a buffer of 8 KiB. Once there is more at a time it is
/// spliced (splice(2)): moved through a pipe without being copied, or through a larger buffer where the
/// kernel cannot do that. At most 64 KiB are in flight. A pipe takes two descriptors, and only while bytes
/// follow each other closely; a thread keeps up to four for the next. Without a descriptor to be had it
/// goes through the buffer. Nothing is held back to be sent with what comes later, and while the writer
/// takes nothing, nothing is read.
///
/// # Errors
///
/// Those of reading and of writing. While the writer takes nothing, a connection of the reader that breaks
/// is an error at once, and what was in flight is lost.
///
/// # Cancel safety
///
/// Not cancel safe: what was read and not yet written is lost, 64 KiB at most, and how much was written is
/// not told.
///
/// # Examples
///
/// ```
/// use runtime::net::{TcpListener, TcpStream};
/// # runtime::block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let address = listener.local_addr()?;
/// let echo = runtime::spawn(async move {
///     let (stream, _) = listener.accept().await?;
///     runtime::io::copy(&stream, &stream).await
/// });
/// let stream = TcpStream::connect(address).await?;
/// stream.write_all(b"hello").await?;
/// stream.shutdown().await?;
/// let mut echoed = String::new();
/// stream.read_to_string(&mut echoed).await?;
/// assert_eq!(echoed, "hello");
/// assert_eq!(echo.await??, 5);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[inline]
pub async fn copy<R, W>(reader: &R, writer: &W) -> io::Result<u64>
where
    R: ReadFd + ?Sized,
    W: WriteFd + ?Sized,
{
    Transfer::new(reader, writer).run().await
}

/// Copies everything from `a` to `b` and from `b` to `a` until both have ended, and returns how much
/// went from `a` to `b` and from `b` to `a`.
///
/// When one of them ends, the write direction of the other is closed, and the other way goes on: a
/// half-close is passed on. As tokio's `copy_bidirectional`, a call of which compiles here too; bytes go the
/// way that [`copy`] says.
///
/// # Errors
///
/// The first of either way, those of closing a write direction among them. The other way ends with it,
/// without a half-close: drop both, and both peers are told.
///
/// # Cancel safety
///
/// Not cancel safe, as [`copy`], either way.
///
/// # Examples
///
/// A proxy for one connection:
///
/// ```no_run
/// use runtime::net::{TcpListener, TcpStream};
/// # async fn example() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:7001").await?;
/// let (client, _) = listener.accept().await?;
/// let server = TcpStream::connect("example.com:80").await?;
/// let (sent, received) = runtime::io::copy_bidirectional(&client, &server).await?;
/// println!("{sent} bytes there, {received} bytes back");
/// # Ok(()) }
/// ```
#[inline]
pub async fn copy_bidirectional<A, B>(a: &A, b: &B) -> io::Result<(u64, u64)>
where
    A: ReadFd + WriteFd + ?Sized,
    B: ReadFd + WriteFd + ?Sized,
{
    let mut there = pin!(carry(a, b));
    let mut back = pin!(carry(b, a));
    let (mut to_b, mut to_a) = (None, None);
    let mut there_first = true;
    poll_fn(|cx| {
        // Who is polled first may use up the task's budget: they take turns.
        for of_there in [there_first, !there_first] {
            if of_there && to_b.is_none() {
                if let Poll::Ready(copied) = there.as_mut().poll(cx)? {
                    to_b = Some(copied);
                }
            } else if !of_there && to_a.is_none() {
                if let Poll::Ready(copied) = back.as_mut().poll(cx)? {
                    to_a = Some(copied);
                }
            }
        }
        there_first = !there_first;
        match (to_b, to_a) {
            (Some(to_b), Some(to_a)) => Poll::Ready(Ok((to_b, to_a))),
            _ => Poll::Pending,
        }
    })
    .await
}

/// One way, and its end.
#[inline]
async fn carry<R, W>(reader: &R, writer: &W) -> io::Result<u64>
where
    R: ReadFd + ?Sized,
    W: WriteFd + ?Sized,
{
    let copied = Transfer::new(reader, writer).run().await?;
    writer.shutdown_once()?;
    Ok(copied)
}
