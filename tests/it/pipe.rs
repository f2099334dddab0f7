//! Pipes: the end and the error, atomic writes, named pipes, conversions, futures that are dropped.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::fs::{self, File};
use std::future::{Future, poll_fn};
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Command, Stdio};
use std::task::Poll;
use std::thread;

use futures::poll;
use runtime::io::Interest;
use runtime::net::unix::pipe::{self, OpenOptions, Receiver, Sender};
use runtime::task::yield_now;
use runtime::{join, spawn};

use crate::support::{limited, run};

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % end
    }
}

/// A FIFO in a folder of its own, both removed with this.
struct Fifo(PathBuf);

impl Fifo {
    fn new(test: &str) -> Fifo {
        let name = format!("epoll-runtime-{}-{test}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        let fifo = Fifo(folder.join("fifo"));
        assert!(Command::new("mkfifo").arg(&fifo.0).status().unwrap().success());
        fifo
    }

    fn sender(&self) -> Sender {
        OpenOptions::new().open_sender(self).unwrap()
    }
}

impl AsRef<Path> for Fifo {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.0.parent().expect("it has a folder"));
    }
}

fn is_nonblocking(fd: impl AsFd) -> bool {
    // SAFETY: no pointers are passed.
    let flags = unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_GETFL) };
    assert!(flags >= 0);
    flags & libc::O_NONBLOCK != 0
}

fn is_closed_on_exec(fd: impl AsFd) -> bool {
    // SAFETY: no pointers are passed.
    let flags = unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_GETFD) };
    assert!(flags >= 0);
    flags & libc::FD_CLOEXEC != 0
}

#[test]
fn bytes_come_out_in_order_and_then_the_end() {
    run(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        for end in [sender.as_fd(), receiver.as_fd()] {
            assert!(is_nonblocking(end) && is_closed_on_exec(end));
        }
        let reading = spawn(async move {
            let mut text = String::new();
            receiver.read_to_string(&mut text).await.unwrap();
            text
        });
        yield_now().await;
        sender.write_all(b"one ").await.unwrap();
        let bufs = [IoSlice::new(b""), IoSlice::new(b"two "), IoSlice::new(b"three")];
        assert_eq!(sender.write_vectored(&bufs).await.unwrap(), 9);
        sender.shutdown().await.unwrap();
        assert_eq!(sender.try_write(b"!").unwrap(), 1, "shutdown is of sockets");
        drop(sender);
        assert_eq!(reading.await.unwrap(), "one two three!");
    });
}

#[test]
fn reads_fill_one_buffer_after_another() {
    run(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        sender.write_all(b"abcde").await.unwrap();
        let (mut one, mut two) = ([0; 2], [0; 9]);
        let mut bufs = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        assert_eq!(receiver.read_vectored(&mut bufs).await.unwrap(), 5);
        assert_eq!((&one, &two[..3]), (b"ab", &b"cde"[..]));
        let mut bufs = [IoSliceMut::new(&mut one)];
        assert_eq!(
            receiver.try_read_vectored(&mut bufs).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
    });
}

#[test]
fn writing_to_nobody_is_an_error_also_for_one_who_waits() {
    run(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        while sender.try_write(&[0; 4096]).is_ok() {}
        let mut waiting = pin!(sender.write(b"no room"));
        assert!(poll!(&mut waiting).is_pending());
        drop(receiver);
        assert_eq!(waiting.await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert!(sender.ready(Interest::WRITABLE).await.unwrap().is_write_closed());
    });
}

#[test]
fn a_slow_reader_stops_the_writer() {
    run(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        assert_eq!(sender.set_capacity(4096).unwrap(), 4096);
        assert_eq!(receiver.capacity().unwrap(), 4096);
        let sent: Vec<u8> =
            (0..1 << 20).map(|n: u32| (n.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect();
        let written = Cell::new(0);
        let write = async {
            for chunk in sent.chunks(1000) {
                sender.write_all(chunk).await.unwrap();
                written.set(written.get() + chunk.len());
            }
            drop(sender);
        };
        let mut numbers = Numbers(7);
        let read = async {
            let mut read = Vec::new();
            let mut buf = [0; 3000];
            loop {
                let len = 1 + numbers.below(3000) as usize;
                match receiver.read(&mut buf[..len]).await.unwrap() {
                    0 => break read,
                    len => read.extend_from_slice(&buf[..len]),
                }
                yield_now().await;
                assert!(written.get() <= read.len() + 4096, "what is between them is in the pipe");
            }
        };
        let ((), read) = join!(write, read);
        assert!(read == sent);
    });
}

#[test]
fn records_of_several_senders_never_interleave() {
    const SENDERS: u8 = 8;
    const RECORDS: u64 = 200;
    run(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        // Small, so that nearly every write waits.
        sender.set_capacity(4096).unwrap();
        for id in 0..SENDERS {
            let sender = sender.try_clone().unwrap();
            spawn(async move {
                let mut numbers = Numbers(id.into());
                for _ in 0..RECORDS {
                    let len = 3 + numbers.below(4096 - 2) as usize;
                    let mut record = vec![id; len];
                    record[1..3].copy_from_slice(&(len as u16).to_ne_bytes());
                    // One call either way, of one buffer or of two.
                    let (head, body) = record.split_at(len * usize::from(id % 2) / 2);
                    let bufs = [IoSlice::new(head), IoSlice::new(body)];
                    assert_eq!(sender.write_vectored(&bufs).await.unwrap(), len);
                }
            });
        }
        drop(sender);
        let mut records = 0;
        let mut head = [0; 3];
        let mut body = [0; 4096];
        // One by one: a read of the end would be an error of `read_exact`.
        while receiver.read(&mut head[..1]).await.unwrap() == 1 {
            receiver.read_exact(&mut head[1..]).await.unwrap();
            let len = u16::from_ne_bytes([head[1], head[2]]) as usize;
            assert!((3..=4096).contains(&len), "{len}");
            receiver.read_exact(&mut body[..len - 3]).await.unwrap();
            assert!(body[..len - 3].iter().all(|&byte| byte == head[0]));
            records += 1;
        }
        assert_eq!(records, u64::from(SENDERS) * RECORDS);
    });
}

#[test]
fn two_readers_are_both_woken() {
    run(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        let (mut one, mut two) = ([0], [0]);
        let write = async {
            yield_now().await;
            sender.write_all(b"ab").await.unwrap();
        };
        let (first, second, ()) = join!(receiver.read(&mut one), receiver.read(&mut two), write);
        assert_eq!((first.unwrap(), second.unwrap()), (1, 1));
        let mut both = [one[0], two[0]];
        both.sort_unstable();
        assert_eq!(&both, b"ab");
    });
}

#[test]
fn a_sender_may_be_of_another_runtime() {
    limited(|| {
        let (sender, receiver) = pipe::pipe().unwrap();
        let writing = thread::spawn(move || {
            runtime::block_on(async {
                for n in 0..2000u32 {
                    sender.write_all(&[n as u8; 300]).await.unwrap();
                }
            });
        });
        runtime::block_on(async {
            let mut buf = [0; 300];
            for n in 0..2000u32 {
                receiver.read_exact(&mut buf).await.unwrap();
                assert_eq!(buf, [n as u8; 300]);
            }
            assert_eq!(receiver.read(&mut buf).await.unwrap(), 0);
        });
        writing.join().unwrap();
    });
}

/// Polls a future that often, and drops it.
async fn try_for<F: Future>(polls: u64, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        if let Poll::Ready(output) = poll!(&mut future) {
            return Some(output);
        }
        yield_now().await;
    }
    None
}

/// A future dropped at its await point has taken nothing; one that was ready has taken what it says.
#[test]
fn dropped_futures_lose_and_double_nothing() {
    run(async {
        const LEN: usize = 200_000;
        let seed = 42;
        println!("seed {seed}");
        let mut numbers = Numbers(seed);
        let (sender, receiver) = pipe::pipe().unwrap();
        sender.set_capacity(4096).unwrap();
        let sent: Vec<u8> = (0..LEN).map(|n| (n / 251 + n) as u8).collect();
        let (mut written, mut read) = (0, Vec::new());
        let mut buf = [0; 5000];
        while read.len() < LEN {
            let polls = 1 + numbers.below(2);
            if numbers.below(2) == 0 {
                let len = numbers.below(5000) as usize;
                let chunk = &sent[written..LEN.min(written + len)];
                if let Some(len) = try_for(polls, sender.write(chunk)).await {
                    written += len.unwrap();
                }
            } else {
                let len = 1 + numbers.below(5000) as usize;
                if let Some(len) = try_for(polls, receiver.read(&mut buf[..len])).await {
                    read.extend_from_slice(&buf[..len.unwrap()]);
                }
            }
        }
        assert!(read == sent);
    });
}

#[test]
fn a_fifo_without_a_reader_takes_no_sender() {
    run(async {
        let fifo = Fifo::new("no-reader");
        let error = OpenOptions::new().open_sender(&fifo).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENXIO));
        let early = OpenOptions::new().read_write(true).open_sender(&fifo).unwrap();
        early.write_all(b"kept").await.unwrap();
        let receiver = OpenOptions::new().open_receiver(&fifo).unwrap();
        drop(early);
        let mut text = String::new();
        receiver.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "kept");
    });
}

/// Polls a future and counts how often.
async fn counted<F: Future>(future: F, polls: &Cell<u32>) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls.set(polls.get() + 1);
        future.as_mut().poll(cx)
    })
    .await
}

#[test]
fn a_hang_up_is_over_when_the_next_sender_comes() {
    run(async {
        let fifo = Fifo::new("next-sender");
        let receiver = OpenOptions::new().open_receiver(&fifo).unwrap();
        let mut buf = [0; 8];
        assert_eq!(receiver.read(&mut buf).await.unwrap(), 0, "no sender yet");

        for _ in 0..3 {
            let sender = fifo.sender();
            let sending = spawn(async move {
                for _ in 0..100 {
                    yield_now().await;
                }
                sender.write_all(b"hello").await.unwrap();
                sender
            });
            let polls = Cell::new(0);
            let len = counted(receiver.read(&mut buf), &polls).await.unwrap();
            assert_eq!(&buf[..len], b"hello");
            assert!(polls.get() <= 3, "{} polls of a reader that waits", polls.get());

            // The end comes while this waits, so that epoll reports a hang-up.
            let sender = sending.await.unwrap();
            spawn(async { drop(sender) });
            assert_eq!(receiver.read(&mut buf).await.unwrap(), 0);
        }
    });
}

#[test]
fn a_receiver_that_could_send_reads_no_end() {
    run(async {
        let fifo = Fifo::new("no-end");
        let receiver = OpenOptions::new().read_write(true).open_receiver(&fifo).unwrap();
        let mut buf = [0; 8];
        for _ in 0..3 {
            fifo.sender().write_all(b"hello").await.unwrap();
            assert_eq!(receiver.read(&mut buf).await.unwrap(), 5);
            assert!(poll!(pin!(receiver.read(&mut buf))).is_pending(), "the sender is gone");
        }
    });
}

#[test]
fn only_pipes_are_taken_and_the_right_ends_of_them() {
    let invalid = ErrorKind::InvalidInput;
    assert_eq!(OpenOptions::new().open_receiver("/dev/null").unwrap_err().kind(), invalid);
    assert_eq!(OpenOptions::new().open_sender("/dev/null").unwrap_err().kind(), invalid);
    let null = OpenOptions::new().unchecked(true).open_receiver("/dev/null").unwrap();
    assert_eq!(run(async { null.read(&mut [0; 8]).await.unwrap() }), 0);

    let (sender, receiver) = pipe::pipe().unwrap();
    let (sender, receiver) = (OwnedFd::from(sender), OwnedFd::from(receiver));
    assert!(is_nonblocking(&sender) && is_nonblocking(&receiver));
    assert_eq!(Sender::from_owned_fd(receiver).unwrap_err().kind(), invalid);
    assert_eq!(Receiver::try_from(sender).unwrap_err().kind(), invalid);
    let file = File::open("/dev/null").unwrap();
    assert_eq!(Receiver::from_file(file).unwrap_err().kind(), invalid);
}

#[test]
fn descriptors_come_and_go_in_the_mode_that_is_asked_for() {
    let (sender, receiver) = pipe::pipe().unwrap();
    let sender = sender.into_nonblocking_fd().unwrap();
    assert!(is_nonblocking(&sender));
    let sender = Sender::from_owned_fd(sender).unwrap().into_blocking_fd().unwrap();
    assert!(!is_nonblocking(&sender));
    let mut sender = File::from(sender);
    sender.write_all(b"hello").unwrap();
    let sender = Sender::from_file(sender).unwrap();
    assert!(is_nonblocking(&sender));
    drop(sender);
    let mut text = String::new();
    File::from(receiver.into_blocking_fd().unwrap()).read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
}

#[test]
fn pipes_of_a_child_process() {
    run(async {
        let mut child =
            Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let to = Sender::try_from(child.stdin.take().unwrap()).unwrap();
        let from = Receiver::try_from(child.stdout.take().unwrap()).unwrap();
        let sent = vec![b'x'; 300_000];
        let mut echoed = Vec::new();
        let write = async {
            to.write_all(&sent).await.unwrap();
            drop(to);
        };
        let (read, ()) = join!(from.read_to_end(&mut echoed), write);
        assert_eq!(read.unwrap(), sent.len());
        assert!(echoed == sent);
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn a_child_gets_its_end_in_blocking_mode() {
    run(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        let (input, stdin) = pipe::pipe().unwrap();
        let mut child = Command::new("cat")
            .stdin(Stdio::try_from(stdin).unwrap())
            .stdout(Stdio::try_from(sender).unwrap())
            .spawn()
            .unwrap();
        // cat gives up on EAGAIN, which is what it would get in nonblocking mode until this comes.
        yield_now().await;
        input.write_all(b"through the child").await.unwrap();
        drop(input);
        let mut text = String::new();
        receiver.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "through the child");
        assert!(child.wait().unwrap().success());
    });
}
