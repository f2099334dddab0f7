//! What other threads and live guards find once a runtime has gone, and what foreign code does to one
//! that has not.

use std::future::poll_fn;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use runtime::io::{AsyncFd, Source};
use runtime::task::yield_now;
use runtime::time::{Instant, Sleep, sleep};
use runtime::{Builder, Handle, Runtime, block_on, spawn, spawn_blocking};

use crate::support::{limited, run};

fn pair() -> (UnixStream, UnixStream) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    (a, b)
}

/// A sleep in the heap of the runtime that runs this.
async fn registered_sleep() -> Pin<Box<Sleep>> {
    let mut long = Box::pin(sleep(Duration::from_secs(1000)));
    begin(long.as_mut()).await;
    long
}

/// Polls a future once, which has to wait.
async fn begin<F: Future>(mut future: Pin<&mut F>) {
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

#[test]
fn under_a_guard_a_sleep_outlives_its_runtime() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let handle = runtime.handle().clone();
        let (mut first, second) =
            runtime.block_on(async { (registered_sleep().await, registered_sleep().await) });
        let _guard = handle.enter();
        drop(runtime);
        assert!(!first.is_elapsed());
        first.as_mut().reset(Instant::now());
        drop(second);
        block_on(first);
    });
}

#[test]
fn under_a_guard_a_descriptor_moves_on_from_its_runtime() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let handle = runtime.handle().clone();
        let (a, mut b) = pair();
        let a = runtime.block_on(async { AsyncFd::new(a).unwrap() });
        let _guard = handle.enter();
        drop(runtime);
        block_on(async {
            let mut byte = [0];
            let mut read = pin!(a.read_with(|mut a| a.read(&mut byte)));
            begin(read.as_mut()).await;
            b.write_all(b"x").unwrap();
            assert_eq!(read.await.unwrap(), 1);
        });
    });
}

#[test]
fn a_blocking_closure_that_never_ran_takes_its_sleep_along() {
    limited(|| {
        struct Checked(Option<Pin<Box<Sleep>>>, mpsc::Sender<bool>);
        impl Drop for Checked {
            fn drop(&mut self) {
                let sleep = self.0.take();
                let drop = std::panic::AssertUnwindSafe(|| drop(sleep));
                let _ = self.1.send(std::panic::catch_unwind(drop).is_ok());
            }
        }
        let runtime = Builder::new().max_blocking_threads(1).build().unwrap();
        let (release, held) = mpsc::channel::<()>();
        let (dropped, is_fine) = mpsc::channel();
        runtime.block_on(async {
            spawn_blocking(move || held.recv().is_err());
            let checked = Checked(Some(registered_sleep().await), dropped);
            spawn_blocking(move || drop(checked));
        });
        drop(runtime);
        assert!(is_fine.recv().unwrap(), "the drop of the sleep panicked");
        drop(release);
    });
}

#[test]
fn a_wait_still_on_its_way_to_a_runtime_that_goes_begins_anew() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let (a, mut b) = pair();
        let a = Arc::new(runtime.block_on(async { AsyncFd::new(a).unwrap() }));
        let (asked, was_asked) = mpsc::channel();
        let reader = thread::spawn(move || {
            let mut byte = [0];
            let mut read = pin!(a.read_with(|mut a| a.read(&mut byte)));
            // Told from within the poll, so that no other follows by itself.
            block_on(poll_fn(|cx| {
                let polled = read.as_mut().poll(cx);
                let _ = asked.send(polled.is_pending());
                polled
            }))
        });
        assert!(was_asked.recv().unwrap());
        drop(runtime);
        b.write_all(b"x").unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), 1);
    });
}

#[test]
fn a_question_still_on_its_way_to_a_runtime_that_goes_is_answered() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let task = runtime.spawn(std::future::pending::<()>());
        let (asked, was_asked) = mpsc::channel();
        let (go, gone) = mpsc::channel::<()>();
        let other = thread::spawn(move || {
            assert!(!task.is_finished());
            asked.send(()).unwrap();
            gone.recv().unwrap();
            task.is_finished()
        });
        was_asked.recv().unwrap();
        drop(runtime);
        go.send(()).unwrap();
        assert!(other.join().unwrap());
    });
}

#[test]
fn readers_elsewhere_and_here_share_one_registration() {
    run(async {
        // The one here begins before its runtime has looked into the inbox, and after it.
        for turns in [0, 200] {
            let (a, mut b) = pair();
            let a = Arc::new(Source::new(a));
            let (handle, shared) = (Handle::current(), a.clone());
            let (asked, was_asked) = mpsc::channel();
            let elsewhere = thread::spawn(move || {
                let mut byte = [0];
                let mut read = pin!(shared.read_with(|mut a| a.read(&mut byte)));
                handle.block_on(poll_fn(|cx| {
                    let polled = read.as_mut().poll(cx);
                    let _ = asked.send(polled.is_pending());
                    polled
                }))
            });
            assert!(was_asked.recv().unwrap());
            for _ in 0..turns {
                yield_now().await;
            }
            let mut byte = [0];
            let mut read = pin!(a.read_with(|mut a| a.read(&mut byte)));
            begin(read.as_mut()).await;
            b.write_all(b"xy").unwrap();
            assert_eq!(read.await.unwrap(), 1);
            let elsewhere = spawn_blocking(|| elsewhere.join().unwrap());
            assert_eq!(elsewhere.await.unwrap().unwrap(), 1);
        }
    });
}

/// Panics as it is dropped, unless a panic is under way.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("dropped");
        }
    }
}

#[test]
fn an_output_dropped_for_another_thread_does_not_end_the_loop() {
    run(async {
        let mut task = spawn(async { Bomb });
        yield_now().await;
        yield_now().await;
        let asks_and_goes = thread::spawn(move || {
            let polled = Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
        });
        asks_and_goes.join().unwrap();
        for _ in 0..200 {
            yield_now().await;
        }
    });
}

#[test]
fn a_waker_dropped_for_another_thread_does_not_end_the_loop() {
    struct Fragile(Bomb);
    impl Wake for Fragile {
        fn wake(self: Arc<Self>) {}
    }
    run(async {
        let (a, _b) = pair();
        let a = Arc::new(AsyncFd::new(a).unwrap());
        let fragile = Arc::new(Fragile(Bomb));
        let (shared, held) = (a.clone(), Arc::downgrade(&fragile));
        let polls = thread::spawn(move || {
            let waker = Waker::from(fragile);
            assert!(shared.poll_read_ready(&mut Context::from_waker(&waker)).is_pending());
        });
        polls.join().unwrap();
        for _ in 0..200 {
            yield_now().await;
        }
        assert!(held.upgrade().is_some(), "it waits");
        // The owner lets it go with the entry, which it releases for that other thread.
        thread::spawn(move || drop(a)).join().unwrap();
        for _ in 0..200 {
            yield_now().await;
        }
        assert!(held.upgrade().is_none());
    });
}
