//! The programs on monoio: with `on=epoll` on its driver for epoll, else on that for io_uring.
//!
//! monoio 0.2, with its default features. What needs more of them is in `peer-monoio-sync`, so that the others do not
//! pay. A task that wakes itself goes to the head of its queue, so there is no giving way to others.
//!
//! There is one thread: io_uring works within its calls, and threads that the kernel might start for it would count
//! as the process's. callgrind runs both.

mod driver;
mod servers;
mod tasks;
mod timers;

use std::io;

use program::{Workload, cannot};

use crate::driver::block_on;

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
        WakeSpinning { .. } => cannot("it has no mode that spins instead of sleeping"),
        Echo { buffer } => block_on(servers::echo(buffer as usize))?,
        EchoTimeout { buffer } => block_on(servers::echo_with_timeouts(buffer as usize))?,
        Udp => block_on(servers::udp())?,
        Proxy { upstream } => block_on(servers::proxy(upstream as u16))?,
        WakeParked { .. } | WakeBusy { .. } | Http => cannot("peer-monoio-sync does this"),
        Http2 => cannot("its HTTP/2 is not written here"),
    }
    Ok(())
}
