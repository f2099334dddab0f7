//! TCP's options, before and after connecting, and sockets from elsewhere.
#![allow(unsafe_code)]

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::pin::pin;
use std::time::Duration;
use std::{fs, thread};

use futures::poll;
use runtime::net::{TcpListener, TcpSocket, TcpStream};

use crate::support::{limited, run};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

/// The options of both types, set and read.
macro_rules! common_options {
    ($socket:expr) => {{
        let socket = &$socket;
        socket.set_nodelay(true).unwrap();
        assert!(socket.nodelay().unwrap());
        socket.set_quickack(false).unwrap();
        assert!(!socket.quickack().unwrap());

        assert_eq!(socket.linger().unwrap(), None);
        socket.set_linger(Some(Duration::from_millis(1500))).unwrap();
        assert_eq!(socket.linger().unwrap(), Some(Duration::from_secs(2)));
        socket.set_zero_linger().unwrap();
        assert_eq!(socket.linger().unwrap(), Some(Duration::ZERO));
        socket.set_linger(None).unwrap();
        assert_eq!(socket.linger().unwrap(), None);

        assert_eq!(socket.user_timeout().unwrap(), None);
        for (set, got) in [(0, 1), (1, 1), (1_000_000, 1), (1_000_001, 2), (30_000_000_000, 30_000)]
        {
            socket.set_user_timeout(Some(Duration::from_nanos(set))).unwrap();
            assert_eq!(socket.user_timeout().unwrap(), Some(Duration::from_millis(got)));
        }
        socket.set_user_timeout(Some(Duration::MAX)).unwrap();
        socket.set_user_timeout(None).unwrap();
        assert_eq!(socket.user_timeout().unwrap(), None);

        assert!(!socket.keepalive().unwrap());
        socket.set_keepalive(true).unwrap();
        assert!(socket.keepalive().unwrap());
        socket.set_keepalive_idle(Duration::from_millis(1)).unwrap();
        assert_eq!(socket.keepalive_idle().unwrap(), Duration::from_secs(1));
        socket.set_keepalive_interval(Duration::from_secs(30)).unwrap();
        assert_eq!(socket.keepalive_interval().unwrap(), Duration::from_secs(30));
        socket.set_keepalive_count(3).unwrap();
        assert_eq!(socket.keepalive_count().unwrap(), 3);
        assert!(socket.set_keepalive_count(1000).is_err());

        socket.set_recv_buffer_size(16384).unwrap();
        assert_eq!(socket.recv_buffer_size().unwrap(), 2 * 16384);
        socket.set_send_buffer_size(16384).unwrap();
        assert_eq!(socket.send_buffer_size().unwrap(), 2 * 16384);

        socket.set_ttl(7).unwrap();
        assert_eq!(socket.ttl().unwrap(), 7);
        socket.set_tos_v4(16).unwrap();
        assert_eq!(socket.tos_v4().unwrap(), 16);
        assert!(socket.take_error().unwrap().is_none());

        assert_eq!(socket.device().unwrap(), None);
        for nowhere in [&b"no-such-device"[..], b"lo-and-behold, more than a name can be"] {
            let error = socket.bind_device(Some(nowhere)).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
        }
        socket.bind_device(Some(b"lo")).unwrap();
        assert_eq!(socket.device().unwrap().as_deref(), Some(&b"lo"[..]));
    }};
}

#[test]
fn options_are_read_as_set() {
    run(async {
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let addr = listener.local_addr().unwrap();
        listener.set_ttl(9).unwrap();
        assert_eq!(listener.ttl().unwrap(), 9);
        assert!(listener.take_error().unwrap().is_none());

        let client = TcpSocket::new_v4().unwrap();
        common_options!(client);
        // They are the connection's.
        let client = client.connect(addr).await.unwrap();
        assert_eq!(client.keepalive_interval().unwrap(), Duration::from_secs(30));
        assert_eq!(client.device().unwrap().as_deref(), Some(&b"lo"[..]));
        let (server, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        assert_eq!(server.ttl().unwrap(), 9);
        common_options!(server);
    });
}

#[test]
fn the_traffic_class_of_ipv6() {
    let Ok(socket) = TcpSocket::new_v6() else {
        eprintln!("skipped: there is no IPv6 here");
        return;
    };
    socket.set_tclass_v6(0x20).unwrap();
    assert_eq!(socket.tclass_v6().unwrap(), 0x20);
}

#[test]
fn several_listeners_share_a_port() {
    run(async {
        let one = TcpSocket::new_v4().unwrap();
        assert!(!one.reuseaddr().unwrap() && !one.reuseport().unwrap());
        one.set_reuseport(true).unwrap();
        assert!(one.reuseport().unwrap());
        one.bind(LOOPBACK).unwrap();
        let addr = one.local_addr().unwrap();
        let two = TcpSocket::new_v4().unwrap();
        two.set_reuseaddr(true).unwrap();
        assert!(two.reuseaddr().unwrap());
        assert_eq!(two.bind(addr).unwrap_err().kind(), ErrorKind::AddrInUse);
        two.set_reuseport(true).unwrap();
        two.bind(addr).unwrap();
        let listeners = [one.listen(64).unwrap(), two.listen(64).unwrap()];
        let mut clients = Vec::new();
        for _ in 0..32 {
            clients.push(TcpStream::connect(addr).await.unwrap());
        }
        for _ in &clients {
            let [one, two] = &listeners;
            let (one, two) = (pin!(one.accept()), pin!(two.accept()));
            futures::future::select(one, two).await.factor_first().0.unwrap();
        }
    });
}

fn is_nonblocking(fd: RawFd) -> bool {
    // SAFETY: no pointers are passed.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    flags & libc::O_NONBLOCK != 0
}

/// A TCP socket as libraries make it: it blocks.
fn made_elsewhere() -> OwnedFd {
    // SAFETY: no pointers are passed, and the descriptor is new.
    let fd = unsafe {
        OwnedFd::from_raw_fd(libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0))
    };
    assert!(!is_nonblocking(fd.as_raw_fd()));
    fd
}

#[test]
fn sockets_from_elsewhere_and_back() {
    run(async {
        // SAFETY: the descriptor is handed over.
        let socket = unsafe { TcpSocket::from_raw_fd(made_elsewhere().into_raw_fd()) };
        assert!(is_nonblocking(socket.as_raw_fd()));
        socket.bind(LOOPBACK).unwrap();
        let listener = socket.listen(16).unwrap();
        let addr = listener.local_addr().unwrap();
        let mut accept = Box::pin(listener.accept());
        assert!(poll!(accept.as_mut()).is_pending());
        drop(accept);

        // Deregistered, and on again as what it is.
        let listener = TcpListener::try_from(OwnedFd::from(listener)).unwrap();
        let (client, accepted) = futures::join!(
            TcpSocket::from_std_stream(made_elsewhere().into()).connect(addr),
            listener.accept(),
        );
        let (client, (server, _)) = (client.unwrap(), accepted.unwrap());
        assert!(is_nonblocking(client.as_raw_fd()));
        let mut buf = [0; 8];
        assert!(poll!(pin!(server.read(&mut buf))).is_pending());
        let server = TcpStream::try_from(OwnedFd::from(server)).unwrap();
        let mut read = pin!(server.read(&mut buf));
        assert!(poll!(read.as_mut()).is_pending());
        client.write_all(b"abc").await.unwrap();
        assert_eq!(read.await.unwrap(), 3);

        let fd = OwnedFd::from(TcpSocket::from(made_elsewhere()));
        let fd = TcpSocket::from(fd).into_raw_fd();
        // SAFETY: it was given away just now.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
    });
}

#[test]
fn what_is_no_socket_says_so_where_there_is_an_error_to_return() {
    let file = || OwnedFd::from(fs::File::open("/dev/null").unwrap());
    let socket = TcpSocket::from(file());
    let enotsock = Some(libc::ENOTSOCK);
    assert_eq!(socket.nodelay().unwrap_err().raw_os_error(), enotsock);
    assert_eq!(socket.listen(1).unwrap_err().raw_os_error(), enotsock);
    run(async {
        let listener = TcpListener::try_from(file()).unwrap();
        assert_eq!(listener.accept().await.unwrap_err().raw_os_error(), enotsock);
        let stream = TcpStream::try_from(file()).unwrap();
        assert_eq!(stream.write(b"x").await.unwrap_err().raw_os_error(), enotsock);
    });
}

#[test]
fn two_handles_of_one_listener() {
    run(async {
        let one = TcpListener::bind(LOOPBACK).await.unwrap();
        let addr = one.local_addr().unwrap();
        let two = one.try_clone().unwrap();
        let mut first = Box::pin(one.accept());
        let mut second = Box::pin(two.accept());
        assert!(poll!(first.as_mut()).is_pending());
        assert!(poll!(second.as_mut()).is_pending());
        let clients =
            [TcpStream::connect(addr).await.unwrap(), TcpStream::connect(addr).await.unwrap()];
        let (a, b) = futures::join!(first, second);
        let mut peers = [a.unwrap().1, b.unwrap().1];
        peers.sort();
        let mut wanted = clients.each_ref().map(|client| client.local_addr().unwrap());
        wanted.sort();
        assert_eq!(peers, wanted);
        // The address stays taken for as long as one is left.
        drop(one);
        TcpStream::connect(addr).await.unwrap();
        two.accept().await.unwrap();
    });
}

/// Runs a test on a thread with a network of its own, where fast open is allowed.
fn with_fast_open(test: impl FnOnce() + Send) {
    fn enter() -> io::Result<()> {
        // SAFETY: no pointers are passed. Of a thread that is not alone it changes this thread only.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            return Err(io::Error::last_os_error());
        }
        fs::write("/proc/sys/net/ipv4/tcp_fastopen", "3")?;
        let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
        // SAFETY: all zero is a valid `ifreq`, whose name ends in zeroes; it outlives the call.
        let up = unsafe {
            let mut request: libc::ifreq = std::mem::zeroed();
            request.ifr_name[0] = b'l' as _;
            request.ifr_name[1] = b'o' as _;
            request.ifr_ifru.ifru_flags = libc::IFF_UP as _;
            libc::ioctl(socket.as_fd().as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request)
        };
        if up == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
    let body = || match enter() {
        Ok(()) => test(),
        Err(error) => eprintln!("skipped: no network of its own to be had here: {error}"),
    };
    thread::scope(|scope| scope.spawn(body).join()).unwrap();
}

#[test]
fn a_zero_linger_resets() {
    run(async {
        let (client, server) = pair().await;
        client.set_zero_linger().unwrap();
        drop(client);
        assert_eq!(server.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_user_timeout_ends_a_write_that_nobody_reads() {
    run(async {
        let (client, _server) = pair().await;
        client.set_user_timeout(Some(Duration::from_millis(1))).unwrap();
        let error = loop {
            if let Err(error) = client.write(&[0; 65536]).await {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    });
}

/// Of a listening socket, how many connections may wait to be accepted.
fn backlog(listener: &TcpListener) -> u32 {
    // SAFETY: all zero is a valid `tcp_info`; it and its length outlive the call.
    let (got, info) = unsafe {
        let mut info: libc::tcp_info = std::mem::zeroed();
        let mut len = size_of::<libc::tcp_info>() as libc::socklen_t;
        let fd = listener.as_raw_fd();
        let into = (&raw mut info).cast();
        (libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, into, &raw mut len), info)
    };
    assert_eq!(got, 0, "{}", io::Error::last_os_error());
    info.tcpi_sacked
}

#[test]
fn a_thousand_clients_may_wait() {
    let limit = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    let limit: u32 = limit.trim().parse().unwrap();
    run(async {
        let bound = TcpListener::bind(LOOPBACK).await.unwrap();
        assert_eq!(backlog(&bound), limit.min(1024));
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(LOOPBACK).unwrap();
        assert_eq!(backlog(&socket.listen(7).unwrap()), 7);
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(LOOPBACK).unwrap();
        assert_eq!(backlog(&socket.listen(u32::MAX).unwrap()), limit);
    });
}

/// How many connections began with data, on the side that listens, in this thread's network.
fn fast_opens() -> usize {
    let text = fs::read_to_string("/proc/thread-self/net/netstat").unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let column = names.split(' ').position(|name| name == "TCPFastOpenPassive").unwrap();
    values.split(' ').nth(column).unwrap().parse().unwrap()
}

#[test]
fn fast_open_sends_data_with_the_first_packet() {
    limited(|| {
        with_fast_open(|| {
            runtime::block_on(async {
                let socket = TcpSocket::new_v4().unwrap();
                socket.set_fastopen(16).unwrap();
                assert_eq!(socket.fastopen().unwrap(), 16);
                socket.bind(LOOPBACK).unwrap();
                let listener = socket.listen(16).unwrap();
                let addr = listener.local_addr().unwrap();
                for round in 0..5 {
                    let client = TcpSocket::new_v4().unwrap();
                    client.set_fastopen_connect(true).unwrap();
                    assert!(client.fastopen_connect().unwrap());
                    let client = client.connect(addr).await.unwrap();
                    // The first connection asks the server for leave; the others begin with data.
                    assert_eq!(client.peer_addr().is_ok(), round == 0);
                    // A read that came first waits for the answer.
                    let mut answer = [0; 4];
                    let mut read = pin!(client.read(&mut answer));
                    if round % 2 == 0 {
                        assert!(poll!(read.as_mut()).is_pending());
                    }
                    if round == 4 {
                        // Nothing to send: the kernel says that it is connecting now.
                        assert_eq!(client.write(b"").await.unwrap(), 0);
                    }
                    let question = vec![round; 1 << 20];
                    let answer = async {
                        let (server, _) = listener.accept().await?;
                        let mut heard = vec![0; question.len()];
                        server.read_exact(&mut heard).await?;
                        assert_eq!(heard, question);
                        server.write_all(b"pong").await
                    };
                    futures::try_join!(client.write_all(&question), answer).unwrap();
                    assert_eq!(read.await.unwrap(), 4);
                }
                assert!(fast_opens() >= 3, "{} did", fast_opens());
            });
        });
    });
}
