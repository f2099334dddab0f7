//! The programs on smol 2, as a user would write them for one thread: a `LocalExecutor` in `smol::block_on`.
//!
//! Each is a task, as after each wake of its own future `block_on` asks the kernel for events before it polls, which
//! makes a join there ten times as dear. There is a second thread, `async-io`, which takes over the waiting when the
//! first is busy or parked: it runs on the same processor, and its processor time counts too.
//!
//! For hyper the bridge is smol-hyper's. It zeroes the buffer before each read, two times 8 KiB for a request: where
//! that is done by one instruction for all bytes (`rep stosb`), callgrind counts one for each.

mod servers;
mod tasks;
mod timers;
mod wakes;

use std::io;

use program::{Workload, cannot};
use smol::LocalExecutor;

fn main() -> io::Result<()> {
    match Workload::of_this_program() {
        Workload::Empty => {
            smol::block_on(async {});
            Ok(())
        }
        workload => {
            // For tasks that spawn: they cannot borrow it from `main`.
            let executor: &LocalExecutor<'_> = Box::leak(Box::default());
            smol::block_on(executor.run(executor.spawn(run(executor, workload))))
        }
    }
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
        Http2 => cannot("its HTTP/2 is not written here"),
    }
    Ok(())
}
