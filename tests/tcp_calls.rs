//! TCP's system calls, counted and made to fail where this executable's own functions stand before
//! libc's: each thread has its own counts and faults, so the tests do not disturb each other.
#![allow(unsafe_code)]

mod support;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::error::Error;
use std::ffi::{c_int, c_void};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures::{StreamExt, poll};
use runtime::net::{TcpListener, TcpSocket, TcpStream};
use runtime::spawn;
use runtime::task::yield_now;
use runtime::time::{Instant, advance, pause, sleep};
use support::faults::{fail, forward};
use support::{limited, run};

thread_local! {
    /// The errors that the coming calls of `accept4` fail with.
    static FAULTS: RefCell<VecDeque<c_int>> = const { RefCell::new(VecDeque::new()) };
    /// The error that every call fails with, once `FAULTS` are used up; 0 for none.
    static FAULT: Cell<c_int> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
    /// The calls that connect and register a socket, in order.
    static CONNECTING: RefCell<Vec<(&'static str, c_int)>> = const { RefCell::new(Vec::new()) };
    /// Whether `connect` is interrupted by a signal once it is under way.
    static INTERRUPT: Cell<bool> = const { Cell::new(false) };
    static RECEIVED: Cell<usize> = const { Cell::new(0) };
}

/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn accept4(
    socket: c_int,
    addr: *mut libc::sockaddr,
    len: *mut libc::socklen_t,
    flags: c_int,
) -> c_int {
    CALLS.set(CALLS.get() + 1);
    let fault = FAULTS.with_borrow_mut(VecDeque::pop_front).unwrap_or(FAULT.get());
    if fault != 0 {
        return fail(fault);
    }
    forward!(SYS_accept4, socket, addr, len, flags) as c_int
}

/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn connect(
    socket: c_int,
    addr: *const libc::sockaddr,
    len: libc::socklen_t,
) -> c_int {
    CONNECTING.with_borrow_mut(|calls| calls.push(("connect", socket)));
    match forward!(SYS_connect, socket, addr, len) as c_int {
        -1 if INTERRUPT.get() => fail(libc::EINTR),
        result => result,
    }
}

/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn epoll_ctl(
    epoll: c_int,
    op: c_int,
    fd: c_int,
    event: *mut libc::epoll_event,
) -> c_int {
    if op == libc::EPOLL_CTL_ADD {
        CONNECTING.with_borrow_mut(|calls| calls.push(("add", fd)));
    }
    forward!(SYS_epoll_ctl, epoll, op, fd, event) as c_int
}

/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn recv(socket: c_int, buf: *mut c_void, len: usize, flags: c_int) -> isize {
    RECEIVED.set(RECEIVED.get() + 1);
    forward!(SYS_recvfrom, socket, buf, len, flags, 0, 0) as isize
}

fn inject(faults: &[c_int]) {
    FAULTS.with_borrow_mut(|kept| kept.extend(faults));
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// The number of the system's error at the root of one that was explained.
fn root(error: &io::Error) -> Option<c_int> {
    let source = error.get_ref().and_then(Error::source);
    source.and_then(|source| source.downcast_ref::<io::Error>())?.raw_os_error()
}

#[test]
fn errors_of_the_new_connection_are_passed_over() {
    run(async {
        let (listener, addr) = listener().await;
        let client = TcpStream::connect(addr).await.unwrap();
        inject(&[
            libc::ECONNABORTED,
            libc::EPROTO,
            libc::ENETDOWN,
            libc::ENOPROTOOPT,
            libc::EHOSTDOWN,
            libc::ENONET,
            libc::EHOSTUNREACH,
            libc::ENETUNREACH,
            libc::EINTR,
        ]);
        let (_, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());

        // Also where nothing else is in the queue: the listener waits on.
        inject(&[libc::ECONNABORTED]);
        let mut next = pin!(poll_fn(|cx| listener.poll_accept(cx)));
        assert!(poll!(next.as_mut()).is_pending());
        let client = TcpStream::connect(addr).await.unwrap();
        assert_eq!(next.await.unwrap().1, client.local_addr().unwrap());

        inject(&[libc::ECONNABORTED, libc::ECONNABORTED]);
        let client = TcpStream::connect(addr).await.unwrap();
        let accepted = listener.incoming().next().await.unwrap().unwrap();
        assert_eq!(accepted.peer_addr().unwrap(), client.local_addr().unwrap());
    });
}

#[test]
fn errors_of_new_connections_without_an_end_leave_the_others_their_turn() {
    run(async {
        let (listener, _) = listener().await;
        for by_poll in [false, true] {
            FAULT.set(libc::ENETDOWN);
            let accept = async {
                match by_poll {
                    true => poll_fn(|cx| listener.poll_accept(cx)).await,
                    false => listener.accept().await,
                }
            };
            let others = runtime::spawn(async {
                for _ in 0..10 {
                    yield_now().await;
                }
            });
            let accepted = runtime::select! {
                _ = accept => true,
                ran = others => ran.is_err(),
            };
            FAULT.set(0);
            assert!(!accepted);
        }
    });
}

#[test]
fn errors_of_the_listener_reach_the_caller() {
    run(async {
        let (listener, _) = listener().await;
        for fault in [libc::EINVAL, libc::EOPNOTSUPP, libc::EPERM] {
            inject(&[fault]);
            let error = listener.accept().await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(fault));
        }
    });
}

/// On the test clock: by it the times are exact.
#[test]
fn whatever_has_run_out_the_error_is_told_and_the_loop_does_not_spin() {
    for (fault, remedy) in [
        (libc::EMFILE, "ulimit -n"),
        (libc::ENFILE, "fs.file-max"),
        (libc::ENOBUFS, "memory"),
        (libc::ENOMEM, "memory"),
    ] {
        run(async {
            pause();
            let (listener, addr) = listener().await;
            let client = TcpStream::connect(addr).await.unwrap();
            FAULT.set(fault);
            CALLS.set(0);
            let started = Instant::now();
            let mut told = Vec::new();
            while told.len() < 10 {
                let error = listener.accept().await.unwrap_err();
                assert_eq!(root(&error), Some(fault));
                assert!(error.to_string().contains(remedy), "{error}");
                told.push(started.elapsed().as_millis());
            }
            // At once, then after pauses that double up to a second.
            assert_eq!(told, [0, 10, 30, 70, 150, 310, 630, 1270, 2270, 3270]);
            // A try every 10 ms, and each call's own.
            assert!(CALLS.get() <= 327 + 10, "{} calls", CALLS.get());

            // Within a pause of a second, descriptors return: the client is served at most 10 ms later.
            let served = spawn(async move {
                let (_, peer) = listener.accept().await.unwrap();
                (peer, Instant::now())
            });
            sleep(Duration::from_millis(105)).await;
            FAULT.set(0);
            let returned = Instant::now();
            let (peer, when) = served.await.unwrap();
            assert_eq!(peer, client.local_addr().unwrap());
            assert!(when - returned <= Duration::from_millis(10), "{:?}", when - returned);
        });
    }
}

#[test]
fn each_of_many_that_poll_by_hand_is_served_after_the_pause() {
    run(async {
        pause();
        let (listener, addr) = listener().await;
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(TcpStream::connect(addr).await.unwrap());
        }
        FAULT.set(libc::EMFILE);
        poll_fn(|cx| listener.poll_accept(cx)).await.unwrap_err();
        let listener = std::rc::Rc::new(listener);
        let servers: Vec<_> = (0..3)
            .map(|_| {
                let listener = listener.clone();
                spawn(async move { poll_fn(|cx| listener.poll_accept(cx)).await.unwrap().1 })
            })
            .collect();
        // All of them wait, after one try each, and none was told the error.
        runtime::task::yield_now().await;
        assert!(servers.iter().all(|server| !server.is_finished()));
        assert_eq!(CALLS.get(), 1 + servers.len());
        FAULT.set(0);
        advance(Duration::from_millis(10)).await;
        let mut served = Vec::new();
        for server in servers {
            served.push(server.await.unwrap());
        }
        served.sort();
        let mut wanted: Vec<_> = clients.iter().map(|c| c.local_addr().unwrap()).collect();
        wanted.sort();
        assert_eq!(served, wanted);
    });
}

#[test]
fn without_a_runtime_the_error_is_told_each_time() {
    limited(|| {
        let (listener, addr) = runtime::block_on(listener());
        let _client = std::net::TcpStream::connect(addr).unwrap();
        inject(&[libc::EMFILE, libc::EMFILE]);
        for _ in 0..2 {
            let error = futures::executor::block_on(listener.accept()).unwrap_err();
            assert_eq!(root(&error), Some(libc::EMFILE));
        }
        futures::executor::block_on(listener.accept()).unwrap();
    });
}

/// A listener whose queue is full, and the client that fills it.
async fn full_listener() -> (TcpListener, TcpStream, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let addr = listener.local_addr().unwrap();
    let client = TcpStream::connect(addr).await.unwrap();
    (listener, client, addr)
}

#[test]
fn a_socket_is_registered_after_it_is_connecting() {
    run(async {
        let (listener, _client, addr) = full_listener().await;
        CONNECTING.take();
        let mut connect = pin!(TcpStream::connect(addr));
        assert!(poll!(connect.as_mut()).is_pending());
        let calls = CONNECTING.take();
        assert!(matches!(calls[..], [("connect", a), .., ("add", b)] if a == b), "{calls:?}");
        assert!(!calls[1..].contains(&("connect", calls[0].1)), "{calls:?}");

        // Room in the queue: the kernel repeats its request after a second.
        listener.accept().await.unwrap();
        let client = connect.await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        assert!(poll!(pin!(client.read(&mut [0; 8]))).is_pending());
        // It was never reported as hung up, so that a short read still proves that nothing is left.
        server.write_all(b"abc").await.unwrap();
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 3);
        RECEIVED.set(0);
        assert!(poll!(pin!(client.read(&mut [0; 8]))).is_pending());
        server.write_all(b"d").await.unwrap();
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 1);
        assert_eq!(RECEIVED.get(), 1);
    });
}

#[test]
fn connecting_goes_on_when_a_signal_interrupts_it() {
    run(async {
        let (listener, addr) = listener().await;
        INTERRUPT.set(true);
        let client = TcpStream::connect(addr).await.unwrap();
        assert_eq!(listener.accept().await.unwrap().1, client.local_addr().unwrap());
        let calls = CONNECTING.take();
        assert_eq!(calls.iter().filter(|call| call.0 == "connect").count(), 1, "{calls:?}");
    });
}

#[test]
fn a_connection_that_stands_at_once_is_not_registered() {
    run(async {
        let (listener, addr) = listener().await;
        CONNECTING.take();
        let client = TcpStream::connect(addr).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        client.write_all(b"abc").await.unwrap();
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 3);
        let calls = CONNECTING.take();
        assert!(matches!(calls[..], [("connect", _)]), "{calls:?}");
    });
}
