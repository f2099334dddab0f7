//! The pipe that spliced bytes pass through, and the few that a thread keeps to hand.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::process;

use crate::sys;

/// Empty pipes a thread keeps. A direction holds a pipe only while bytes are in it or follow each other
/// closely, so that many connections get by with few.
const SPARES: usize = 4;

thread_local! {
    static EMPTY: RefCell<Vec<Pipe>> = const { RefCell::new(Vec::new()) };
}

pub(super) struct Pipe {
    out: File,
    into: File,
    /// The process that made it: after a fork the parent has it too, and would get our bytes.
    process: u32,
}

impl Pipe {
    /// One that this thread has to spare, or a new one.
    #[inline]
    pub(super) fn take() -> io::Result<Pipe> {
        let process = process::id();
        // In a destructor of another thread-local there may be no spares any more.
        let spare = EMPTY.try_with(|empty| empty.borrow_mut().pop()).ok().flatten();
        if let Some(pipe) = spare.filter(|pipe| pipe.process == process) {
            return Ok(pipe);
        }
        let (out, into) = sys::pipe()?;
        Ok(Pipe { out, into, process })
    }

    /// Keeps the pipe for the next who needs one. It must be empty.
    #[inline]
    pub(super) fn put_back(self) {
        let _ = EMPTY.try_with(|empty| {
            let mut empty = empty.borrow_mut();
            if empty.len() < SPARES {
                empty.push(self);
            }
        });
    }

    /// Moves up to `len` bytes from a descriptor into the pipe, which must be empty: `WouldBlock` then
    /// speaks of the descriptor.
    #[inline]
    pub(super) fn fill(&self, from: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
        sys::splice(from, self.into.as_fd(), len)
    }

    /// Moves up to `len` bytes out of the pipe, which must have them: `WouldBlock` then speaks of the
    /// descriptor.
    #[inline]
    pub(super) fn drain(&self, to: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
        sys::splice(self.out.as_fd(), to, len)
    }

    /// Reads what is in the pipe.
    #[inline]
    pub(super) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        (&self.out).read(buf)
    }
}
