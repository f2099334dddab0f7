//! The cooperative budget: how a task that is always ready lets the others run.
//!
//! Each poll of a task may do [`BUDGET`] operations on sockets, timers and joins; then they answer
//! `Pending` and wake the task again. Follows tokio's `task::coop`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::context;

/// Operations a poll may do.
pub(crate) const BUDGET: i64 = 128;
/// Outside of a task: more than a poll could ever spend, so that spending need not tell it apart.
pub(crate) const UNLIMITED: i64 = i64::MAX;

/// Polls an operation if the task has budget left, and counts it if it went through. With nothing left
/// the task is woken again, and the operation is pending.
#[inline]
pub(crate) fn poll<R>(
    cx: &mut Context<'_>,
    operation: impl FnOnce(&mut Context<'_>) -> Poll<R>,
) -> Poll<R> {
    if !has_budget_remaining() {
        wait_for_next_poll(cx);
        return Poll::Pending;
    }
    let polled = operation(cx);
    if polled.is_ready() {
        spend();
    }
    polled
}

/// Counts the operation that gave `result`.
pub(crate) fn spend_for<R>(result: R) -> R {
    spend();
    result
}

/// The task comes again when the others have had their turn.
#[cold]
pub(crate) fn wait_for_next_poll(cx: &mut Context<'_>) {
    cx.waker().wake_by_ref();
    context::with_turning(|core| {
        if core.observer.watches() {
            core.shared.counters.budget_exhaustions.add(1);
        }
    });
}

/// Counts an operation that went through. Below zero, if it has spent the last unit itself, is no more
/// budget than zero.
#[inline]
pub(crate) fn spend() {
    let budget = context::budget();
    budget.set(budget.get() - 1);
}

/// Whether the running task has budget left; true outside of tasks.
///
/// For futures that poll several others and must not mistake a spent budget for "not ready"; as
/// tokio's `task::coop::has_budget_remaining`.
#[inline]
pub fn has_budget_remaining() -> bool {
    context::budget().get() > 0
}

/// Spends one unit of the task's budget, and yields to the other tasks when there is none left.
///
/// For loops that compute without awaiting a socket or a timer. As tokio's `consume_budget`.
///
/// # Cancel safety
///
/// Nothing is lost.
///
/// ```
/// # runtime::block_on(async {
/// for _ in 0..1_000 {
///     // a piece of work
///     runtime::task::consume_budget().await;
/// }
/// # });
/// ```
pub async fn consume_budget() {
    std::future::poll_fn(|cx| poll(cx, |_| Poll::Ready(()))).await;
}

pin_project! {
    /// A future without a budget: see [`unconstrained`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Unconstrained<F> {
        #[pin]
        inner: F,
    }
}

/// Runs `inner` without the cooperative budget: it may starve other tasks.
///
/// As tokio's `unconstrained`.
///
/// ```
/// # runtime::block_on(async {
/// let sum = runtime::task::unconstrained(async { 1 + 1 }).await;
/// assert_eq!(sum, 2);
/// # });
/// ```
pub fn unconstrained<F>(inner: F) -> Unconstrained<F> {
    Unconstrained { inner }
}

impl<F: Future> Future for Unconstrained<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        struct Restore(i64);
        impl Drop for Restore {
            fn drop(&mut self) {
                context::budget().set(self.0);
            }
        }
        let _restore = Restore(context::budget().replace(UNLIMITED));
        self.project().inner.poll(cx)
    }
}
