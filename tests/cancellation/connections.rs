//! Connecting and accepting: each connection that was made is accepted once, and what was given up is
//! closed.

use std::collections::HashSet;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use futures::StreamExt;
use runtime::net::unix::SocketAddr as UnixAddr;
use runtime::net::{
    TcpListener, TcpSocket, TcpStream, UnixSeqpacket, UnixSeqpacketListener, UnixSocket, UnixStream,
};
use runtime::time;

use crate::exercise::{Direction, Exercise, Model, Moved, Wakes};
use crate::seeds::{Rng, eventually, for_seeds};

/// One end of a connection, which says who it is.
trait End: Sized {
    /// Sends a name of eight bytes. The buffer of a new connection has room for it.
    fn introduce(&self, name: u64);

    /// The name of the other end, or `None` if that has given up.
    async fn other(&self) -> Option<u64>;
}

macro_rules! ends {
    ($($end:ty: $send:ident, |$received:ident| $len:expr, $receive:ident;)*) => {$(
        impl End for $end {
            fn introduce(&self, name: u64) {
                assert_eq!(self.$send(&name.to_ne_bytes()).unwrap(), 8);
            }

            async fn other(&self) -> Option<u64> {
                let mut name = [0; 8];
                let len = self.$receive(&mut name).await.map_or(0, |$received| $len);
                (len > 0).then(|| {
                    assert_eq!(len, 8);
                    u64::from_ne_bytes(name)
                })
            }
        }
    )*};
}

ends! {
    TcpStream: try_write, |len| len, read;
    UnixStream: try_write, |len| len, read;
    UnixSeqpacket: try_send, |record| record.len, recv;
}

/// The connections of one listener.
struct Ends<S> {
    connected: Mutex<Vec<S>>,
    accepted: Mutex<Vec<S>>,
}

impl<S: End> Ends<S> {
    fn new() -> Ends<S> {
        Ends { connected: Mutex::new(Vec::new()), accepted: Mutex::new(Vec::new()) }
    }

    fn connected(&self, end: S) -> io::Result<Moved> {
        let mut connected = self.connected.lock().unwrap();
        end.introduce(connected.len() as u64);
        connected.push(end);
        Ok(Moved::Nothing)
    }

    fn accepted(&self, end: S) -> io::Result<Moved> {
        self.accepted.lock().unwrap().push(end);
        Ok(Moved::Nothing)
    }

    /// Every connection that was made has been accepted, or is now; and none twice.
    async fn are_matched(self, accept: impl AsyncFn() -> S) {
        let connected = self.connected.into_inner().unwrap();
        let mut missing: HashSet<u64> = (0..connected.len() as u64).collect();
        let mut met = async |end: S| {
            if let Some(name) = end.other().await {
                assert!(missing.remove(&name), "connection {name} was accepted twice");
            }
            missing.is_empty()
        };
        let mut all = connected.is_empty();
        for end in self.accepted.into_inner().unwrap() {
            all = met(end).await;
        }
        while !all {
            all = met(accept().await).await;
        }
    }
}

/// An address that does not answer: the queue of its listener is full.
struct BlackHole {
    _listener: TcpListener,
    _queued: TcpStream,
    addr: SocketAddr,
}

impl BlackHole {
    async fn new() -> BlackHole {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = socket.listen(0).unwrap();
        let addr = listener.local_addr().unwrap();
        let queued = TcpStream::connect(addr).await.unwrap();
        BlackHole { _listener: listener, _queued: queued, addr }
    }
}

macro_rules! accepting {
    ($direction:expr, $listener:expr, $ends:expr) => {{
        let (listener, ends) = ($listener, $ends);
        $direction
            .reading("accept", move |_| async move {
                let (end, _) = listener.accept().await?;
                ends.accepted(end)
            })
            .reading("poll_accept", move |_| async move {
                let (end, _) = poll_fn(|cx| listener.poll_accept(cx)).await?;
                ends.accepted(end)
            })
            .reading("poll_next of incoming", move |_| async move {
                let end = listener.incoming().next().await.expect("it never ends")?;
                ends.accepted(end)
            })
    }};
}

/// Goes on in rounds, between which time goes by: timers are a part of some.
async fn in_rounds(direction: Direction<'_>, rng: &mut Rng) {
    time::pause();
    let mut exercise = Exercise::new(vec![direction], rng);
    exercise.with_timers = true;
    for _ in 0..4 {
        exercise.disturb(50, rng).await;
        time::advance(Duration::from_millis(300)).await;
    }
    let left = exercise.stop().await;
    time::resume();
    drop(left);
}

async fn tcp_connections(listener: TcpListener, rng: &mut Rng) {
    let addr = listener.local_addr().unwrap();
    let hole = BlackHole::new().await;
    let (silent, ends) = (hole.addr, Ends::new());
    {
        let (listener, ends) = (&listener, &ends);
        let direction = Direction::new(Model::bytes(), listener, listener)
            .writing(
                "connect",
                move |_| async move { ends.connected(TcpStream::connect(addr).await?) },
            )
            .writing("connect of TcpSocket", move |_| async move {
                ends.connected(TcpSocket::new_v4()?.connect(addr).await?)
            })
            .writing("connect to one that is silent", move |_| async move {
                TcpStream::connect(silent).await.map(|_| Moved::Nothing)
            })
            .writing("connect to two, the first of which is silent", move |_| async move {
                ends.connected(TcpStream::connect(&[silent, addr][..]).await?)
            });
        in_rounds(accepting!(direction, listener, ends), rng).await;
    }
    ends.are_matched(async || listener.accept().await.unwrap().0).await;
}

#[test]
fn connections_of_tcp() {
    for_seeds(40, async |rng| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        tcp_connections(listener, rng).await;
    });
}

/// The look-up cannot be cancelled: it keeps the waker until it ends.
#[test]
fn a_connect_to_a_name_is_dropped_at_any_time() {
    for_seeds(40, async |rng| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(wakes.clone());
        {
            let mut connect = pin!(TcpStream::connect(("localhost", port)));
            for _ in 0..rng.below(5) {
                if connect.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                    break;
                }
                let before = wakes.get();
                if rng.once_in(2) {
                    eventually(|| wakes.get() > before, "it was not woken").await;
                }
            }
        }
        drop(waker);
        eventually(|| wakes.are_over(), "its waker has stayed behind").await;
    });
}

#[test]
fn connections_of_tcp_accepted_exclusively() {
    for_seeds(40, async |rng| {
        let mut listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.set_exclusive(true);
        tcp_connections(listener, rng).await;
    });
}

/// Bound to this, a socket gets a name that the kernel picks.
fn any_name() -> UnixAddr {
    StdDatagram::unbound().unwrap().local_addr().unwrap().into()
}

#[test]
fn connections_of_unix_streams() {
    for_seeds(40, async |rng| {
        // A short queue, so that who connects has to wait.
        let socket = UnixSocket::new_stream().unwrap();
        socket.bind_addr(&any_name()).unwrap();
        let listener = socket.listen(1).unwrap();
        let (addr, ends) = (listener.local_addr().unwrap(), Ends::new());
        {
            let (listener, addr, ends) = (&listener, &addr, &ends);
            let direction = Direction::new(Model::bytes(), listener, listener)
                .writing("connect_addr", move |_| async move {
                    ends.connected(UnixStream::connect_addr(addr).await?)
                })
                .writing("connect_addr of UnixSocket", move |_| async move {
                    ends.connected(UnixSocket::new_stream()?.connect_addr(addr).await?)
                });
            in_rounds(accepting!(direction, listener, ends), rng).await;
        }
        ends.are_matched(async || listener.accept().await.unwrap().0).await;
    });
}

#[test]
fn connections_of_unix_seqpackets() {
    for_seeds(40, async |rng| {
        let listener = UnixSeqpacketListener::bind_addr(&any_name()).unwrap();
        let (addr, ends) = (listener.local_addr().unwrap(), Ends::new());
        {
            let (listener, addr, ends) = (&listener, &addr, &ends);
            let direction = Direction::new(Model::bytes(), listener, listener)
                .writing("connect_addr", move |_| async move {
                    ends.connected(UnixSeqpacket::connect_addr(addr).await?)
                });
            in_rounds(accepting!(direction, listener, ends), rng).await;
        }
        ends.are_matched(async || listener.accept().await.unwrap().0).await;
    });
}
