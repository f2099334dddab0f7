//! Models of the wakeups under loom: each test is a story about one owner and other threads, told
//! in every order that loom knows, up to a number of preemptions. A lost wake shows as loom's
//! "deadlock", which may end the whole program, since it also strikes in destructors.

use loom::sync::atomic::AtomicBool;
use loom::sync::{Arc, Mutex, Notify};
use loom::thread;
use std::sync::atomic::AtomicUsize;

/// What the files under the models take from `crate::sync`, from loom.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
    /// The owner grows the bitmap before there are other threads: nothing to explore here.
    pub(crate) use std::sync::OnceLock;

    pub(crate) const WORDS: usize = 2;
}

#[path = "../src/wakeups/bitmap.rs"]
mod bitmap;
#[allow(dead_code, reason = "a real futex would wait on the word")]
#[path = "../src/wakeups/park.rs"]
mod park;
#[path = "../src/signal/ring.rs"]
mod ring;

use bitmap::Bitmap;
use park::{ASLEEP_IN_EPOLL, ASLEEP_ON_FUTEX, ParkState, Wake};
use ring::Ring;
use sync::{AtomicU64, Ordering};

/// How the owner sleeps, and the system call that ends it.
type Sleep = (u32, Wake);
const ON_FUTEX: Sleep = (ASLEEP_ON_FUTEX, Wake::Futex);
const IN_EPOLL: Sleep = (ASLEEP_IN_EPOLL, Wake::Epoll);

/// An inbox block: what the owner shares with its wakers.
struct Block {
    bitmap: Bitmap,
    commands: Mutex<Vec<u32>>,
    state: ParkState,
    sleep: Sleep,
    /// The kernel: `Notify` keeps a notification that comes before the wait, as a written eventfd
    /// does, and ends one wait for nothing, as a timer or a signal may.
    kernel: Notify,
    /// Not loom's: figures about the story, no part of it.
    sleeps: AtomicUsize,
    system_calls: AtomicUsize,
}

impl Block {
    fn new(sleep: Sleep) -> Arc<Self> {
        let bitmap = Bitmap::new();
        // Two chunks of two words.
        bitmap.grow(129);
        Arc::new(Self {
            bitmap,
            commands: Mutex::new(Vec::new()),
            state: ParkState::new(),
            sleep,
            kernel: Notify::new(),
            sleeps: AtomicUsize::new(0),
            system_calls: AtomicUsize::new(0),
        })
    }

    fn wake(&self, index: u32) {
        if self.bitmap.set(index) {
            self.notify();
        }
    }

    fn command(&self, command: u32) {
        self.commands.lock().unwrap().push(command);
        self.notify();
    }

    fn notify(&self) {
        let wake = self.state.notify();
        if wake != Wake::None {
            assert_eq!(wake, self.sleep.1);
            self.system_calls.fetch_add(1, Ordering::Relaxed);
            self.kernel.notify();
        }
    }

    /// The owner's loop: `turn` looks into the inbox and says whether all has come.
    fn run(&self, mut turn: impl FnMut() -> bool) {
        loop {
            if self.state.is_notified() && self.state.take() && turn() {
                return;
            }
            if self.state.prepare_park(self.sleep.0) {
                self.sleeps.fetch_add(1, Ordering::Relaxed);
                self.kernel.wait();
                self.state.unpark();
            }
        }
    }

    /// The same in a host's loop, which waits for the kernel alone: the park between two turns does not
    /// sleep, and a park that is refused announces what has come.
    fn run_in_a_host(&self, mut turn: impl FnMut() -> bool) {
        loop {
            if !self.state.prepare_park(self.sleep.0) {
                self.kernel.notify();
            }
            self.kernel.wait();
            self.state.unpark();
            if self.state.is_notified() && self.state.take() && turn() {
                return;
            }
        }
    }

    /// As between two runtimes in the same place.
    fn recycle(&self) {
        self.state.take();
        self.bitmap.drain(|_| ());
    }

    fn assert_one_system_call_per_sleep(&self) {
        let sleeps = self.sleeps.load(Ordering::Relaxed);
        let calls = self.system_calls.load(Ordering::Relaxed);
        assert!(calls <= sleeps, "{calls} system calls for {sleeps} sleeps");
    }
}

/// Explores every order with at most two switches away from a thread that could go on: each guard
/// taken out fails with that already. `LOOM_MAX_PREEMPTIONS` asks for more.
fn model(story: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(2);
    builder.check(story);
}

/// Two threads wake two tasks, `first` and `second`, while the owner drains and parks: it hears of
/// both, with at most one system call per sleep.
fn two_wakers(sleep: Sleep, first: u32, second: u32) {
    model(move || {
        let block = Block::new(sleep);
        let wakers = [first, second].map(|index| {
            let block = block.clone();
            thread::spawn(move || block.wake(index))
        });

        let mut seen = Vec::new();
        block.run(|| {
            block.bitmap.drain(|index| seen.push(index));
            seen.len() == 2
        });

        seen.sort_unstable();
        assert_eq!(seen, [first, second]);
        for waker in wakers {
            waker.join().unwrap();
        }
        block.assert_one_system_call_per_sleep();
    });
}

/// The same while a host waits for the owner's descriptor.
#[test]
fn two_wakers_and_a_host() {
    model(|| {
        let block = Block::new(IN_EPOLL);
        let wakers = [3, 5].map(|index| {
            let block = block.clone();
            thread::spawn(move || block.wake(index))
        });

        let mut seen = Vec::new();
        block.run_in_a_host(|| {
            block.bitmap.drain(|index| seen.push(index));
            seen.len() == 2
        });

        seen.sort_unstable();
        assert_eq!(seen, [3, 5]);
        for waker in wakers {
            waker.join().unwrap();
        }
    });
}

#[test]
fn two_wakers_of_one_word() {
    two_wakers(ON_FUTEX, 3, 5);
}

#[test]
fn two_wakers_of_two_words() {
    two_wakers(IN_EPOLL, 3, 64 + 5);
}

#[test]
fn two_wakers_of_two_chunks() {
    two_wakers(IN_EPOLL, 3, 128 + 5);
}

/// Two threads each write something and wake the same task while the owner drains: whoever finds
/// the bit already set leaves, and still the task is polled after its write and sees it.
#[test]
fn waking_a_task_that_is_already_woken() {
    model(|| {
        let block = Block::new(ON_FUTEX);
        let writes = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let wakers = [0, 1].map(|i| {
            let (block, writes) = (block.clone(), writes.clone());
            thread::spawn(move || {
                writes[i].store(true, Ordering::Relaxed);
                block.wake(7);
            })
        });

        block.run(|| {
            let mut done = false;
            block.bitmap.drain(|index| {
                assert_eq!(index, 7);
                done = writes.iter().all(|write| write.load(Ordering::Relaxed));
            });
            done
        });

        for waker in wakers {
            waker.join().unwrap();
        }
        block.assert_one_system_call_per_sleep();
    });
}

/// A waker of a runtime that has ended is somewhere on its way while the block is recycled. A
/// waker of the next runtime finds whatever the late one left and wakes a task `index` of its own:
/// the new owner hears of it.
fn late_waker(index: u32) {
    model(move || {
        let block = Block::new(IN_EPOLL);
        let late = thread::spawn({
            let block = block.clone();
            move || block.wake(7)
        });

        block.recycle();

        let written = Arc::new(AtomicBool::new(false));
        let new = thread::spawn({
            let (block, written) = (block.clone(), written.clone());
            move || {
                written.store(true, Ordering::Relaxed);
                block.wake(index);
            }
        });
        block.run(|| {
            let mut done = false;
            block.bitmap.drain(|woken| {
                // The late wake of 7 may still come: a poll too many.
                assert!(woken == index || woken == 7);
                done |= woken == index && written.load(Ordering::Relaxed);
            });
            done
        });

        late.join().unwrap();
        new.join().unwrap();
        block.assert_one_system_call_per_sleep();
    });
}

#[test]
fn late_waker_of_the_same_task() {
    late_waker(7);
}

#[test]
fn late_waker_of_the_same_chunk() {
    late_waker(64 + 5);
}

#[test]
fn late_waker_of_another_chunk() {
    late_waker(128 + 5);
}

/// Two threads each queue a command while the owner empties the queue and parks: it gets both, with
/// at most one system call per sleep.
#[test]
fn two_commands() {
    model(|| {
        let block = Block::new(ON_FUTEX);
        let senders = [1, 2].map(|command| {
            let block = block.clone();
            thread::spawn(move || block.command(command))
        });

        let mut got = Vec::new();
        block.run(|| {
            got.append(&mut block.commands.lock().unwrap());
            got.len() == 2
        });

        got.sort_unstable();
        assert_eq!(got, [1, 2]);
        for sender in senders {
            sender.join().unwrap();
        }
        block.assert_one_system_call_per_sleep();
    });
}

/// Handlers on several threads note signals in a ring of `N`, while a listener looks twice, and once more
/// after them: it gets whole records only, the later of a thread's after the earlier, and of the last `N`
/// what was not overwritten by a handler that was overtaken.
fn handlers<const N: usize>(handlers: &'static [&'static [u32]]) {
    let sent: usize = handlers.iter().map(|values| values.len()).sum();
    model(move || {
        let ring = Arc::new(Ring::<N, 2>::new());
        let threads: Vec<_> = handlers
            .iter()
            .map(|&values| {
                let ring = ring.clone();
                thread::spawn(move || values.iter().for_each(|&value| ring.push([value; 2])))
            })
            .collect();

        let (mut seen, mut got) = (0, Vec::new());
        let mut take = || {
            while let Some(parts) = ring.next(&mut seen) {
                assert_eq!(parts, [parts[0]; 2]);
                got.push(parts[0]);
            }
            seen
        };
        take();
        take();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(take(), sent as u64, "nobody is on the way");

        assert!(got.len() >= N.min(sent) && got.len() <= sent, "{got:?}");
        for values in handlers {
            let of_thread: Vec<_> = got.iter().filter(|value| values.contains(value)).collect();
            assert!(of_thread.is_sorted(), "{got:?}");
        }
    });
}

#[test]
fn handlers_side_by_side() {
    handlers::<2>(&[&[1], &[2]]);
}

#[test]
fn handlers_that_overtake_each_other() {
    handlers::<1>(&[&[1], &[2]]);
}

#[test]
fn a_handler_that_comes_round() {
    handlers::<1>(&[&[1, 2]]);
}

/// Two handlers note a signal and leave its bit while the owner takes it and parks: the listener hears
/// of both.
#[test]
fn two_signals() {
    model(|| {
        let block = Block::new(IN_EPOLL);
        let ring = Arc::new(Ring::<2, 1>::new());
        let signalled = Arc::new(AtomicU64::new(0));
        let handlers = [1, 2].map(|value| {
            let (block, ring, signalled) = (block.clone(), ring.clone(), signalled.clone());
            thread::spawn(move || {
                ring.push([value]);
                signalled.fetch_or(1, Ordering::AcqRel);
                block.notify();
            })
        });

        let (mut seen, mut got) = (0, Vec::new());
        block.run(|| {
            if signalled.load(Ordering::Relaxed) != 0 && signalled.swap(0, Ordering::AcqRel) != 0 {
                while let Some([value]) = ring.next(&mut seen) {
                    got.push(value);
                }
            }
            got.len() == 2
        });

        got.sort_unstable();
        assert_eq!(got, [1, 2]);
        for handler in handlers {
            handler.join().unwrap();
        }
        block.assert_one_system_call_per_sleep();
    });
}
