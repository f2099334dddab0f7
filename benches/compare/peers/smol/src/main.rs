//! The programs on smol 2, as a user would write them for one thread: a `LocalExecutor` in `smol::block_on`.
//!
//! There is a second thread, `async-io`, which the first use of I/O, timers or `block_on` starts, and which helps
//! only when the first one does not wait for events itself. Both run on the program's processor, and the processor
//! time of both counts.

mod servers;
mod tasks;
mod timers;
mod wakes;

use std::io;

use program::{Workload, cannot};
use smol::LocalExecutor;

fn main() -> io::Result<()> {
    let executor = LocalExecutor::new();
    smol::block_on(executor.run(run(&executor, Workload::of_this_program())))
}

async fn run(executor: &LocalExecutor<'_>, workload: Workload) -> io::Result<()> {
    use Workload::*;
    match workload {
        Empty => {}
        Spawn { count } => tasks::spawns(executor, count).await,
        SpawnHundred { count } => tasks::spawns_by_the_hundred(executor, count).await,
        Yield { tasks, count } => tasks::yields(executor, tasks, count).await,
        WakeTask { count } => tasks::wakes(executor, count).await,
        Channel { count } => tasks::channel(executor, count).await,
        Timeout { pending, count } => timers::timeouts(executor, pending, count).await,
        Sleeps { count } => timers::sleeps(executor, count).await,
        WakeParked { count } => wakes::parked(executor, count).await,
        WakeBusy { count } => wakes::busy(executor, count).await,
        WakeSpinning { .. } => cannot("it has no mode that spins instead of sleeping"),
        Tasks { count } => tasks::memory(executor, count).await,
        Echo { buffer } => servers::echo(executor, buffer as usize).await?,
        EchoTimeout { buffer } => servers::echo_with_timeout(executor, buffer as usize).await?,
        Udp => servers::udp().await?,
        Proxy { upstream } => servers::proxy(executor, upstream as u16).await?,
        Http => servers::http(executor).await?,
    }
    Ok(())
}
