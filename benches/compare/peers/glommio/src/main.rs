//! The programs on glommio 0.9, as its executor is by default. Its driver is io_uring.
//!
//! It has three rings, of which sockets use one to wait: they are read and written by system calls. While tasks are
//! ready it looks at the rings, and for wakes of other threads, when a timer of 100 ms says so.
//!
//! A thread stands ready for calls that block, and does nothing here. What the kernel starts for the rings counts as
//! the process's. It needs leave to lock 512 KiB in memory. callgrind runs it.

mod hyper_io;
mod servers;
mod tasks;
mod timers;
mod wakes;

use std::future::Future;
use std::io;
use std::time::Duration;

use glommio::{LocalExecutorBuilder, Placement};
use program::{Workload, cannot};

fn block_on<F: Future>(future: F) -> F::Output {
    run(LocalExecutorBuilder::new(Placement::Unbound), future)
}

/// Looks for events again and again instead of sleeping.
fn spin_on<F: Future>(future: F) -> F::Output {
    run(LocalExecutorBuilder::new(Placement::Unbound).spin_before_park(Duration::MAX), future)
}

fn run<F: Future>(builder: LocalExecutorBuilder, future: F) -> F::Output {
    match builder.make() {
        Ok(executor) => executor.run(future),
        Err(error) => cannot(&format!("there is no ring for it: {error}")),
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
        WakeBusy { .. } => {
            cannot("its ready tasks run for 100 ms before it looks for wakes of other threads")
        }
        WakeSpinning { count } => spin_on(wakes::spinning(count)),
        Echo { buffer } => block_on(servers::echo(buffer as usize))?,
        EchoTimeout { buffer } => block_on(servers::echo_with_timeouts(buffer as usize))?,
        Udp => block_on(servers::udp())?,
        Proxy { upstream } => block_on(servers::proxy(upstream as u16))?,
        Http => block_on(servers::http())?,
        Http2 => cannot("its HTTP/2 is not written here"),
    }
    Ok(())
}
