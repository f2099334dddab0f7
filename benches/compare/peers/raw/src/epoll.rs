//! The system calls, with their errors as `io::Error`.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;
use std::{mem, ptr};

use program::listening;

const EVENTS: usize = 256;

/// What one wait finds.
pub(crate) struct Events {
    list: [libc::epoll_event; EVENTS],
    count: usize,
}

impl Events {
    pub(crate) fn new() -> Events {
        Events { list: [libc::epoll_event { events: 0, u64: 0 }; EVENTS], count: 0 }
    }

    /// The descriptors and what they are ready for.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (RawFd, u32)> {
        self.list[..self.count].iter().map(|event| (event.u64 as RawFd, event.events))
    }
}

/// An epoll instance; everything in it is edge-triggered.
pub(crate) struct Epoll(RawFd);

impl Epoll {
    pub(crate) fn new() -> io::Result<Epoll> {
        // SAFETY: no pointers are passed.
        Ok(Epoll(check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?))
    }

    pub(crate) fn add(&self, fd: RawFd, interest: i32) -> io::Result<()> {
        self.ctl(libc::EPOLL_CTL_ADD, fd, interest)
    }

    pub(crate) fn modify(&self, fd: RawFd, interest: i32) -> io::Result<()> {
        self.ctl(libc::EPOLL_CTL_MOD, fd, interest)
    }

    fn ctl(&self, operation: i32, fd: RawFd, interest: i32) -> io::Result<()> {
        let flags = (interest | libc::EPOLLRDHUP | libc::EPOLLET) as u32;
        let mut event = libc::epoll_event { events: flags, u64: fd as u64 };
        // SAFETY: `event` is one event that outlives the call.
        check(unsafe { libc::epoll_ctl(self.0, operation, fd, &mut event) })?;
        Ok(())
    }

    /// `timeout` in milliseconds; -1 is none.
    pub(crate) fn wait(&self, events: &mut Events, timeout: i32) -> io::Result<()> {
        // SAFETY: there is room for EVENTS events.
        let count =
            unsafe { libc::epoll_wait(self.0, events.list.as_mut_ptr(), EVENTS as i32, timeout) };
        events.count = check(count)? as usize;
        Ok(())
    }

    /// With the kernel's own resolution.
    pub(crate) fn wait_exactly(&self, events: &mut Events, timeout: Duration) -> io::Result<()> {
        let timeout = libc::timespec {
            tv_sec: timeout.as_secs() as libc::time_t,
            tv_nsec: libc::c_long::from(timeout.subsec_nanos()),
        };
        // SAFETY: there is room for EVENTS events; `timeout` outlives the call, and no mask is passed.
        let count = unsafe {
            let (list, room) = (events.list.as_mut_ptr(), EVENTS as i32);
            libc::epoll_pwait2(self.0, list, room, &timeout, ptr::null())
        };
        events.count = check(count)? as usize;
        Ok(())
    }
}

/// Whether an event says more than that there is something to read: then a short read proves nothing.
pub(crate) fn is_exact(flags: u32) -> bool {
    flags & (libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR) as u32 != 0
}

pub(crate) fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// `None` if it would block.
fn check_len(result: isize) -> io::Result<Option<usize>> {
    if let Ok(len) = usize::try_from(result) {
        return Ok(Some(len));
    }
    let error = io::Error::last_os_error();
    if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(error) }
}

pub(crate) fn recv(fd: RawFd, buf: &mut [u8]) -> io::Result<Option<usize>> {
    // SAFETY: there is room for as many bytes as are said.
    check_len(unsafe { libc::recv(fd, buf.as_mut_ptr().cast(), buf.len(), 0) })
}

pub(crate) fn send(fd: RawFd, buf: &[u8]) -> io::Result<Option<usize>> {
    // SAFETY: there are as many bytes as are said.
    check_len(unsafe { libc::send(fd, buf.as_ptr().cast(), buf.len(), libc::MSG_NOSIGNAL) })
}

/// A datagram, and the address it came from.
pub(crate) fn recv_from(fd: RawFd, buf: &mut [u8]) -> io::Result<Option<(usize, Address)>> {
    // SAFETY: an address is integers, for which zeros are valid.
    let mut from = Address { storage: unsafe { mem::zeroed() }, len: 0 };
    from.len = size_of_val(&from.storage) as libc::socklen_t;
    let address = ptr::from_mut(&mut from.storage).cast();
    // SAFETY: there is room for the bytes of `buf` and for an address of that length.
    let read = unsafe {
        libc::recvfrom(fd, buf.as_mut_ptr().cast(), buf.len(), 0, address, &mut from.len)
    };
    Ok(check_len(read)?.map(|read| (read, from)))
}

pub(crate) fn send_to(fd: RawFd, buf: &[u8], to: &Address) -> io::Result<Option<usize>> {
    let address = ptr::from_ref(&to.storage).cast();
    // SAFETY: there are as many bytes of both as are said.
    check_len(unsafe { libc::sendto(fd, buf.as_ptr().cast(), buf.len(), 0, address, to.len) })
}

pub(crate) struct Address {
    storage: libc::sockaddr_in,
    len: libc::socklen_t,
}

/// A nonblocking listener, whose port the driver is told.
pub(crate) fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    listening(listener.local_addr()?.port());
    Ok(listener)
}

/// The next connection, nonblocking and without delay, unless there is none.
pub(crate) fn accept(listener: &TcpListener) -> io::Result<Option<RawFd>> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: the address is not asked for, so no pointer is passed.
    let fd =
        unsafe { libc::accept4(listener.as_raw_fd(), ptr::null_mut(), ptr::null_mut(), flags) };
    let fd = check_len(fd as isize)?.map(|fd| fd as RawFd);
    fd.map_or(Ok(()), set_nodelay)?;
    Ok(fd)
}

/// A connection under way to a port of this machine, nonblocking and without delay.
pub(crate) fn connect(port: u16) -> io::Result<RawFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers are passed.
    let fd = check(unsafe { libc::socket(libc::AF_INET, kind, 0) })?;
    set_nodelay(fd)?;
    // SAFETY: an address is integers, for which zeros are valid.
    let mut address: libc::sockaddr_in = unsafe { mem::zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_port = port.to_be();
    address.sin_addr.s_addr = u32::from(Ipv4Addr::LOCALHOST).to_be();
    let len = size_of_val(&address) as libc::socklen_t;
    // SAFETY: `address` outlives the call, and its size is passed.
    match check(unsafe { libc::connect(fd, ptr::from_ref(&address).cast(), len) }) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(fd),
    }
}

fn set_nodelay(fd: RawFd) -> io::Result<()> {
    let on = 1_i32;
    let (value, size) = (ptr::from_ref(&on).cast(), size_of_val(&on) as libc::socklen_t);
    // SAFETY: `on` is an int that outlives the call, and its size is passed.
    check(unsafe { libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, value, size) })?;
    Ok(())
}

pub(crate) fn shut_down_writing(fd: RawFd) {
    // SAFETY: no pointers are passed. It fails where the other end has gone, and then there is nobody to tell.
    unsafe { libc::shutdown(fd, libc::SHUT_WR) };
}

/// Closes a connection of `accept` or `connect`.
pub(crate) fn close(fd: RawFd) {
    // SAFETY: the caller forgets it.
    unsafe { libc::close(fd) };
}
