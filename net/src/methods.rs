//! The methods that many types have, written once: those of byte streams, which `ReadFd` and `WriteFd`
//! give by name, and those that wait for readiness.

use std::io::{self, Read};

use runtime_core::io::ReadFd;

/// How much `read_to_end` reads as one operation of the task's budget.
pub(crate) const READ_TO_END_CHUNK: u64 = 64 * 1024;

/// What a read of `len` bytes is to be compared with: nothing, where being shorter proves nothing.
#[inline]
pub(crate) fn asked<S: ReadFd + ?Sized>(len: usize) -> usize {
    if S::SHORT_READ_DRAINS { len } else { 0 }
}

/// A stream as the standard library reads it.
pub(crate) struct Reader<'a, S: ?Sized>(pub(crate) &'a S);

impl<S: ReadFd + ?Sized> Read for Reader<'_, S> {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read_once(buf)
    }
}

#[cold]
pub(crate) fn ended_early(filled: usize, wanted: usize) -> io::Error {
    let text = format!("reading {wanted} bytes: the stream ended after {filled}");
    io::Error::new(io::ErrorKind::UnexpectedEof, text)
}

#[cold]
pub(crate) fn wrote_nothing() -> io::Error {
    io::Error::new(io::ErrorKind::WriteZero, "the stream took no byte of a write that had some")
}

/// What is read with `ReadFd`, within an `impl` of a type that has it.
macro_rules! read_methods {
    () => {
        /// Reads what is there into `buf`, waiting until there is something; returns how much, 0 at
        /// the end of the stream (or if `buf` is empty). [Examples](crate#byte-streams) of this and its
        /// siblings.
        ///
        /// # Errors
        ///
        /// Those of read(2), [`ConnectionReset`](io::ErrorKind::ConnectionReset) of a socket among
        /// them.
        ///
        /// # Cancel safety
        ///
        /// Nothing is lost.
        #[inline]
        pub fn read<'b>(&'b self, buf: &'b mut [u8]) -> impl Future<Output = io::Result<usize>> {
            ReadFd::reading(self, buf)
        }

        /// As [`read`](Self::read), into several buffers: one is filled before the next is begun. At
        /// most 1024 buffers are filled in one call.
        ///
        /// # Errors
        ///
        /// As [`read`](Self::read).
        ///
        /// # Cancel safety
        ///
        /// Nothing is lost.
        #[inline]
        pub async fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
            // One call takes no more, and the count is compared with what was asked of the call.
            let taken = bufs.len().min($crate::sys::IOV_MAX);
            let bufs = &mut bufs[..taken];
            let len = bufs.iter().map(|buf| buf.len()).sum();
            if len == 0 {
                return Ok(0);
            }
            let asked = $crate::methods::asked::<Self>(len);
            ReadFd::source(self).read_stream(asked, |_| self.read_once_vectored(bufs)).await
        }

        /// Reads until `buf` is full and returns its length.
        ///
        /// # Errors
        ///
        /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the stream ends first, else as
        /// [`read`](Self::read). What was read is at the start of `buf`, but how much is not told.
        ///
        /// # Cancel safety
        ///
        /// Not cancel safe: the bytes that were read already are in `buf`, and how many is not known.
        #[inline]
        pub async fn read_exact(&self, buf: &mut [u8]) -> io::Result<usize> {
            let mut filled = 0;
            while filled < buf.len() {
                match self.read(&mut buf[filled..]).await? {
                    0 => return Err($crate::methods::ended_early(filled, buf.len())),
                    read => filled += read,
                }
            }
            Ok(filled)
        }

        /// Reads until the end of the stream, appends everything to `buf` and returns how much it
        /// was.
        ///
        /// # Errors
        ///
        /// As [`read`](Self::read). What was read before has been appended.
        ///
        /// # Cancel safety
        ///
        /// What was read until then has been appended to `buf`: with it, calling again goes on.
        #[inline]
        pub async fn read_to_end(&self, buf: &mut Vec<u8>) -> io::Result<usize> {
            use $crate::methods::{READ_TO_END_CHUNK, Reader};
            let start = buf.len();
            loop {
                // std appends straight to the vector's spare room, and what it has appended stays
                // there when the call ends in `WouldBlock`, so a repeated call goes on where this
                // one stopped.
                let read = |_: &_| {
                    std::io::Read::read_to_end(
                        &mut std::io::Read::take(Reader(self), READ_TO_END_CHUNK),
                        buf,
                    )
                };
                let last = ReadFd::source(self).read_with(read).await?;
                if (last as u64) < READ_TO_END_CHUNK {
                    return Ok(buf.len() - start);
                }
            }
        }

        /// Reads until the end of the stream, appends everything to `buf` and returns how many bytes
        /// it was.
        ///
        /// # Errors
        ///
        /// [`InvalidData`](io::ErrorKind::InvalidData) if it is not UTF-8, else as
        /// [`read`](Self::read). `buf` is as before then, and what was read is lost.
        ///
        /// # Cancel safety
        ///
        /// Not cancel safe: what was read until then is lost.
        #[inline]
        pub async fn read_to_string(&self, buf: &mut String) -> io::Result<usize> {
            let mut bytes = Vec::new();
            self.read_to_end(&mut bytes).await?;
            let text = std::str::from_utf8(&bytes).map_err(|error| {
                let text = format!("reading text: the stream is not UTF-8: {error}");
                io::Error::new(io::ErrorKind::InvalidData, text)
            })?;
            buf.push_str(text);
            Ok(text.len())
        }

        /// Waits until a read would not block: data, the end, or an error is there.
        ///
        /// It may be so for another task too, or no longer when this one comes to it: follow with
        /// [`try_read`](Self::try_read), and wait again on `WouldBlock`.
        ///
        /// # Errors
        ///
        /// If the descriptor cannot be registered with the runtime.
        ///
        /// # Cancel safety
        ///
        /// Nothing is lost.
        #[inline]
        pub async fn readable(&self) -> io::Result<()> {
            ReadFd::source(self).readable().await
        }

        /// As [`readable`](Self::readable), for futures written by hand.
        ///
        /// # Errors
        ///
        /// If the descriptor cannot be registered with the runtime.
        #[inline]
        pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            ReadFd::source(self).poll_read_ready(cx)
        }

        /// Reads what is there now.
        ///
        /// # Errors
        ///
        /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is nothing, else as
        /// [`read`](Self::read).
        #[inline]
        pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
            ReadFd::source(self).try_io(Interest::READABLE, |_| self.read_once(buf))
        }

        /// As [`try_read`](Self::try_read), into several buffers.
        ///
        /// # Errors
        ///
        /// As [`try_read`](Self::try_read).
        #[inline]
        pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
            ReadFd::source(self).try_io(Interest::READABLE, |_| self.read_once_vectored(bufs))
        }
    };
}

/// What is written with `WriteFd`, within an `impl` of a type that has it.
macro_rules! write_methods {
    () => {
        /// Writes as much of `buf` as there is room for, waiting until there is some; returns how
        /// much. [Examples](crate#byte-streams) of this and its siblings.
        ///
        /// # Errors
        ///
        /// Those of write(2): [`BrokenPipe`](io::ErrorKind::BrokenPipe) once nobody can read it any
        /// more.
        ///
        /// # Cancel safety
        ///
        /// Nothing is written by a future that is dropped before it is ready.
        #[inline]
        pub fn write<'b>(&'b self, buf: &'b [u8]) -> impl Future<Output = io::Result<usize>> {
            WriteFd::writing(self, buf)
        }

        /// As [`write`](Self::write), from several buffers, one after another.
        ///
        /// # Errors
        ///
        /// As [`write`](Self::write).
        ///
        /// # Cancel safety
        ///
        /// Nothing is written by a future that is dropped before it is ready.
        #[inline]
        pub async fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
            WriteFd::source(self).write_with(|_| self.write_once_vectored(bufs)).await
        }

        /// Writes all of `buf`.
        ///
        /// # Errors
        ///
        /// As [`write`](Self::write). Part of `buf` may have been written.
        ///
        /// # Cancel safety
        ///
        /// Not cancel safe: part of `buf` may have been written, and how much is not known.
        #[inline]
        pub fn write_all<'b>(&'b self, buf: &'b [u8]) -> impl Future<Output = io::Result<()>> {
            WriteFd::writing_all(self, buf)
        }

        /// Does nothing, as nothing is buffered here.
        ///
        /// # Errors
        ///
        /// None.
        ///
        /// # Cancel safety
        ///
        /// Nothing is lost.
        #[inline]
        pub async fn flush(&self) -> io::Result<()> {
            Ok(())
        }

        /// Closes the write direction of a socket: the peer reads the end of the stream after what was
        /// written, and the read direction stays open. A connection that is gone already is fine. Of
        /// anything else than a socket, nothing is closed before the value is dropped.
        ///
        /// # Errors
        ///
        /// Those of shutdown(2), without `ENOTCONN`.
        ///
        /// # Cancel safety
        ///
        /// It is done at the first poll.
        #[inline]
        pub async fn shutdown(&self) -> io::Result<()> {
            self.shutdown_once()
        }

        /// Waits until a write would not block: there is room, or an error.
        ///
        /// It may be so for another task too, or no longer when this one comes to it: follow with
        /// [`try_write`](Self::try_write), and wait again on `WouldBlock`.
        ///
        /// # Errors
        ///
        /// If the descriptor cannot be registered with the runtime.
        ///
        /// # Cancel safety
        ///
        /// Nothing is lost.
        #[inline]
        pub async fn writable(&self) -> io::Result<()> {
            WriteFd::source(self).writable().await
        }

        /// As [`writable`](Self::writable), for futures written by hand.
        ///
        /// # Errors
        ///
        /// If the descriptor cannot be registered with the runtime.
        #[inline]
        pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            WriteFd::source(self).poll_write_ready(cx)
        }

        /// Writes as much of `buf` as there is room for now.
        ///
        /// # Errors
        ///
        /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, else as
        /// [`write`](Self::write).
        #[inline]
        pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
            WriteFd::source(self).try_io(Interest::WRITABLE, |_| self.write_once(buf))
        }

        /// As [`try_write`](Self::try_write), from several buffers.
        ///
        /// # Errors
        ///
        /// As [`try_write`](Self::try_write).
        #[inline]
        pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
            WriteFd::source(self).try_io(Interest::WRITABLE, |_| self.write_once_vectored(bufs))
        }
    };
}

/// What a type with a `Source` in its field `io` offers for operations of the caller's own.
macro_rules! readiness_methods {
    () => {
        /// Waits until anything of `interest` is so, and returns what is.
        ///
        /// It may be so for another task too, or no longer when this one comes to it: follow with a
        /// `try_` method, and wait again on `WouldBlock`.
        ///
        /// # Errors
        ///
        /// If the descriptor cannot be registered with the runtime. That includes a wait for what a
        /// file on a disk never reports, an error or urgent data: it is always readable and writable.
        ///
        /// # Cancel safety
        ///
        /// Nothing is lost.
        #[inline]
        pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
            self.io.ready(interest).await
        }

        /// Does an operation of the caller's own on the descriptor, once and now. When it fails with
        /// `WouldBlock`, the runtime takes note that the descriptor is not ready.
        ///
        /// # Errors
        ///
        /// Those of `op`. It must return [`WouldBlock`](io::ErrorKind::WouldBlock) only when the
        /// descriptor has said so for the directions in `interest`.
        #[inline]
        pub fn try_io<R>(
            &self,
            interest: Interest,
            op: impl FnOnce() -> io::Result<R>,
        ) -> io::Result<R> {
            self.io.try_io(interest, |_| op())
        }

        /// Does an operation of the caller's own on the descriptor, waiting for `interest` and
        /// repeating it while it fails with [`WouldBlock`](io::ErrorKind::WouldBlock).
        ///
        /// # Errors
        ///
        /// Those of `op`, and if the descriptor cannot be registered with the runtime.
        ///
        /// # Cancel safety
        ///
        /// The future waits only between calls of `op`.
        #[inline]
        pub async fn async_io<R>(
            &self,
            interest: Interest,
            mut op: impl FnMut() -> io::Result<R>,
        ) -> io::Result<R> {
            loop {
                self.io.ready(interest).await?;
                match self.io.try_io(interest, |_| op()) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return result,
                }
            }
        }
    };
}

/// Waiting to send and to receive messages, within an `impl` of a type with a `Source` in its field
/// `io`.
macro_rules! message_readiness_methods {
    () => {
        /// Waits until a receive would not block: a message, the end or an error is there.
        ///
        /// It may be so for another task too, or no longer when this one comes to it: follow with
        /// [`try_recv`](Self::try_recv), and wait again on `WouldBlock`.
        ///
        /// # Errors
        ///
        /// If the socket cannot be registered with the runtime.
        ///
        /// # Cancel safety
        ///
        /// Nothing is lost.
        #[inline]
        pub async fn readable(&self) -> io::Result<()> {
            self.io.readable().await
        }

        /// Waits until a [`send`](Self::send) to the peer would not block. As
        /// [`readable`](Self::readable) otherwise.
        ///
        /// # Errors
        ///
        /// If the socket cannot be registered with the runtime.
        ///
        /// # Cancel safety
        ///
        /// Nothing is lost.
        #[inline]
        pub async fn writable(&self) -> io::Result<()> {
            self.io.writable().await
        }

        /// As [`readable`](Self::readable), for futures written by hand.
        ///
        /// # Errors
        ///
        /// If the socket cannot be registered with the runtime.
        #[inline]
        pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.io.poll_read_ready(cx)
        }

        /// As [`writable`](Self::writable), for futures written by hand.
        ///
        /// # Errors
        ///
        /// If the socket cannot be registered with the runtime.
        #[inline]
        pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.io.poll_write_ready(cx)
        }
    };
}

pub(crate) use {message_readiness_methods, read_methods, readiness_methods, write_methods};
