//! Which of monoio's two drivers.

use std::future::Future;

use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};
use program::{cannot, flavor};

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
        match builder.build() {
            Ok(mut runtime) => runtime.block_on(future),
            Err(error) => cannot(&format!("there is no ring for it: {error}")),
        }
    }
}
