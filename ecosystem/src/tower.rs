//! What tower leaves to tokio, on the current runtime: a deadline. A file to copy.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use runtime::time::timeout;
use tower::{Layer, Service};

type BoxError = Box<dyn Error + Send + Sync>;

/// A layer that fails requests which take longer, with [`Elapsed`](runtime::time::Elapsed): in place of tower's own
/// of this name, which needs tokio's timer.
#[derive(Clone, Copy, Debug)]
pub struct TimeoutLayer(pub Duration);

impl<S> Layer<S> for TimeoutLayer {
    type Service = Timeout<S>;

    fn layer(&self, inner: S) -> Timeout<S> {
        Timeout { inner, duration: self.0 }
    }
}

/// A service with a deadline for each request, made by [`TimeoutLayer`].
#[derive(Clone, Debug)]
pub struct Timeout<S> {
    inner: S,
    duration: Duration,
}

impl<S, R> Service<R> for Timeout<S>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let answer = timeout(self.duration, self.inner.call(request));
        Box::pin(async move { answer.await?.map_err(Into::into) })
    }
}
