//! The programs on our runtime, as a user would write them.

mod hyper_io;
mod servers;
mod tasks;
mod timers;
mod wakes;

use std::io;

use program::Workload;
use runtime::block_on;

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
        WakeSpinning { count } => wakes::spinning(count)?,
        Echo { buffer } => block_on(servers::echo(buffer as usize))?,
        EchoTimeout { buffer } => block_on(servers::echo_with_timeouts(buffer as usize))?,
        Udp => block_on(servers::udp())?,
        Proxy { upstream } => block_on(servers::proxy(upstream as u16))?,
        Http => block_on(servers::http())?,
    }
    Ok(())
}
