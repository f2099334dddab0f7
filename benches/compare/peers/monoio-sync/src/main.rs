//! The programs on monoio that need more than its default features: wakes from other threads `sync`, without which
//! they panic, and hyper `poll-io`, for streams that are polled (on io_uring by an epoll instance that the ring waits
//! for).

#[path = "../../monoio/src/driver.rs"]
mod driver;
mod http;
mod wakes;

use std::io;

use program::{Workload, cannot};

use crate::driver::{block_on, is_epoll};

fn main() -> io::Result<()> {
    use Workload::*;
    match Workload::of_this_program() {
        WakeParked { count } => block_on(wakes::parked(count)),
        WakeBusy { count } if is_epoll() => block_on(wakes::busy(count)),
        WakeBusy { .. } => {
            cannot("on io_uring it looks for wakes of other threads only when no task is ready")
        }
        Http => block_on(http::serve())?,
        _ => cannot("peer-monoio does this"),
    }
    Ok(())
}
