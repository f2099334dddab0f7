//! Which of monoio's two drivers.

use std::future::Future;

use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};
use program::flavor;

/// What the command line says; io_uring is monoio's own first choice.
pub(crate) fn is_epoll() -> bool {
    flavor().as_deref() == Some("epoll")
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    if is_epoll() {
        let builder = RuntimeBuilder::<LegacyDriver>::new().enable_timer();
        builder.build().expect("an epoll instance").block_on(future)
    } else {
        let builder = RuntimeBuilder::<IoUringDriver>::new().enable_timer();
        builder.build().expect("a ring").block_on(future)
    }
}
