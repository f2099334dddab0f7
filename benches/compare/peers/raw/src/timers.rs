//! Sleeps by hand: a binary heap of deadlines, and a wait until the earliest.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::time::Instant;

use program::Meter;
use program::timers::{expect, moments, print_lateness, woke};

use crate::epoll::{Epoll, Events};

pub(crate) fn sleeps(count: u64) -> io::Result<()> {
    let epoll = Epoll::new()?;
    let mut events = Events::new();
    expect(count);
    let meter = Meter::start();
    let mut heap: BinaryHeap<_> =
        moments(count).map(|moment| Reverse(Instant::now() + moment)).collect();
    while let Some(&Reverse(next)) = heap.peek() {
        let now = Instant::now();
        if next <= now {
            heap.pop();
            woke(next);
        } else {
            epoll.wait_exactly(&mut events, next - now)?;
        }
    }
    meter.stop();
    print_lateness(count);
    Ok(())
}
