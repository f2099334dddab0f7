//! Unix sockets that carry messages, and descriptors that are passed: each is received once, or still
//! queued.

use std::fs::File;
use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, FromRawFd};
use std::os::unix::fs::MetadataExt;

use runtime::io::Interest;
use runtime::net::unix::{SocketAddr, WithFds};
use runtime::net::{UnixDatagram, UnixSeqpacket, UnixStream};

use crate::bytes::with_small_buffers;
use crate::exercise::{Direction, Message, Model, Moved, exercise, got_out, put_in};
use crate::seeds::{Rng, for_seeds};

const MOST: usize = 1000;

/// As many as the kernel takes.
fn messages() -> Model {
    Model::datagrams(usize::MAX)
}

/// The operations that both kinds have to send to their peer.
macro_rules! sending {
    ($direction:expr, $sender:expr) => {{
        let sender = $sender;
        $direction
            .writing("send", move |mut rng| async move {
                let bytes = rng.bytes(MOST);
                sender.send(&bytes).await?;
                put_in(&bytes)
            })
            .writing("send_vectored", move |mut rng| async move {
                let bytes = rng.bytes(MOST);
                let (first, second) = bytes.split_at(rng.below(bytes.len()));
                let bufs = &[IoSlice::new(first), IoSlice::new(second)];
                sender.send_vectored(bufs).await?;
                put_in(&bytes)
            })
            .writing("writable, try_send", move |mut rng| async move {
                let bytes = rng.bytes(MOST);
                loop {
                    sender.writable().await?;
                    match sender.try_send(&bytes) {
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        len => return put_in(&bytes[..len?]),
                    }
                }
            })
            .writing("ready", move |_| async move {
                sender.ready(Interest::WRITABLE).await?;
                Ok(Moved::Nothing)
            })
            .writing("poll_send", move |mut rng| async move {
                let bytes = rng.bytes(MOST);
                poll_fn(|cx| sender.poll_send(cx, &bytes)).await?;
                put_in(&bytes)
            })
            .writing("poll_send_ready", move |_| async move {
                poll_fn(|cx| sender.poll_send_ready(cx)).await?;
                Ok(Moved::Nothing)
            })
    }};
}

/// The operations that both kinds have to receive. `len` is how they tell the length.
macro_rules! receiving {
    ($direction:expr, $receiver:expr, $len:expr) => {{
        let (receiver, length) = ($receiver, $len);
        $direction
            .reading("recv", move |_| async move {
                let mut buf = [0; MOST];
                let len = length(receiver.recv(&mut buf).await?);
                got_out(&buf[..len])
            })
            .reading("recv_vectored", move |mut rng| async move {
                let mut buf = [0; MOST];
                let (first, second) = buf.split_at_mut(rng.below(MOST));
                let bufs = &mut [IoSliceMut::new(first), IoSliceMut::new(second)];
                let len = length(receiver.recv_vectored(bufs).await?);
                got_out(&buf[..len])
            })
            .reading("readable, try_recv", move |_| async move {
                let mut buf = [0; MOST];
                loop {
                    receiver.readable().await?;
                    match receiver.try_recv(&mut buf) {
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        len => return got_out(&buf[..length(len?)]),
                    }
                }
            })
            .reading("ready", move |_| async move {
                receiver.ready(Interest::READABLE).await?;
                Ok(Moved::Nothing)
            })
            .reading("async_io", move |_| async move {
                let mut buf = [0; MOST];
                let receive = || receiver.try_recv(&mut buf);
                let len = length(receiver.async_io(Interest::READABLE, receive).await?);
                got_out(&buf[..len])
            })
            .reading("poll_recv", move |_| async move {
                let mut buf = [0; MOST];
                let len = length(poll_fn(|cx| receiver.poll_recv(cx, &mut buf)).await?);
                got_out(&buf[..len])
            })
            .reading("poll_recv_ready", move |_| async move {
                poll_fn(|cx| receiver.poll_recv_ready(cx)).await?;
                Ok(Moved::Nothing)
            })
    }};
}

#[test]
fn unix_datagrams_of_a_pair() {
    for_seeds(60, async |rng| {
        let (a, b) = UnixDatagram::pair().unwrap();
        with_small_buffers(&a);
        with_small_buffers(&b);
        let left = {
            let len = |len| len;
            let there = sending!(Direction::new(messages(), &a, &b), &a);
            let back = sending!(Direction::new(messages(), &b, &a), &b);
            exercise(vec![receiving!(there, &b, len), receiving!(back, &a, len)], rng).await
        };
        drop((a, b));
        left.are_gone().await;
    });
}

#[test]
fn unix_seqpackets() {
    for_seeds(60, async |rng| {
        let (a, b) = UnixSeqpacket::pair().unwrap();
        with_small_buffers(&a);
        with_small_buffers(&b);
        let left = {
            let len = |record: runtime::net::unix::Record| record.len;
            let there = sending!(Direction::new(messages(), &a, &b), &a);
            let back = sending!(Direction::new(messages(), &b, &a), &b);
            exercise(vec![receiving!(there, &b, len), receiving!(back, &a, len)], rng).await
        };
        drop((a, b));
        left.are_gone().await;
    });
}

/// Many to one: the receiver's queue, of 11, is what senders wait for, and one of them has no peer.
#[test]
fn unix_datagrams_to_a_name() {
    for_seeds(60, async |rng| {
        let anywhere = SocketAddr::from(
            std::os::unix::net::UnixDatagram::unbound().unwrap().local_addr().unwrap(),
        );
        let receiver = UnixDatagram::bind_addr(&anywhere).unwrap();
        let name = receiver.local_addr().unwrap();
        let (peer, stranger) = (UnixDatagram::unbound().unwrap(), UnixDatagram::unbound().unwrap());
        peer.connect_addr(&name).unwrap();
        let left = {
            let (receiver, peer, stranger, name) = (&receiver, &peer, &stranger, &name);
            let path = format!("\0{}", String::from_utf8_lossy(name.as_abstract_name().unwrap()));
            // The peer's readiness is the receiver's room, whoever sends.
            let direction = sending!(Direction::new(messages(), peer, receiver), peer)
                .writing("send_to", move |mut rng| {
                    let path = path.clone();
                    async move {
                        let bytes = rng.bytes(MOST);
                        stranger.send_to(&bytes, path).await?;
                        put_in(&bytes)
                    }
                })
                .writing("send_to_addr", move |mut rng| async move {
                    let bytes = rng.bytes(MOST);
                    stranger.send_to_addr(&bytes, name).await?;
                    put_in(&bytes)
                })
                .writing("poll_send_to", move |mut rng| async move {
                    let bytes = rng.bytes(MOST);
                    let path =
                        format!("\0{}", String::from_utf8_lossy(name.as_abstract_name().unwrap()));
                    poll_fn(|cx| stranger.poll_send_to(cx, &bytes, &path)).await?;
                    put_in(&bytes)
                })
                .reading("recv_from", move |_| async move {
                    let mut buf = [0; MOST];
                    let (len, from) = receiver.recv_from(&mut buf).await?;
                    assert!(from.is_unnamed());
                    got_out(&buf[..len])
                })
                .reading("poll_recv_from", move |_| async move {
                    let mut buf = [0; MOST];
                    let (len, _) = poll_fn(|cx| receiver.poll_recv_from(cx, &mut buf)).await?;
                    got_out(&buf[..len])
                });
            exercise(vec![receiving!(direction, receiver, |len| len)], rng).await
        };
        drop((receiver, peer, stranger));
        left.are_gone().await;
    });
}

/// Some files, none of which is another.
fn files(rng: &mut Rng) -> Vec<File> {
    let count = rng.below(4);
    let file = || {
        // SAFETY: the name ends with a zero, and what the call makes is ours.
        unsafe {
            let fd = libc::memfd_create(c"passed".as_ptr(), libc::MFD_CLOEXEC);
            assert!(fd >= 0, "{}", std::io::Error::last_os_error());
            File::from_raw_fd(fd)
        }
    };
    (0..count).map(|_| file()).collect()
}

fn inode(file: &File) -> u64 {
    file.metadata().unwrap().ino()
}

fn sent(bytes: &[u8], files: &[File]) -> std::io::Result<Moved> {
    let files = files.iter().map(inode).collect();
    Ok(Moved::In(vec![Message { bytes: bytes.to_vec(), files }]))
}

fn received(buf: &[u8], received: WithFds) -> std::io::Result<Moved> {
    assert!(!received.truncated && !received.fds_truncated);
    let files = received.fds.into_iter().map(|fd| inode(&File::from(fd))).collect();
    Ok(Moved::Out(vec![Message { bytes: buf[..received.len].to_vec(), files }]))
}

/// The operations that pass files.
macro_rules! passing {
    ($direction:expr, $sender:expr, $receiver:expr) => {{
        let (sender, receiver) = ($sender, $receiver);
        $direction
            .writing("send_with_fds", move |mut rng| async move {
                let (bytes, files) = (rng.bytes(MOST), files(&mut rng));
                let fds: Vec<_> = files.iter().map(File::as_fd).collect();
                let len = sender.send_with_fds(&bytes, &fds).await?;
                sent(&bytes[..len], &files)
            })
            .writing("writable, try_send_with_fds", move |mut rng| async move {
                let (bytes, files) = (rng.bytes(MOST), files(&mut rng));
                let fds: Vec<_> = files.iter().map(File::as_fd).collect();
                loop {
                    sender.writable().await?;
                    match sender.try_send_with_fds(&bytes, &fds) {
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        len => return sent(&bytes[..len?], &files),
                    }
                }
            })
            .reading("recv_with_fds", move |_| async move {
                let mut buf = [0; MOST];
                let with_fds = receiver.recv_with_fds(&mut buf, 4).await?;
                received(&buf, with_fds)
            })
            .reading("readable, try_recv_with_fds", move |_| async move {
                let mut buf = [0; MOST];
                loop {
                    receiver.readable().await?;
                    match receiver.try_recv_with_fds(&mut buf, 4) {
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        with_fds => return received(&buf, with_fds?),
                    }
                }
            })
    }};
}

macro_rules! passes_descriptors {
    ($($test:ident: $socket:ty, $model:expr;)*) => {$(
        #[test]
        fn $test() {
            for_seeds(60, async |rng| {
                let (a, b) = <$socket>::pair().unwrap();
                with_small_buffers(&a);
                with_small_buffers(&b);
                let left = {
                    let there = passing!(Direction::new($model, &a, &b), &a, &b);
                    let back = passing!(Direction::new($model, &b, &a), &b, &a);
                    exercise(vec![there, back], rng).await
                };
                drop((a, b));
                left.are_gone().await;
            });
        }
    )*};
}

passes_descriptors! {
    descriptors_passed_by_a_stream: UnixStream, Model::bytes();
    descriptors_passed_by_datagrams: UnixDatagram, messages();
    descriptors_passed_by_seqpackets: UnixSeqpacket, messages();
}

/// What is queued and never received goes with the socket.
#[test]
fn descriptors_that_nobody_received_are_closed() {
    for_seeds(20, async |rng| {
        let (a, b) = UnixStream::pair().unwrap();
        for _ in 0..1 + rng.below(10) {
            let (bytes, files) = (rng.bytes(MOST), files(rng));
            let fds: Vec<_> = files.iter().map(File::as_fd).collect();
            a.send_with_fds(&bytes, &fds).await.unwrap();
        }
        let mut buf = [0; MOST];
        b.recv_with_fds(&mut buf, 1).await.unwrap();
    });
}
