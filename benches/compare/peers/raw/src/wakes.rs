//! Wakes from another thread: an eventfd, and a flag where the loop may be awake.

use std::hint;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use program::wakes::{Waking, While, answer};

use crate::epoll::{Epoll, Events, check};

/// An eventfd, never read: in an edge-triggered epoll each write is an event.
struct EventFd(RawFd);

impl EventFd {
    fn new() -> io::Result<EventFd> {
        // SAFETY: no pointers are passed.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        Ok(EventFd(check(fd)?))
    }

    fn write(&self) {
        let one = 1_u64;
        // SAFETY: there are 8 bytes.
        unsafe { libc::write(self.0, std::ptr::from_ref(&one).cast(), 8) };
    }
}

impl Wake for EventFd {
    fn wake(self: Arc<Self>) {
        self.write();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.write();
    }
}

pub(crate) fn parked(count: u64) -> io::Result<()> {
    let (epoll, eventfd) = (Epoll::new()?, Arc::new(EventFd::new()?));
    epoll.add(eventfd.0, libc::EPOLLIN)?;
    let waking = Waking::start(Waker::from(eventfd), While::Parked, count);
    let mut events = Events::new();
    loop {
        epoll.wait(&mut events, -1)?;
        if answer() {
            waking.print();
            return Ok(());
        }
    }
}

/// An eventfd that is written only if the loop has not been told since it last looked.
struct Notified {
    flag: AtomicBool,
    eventfd: EventFd,
}

impl Wake for Notified {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.flag.swap(true, Ordering::AcqRel) {
            self.eventfd.write();
        }
    }
}

pub(crate) fn busy(count: u64) -> io::Result<()> {
    let eventfd = EventFd::new()?;
    let epoll = Epoll::new()?;
    epoll.add(eventfd.0, libc::EPOLLIN)?;
    let notified = Arc::new(Notified { flag: AtomicBool::new(false), eventfd });
    let waking = Waking::start(Waker::from(notified.clone()), While::Busy, count);
    let mut events = Events::new();
    loop {
        // It has other things to do, so it does not wait.
        epoll.wait(&mut events, 0)?;
        if events.iter().next().is_some() {
            notified.flag.store(false, Ordering::SeqCst);
            if answer() {
                waking.print();
                return Ok(());
            }
        }
    }
}

/// Where the loop looks for itself, a flag is enough.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

pub(crate) fn spinning(count: u64) -> io::Result<()> {
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    let waking = Waking::start(Waker::from(flag.clone()), While::Spinning, count);
    loop {
        while !flag.0.load(Ordering::Acquire) {
            hint::spin_loop();
        }
        flag.0.store(false, Ordering::Relaxed);
        if answer() {
            waking.print();
            return Ok(());
        }
    }
}
