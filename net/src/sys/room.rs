//! Reading into room that need not be initialised, in the buffers of other crates.

use std::io;
#[cfg(feature = "tokio-io")]
use std::mem;
use std::os::fd::{AsFd, AsRawFd};
use std::slice;

#[cfg(feature = "tokio-io")]
use libc::socklen_t;
use libc::{c_int, c_void};

#[cfg(feature = "tokio-io")]
use super::RawAddr;
use super::check_len;

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

/// A buffer whose room is known, to read into once.
pub(crate) struct Lent<'a, B> {
    buffer: &'a mut B,
    /// What `buffer`, borrowed for as long, gave as its room; after a read nothing.
    room: *mut u8,
    len: usize,
}

impl<'a, B: Room> Lent<'a, B> {
    #[inline]
    pub(crate) fn of(buffer: &'a mut B) -> Lent<'a, B> {
        let (room, len) = buffer.room();
        Lent { buffer, room, len }
    }

    /// How many bytes can be read.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// [read(2)], appending to the buffer; returns how much it was.
    ///
    /// [read(2)]: https://man7.org/linux/man-pages/man2/read.2.html
    #[inline]
    pub(crate) fn read(&mut self, fd: &impl AsFd) -> io::Result<usize> {
        let fd = fd.as_fd().as_raw_fd();
        // SAFETY: `Room` promises that this much may be written there; the kernel writes no more.
        let read = check_len(unsafe { libc::read(fd, self.room.cast::<c_void>(), self.len) })?;
        // SAFETY: the kernel has written that many bytes.
        unsafe { self.append(read) };
        Ok(read)
    }

    /// [recv(2)], appending to the buffer; returns how much it was.
    ///
    /// [recv(2)]: https://man7.org/linux/man-pages/man2/recv.2.html
    #[inline]
    pub(crate) fn receive(&mut self, socket: &impl AsFd) -> io::Result<usize> {
        let socket = socket.as_fd().as_raw_fd();
        let room = self.room.cast::<c_void>();
        // SAFETY: `Room` promises that this much may be written there; the kernel writes no more.
        let read = check_len(unsafe { libc::recv(socket, room, self.len, NO_FLAGS) })?;
        // SAFETY: the kernel has written that many bytes; without MSG_TRUNC it is what there was room for.
        unsafe { self.append(read) };
        Ok(read)
    }

    /// [recvfrom(2)], appending to the buffer; returns how much it was, and from where it came.
    ///
    /// [recvfrom(2)]: https://man7.org/linux/man-pages/man2/recvfrom.2.html
    #[cfg(feature = "tokio-io")]
    #[inline]
    pub(crate) fn receive_from(
        &mut self,
        socket: &impl AsFd,
    ) -> io::Result<(usize, (RawAddr, socklen_t))> {
        let socket = socket.as_fd().as_raw_fd();
        let room = self.room.cast::<c_void>();
        let mut from = RawAddr::empty();
        let mut len = mem::size_of::<RawAddr>() as socklen_t;
        // SAFETY: `Room` promises that so much may be written there, and the address has the size that is
        // said; the kernel writes no more, and the address is valid in any pattern.
        let received = check_len(unsafe {
            libc::recvfrom(socket, room, self.len, NO_FLAGS, &raw mut from.any, &raw mut len)
        })?;
        // SAFETY: the kernel has written that many bytes; without MSG_TRUNC it is what there was room for.
        unsafe { self.append(received) };
        Ok((received, (from, len)))
    }

    /// Has `read` read to the room, which is initialised for that, and appends it; returns how much it was.
    ///
    /// # Panics
    ///
    /// If `read` says that it read more than there was room for.
    #[inline]
    pub(crate) fn fill(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        // SAFETY: `Room` promises that this much may be written there, by us alone; zeroes initialise it.
        let bytes = unsafe {
            self.room.write_bytes(0, self.len);
            slice::from_raw_parts_mut(self.room, self.len)
        };
        let read = read(bytes)?;
        assert!(read <= self.len, "a read of {} bytes says that it read {read}", self.len);
        // SAFETY: all the room is initialised, and there was so much.
        unsafe { self.append(read) };
        Ok(read)
    }

    /// # Safety
    ///
    /// As [`Room::append`].
    #[inline]
    unsafe fn append(&mut self, len: usize) {
        self.len = 0;
        // SAFETY: the caller promises it.
        unsafe { self.buffer.append(len) };
    }
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
