//! EPOLLEXCLUSIVE: one connection wakes one of the runtimes that share a listener.

use std::future::poll_fn;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use runtime::io::Source;

use crate::support::{limited, poll_once, run};

const RUNTIMES: usize = 4;

/// How many of the runtimes that wait for one listener a connection wakes; nobody accepts it.
fn woken(exclusive: bool) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let woken = Arc::new(AtomicUsize::new(0));
    let (started, handles) = mpsc::channel();
    let (threads, ends): (Vec<_>, Vec<_>) = (0..RUNTIMES)
        .map(|_| {
            let source = Source::new(listener.try_clone().unwrap());
            let (woken, started) = (woken.clone(), started.clone());
            let (end, ended) = futures::channel::oneshot::channel::<()>();
            let waiter = async move {
                let mut first = true;
                let after_a_wait = |_: &TcpListener| match std::mem::take(&mut first) {
                    true => Err(io::ErrorKind::WouldBlock.into()),
                    false => Ok(()),
                };
                match exclusive {
                    true => source.read_exclusive_with(after_a_wait).await.unwrap(),
                    false => source.read_with(after_a_wait).await.unwrap(),
                }
                woken.fetch_add(1, Ordering::SeqCst);
                source
            };
            let thread = thread::spawn(move || {
                runtime::block_on(async move {
                    let _waiter = runtime::spawn(waiter);
                    started.send(runtime::Handle::current()).unwrap();
                    let _ = ended.await;
                });
            });
            (thread, end)
        })
        .unzip();
    let handles: Vec<_> = (0..RUNTIMES).map(|_| handles.recv().unwrap()).collect();
    // A task that comes back from a runtime has passed all that was ready there before it.
    let settle = || {
        for handle in handles.iter().chain(&handles) {
            handle.block_on(handle.spawn(async {})).unwrap();
        }
    };
    settle();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    settle();
    drop(ends);
    for thread in threads {
        thread.join().unwrap();
    }
    drop(client);
    woken.load(Ordering::SeqCst)
}

#[test]
fn an_exclusive_listener_accepts_in_every_way_and_can_be_made_common_again() {
    run(async {
        let mut listener = runtime::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        for exclusive in [false, true, false] {
            listener.set_exclusive(exclusive);
            let clone = listener.try_clone().unwrap();
            for listener in [&listener, &clone] {
                let mut accept = Box::pin(listener.accept());
                assert!(poll_once(accept.as_mut()).is_pending());
                let client = TcpStream::connect(addr).unwrap();
                let (served, peer) = accept.await.unwrap();
                assert_eq!(peer, client.local_addr().unwrap());
                drop((served, client));

                let mut accept = poll_fn(|cx| listener.poll_accept(cx));
                assert!(poll_once(pin!(&mut accept)).is_pending());
                let client = TcpStream::connect(addr).unwrap();
                accept.await.unwrap();
                drop(client);
            }
        }
    });
}

#[test]
fn a_connection_wakes_one_of_the_runtimes_that_share_a_listener() {
    limited(|| {
        assert_eq!(woken(false), RUNTIMES);
        let exclusive = woken(true);
        assert!((1..RUNTIMES).contains(&exclusive), "{exclusive} were woken");
    });
}
