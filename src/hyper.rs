//! hyper's executor and timer. Behind the feature `hyper`, with which byte streams are hyper's `Read` and `Write` too.
//!
//! HTTP/1 needs neither of them; HTTP/2, and hyper-util's client, ask for the [`Executor`]; and whoever sets
//! deadlines, for the [`Timer`]. Servers and clients to copy are in the repository's `ecosystem/examples`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt;

use crate::time;

/// Runs the futures that hyper asks it to run, as tasks of the current runtime.
///
/// They need not be `Send`. For the HTTP/2 builders and hyper-util's pooled client.
///
/// ```
/// use hyper::rt::Executor as _;
///
/// # runtime::block_on(async {
/// let (sender, receiver) = async_channel::bounded(1);
/// let greeting = std::rc::Rc::new("hello");
/// runtime::hyper::Executor.execute(async move { sender.send(greeting).await.unwrap() });
/// assert_eq!(*receiver.recv().await.unwrap(), "hello");
/// # });
/// ```
///
/// # Panics
///
/// Where no runtime is current, when a future is given to it.
///
/// # Examples
///
/// ```
/// use hyper::rt::Executor as _;
///
/// # runtime::block_on(async {
/// let counted = std::rc::Rc::new(std::cell::Cell::new(0));
/// let count = counted.clone();
/// runtime::hyper::Executor.execute(async move { count.set(1) });
/// runtime::task::yield_now().await;
/// assert_eq!(counted.get(), 1);
/// # });
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Executor;

impl<F> rt::Executor<F> for Executor
where
    F: Future + 'static,
    F::Output: 'static,
{
    #[inline]
    fn execute(&self, future: F) {
        drop(crate::spawn(future));
    }
}

/// The timers of the current runtime, for hyper's own deadlines: the `timer` of its builders.
///
/// It follows the test clock. A deadline that hyper moves, as it does for each request, keeps its allocation.
///
/// ```
/// use hyper::rt::Timer as _;
///
/// # runtime::block_on(async {
/// runtime::time::pause();
/// let hour = std::time::Duration::from_secs(3600);
/// runtime::hyper::Timer.sleep(hour).await; // at once
/// # });
/// ```
///
/// # Panics
///
/// Where no runtime is current, when hyper sets a deadline.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use hyper::rt::Timer as _;
/// use runtime::hyper::Timer;
///
/// # runtime::Builder::new().start_paused(true).build().unwrap().block_on(async {
/// let start = Timer.now();
/// Timer.sleep(Duration::from_secs(3600)).await;
/// assert_eq!(Timer.now() - start, Duration::from_secs(3600));
/// # });
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer;

/// A deadline of hyper's.
struct Sleep(time::Sleep);

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl rt::Sleep for Sleep {}

impl rt::Timer for Timer {
    #[inline]
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep(time::sleep(duration)))
    }

    #[inline]
    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep(time::sleep_until(deadline.into())))
    }

    #[inline]
    fn now(&self) -> Instant {
        time::Instant::now().into_std()
    }

    #[inline]
    fn reset(&self, sleep: &mut Pin<Box<dyn rt::Sleep>>, deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(mut ours) => Pin::new(&mut ours.0).reset(deadline.into()),
            None => *sleep = self.sleep_until(deadline),
        }
    }
}
