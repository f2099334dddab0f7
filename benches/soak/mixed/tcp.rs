//! TCP connections that come and go: whole ones, reset ones, some whose end leaves data unread, and some whose reads
//! are given up.

use std::io::{self, ErrorKind};
use std::mem::forget;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use runtime::net::{TcpListener, TcpStream};
use runtime::task::JoinSet;
use runtime::time::timeout;

use super::plant::Plant;
use super::share::{Share, all};

const CLIENTS: usize = 8;
const CONNECTIONS: usize = 20;
const LONGEST: usize = 16 * 1024;

/// How the client ends a connection. Its first byte says so.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Ending {
    /// It closes its direction, and is told how much it has sent.
    HalfClose,
    Reset,
    /// It closes while there is something to read, which is a reset, too.
    Unread,
    /// It waits for an answer that does not come, and gives up.
    GivenUp,
}

const ENDINGS: [Ending; 4] = [Ending::HalfClose, Ending::Reset, Ending::Unread, Ending::GivenUp];

pub(crate) async fn run(mut share: Share) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(listener));
    for _ in 0..CLIENTS {
        tasks.spawn(client(address, share.part()));
    }
    all(tasks).await
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    let mut connections = JoinSet::new();
    for _ in 0..CLIENTS * CONNECTIONS {
        let (stream, _) = listener.accept().await?;
        connections.spawn(echo(stream));
    }
    all(connections).await
}

async fn echo(stream: TcpStream) -> io::Result<()> {
    if Plant::Memory.is_in() {
        forget(vec![0; 100]);
    }
    let mut first = [0];
    stream.read_exact(&mut first).await?;
    let ending = ENDINGS[usize::from(first[0])];
    let mut total: u64 = 0;
    let mut buf = vec![0; LONGEST];
    let ended = loop {
        match stream.read(&mut buf).await {
            Ok(0) => break Ok(()),
            Ok(len) => {
                total += len as u64;
                if ending == Ending::GivenUp {
                    continue;
                }
                if let Err(error) = stream.write_all(&buf[..len]).await {
                    break Err(error.kind());
                }
            }
            Err(error) => break Err(error.kind()),
        }
    };
    let is_right = match ending {
        Ending::HalfClose | Ending::GivenUp => ended == Ok(()),
        Ending::Reset => ended == Err(ErrorKind::ConnectionReset),
        // A write may meet it before a read does.
        Ending::Unread => {
            matches!(ended, Err(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe))
        }
    };
    assert!(is_right, "the server saw {ended:?} of {ending:?}");
    if ending == Ending::HalfClose {
        stream.write_all(&total.to_le_bytes()).await?;
    }
    Ok(())
}

async fn client(address: SocketAddr, mut share: Share) -> io::Result<()> {
    for _ in 0..CONNECTIONS {
        let which = share.random.below(ENDINGS.len());
        let stream = TcpStream::connect(address).await?;
        stream.write_all(&[which as u8]).await?;
        match ENDINGS[which] {
            Ending::HalfClose => {
                let sent = exchange(&stream, &mut share).await?;
                stream.shutdown().await?;
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await?;
                assert_eq!(rest, sent.to_le_bytes(), "what the server says it has read");
            }
            Ending::Reset => {
                exchange(&stream, &mut share).await?;
                stream.set_zero_linger()?;
            }
            Ending::Unread => {
                stream.write_all(&share.bytes(LONGEST)).await?;
                stream.readable().await?;
            }
            Ending::GivenUp => {
                stream.write_all(&share.bytes(LONGEST)).await?;
                let read = timeout(Duration::from_millis(1), stream.read(&mut [0])).await;
                assert!(read.is_err(), "an answer that nobody sent: {read:?}");
            }
        }
        drop(stream);
        share.done();
    }
    Ok(())
}

/// Some messages there and back; returns how many bytes that was one way.
async fn exchange(stream: &TcpStream, share: &mut Share) -> io::Result<u64> {
    let mut sent = 0;
    for _ in 0..=share.random.below(4) {
        let message = share.bytes(LONGEST);
        stream.write_all(&message).await?;
        let mut echoed = vec![0; message.len()];
        stream.read_exact(&mut echoed).await?;
        assert!(echoed == message, "other bytes than were sent");
        sent += message.len() as u64;
    }
    Ok(sent)
}
