//! poll(2): a list of descriptors, handed over at every call.

use std::io;

use crate::descriptors::Descriptors;
use crate::mechanism::Mechanism;

const FOREVER: libc::c_int = -1;

pub(crate) struct Poll(Vec<libc::pollfd>);

impl Poll {
    pub(crate) fn new(fds: &Descriptors) -> Poll {
        let entry = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        Poll(fds.numbers().map(entry).collect())
    }
}

impl Mechanism for Poll {
    fn wait(&mut self) -> io::Result<usize> {
        // SAFETY: the list is borrowed mutably, and its length is passed.
        let ready = unsafe { libc::poll(self.0.as_mut_ptr(), self.0.len() as u64, FOREVER) };
        if ready < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(self.0.iter().position(|entry| entry.revents != 0).expect("one is ready"))
    }
}
