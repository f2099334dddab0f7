//! The other side of the servers: clients that never sleep, so that no time passes in waking them.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::workloads::Load;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The connections of a load, and those beside them on which nothing is said.
pub(crate) struct Client {
    streams: Vec<TcpStream>,
    _idle: Vec<TcpStream>,
    message: Vec<u8>,
    answer: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(port: u16, load: Load) -> Result<Client> {
        let connect = |_| stream(port).context("a connection to the program");
        Ok(Client {
            _idle: (0..load.idle).map(connect).collect::<Result<_>>()?,
            streams: (0..load.connections).map(connect).collect::<Result<_>>()?,
            message: vec![7; load.message],
            answer: vec![0; load.message],
        })
    }

    /// Each time a message on every connection, then all the answers: `count` round trips in all.
    pub(crate) fn round_trips(&mut self, count: u64) -> Result<()> {
        for _ in 0..count / self.streams.len() as u64 {
            for stream in &self.streams {
                send(stream, &self.message)?;
            }
            for stream in &self.streams {
                receive(stream, &mut self.answer)?;
            }
        }
        Ok(())
    }
}

fn stream(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

fn send(mut stream: &TcpStream, message: &[u8]) -> io::Result<()> {
    let mut sent = 0;
    spin_until(|| {
        sent += stream.write(&message[sent..])?;
        Ok(sent == message.len())
    })
}

fn receive(mut stream: &TcpStream, answer: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    spin_until(|| {
        match stream.read(&mut answer[filled..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => filled += n,
        }
        Ok(filled == answer.len())
    })
}

/// Tries again and again while it would block.
fn spin_until(mut done: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    let mut start = None;
    let mut tries = 0_u32;
    loop {
        match done() {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) => return Err(error),
        }
        tries = tries.wrapping_add(1);
        if tries.is_multiple_of(0x10000)
            && start.get_or_insert_with(Instant::now).elapsed() > PATIENCE
        {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}
