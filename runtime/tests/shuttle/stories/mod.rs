//! The stories, a file for each of the places where threads meet, and what several of them use.

pub(crate) mod facade;
pub(crate) mod fds;
pub(crate) mod pool;
pub(crate) mod signals;
pub(crate) mod tasks;
pub(crate) mod timers;

/// All of them.
pub(crate) fn all() -> Vec<crate::run::Story> {
    [
        tasks::STORIES,
        timers::STORIES,
        pool::STORIES,
        fds::STORIES,
        signals::STORIES,
        facade::STORIES,
    ]
    .concat()
}

use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Waker};

use crate::reactor::Source;
use crate::sync::{AtomicBool, Mutex, Ordering, arbitrary, thread};
use crate::sys::make_ready;
use crate::{Builder, Runtime};

/// Something that a thread may say at any time, and a task waits for.
#[derive(Default)]
struct Flag {
    is_set: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Flag {
    fn new() -> Arc<Flag> {
        Arc::default()
    }

    fn set(&self) {
        self.is_set.store(true, Ordering::Release);
        let waker = self.waker.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        *self.waker.lock().unwrap() = Some(cx.waker().clone());
        match self.is_set.load(Ordering::Acquire) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    async fn wait(&self) {
        poll_fn(|cx| self.poll(cx)).await;
    }
}

/// Counts how many of its like there are.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(alive: &Arc<AtomicUsize>) -> Counted {
        alive.fetch_add(1, Ordering::Relaxed);
        Counted(alive.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let before = self.0.fetch_sub(1, Ordering::Relaxed);
        assert_ne!(before, 0, "dropped twice");
    }
}

/// A runtime whose tasks run in another order in each execution.
fn runtime() -> Runtime {
    Builder::new().rng_seed(arbitrary()).build().unwrap()
}

/// A runtime that sleeps in epoll, as something waits for a descriptor.
fn runtime_with_epoll() -> Runtime {
    let runtime = runtime();
    let (reader, writer) = pair();
    runtime.spawn(async move {
        let _writer = writer;
        read_byte(&reader).await
    });
    runtime
}

/// A connection that nobody has registered yet, and its other end.
fn pair() -> (Source<UnixStream>, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    (Source::new(near), far)
}

async fn try_read_byte(source: &Source<UnixStream>) -> io::Result<u8> {
    let read = |mut stream: &UnixStream| {
        let mut byte = [0];
        match stream.read(&mut byte)? {
            1 => Ok(byte[0]),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    };
    source.read_with(read).await
}

async fn read_byte(source: &Source<UnixStream>) -> u8 {
    try_read_byte(source).await.unwrap()
}

fn write_byte(mut stream: &UnixStream, byte: u8) {
    make_ready(|| stream.write_all(&[byte]).unwrap());
}

/// Polls a future once, which is not ready then as a rule.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Waits for some threads, whose panics are passed on.
fn join<T>(threads: impl IntoIterator<Item = thread::JoinHandle<T>>) -> Vec<T> {
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}
