//! The programs on our runtime, as a user would write them.

mod servers;
mod tasks;
mod timers;
mod wakes;

use std::io;

use program::Workload;
use runtime::{block_on, spawn};

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
        WakeSpinning { count } => wakes::spinning(count)?,
        Echo { buffer } => run(servers::echo(buffer as usize))?,
        EchoTimeout { buffer } => run(servers::echo_with_timeouts(buffer as usize))?,
        Udp => run(servers::udp())?,
        Proxy { upstream } => run(servers::proxy(upstream as u16))?,
        Http => run(servers::http())?,
        Http2 => run(servers::http2())?,
    }
    Ok(())
}

/// Every workload is a task: in some runtimes what `block_on` itself polls costs more.
fn run<F>(future: F) -> F::Output
where
    F: Future + 'static,
{
    block_on(async { spawn(future).await.expect("no workload panics") })
}
