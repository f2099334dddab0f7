//! Reading: every type that reads, by each trait, as a value and as a reference.

use std::pin::Pin;
use std::process::Stdio;

use runtime::io::WriteFd;
use runtime::net::UnixStream;
use runtime::net::unix::pipe;
use runtime::process::{Child, Command};
use runtime::{spawn, task};

use crate::faces::{Futures, Hyper, Reads, Tokio, once, read, read_all};
use crate::support::{run, turns};
use crate::tcp_pair;

/// What reading has to be like, but for the end. `writer` is the other end.
async fn reads_what_comes<F: Reads<S>, S: Unpin>(reader: &mut S, writer: &impl WriteFd) {
    // Nothing there: it waits, and is woken by what comes. More room than bytes: the rest is left alone.
    let begun = once(|cx| F::poll_read(Pin::new(&mut *reader), cx, 64)).await;
    assert!(begun.is_pending(), "{begun:?}");
    // No room: at once, though it is known that there is nothing to read.
    assert!(read::<F, S>(reader, 0).await.is_empty());
    let (got, ()) = runtime::join!(read::<F, S>(reader, 64), async {
        task::yield_now().await;
        writer.writing_all(b"hello").await.unwrap();
    });
    assert_eq!(got, b"hello");

    // Less room than bytes: the others come next.
    writer.writing_all(b"one two").await.unwrap();
    assert_eq!(read_all::<F, S>(reader, 3).await, b"one");
    assert_eq!(read_all::<F, S>(reader, 4).await, b" two");

    // A read that nobody polls any more takes nothing.
    let begun = once(|cx| F::poll_read(Pin::new(&mut *reader), cx, 64)).await;
    assert!(begun.is_pending(), "{begun:?}");
    writer.writing_all(b"kept").await.unwrap();
    turns().await;
    assert_eq!(read_all::<F, S>(reader, 4).await, b"kept");
}

/// By each trait, as a value and as a reference, and then the end.
async fn reads<S, W>(mut reader: S, writer: W)
where
    S: Unpin,
    W: WriteFd,
    Futures: Reads<S> + for<'a> Reads<&'a S>,
    Tokio: Reads<S> + for<'a> Reads<&'a S>,
    Hyper: Reads<S> + for<'a> Reads<&'a S>,
{
    reads_what_comes::<Futures, _>(&mut reader, &writer).await;
    reads_what_comes::<Tokio, _>(&mut reader, &writer).await;
    reads_what_comes::<Hyper, _>(&mut reader, &writer).await;
    reads_what_comes::<Futures, _>(&mut &reader, &writer).await;
    reads_what_comes::<Tokio, _>(&mut &reader, &writer).await;
    reads_what_comes::<Hyper, _>(&mut &reader, &writer).await;

    writer.writing_all(b"last").await.unwrap();
    drop(writer);
    assert_eq!(read_all::<Hyper, _>(&mut reader, 4).await, b"last");
    for _ in 0..2 {
        assert!(read::<Futures, _>(&mut reader, 8).await.is_empty());
        assert!(read::<Tokio, _>(&mut reader, 8).await.is_empty());
        assert!(read::<Hyper, _>(&mut reader, 8).await.is_empty());
    }
}

#[test]
fn tcp_streams_and_their_halves_read() {
    run(async {
        let (a, b) = tcp_pair().await;
        reads(a, b).await;
        let (mut a, b) = tcp_pair().await;
        reads(a.split().0, b).await;
        let (a, b) = tcp_pair().await;
        reads(a.into_split().0, b).await;
    });
}

#[test]
fn unix_streams_and_their_halves_read() {
    run(async {
        let (a, b) = UnixStream::pair().unwrap();
        reads(a, b).await;
        let (mut a, b) = UnixStream::pair().unwrap();
        reads(a.split().0, b).await;
        let (a, b) = UnixStream::pair().unwrap();
        reads(a.into_split().0, b).await;
    });
}

#[test]
fn pipes_read() {
    run(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        reads(receiver, sender).await;
    });
}

/// A child that copies its input.
fn copier(to: &str) -> Child {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec cat >&{to}")]);
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    shell.spawn().unwrap()
}

#[test]
fn pipes_of_children_read() {
    run(async {
        let mut child = copier("1");
        reads(child.stdout.take().unwrap(), child.stdin.take().unwrap()).await;
        assert!(child.wait().await.unwrap().success());
        let mut child = copier("2");
        reads(child.stderr.take().unwrap(), child.stdin.take().unwrap()).await;
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn vectored_reads_fill_one_buffer_after_another() {
    use futures::AsyncRead;
    use std::io::IoSliceMut;

    run(async {
        let (a, b) = UnixStream::pair().unwrap();
        b.write_all(b"onetwothree").await.unwrap();
        let (mut one, mut none, mut two) = ([0; 3], [0; 0], [0; 64]);
        let mut bufs = [&mut one[..], &mut none[..], &mut two[..]].map(IoSliceMut::new);
        let mut reader = &a;
        let read = once(|cx| Pin::new(&mut reader).poll_read_vectored(cx, &mut bufs)).await;
        assert!(matches!(read, std::task::Poll::Ready(Ok(11))), "{read:?}");
        assert_eq!((&one, &two[..8]), (b"one", &b"twothree"[..]));
    });
}

#[test]
fn every_task_that_polled_is_woken() {
    run(async {
        let (a, b) = tcp_pair().await;
        let a = std::sync::Arc::new(a);
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let a = a.clone();
                spawn(async move { read::<Tokio, _>(&mut &*a, 1).await })
            })
            .collect();
        turns().await;
        for byte in [b"1", b"2", b"3"] {
            b.write_all(byte).await.unwrap();
        }
        let mut all = Vec::new();
        for reader in readers {
            all.extend(reader.await.unwrap());
        }
        all.sort();
        assert_eq!(all, b"123");
    });
}
