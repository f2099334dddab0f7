//! The other side of the servers: a client that never sleeps, and the process it talks to.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::server::{What, Who, unix_address};

/// Bytes of a message.
const MESSAGE: usize = 64;

/// The processors of the two sides.
pub(crate) const CLIENT_PROCESSOR: usize = 1;
pub(crate) const SERVER_PROCESSOR: usize = 0;

#[allow(dead_code, reason = "each benchmark uses a part")]
/// What a finished server leaves: how long the round trips took, and its last words.
pub(crate) struct Served {
    pub(crate) elapsed: Duration,
    pub(crate) stdout: String,
    pub(crate) stderr: Vec<u8>,
}

/// Starts `server`, a command that serves when `serve ..` is appended, and has `round_trips`
/// messages go there and back, over all connections together.
///
/// # Errors
///
/// What keeps the server from starting or the messages from going.
pub(crate) fn drive(
    mut server: Command,
    who: Who,
    what: What,
    connections: usize,
    round_trips: u64,
) -> io::Result<Served> {
    let mut child = server
        .args(["serve", who.name(), what.name(), &connections.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    match talk(&mut stdout, what, connections, round_trips) {
        Ok(elapsed) => finish(child, stdout, elapsed),
        Err(error) => {
            child.kill()?;
            child.wait()?;
            Err(error)
        }
    }
}

fn finish(
    child: Child,
    mut stdout: BufReader<ChildStdout>,
    elapsed: Duration,
) -> io::Result<Served> {
    let mut rest = String::new();
    stdout.read_to_string(&mut rest)?;
    let output = child.wait_with_output()?;
    Ok(Served { elapsed, stdout: rest, stderr: output.stderr })
}

fn talk(
    stdout: &mut BufReader<ChildStdout>,
    what: What,
    connections: usize,
    round_trips: u64,
) -> io::Result<Duration> {
    let mut address = String::new();
    stdout.read_line(&mut address)?;
    let address: u32 = address.trim().parse().map_err(io::Error::other)?;
    let mut peers =
        (0..connections).map(|_| Peer::new(what, address)).collect::<io::Result<Vec<_>>>()?;
    // The first round waits for accept and registration, and is not what the others are like.
    rounds(&mut peers, 20)?;
    let start = Instant::now();
    rounds(&mut peers, round_trips / connections as u64)?;
    let elapsed = start.elapsed();
    peers.iter().try_for_each(Peer::end)?;
    Ok(elapsed)
}

/// Each time one message on every connection, then all the answers.
fn rounds(peers: &mut [Peer], count: u64) -> io::Result<()> {
    for _ in 0..count {
        for peer in &mut *peers {
            peer.ask()?;
        }
        for peer in &mut *peers {
            peer.take_answer()?;
        }
    }
    Ok(())
}

enum Peer {
    Tcp(TcpStream),
    Unix(UnixStream),
    Udp(UdpSocket),
    UnixDatagram(UnixDatagram),
}

impl Peer {
    fn new(what: What, address: u32) -> io::Result<Peer> {
        let server = ("127.0.0.1", address as u16);
        let unix_server = unix_address("server", address);
        Ok(match what {
            What::Tcp => {
                let stream = TcpStream::connect(server)?;
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                Peer::Tcp(stream)
            }
            What::Unix => {
                let stream = UnixStream::connect_addr(&unix_server)?;
                stream.set_nonblocking(true)?;
                Peer::Unix(stream)
            }
            What::Udp => {
                let socket = UdpSocket::bind("127.0.0.1:0")?;
                socket.connect(server)?;
                socket.set_nonblocking(true)?;
                Peer::Udp(socket)
            }
            What::UnixDatagram => {
                let socket = UnixDatagram::bind_addr(&unix_address("client", std::process::id()))?;
                socket.connect_addr(&unix_server)?;
                socket.set_nonblocking(true)?;
                Peer::UnixDatagram(socket)
            }
        })
    }

    fn ask(&mut self) -> io::Result<()> {
        let message = [7; MESSAGE];
        let sent = match self {
            Peer::Tcp(stream) => stream.write(&message)?,
            Peer::Unix(stream) => stream.write(&message)?,
            Peer::Udp(socket) => socket.send(&message)?,
            Peer::UnixDatagram(socket) => socket.send(&message)?,
        };
        if sent == MESSAGE { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Asks again and again until the answer is there, so that no time passes in waking up.
    fn take_answer(&mut self) -> io::Result<()> {
        let mut buf = [0; MESSAGE];
        let mut filled = 0;
        while filled < MESSAGE {
            let buf = &mut buf[filled..];
            let read = match self {
                Peer::Tcp(stream) => stream.read(buf),
                Peer::Unix(stream) => stream.read(buf),
                Peer::Udp(socket) => socket.recv(buf),
                Peer::UnixDatagram(socket) => socket.recv(buf),
            };
            match read {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::hint::spin_loop(),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Tells a datagram server to end; a stream's does when the stream ends.
    fn end(&self) -> io::Result<()> {
        match self {
            Peer::Tcp(_) | Peer::Unix(_) => Ok(()),
            Peer::Udp(socket) => socket.send(&[]).map(|_| ()),
            Peer::UnixDatagram(socket) => socket.send(&[]).map(|_| ()),
        }
    }
}
