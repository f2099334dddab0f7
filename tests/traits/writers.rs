//! Writing: every type that writes, by each trait, as a value and as a reference.

use std::future::poll_fn;
use std::io::IoSlice;
use std::pin::Pin;
use std::process::Stdio;
use std::task::Poll;

use futures::channel::oneshot;
use runtime::io::ReadFd;
use runtime::net::UnixStream;
use runtime::net::unix::pipe;
use runtime::process::Command;
use runtime::spawn;

use crate::faces::{Futures, Hyper, Reads, Tokio, Writes, once, read, read_all};
use crate::support::run;
use crate::{noise, tcp_pair};

/// Writes in all ways, calls `drain` when there is no room left, and returns what was written.
async fn writes_what_it_says<F: Writes<S>, S: Unpin>(
    writer: &mut S,
    drain: oneshot::Sender<()>,
) -> Vec<u8> {
    let mut written = Vec::new();
    let empty = once(|cx| F::poll_write(Pin::new(&mut *writer), cx, &[])).await;
    assert!(matches!(empty, Poll::Ready(Ok(0))), "{empty:?}");

    // Several buffers leave by one call: a call of one would have taken three bytes.
    assert!(F::is_write_vectored(writer));
    let bufs = [&b"one"[..], b"", b"two"].map(IoSlice::new);
    let vectored = once(|cx| F::poll_write_vectored(Pin::new(&mut *writer), cx, &bufs)).await;
    assert!(matches!(vectored, Poll::Ready(Ok(6))), "{vectored:?}");
    written.extend(b"onetwo");

    // Until there is no room left. It is a wait then, and no error.
    let noise = noise(100_000);
    while let Poll::Ready(wrote) =
        once(|cx| F::poll_write(Pin::new(&mut *writer), cx, &noise)).await
    {
        written.extend(&noise[..wrote.unwrap()]);
    }
    // That write is given up: none of its bytes may come.
    drain.send(()).unwrap();
    let mut last = &b"and this after the wait"[..];
    while !last.is_empty() {
        let wrote = poll_fn(|cx| F::poll_write(Pin::new(&mut *writer), cx, last)).await.unwrap();
        written.extend(&last[..wrote]);
        last = &last[wrote..];
    }
    poll_fn(|cx| F::poll_flush(Pin::new(&mut *writer), cx)).await.unwrap();
    written
}

/// By one trait, as a value and as a reference, on a pair of its own each time.
macro_rules! writes {
    ($make:expr) => {
        writes!(Futures, $make);
        writes!(Tokio, $make);
        writes!(Hyper, $make);
    };
    ($face:ty, $make:expr) => {
        let (mut writer, reader) = $make;
        let (drain, read) = reading(reader);
        let written = writes_what_it_says::<$face, _>(&mut writer, drain).await;
        drop(writer);
        assert!(read.await.unwrap() == written);

        let (writer, reader) = $make;
        let (drain, read) = reading(reader);
        let written = writes_what_it_says::<$face, _>(&mut &writer, drain).await;
        drop(writer);
        assert!(read.await.unwrap() == written);
    };
}

/// Reads to the end, once it is told to begin.
fn reading(reader: impl ReadFd + 'static) -> (oneshot::Sender<()>, runtime::JoinHandle<Vec<u8>>) {
    let (begin, told) = oneshot::channel();
    let reading = spawn(async move {
        told.await.unwrap();
        let (mut all, mut buf) = (Vec::new(), vec![0; 65536]);
        loop {
            match reader.reading(&mut buf).await.unwrap() {
                0 => return all,
                read => all.extend(&buf[..read]),
            }
        }
    });
    (begin, reading)
}

#[test]
fn tcp_streams_and_their_halves_write() {
    run(async {
        writes!(tcp_pair().await);
        writes!({
            let (a, b) = tcp_pair().await;
            (a.into_split().1, b)
        });
        let (mut a, b) = tcp_pair().await;
        let (drain, read) = reading(b);
        let written = writes_what_it_says::<Tokio, _>(&mut a.split().1, drain).await;
        drop(a);
        assert!(read.await.unwrap() == written);
    });
}

#[test]
fn unix_streams_and_their_halves_write() {
    run(async {
        writes!(UnixStream::pair().unwrap());
        writes!({
            let (a, b) = UnixStream::pair().unwrap();
            (a.into_split().1, b)
        });
        let (mut a, b) = UnixStream::pair().unwrap();
        let (drain, read) = reading(b);
        let written = writes_what_it_says::<Hyper, _>(&mut a.split().1, drain).await;
        drop(a);
        assert!(read.await.unwrap() == written);
    });
}

#[test]
fn pipes_write() {
    run(async {
        writes!(pipe::pipe().unwrap());
    });
}

#[test]
fn pipes_of_children_write() {
    run(async {
        writes!({
            let mut cat = Command::new("cat");
            let mut cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            (cat.stdin.take().unwrap(), cat.stdout.take().unwrap())
        });
    });
}

/// After a shutdown by the trait the peer reads the end, and the other direction goes on.
async fn half_closes<F, S, P>(mut stream: S, mut peer: P)
where
    F: Writes<S> + Reads<S> + Reads<P> + Writes<P>,
    S: Unpin,
    P: Unpin,
{
    poll_fn(|cx| F::poll_shutdown(Pin::new(&mut stream), cx)).await.unwrap();
    assert!(read::<F, _>(&mut peer, 8).await.is_empty());
    let answer = poll_fn(|cx| F::poll_write(Pin::new(&mut peer), cx, b"answer")).await;
    assert_eq!(answer.unwrap(), 6);
    assert_eq!(read_all::<F, _>(&mut stream, 6).await, b"answer");
    // Closed twice is closed.
    poll_fn(|cx| F::poll_shutdown(Pin::new(&mut stream), cx)).await.unwrap();
    let refused = poll_fn(|cx| F::poll_write(Pin::new(&mut stream), cx, b"more")).await;
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
}

#[test]
fn shutting_down_closes_one_direction() {
    run(async {
        let (a, b) = tcp_pair().await;
        half_closes::<Futures, _, _>(a, &b).await;
        let (a, b) = tcp_pair().await;
        half_closes::<Tokio, _, _>(a, b).await;
        let (a, b) = tcp_pair().await;
        half_closes::<Hyper, _, _>(&a, b).await;
        let (a, b) = UnixStream::pair().unwrap();
        half_closes::<Futures, _, _>(&a, b).await;
        let (a, b) = UnixStream::pair().unwrap();
        half_closes::<Tokio, _, _>(a, b).await;
        let (a, b) = UnixStream::pair().unwrap();
        half_closes::<Hyper, _, _>(a, &b).await;
    });
}

#[test]
fn shutting_down_a_connection_that_is_gone_is_fine() {
    run(async {
        let (mut a, b) = tcp_pair().await;
        b.set_zero_linger().unwrap();
        drop(b); // a reset
        a.readable().await.unwrap();
        let mut buf = [0; 8];
        a.read(&mut buf).await.unwrap_err();
        poll_fn(|cx| Tokio::poll_shutdown(Pin::new(&mut a), cx)).await.unwrap();
    });
}
