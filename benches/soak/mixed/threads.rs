//! Other threads: they wake, spawn and wait for tasks here; and the pool of those that may block.

use std::io;
use std::panic::resume_unwind;
use std::thread;

use futures::channel::oneshot;
use runtime::task::JoinSet;
use runtime::{Handle, spawn_blocking};

use super::plant::Plant;
use super::share::{Share, all};

const THREADS: usize = 3;
const MESSAGES: u64 = 100;
const CLOSURES: usize = 30;

pub(crate) async fn run(mut share: Share) -> io::Result<()> {
    if Plant::Thread.is_in() {
        thread::spawn(|| {
            loop {
                thread::park()
            }
        });
    }
    let mut tasks = JoinSet::new();
    for _ in 0..THREADS {
        tasks.spawn(other_thread(share.part()));
    }
    for _ in 0..CLOSURES {
        tasks.spawn(closure(share.part()));
    }
    all(tasks).await
}

/// One that sends, and one that has its numbers added up here.
async fn other_thread(share: Share) -> io::Result<()> {
    let here = Handle::current();
    let (to, from) = async_channel::bounded(1);
    let thread = thread::spawn(move || {
        for number in 0..MESSAGES {
            to.send_blocking(number).expect("somebody receives");
        }
        let tasks: Vec<_> =
            (0..MESSAGES).map(|number| here.spawn(async move { number + 1 })).collect();
        let aborted = here.spawn(std::future::pending::<()>());
        aborted.abort();
        here.block_on(async {
            assert!(aborted.await.expect_err("it was aborted").is_cancelled());
            let mut sum = 0;
            for task in tasks {
                sum += task.await?;
            }
            io::Result::Ok(sum)
        })
    });
    for number in 0..MESSAGES {
        assert_eq!(from.recv().await, Ok(number));
        share.done();
    }
    let sum = spawn_blocking(|| thread.join()).await?.expect("the thread does not panic")?;
    assert_eq!(sum, MESSAGES * (MESSAGES + 1) / 2);
    share.done();
    Ok(())
}

async fn closure(mut share: Share) -> io::Result<()> {
    let number = share.random.next();
    match share.random.below(4) {
        0 => {
            let task = spawn_blocking(move || -> () { resume_unwind(Box::new(number)) });
            let payload = task.await.expect_err("a panic").into_panic();
            assert_eq!(payload.downcast_ref(), Some(&number));
        }
        1 => {
            // It may have begun, and then it ends.
            let task = spawn_blocking(move || number);
            task.abort();
            match task.await {
                Ok(returned) => assert_eq!(returned, number),
                Err(error) => assert!(error.is_cancelled()),
            }
        }
        2 => {
            let (tell, told) = oneshot::channel();
            drop(spawn_blocking(move || tell.send(number)));
            assert_eq!(told.await, Ok(number));
        }
        _ => assert_eq!(spawn_blocking(move || number).await?, number),
    }
    share.done();
    Ok(())
}
