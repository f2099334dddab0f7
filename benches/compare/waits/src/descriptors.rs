//! The descriptors that are waited for, and which of them is active when.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};

/// Eventfds: what a pipe does in two descriptors takes one, so that ten thousand fit into a process.
pub(crate) struct Descriptors(Vec<File>);

impl Descriptors {
    pub(crate) fn new(count: usize) -> io::Result<Descriptors> {
        (0..count).map(|_| eventfd()).collect::<io::Result<_>>().map(Descriptors)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn numbers(&self) -> impl Iterator<Item = RawFd> {
        self.0.iter().map(File::as_raw_fd)
    }

    pub(crate) fn into_files(self) -> Vec<File> {
        self.0
    }

    pub(crate) fn signal(&self, which: usize) -> io::Result<()> {
        signal(&self.0[which])
    }

    pub(crate) fn take(&self, which: usize) -> io::Result<()> {
        take(&self.0[which])
    }
}

/// Makes an eventfd readable.
pub(crate) fn signal(mut eventfd: &File) -> io::Result<()> {
    eventfd.write_all(&1_u64.to_ne_bytes())
}

/// Reads all that an eventfd has, after which it is not readable.
pub(crate) fn take(mut eventfd: &File) -> io::Result<()> {
    eventfd.read_exact(&mut [0; 8])
}

fn eventfd() -> io::Result<File> {
    // SAFETY: no pointer is passed.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, and nobody else's.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Which descriptor is active at each event.
#[derive(Clone, Copy)]
pub(crate) enum Pattern {
    /// Always the one in the middle, which is what a scan over all finds after half of them.
    Same,
    /// Another one each time, in an order that repeats from run to run.
    Random,
}

impl Pattern {
    pub(crate) fn named(name: &str) -> Result<Pattern, String> {
        match name {
            "same" => Ok(Pattern::Same),
            "random" => Ok(Pattern::Random),
            _ => Err(format!("there is no pattern {name}; there are same, random")),
        }
    }

    pub(crate) fn turns(self, descriptors: usize, count: usize) -> Turns {
        // The first events find nothing in the caches, nor the processor at its speed.
        let warm_up = count / 4;
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        let next = |_| match self {
            Pattern::Same => descriptors / 2,
            Pattern::Random => {
                state = xorshift(state);
                (state % descriptors as u64) as usize
            }
        };
        Turns { order: (0..warm_up + count).map(next).collect(), warm_up }
    }
}

fn xorshift(mut state: u64) -> u64 {
    state ^= state << 13;
    state ^= state >> 7;
    state ^ (state << 17)
}

/// The order of the active descriptors: first some that only warm up, then the measured ones.
pub(crate) struct Turns {
    order: Vec<usize>,
    warm_up: usize,
}

impl Turns {
    pub(crate) fn all(&self) -> &[usize] {
        &self.order
    }

    pub(crate) fn warm_up(&self) -> &[usize] {
        &self.order[..self.warm_up]
    }

    pub(crate) fn measured(&self) -> &[usize] {
        &self.order[self.warm_up..]
    }
}
