//! Connecting to several addresses as RFC 8305 says. On the test clock, by which the stagger is exact;
//! an address that does not answer is a listener of the loopback interface whose backlog is full.

use std::error::Error;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::pin::pin;
use std::time::Duration;

use futures::poll;
use runtime::Builder;
use runtime::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use runtime::time::{Instant, advance, pause, resume};

use crate::support::{limited, run};

const STAGGER: Duration = Duration::from_millis(250);

fn loopback() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    socket
}

/// An address that does not answer for as long as it lives: the queue of its listener is full.
struct BlackHole {
    listener: TcpListener,
    _queued: TcpStream,
    addr: SocketAddr,
}

impl BlackHole {
    async fn new() -> BlackHole {
        let listener = loopback().listen(0).unwrap();
        let addr = listener.local_addr().unwrap();
        let queued = TcpStream::connect(addr).await.unwrap();
        BlackHole { listener, _queued: queued, addr }
    }

    /// How many sockets are trying to connect to it. Nobody else knows the address.
    ///
    /// The kernel's table is long and changes while it is read, so that a look may miss a line: a
    /// number that is not `wanted` is looked at again.
    fn attempts(&self, wanted: usize) -> usize {
        for _ in 0..100 {
            if self.look() == wanted {
                return wanted;
            }
        }
        self.look()
    }

    fn look(&self) -> usize {
        const SYN_SENT: &str = "02";
        let SocketAddr::V4(addr) = self.addr else { unreachable!() };
        let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
        let trying = format!(" {} {SYN_SENT} ", proc_net(addr));
        table.matches(&trying).count()
    }
}

/// An address as /proc/net/tcp has it.
fn proc_net(addr: SocketAddrV4) -> String {
    format!("{:08X}:{:04X}", u32::from_ne_bytes(addr.ip().octets()), addr.port())
}

/// An address that refuses at once: bound, so that nobody else gets it, and not listening.
struct Closed {
    _socket: Option<TcpSocket>,
    addr: SocketAddr,
}

impl Closed {
    fn v4() -> Closed {
        let socket = loopback();
        let addr = socket.local_addr().unwrap();
        Closed { _socket: Some(socket), addr }
    }

    /// Without IPv6 here it fails at once as well.
    fn v6() -> Closed {
        let bound = TcpSocket::new_v6().and_then(|socket| {
            socket.bind((Ipv6Addr::LOCALHOST, 0).into())?;
            let addr = socket.local_addr()?;
            Ok(Closed { _socket: Some(socket), addr })
        });
        bound.unwrap_or(Closed { _socket: None, addr: (Ipv6Addr::LOCALHOST, 9).into() })
    }
}

#[test]
fn the_next_address_is_tried_after_the_stagger_and_the_loser_is_closed() {
    run(async {
        pause();
        let hole = BlackHole::new().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addrs = [hole.addr, listener.local_addr().unwrap()];
        let started = Instant::now();
        let stream = TcpStream::connect(&addrs[..]).await.unwrap();
        assert_eq!(started.elapsed(), STAGGER);
        assert_eq!(stream.peer_addr().unwrap(), addrs[1]);
        assert_eq!(hole.attempts(0), 0);
        // The winner works, and is registered anew like any other.
        let (server, _) = listener.accept().await.unwrap();
        let mut buf = [0; 2];
        let mut read = pin!(stream.read(&mut buf));
        assert!(poll!(read.as_mut()).is_pending());
        server.write_all(b"hi").await.unwrap();
        assert_eq!(read.await.unwrap(), 2);
    });
}

#[test]
fn every_address_has_a_stagger_of_its_own() {
    run(async {
        pause();
        let (first, second) = (BlackHole::new().await, BlackHole::new().await);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addrs = [first.addr, second.addr, listener.local_addr().unwrap()];
        let started = Instant::now();
        let mut connect = pin!(TcpStream::connect(&addrs[..]));
        assert!(poll!(connect.as_mut()).is_pending());
        assert_eq!((first.attempts(1), second.attempts(0)), (1, 0));
        advance(STAGGER - Duration::from_nanos(1)).await;
        assert!(poll!(connect.as_mut()).is_pending());
        assert_eq!((first.attempts(1), second.attempts(0)), (1, 0));
        advance(Duration::from_nanos(1)).await;
        assert!(poll!(connect.as_mut()).is_pending());
        // Beside each other: the first is not given up.
        assert_eq!((first.attempts(1), second.attempts(1)), (1, 1));
        let stream = connect.await.unwrap();
        assert_eq!(started.elapsed(), 2 * STAGGER);
        assert_eq!(stream.peer_addr().unwrap(), addrs[2]);
        assert_eq!((first.attempts(0), second.attempts(0)), (0, 0));
    });
}

#[test]
fn one_that_answers_late_still_wins() {
    run(async {
        pause();
        let (late, never) = (BlackHole::new().await, BlackHole::new().await);
        let addrs = [late.addr, never.addr];
        let mut connect = pin!(TcpStream::connect(&addrs[..]));
        assert!(poll!(connect.as_mut()).is_pending());
        advance(STAGGER).await;
        assert!(poll!(connect.as_mut()).is_pending());
        assert_eq!((late.attempts(1), never.attempts(1)), (1, 1));
        // Room in the queue: the kernel repeats its request after a second, of real time.
        resume();
        late.listener.accept().await.unwrap();
        let stream = connect.await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), late.addr);
        assert_eq!(never.attempts(0), 0);
    });
}

#[test]
fn a_failure_starts_the_next_at_once() {
    run(async {
        pause();
        let hole = BlackHole::new().await;
        let (one, two) = (Closed::v4(), Closed::v4());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let started = Instant::now();
        TcpStream::connect(&[one.addr, two.addr, good][..]).await.unwrap();
        assert_eq!(started.elapsed(), Duration::ZERO);
        // Also beside one that is under way.
        TcpStream::connect(&[hole.addr, one.addr, two.addr, good][..]).await.unwrap();
        assert_eq!(started.elapsed(), STAGGER);
    });
}

#[test]
fn a_failure_that_comes_late_starts_the_next_at_once() {
    let mut builder = Builder::new();
    // The clock stands: the stagger never ends.
    let runtime = builder.start_paused(true).auto_advance(false).build().unwrap();
    limited(|| {
        runtime.block_on(async {
            let hole = BlackHole::new().await;
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addrs = [hole.addr, listener.local_addr().unwrap()];
            let mut connect = pin!(TcpStream::connect(&addrs[..]));
            assert!(poll!(connect.as_mut()).is_pending());
            // When the kernel repeats its request, after a second, it is refused.
            drop(hole);
            assert_eq!(connect.await.unwrap().peer_addr().unwrap(), addrs[1]);
        });
    });
}

#[test]
fn families_take_turns_and_all_errors_are_told() {
    run(async {
        let (v4, v6) = ([(); 4].map(|()| Closed::v4()), [(); 4].map(|()| Closed::v6()));
        let (v4, v6) = (v4.each_ref().map(|it| it.addr), v6.each_ref().map(|it| it.addr));
        for (addrs, order) in [
            ([v4[0], v4[1], v4[2], v6[0], v6[1]], [v4[0], v6[0], v4[1], v6[1], v4[2]]),
            ([v6[0], v6[1], v6[2], v4[0], v4[1]], [v6[0], v4[0], v6[1], v4[1], v6[2]]),
            ([v4[0], v6[0], v6[1], v6[2], v6[3]], [v4[0], v6[0], v6[1], v6[2], v6[3]]),
            ([v6[0], v4[0], v4[1], v6[1], v6[2]], [v6[0], v4[0], v6[1], v4[1], v6[2]]),
        ] {
            let error = TcpStream::connect(&addrs[..]).await.unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("connecting to any of 5 addresses: "), "{text}");
            let told: Vec<_> = order.iter().map(|addr| text.find(&format!("{addr}: "))).collect();
            assert!(told.iter().all(Option::is_some) && told.is_sorted(), "{text}: not {order:?}");
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        }
    });
}

#[test]
fn the_kind_is_that_of_an_address_that_could_be_reached() {
    run(async {
        let closed = Closed::v4();
        // TCP connects to one host, so there is no way to all of them.
        let nowhere: SocketAddr = "255.255.255.255:9".parse().unwrap();
        let error = TcpStream::connect(nowhere).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NetworkUnreachable, "{error}");
        let error = TcpStream::connect(&[closed.addr, nowhere][..]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
        assert_eq!(root(&error), Some(libc::ECONNREFUSED));
        assert!(error.to_string().contains("unreachable"), "{error}");
        let error = TcpStream::connect(&[nowhere, nowhere][..]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NetworkUnreachable, "{error}");
    });
}

/// The number of the system's error at the root of one that was explained.
fn root(error: &io::Error) -> Option<i32> {
    let source = error.get_ref().and_then(Error::source);
    source.and_then(|source| source.downcast_ref::<io::Error>())?.raw_os_error()
}

#[test]
fn a_connect_that_is_dropped_closes_every_socket() {
    run(async {
        pause();
        let holes = [BlackHole::new().await, BlackHole::new().await, BlackHole::new().await];
        let addrs = [holes[0].addr, holes[1].addr, holes[2].addr];
        let attempts = |number| {
            for (i, hole) in holes.iter().enumerate() {
                let wanted = usize::from(i < number);
                assert_eq!(hole.attempts(wanted), wanted, "number {i} of {number}");
            }
        };
        for under_way in 1..=3 {
            let mut connect = Box::pin(TcpStream::connect(&addrs[..]));
            assert!(poll!(connect.as_mut()).is_pending());
            for _ in 1..under_way {
                advance(STAGGER).await;
                assert!(poll!(connect.as_mut()).is_pending());
            }
            attempts(under_way);
            drop(connect);
            attempts(0);
        }
        // One socket of the caller's own.
        let mut connect = Box::pin(TcpSocket::new_v4().unwrap().connect(addrs[0]));
        assert!(poll!(connect.as_mut()).is_pending());
        attempts(1);
        drop(connect);
        attempts(0);
    });
}

/// The names of this process's threads.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.map(|name| name.trim_end().to_owned()).collect()
}

#[test]
fn numeric_addresses_never_touch_a_thread() {
    const NAME: &str = "looks-up-names";
    let looked_up = || threads().iter().any(|name| name == NAME);
    let runtime = Builder::new().thread_name(NAME).build().unwrap();
    limited(|| {
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            TcpStream::connect(addr).await.unwrap();
            TcpStream::connect(addr.to_string()).await.unwrap();
            TcpStream::connect(("127.0.0.1", addr.port())).await.unwrap();
            TcpStream::connect((Ipv4Addr::LOCALHOST, addr.port())).await.unwrap();
            TcpStream::connect(&[addr, addr][..]).await.unwrap();
            let _ = TcpStream::connect("[::1]:1").await;
            let _ = TcpStream::connect(("::1", 1)).await;
            TcpListener::bind("127.0.0.1:0").await.unwrap();
            runtime::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
            assert!(lookup_host("[fe80::1%1]:80").await.unwrap().next().is_some());
            assert!(!looked_up(), "{:?}", threads());

            // A name does, so the above shows something.
            TcpStream::connect(("localhost", addr.port())).await.unwrap();
            assert!(looked_up(), "{:?}", threads());
        });
    });
}
