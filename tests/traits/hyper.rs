//! hyper's executor and timer.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Executor as _, Timer as _};
use runtime::hyper::{Executor, Timer};
use runtime::time::Instant;
use runtime::{Builder, task};

use crate::support::limited;

const HOUR: Duration = Duration::from_secs(3600);

/// Runs a future under the test clock.
fn run_paused<F: Future>(future: F) -> F::Output {
    limited(|| Builder::new().start_paused(true).build().unwrap().block_on(future))
}

#[test]
fn the_timer_follows_the_test_clock() {
    run_paused(async {
        let start = Instant::now();
        assert_eq!(Timer.now(), start.into_std());
        Timer.sleep(HOUR).await;
        assert_eq!(start.elapsed(), HOUR);
        assert_eq!(Timer.now(), start.into_std() + HOUR);
        Timer.sleep_until(Timer.now() + HOUR).await;
        assert_eq!(start.elapsed(), 2 * HOUR);
        // In the past: at once.
        Timer.sleep_until(start.into_std()).await;
        assert_eq!(start.elapsed(), 2 * HOUR);
    });
}

#[test]
fn resetting_a_sleep_keeps_its_allocation() {
    run_paused(async {
        let start = Instant::now();
        let mut sleep = Timer.sleep(HOUR);
        let address = (&raw const *sleep).cast::<()>();
        Timer.reset(&mut sleep, Timer.now() + 2 * HOUR);
        assert_eq!((&raw const *sleep).cast::<()>(), address);
        sleep.as_mut().await;
        assert_eq!(start.elapsed(), 2 * HOUR);
        // After its end too, and to an earlier time.
        Timer.reset(&mut sleep, Timer.now() + HOUR);
        Timer.reset(&mut sleep, Timer.now() + HOUR / 2);
        assert_eq!((&raw const *sleep).cast::<()>(), address);
        sleep.await;
        assert_eq!(start.elapsed(), 2 * HOUR + HOUR / 2);
    });
}

#[test]
fn a_sleep_of_another_timer_is_replaced() {
    struct Never;
    impl Future for Never {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }
    }
    impl hyper::rt::Sleep for Never {}

    run_paused(async {
        let start = Instant::now();
        let mut sleep: Pin<Box<dyn hyper::rt::Sleep>> = Box::pin(Never);
        Timer.reset(&mut sleep, Timer.now() + HOUR);
        sleep.await;
        assert_eq!(start.elapsed(), HOUR);
    });
}

#[test]
fn the_executor_runs_what_is_not_send() {
    run_paused(async {
        let done = Rc::new(Cell::new(false));
        Executor.execute({
            let done = done.clone();
            async move { done.set(true) }
        });
        assert!(!done.get());
        task::yield_now().await;
        assert!(done.get());
    });
}

#[test]
fn the_executor_is_what_a_pooled_client_asks_for() {
    // The bounds of hyper-util's, on an executor of its boxed futures.
    type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;
    fn takes(_: impl hyper::rt::Executor<Boxed> + Clone + Send + Sync + 'static) {}
    takes(Executor);
    fn takes_timer(_: impl hyper::rt::Timer + Clone + Send + Sync + 'static) {}
    takes_timer(Timer);
}

#[test]
#[should_panic(expected = "runtime")]
fn the_executor_panics_where_no_runtime_is() {
    Executor.execute(async {});
}
