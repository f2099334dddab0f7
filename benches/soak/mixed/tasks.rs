//! Tasks that end in every way there is: with a value, a panic, an abort before and after their first poll.

use std::future::pending;
use std::io;
use std::panic::resume_unwind;
use std::pin::Pin;

use futures::channel::oneshot;
use runtime::task::{JoinSet, yield_now};
use runtime::{JoinHandle, spawn};

use super::plant::Plant;
use super::share::{Share, all};

const TASKS: usize = 400;

pub(crate) async fn run(mut share: Share) -> io::Result<()> {
    if Plant::Task.is_in() {
        spawn(pending::<()>());
    }
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        tasks.spawn(one(share.part()));
    }
    all(tasks).await?;
    assert_eq!(tree(8).await, 1 << 8, "leaves of a tree of tasks");
    share.done();
    channels(share).await
}

async fn one(mut share: Share) -> io::Result<()> {
    let number = share.random.next();
    let yields = share.random.below(4);
    let ends = move |number: u64| async move {
        for _ in 0..yields {
            yield_now().await;
        }
        number
    };
    match share.random.below(6) {
        0 => assert_eq!(spawn(ends(number)).await.ok(), Some(number)),
        1 => {
            // Without the hook, which would print it.
            let task: JoinHandle<()> =
                spawn(async move { resume_unwind(Box::new(ends(number).await)) });
            let payload = task.await.expect_err("a panic").into_panic();
            assert_eq!(payload.downcast_ref(), Some(&number));
        }
        2 => {
            let task = spawn(pending::<()>());
            for _ in 0..yields {
                yield_now().await;
            }
            task.abort();
            assert!(task.await.expect_err("it was aborted").is_cancelled());
        }
        3 => {
            // What it holds is dropped with it.
            let (holds, is_dropped) = oneshot::channel::<()>();
            let task = spawn(async move {
                pending::<()>().await;
                drop(holds);
            });
            yield_now().await;
            assert!(task.cancel().await.expect_err("it was cancelled").is_cancelled());
            assert!(is_dropped.await.is_err());
        }
        4 => {
            let mut set = JoinSet::new();
            for number in 0..5 {
                set.spawn(ends(number));
                set.spawn(pending());
            }
            let mut sum = 0;
            for _ in 0..5 {
                sum += set.join_next().await.expect("there are ten")?;
            }
            assert_eq!(sum, 10);
            set.shutdown().await;
            assert!(set.is_empty());
        }
        _ => {
            // Nobody waits for it.
            let (tell, told) = oneshot::channel();
            drop(spawn(async move { tell.send(ends(number).await) }));
            assert_eq!(told.await, Ok(number));
        }
    }
    share.done();
    Ok(())
}

/// The number of leaves.
fn tree(depth: u32) -> Pin<Box<dyn Future<Output = u64>>> {
    Box::pin(async move {
        if depth == 0 {
            return 1;
        }
        let (left, right) = (spawn(tree(depth - 1)), spawn(tree(depth - 1)));
        left.await.expect("no panic") + right.await.expect("no panic")
    })
}

/// From three tasks to two, through a channel with little room.
async fn channels(mut share: Share) -> io::Result<()> {
    let (to, from) = async_channel::bounded(4);
    let mut senders = JoinSet::new();
    for _ in 0..3 {
        let (to, mut share) = (to.clone(), share.part());
        senders.spawn(async move {
            let mut sum = 0_u64;
            for _ in 0..200 {
                let number = share.random.next() >> 32;
                to.send(number).await.expect("somebody receives");
                sum += number;
            }
            sum
        });
    }
    drop(to);
    let mut receivers = JoinSet::new();
    for _ in 0..2 {
        let (from, share) = (from.clone(), share.clone());
        receivers.spawn(async move {
            let mut sum = 0;
            while let Ok(number) = from.recv().await {
                sum += number;
                share.done();
            }
            sum
        });
    }
    let sent: u64 = senders.join_all().await.into_iter().sum();
    let received: u64 = receivers.join_all().await.into_iter().sum();
    assert_eq!(sent, received, "sums of what went through a channel");
    Ok(())
}
