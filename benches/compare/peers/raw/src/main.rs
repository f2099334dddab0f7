//! The limit: the programs written by hand on epoll(7), with nothing between them and the kernel.

mod echo;
mod epoll;
mod proxy;
mod timers;
mod udp;
mod wakes;

use std::io;

use program::{Workload, cannot};

fn main() -> io::Result<()> {
    use Workload::*;
    match Workload::of_this_program() {
        Empty => Ok(()),
        Spawn { .. }
        | SpawnHundred { .. }
        | Yield { .. }
        | WakeTask { .. }
        | Channel { .. }
        | Tasks { .. } => cannot("an epoll loop has no tasks"),
        Timeout { .. } => cannot("an epoll loop has no futures to put a timeout around"),
        Sleeps { count } => timers::sleeps(count),
        WakeParked { count } => wakes::parked(count),
        WakeBusy { count } => wakes::busy(count),
        WakeSpinning { count } => wakes::spinning(count),
        Echo { buffer } => echo::serve(buffer as usize, None),
        EchoTimeout { buffer } => echo::serve(buffer as usize, Some(program::TIMEOUT)),
        Udp => udp::serve(),
        Proxy { upstream } => proxy::serve(upstream as u16),
        Http | Http2 => cannot("hyper needs a runtime"),
    }
}
