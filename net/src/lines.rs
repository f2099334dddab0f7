//! `lines`: a byte stream as lines of text.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use runtime_core::io::ReadFd;

use crate::methods::asked;

/// How much room there is for a read, at least.
const CHUNK: usize = 8 * 1024;

/// Reads `reader` line by line.
///
/// # Examples
///
/// ```
/// use runtime::net::unix::pipe;
///
/// # runtime::block_on(async {
/// let (sender, receiver) = pipe::pipe()?;
/// sender.write_all(b"one\ntwo\r\nand a half").await?;
/// drop(sender);
/// let mut lines = runtime::io::lines(receiver);
/// assert_eq!(lines.next_line().await?.as_deref(), Some("one"));
/// assert_eq!(lines.next_line().await?.as_deref(), Some("two"));
/// assert_eq!(lines.next_line().await?.as_deref(), Some("and a half"));
/// assert_eq!(lines.next_line().await?, None);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[inline]
pub fn lines<R: ReadFd>(reader: R) -> Lines<R> {
    Lines { reader, buffer: Buffer::default(), max_len: usize::MAX }
}

/// The lines of a reader, from [`lines`]: without the `\n` or `\r\n` at their ends, as
/// [`BufRead::lines`](std::io::BufRead::lines) has them.
///
/// It reads ahead, 8 KiB and more at a time, and owns the buffer for that:
/// [`into_parts`](Self::into_parts) gives back what has been read and is not in a line yet. The memory
/// grows to twice the longest line, unless [`max_len`](Self::max_len) forbids it.
///
/// It is a [`Stream`] as well, which ends where [`next_line`](Self::next_line) says `None`.
///
/// # Examples
///
/// A header of lines, and then what is no text:
///
/// ```
/// use runtime::net::unix::pipe;
///
/// # runtime::block_on(async {
/// let (sender, receiver) = pipe::pipe()?;
/// sender.write_all(b"length: 3\n\n\x00\x01\x02").await?;
/// let mut lines = runtime::io::lines(receiver).max_len(1024);
/// while let Some(line) = lines.next_line().await? {
///     if line.is_empty() {
///         break;
///     }
/// }
/// let (receiver, mut body) = lines.into_parts();
/// let missing = 3 - body.len();
/// body.resize(3, 0);
/// receiver.read_exact(&mut body[3 - missing..]).await?;
/// assert_eq!(body, [0, 1, 2]);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    buffer: Buffer,
    max_len: usize,
}

impl<R: ReadFd> Lines<R> {
    /// Makes a line of more than `bytes` bytes an error, for input that is not trusted. The end of the
    /// line is not counted.
    #[must_use = "it is the lines that are returned which have the limit"]
    #[inline]
    pub fn max_len(mut self, bytes: usize) -> Lines<R> {
        self.max_len = bytes;
        self
    }

    /// The next line, or `None` at the end of the stream. What comes before the end without a `\n` is
    /// a line too.
    ///
    /// At a terminal one can type on after an end (Ctrl-D), and a call after `None` reads on.
    ///
    /// # Errors
    ///
    /// - Those of reading. What was read before is kept.
    /// - [`InvalidData`](io::ErrorKind::InvalidData) if the line is not UTF-8. It is skipped, and the
    ///   next call returns the one behind it.
    /// - [`InvalidData`](io::ErrorKind::InvalidData) if the line is longer than
    ///   [`max_len`](Self::max_len). It is not skipped, as its end may be far: every later call gives
    ///   this error too.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what has been read of the line is kept for the next call.
    #[inline]
    pub async fn next_line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(line) = self.buffer.take_line(self.max_len)? {
                return Ok(Some(line));
            }
            let Lines { reader, buffer, .. } = self;
            let room = buffer.room();
            let asked = asked::<R>(room.len());
            let read = reader.source().read_stream(asked, |_| reader.read_once(room)).await?;
            if read == 0 {
                return self.buffer.take_rest(self.max_len);
            }
            self.buffer.filled += read;
        }
    }

    /// As [`next_line`](Self::next_line), for futures written by hand.
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn poll_next_line(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<String>>> {
        loop {
            if let Some(line) = self.buffer.take_line(self.max_len)? {
                return Poll::Ready(Ok(Some(line)));
            }
            let read = ready!(self.reader.poll_read(cx, self.buffer.room()))?;
            if read == 0 {
                return Poll::Ready(self.buffer.take_rest(self.max_len));
            }
            self.buffer.filled += read;
        }
    }
}

impl<R> Lines<R> {
    /// The reader. What is read from it directly is missing here.
    #[inline]
    pub fn get_ref(&self) -> &R {
        &self.reader
    }

    /// The reader, and what was read from it and is not in a line yet.
    #[inline]
    pub fn into_parts(self) -> (R, Vec<u8>) {
        let Buffer { mut bytes, line, filled, .. } = self.buffer;
        bytes.truncate(filled);
        bytes.drain(..line);
        (self.reader, bytes)
    }
}

impl<R: ReadFd + Unpin> Stream for Lines<R> {
    type Item = io::Result<String>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<String>>> {
        self.get_mut().poll_next_line(cx).map(Result::transpose)
    }
}

/// Bytes on their way to become lines.
#[derive(Debug, Default)]
struct Buffer {
    /// As long as it has ever been: what is behind `filled` is room.
    bytes: Vec<u8>,
    /// Where the next line begins.
    line: usize,
    /// The line does not end before here.
    searched: usize,
    /// Where the data ends.
    filled: usize,
}

impl Buffer {
    /// The next line, if the whole of it is there.
    #[inline]
    fn take_line(&mut self, max_len: usize) -> io::Result<Option<String>> {
        let data = &self.bytes[..self.filled];
        let Some(rest) = data[self.searched..].iter().position(|&byte| byte == b'\n') else {
            self.searched = self.filled;
            // A `\r` may turn out to be of the line's end.
            let line = &data[self.line..];
            check_len(line.strip_suffix(b"\r").unwrap_or(line), max_len)?;
            return Ok(None);
        };
        let end = self.searched + rest;
        let line = &data[self.line..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        check_len(line, max_len)?;
        self.line = end + 1;
        self.searched = self.line;
        text(line).map(Some)
    }

    /// What is left at the end of the stream.
    #[inline]
    fn take_rest(&mut self, max_len: usize) -> io::Result<Option<String>> {
        let line = &self.bytes[self.line..self.filled];
        if line.is_empty() {
            return Ok(None);
        }
        check_len(line, max_len)?;
        (self.line, self.searched, self.filled) = (0, 0, 0);
        text(line).map(Some)
    }

    /// Where the next read goes: at least `CHUNK` bytes.
    #[inline]
    fn room(&mut self) -> &mut [u8] {
        if self.line > 0 {
            self.bytes.copy_within(self.line..self.filled, 0);
            self.filled -= self.line;
            self.searched -= self.line;
            self.line = 0;
        }
        let wanted = self.filled + CHUNK;
        if self.bytes.len() < wanted {
            // Twice as long each time: a long line is not moved for each read of it.
            self.bytes.resize(wanted.max(2 * self.bytes.len()), 0);
        }
        &mut self.bytes[self.filled..]
    }
}

#[inline]
fn check_len(line: &[u8], max_len: usize) -> io::Result<()> {
    if line.len() <= max_len {
        return Ok(());
    }
    let text = format!("a line is longer than the {max_len} bytes that `max_len` allows");
    Err(io::Error::new(io::ErrorKind::InvalidData, text))
}

#[inline]
fn text(line: &[u8]) -> io::Result<String> {
    match std::str::from_utf8(line) {
        Ok(line) => Ok(line.to_owned()),
        Err(error) => {
            let text = format!("a line is not UTF-8 text: {error}");
            Err(io::Error::new(io::ErrorKind::InvalidData, text))
        }
    }
}
