//! Unix streams to a listener by name, with descriptors that are passed, some of them to nobody.

use std::io;
use std::mem::forget;
use std::os::fd::AsFd;

use runtime::epoll::EventFd;
use runtime::io::AsyncFd;
use runtime::net::unix::pipe;
use runtime::net::{UnixListener, UnixStream};
use runtime::task::JoinSet;

use super::plant::Plant;
use super::share::{Share, all};

const CLIENTS: usize = 4;
const CONNECTIONS: usize = 15;

pub(crate) async fn run(mut share: Share) -> io::Result<()> {
    if Plant::Registration.is_in() {
        forget(AsyncFd::new(EventFd::new()?)?);
    }
    let path = share.world.folder.join("listener");
    let listener = UnixListener::bind(&path)?;
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(listener));
    for _ in 0..CLIENTS {
        tasks.spawn(client(share.part()));
    }
    all(tasks).await?;
    runtime::fs::remove_file(path).await
}

async fn serve(listener: UnixListener) -> io::Result<()> {
    let mut connections = JoinSet::new();
    for _ in 0..CLIENTS * CONNECTIONS {
        let (stream, _) = listener.accept().await?;
        connections.spawn(answer(stream));
    }
    all(connections).await
}

/// Sends each message back through the pipe that came along with it.
async fn answer(stream: UnixStream) -> io::Result<()> {
    let mut buf = [0; 4096];
    loop {
        let received = stream.recv_with_fds(&mut buf, 1).await?;
        if received.len == 0 {
            return Ok(());
        }
        assert!(!received.fds_truncated, "descriptors were lost");
        for fd in received.fds {
            let answer = pipe::Sender::from_owned_fd(fd)?;
            answer.write_all(&buf[..received.len]).await?;
        }
    }
}

async fn client(mut share: Share) -> io::Result<()> {
    for _ in 0..CONNECTIONS {
        let stream = UnixStream::connect(share.world.folder.join("listener")).await?;
        let (sender, receiver) = pipe::pipe()?;
        let message = share.bytes(4096);
        let sent = stream.send_with_fds(&message, &[sender.as_fd()]).await?;
        assert_eq!(sent, message.len());
        // With ours gone, the answer ends when the server has closed its own.
        drop(sender);
        let mut answer = Vec::new();
        receiver.read_to_end(&mut answer).await?;
        assert!(answer == message, "other bytes than were sent");
        if share.random.below(2) == 0 {
            to_nobody().await?;
        }
        share.done();
    }
    Ok(())
}

/// A descriptor is under way when both ends of its way are closed: the kernel has to close it.
async fn to_nobody() -> io::Result<()> {
    let (ours, theirs) = UnixStream::pair()?;
    let (sender, receiver) = pipe::pipe()?;
    ours.send_with_fds(b"x", &[sender.as_fd()]).await?;
    drop((ours, theirs, sender));
    assert_eq!(receiver.read(&mut [0]).await?, 0, "somebody has the other end");
    Ok(())
}
