//! The echo over UDP.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;

use program::{DATAGRAM, listening};

use crate::epoll::{Epoll, Events, recv_from, send_to};

/// Sends each datagram back to where it came from.
pub(crate) fn serve() -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    listening(socket.local_addr()?.port());
    let fd = socket.as_raw_fd();
    let epoll = Epoll::new()?;
    epoll.add(fd, libc::EPOLLIN)?;
    let mut events = Events::new();
    let mut buffer = [0; DATAGRAM];
    loop {
        epoll.wait(&mut events, -1)?;
        while let Some((read, from)) = recv_from(fd, &mut buffer)? {
            send_to(fd, &buffer[..read], &from)?;
        }
    }
}
