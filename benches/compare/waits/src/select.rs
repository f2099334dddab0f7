//! select(2): three sets of bits, which the call overwrites.

use std::io;
use std::os::fd::RawFd;
use std::ptr;

use crate::descriptors::Descriptors;
use crate::mechanism::Mechanism;

const WORD_BITS: usize = 64;

/// The descriptors that are waited for, as bits.
///
/// An `fd_set` of libc's ends at descriptor 1023, and so does `select` for a program that uses it. The kernel
/// takes sets of any length, and these are as long as they have to be.
pub(crate) struct Select {
    asked: Vec<u64>,
    /// What the kernel overwrites.
    set: Vec<u64>,
    /// The highest descriptor and one.
    end: RawFd,
    /// The place in the list of each descriptor.
    place: Vec<usize>,
}

impl Select {
    pub(crate) fn new(fds: &Descriptors) -> Select {
        let end = fds.numbers().max().expect("at least one descriptor") + 1;
        let mut asked = vec![0; (end as usize).div_ceil(WORD_BITS)];
        let mut place = vec![0; end as usize];
        for (which, fd) in fds.numbers().enumerate() {
            asked[fd as usize / WORD_BITS] |= 1 << (fd as usize % WORD_BITS);
            place[fd as usize] = which;
        }
        Select { set: asked.clone(), asked, end, place }
    }
}

impl Mechanism for Select {
    fn wait(&mut self) -> io::Result<usize> {
        self.set.copy_from_slice(&self.asked);
        let none = ptr::null_mut();
        // SAFETY: the set has a bit for every descriptor below `end`, which is all that the kernel looks at;
        // the others are not given.
        let ready = unsafe {
            libc::select(self.end, self.set.as_mut_ptr().cast(), none, none, ptr::null_mut())
        };
        if ready < 0 {
            return Err(io::Error::last_os_error());
        }
        let word = self.set.iter().position(|word| *word != 0).expect("one is ready");
        Ok(self.place[word * WORD_BITS + self.set[word].trailing_zeros() as usize])
    }
}
