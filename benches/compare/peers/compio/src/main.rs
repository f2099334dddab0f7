//! The programs on compio: with `on=epoll` on its driver for epoll, else on that for io_uring.

mod servers;
mod tasks;
mod timers;
mod wakes;

use std::future::Future;
use std::io;

use compio::driver::{DriverType, ProactorBuilder};
use compio::runtime::{RuntimeBuilder, spawn};
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

/// In a task, as the future of `block_on` itself costs more: each wake of it goes by the kernel.
fn run<F: Future + 'static>(future: F) -> F::Output {
    block_on(async { spawn(future).await.expect("the workload does not panic") })
}

fn main() -> io::Result<()> {
    use Workload::*;
    match Workload::of_this_program() {
        Empty => block_on(async {}),
        Spawn { count } => run(tasks::spawns(count)),
        SpawnHundred { count } => run(tasks::spawns_by_the_hundred(count)),
        Yield { tasks, count } => run(tasks::yields(tasks, count)),
        WakeTask { count } => run(tasks::wakes(count)),
        Channel { count } => run(tasks::channel(count)),
        Tasks { count } => run(tasks::idle(count)),
        Timeout { pending, count } => run(timers::timeouts(pending, count)),
        Sleeps { count } => run(timers::sleeps(count)),
        WakeParked { count } => run(wakes::parked(count)),
        WakeBusy { count } => run(wakes::busy(count)),
        WakeSpinning { .. } => cannot("it has no mode that spins instead of sleeping"),
        Echo { buffer } => run(servers::echo(buffer as usize))?,
        EchoTimeout { buffer } => run(servers::echo_with_timeouts(buffer as usize))?,
        Udp => run(servers::udp())?,
        Proxy { upstream } => run(servers::proxy(upstream as u16))?,
        Http => run(servers::http())?,
    }
    Ok(())
}
