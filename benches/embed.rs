//! What it costs to be embedded: a round trip over a Unix socket pair between two tasks of one runtime,
//! driven by itself and by hosts.
//!
//! ```text
//! cargo bench --bench embed
//! ```
//!
//! Each of the two messages is a turn. It is processor time, the kernel's part too. Rounds are interleaved;
//! the figures are medians with their quartiles.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use runtime::Runtime;
use runtime::epoll::{Epoll, Events, Flags, PollFd, poll};
use runtime::net::UnixStream;

use support::{median, per_operation, pin, quartiles};

mod support;

const ROUNDS: usize = 21;
const TRIPS: u64 = 20_000;

/// Who drives a game to its end, and how.
type Host = (&'static str, fn(&Game));

const HOSTS: [Host; 5] = [
    ("`block_on`", |game| game.runtime.block_on(poll_fn(|cx| game.poll_over(cx)))),
    ("`turn(None)` in a loop", |game| game.drive(|runtime| drop(runtime.turn(None)))),
    ("poll(2), then `turn(0)`", |game| {
        game.drive(|runtime| {
            poll(&mut [PollFd::new(runtime, Flags::IN)], None).expect("poll");
            drop(runtime.turn(Some(Duration::ZERO)));
        });
    }),
    ("epoll, level-triggered", |game| game.drive_in_epoll(Flags::IN)),
    ("epoll, edge-triggered", |game| game.drive_in_epoll(Flags::IN | Flags::ET)),
];

/// Two tasks that play ping-pong.
struct Game {
    runtime: Runtime,
    left: Rc<Cell<u64>>,
    /// The future given to `block_on`, to be woken at the end.
    root: Rc<Cell<Option<Waker>>>,
}

async fn pong_back(pong: UnixStream) -> io::Result<()> {
    let mut byte = [0];
    loop {
        pong.read_exact(&mut byte).await?;
        pong.write_all(&byte).await?;
    }
}

impl Game {
    fn new() -> io::Result<Game> {
        let runtime = Runtime::new()?;
        runtime.prepare()?;
        let left = Rc::new(Cell::new(TRIPS));
        let (ping, pong) = UnixStream::pair()?;
        let root = Rc::new(Cell::new(None::<Waker>));
        drop(runtime.spawn({
            let (left, root) = (left.clone(), root.clone());
            async move {
                let mut byte = [0];
                while left.get() > 0 {
                    ping.write_all(&byte).await?;
                    ping.read_exact(&mut byte).await?;
                    left.set(left.get() - 1);
                }
                if let Some(waker) = root.take() {
                    waker.wake();
                }
                io::Result::Ok(())
            }
        }));
        drop(runtime.spawn(pong_back(pong)));
        Ok(Game { runtime, left, root })
    }

    fn poll_over(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.root.set(Some(cx.waker().clone()));
        if self.left.get() > 0 { Poll::Pending } else { Poll::Ready(()) }
    }

    fn drive(&self, mut turn: impl FnMut(&Runtime)) {
        while self.left.get() > 0 {
            turn(&self.runtime);
        }
    }

    fn drive_in_epoll(&self, flags: Flags) {
        let epoll = Epoll::new().expect("epoll");
        epoll.add(&self.runtime, flags, 0).expect("added");
        let mut events = Events::with_capacity(1);
        self.drive(|runtime| {
            epoll.wait(&mut events, None).expect("events");
            drop(runtime.turn(Some(Duration::ZERO)));
        });
    }
}

/// What this thread has spent.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn main() -> io::Result<()> {
    pin(0);
    let mut figures = HOSTS.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for ((_, drive), figures) in HOSTS.iter().zip(&mut figures) {
            let game = Game::new()?;
            let start = processor_time();
            drive(&game);
            figures.push(per_operation(processor_time() - start, TRIPS));
        }
    }
    println!("| driven by | ns per round trip | quartiles | beside `block_on` |");
    println!("|---|---:|---:|---:|");
    let alone = median(figures[0].clone());
    for ((name, _), figures) in HOSTS.iter().zip(figures) {
        let (low, high) = quartiles(figures.clone());
        let median = median(figures);
        println!("| {name} | {median:.0} | {low:.0} to {high:.0} | {:.2} |", median / alone);
    }
    Ok(())
}
