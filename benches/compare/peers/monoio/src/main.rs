//! The programs on monoio: with `on=epoll` on its driver for epoll, else on that for io_uring.

mod servers;
mod tasks;
mod timers;
mod wakes;

use std::future::Future;
use std::io;

use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};
use program::{Workload, cannot, flavor};

fn is_epoll() -> bool {
    flavor().as_deref() == Some("epoll")
}

fn block_on<F: Future>(future: F) -> F::Output {
    if is_epoll() {
        let builder = RuntimeBuilder::<LegacyDriver>::new().enable_timer();
        builder.build().expect("an epoll instance").block_on(future)
    } else {
        let builder = RuntimeBuilder::<IoUringDriver>::new().enable_timer();
        builder.build().expect("a ring").block_on(future)
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
        WakeBusy { count } if is_epoll() => block_on(wakes::busy(count)),
        WakeBusy { .. } => {
            cannot("on io_uring it looks for wakes of other threads only when no task is ready")
        }
        WakeSpinning { .. } => cannot("it has no mode that spins instead of sleeping"),
        Echo { buffer } => block_on(servers::echo(buffer as usize))?,
        EchoTimeout { buffer } => block_on(servers::echo_with_timeouts(buffer as usize))?,
        Udp => block_on(servers::udp())?,
        Proxy { upstream } => block_on(servers::proxy(upstream as u16))?,
        Http => block_on(servers::http())?,
    }
    Ok(())
}
