//! Pipes, the standard streams, and moving bytes.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use runtime::io::{stdin, stdout};
use runtime::net::UnixStream;
use runtime::net::unix::pipe::{self, OpenOptions};
use runtime::{Runtime, try_join};

use super::{folder, sockets::tcp_pair};
use crate::seam;

/// What does not fit into a pipe, nor into a socket's buffer.
const LONG: usize = 1 << 20;

pub(crate) fn pipe(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let (sender, receiver) = pipe::pipe()?;
        assert_eq!(sender.capacity()?, 65536);
        sender.set_capacity(4096)?;
        let write = async {
            sender.write_all(&vec![5; 20_000]).await?;
            drop(sender);
            io::Result::Ok(())
        };
        let mut all = Vec::new();
        let read = async { receiver.read_to_end(&mut all).await };
        try_join!(write, read)?;
        assert!(all.len() == 20_000 && all.iter().all(|byte| *byte == 5));
        let (sender, receiver) = pipe::pipe()?;
        drop(receiver);
        assert!(sender.write(b"x").await.is_err());
        let (sender, receiver) = pipe::pipe()?;
        let sender = pipe::Sender::from_owned_fd(sender.into_blocking_fd()?)?;
        let receiver = receiver.try_clone()?;
        sender.write_all(b"line\n").await?;
        drop(sender);
        let mut lines = runtime::io::lines(receiver);
        assert_eq!(lines.next_line().await?.as_deref(), Some("line"));
        assert_eq!(lines.next_line().await?, None);
        Ok(())
    })
}

fn fifo_path() -> std::path::PathBuf {
    folder().join("fifo")
}

pub(crate) fn make_fifo() {
    fs::create_dir(folder()).expect("a folder");
    let status = std::process::Command::new("mkfifo").arg(fifo_path()).status();
    assert!(status.expect("mkfifo").success());
}

pub(crate) fn fifo(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let receiver = OpenOptions::new().open_receiver(fifo_path())?;
        let sender = OpenOptions::new().open_sender(fifo_path())?;
        let mut buf = [0; 4];
        let read = async { receiver.read_exact(&mut buf).await };
        try_join!(read, sender.write_all(b"fifo"))?;
        assert_eq!(&buf, b"fifo");
        drop(sender);
        assert_eq!(receiver.read(&mut buf).await?, 0);
        Ok(())
    })
}

/// Whether this is what was sent.
fn check(bytes: &[u8]) {
    assert!(bytes.len() == LONG && bytes.iter().all(|byte| *byte == 6), "other bytes came out");
}

pub(crate) fn copy(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let (source, reader) = UnixStream::pair()?;
        let (writer, sink) = tcp_pair().await?;
        let write = async {
            source.write_all(&vec![6; LONG]).await?;
            source.shutdown().await
        };
        let copy = async {
            let copied = runtime::io::copy(&reader, &writer).await?;
            assert_eq!(copied, LONG as u64);
            writer.shutdown().await
        };
        let mut all = vec![0; LONG];
        let read = async { sink.read_exact(&mut all).await };
        try_join!(write, copy, read)?;
        check(&all);
        assert_eq!(sink.read_to_end(&mut all).await?, 0);
        Ok(())
    })
}

pub(crate) fn copy_both_ways(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let (a, left) = tcp_pair().await?;
        let (right, b) = tcp_pair().await?;
        let talk = async {
            a.write_all(b"there").await?;
            a.shutdown().await?;
            let mut back = String::new();
            a.read_to_string(&mut back).await?;
            assert_eq!(back, "there and back");
            Ok(())
        };
        let answer = async {
            let mut text = Vec::new();
            b.read_to_end(&mut text).await?;
            b.write_all(&text).await?;
            b.write_all(b" and back").await?;
            b.shutdown().await
        };
        let copy = runtime::io::copy_bidirectional(&left, &right);
        let (copied, (), ()) = try_join!(copy, talk, answer)?;
        assert_eq!(copied, (5, 14));
        Ok(())
    })
}

pub(crate) fn make_file() {
    fs::create_dir(folder()).expect("a folder");
    fs::write(folder().join("file"), vec![6; LONG]).expect("a file");
}

pub(crate) fn send_file(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let file = File::open(folder().join("file"))?;
        let (writer, sink) = tcp_pair().await?;
        let mut offset = 0;
        let send = async {
            let sent = runtime::io::send_file(&file, &mut offset, LONG as u64, &writer).await?;
            assert_eq!(sent, LONG as u64);
            writer.shutdown().await
        };
        let mut all = vec![0; LONG];
        let read = async { sink.read_exact(&mut all).await };
        try_join!(send, read)?;
        assert_eq!(offset, LONG as u64);
        check(&all);
        assert_eq!(sink.read_to_end(&mut all).await?, 0);
        Ok(())
    })
}

/// The other ends of standard input and output.
static OTHER_ENDS: Mutex<Option<(File, File)>> = Mutex::new(None);

fn become_streams(input: impl AsFd, output: impl AsFd, feed: OwnedFd, result: OwnedFd) {
    seam::become_stream(input.as_fd(), 0).expect("standard input");
    seam::become_stream(output.as_fd(), 1).expect("standard output");
    *OTHER_ENDS.lock().expect("no panic") = Some((feed.into(), result.into()));
}

pub(crate) fn pipes_as_streams() {
    let pipe = || {
        let (sender, receiver) = pipe::pipe().expect("a pipe");
        let sender = sender.into_blocking_fd().expect("its mode");
        (receiver.into_blocking_fd().expect("its mode"), sender)
    };
    let ((input, feed), (result, output)) = (pipe(), pipe());
    become_streams(input, output, feed, result);
}

pub(crate) fn sockets_as_streams() {
    let (input, feed) = StdUnixStream::pair().expect("a pair");
    let (result, output) = StdUnixStream::pair().expect("a pair");
    become_streams(input, output, feed.into(), result.into());
}

pub(crate) fn files_as_streams() {
    fs::create_dir(folder()).expect("a folder");
    let (input, output) = (folder().join("input"), folder().join("output"));
    let feed = File::create(&input).expect("a file");
    let result = File::create(&output).expect("a file");
    let read = |path| File::open(path).expect("a file");
    become_streams(read(&input), result, feed.into(), read(&output).into());
}

/// A terminal that passes on what it is given.
pub(crate) fn terminal_as_streams() {
    let (terminal, ours) = seam::terminal().expect("a terminal");
    let result = ours.try_clone().expect("a descriptor");
    become_streams(&terminal, &terminal, ours, result);
}

pub(crate) fn stdio(runtime: &Runtime) -> io::Result<()> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // What is left of another pass, after an error, is passed over.
    let line = format!("line {}\n", NEXT.fetch_add(1, Ordering::Relaxed));
    let mut ends = OTHER_ENDS.lock().expect("no panic");
    let (feed, result) = ends.as_mut().expect("they were made");
    runtime.block_on(async {
        feed.write_all(line.as_bytes())?;
        let stdin = stdin();
        let mut read = String::new();
        while !read.ends_with(&line) {
            if stdin.read_line(&mut read).await? == 0 {
                return Err(super::wrong("standard input ended"));
            }
        }
        let stdout = stdout();
        stdout.write_all(line.as_bytes()).await?;
        stdout.flush().await
    })?;
    let mut written = Vec::new();
    while !written.ends_with(line.as_bytes()) {
        let mut byte = [0];
        result.read_exact(&mut byte)?;
        written.push(byte[0]);
    }
    Ok(())
}
