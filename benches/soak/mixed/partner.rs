//! Between the runtimes of two threads: tasks, sockets and timers that change sides, and channels between them.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use runtime::Handle;
use runtime::net::UnixStream;
use runtime::task::JoinSet;
use runtime::time::{Instant, sleep};

use super::share::{Share, all};

const TASKS: usize = 30;
const MESSAGES: u64 = 50;

pub(crate) async fn run(mut share: Share) -> io::Result<()> {
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        tasks.spawn(one(share.part()));
    }
    tasks.spawn(ping_pong(share.part()));
    all(tasks).await
}

async fn one(mut share: Share) -> io::Result<()> {
    let partner = share.world.partner.clone();
    match share.random.below(4) {
        0 => {
            // There, and from there back here.
            let here = Handle::current();
            let number = share.random.next();
            let there = partner.spawn(async move { here.spawn(async move { !number }).await });
            assert_eq!(there.await??, !number);
        }
        1 => {
            let there = partner.spawn(std::future::pending::<()>());
            there.abort();
            assert!(there.await.expect_err("it was aborted").is_cancelled());
        }
        2 => {
            // Registered here, by a read that had to wait, and then used there.
            let (ours, theirs) = UnixStream::pair()?;
            let message = share.bytes(1000);
            let mut first = [0];
            runtime::try_join!(theirs.read_exact(&mut first), ours.write_all(&[1]))?;
            let there = partner.spawn(async move { runtime::io::copy(&theirs, &theirs).await });
            ours.write_all(&message).await?;
            let mut echoed = vec![0; message.len()];
            ours.read_exact(&mut echoed).await?;
            assert!(echoed == message, "other bytes than were sent");
            drop(ours);
            assert_eq!(there.await??, message.len() as u64);
        }
        _ => {
            let duration = Duration::from_micros(share.random.below(3000) as u64);
            let start = Instant::now();
            let mut timer: Pin<Box<_>> = Box::pin(sleep(duration));
            let _ = futures::poll!(timer.as_mut());
            partner.spawn(timer).await?;
            assert!(start.elapsed() >= duration, "a timer that changed sides ends too early");
        }
    }
    share.done();
    Ok(())
}

async fn ping_pong(share: Share) -> io::Result<()> {
    let (ping, pinged) = async_channel::bounded(1);
    let (pong, ponged) = async_channel::bounded(1);
    let there = share.world.partner.spawn(async move {
        while let Ok(number) = pinged.recv().await {
            pong.send(number + 1).await.expect("somebody receives");
        }
    });
    for number in 0..MESSAGES {
        ping.send(number).await.expect("somebody receives");
        assert_eq!(ponged.recv().await, Ok(number + 1));
        share.done();
    }
    drop(ping);
    there.await?;
    Ok(())
}
