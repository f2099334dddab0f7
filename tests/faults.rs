//! The kernel refuses and counts: libc's functions are this executable's own here. They count the calls
//! of each thread and let a chosen one fail, else they go to the kernel.
#![allow(unsafe_code)]

#[path = "support/mod.rs"]
mod support;

use std::ffi::{c_int, c_long, c_void};
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use runtime::io::Source;
use runtime::task::yield_now;
use runtime::time::{Instant, sleep};
use runtime::{Builder, Handle, Runtime};
use support::faults::{Call, PLAN, Plan, count, count_all, fails, forward};
use support::resources::open_descriptors;
use support::{limited, run};

/// Writes of 8 bytes by any thread, by descriptor.
static WRITES: [AtomicU64; 1024] = [const { AtomicU64::new(0) }; 1024];

// What makes `no_mangle` sound here: these have the names, the signatures and the meaning of libc's
// functions.

#[unsafe(no_mangle)]
extern "C" fn epoll_create1(flags: c_int) -> c_int {
    if fails(Call::EpollCreate) { -1 } else { forward!(SYS_epoll_create1, flags) as c_int }
}

#[unsafe(no_mangle)]
extern "C" fn epoll_ctl(epoll: c_int, op: c_int, fd: c_int, event: *mut c_void) -> c_int {
    if fails(Call::EpollCtl) { -1 } else { forward!(SYS_epoll_ctl, epoll, op, fd, event) as c_int }
}

#[unsafe(no_mangle)]
extern "C" fn epoll_wait(epoll: c_int, events: *mut c_void, room: c_int, timeout: c_int) -> c_int {
    if fails(Call::EpollWait) {
        return -1;
    }
    let no_mask: *const c_void = std::ptr::null();
    forward!(SYS_epoll_pwait, epoll, events, room, timeout, no_mask, 8usize) as c_int
}

#[unsafe(no_mangle)]
extern "C" fn eventfd(value: u32, flags: c_int) -> c_int {
    if fails(Call::EventFd) { -1 } else { forward!(SYS_eventfd2, value, flags) as c_int }
}

#[unsafe(no_mangle)]
extern "C" fn timerfd_create(clock: c_int, flags: c_int) -> c_int {
    if fails(Call::TimerFdCreate) {
        -1
    } else {
        forward!(SYS_timerfd_create, clock, flags) as c_int
    }
}

#[unsafe(no_mangle)]
extern "C" fn timerfd_settime(
    fd: c_int,
    flags: c_int,
    new: *const c_void,
    old: *mut c_void,
) -> c_int {
    if fails(Call::TimerFdSet) {
        return -1;
    }
    forward!(SYS_timerfd_settime, fd, flags, new, old) as c_int
}

#[unsafe(no_mangle)]
extern "C" fn write(fd: c_int, bytes: *const c_void, length: usize) -> isize {
    if length == 8 && is_eventfd(fd) {
        if fails(Call::EventFdWrite) {
            return -1;
        }
        WRITES[fd as usize].fetch_add(1, Ordering::Relaxed);
    }
    let written: c_long = forward!(SYS_write, fd, bytes, length);
    written as isize
}

/// By what the kernel calls it; without an allocation, as anybody may call `write`.
fn is_eventfd(fd: c_int) -> bool {
    let mut path = [0u8; 32];
    let mut target = [0u8; 32];
    let written =
        std::io::Write::write_fmt(&mut &mut path[..], format_args!("/proc/self/fd/{fd}\0"));
    // SAFETY: the path ends with a NUL, and the target has the room that is said.
    let length =
        unsafe { libc::readlink(path.as_ptr().cast(), target.as_mut_ptr().cast(), target.len()) };
    written.is_ok() && target.get(..length.max(0) as usize) == Some(b"anon_inode:[eventfd]")
}

/// One test at a time: they count the descriptors of the process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn source_pair() -> (Source<UnixStream>, UnixStream) {
    let (a, b) = UnixStream::pair().expect("a pair");
    a.set_nonblocking(true).expect("nonblocking");
    (Source::new(a), b)
}

/// Reads, writes until it has to wait, sleeps and is woken by another thread; every wait in turn.
async fn a_bit_of_everything() -> io::Result<()> {
    let (a, mut b) = source_pair();
    for _ in 0..2 {
        let reads = async {
            let mut byte = [0];
            a.read_with(|mut stream| stream.read(&mut byte)).await
        };
        let writes = async {
            yield_now().await;
            b.write_all(b"x")
        };
        let (read, written) = futures::future::join(reads, writes).await;
        written?;
        assert_eq!(read?, 1);
    }
    let filled = async {
        let chunk = [0; 65536];
        for _ in 0..64 {
            a.write_with(|mut stream| stream.write(&chunk)).await?;
        }
        io::Result::Ok(())
    };
    let drained = runtime::spawn_blocking(move || {
        let mut chunk = [0; 65536];
        while b.read(&mut chunk)? > 0 {}
        io::Result::Ok(b)
    });
    let filled = filled.await;
    drop(a);
    drained.await.expect("no panic").expect("its end");
    filled?;
    for _ in 0..2 {
        let start = Instant::now();
        sleep(Duration::from_micros(300)).await;
        assert!(start.elapsed() >= Duration::from_micros(300));
    }
    let handle = Handle::current();
    let (tx, rx) = oneshot::channel();
    let thread = thread::spawn(move || drop(handle.spawn(async { tx.send(()) })));
    rx.await.expect("it sends");
    thread.join().expect("no panic");
    Ok(())
}

/// Runs it on a thread of its own with a plan, and returns whether it went through. In between, a
/// panic or an error is as good; a leak or a hang is not.
fn under(plan: Plan, runtime: impl FnOnce() -> Runtime + Send + 'static) -> Result<(), String> {
    let thread = thread::spawn(move || {
        let runtime = runtime();
        PLAN.set(Some(plan));
        let result = catch_unwind(AssertUnwindSafe(|| runtime.block_on(a_bit_of_everything())));
        PLAN.set(None);
        match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(panic) => Err(match panic.downcast::<String>() {
                Ok(said) => format!("panicked: {said}"),
                Err(_) => "panicked".to_string(),
            }),
        }
    });
    thread.join().expect("panics are caught")
}

fn new_runtime() -> Runtime {
    Runtime::new().expect("a runtime")
}

/// Waits until the pool's threads and what they hold are gone.
fn descriptors_settle_at(number: usize) {
    while open_descriptors() != number {
        thread::yield_now();
    }
}

#[test]
fn each_call_may_fail_once_and_nothing_leaks() {
    use Call::{EpollCreate, EpollCtl, EpollWait, EventFdWrite, TimerFdCreate, TimerFdSet};
    let _alone = alone();
    limited(|| {
        let none = Plan { call: EpollCreate, first: u32::MAX, number: 0, errno: 0 };
        assert_eq!(under(none, new_runtime), Ok(()));
        let before = open_descriptors();
        let refusals = [libc::EMFILE, libc::ENOSPC, libc::ENOMEM, libc::EINTR];
        for call in [EpollCreate, TimerFdCreate, EpollCtl, TimerFdSet] {
            for (first, errno) in (1..=6).flat_map(|first| refusals.map(|errno| (first, errno))) {
                let plan = Plan { call, first, number: 1, errno };
                if let Err(said) = under(plan, new_runtime) {
                    assert!(!said.contains("panicked"), "{plan:?}: {said}");
                    assert!(call != TimerFdSet, "there is another way to sleep: {said}");
                }
                descriptors_settle_at(before);
            }
        }
        for call in [EpollWait, EventFdWrite] {
            for first in 1..=6 {
                let plan = Plan { call, first, number: 3, errno: libc::EINTR };
                assert_eq!(under(plan, new_runtime), Ok(()), "{plan:?}");
                descriptors_settle_at(before);
            }
        }
    });
}

#[test]
fn an_eventfd_that_is_refused_is_made_later() {
    let _alone = alone();
    limited(|| {
        // Runtimes that are kept take the slots that have their eventfd already.
        let kept: Vec<_> = (0..16).map(|_| new_runtime()).collect();
        let refusals = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EINTR];
        for (fresh, errno) in refusals.into_iter().enumerate() {
            let result = thread::spawn(move || {
                // The last of them has a slot that none had before.
                let fresh: Vec<_> = (0..=fresh).map(|_| new_runtime()).collect();
                let runtime = fresh.last().expect("one");
                let before = open_descriptors();
                let plan = Plan { call: Call::EventFd, first: 1, number: 2, errno };
                PLAN.set(Some(plan));
                runtime.block_on(async {
                    let (a, mut b) = source_pair();
                    let refused = a.readable().await.expect_err("no eventfd");
                    assert_eq!(refused.kind(), io::Error::from_raw_os_error(errno).kind());
                    assert!(refused.to_string().contains("eventfd"), "{refused}");
                    sleep(Duration::from_micros(100)).await;
                    b.write_all(b"x").expect("written");
                    a.readable().await.expect("the third time");
                });
                PLAN.set(None);
                assert_eq!(count(Call::EventFd), 3);
                drop(fresh);
                // The eventfd stays with its slot, and nothing else does.
                assert_eq!(open_descriptors(), before + 1);
            });
            if let Err(panic) = result.join() {
                std::panic::resume_unwind(panic);
            }
        }
        drop(kept);
    });
}

#[test]
fn timers_and_wakes_go_on_without_any_descriptor() {
    let _alone = alone();
    limited(|| {
        for call in [Call::EpollCreate, Call::TimerFdCreate, Call::EpollCtl] {
            let before = open_descriptors();
            let thread = thread::spawn(move || {
                let plan = Plan { call, first: 1, number: u32::MAX, errno: libc::EMFILE };
                PLAN.set(Some(plan));
                runtime::block_on(async {
                    for _ in 0..3 {
                        let start = Instant::now();
                        sleep(Duration::from_millis(2)).await;
                        assert!(start.elapsed() >= Duration::from_millis(2));
                    }
                    assert_eq!(runtime::spawn_blocking(|| 5).await.expect("no panic"), 5);
                    let (a, _b) = source_pair();
                    let refused = a.readable().await.expect_err("no descriptor");
                    assert_eq!(refused.kind(), io::Error::from_raw_os_error(libc::EMFILE).kind());
                });
                assert!(count(call) > 1, "it tries again");
            });
            thread.join().expect("no panic");
            // A slot that never had its eventfd may have it now.
            assert!(open_descriptors() <= before + 1);
        }
    });
}

#[test]
fn a_timerfd_that_cannot_be_set_is_not_needed() {
    let _alone = alone();
    run(async {
        let plan = Plan { call: Call::TimerFdSet, first: 1, number: u32::MAX, errno: libc::ENOMEM };
        PLAN.set(Some(plan));
        // No end is the longest time-out of all.
        let mut never = Box::pin(sleep(Duration::MAX));
        assert!(poll_fn(|cx| Poll::Ready(never.as_mut().poll(cx))).await.is_pending());
        assert_eq!(runtime::spawn_blocking(|| 5).await.expect("no panic"), 5);
        for _ in 0..3 {
            let start = Instant::now();
            sleep(Duration::from_millis(2)).await;
            assert!(start.elapsed() >= Duration::from_millis(2));
        }
        PLAN.set(None);
    });
}

#[test]
fn an_epoll_that_fails_ends_block_on_with_a_sentence() {
    let _alone = alone();
    limited(|| {
        let plan = Plan { call: Call::EpollWait, first: 1, number: 1, errno: libc::EBADF };
        let said = under(plan, new_runtime).expect_err("it failed");
        assert!(said.contains("has other code closed a descriptor"), "{said}");
    });
}

/// How often the kernel is asked for events while a task yields so often.
fn looks_of_a_lone_task(event_interval: u32, yields: u32) -> u32 {
    let runtime = Builder::new().event_interval(event_interval).build().expect("a runtime");
    runtime.block_on(async {
        // There has to be something to ask.
        sleep(Duration::from_micros(1)).await;
        let before = count(Call::EpollWait);
        let task = runtime::spawn(async move {
            for _ in 0..yields {
                yield_now().await;
            }
        });
        task.await.expect("no panic");
        count(Call::EpollWait) - before
    })
}

#[test]
fn a_lone_task_that_yields_enters_the_kernel_once_in_event_interval_polls() {
    let _alone = alone();
    limited(|| {
        let default = looks_of_a_lone_task(64, 10_000);
        assert!((150..=160).contains(&default), "{default}");
        let seldom = looks_of_a_lone_task(1_000, 10_000);
        assert!((9..=12).contains(&seldom), "{seldom}");
        let each = looks_of_a_lone_task(1, 1_000);
        assert!((1_000..=1_010).contains(&each), "{each}");
    });
}

#[test]
fn an_empty_block_on_asks_for_nothing() {
    let _alone = alone();
    limited(|| {
        let calls = count_all;
        let before = calls();
        runtime::block_on(async {
            runtime::spawn(yield_now()).await.expect("no panic");
        });
        assert_eq!(calls(), before);
    });
}

#[test]
fn many_wakes_cost_one_write_a_sleep() {
    const THREADS: usize = 4;
    const ROUNDS: u64 = 100;
    let _alone = alone();
    run(async {
        // Makes the epoll, and so the eventfd, that it sleeps with.
        sleep(Duration::from_micros(1)).await;
        let sum = || WRITES.iter().map(|writes| writes.load(Ordering::Relaxed)).sum::<u64>();
        let (writes, waits) = (sum(), count(Call::EpollWait));
        let arrived = Arc::new(AtomicU32::new(0));
        let barrier = Arc::new(Barrier::new(THREADS));
        let (tx, rx): (Vec<_>, Vec<_>) =
            (0..THREADS).map(|_| std::sync::mpsc::channel::<std::task::Waker>()).unzip();
        let threads: Vec<_> = rx
            .into_iter()
            .map(|rx| {
                let (arrived, barrier) = (arrived.clone(), barrier.clone());
                let handle = Handle::current();
                thread::spawn(move || {
                    for waker in rx {
                        barrier.wait();
                        // Each of these tells the owner; wakes of one task would be one bit.
                        for _ in 0..100 {
                            drop(handle.spawn(async {}));
                        }
                        arrived.fetch_add(1, Ordering::Release);
                        waker.wake();
                    }
                })
            })
            .collect();
        for round in 1..=ROUNDS as u32 {
            let mut asked = false;
            poll_fn(|cx| {
                if !std::mem::replace(&mut asked, true) {
                    for tx in &tx {
                        tx.send(cx.waker().clone()).expect("it waits");
                    }
                }
                match arrived.load(Ordering::Acquire) == round * THREADS as u32 {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })
            .await;
        }
        drop(tx);
        for thread in threads {
            thread.join().expect("no panic");
        }
        // Each sleep is one wait; looks without sleeping only make this easier to hold.
        let (writes, waits) = (sum() - writes, u64::from(count(Call::EpollWait) - waits));
        assert!(writes <= waits, "{writes} writes for {waits} waits");
        assert!(writes > 0, "it slept at least once");
    });
}
