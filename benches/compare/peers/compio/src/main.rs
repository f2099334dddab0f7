//! The programs on compio 0.19: with `on=epoll` on its driver for epoll (by the crate `polling`), else on that for
//! io_uring, both as they are by default.
//!
//! The workloads are the futures of `block_on` themselves: of a task that joins others one by one it takes longer to
//! see that they are done (2190 instructions of a spawn and join instead of 1217). A task that is alone in giving way
//! pays a look at the kernel each time.
//!
//! On epoll a pool of threads makes its sockets. Nothing else runs beside the one thread: io_uring works within the
//! calls of this thread, and threads that the kernel might start for it would count as the process's. callgrind runs
//! both.

mod servers;
mod tasks;
mod timers;
mod wakes;

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
    match builder.build() {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => cannot(&format!("there is no driver for it: {error}")),
    }
}

fn main() -> io::Result<()> {
    use Workload::*;
    match Workload::of_this_program() {
        Empty => block_on(async {}),
        Spawn { count } => block_on(tasks::spawns(count)),
        SpawnHundred { count } => block_on(tasks::spawns_by_the_hundred(count)),
        Yield { tasks, count } => block_on(tasks::yields(tasks, count)),
        WakeTask { count } => block_on(tasks::wakes(count)),
        Channel { count } => block_on(tasks::channel(count)),
        Tasks { count } => block_on(tasks::idle(count)),
        Timeout { pending, count } => block_on(timers::timeouts(pending, count)),
        Sleeps { count } => block_on(timers::sleeps(count)),
        WakeParked { count } => block_on(wakes::parked(count)),
        WakeBusy { count } => block_on(wakes::busy(count)),
        WakeSpinning { .. } => cannot("it has no mode that spins instead of sleeping"),
        Echo { buffer } => block_on(servers::echo(buffer as usize))?,
        EchoTimeout { buffer } => block_on(servers::echo_with_timeouts(buffer as usize))?,
        Udp => block_on(servers::udp())?,
        Proxy { upstream } => block_on(servers::proxy(upstream as u16))?,
        Http => block_on(servers::http())?,
        Http2 => cannot("its HTTP/2 is not written here"),
    }
    Ok(())
}
