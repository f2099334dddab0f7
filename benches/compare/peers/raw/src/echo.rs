//! The echo over TCP: one buffer for all connections, and what could not be sent kept until it can.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use libc::{EPOLLIN, EPOLLOUT};

use crate::epoll::{Epoll, Events, accept, close, is_exact, listen, recv, send};

/// How often connections are looked through for those that say nothing.
const SWEEP: Duration = Duration::from_secs(1);

struct Connection {
    fd: RawFd,
    /// What has been read and not been sent; the connection is not read from meanwhile.
    rest: Vec<u8>,
    heard: Instant,
}

struct Server {
    epoll: Epoll,
    /// By descriptor.
    connections: Vec<Option<Connection>>,
    buffer: Vec<u8>,
}

/// With a `limit`, ends connections that say nothing for so long.
pub(crate) fn serve(buffer: usize, limit: Option<Duration>) -> io::Result<()> {
    let listener = listen()?;
    let mut server =
        Server { epoll: Epoll::new()?, connections: Vec::new(), buffer: vec![0; buffer] };
    server.epoll.add(listener.as_raw_fd(), EPOLLIN)?;
    let mut events = Events::new();
    let (mut now, mut swept) = (Instant::now(), Instant::now());
    let timeout = limit.map_or(-1, |_| SWEEP.as_millis() as i32);
    loop {
        server.epoll.wait(&mut events, timeout)?;
        if let Some(limit) = limit {
            now = Instant::now();
            if now - swept >= SWEEP {
                server.sweep(now, limit);
                swept = now;
            }
        }
        for (fd, flags) in events.iter() {
            if fd == listener.as_raw_fd() {
                while let Some(fd) = accept(&listener)? {
                    server.add(fd, now)?;
                }
            } else if server.serve(fd, is_exact(flags), now).is_err() {
                server.end(fd);
            }
        }
    }
}

impl Server {
    fn add(&mut self, fd: RawFd, now: Instant) -> io::Result<()> {
        if self.connections.len() <= fd as usize {
            self.connections.resize_with(fd as usize + 1, || None);
        }
        self.connections[fd as usize] = Some(Connection { fd, rest: Vec::new(), heard: now });
        self.epoll.add(fd, EPOLLIN)
    }

    /// Sends back what is there; a short read proves that it was all.
    fn serve(&mut self, fd: RawFd, exact: bool, now: Instant) -> io::Result<()> {
        let Some(connection) = &mut self.connections[fd as usize] else { return Ok(()) };
        if !connection.rest.is_empty() && !connection.send_rest(&self.epoll)? {
            return Ok(());
        }
        connection.heard = now;
        while let Some(read) = recv(fd, &mut self.buffer)? {
            if read == 0 {
                self.end(fd);
                return Ok(());
            }
            let sent = send(fd, &self.buffer[..read])?.unwrap_or(0);
            if sent < read {
                connection.rest.extend_from_slice(&self.buffer[sent..read]);
                return self.epoll.modify(fd, EPOLLIN | EPOLLOUT);
            }
            if read < self.buffer.len() && !exact {
                return Ok(());
            }
        }
        Ok(())
    }

    fn end(&mut self, fd: RawFd) {
        if let Some(connection) = self.connections[fd as usize].take() {
            close(connection.fd);
        }
    }

    fn sweep(&mut self, now: Instant, limit: Duration) {
        let quiet = |connection: &mut Connection| now - connection.heard >= limit;
        for connection in &mut self.connections {
            if let Some(connection) = connection.take_if(quiet) {
                close(connection.fd);
            }
        }
    }
}

impl Connection {
    /// Whether all of it could be sent.
    fn send_rest(&mut self, epoll: &Epoll) -> io::Result<bool> {
        while !self.rest.is_empty() {
            let Some(sent) = send(self.fd, &self.rest)? else { return Ok(false) };
            self.rest.drain(..sent);
        }
        epoll.modify(self.fd, EPOLLIN)?;
        Ok(true)
    }
}
