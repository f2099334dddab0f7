//! The other side of the servers: a client that never sleeps, and the process it talks to.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::server::{What, Who, unix_address};

/// Bytes of a message.
const MESSAGE: usize = 64;

/// The processors of the two sides.
pub(crate) const CLIENT_PROCESSOR: usize = 1;
pub(crate) const SERVER_PROCESSOR: usize = 0;

/// Starts this very program as `serve ..`, and has `round_trips` messages go there and back, over all
/// connections together. Says how long they took.
///
/// # Errors
///
/// What keeps the server from starting or the messages from going.
pub(crate) fn drive(
    who: Who,
    what: What,
    connections: usize,
    round_trips: u64,
) -> io::Result<Duration> {
    let mut server = Command::new(std::env::current_exe()?)
        .args(["serve", who.name(), what.name(), &connections.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = server.stdout.take().expect("stdout is piped");
    let talked = talk(BufReader::new(stdout), what, connections, round_trips);
    if talked.is_err() {
        server.kill()?;
    }
    server.wait()?;
    talked
}

fn talk(
    mut stdout: BufReader<ChildStdout>,
    what: What,
    connections: usize,
    round_trips: u64,
) -> io::Result<Duration> {
    let mut address = String::new();
    stdout.read_line(&mut address)?;
    let address = address.trim().parse().map_err(io::Error::other)?;
    let mut peers = connect(what, address, connections)?;
    // The first round waits for accept and registration, and is not what the others are like.
    rounds(&mut peers, 20)?;
    let start = Instant::now();
    rounds(&mut peers, round_trips / connections as u64)?;
    let elapsed = start.elapsed();
    peers.iter().try_for_each(Peer::end)?;
    Ok(elapsed)
}

/// As many clients as there are connections.
///
/// # Errors
///
/// What keeps them from connecting.
pub(crate) fn connect(what: What, address: u32, connections: usize) -> io::Result<Vec<Peer>> {
    (0..connections).map(|_| Peer::new(what, address)).collect()
}

/// Each time one message on every connection, then all the answers.
fn rounds(peers: &mut [Peer], count: u64) -> io::Result<()> {
    for _ in 0..count {
        for peer in &mut *peers {
            peer.ask()?;
        }
        for peer in &mut *peers {
            // Again and again until the answer is there, so that no time passes in waking up.
            while !peer.take_answer()? {
                std::hint::spin_loop();
            }
        }
    }
    Ok(())
}

/// One client, and how much of the answer it has.
pub(crate) struct Peer {
    socket: Socket,
    filled: usize,
}

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Udp(UdpSocket),
    UnixDatagram(UnixDatagram),
}

impl Peer {
    fn new(what: What, address: u32) -> io::Result<Peer> {
        let server = ("127.0.0.1", address as u16);
        let unix_server = unix_address("server", address);
        let socket = match what {
            What::Tcp | What::TcpTimeout => {
                let stream = TcpStream::connect(server)?;
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                Socket::Tcp(stream)
            }
            What::Unix => {
                let stream = UnixStream::connect_addr(&unix_server)?;
                stream.set_nonblocking(true)?;
                Socket::Unix(stream)
            }
            What::Udp => {
                let socket = UdpSocket::bind("127.0.0.1:0")?;
                socket.connect(server)?;
                socket.set_nonblocking(true)?;
                Socket::Udp(socket)
            }
            What::UnixDatagram => {
                let socket = UnixDatagram::bind_addr(&unix_address("client", std::process::id()))?;
                socket.connect_addr(&unix_server)?;
                socket.set_nonblocking(true)?;
                Socket::UnixDatagram(socket)
            }
        };
        Ok(Peer { socket, filled: 0 })
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// What keeps it from going as a whole.
    pub(crate) fn ask(&mut self) -> io::Result<()> {
        let message = [7; MESSAGE];
        let sent = match &mut self.socket {
            Socket::Tcp(stream) => stream.write(&message)?,
            Socket::Unix(stream) => stream.write(&message)?,
            Socket::Udp(socket) => socket.send(&message)?,
            Socket::UnixDatagram(socket) => socket.send(&message)?,
        };
        if sent == MESSAGE { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Takes what has come of the answer, without waiting; true if that was the last of it.
    ///
    /// # Errors
    ///
    /// What keeps it from coming.
    pub(crate) fn take_answer(&mut self) -> io::Result<bool> {
        let buf = &mut [0; MESSAGE][self.filled..];
        let read = match &mut self.socket {
            Socket::Tcp(stream) => stream.read(buf),
            Socket::Unix(stream) => stream.read(buf),
            Socket::Udp(socket) => socket.recv(buf),
            Socket::UnixDatagram(socket) => socket.recv(buf),
        };
        match read {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => self.filled += read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
        let whole = self.filled == MESSAGE;
        if whole {
            self.filled = 0;
        }
        Ok(whole)
    }

    /// Tells a datagram server to end; a stream's does when the stream ends.
    ///
    /// # Errors
    ///
    /// What keeps it from being told.
    pub(crate) fn end(&self) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp(_) | Socket::Unix(_) => Ok(()),
            Socket::Udp(socket) => socket.send(&[]).map(|_| ()),
            Socket::UnixDatagram(socket) => socket.send(&[]).map(|_| ()),
        }
    }
}
