//! Reading into room that need not be initialised, in the buffers of other crates.

use std::io;
#[cfg(feature = "tokio-io")]
use std::mem;
use std::os::fd::{AsFd, AsRawFd};
use std::slice;
use std::task::{Context, Poll, ready};

#[cfg(feature = "tokio-io")]
use libc::socklen_t;
use libc::{c_int, c_void};
use runtime_core::io::ReadFd;

#[cfg(feature = "tokio-io")]
use super::RawAddr;
use super::check_len;
use crate::methods::asked;
use crate::stdio::Stdin;
use crate::traits::{for_pipes, for_sockets};

const NO_FLAGS: c_int = 0;

/// A buffer with room behind its bytes.
///
/// # Safety
///
/// `room` gives memory that may be written to, as many bytes as it says, until the buffer is used again.
pub(crate) unsafe trait Room {
    /// Where the room begins, and how many bytes it has.
    fn room(&mut self) -> (*mut u8, usize);

    /// Appends so many bytes of the room, which `room` gave last, to what the buffer holds.
    ///
    /// # Safety
    ///
    /// They are initialised, and there are so many.
    unsafe fn append(&mut self, len: usize);
}

/// How a type reads into room.
///
/// # Safety
///
/// So many bytes at the start of the room are initialised as `read_room_once` returns.
pub(crate) unsafe trait ReadRoom: ReadFd {
    /// As [`read_once`](ReadFd::read_once), to `len` bytes from `room` on.
    ///
    /// # Safety
    ///
    /// They may be written to.
    unsafe fn read_room_once(&self, room: *mut u8, len: usize) -> io::Result<usize>;
}

macro_rules! read_room {
    ([$($generics:tt)*] $stream:ty; $read:ident) => {
        // SAFETY: the kernel writes so many bytes as it says.
        unsafe impl<$($generics)*> ReadRoom for $stream {
            #[inline]
            unsafe fn read_room_once(&self, room: *mut u8, len: usize) -> io::Result<usize> {
                // SAFETY: the caller promises it.
                unsafe { $read(self, room, len) }
            }
        }
    };
}

for_sockets!(read_room! receive);
for_pipes!(read_room! read);

/// What is set to zero for a read at most: as much as a pipe holds. The room of a buffer that grows as it
/// fills is much more than what comes at a time.
const ZEROED: usize = 64 * 1024;

// SAFETY: as much of the room as is read to is initialised.
unsafe impl ReadRoom for Stdin {
    #[inline]
    unsafe fn read_room_once(&self, room: *mut u8, len: usize) -> io::Result<usize> {
        let len = len.min(ZEROED);
        // SAFETY: the caller promises that they may be written to; zeroes initialise them.
        let bytes = unsafe {
            room.write_bytes(0, len);
            slice::from_raw_parts_mut(room, len)
        };
        // How it is read depends on what it is.
        self.read_once(bytes).inspect(|&read| assert!(read <= len, "more was read than asked for"))
    }
}

// SAFETY: as what it refers to.
unsafe impl<S: ReadRoom> ReadRoom for &S {
    #[inline]
    unsafe fn read_room_once(&self, room: *mut u8, len: usize) -> io::Result<usize> {
        // SAFETY: the caller promises it.
        unsafe { (**self).read_room_once(room, len) }
    }
}

/// Reads what is there to the room of `buffer`, waiting until there is something.
#[inline]
pub(crate) fn poll_read_room<S: ReadRoom>(
    stream: &S,
    cx: &mut Context<'_>,
    buffer: &mut impl Room,
) -> Poll<io::Result<()>> {
    let (room, len) = buffer.room();
    if len == 0 {
        return Poll::Ready(Ok(()));
    }
    // SAFETY: `Room` promises that this much may be written there; the buffer is not used meanwhile.
    let read = |_: &S::Io| unsafe { stream.read_room_once(room, len) };
    let read = ready!(stream.source().poll_read_stream(cx, asked::<S>(len), read))?;
    // SAFETY: what the engine returns is what the last read did, which has initialised so much.
    unsafe { buffer.append(read) };
    Poll::Ready(Ok(()))
}

/// Reads what is there to the room of `buffer`, once.
#[cfg(feature = "tokio-io")]
#[inline]
pub(crate) fn read_room_once(stream: &impl ReadRoom, buffer: &mut impl Room) -> io::Result<usize> {
    let (room, len) = buffer.room();
    // SAFETY: `Room` promises that this much may be written there, and `ReadRoom` that it was.
    unsafe {
        let read = stream.read_room_once(room, len)?;
        buffer.append(read);
        Ok(read)
    }
}

/// [read(2)].
///
/// # Safety
///
/// `len` bytes from `room` on may be written to.
///
/// [read(2)]: https://man7.org/linux/man-pages/man2/read.2.html
#[inline]
unsafe fn read(fd: &impl AsFd, room: *mut u8, len: usize) -> io::Result<usize> {
    // SAFETY: the caller promises it; the kernel writes no more.
    check_len(unsafe { libc::read(fd.as_fd().as_raw_fd(), room.cast::<c_void>(), len) })
}

/// [recv(2)].
///
/// # Safety
///
/// As [`read`].
///
/// [recv(2)]: https://man7.org/linux/man-pages/man2/recv.2.html
#[inline]
unsafe fn receive(socket: &impl AsFd, room: *mut u8, len: usize) -> io::Result<usize> {
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: the caller promises it; the kernel writes no more, and without MSG_TRUNC says no more.
    check_len(unsafe { libc::recv(socket, room.cast::<c_void>(), len, NO_FLAGS) })
}

/// [recv(2)] of a datagram, appending to `buffer`; returns how much of it that was.
///
/// [recv(2)]: https://man7.org/linux/man-pages/man2/recv.2.html
#[cfg(feature = "tokio-io")]
#[inline]
pub(crate) fn receive_to_room(socket: &impl AsFd, buffer: &mut impl Room) -> io::Result<usize> {
    let (room, len) = buffer.room();
    // SAFETY: `Room` promises that this much may be written there, and the kernel has written that many.
    unsafe {
        let received = receive(socket, room, len)?;
        buffer.append(received);
        Ok(received)
    }
}

/// [recvfrom(2)] of a datagram, appending to `buffer`; returns how much of it that was, and from where it
/// came.
///
/// [recvfrom(2)]: https://man7.org/linux/man-pages/man2/recvfrom.2.html
#[cfg(feature = "tokio-io")]
#[inline]
pub(crate) fn receive_from_to_room(
    socket: &impl AsFd,
    buffer: &mut impl Room,
) -> io::Result<(usize, (RawAddr, socklen_t))> {
    let socket = socket.as_fd().as_raw_fd();
    let (room, len) = buffer.room();
    let room = room.cast::<c_void>();
    let mut from = RawAddr::empty();
    let mut from_len = mem::size_of::<RawAddr>() as socklen_t;
    // SAFETY: `Room` promises that so much may be written there, and the address has the size that is said;
    // the kernel writes no more, and the address is valid in any pattern.
    let received = check_len(unsafe {
        libc::recvfrom(socket, room, len, NO_FLAGS, &raw mut from.any, &raw mut from_len)
    })?;
    // SAFETY: the kernel has written that many bytes; without MSG_TRUNC it is what there was room for.
    unsafe { buffer.append(received) };
    Ok((received, (from, from_len)))
}

#[cfg(feature = "tokio-io")]
// SAFETY: what is given is the unfilled part of the buffer, which nobody else uses meanwhile.
unsafe impl Room for tokio::io::ReadBuf<'_> {
    #[inline]
    fn room(&mut self) -> (*mut u8, usize) {
        // SAFETY: only a pointer is taken: who writes there, initialises.
        let room = unsafe { self.unfilled_mut() };
        (room.as_mut_ptr().cast::<u8>(), room.len())
    }

    #[inline]
    unsafe fn append(&mut self, len: usize) {
        // SAFETY: the caller promises it.
        unsafe { self.assume_init(len) };
        self.advance(len);
    }
}

#[cfg(feature = "hyper")]
// SAFETY: what is given is the unfilled part of the buffer, which nobody else uses meanwhile.
unsafe impl Room for hyper::rt::ReadBufCursor<'_> {
    #[inline]
    fn room(&mut self) -> (*mut u8, usize) {
        // SAFETY: only a pointer is taken: who writes there, initialises.
        let room = unsafe { self.as_mut() };
        (room.as_mut_ptr().cast::<u8>(), room.len())
    }

    #[inline]
    unsafe fn append(&mut self, len: usize) {
        // SAFETY: the caller promises it.
        unsafe { self.advance(len) };
    }
}

/// The next chunk of a buffer of `bytes`. A type of its own, as `ReadBuf` may be a `BufMut` too.
#[cfg(feature = "tokio-io")]
pub(crate) struct Chunk<'a, B>(pub(crate) &'a mut B);

#[cfg(feature = "tokio-io")]
// SAFETY: `BufMut`, which is unsafe to implement, promises that its chunk may be written to.
unsafe impl<B: bytes::BufMut> Room for Chunk<'_, B> {
    #[inline]
    fn room(&mut self) -> (*mut u8, usize) {
        let chunk = self.0.chunk_mut();
        (chunk.as_mut_ptr(), chunk.len())
    }

    #[inline]
    unsafe fn append(&mut self, len: usize) {
        // SAFETY: the caller promises it.
        unsafe { self.0.advance_mut(len) };
    }
}
