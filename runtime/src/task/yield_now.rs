//! `yield_now`: let the other tasks run.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Lets every other task that is ready run before this one goes on.
///
/// As tokio's `task::yield_now`. A lone task that yields does not enter the kernel each time.
///
/// # Cancel safety
///
/// Nothing is lost.
///
/// ```
/// # runtime::block_on(async {
/// runtime::task::yield_now().await;
/// # });
/// ```
pub fn yield_now() -> impl Future<Output = ()> + Send + Sync + Unpin {
    YieldNow { yielded: false }
}

#[must_use = "futures do nothing unless polled"]
struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
