//! Tasks among themselves.

use std::future::poll_fn;
use std::task::Poll;

use program::Meter;

/// compio has none of its own.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

pub(crate) async fn yields(tasks: u64, count: u64) {
    let each = count / tasks;
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            compio::runtime::spawn(async move {
                for _ in 0..each {
                    yield_now().await;
                }
            })
        })
        .collect();
    let meter = Meter::start();
    for task in tasks {
        task.await.expect("the task only yields");
    }
    meter.stop();
}
