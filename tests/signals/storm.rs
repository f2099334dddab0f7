//! Many signals at once.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use runtime::net::TcpListener;
use runtime::signal::unix::{SignalKind, signal};
use runtime::task::{JoinSet, yield_now};
use runtime::time::sleep;
use runtime::{Handle, block_on};

use crate::support::{poll_once, turns};
use crate::system::{
    DEFAULT, action, fork, has_pending, kill, kill_thread, own_pid, raise, thread_id, wait,
    with_all_blocked,
};

/// A hundred thousand, from another process and from threads, of two kinds: one of which somebody always
/// listens for, and one that is nothing by default, so that its last listener may go at any time.
pub(crate) fn a_hundred_thousand_signals() {
    const EACH: usize = 25_000;
    let parent = own_pid();
    block_on(async {
        let mut listener = signal(SignalKind::user_defined1()).unwrap();
        let (end, ended) = oneshot::channel::<()>();
        let receives = runtime::spawn(async move {
            let mut received = 0;
            let mut ended = ended;
            loop {
                runtime::select! {
                    Some(()) = listener.recv() => received += 1,
                    _ = &mut ended => return (received, listener),
                }
            }
        });
        let child = fork(true, || {
            (0..EACH).for_each(|_| {
                kill(parent, libc::SIGUSR1);
                kill(parent, libc::SIGURG);
            });
        });
        let mut senders: Vec<_> = [libc::SIGUSR1, libc::SIGURG]
            .map(|kind| thread::spawn(move || (0..EACH).for_each(|_| raise(kind))))
            .into();
        senders.push(thread::spawn(move || assert!(wait(child).success())));
        // Another runtime, which comes and goes as well.
        let over = Arc::new(AtomicBool::new(false));
        let others_over = over.clone();
        let others = thread::spawn(move || {
            while !others_over.load(Ordering::Relaxed) {
                block_on(async {
                    let _first = signal(SignalKind::user_defined1()).unwrap();
                    let mut second = signal(SignalKind::from_raw(libc::SIGURG)).unwrap();
                    let _ = poll_once(pin!(second.recv()));
                    yield_now().await;
                });
            }
        });
        let mut tasks = JoinSet::new();
        while senders.iter().any(|sender| !sender.is_finished()) {
            for kind in [libc::SIGUSR1, libc::SIGURG] {
                tasks.spawn(async move {
                    let mut listener = signal(SignalKind::from_raw(kind)).unwrap();
                    for _ in 0..5 {
                        let _ = poll_once(pin!(listener.recv_info()));
                        yield_now().await;
                    }
                });
            }
            while tasks.len() > 20 {
                tasks.join_next().await.unwrap().unwrap();
            }
        }
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        over.store(true, Ordering::Relaxed);
        others.join().unwrap();
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
        turns().await;
        end.send(()).unwrap();
        let (received, mut listener) = receives.await.unwrap();
        assert!((1..=2 * EACH).contains(&received), "{received}");
        // The last one has been delivered: nothing is left that it was not woken for.
        assert!(poll_once(pin!(listener.recv())).is_pending());
        drop(listener);
        assert_eq!(action(libc::SIGUSR1), DEFAULT);
        assert_eq!(action(libc::SIGURG), DEFAULT);
    });
}

/// What waited while it was blocked, or while the process was stopped, comes all at once. The kernel puts the
/// frame of each handler upon that of the one before, and the stack for signals is small.
pub(crate) fn every_kind_at_once() {
    block_on(async {
        let listen = |number| Some((number, signal(SignalKind::from_raw(number)).ok()?));
        // A stop takes back a SIGCONT that waits, and the other way round.
        let numbers = (1..=libc::SIGRTMAX()).filter(|&number| number != libc::SIGCONT);
        let mut listeners: Vec<_> = numbers.filter_map(listen).collect();
        assert!(listeners.len() > 50, "{listeners:?}");
        with_all_blocked(|| listeners.iter().for_each(|&(number, _)| raise(number)));
        for (_, listener) in &mut listeners {
            assert!(poll_once(pin!(listener.recv())).is_ready(), "{listener:?}");
        }
    });
}

/// Signals rain on the runtime's thread and on its pool's, and nobody who does something else hears of it.
pub(crate) fn no_operation_is_interrupted() {
    let own = thread_id();
    let over = Arc::new(AtomicBool::new(false));
    block_on(async {
        let mut listener = signal(SignalKind::user_defined1()).unwrap();
        runtime::spawn(async move { while listener.recv().await.is_some() {} });
        let pool = runtime::spawn_blocking(thread_id).await.unwrap();
        let rains = over.clone();
        let rain = thread::spawn(move || {
            while !rains.load(Ordering::Relaxed) {
                kill_thread(own, libc::SIGUSR1);
                kill_thread(pool, libc::SIGUSR1);
            }
        });
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let handle = Handle::current();
        for _ in 0..10 {
            let client = runtime::spawn(async move {
                let stream = runtime::net::TcpStream::connect(address).await.unwrap();
                stream.write_all(&[7; 1 << 18]).await.unwrap();
                stream.shutdown().await.unwrap();
            });
            let (stream, _) = server.accept().await.unwrap();
            let mut received = Vec::new();
            stream.read_to_end(&mut received).await.unwrap();
            assert_eq!(received.len(), 1 << 18);
            client.await.unwrap();
            sleep(Duration::from_millis(1)).await;
            let handle = handle.clone();
            let remote = move || handle.block_on(async { sleep(Duration::from_millis(1)).await });
            runtime::spawn_blocking(remote).await.unwrap();
        }
        over.store(true, Ordering::Relaxed);
        rain.join().unwrap();
        // Or it would strike when nobody listens any more.
        while has_pending(pool) {
            thread::yield_now();
        }
    });
}
