//! The programs on monoio: with `on=epoll` on its driver for epoll, else on that for io_uring.

mod servers;
mod tasks;

use std::future::Future;
use std::io;

use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};
use program::{Workload, cannot, flavor};

fn block_on<F: Future>(future: F) -> F::Output {
    match flavor().as_deref() {
        Some("epoll") => {
            let builder = RuntimeBuilder::<LegacyDriver>::new().enable_timer();
            builder.build().expect("an epoll instance").block_on(future)
        }
        _ => {
            let builder = RuntimeBuilder::<IoUringDriver>::new().enable_timer();
            builder.build().expect("a ring").block_on(future)
        }
    }
}

fn main() -> io::Result<()> {
    use Workload::*;
    match Workload::of_this_program() {
        Empty => block_on(async {}),
        Yield { tasks, count } => block_on(tasks::yields(tasks, count)),
        Echo { buffer } => return block_on(servers::echo(buffer as usize)),
        _ => cannot("not written yet"),
    }
    Ok(())
}
