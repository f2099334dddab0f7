//! The programs on zruntime 0.2's `LocalRuntime`, which is its default, with futures-lite beside it for what it
//! leaves to others.
//!
//! Each is a task, as `block_on` polls its own future only between its looks at the kernel, which makes a join there
//! twice as dear. It starts no thread: what the process takes is what the thread of `block_on` does.
//!
//! For hyper the bridge is smol-hyper's, as its streams have the traits of futures-io: see peers/smol.

mod servers;
mod tasks;
mod timers;
mod wakes;

use std::io;

use program::{Workload, cannot};
use zruntime::LocalRuntime;

fn main() -> io::Result<()> {
    let runtime = LocalRuntime::new()?;
    match Workload::of_this_program() {
        Workload::Empty => {
            runtime.block_on(async {});
            Ok(())
        }
        workload => {
            let handle = runtime.clone();
            let task = runtime.spawn("workload", async move { run(&handle, workload).await });
            runtime.block_on(task)?
        }
    }
}

async fn run(runtime: &LocalRuntime, workload: Workload) -> io::Result<()> {
    use Workload::*;
    match workload {
        Empty => {}
        Spawn { count } => tasks::spawns(runtime, count).await?,
        SpawnHundred { count } => tasks::spawns_by_the_hundred(runtime, count).await?,
        Yield { tasks, count } => tasks::yields(runtime, tasks, count).await?,
        WakeTask { count } => tasks::wakes(runtime, count).await?,
        Channel { count } => tasks::channel(runtime, count).await?,
        Timeout { pending, count } => timers::timeouts(runtime, pending, count).await?,
        Sleeps { count } => timers::sleeps(runtime, count).await?,
        WakeParked { count } => wakes::parked(runtime, count).await?,
        WakeBusy { count } => wakes::busy(runtime, count).await?,
        WakeSpinning { count } => wakes::spinning(runtime, count).await?,
        Tasks { count } => tasks::memory(runtime, count).await?,
        Echo { buffer } => servers::echo(runtime, buffer as usize).await?,
        EchoTimeout { buffer } => servers::echo_with_timeout(runtime, buffer as usize).await?,
        Udp => servers::udp(runtime).await?,
        Proxy { upstream } => servers::proxy(runtime, upstream as u16).await?,
        Http => servers::http(runtime).await?,
        Http2 => cannot("its HTTP/2 is not written here"),
    }
    Ok(())
}
