//! Another thread that wakes a task, and what it notes.
//!
//! It runs on a processor of its own and never sleeps, so that only the runtime's side is measured. Everything is
//! static: a program does one of these, once.

use std::fs::File;
use std::future::poll_fn;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};
use std::{hint, io, mem, thread};

use crate::meter::{process_cpu_ns, thread_cpu_ns};
use crate::tasks::give_way;

/// The waking thread's processor; the driver starts the program on another.
const PROCESSOR: usize = 1;

/// What the runtime does when it is woken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum While {
    /// It sleeps in the kernel.
    Parked,
    /// It runs other tasks.
    Busy,
    /// It looks again and again.
    Spinning,
}

/// A number on a cache line, and its neighbour's, of its own.
#[repr(align(128))]
struct Line(AtomicU64);

static ASKED: Line = Line(AtomicU64::new(0));
static ANSWERED: Line = Line(AtomicU64::new(0));
static OVER: AtomicBool = AtomicBool::new(false);

/// What the woken task does: says that it has run. True when it has been woken for the last time.
#[inline]
pub fn answer() -> bool {
    ANSWERED.0.store(ASKED.0.load(Ordering::Acquire), Ordering::Release);
    is_over()
}

/// Whether the waking thread has done all its wakes.
#[inline]
pub fn is_over() -> bool {
    OVER.load(Ordering::Acquire)
}

/// The task to wake: starts the thread, answers it, and prints what [`Waking::print`] does.
pub async fn woken(what: While, count: u64) {
    let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let waking = Waking::start(waker, what, count);
    poll_fn(|_| if answer() { Poll::Ready(()) } else { Poll::Pending }).await;
    waking.print();
}

/// A task that is always ready, to keep a runtime busy until all wakes are done.
pub async fn occupy() {
    while !is_over() {
        give_way().await;
    }
}

/// The thread that wakes.
pub struct Waking(thread::JoinHandle<Noted>);

struct Noted {
    latencies: Vec<u64>,
    /// Of a wake, when they come one after another and no answer is waited for.
    wake_ns: Option<f64>,
    cpu_ns: u64,
    wall_ns: u64,
}

impl Waking {
    /// Starts a thread that wakes `waker` `count` times, each time waiting until the calling thread has answered,
    /// and busy ones once more as fast as it can.
    pub fn start(waker: Waker, what: While, count: u64) -> Waking {
        // SAFETY: the call takes nothing and cannot fail.
        let sleeper = unsafe { libc::gettid() };
        Waking(thread::spawn(move || {
            pin(PROCESSOR).expect("the waking thread has a processor of its own");
            let state =
                File::open(format!("/proc/self/task/{sleeper}/stat")).expect("/proc is mounted");
            let noted = wake(&waker, what, count, &state);
            OVER.store(true, Ordering::Release);
            waker.wake();
            noted
        }))
    }

    /// Prints `latency_median_ns` and `latency_p99_ns` from the wake to the task's answer, of busy runtimes `wake_ns`
    /// that the waking thread pays for a wake, and `cpu_ns` of all threads but that one, and `wall_ns`.
    pub fn print(self) {
        let mut noted = self.0.join().expect("the waking thread does not panic");
        noted.latencies.sort_unstable();
        let last = noted.latencies.len() - 1;
        println!("latency_median_ns {}", noted.latencies[last / 2]);
        println!("latency_p99_ns {}", noted.latencies[last * 99 / 100]);
        if let Some(wake_ns) = noted.wake_ns {
            println!("wake_ns {wake_ns:.1}");
        }
        println!("cpu_ns {}", noted.cpu_ns);
        println!("wall_ns {}", noted.wall_ns);
    }
}

fn wake(waker: &Waker, what: While, count: u64, state: &File) -> Noted {
    let mut latencies = Vec::with_capacity(count as usize);
    let (process, own, start) = (process_cpu_ns(), thread_cpu_ns(), Instant::now());
    for i in 1..=count {
        if what == While::Parked {
            until_asleep(state);
        }
        ASKED.0.store(i, Ordering::Release);
        let start = Instant::now();
        waker.wake_by_ref();
        while ANSWERED.0.load(Ordering::Acquire) < i {
            hint::spin_loop();
        }
        latencies.push(start.elapsed().as_nanos() as u64);
    }
    let wall_ns = start.elapsed().as_nanos() as u64;
    let cpu_ns = (process_cpu_ns() - process).saturating_sub(thread_cpu_ns() - own);
    let wake_ns = (what == While::Busy).then(|| wake_without_waiting(waker, count));
    Noted { latencies, wake_ns, cpu_ns, wall_ns }
}

fn wake_without_waiting(waker: &Waker, count: u64) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        waker.wake_by_ref();
    }
    start.elapsed().as_nanos() as f64 / count as f64
}

/// Waits until the thread sleeps in the kernel, and a little longer: its processor shall be idle as well, not on the
/// way there.
fn until_asleep(state: &File) {
    let start = Instant::now();
    while !is_asleep(state) {
        assert!(start.elapsed() < Duration::from_millis(100), "the thread to wake does not sleep");
    }
    let asleep = Instant::now();
    while asleep.elapsed() < Duration::from_micros(50) {
        hint::spin_loop();
    }
}

/// From proc_pid_stat(5): the letter after the name in parentheses.
fn is_asleep(state: &File) -> bool {
    let mut line = [0; 64];
    let len = state.read_at(&mut line, 0).expect("the thread to wake is there");
    let mut after_name = line[..len].rsplit(|byte| *byte == b')');
    after_name.next().is_some_and(|rest| rest.starts_with(b" S"))
}

/// Keeps the calling thread on one processor.
fn pin(processor: usize) -> io::Result<()> {
    // SAFETY: a cpu_set_t is integers, for which zeros are valid; its size is passed.
    unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        if libc::sched_setaffinity(0, mem::size_of_val(&set), &set) < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
