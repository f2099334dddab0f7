//! Byte-exact copies of some MiB by the crates' own functions.

use std::io::Cursor;

use runtime::net::UnixStream;
use runtime::net::unix::pipe;
use runtime::spawn;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::run;
use crate::{noise, tcp_pair};

const LEN: usize = 4 << 20;

/// Sends noise from `a` to `b` by futures' `copy`, and back by tokio's.
macro_rules! there_and_back {
    ($a:expr, $b:expr) => {
        let (a, b) = ($a, $b);
        let sent = noise(LEN);
        let there = async {
            let mut from = futures::io::AllowStdIo::new(Cursor::new(&sent));
            assert_eq!(futures::io::copy(&mut from, &mut &a).await.unwrap(), LEN as u64);
            futures::AsyncWriteExt::close(&mut &a).await.unwrap();
            let mut back = Vec::new();
            assert_eq!(tokio::io::copy(&mut &a, &mut back).await.unwrap(), LEN as u64);
            assert!(back == sent);
        };
        let and_back = async {
            let mut got = Vec::new();
            futures::io::copy(&mut &b, &mut futures::io::AllowStdIo::new(&mut got)).await.unwrap();
            assert!(got == sent);
            tokio::io::copy(&mut &got[..], &mut &b).await.unwrap();
            tokio::io::AsyncWriteExt::shutdown(&mut &b).await.unwrap();
        };
        runtime::join!(there, and_back);
    };
}

#[test]
fn copies_are_exact() {
    run(async {
        let (a, b) = tcp_pair().await;
        there_and_back!(a, b);
        let (a, b) = UnixStream::pair().unwrap();
        there_and_back!(a, b);
    });
}

#[test]
fn a_copy_through_a_pipe_is_exact() {
    run(async {
        let sent = noise(LEN);
        let (sender, receiver) = pipe::pipe().unwrap();
        let (on, end) = pipe::pipe().unwrap();
        let passing = spawn(async move { futures::io::copy(receiver, &mut &on).await });
        let writing = spawn({
            let sent = sent.clone();
            async move { tokio::io::copy(&mut &sent[..], &mut &sender).await }
        });
        let mut got = Vec::new();
        futures::io::AsyncReadExt::read_to_end(&mut &end, &mut got).await.unwrap();
        assert!(got == sent);
        assert_eq!(passing.await.unwrap().unwrap(), LEN as u64);
        assert_eq!(writing.await.unwrap().unwrap(), LEN as u64);
    });
}

#[test]
fn a_proxy_by_copy_bidirectional_is_exact() {
    run(async {
        let (client, mut front) = tcp_pair().await;
        let (mut back, server) = UnixStream::pair().unwrap();
        let proxy =
            spawn(
                async move { tokio::io::copy_bidirectional(&mut front, &mut back).await.unwrap() },
            );
        // The server gives back what it gets.
        let echo = spawn(async move {
            let (mut read, mut write) = server.into_split();
            let copied = tokio::io::copy(&mut read, &mut write).await.unwrap();
            tokio::io::AsyncWriteExt::shutdown(&mut write).await.unwrap();
            copied
        });
        let sent = noise(LEN);
        let (mut read, mut write) = tokio::io::split(client);
        let (_, got) = runtime::join!(
            async {
                write.write_all(&sent).await.unwrap();
                write.shutdown().await.unwrap();
            },
            async {
                let mut got = Vec::new();
                read.read_to_end(&mut got).await.unwrap();
                got
            }
        );
        assert!(got == sent);
        assert_eq!(proxy.await.unwrap(), (LEN as u64, LEN as u64));
        assert_eq!(echo.await.unwrap(), LEN as u64);
    });
}

#[test]
fn futures_split_and_buffered_readers_work() {
    use futures::io::{AsyncBufReadExt, BufReader};
    use futures::{AsyncWriteExt, StreamExt};

    run(async {
        let (a, b) = UnixStream::pair().unwrap();
        let (reading, mut writing) = futures::AsyncReadExt::split(b);
        let lines = BufReader::new(reading).lines().map(Result::unwrap).collect::<Vec<_>>();
        let (lines, ()) = runtime::join!(lines, async {
            let mut a = &a;
            AsyncWriteExt::write_all(&mut a, b"one\ntwo\nthr").await.unwrap();
            AsyncWriteExt::write_all(&mut a, b"ee\n").await.unwrap();
            AsyncWriteExt::close(&mut a).await.unwrap();
        });
        assert_eq!(lines, ["one", "two", "three"]);
        writing.write_all(b"bye").await.unwrap();
        let mut buf = [0; 8];
        assert_eq!(futures::AsyncReadExt::read(&mut &a, &mut buf).await.unwrap(), 3);
    });
}
