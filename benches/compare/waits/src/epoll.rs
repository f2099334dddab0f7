//! epoll(7): the kernel keeps the list, and hands back what is ready.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::descriptors::Descriptors;
use crate::mechanism::Mechanism;

const FOREVER: libc::c_int = -1;

/// As many events as a loop would take at once.
const EVENTS: usize = 64;

pub(crate) struct Epoll {
    epoll: OwnedFd,
    events: [libc::epoll_event; EVENTS],
}

impl Epoll {
    /// Adds all descriptors, level-triggered, or with `EPOLLET` in `flags` edge-triggered.
    pub(crate) fn new(fds: &Descriptors, flags: libc::c_int) -> io::Result<Epoll> {
        // SAFETY: no pointer is passed.
        let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if epoll < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new, and nobody else's.
        let epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
        for (which, fd) in fds.numbers().enumerate() {
            let events = (libc::EPOLLIN | flags) as u32;
            let mut event = libc::epoll_event { events, u64: which as u64 };
            // SAFETY: `event` outlives the call.
            let failed = unsafe {
                libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) < 0
            };
            if failed {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(Epoll { epoll, events: [libc::epoll_event { events: 0, u64: 0 }; EVENTS] })
    }
}

impl Mechanism for Epoll {
    fn wait(&mut self) -> io::Result<usize> {
        let (events, room) = (self.events.as_mut_ptr(), EVENTS as i32);
        // SAFETY: there is room for as many events as are asked for.
        let ready = unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), events, room, FOREVER) };
        match ready {
            1 => Ok(self.events[0].u64 as usize),
            0.. => panic!("{ready} descriptors are ready, but only one was written to"),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
