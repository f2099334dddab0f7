//! A file's position, and the bytes that are on their way between it and the caller.

use std::fs::File;
use std::io::{self, IoSlice, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// What the operations on a file's position work with: they own it, one at a time.
///
/// A read is into a buffer of its own, as it may end when nobody waits for it any more. What it has read is
/// kept then for the next one, and the position in the kernel is ahead by that much.
#[derive(Default)]
pub(super) struct Cursor {
    /// All of it is initialised; it grows to the largest read.
    buffer: Vec<u8>,
    /// Where in the buffer is what was read and not handed out.
    unread: Range<usize>,
    /// What is being written, in a buffer that is used again.
    outgoing: Vec<u8>,
    /// What a job was for whose outcome a further poll is to fetch.
    #[cfg(any(feature = "futures-io", feature = "tokio-io"))]
    pub(super) outcome: Option<Outcome>,
}

/// What came of a job that was begun by a poll.
#[cfg(any(feature = "futures-io", feature = "tokio-io"))]
pub(super) enum Outcome {
    /// It has read, or met the end: then nothing is unread.
    Read,
    /// It has moved the position.
    Sought {
        /// By futures-io's trait this is what a poll knows its own job by.
        #[cfg_attr(not(feature = "futures-io"), expect(dead_code))]
        asked: SeekFrom,
        position: u64,
    },
}

impl Cursor {
    #[inline]
    pub(super) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Gives all there is.
    #[inline]
    pub(super) fn take_unread(&mut self) -> &[u8] {
        &self.buffer[std::mem::take(&mut self.unread)]
    }

    /// Gives as much as there is, `most` bytes at most.
    #[inline]
    pub(super) fn take(&mut self, most: usize) -> &[u8] {
        let start = self.unread.start;
        self.unread.start += most.min(self.unread.len());
        &self.buffer[start..self.unread.start]
    }

    /// Gives as much as there is and `to` has room for, and returns how much.
    #[inline]
    pub(super) fn hand_out(&mut self, to: &mut [u8]) -> usize {
        let bytes = self.take(to.len());
        to[..bytes.len()].copy_from_slice(bytes);
        bytes.len()
    }

    /// Reads up to `len` bytes, when all from before are handed out.
    #[inline]
    pub(super) fn fill(&mut self, mut file: &File, len: usize) -> io::Result<()> {
        if self.buffer.len() < len {
            self.buffer.resize(len, 0);
        }
        let read = uninterrupted(|| file.read(&mut self.buffer[..len]))?;
        self.unread = 0..read;
        Ok(())
    }

    /// Takes bytes that are to be written, `most` at most, and returns how many.
    #[inline]
    pub(super) fn take_in(&mut self, bufs: &[IoSlice<'_>], most: usize) -> usize {
        self.outgoing.clear();
        for buf in bufs {
            let room = most - self.outgoing.len();
            self.outgoing.extend_from_slice(&buf[..buf.len().min(room)]);
        }
        self.outgoing.len()
    }

    /// Writes what was taken in, or as much of it as the system takes.
    #[inline]
    pub(super) fn write(&mut self, mut file: &File) -> io::Result<usize> {
        self.give_back(file)?;
        uninterrupted(|| file.write(&self.outgoing))
    }

    /// Writes all that was taken in.
    #[cfg(any(feature = "futures-io", feature = "tokio-io"))]
    #[inline]
    pub(super) fn write_all(&mut self, mut file: &File) -> io::Result<()> {
        self.give_back(file)?;
        file.write_all(&self.outgoing)
    }

    /// As [`write`](Self::write), elsewhere.
    #[inline]
    pub(super) fn write_at(&mut self, file: &File, offset: u64) -> io::Result<usize> {
        // Else a later read would give what stood there before.
        self.give_back(file)?;
        uninterrupted(|| file.write_at(&self.outgoing, offset))
    }

    #[inline]
    pub(super) fn seek(&mut self, mut file: &File, to: SeekFrom) -> io::Result<u64> {
        self.give_back(file)?;
        file.seek(to)
    }

    /// Brings the position back to where it is for the caller. What has no position, such as a pipe, keeps
    /// what was read for the next read.
    #[inline]
    pub(super) fn give_back(&mut self, mut file: &File) -> io::Result<()> {
        if self.has_unread() {
            match file.seek(SeekFrom::Current(-(self.unread.len() as i64))) {
                Ok(_) => self.unread = 0..0,
                Err(error) if error.kind() == io::ErrorKind::NotSeekable => {}
                // Before the start of the file: a clone has moved it, and what was read is not behind it.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => self.unread = 0..0,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Makes a system call again that a signal interrupted.
#[inline]
pub(super) fn uninterrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
