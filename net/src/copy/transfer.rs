//! One direction of a copy: from a reader to a writer until the reader ends.
//!
//! Bytes go through a buffer as long as they come in small portions. A read that fills it shows that
//! there is more, and from then on they are spliced: through a pipe, without being copied. Facts about
//! splice(2) that bind us, and what we do:
//!
//! - `EAGAIN` may be the pipe's or the other descriptor's. So the pipe is filled only when it is empty and
//!   drained only of what is in it: then it is the other's, and epoll will say when that has changed.
//! - From a TCP socket it does not get past an urgent byte: it says `EAGAIN`, or 0 once the peer has
//!   closed, although there is data behind it. So only read(2) is believed when it says "nothing" or "the
//!   end".
//! - On the far side it waits or not by the descriptor's own mode, whatever its flags say. So it is
//!   used between descriptors in nonblocking mode only.
//! - It raises `SIGPIPE`. So it is not used in a process that would die of that.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use runtime_core::io::{Interest, ReadFd, WriteFd};

use super::CHUNK;
use super::pipe::Pipe;
use crate::methods::wrote_nothing;
use crate::sys;

/// What is copied through the buffer at a time, unless it must do for what is long too; and the least that
/// is worth a pipe. By `benches/copy.rs` splicing costs as much as copying for messages of up to 16 KiB or
/// so, and less for longer ones.
const BUFFER: usize = 8 * 1024;

pub(super) struct Transfer<'a, R: ?Sized, W: ?Sized> {
    reader: &'a R,
    writer: &'a W,
    way: Way,
    buf: Box<[u8]>,
    /// Empty. While there is something in it that must be written, whoever writes that has it.
    pipe: Option<Pipe>,
    /// Whether both descriptors can be spliced, once it is known.
    splices: Option<bool>,
    /// Bytes that came since the reader last had none.
    burst: usize,
    copied: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Through the buffer, until a read fills it.
    Plain,
    /// Through a pipe, and with a look by read(2) when nothing more comes that way.
    Spliced,
    /// Through a larger buffer to the end, as the descriptors cannot be spliced.
    PlainOnly,
}

/// Where the bytes are that were taken from the reader.
enum Taken {
    Buffered(usize),
    Piped(Pipe, usize),
}

impl<'a, R: ReadFd + ?Sized, W: WriteFd + ?Sized> Transfer<'a, R, W> {
    #[inline]
    pub(super) fn new(reader: &'a R, writer: &'a W) -> Self {
        let buf = vec![0; BUFFER].into_boxed_slice();
        let (way, pipe, splices) = (Way::Plain, None, None);
        Transfer { reader, writer, way, buf, pipe, splices, burst: 0, copied: 0 }
    }

    /// Copies to the end, and returns how much it was.
    #[inline]
    pub(super) async fn run(mut self) -> io::Result<u64> {
        loop {
            match self.take().await? {
                Taken::Buffered(0) => return Ok(self.copied),
                Taken::Buffered(len) => {
                    self.give(len).await?;
                    if len == self.buf.len() && self.way == Way::Plain {
                        self.expect_more();
                    }
                }
                Taken::Piped(pipe, len) => self.give_piped(pipe, len).await?,
            }
        }
    }

    /// Waits until something is there, or the end.
    #[inline]
    async fn take(&mut self) -> io::Result<Taken> {
        let reader = self.reader;
        if self.way != Way::Spliced && R::SHORT_READ_DRAINS {
            let len = self.buf.len();
            let read = |_: &_| reader.read_once(&mut self.buf);
            return reader.source().read_stream(len, read).await.map(Taken::Buffered);
        }
        reader.source().read_with(|_| self.take_once()).await
    }

    #[inline]
    fn take_once(&mut self) -> io::Result<Taken> {
        if self.way == Way::Spliced {
            if let Some(taken) = self.take_spliced()? {
                return Ok(taken);
            }
        }
        let read = self.reader.read_once(&mut self.buf);
        if let Err(error) = &read {
            if error.kind() == io::ErrorKind::WouldBlock {
                self.end_of_burst();
            }
        }
        read.map(Taken::Buffered)
    }

    /// What there is for the pipe. `None` leaves it to read(2) to say what there is.
    #[inline]
    fn take_spliced(&mut self) -> io::Result<Option<Taken>> {
        let Ok(pipe) = self.pipe.take().map_or_else(Pipe::take, Ok) else {
            // There is no descriptor for a pipe; next time there may be.
            return Ok(None);
        };
        match pipe.fill(self.reader.as_fd(), CHUNK) {
            Ok(len @ 1..) => {
                self.burst += len;
                return Ok(Some(Taken::Piped(pipe, len)));
            }
            Err(error) if sys::is_move_refused(&error) => self.give_up_splicing(),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Ok(_) | Err(_) => {}
        }
        pipe.put_back();
        Ok(None)
    }

    /// The reader has nothing for now. If little came, little is expected.
    #[inline]
    fn end_of_burst(&mut self) {
        if self.way == Way::Spliced && self.burst < BUFFER {
            self.way = Way::Plain;
        }
        self.burst = 0;
    }

    /// Writes the first `len` bytes of the buffer.
    #[inline]
    async fn give(&mut self, len: usize) -> io::Result<()> {
        let mut rest = &self.buf[..len];
        while !rest.is_empty() {
            match self.written(|| self.writer.write_once(rest)).await? {
                0 => return Err(wrote_nothing()),
                written => {
                    rest = &rest[written..];
                    self.copied += written as u64;
                }
            }
        }
        Ok(())
    }

    /// Writes the `len` bytes that are in the pipe.
    #[inline]
    async fn give_piped(&mut self, pipe: Pipe, mut len: usize) -> io::Result<()> {
        while len > 0 && self.way != Way::PlainOnly {
            match self.written(|| pipe.drain(self.writer.as_fd(), len)).await {
                Ok(0) => return Err(wrote_nothing()),
                Ok(written) => {
                    len -= written;
                    self.copied += written as u64;
                }
                Err(error) if sys::is_move_refused(&error) => self.give_up_splicing(),
                Err(error) => return Err(error),
            }
        }
        while len > 0 {
            let read = pipe.read(&mut self.buf)?;
            self.give(read).await?;
            len -= read;
        }
        self.pipe = Some(pipe);
        Ok(())
    }

    /// Writes by `op`. While the writer takes nothing the reader is not read, but watched: if its
    /// connection breaks there is no use in waiting.
    #[inline]
    async fn written(&self, mut op: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
        let mut write = pin!(self.writer.source().write_with(|_| op()));
        let mut broken = pin!(self.reader.source().ready(Interest::ERROR));
        let mut watching = true;
        poll_fn(|cx| {
            if let Poll::Ready(written) = write.as_mut().poll(cx) {
                return Poll::Ready(written);
            }
            if watching && broken.as_mut().poll(cx).is_ready() {
                // It may have been fetched by somebody, or epoll may not know the descriptor.
                watching = false;
                if let Ok(Some(error)) = sys::take_error(self.reader.as_fd()) {
                    return Poll::Ready(Err(error));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// A read has filled the buffer.
    #[inline]
    fn expect_more(&mut self) {
        // It counts, or a message that just fills the buffer would change the way each time.
        self.burst = self.buf.len();
        if self.can_splice() && !sys::sigpipe_kills() {
            self.way = Way::Spliced;
        } else {
            self.give_up_splicing();
        }
    }

    /// Asked once: what a descriptor is does not change.
    #[inline]
    fn can_splice(&mut self) -> bool {
        let moves = |fd| sys::moves_without_blocking(fd).unwrap_or(false);
        let both = || moves(self.reader.as_fd()) && moves(self.writer.as_fd());
        *self.splices.get_or_insert_with(both)
    }

    #[inline]
    fn give_up_splicing(&mut self) {
        self.way = Way::PlainOnly;
        self.buf = vec![0; CHUNK].into_boxed_slice();
    }
}

impl<R: ?Sized, W: ?Sized> Drop for Transfer<'_, R, W> {
    #[inline]
    fn drop(&mut self) {
        if let Some(pipe) = self.pipe.take() {
            pipe.put_back();
        }
    }
}
