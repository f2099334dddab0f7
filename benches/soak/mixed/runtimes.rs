//! Runtimes that are made and dropped, with all that is left in them; some have threads of their own, some take
//! their turns inside of a task of another one.

use std::future::pending;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use runtime::io::AsyncFd;
use runtime::net::{TcpListener, TcpStream, UnixStream};
use runtime::task::JoinSet;
use runtime::time::sleep;
use runtime::{Builder, Runtime, spawn_blocking};

use super::share::{Share, all};

const ON_THREADS: usize = 4;
const EMBEDDED: usize = 3;

pub(crate) async fn run(mut share: Share) -> io::Result<()> {
    let mut tasks = JoinSet::new();
    for _ in 0..ON_THREADS {
        tasks.spawn(on_a_thread(share.part()));
    }
    for _ in 0..EMBEDDED {
        tasks.spawn(embedded(share.part()));
    }
    all(tasks).await
}

async fn on_a_thread(mut share: Share) -> io::Result<()> {
    let part = share.part();
    spawn_blocking(move || {
        let runtime = Builder::new().thread_keep_alive(Duration::ZERO).build()?;
        runtime.block_on(guest(part))
    })
    .await??;
    share.done();
    Ok(())
}

/// The host turns it whenever its descriptor is readable.
async fn embedded(mut share: Share) -> io::Result<()> {
    let runtime = Builder::new().thread_keep_alive(Duration::ZERO).build()?;
    runtime.prepare()?;
    let task = runtime.spawn(guest(share.part()));
    drive(&runtime, || task.is_finished()).await?;
    task.await??;
    share.done();
    Ok(())
}

async fn drive(guest: &Runtime, mut done: impl FnMut() -> bool) -> io::Result<()> {
    let readable = AsyncFd::new(guest.as_fd())?;
    while !done() {
        let mut guard = readable.readable().await?;
        // Before the turn: an edge that comes in it must stay.
        guard.clear_ready();
        guest.turn(Some(Duration::ZERO))?;
    }
    Ok(())
}

/// Does a little of everything, and leaves more behind than it ends.
async fn guest(mut share: Share) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = runtime::spawn(async move {
        let (stream, _) = listener.accept().await?;
        runtime::io::copy(&stream, &stream).await
    });
    let stream = TcpStream::connect(address).await?;
    let message = share.bytes(1000);
    stream.write_all(&message).await?;
    sleep(Duration::from_micros(share.random.below(2000) as u64)).await;
    stream.shutdown().await?;
    let mut echoed = Vec::new();
    stream.read_to_end(&mut echoed).await?;
    assert!(echoed == message, "other bytes than were sent");
    assert_eq!(server.await??, message.len() as u64);
    assert_eq!(spawn_blocking(|| 1).await?, 1);

    runtime::spawn(sleep(Duration::from_secs(3600)));
    runtime::spawn(pending::<()>());
    let (ours, theirs) = UnixStream::pair()?;
    runtime::spawn(async move { ours.read(&mut [0]).await });
    runtime::spawn(async move {
        // Keeps the other end open.
        sleep(Duration::from_secs(3600)).await;
        drop(theirs);
    });
    runtime::task::yield_now().await;
    Ok(())
}
