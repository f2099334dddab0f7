//! A runtime in hosts of four kinds, and at random what may happen between turns: nothing is forgotten, and
//! what a turn says of itself is true. The seed is printed by a test that fails.

#[path = "support/mod.rs"]
mod support;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use runtime::epoll::{Epoll, Events, Flags, PollFd, poll};
use runtime::io::Source;
use runtime::task::yield_now;
use runtime::time::{Instant, Sleep, sleep, sleep_until};
use runtime::{Builder, JoinHandle, Runtime, Turn};

use support::limited;
use support::random::Random;

const HOUR: Duration = Duration::from_secs(3600);
const ZERO: Option<Duration> = Some(Duration::ZERO);
const ROUNDS: usize = 150;

/// How a host waits.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Poll,
    Level,
    Edge,
    Oneshot,
}

struct Host {
    kind: Kind,
    epoll: Epoll,
}

impl Host {
    fn new(kind: Kind, runtime: &Runtime) -> Host {
        let epoll = Epoll::new().unwrap();
        epoll.add(runtime, Host::flags(kind), 0).unwrap();
        Host { kind, epoll }
    }

    fn flags(kind: Kind) -> Flags {
        match kind {
            Kind::Poll | Kind::Level => Flags::IN,
            Kind::Edge => Flags::IN | Flags::ET,
            Kind::Oneshot => Flags::IN | Flags::ONESHOT,
        }
    }

    /// Waits, and takes one turn if it is woken.
    fn step(&self, runtime: &Runtime, timeout: Option<Duration>) -> Option<Turn> {
        let woken = match self.kind {
            Kind::Poll => poll(&mut [PollFd::new(runtime, Flags::IN)], timeout).unwrap(),
            _ => self.epoll.wait(&mut Events::with_capacity(4), timeout).unwrap(),
        };
        if woken == 0 {
            return None;
        }
        let turn = runtime.turn(ZERO).unwrap();
        if self.kind == Kind::Oneshot {
            self.epoll.modify(runtime, Host::flags(self.kind), 0).unwrap();
        }
        Some(turn)
    }
}

/// What a test's own executor wakes.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Something that waits, and what it waits for.
enum Waiter {
    /// A task that ends when it is told to.
    Told { told: Arc<AtomicBool>, waker: Rc<RefCell<Option<Waker>>>, task: JoinHandle<()> },
    /// A task that counts the bytes it reads.
    Reader { written: usize, read: Rc<Cell<usize>>, other: UnixStream, task: JoinHandle<()> },
    /// A task with a deadline, which is moved from outside.
    Sleeper { nap: Rc<RefCell<Pin<Box<Sleep>>>>, task: JoinHandle<()> },
    /// A task that ends by itself.
    Yielder { task: JoinHandle<()> },
    /// A deadline that the test itself waits for.
    Nap { nap: Pin<Box<Sleep>>, flag: Arc<Flag> },
    /// A socket that the test itself waits for.
    Readable { source: Rc<Source<UnixStream>>, other: UnixStream, flag: Arc<Flag> },
    /// A task that is polled, with nothing to come of it.
    Aborted { task: JoinHandle<()> },
}

impl Waiter {
    /// Whether all has happened to it that must have happened once the host has nothing to do.
    fn is_served(&self, now: Instant) -> bool {
        match self {
            Waiter::Told { told, task, .. } => task.is_finished() == told.load(Ordering::Relaxed),
            Waiter::Reader { written, read, task, .. } => {
                read.get() == *written && !task.is_finished()
            }
            Waiter::Sleeper { nap, task } => nap.borrow().deadline() > now || task.is_finished(),
            Waiter::Nap { nap, flag } => nap.deadline() > now || flag.0.load(Ordering::Relaxed),
            Waiter::Readable { flag, .. } => flag.0.load(Ordering::Relaxed),
            Waiter::Yielder { task } | Waiter::Aborted { task } => task.is_finished(),
        }
    }

    /// When it will want the host by itself.
    fn deadline(&self) -> Option<Instant> {
        match self {
            Waiter::Sleeper { nap, task } if !task.is_finished() => Some(nap.borrow().deadline()),
            Waiter::Nap { nap, flag } if !flag.0.load(Ordering::Relaxed) => Some(nap.deadline()),
            _ => None,
        }
    }
}

struct World {
    random: Random,
    runtime: Runtime,
    host: Host,
    waiters: Vec<Waiter>,
    /// The last deadline that was ever set and is not far away: the timer may go off for it.
    soon: Instant,
}

fn pair() -> (Source<UnixStream>, UnixStream) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    (Source::new(a), b)
}

fn some_runtime(random: &mut Random) -> Runtime {
    let spin = Duration::from_micros(random.below(2) as u64 * 20);
    Builder::new().event_interval(random.up_to(64) as u32).spin(spin).build().unwrap()
}

impl World {
    fn new(kind: Kind, seed: u64) -> World {
        let mut random = Random::new(seed);
        let runtime = some_runtime(&mut random);
        let host = Host::new(kind, &runtime);
        let soon = Instant::now();
        World { random, runtime, host, waiters: Vec::new(), soon }
    }

    fn some_deadline(&mut self) -> Instant {
        let now = Instant::now();
        match self.random.below(4) {
            0 => now - HOUR,
            1 => now + HOUR,
            _ => {
                let deadline = now + Duration::from_nanos(self.random.below(300_000) as u64);
                self.soon = self.soon.max(deadline);
                deadline
            }
        }
    }

    fn add(&mut self) {
        let waiter = match self.random.below(6) {
            0 => {
                let told = Arc::new(AtomicBool::new(false));
                let waker = Rc::new(RefCell::new(None::<Waker>));
                let (flag, shown) = (told.clone(), waker.clone());
                let task = self.runtime.spawn(poll_fn(move |cx| {
                    shown.replace(Some(cx.waker().clone()));
                    if flag.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
                }));
                Waiter::Told { told, waker, task }
            }
            1 => {
                let (source, other) = pair();
                let read = Rc::new(Cell::new(0));
                let count = read.clone();
                let task = self.runtime.spawn(async move {
                    let read = || source.read_with(|mut stream| stream.read(&mut [0]));
                    while read().await.unwrap() > 0 {
                        count.set(count.get() + 1);
                    }
                });
                Waiter::Reader { written: 0, read, other, task }
            }
            2 => {
                let deadline = self.some_deadline();
                let _guard = self.runtime.enter();
                let nap = Rc::new(RefCell::new(Box::pin(sleep_until(deadline))));
                let polled = nap.clone();
                let task = poll_fn(move |cx| polled.borrow_mut().as_mut().poll(cx));
                Waiter::Sleeper { nap, task: self.runtime.spawn(task) }
            }
            3 => {
                let yields = self.random.below(200);
                let task = self.runtime.spawn(async move {
                    for _ in 0..yields {
                        yield_now().await;
                    }
                });
                Waiter::Yielder { task }
            }
            4 => {
                let deadline = self.some_deadline();
                let flag = Arc::new(Flag::default());
                let _guard = self.runtime.enter();
                let mut nap = Box::pin(sleep_until(deadline));
                let waker = Waker::from(flag.clone());
                if nap.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                    flag.0.store(true, Ordering::Relaxed);
                }
                Waiter::Nap { nap, flag }
            }
            _ => {
                let (source, mut other) = pair();
                let flag = Arc::new(Flag::default());
                if self.random.below(2) == 0 {
                    other.write_all(b"x").unwrap();
                }
                let waker = Waker::from(flag.clone());
                {
                    let _guard = self.runtime.enter();
                    let cx = &mut Context::from_waker(&waker);
                    assert!(source.poll_read_ready(cx).is_pending(), "epoll is asked later");
                }
                other.write_all(b"x").unwrap();
                Waiter::Readable { source: Rc::new(source), other, flag }
            }
        };
        self.waiters.push(waiter);
    }

    /// Does something to one of those that wait.
    fn disturb(&mut self) {
        if self.waiters.is_empty() {
            return;
        }
        let index = self.random.below(self.waiters.len());
        let deadline = self.some_deadline();
        let what = self.random.below(6);
        let mut waiter = self.waiters.swap_remove(index);
        match &mut waiter {
            // Gone, with whatever was under way.
            _ if what == 0 => {
                if let Waiter::Sleeper { task, .. } = waiter {
                    task.abort();
                }
                return;
            }
            Waiter::Told { told, waker, .. } => {
                told.store(what < 3 || told.load(Ordering::Relaxed), Ordering::Relaxed);
                if let Some(waker) = waker.borrow().clone() {
                    match self.random.below(3) {
                        0 => waker.wake(),
                        1 => thread::spawn(move || waker.wake()).join().unwrap(),
                        _ => {
                            let _guard = self.runtime.enter();
                            waker.wake_by_ref();
                        }
                    }
                }
            }
            Waiter::Reader { written, other, .. } => {
                let bytes = self.random.up_to(200);
                other.write_all(&vec![7; bytes]).unwrap();
                *written += bytes;
            }
            Waiter::Sleeper { nap, .. } => nap.borrow_mut().as_mut().reset(deadline),
            Waiter::Nap { nap, flag } => {
                nap.as_mut().reset(deadline);
                let waker = Waker::from(flag.clone());
                let _guard = self.runtime.enter();
                let polled = nap.as_mut().poll(&mut Context::from_waker(&waker));
                flag.0.store(polled.is_ready(), Ordering::Relaxed);
            }
            Waiter::Readable { source, other, flag } => {
                let _guard = self.runtime.enter();
                let waker = Waker::from(flag.clone());
                flag.0.store(false, Ordering::Relaxed);
                while source.get_ref().read(&mut [0; 9]).is_ok_and(|read| read == 9) {}
                let mut read = Box::pin(source.read_with(|mut stream| stream.read(&mut [0])));
                let _ = read.as_mut().poll(&mut Context::from_waker(&waker));
                drop(read);
                let polled = source.poll_read_ready(&mut Context::from_waker(&waker));
                flag.0.store(polled.is_ready(), Ordering::Relaxed);
                other.write_all(b"x").unwrap();
            }
            Waiter::Yielder { task } | Waiter::Aborted { task } => task.abort(),
        }
        if what == 1 {
            if let Waiter::Reader { task, .. } | Waiter::Sleeper { task, .. } = waiter {
                task.abort();
                waiter = Waiter::Aborted { task };
            }
        }
        self.waiters.push(waiter);
    }

    /// What a host does besides waiting.
    fn drive(&mut self) {
        match self.random.below(8) {
            0 => {
                let turn = self.runtime.run_until_stalled();
                assert!(!turn.more());
            }
            1 => self.runtime.block_on(yield_now()),
            2 => self.runtime.block_on(async { sleep(Duration::from_micros(20)).await }),
            3 => drop(self.runtime.turn(Some(Duration::from_micros(20))).unwrap()),
            4 => drop(Runtime::new().unwrap().turn(ZERO).unwrap()),
            _ => {
                let turn = self.runtime.turn(ZERO).unwrap();
                self.check(turn);
                if turn.more() && self.random.below(2) == 0 {
                    // It does not wait.
                    self.runtime.turn(None).unwrap();
                }
            }
        }
    }

    /// Whether somebody waits for a deadline that is not far away, or behind us.
    fn waits_in_time(&self) -> bool {
        self.waiters.iter().filter_map(Waiter::deadline).any(|deadline| deadline <= self.soon)
    }

    /// That what a turn says of itself is true.
    fn check(&self, turn: Turn) {
        let readable = || poll(&mut [PollFd::new(&self.runtime, Flags::IN)], ZERO).unwrap() == 1;
        if turn.more() {
            assert!(readable(), "{turn:?}");
        } else if self.soon + Duration::from_millis(1) < Instant::now() && !self.waits_in_time() {
            // But for what the timer was set to, and that event is behind us with the next turn.
            let again = readable().then(|| self.runtime.turn(ZERO).unwrap());
            let did = again.map(|turn| (turn.tasks_polled(), turn.events_taken()));
            assert!(matches!(did, None | Some((0, 1))), "{turn:?}, and then {again:?}");
        }
    }

    /// Waits as a host does until there is nothing to do: nobody may be left then.
    fn settle(&mut self) {
        while let Some(turn) = self.host.step(&self.runtime, ZERO) {
            if self.host.kind != Kind::Edge {
                self.check(turn);
            }
        }
        let now = Instant::now();
        let done = |waiter: &Waiter| match waiter.deadline() {
            // It may have come since the last look.
            Some(_) => true,
            None => waiter.is_served(now),
        };
        for (index, waiter) in self.waiters.iter().enumerate() {
            assert!(done(waiter), "{:?} has left number {index}", self.host.kind);
        }
        while self.waits_in_time() {
            self.host.step(&self.runtime, None);
        }
        self.waiters.retain(|waiter| match waiter {
            Waiter::Told { task, .. } | Waiter::Sleeper { task, .. } => !task.is_finished(),
            Waiter::Yielder { .. } | Waiter::Aborted { .. } => false,
            _ => true,
        });
    }

    /// Another runtime in the place of this one, whose descriptor may get the same number.
    fn replace(&mut self) {
        self.host.epoll.delete(&self.runtime).unwrap();
        let kept = self.random.below(2) == 0;
        let waiters = std::mem::take(&mut self.waiters);
        let runtime = some_runtime(&mut self.random);
        self.host = Host::new(self.host.kind, &runtime);
        let gone = std::mem::replace(&mut self.runtime, runtime);
        if kept {
            drop(gone);
            drop(waiters);
        } else {
            drop(waiters);
            drop(gone);
        }
    }
}

/// Another thread wakes a task again and again, each time when the last wake has been served and at a
/// moment of its own: while the host still turns, or just goes to sleep, or sleeps.
fn wake_at_any_moment(kind: Kind) {
    let rounds = env("WAKES", 5_000) as u32;
    let seed = env("SEED", 0x5eed);
    println!("{kind:?}: SEED={seed}");
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let host = Host::new(kind, &runtime);
        let (asked, answered) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (show, shown) = mpsc::channel();
        let task = runtime.spawn({
            let (asked, answered) = (asked.clone(), answered.clone());
            poll_fn(move |cx| {
                let _ = show.send(cx.waker().clone());
                let asked = asked.load(Ordering::Acquire);
                answered.store(asked, Ordering::Release);
                if asked == rounds { Poll::Ready(()) } else { Poll::Pending }
            })
        });
        let thread = thread::spawn(move || {
            let mut random = Random::new(seed);
            let waker = shown.recv().unwrap();
            for round in 1..=rounds {
                asked.store(round, Ordering::Release);
                waker.wake_by_ref();
                // Bursts, so that it does not take a processor of its own.
                if round % 500 == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
                while answered.load(Ordering::Acquire) < round {
                    thread::yield_now();
                }
                (0..random.up_to(4_000)).for_each(|_| std::hint::spin_loop());
            }
        });
        while !task.is_finished() {
            host.step(&runtime, None);
        }
        thread.join().unwrap();
    });
}

fn env(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

fn play(kind: Kind) {
    let seed = env("SEED", 0x5eed);
    println!("{kind:?}: SEED={seed}");
    limited(|| {
        let mut world = World::new(kind, seed);
        for _ in 0..ROUNDS {
            for _ in 0..world.random.up_to(8) {
                match world.random.below(5) {
                    0 | 1 => world.add(),
                    2 | 3 => world.disturb(),
                    _ => world.drive(),
                }
            }
            world.settle();
            if world.random.below(40) == 0 {
                world.replace();
            }
        }
    });
}

#[test]
fn in_poll() {
    play(Kind::Poll);
}

#[test]
fn in_a_level_triggered_epoll() {
    play(Kind::Level);
}

#[test]
fn in_an_edge_triggered_epoll() {
    play(Kind::Edge);
}

#[test]
fn in_an_epoll_that_reports_once() {
    play(Kind::Oneshot);
}

#[test]
fn a_wake_is_never_slept_over() {
    for kind in [Kind::Poll, Kind::Edge, Kind::Oneshot] {
        wake_at_any_moment(kind);
    }
}
