//! Reading into room that need not be initialised, in the buffers of other crates.

use std::io;
#[cfg(feature = "tokio-io")]
use std::mem;
use std::os::fd::{AsFd, AsRawFd};
use std::slice;

use libc::c_void;
#[cfg(feature = "tokio-io")]
use libc::{c_int, socklen_t};

#[cfg(feature = "tokio-io")]
use super::RawAddr;
use super::check_len;

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

/// [read(2)], appending to `buffer`; returns how much it was.
///
/// [read(2)]: https://man7.org/linux/man-pages/man2/read.2.html
#[inline]
pub(crate) fn read_to_room(fd: &impl AsFd, buffer: &mut impl Room) -> io::Result<usize> {
    let (room, len) = buffer.room();
    // SAFETY: `Room` promises that this much may be written there; the kernel writes no more.
    let read = unsafe { libc::read(fd.as_fd().as_raw_fd(), room.cast::<c_void>(), len) };
    let read = check_len(read)?;
    // SAFETY: the kernel has written that many bytes.
    unsafe { buffer.append(read) };
    Ok(read)
}

/// Has `read` read to the room, which is initialised for that; returns nothing, as the buffer tells.
///
/// # Panics
///
/// If `read` says that it read more than there was room for.
#[inline]
pub(crate) fn fill_room(
    buffer: &mut impl Room,
    read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
) -> io::Result<()> {
    let (room, len) = buffer.room();
    // SAFETY: `Room` promises that this much may be written there, by us alone; zeroes initialise it.
    let bytes = unsafe {
        room.write_bytes(0, len);
        slice::from_raw_parts_mut(room, len)
    };
    let read = read(bytes)?;
    assert!(read <= len, "a read of {len} bytes says that it read {read}");
    // SAFETY: all the room is initialised, and there was so much.
    unsafe { buffer.append(read) };
    Ok(())
}

/// [recv(2)] of a datagram, appending to `buffer`; returns how much of it that was.
///
/// [recv(2)]: https://man7.org/linux/man-pages/man2/recv.2.html
#[cfg(feature = "tokio-io")]
#[inline]
pub(crate) fn receive_to_room(socket: &impl AsFd, buffer: &mut impl Room) -> io::Result<usize> {
    receive_from_to_room(socket, buffer).map(|(len, _)| len)
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
    let mut from = RawAddr::empty();
    let mut from_len = mem::size_of::<RawAddr>() as socklen_t;
    const NO_FLAGS: c_int = 0;
    // SAFETY: `Room` promises that so much may be written there, and the address has the size that is said;
    // the kernel writes no more, and the address is valid in any pattern.
    let received = unsafe {
        let (room, from, from_len) = (room.cast::<c_void>(), &raw mut from.any, &raw mut from_len);
        libc::recvfrom(socket, room, len, NO_FLAGS, from, from_len)
    };
    // Without MSG_TRUNC it is what there was room for.
    let received = check_len(received)?;
    // SAFETY: the kernel has written that many bytes.
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
