//! `io::lines`: the lines of std, whatever pieces they come in; limits, and what is left over.

use std::io::{BufRead, ErrorKind};
use std::pin::pin;

use futures::{StreamExt, TryStreamExt, poll};
use proptest::prelude::*;
use runtime::io::{Lines, lines};
use runtime::net::unix::pipe::{self, Receiver};
use runtime::spawn;

use crate::support::run;

/// The lines of a pipe with `text` in it, and then its end.
async fn lines_of(text: &[u8]) -> Lines<Receiver> {
    let (sender, receiver) = pipe::pipe().unwrap();
    sender.write_all(text).await.unwrap();
    lines(receiver)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn they_are_those_of_std(
        pieces in prop::collection::vec("(\n|\r|\r\n|é|[a-z]{1,9}|[ -~]{5000,9000}){0,6}", 0..12),
    ) {
        let text = pieces.concat();
        let wanted: Vec<String> = text.as_bytes().lines().map(Result::unwrap).collect();
        let got: Vec<String> = run(async {
            let (sender, receiver) = pipe::pipe().unwrap();
            spawn(async move {
                for piece in &pieces {
                    sender.write_all(piece.as_bytes()).await.unwrap();
                    runtime::task::yield_now().await;
                }
            });
            let mut lines = lines(receiver);
            let mut got = Vec::new();
            while let Some(line) = lines.next_line().await.unwrap() {
                got.push(line);
            }
            assert_eq!(lines.next_line().await.unwrap(), None);
            assert!(lines.into_parts().1.is_empty());
            got
        });
        prop_assert_eq!(got, wanted);
    }
}

#[test]
fn a_stream_of_them() {
    run(async {
        let lines = lines_of(b"one\n\nthree").await;
        assert_eq!(lines.try_collect::<Vec<_>>().await.unwrap(), ["one", "", "three"]);
    });
}

#[test]
fn a_dropped_future_loses_nothing() {
    run(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        let mut lines = lines(&receiver);
        for byte in "a li\u{20ac}ne\r\nmore".bytes() {
            assert!(poll!(pin!(lines.next_line())).is_pending());
            if byte == b'\n' {
                assert!(poll!(lines.next()).is_pending(), "and so by poll");
            }
            sender.write_all(&[byte]).await.unwrap();
        }
        drop(sender);
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("a li\u{20ac}ne"));
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("more"));
        assert_eq!(lines.next_line().await.unwrap(), None);
    });
}

#[test]
fn what_is_no_text_is_skipped_with_an_error() {
    run(async {
        let mut lines = lines_of(b"\xff\xfe\nfine\n\xff").await;
        assert_eq!(lines.next_line().await.unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("fine"));
        assert_eq!(lines.next_line().await.unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(lines.next_line().await.unwrap(), None);
    });
}

#[test]
fn the_limit_is_of_the_line_without_its_end() {
    run(async {
        for text in ["12345\n", "12345\r\n", "12345", "1234\r"] {
            let mut lines = lines_of(text.as_bytes()).await.max_len(5);
            assert!(lines.next_line().await.unwrap().is_some(), "{text:?}");
        }
        for text in ["123456\n", "123456\r\n", "123456", "12345\r", "12345\rx\n"] {
            let mut lines = lines_of(text.as_bytes()).await.max_len(5);
            for _ in 0..3 {
                let error = lines.next_line().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidData, "{text:?}");
            }
            assert_eq!(lines.into_parts().1, text.as_bytes());
        }
    });
}

/// Nobody knows yet of which line the `\r` is.
#[test]
fn the_limit_waits_for_what_follows() {
    run(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        let mut lines = lines(receiver).max_len(5);
        sender.write_all(b"12345\r").await.unwrap();
        assert!(poll!(pin!(lines.next_line())).is_pending());
        sender.write_all(b"\n").await.unwrap();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("12345"));
    });
}

/// The sender writes for ever: the reader must give up, long before the memory does.
#[test]
fn a_line_without_an_end_meets_the_limit() {
    run(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        let writing = spawn(async move { while sender.write_all(&[b'x'; 4096]).await.is_ok() {} });
        let mut lines = lines(receiver).max_len(100_000);
        assert_eq!(lines.next_line().await.unwrap_err().kind(), ErrorKind::InvalidData);
        let (receiver, read) = lines.into_parts();
        assert!(read.len() <= 400_000, "{} bytes were read", read.len());
        drop(receiver);
        writing.await.unwrap();
    });
}

#[test]
fn what_was_read_ahead_can_be_had_back() {
    run(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        sender.write_all(b"head\nbody, of which").await.unwrap();
        let mut lines = lines(receiver);
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("head"));
        let (receiver, mut body) = lines.into_parts();
        assert_eq!(body, b"body, of which");
        sender.write_all(b" the rest").await.unwrap();
        drop(sender);
        receiver.read_to_end(&mut body).await.unwrap();
        assert_eq!(body, b"body, of which the rest");
    });
}
