//! Sockets, where it takes a process of its own: counting descriptors, their limit, and SIGPIPE. One test,
//! because its parts change what all threads share.

mod support;

use std::error::Error;
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures::poll;
use runtime::net::unix::pipe;
use runtime::net::{TcpListener, TcpSocket, TcpStream, UdpSocket, UnixSocket};
use runtime::spawn;
use runtime::time::Instant;
use support::resources::open_descriptors;
use support::run;

#[test]
fn in_a_process_of_its_own() {
    a_dropped_connect_leaves_no_descriptor();
    a_broken_connection_raises_no_signal();
    accept_without_descriptors();
    accept_polled_by_hand_without_descriptors();
    what_cannot_be_made_says_why();
}

/// A listener whose queue is full, so that connecting to it stays under way.
async fn full_listener() -> (TcpListener, Vec<TcpStream>, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let addr = listener.local_addr().unwrap();
    let client = TcpStream::connect(addr).await.unwrap();
    (listener, vec![client], addr)
}

fn a_dropped_connect_leaves_no_descriptor() {
    run(async {
        runtime::time::pause();
        let (_first, _clients, first) = full_listener().await;
        let (_second, _clients, second) = full_listener().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addrs = [first, second, listener.local_addr().unwrap()];
        let mut connect = Box::pin(TcpStream::connect(&addrs[..2]));
        // What the runtime itself opens, it has opened after this.
        assert!(poll!(connect.as_mut()).is_pending(), "the queue was meant to be full");
        let one = open_descriptors();
        runtime::time::advance(Duration::from_millis(250)).await;
        assert!(poll!(connect.as_mut()).is_pending(), "the queue was meant to be full");
        assert_eq!(open_descriptors(), one + 1);
        drop(connect);
        assert_eq!(open_descriptors(), one - 1);

        // The winner's is the only one that stays.
        let stream = TcpStream::connect(&addrs[..]).await.unwrap();
        assert_eq!(open_descriptors(), one);
        drop(stream);
        // None, of those that are refused.
        drop(listener);
        let before = open_descriptors();
        TcpStream::connect(&[addrs[2]; 3][..]).await.unwrap_err();
        assert_eq!(open_descriptors(), before);
    });
}

#[allow(unsafe_code)]
fn a_broken_connection_raises_no_signal() {
    // As in a C program that hosts the runtime: Rust's own start-up ignores SIGPIPE.
    // SAFETY: SIG_DFL is no function of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.shutdown().await.unwrap();
        let error = client.write(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        let error = client.write_vectored(&[IoSlice::new(b"x")]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

/// Takes every descriptor the process may have.
fn take_all_descriptors() -> Vec<File> {
    let mut files = Vec::new();
    loop {
        match File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
                return files;
            }
        }
    }
}

#[allow(unsafe_code)]
fn limit_descriptors(limit: u64) {
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limits` outlives the call.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limits) }, 0);
    limits.rlim_cur = limit.min(limits.rlim_max);
    // SAFETY: `limits` outlives the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limits) }, 0);
}

fn is_exhaustion(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(Error::source);
    let inner = inner.and_then(|source| source.downcast_ref::<io::Error>());
    inner.and_then(io::Error::raw_os_error) == Some(libc::EMFILE)
        && error.to_string().contains("ulimit -n")
}

/// A listener that has waited once, so that it is registered, and clients in its queue.
async fn listener_with_clients(count: usize) -> (TcpListener, Vec<TcpStream>) {
    limit_descriptors(256);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    assert!(poll!(pin!(listener.accept())).is_pending());
    let addr = listener.local_addr().unwrap();
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(TcpStream::connect(addr).await.unwrap());
    }
    (listener, clients)
}

fn accept_without_descriptors() {
    run(async {
        let (listener, clients) = listener_with_clients(20).await;
        // The runtime's clock works before the descriptors are gone.
        runtime::time::sleep(Duration::from_nanos(1)).await;
        let mut files = take_all_descriptors();

        let started = Instant::now();
        for _ in 0..4 {
            let error = listener.accept().await.unwrap_err();
            assert!(is_exhaustion(&error), "{error}");
        }
        // The first at once, the others 10, 20 and 40 ms apart at least: a server does not spin.
        assert!(started.elapsed() >= Duration::from_millis(70));

        // Waiting for the end of the pause when the descriptors come back.
        let mut accept = pin!(listener.accept());
        assert!(poll!(accept.as_mut()).is_pending());
        files.truncate(files.len() - clients.len());
        let first = accept.await.unwrap();
        let mut served = vec![first];
        while served.len() < clients.len() {
            served.push(listener.accept().await.unwrap());
        }
        for (client, (server, _)) in clients.iter().zip(&served) {
            server.write_all(b"x").await.unwrap();
            client.read_exact(&mut [0]).await.unwrap();
        }

        // A success ends the pauses: each failure after one is told at once.
        drop(served);
        let mut waiting = Vec::new();
        for _ in 0..2 {
            waiting.push(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
            files.extend(take_all_descriptors());
            match poll!(pin!(listener.accept())) {
                Poll::Ready(Err(error)) => assert!(is_exhaustion(&error), "{error}"),
                _ => panic!("the first failure after a success waited"),
            }
            files.truncate(files.len() - 8);
            listener.accept().await.unwrap();
        }
    });
}

fn accept_polled_by_hand_without_descriptors() {
    run(async {
        let (listener, clients) = listener_with_clients(2).await;
        let listener = Rc::new(listener);
        runtime::time::sleep(Duration::from_nanos(1)).await;
        let files = take_all_descriptors();
        let error = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap_err();
        assert!(is_exhaustion(&error), "{error}");

        // Two tasks wait for the end of one pause; each is woken, also when a third is gone.
        let servers: Vec<_> = (0..2)
            .map(|_| {
                let listener = Rc::clone(&listener);
                spawn(async move {
                    loop {
                        if let Ok(accepted) = poll_fn(|cx| listener.poll_accept(cx)).await {
                            return accepted;
                        }
                    }
                })
            })
            .collect();
        runtime::task::yield_now().await;
        assert!(poll_fn(|cx| Poll::Ready(listener.poll_accept(cx))).await.is_pending());
        drop(files);
        for server in servers {
            server.await.unwrap().0.write_all(b"x").await.unwrap();
        }
        for client in clients {
            client.read_exact(&mut [0]).await.unwrap();
        }
    });
}

/// Without a descriptor for it: the error names what was to be made, and the remedy.
fn what_cannot_be_made_says_why() {
    run(async {
        limit_descriptors(64);
        let files = take_all_descriptors();
        let errors = [
            TcpSocket::new_v4().map(drop).unwrap_err(),
            UdpSocket::unbound_v4().map(drop).unwrap_err(),
            UnixSocket::new_stream().map(drop).unwrap_err(),
            pipe::pipe().map(drop).unwrap_err(),
        ];
        drop(files);
        for error in errors {
            assert!(is_exhaustion(&error), "{error}");
            assert!(error.to_string().starts_with("making a "), "{error}");
        }
    });
}
