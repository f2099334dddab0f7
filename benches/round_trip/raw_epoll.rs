//! The measure: request-reply loops written by hand on epoll, with nothing between them and libc.
//!
//! Edge-triggered; a short read from a stream ends the turn for it, as it proves the queue empty.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::{mem, ptr};

use super::server::BUFFER;

const EVENTS: usize = 256;

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn set_nonblocking(fd: RawFd) -> io::Result<()> {
    // SAFETY: no pointers are passed; `fd` is open, as its owner is borrowed by the caller.
    unsafe {
        let flags = check(libc::fcntl(fd, libc::F_GETFL))?;
        check(libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK))?;
    }
    Ok(())
}

fn add(epoll: RawFd, fd: RawFd) -> io::Result<()> {
    let flags = (libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET) as u32;
    let mut event = libc::epoll_event { events: flags, u64: fd as u64 };
    // SAFETY: `event` is one event that outlives the call.
    check(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) })?;
    Ok(())
}

fn wait(epoll: RawFd, events: &mut [libc::epoll_event; EVENTS]) -> io::Result<usize> {
    // SAFETY: there is room for EVENTS events.
    let count = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), EVENTS as i32, -1) };
    Ok(check(count)? as usize)
}

/// Echoes what comes over each of `connections` streams.
pub(crate) fn streams(listener: impl AsRawFd, connections: usize) -> io::Result<()> {
    let listener = listener.as_raw_fd();
    set_nonblocking(listener)?;
    // SAFETY: no pointers are passed.
    let epoll = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
    add(epoll, listener)?;
    // SAFETY: events are integers, for which zeros are valid.
    let mut events: [libc::epoll_event; EVENTS] = unsafe { mem::zeroed() };
    let mut buf = [0; BUFFER];
    let mut ended = 0;
    while ended < connections {
        let count = wait(epoll, &mut events)?;
        for event in &events[..count] {
            let fd = event.u64 as RawFd;
            if fd == listener {
                accept_all(epoll, listener)?;
            } else if !echo(fd, &mut buf)? {
                // SAFETY: the fd came from `accept4`, and after this nobody has it.
                unsafe { libc::close(fd) };
                ended += 1;
            }
        }
    }
    Ok(())
}

fn accept_all(epoll: RawFd, listener: RawFd) -> io::Result<()> {
    loop {
        let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: the address is not asked for, so no pointer is passed.
        let fd = unsafe { libc::accept4(listener, ptr::null_mut(), ptr::null_mut(), flags) };
        match check(fd) {
            Ok(fd) => {
                set_nodelay(fd);
                add(epoll, fd)?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// As our server does; on a Unix socket it fails, and nothing follows.
fn set_nodelay(fd: RawFd) {
    let on = 1_i32;
    let size = size_of::<i32>() as libc::socklen_t;
    // SAFETY: `on` is an int that outlives the call, and its size is passed.
    unsafe {
        libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, ptr::from_ref(&on).cast(), size)
    };
}

/// Sends back what is there. False at the end of the stream.
fn echo(fd: RawFd, buf: &mut [u8; BUFFER]) -> io::Result<bool> {
    loop {
        // SAFETY: there is room for BUFFER bytes.
        let read = unsafe { libc::recv(fd, buf.as_mut_ptr().cast(), BUFFER, 0) };
        match read {
            0 => return Ok(false),
            1.. => {
                // SAFETY: `read` bytes of the buffer are there.
                unsafe { libc::send(fd, buf.as_ptr().cast(), read as usize, libc::MSG_NOSIGNAL) };
                if (read as usize) < BUFFER {
                    return Ok(true);
                }
            }
            _ => {
                let error = io::Error::last_os_error();
                let blocks = error.kind() == io::ErrorKind::WouldBlock;
                return if blocks { Ok(true) } else { Err(error) };
            }
        }
    }
}

/// Sends each datagram back to where it came from, until an empty one comes.
pub(crate) fn datagrams(socket: impl AsRawFd) -> io::Result<()> {
    let fd = socket.as_raw_fd();
    set_nonblocking(fd)?;
    // SAFETY: no pointers are passed.
    let epoll = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
    add(epoll, fd)?;
    // SAFETY: events are integers, for which zeros are valid.
    let mut events: [libc::epoll_event; EVENTS] = unsafe { mem::zeroed() };
    let mut buf = [0; BUFFER];
    loop {
        wait(epoll, &mut events)?;
        while let Some(len) = reply(fd, &mut buf)? {
            if len == 0 {
                return Ok(());
            }
        }
    }
}

/// One datagram there and back; `None` when there is none.
fn reply(fd: RawFd, buf: &mut [u8; BUFFER]) -> io::Result<Option<usize>> {
    // SAFETY: an address is integers, for which zeros are valid.
    let mut from: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let mut from_len = size_of_val(&from) as libc::socklen_t;
    let address = ptr::from_mut(&mut from).cast();
    // SAFETY: there is room for BUFFER bytes and for an address of `from_len`.
    let read =
        unsafe { libc::recvfrom(fd, buf.as_mut_ptr().cast(), BUFFER, 0, address, &mut from_len) };
    if read < 0 {
        let error = io::Error::last_os_error();
        let blocks = error.kind() == io::ErrorKind::WouldBlock;
        return if blocks { Ok(None) } else { Err(error) };
    }
    if read > 0 {
        // SAFETY: `read` bytes of the buffer and `from_len` of the address are there.
        unsafe {
            libc::sendto(
                fd,
                buf.as_ptr().cast(),
                read as usize,
                libc::MSG_NOSIGNAL,
                address,
                from_len,
            )
        };
    }
    Ok(Some(read as usize))
}
