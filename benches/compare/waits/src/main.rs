//! What one wait costs while many descriptors are idle, in every way that Linux has, and on the runtime.
//!
//! `waits MECHANISM PATTERN IDLE COUNT`. An event is a write to an eventfd, the wait that finds it among the
//! idle ones, and the read that takes it. The program prints the times of `COUNT` events.

mod descriptors;
mod epoll;
mod mechanism;
mod on_runtime;
mod poll;
mod select;

use std::error::Error;

use crate::descriptors::{Descriptors, Pattern};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [mechanism, pattern, idle, count] = &args[..] else {
        return Err("usage: waits MECHANISM PATTERN IDLE COUNT".into());
    };
    let fds = Descriptors::new(idle.parse::<usize>()? + 1)?;
    let turns = Pattern::named(pattern)?.turns(fds.len(), count.parse()?);
    match mechanism.as_str() {
        "none" => mechanism::without_waiting(&fds, &turns)?,
        "select" => mechanism::measure(select::Select::new(&fds), &fds, &turns)?,
        "poll" => mechanism::measure(poll::Poll::new(&fds), &fds, &turns)?,
        "epoll-level" => mechanism::measure(epoll::Epoll::new(&fds, 0)?, &fds, &turns)?,
        "epoll-edge" => {
            mechanism::measure(epoll::Epoll::new(&fds, libc::EPOLLET)?, &fds, &turns)?;
        }
        "runtime" => on_runtime::measure(fds, &turns)?,
        _ => return Err(format!("there is no mechanism {mechanism}").into()),
    }
    Ok(())
}
