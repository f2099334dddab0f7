//! The other side of the servers: clients that never sleep, so that no time passes in waking them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::http2;
use crate::workloads::{Over, Traffic};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many connections wait to be accepted at once, which is less than the backlog of a listener.
const BATCH: usize = 64;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// What the client does until an answer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    Spinning,
    Sleeping,
}

/// The sockets of some traffic, as files that are read and written.
pub(crate) struct Client {
    near: Vec<File>,
    /// The other ends, where the server is a proxy.
    far: Vec<File>,
    idle: Vec<File>,
    message: Vec<u8>,
    answer: Vec<u8>,
    over: Over,
}

impl Client {
    /// Connects to a server that listens at `port`, and has said one message on every connection.
    pub(crate) fn connect(
        port: u16,
        traffic: Traffic,
        upstream: Option<&Upstream>,
        until: Until,
    ) -> Result<Client> {
        let mut client = Client {
            near: Vec::new(),
            far: Vec::new(),
            idle: Vec::new(),
            message: match traffic.over {
                Over::Http => REQUEST.to_vec(),
                Over::Http2 => http2::request(),
                _ => vec![7; traffic.message],
            },
            answer: vec![0; traffic.message],
            over: traffic.over,
        };
        client.open(traffic.idle, traffic.over, port, upstream)?;
        client.idle = std::mem::take(&mut client.near);
        client.open(traffic.connections, traffic.over, port, upstream)?;
        if until == Until::Spinning {
            for socket in client.near.iter().chain(&client.far) {
                set_nonblocking(socket)?;
            }
        }
        Ok(client)
    }

    fn open(
        &mut self,
        connections: usize,
        over: Over,
        port: u16,
        upstream: Option<&Upstream>,
    ) -> Result<()> {
        while self.near.len() < connections {
            let first = self.near.len();
            for _ in 0..BATCH.min(connections - first) {
                self.near.push(socket(over, port).context("a socket to the program")?);
                if let Some(upstream) = upstream {
                    self.far.push(upstream.accept().context("the proxy's connection")?);
                }
            }
            if over == Over::Http && first == 0 {
                self.answer = learn(&self.near[0])?;
                self.exchange(1..self.near.len())?;
            } else {
                self.exchange(first..self.near.len())?;
            }
        }
        Ok(())
    }

    /// More connections, on each of which one message is said.
    pub(crate) fn add(&mut self, connections: usize, port: u16) -> Result<()> {
        self.idle.append(&mut self.near);
        self.open(connections, Over::Tcp, port, None)
    }

    /// As many round trips as there are connections: a message on each, then the answers.
    pub(crate) fn burst(&mut self) -> Result<()> {
        self.exchange(0..self.near.len())
    }

    pub(crate) fn connections(&self) -> u64 {
        self.near.len() as u64
    }

    fn exchange(&mut self, which: std::ops::Range<usize>) -> Result<()> {
        if self.over == Over::Http2 {
            http2::advance(&mut self.message);
        }
        for socket in &self.near[which.clone()] {
            send(socket, &self.message).context("a message to the program")?;
        }
        if !self.far.is_empty() {
            for socket in &self.far[which.clone()] {
                let message = &mut self.answer;
                receive(socket, message).context("a message through the proxy")?;
                send(socket, message).context("an answer to the proxy")?;
            }
        }
        for socket in &self.near[which] {
            if self.over == Over::Http2 {
                receive_over_http2(socket).context("the program's answer")?;
                continue;
            }
            receive(socket, &mut self.answer).context("the program's answer")?;
        }
        Ok(())
    }
}

impl Drop for Client {
    /// Resets the connections: closed in order, ten thousand of them would keep their ports for a minute.
    fn drop(&mut self) {
        let reset = libc::linger { l_onoff: 1, l_linger: 0 };
        for socket in self.near.iter().chain(&self.far).chain(&self.idle) {
            let _ = set_option(socket, libc::SO_LINGER, &reset);
        }
    }
}

/// Where a proxy connects to.
pub(crate) struct Upstream(TcpListener);

impl Upstream {
    pub(crate) fn listen() -> Result<Upstream> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        set_patience(&listener)?;
        Ok(Upstream(listener))
    }

    pub(crate) fn port(&self) -> Result<u16> {
        Ok(self.0.local_addr()?.port())
    }

    fn accept(&self) -> io::Result<File> {
        let (stream, _) = self.0.accept()?;
        stream.set_nodelay(true)?;
        set_patience(&stream)?;
        Ok(File::from(OwnedFd::from(stream)))
    }
}

fn socket(over: Over, port: u16) -> io::Result<File> {
    let fd: OwnedFd = if over == Over::Udp {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(("127.0.0.1", port))?;
        socket.into()
    } else {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        if over == Over::Http2 {
            (&stream).write_all(&http2::opening())?;
        }
        stream.into()
    };
    set_patience(&fd)?;
    Ok(File::from(fd))
}

/// The first answer of an HTTP server, as long as the others will be.
fn learn(mut socket: &File) -> Result<Vec<u8>> {
    socket.write_all(REQUEST)?;
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    while !answer.ends_with(b"hello") {
        match socket.read(&mut buffer).context("the first answer")? {
            0 => bail!("the server ended the connection after {answer:?}"),
            n => answer.extend_from_slice(&buffer[..n]),
        }
    }
    Ok(answer)
}

fn send(mut socket: &File, message: &[u8]) -> io::Result<()> {
    let mut sent = 0;
    try_until(|| {
        sent += socket.write(&message[sent..])?;
        Ok(sent == message.len())
    })
}

fn receive(mut socket: &File, answer: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    try_until(|| {
        match socket.read(&mut answer[filled..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => filled += n,
        }
        Ok(filled == answer.len())
    })
}

fn receive_over_http2(mut socket: &File) -> io::Result<()> {
    let mut answer = http2::Answer::default();
    let mut buffer = [0; 1024];
    try_until(|| {
        match socket.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => answer.take(&buffer[..n]),
        }
        if answer.wants_an_acknowledgement() {
            send(socket, &http2::acknowledgement())?;
        }
        Ok(answer.is_complete())
    })
}

/// Tries again and again while it would block. A socket that sleeps says so only when patience ends.
fn try_until(mut done: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    let start = Instant::now();
    for tries in 1_u64.. {
        match done() {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) => return Err(error),
        }
        // To look at the clock each time would make the client slower to see an answer.
        if tries % 0x1000 == 1 && start.elapsed() > PATIENCE {
            break;
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

fn set_nonblocking(socket: &File) -> io::Result<()> {
    // SAFETY: no pointer is passed.
    let set = unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Lets no call on a blocking socket wait for longer.
fn set_patience(socket: &impl AsFd) -> io::Result<()> {
    let patience = libc::timeval { tv_sec: PATIENCE.as_secs() as i64, tv_usec: 0 };
    set_option(socket, libc::SO_RCVTIMEO, &patience)
}

fn set_option<T>(socket: &impl AsFd, name: i32, value: &T) -> io::Result<()> {
    let socket = socket.as_fd().as_raw_fd();
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` lives during the call, and its length is passed.
    let set = unsafe {
        libc::setsockopt(socket, libc::SOL_SOCKET, name, (&raw const *value).cast(), length)
    };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
