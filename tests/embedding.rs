//! A runtime in a host's loop, seen from the kernel: the calls of a turn, idle hosts, and what the process
//! is left with. libc's functions are this executable's own here, and count.
#![allow(unsafe_code)]

#[path = "support/mod.rs"]
mod support;

use std::cell::Cell;
use std::env;
use std::ffi::{c_int, c_void};
use std::fs;
use std::future::{pending, poll_fn};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use runtime::Runtime;
use runtime::io::Source;
use runtime::time::{interval, sleep};
use support::faults::{Call, PLAN, Plan, count, fails, forward};
use support::limited;

#[unsafe(no_mangle)]
extern "C" fn epoll_create1(flags: c_int) -> c_int {
    if fails(Call::EpollCreate) { -1 } else { forward!(SYS_epoll_create1, flags) as c_int }
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

/// Of 8 bytes: to an eventfd, as far as these tests go.
#[unsafe(no_mangle)]
extern "C" fn write(fd: c_int, bytes: *const c_void, length: usize) -> isize {
    if length == 8 && fails(Call::EventFdWrite) {
        return -1;
    }
    forward!(SYS_write, fd, bytes, length) as isize
}

const ZERO: Option<Duration> = Some(Duration::ZERO);
const HOUR: Duration = Duration::from_secs(3600);

/// How often `f` looks at the kernel, sets the timer, and writes to the eventfd.
fn calls(f: impl FnOnce()) -> [u32; 3] {
    let count = || [Call::EpollWait, Call::TimerFdSet, Call::EventFdWrite].map(count);
    let before = count();
    f();
    let after = count();
    [0, 1, 2].map(|i| after[i] - before[i])
}

/// A runtime with its descriptor, and nothing to do.
fn hosted() -> Runtime {
    let runtime = Runtime::new().unwrap();
    runtime.prepare().unwrap();
    runtime.run_until_stalled();
    runtime
}

/// Waits in poll(2), as a host does; true if the descriptor is readable.
fn poll(runtime: &Runtime, timeout: Duration) -> bool {
    let mut fd = libc::pollfd { fd: runtime.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let timeout = libc::timespec {
        tv_sec: timeout.as_secs() as libc::time_t,
        tv_nsec: timeout.subsec_nanos().into(),
    };
    // SAFETY: the pointers are to values that outlive the call, and the length is that of one `pollfd`.
    let ready = unsafe { libc::ppoll(&mut fd, 1, &timeout, std::ptr::null()) };
    assert!(ready >= 0, "{}", io::Error::last_os_error());
    ready == 1
}

#[test]
fn what_a_turn_asks_of_the_kernel() {
    limited(|| {
        let runtime = hosted();
        let turn = || _ = runtime.turn(ZERO).unwrap();
        assert_eq!(calls(turn), [1, 0, 0], "nothing to do");

        let (a, mut b) = UnixStream::pair().unwrap();
        a.set_nonblocking(true).unwrap();
        drop(runtime.spawn(async move {
            let a = Source::new(a);
            let mut byte = [0];
            while a.read_with(|mut stream| stream.read(&mut byte)).await.unwrap() > 0 {}
        }));
        runtime.run_until_stalled();
        b.write_all(b"x").unwrap();
        assert_eq!(calls(turn), [1, 0, 0], "an event and the poll of who waits for it");

        let shown = Rc::new(Cell::new(None::<Waker>));
        drop(runtime.spawn({
            let shown = shown.clone();
            poll_fn(move |cx| {
                shown.set(Some(cx.waker().clone()));
                Poll::<()>::Pending
            })
        }));
        runtime.run_until_stalled();
        let waker = shown.take().unwrap();
        assert_eq!(calls(|| waker.wake_by_ref()), [0, 0, 1], "the first wake since the turn");
        assert_eq!(calls(|| waker.wake_by_ref()), [0, 0, 0], "and another");
        assert_eq!(calls(turn), [1, 0, 0], "what was woken");

        assert_eq!(calls(|| drop(runtime.spawn(sleep_for(HOUR)))), [0, 0, 1], "a spawn");
        assert_eq!(calls(turn), [1, 1, 0], "a deadline earlier than any before");
        drop(runtime.spawn(sleep_for(2 * HOUR)));
        assert_eq!(calls(turn), [1, 0, 0], "a later one");

        assert_eq!(calls(|| (0..100).for_each(|_| drop(runtime.spawn(async {})))), [0, 0, 1]);
        assert_eq!(calls(turn), [1, 0, 1], "a batch, of which some is left");
        assert_eq!(calls(turn), [1, 0, 0], "the rest");
    });
}

async fn sleep_for(duration: Duration) {
    sleep(duration).await;
}

#[test]
fn a_block_on_between_turns_sleeps() {
    limited(|| {
        let runtime = hosted();
        let [looks, ..] = calls(|| runtime.block_on(sleep_for(Duration::from_millis(20))));
        assert!(looks <= 4, "{looks} looks in one sleep");
    });
}

#[test]
fn a_descriptor_made_inside_of_the_loop_leaves_it_asleep() {
    limited(|| {
        let runtime = Rc::new(Runtime::new().unwrap());
        let inside = runtime.clone();
        let [looks, ..] = calls(|| {
            runtime.block_on(async move {
                assert!(inside.as_raw_fd() >= 0);
                sleep(Duration::from_millis(20)).await;
            });
        });
        assert!(looks <= 4, "{looks} looks in one sleep");
    });
}

/// Embedded in poll(2) and with a timer an hour away: how often the host wakes, and our looks.
fn wakeups_while_idle(time: Duration) -> (u32, u32) {
    let runtime = hosted();
    drop(runtime.spawn(sleep_for(HOUR)));
    drop(runtime.spawn(pending::<()>()));
    // The timer is set for something that is then called off: one wake-up for nothing.
    let cancelled = runtime.spawn(sleep_for(time / 4));
    runtime.run_until_stalled();
    cancelled.abort();
    runtime.run_until_stalled();
    let mut woken = 0;
    let [looks, ..] = calls(|| {
        let end = Instant::now() + time;
        while poll(&runtime, end.saturating_duration_since(Instant::now())) {
            woken += 1;
            runtime.turn(ZERO).unwrap();
        }
    });
    (woken, looks)
}

#[test]
fn embedded_and_idle() {
    limited(|| {
        let (woken, looks) = wakeups_while_idle(Duration::from_secs(1));
        assert!(woken <= 2 && looks <= 2, "{woken} wake-ups, {looks} looks");
    });
}

#[test]
#[ignore = "takes a minute"]
fn embedded_and_idle_for_a_minute() {
    let before = cpu_time();
    let (woken, looks) = wakeups_while_idle(Duration::from_secs(60));
    let spent = cpu_time() - before;
    println!("{woken} wake-ups, {looks} looks, {spent:?} of processor time");
    assert!(woken <= 2 && looks <= 2, "{woken} wake-ups, {looks} looks");
    assert!(spent < Duration::from_millis(10), "{spent:?}");
}

/// What this thread has spent.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn a_descriptor_that_is_refused_is_an_error_and_no_more() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let plan =
            Plan { call: Call::EpollCreate, first: 0, number: u32::MAX, errno: libc::EMFILE };
        PLAN.set(Some(plan));
        let prepared = runtime.prepare();
        let turned = runtime.turn(ZERO);
        let panicked = catch_unwind(AssertUnwindSafe(|| runtime.as_raw_fd()));
        let task = runtime.spawn(async { 1 });
        let stalled = runtime.run_until_stalled();
        PLAN.set(None);
        for error in [prepared.unwrap_err(), turned.unwrap_err()] {
            assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}");
        }
        let said = panicked.unwrap_err();
        let said = said.downcast_ref::<String>().unwrap();
        assert!(said.contains("Runtime::as_fd") && said.contains("RLIMIT_NOFILE"), "{said}");
        assert!(stalled.tasks_polled() == 1 && task.is_finished(), "it asks for no descriptor");
        assert!(runtime.as_raw_fd() >= 0);
        assert_eq!(runtime.block_on(task).unwrap(), 1);
    });
}

#[test]
fn an_epoll_that_fails_is_an_error_of_the_turn() {
    limited(|| {
        let runtime = hosted();
        PLAN.set(Some(Plan {
            call: Call::EpollWait,
            first: 0,
            number: u32::MAX,
            errno: libc::EBADF,
        }));
        let turned = runtime.turn(ZERO);
        PLAN.set(None);
        let error = turned.unwrap_err();
        assert!(error.to_string().contains("has other code closed a descriptor"), "{error}");
        // And the host's guest again.
        let task = runtime.spawn(async {});
        assert!(poll(&runtime, Duration::ZERO));
        runtime.run_until_stalled();
        assert!(task.is_finished());
    });
}

/// Tasks, as /proc calls the threads of a process.
fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn there_is_no_helper_thread() {
    limited(|| {
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "child_counts_its_threads", "--ignored", "--nocapture"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    });
}

#[test]
#[ignore = "run by there_is_no_helper_thread, in a process of its own"]
fn child_counts_its_threads() {
    let before = threads();
    let runtime = hosted();
    let (a, mut b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    let task = runtime.spawn(async move {
        let a = Source::new(a);
        let mut byte = [0];
        let mut ticks = interval(Duration::from_millis(1));
        for _ in 0..10 {
            ticks.tick().await;
            a.read_with(|mut stream| stream.read(&mut byte)).await.unwrap();
        }
    });
    while !task.is_finished() {
        b.write_all(b"x").unwrap();
        poll(&runtime, Duration::from_secs(10));
        runtime.turn(ZERO).unwrap();
        assert_eq!(threads(), before);
    }
    // It would be seen.
    let _parked = thread::spawn(thread::park);
    assert_eq!(threads(), before + 1);
}
