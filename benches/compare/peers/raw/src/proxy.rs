//! The proxy: two sockets that are each other's other side.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use libc::{EPOLLIN, EPOLLOUT};
use program::CHUNK;

use crate::epoll::{
    Epoll, Events, accept, close, connect, is_exact, listen, recv, send, shut_down_writing,
};

struct Side {
    other: RawFd,
    /// What the other side has said and this one has not taken yet; the other is not read from meanwhile.
    rest: Vec<u8>,
    /// Whether it has said its last.
    over: bool,
}

struct Proxy {
    epoll: Epoll,
    /// By descriptor.
    sides: Vec<Option<Side>>,
    buffer: [u8; CHUNK],
}

pub(crate) fn serve(upstream: u16) -> io::Result<()> {
    let listener = listen()?;
    let mut proxy = Proxy { epoll: Epoll::new()?, sides: Vec::new(), buffer: [0; CHUNK] };
    proxy.epoll.add(listener.as_raw_fd(), EPOLLIN)?;
    let mut events = Events::new();
    loop {
        proxy.epoll.wait(&mut events, -1)?;
        for (fd, flags) in events.iter() {
            if fd == listener.as_raw_fd() {
                while let Some(client) = accept(&listener)? {
                    let server = connect(upstream)?;
                    proxy.add(client, server)?;
                    proxy.add(server, client)?;
                }
            } else if proxy.serve(fd, flags).is_err() {
                proxy.end(fd);
            }
        }
    }
}

impl Proxy {
    fn add(&mut self, fd: RawFd, other: RawFd) -> io::Result<()> {
        if self.sides.len() <= fd as usize {
            self.sides.resize_with(fd as usize + 1, || None);
        }
        self.sides[fd as usize] = Some(Side { other, rest: Vec::new(), over: false });
        self.epoll.add(fd, EPOLLIN | EPOLLOUT)
    }

    fn side(&mut self, fd: RawFd) -> Option<&mut Side> {
        self.sides[fd as usize].as_mut()
    }

    fn serve(&mut self, fd: RawFd, flags: u32) -> io::Result<()> {
        // An earlier event of this batch may have ended both.
        let Some(side) = self.side(fd) else { return Ok(()) };
        let (other, waiting) = (side.other, !side.rest.is_empty());
        if waiting {
            // There is room on this side: the other's words can go on.
            self.carry(other, fd, true)?;
        }
        self.carry(fd, other, is_exact(flags))
    }

    /// Passes on what `from` says; a short read proves that it was all, unless an event said more.
    fn carry(&mut self, from: RawFd, to: RawFd, exact: bool) -> io::Result<()> {
        if !self.send_rest(to)? {
            return Ok(());
        }
        if self.side(from).is_none_or(|side| side.over) {
            return Ok(());
        }
        while let Some(read) = recv(from, &mut self.buffer)? {
            if read == 0 {
                self.end_of(from, to);
                return Ok(());
            }
            let sent = send(to, &self.buffer[..read])?.unwrap_or(0);
            if sent < read {
                if let Some(side) = &mut self.sides[to as usize] {
                    side.rest.extend_from_slice(&self.buffer[sent..read]);
                }
                return Ok(());
            }
            if read < CHUNK && !exact {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether nothing is left that `to` has to take.
    fn send_rest(&mut self, to: RawFd) -> io::Result<bool> {
        let Some(side) = self.side(to) else { return Ok(true) };
        while !side.rest.is_empty() {
            let Some(sent) = send(to, &side.rest)? else { return Ok(false) };
            side.rest.drain(..sent);
        }
        Ok(true)
    }

    fn end_of(&mut self, from: RawFd, to: RawFd) {
        shut_down_writing(to);
        if let Some(side) = self.side(from) {
            side.over = true;
        }
        if self.side(to).is_none_or(|side| side.over) {
            self.end(from);
        }
    }

    /// Closes both sides.
    fn end(&mut self, fd: RawFd) {
        let Some(side) = self.sides[fd as usize].take() else { return };
        close(fd);
        self.end(side.other);
    }
}
