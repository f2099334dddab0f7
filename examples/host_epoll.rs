//! Two runtimes inside an epoll loop of the program's own: they play ping-pong until the program's timer
//! ends the game.
//!
//! Type `cargo run --release --example host_epoll`. The host waits edge-triggered: it takes one turn for
//! each edge, and what a turn leaves undone brings an edge of its own.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use runtime::Runtime;
use runtime::epoll::{Epoll, Events, Flags, TimerFd};
use runtime::net::UnixStream;

const GAME: Duration = Duration::from_millis(300);

/// The user data of the timer; a guest's is its index.
const TIMER: u64 = u64::MAX;

fn main() -> io::Result<()> {
    let guests = [Runtime::new()?, Runtime::new()?];
    let (left, right) = UnixStream::pair()?;
    let rallies = Rc::new(Cell::new(0));
    drop(guests[0].spawn(serve(left, rallies.clone())));
    drop(guests[1].spawn(play(right)));

    let epoll = Epoll::new()?;
    for (index, guest) in guests.iter().enumerate() {
        // Makes the descriptor, which could not say why it cannot be.
        guest.prepare()?;
        epoll.add(guest, Flags::IN | Flags::ET, index as u64)?;
    }
    let timer = TimerFd::new()?;
    timer.arm_in(GAME)?;
    epoll.add(&timer, Flags::IN, TIMER)?;

    let mut events = Events::with_capacity(3);
    let mut turns = 0;
    loop {
        epoll.wait(&mut events, None)?;
        for event in &events {
            if event.token() == TIMER {
                println!("{} rallies in {GAME:?}, with {turns} turns", rallies.get());
                return Ok(());
            }
            guests[event.token() as usize].turn(Some(Duration::ZERO))?;
            turns += 1;
        }
    }
}

async fn serve(stream: UnixStream, rallies: Rc<Cell<u32>>) -> io::Result<()> {
    let mut ball = [0];
    loop {
        stream.write_all(&ball).await?;
        stream.read_exact(&mut ball).await?;
        rallies.set(rallies.get() + 1);
    }
}

async fn play(stream: UnixStream) -> io::Result<()> {
    let mut ball = [0];
    loop {
        stream.read_exact(&mut ball).await?;
        stream.write_all(&ball).await?;
    }
}
