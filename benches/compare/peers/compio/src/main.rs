//! The programs on compio: with `on=epoll` on its driver for epoll, else on that for io_uring.

mod servers;
mod tasks;

use std::future::Future;
use std::io;

use compio::driver::{DriverType, ProactorBuilder};
use compio::runtime::RuntimeBuilder;
use program::{Workload, cannot, flavor};

fn block_on<F: Future>(future: F) -> F::Output {
    let mut driver = ProactorBuilder::new();
    driver.driver_type(match flavor().as_deref() {
        Some("epoll") => DriverType::Poll,
        _ => DriverType::IoUring,
    });
    let mut builder = RuntimeBuilder::new();
    builder.with_proactor(driver);
    builder.build().expect("a driver").block_on(future)
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
