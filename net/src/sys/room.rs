//! Reading into room that need not be initialised, in the buffers of other crates.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use libc::c_void;

use super::check_len;

/// A buffer with room behind its bytes.
///
/// # Safety
///
/// `room` gives memory that may be written to, as many bytes as it says, until the buffer is used again.
pub(crate) unsafe trait Room {
    /// Where the room begins, and how many bytes it has.
    fn room(&mut self) -> (*mut u8, usize);

    /// Appends so many bytes of the room to what the buffer holds.
    ///
    /// # Safety
    ///
    /// They are initialised.
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

#[cfg(feature = "tokio-io")]
// SAFETY: what is given is the unfilled part of the buffer, which nobody else uses meanwhile.
unsafe impl Room for tokio_io::io::ReadBuf<'_> {
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
