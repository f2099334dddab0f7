//! TCP, UDP, and Unix sockets of all three kinds, with all that goes along.

use std::fs::File;
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, Ordering};

use runtime::net::udp::{Datagram, Received};
use runtime::net::unix::SocketAddr as UnixAddr;
use runtime::net::{
    TcpListener, TcpSocket, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixSeqpacket,
    UnixSeqpacketListener, UnixSocket, UnixStream, lookup_host,
};
use runtime::{Runtime, spawn, try_join};

use super::folder;

/// What does not fit into any buffer, so that the writer has to wait.
const LONG: usize = 6 << 20;

/// Both ends of a connection, if both succeed: an error of one end is no reason to wait for the other.
async fn ends<A, B>(
    a: impl Future<Output = io::Result<A>>,
    b: impl Future<Output = io::Result<B>>,
) -> io::Result<(A, B)> {
    try_join!(a, b)
}

pub(crate) async fn tcp_pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let ((served, from), client) = ends(listener.accept(), TcpStream::connect(address)).await?;
    assert_eq!(client.local_addr()?, from);
    assert_eq!(client.peer_addr()?, address);
    Ok((served, client))
}

pub(crate) fn tcp(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let (served, client) = tcp_pair().await?;
        let serve = async {
            let mut buf = [0; 16];
            while let len @ 1.. = served.read(&mut buf).await? {
                served.write_all(&buf[..len]).await?;
            }
            served.shutdown().await
        };
        let ask = async {
            let mut answer = [0; 4];
            for _ in 0..3 {
                client.write_all(b"ask!").await?;
                client.peek(&mut answer[..1]).await?;
                client.read_exact(&mut answer).await?;
                assert_eq!(&answer, b"ask!");
            }
            client.write_vectored(&[IoSlice::new(b"a"), IoSlice::new(b"b")]).await?;
            client.read_exact(&mut answer[..2]).await?;
            assert_eq!(&answer[..2], b"ab");
            client.shutdown().await?;
            assert_eq!(client.read_to_end(&mut Vec::new()).await?, 0);
            Ok(())
        };
        ends(serve, ask).await?;

        let (served, client) = tcp_pair().await?;
        let client = TcpStream::from_std(client.into_std()?)?;
        let clone = served.try_clone()?;
        let (_read, write) = client.into_split();
        let write = async {
            write.write_all(&vec![7; LONG]).await?;
            drop(write);
            io::Result::Ok(())
        };
        let read = async {
            drop(served);
            let mut all = vec![0; LONG];
            clone.read_exact(&mut all).await?;
            assert!(all.iter().all(|byte| *byte == 7));
            assert_eq!(clone.read_to_end(&mut all).await?, 0);
            Ok(())
        };
        ends(write, read).await.map(drop)
    })
}

pub(crate) fn tcp_options(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.set_recv_buffer_size(1 << 16)?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let listener = socket.listen(16)?;
        let address = listener.local_addr()?;
        let socket = TcpSocket::new_v4()?;
        socket.set_keepalive(true)?;
        let (accepted, client) = ends(listener.accept(), socket.connect(address)).await?;
        client.set_nodelay(true)?;
        assert!(client.nodelay()?);
        client.set_ttl(33)?;
        assert_eq!(client.ttl()?, 33);
        client.set_zero_linger()?;
        assert!(client.take_error()?.is_none());
        drop(client);
        let reset = accepted.0.read(&mut [0]).await;
        let reset = reset.expect_err("a reset");
        if reset.kind() != io::ErrorKind::ConnectionReset {
            return Err(reset);
        }
        assert!(listener.take_error()?.is_none());
        drop(listener.try_clone()?);
        let gone = listener.local_addr()?;
        drop(listener);
        assert!(TcpStream::connect(gone).await.is_err());
        Ok(())
    })
}

/// A name and addresses of which the first do not answer.
pub(crate) fn eyeballs(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let dead = {
            let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            gone.local_addr()?
        };
        let unreachable = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 1));
        let addresses = [dead, unreachable, address];
        let connect = async { TcpStream::connect(&addresses[..]).await };
        let ((served, _), client) = ends(listener.accept(), connect).await?;
        client.write_all(b"x").await?;
        let mut byte = [0];
        served.read_exact(&mut byte).await?;
        assert_eq!(&byte, b"x");
        Ok(())
    })
}

/// A name, of which libc's resolver knows.
pub(crate) fn names(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let found: Vec<_> = lookup_host("localhost:7").await?.collect();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 7));
        assert!(!found.is_empty());
        Ok(())
    })
}

pub(crate) fn exclusive(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        listener.set_exclusive(true);
        let address = listener.local_addr()?;
        let second = listener.try_clone()?;
        let two = async {
            let first = listener.accept().await?;
            let next = second.accept().await?;
            Ok((first, next))
        };
        let clients = async {
            let first = TcpStream::connect(address).await?;
            let next = TcpStream::connect(address).await?;
            Ok((first, next))
        };
        let (served, clients) = ends(two, clients).await?;
        clients.1.write_all(b"x").await?;
        let mut byte = [0];
        let _ = served.1.0.read_exact(&mut byte).await?;
        Ok(())
    })
}

async fn udp_pair() -> io::Result<(UdpSocket, UdpSocket)> {
    let a = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let b = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    Ok((a, b))
}

pub(crate) fn udp(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let (a, b) = udp_pair().await?;
        let (to_a, to_b) = (a.local_addr()?, b.local_addr()?);
        let mut buf = [0; 16];
        let receive = async {
            let (len, from) = b.recv_from(&mut buf).await?;
            assert_eq!((&buf[..len], from), (&b"one"[..], to_a));
            Ok(())
        };
        let send = async { a.send_to(b"one", to_b).await };
        ends(receive, send).await?;
        a.connect(to_b).await?;
        b.connect(to_a).await?;
        assert_eq!(a.peer_addr()?, to_b);
        let mut buf = [0; 16];
        for _ in 0..2 {
            let receive = async { b.recv(&mut buf).await };
            let (received, sent) = ends(receive, a.send(b"two!")).await?;
            assert_eq!((received, sent), (4, 4));
        }
        a.send(b"three").await?;
        assert_eq!(b.peek_sender().await?, to_a);
        assert_eq!(b.peek(&mut buf).await?, 5);
        assert_eq!(b.recv(&mut buf).await?, 5);
        a.set_ttl(9)?;
        assert_eq!(a.ttl()?, 9);
        assert!(a.take_error()?.is_none());
        drop(a.try_clone()?);
        let a = UdpSocket::from_std(a.into_std()?)?;
        drop(b);
        // Refused by the peer's kernel, which tells the next call.
        a.send(b"x").await?;
        assert!(a.recv(&mut buf).await.is_err());
        Ok(())
    })
}

pub(crate) fn udp_batches(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let (a, b) = udp_pair().await?;
        let (to_a, to_b) = (a.local_addr()?, b.local_addr()?);
        b.set_recv_tos(true)?;
        b.set_recv_pktinfo(true)?;
        let mut four = [b"one", b"two", b"six", b"ten"].map(|text| Datagram::new(text).to(to_b));
        let send = async {
            let mut rest = &mut four[..];
            while !rest.is_empty() {
                let sent = a.send_many(rest).await?;
                rest = &mut rest[sent..];
            }
            Ok(())
        };
        let mut buffers = [[0; 8]; 4];
        let receive = async {
            let mut there = 0;
            while there < 4 {
                let mut slices = buffers[there..].iter_mut();
                let mut slices: Vec<_> = slices.by_ref().map(|b| IoSliceMut::new(b)).collect();
                let mut received = [Received::default(); 4];
                let now = b.recv_many(&mut slices, &mut received).await?;
                assert_eq!(received[0].from, to_a);
                there += now;
            }
            Ok(())
        };
        ends(send, receive).await?;
        assert_eq!(buffers.map(|buffer| buffer[0]), *b"otst");
        b.set_gro(true)?;
        let send = async {
            let mut sent = 0;
            while sent < 100 {
                sent += a.send_segmented_to(&[9; 100][sent..], 40, to_b).await?;
            }
            Ok(())
        };
        let mut buf = [0; 200];
        let receive = async {
            let mut there = 0;
            while there < 100 {
                there += b.recv_segmented(&mut buf).await?.len;
            }
            assert_eq!(there, 100);
            Ok(())
        };
        ends(send, receive).await.map(drop)
    })
}

/// A name that no other scenario has, nor this one again.
pub(crate) fn unix_name() -> io::Result<UnixAddr> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    UnixAddr::from_abstract_name(format!("injected-{}-{number}", std::process::id()))
}

pub(crate) fn unix_stream(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let name = unix_name()?;
        let listener = UnixListener::bind_addr(&name)?;
        let connect = UnixStream::connect_addr(&name);
        let ((served, _), client) = ends(listener.accept(), connect).await?;
        assert_eq!(client.peer_cred()?.pid(), Some(std::process::id() as i32));
        let write = async {
            client.write_all(&vec![3; LONG]).await?;
            client.shutdown().await?;
            assert!(client.take_error()?.is_none());
            drop(client.try_clone()?);
            // Told that nobody is connected, a shutdown is content.
            drop(client);
            Ok(())
        };
        let mut all = vec![0; LONG];
        ends(write, served.read_exact(&mut all)).await?;
        assert!(all.iter().all(|byte| *byte == 3));
        assert_eq!(served.read_to_end(&mut all).await?, 0);

        // By a path, which stays behind.
        let path = folder().join("socket");
        if path.exists() {
            std::fs::remove_file(&path)?;
        }
        let bound = UnixListener::bind(&path);
        let connected = UnixStream::connect(&path).await;
        drop((bound?, connected?));

        // A backlog that is full: the second waits until there is room.
        let name = unix_name()?;
        let socket = UnixSocket::new_stream()?;
        socket.bind_addr(&name)?;
        let listener = socket.listen(0)?;
        let first = UnixStream::connect_addr(&name).await?;
        let late = name.clone();
        let second = spawn(async move { UnixStream::connect_addr(&late).await });
        runtime::task::yield_now().await;
        let accepted = listener.accept().await?;
        let second = async { second.await.expect("no panic") };
        let (_second, _accepted) = ends(second, listener.accept()).await?;
        drop((first, accepted));
        Ok(())
    })
}

pub(crate) fn unix_datagram(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let name = unix_name()?;
        let b = UnixDatagram::bind_addr(&name)?;
        let a = UnixDatagram::unbound()?;
        let mut buf = [0; 8];
        let receive = async { b.recv_from(&mut buf).await };
        let ((len, _), sent) = ends(receive, a.send_to_addr(b"one", &name)).await?;
        assert_eq!((len, sent), (3, 3));
        // More than its queue takes, so that the sender waits for room at a receiver by name.
        let send = async {
            for _ in 0..30 {
                a.send_to_addr(b"x", &name).await?;
            }
            Ok(())
        };
        let mut buf = [0; 8];
        let receive = async {
            for _ in 0..30 {
                assert_eq!(b.recv(&mut buf).await?, 1);
            }
            Ok(())
        };
        ends(send, receive).await?;
        a.connect_addr(&name)?;
        assert_eq!(a.send(b"two").await?, 3);
        assert_eq!(b.recv(&mut [0; 8]).await?, 3);
        drop(b);
        assert!(a.send(b"x").await.is_err());
        let (c, d) = UnixDatagram::pair()?;
        c.send(b"pair").await?;
        assert_eq!(d.recv(&mut [0; 8]).await?, 4);
        Ok(())
    })
}

pub(crate) fn seqpacket(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let name = unix_name()?;
        let listener = UnixSeqpacketListener::bind_addr(&name)?;
        let connect = UnixSeqpacket::connect_addr(&name);
        let ((served, _), client) = ends(listener.accept(), connect).await?;
        client.send(b"one").await?;
        client.send(b"second").await?;
        let mut buf = [0; 16];
        assert_eq!(served.recv(&mut buf).await?.len, 3);
        assert_eq!(served.recv(&mut buf).await?.len, 6);
        let receive = async { served.recv(&mut buf).await };
        let (record, _) = ends(receive, client.send(b"third")).await?;
        assert_eq!(record.len, 5);
        drop(client);
        assert_eq!(served.recv(&mut buf).await?.len, 0);
        Ok(())
    })
}

pub(crate) fn descriptors(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let (a, b) = UnixStream::pair()?;
        let null = File::open("/dev/null")?;
        let receive = async {
            let mut buf = [0; 8];
            let with = b.recv_with_fds(&mut buf, 4).await?;
            assert_eq!((with.len, with.fds.len(), with.fds_truncated), (1, 2, false));
            let mut passed = File::from(with.fds.into_iter().next().expect("two"));
            assert_eq!(passed.read(&mut buf)?, 0);
            Ok(())
        };
        let fds = [null.as_fd(), a.as_fd()];
        let send = a.send_with_fds(b"x", &fds);
        ends(receive, send).await?;
        let (c, d) = UnixSeqpacket::pair()?;
        c.send_with_fds(b"yz", &[null.as_fd()]).await?;
        let mut buf = [0; 8];
        let with = d.recv_with_fds(&mut buf, 1).await?;
        assert_eq!((with.len, with.fds.len()), (2, 1));
        Ok(())
    })
}
