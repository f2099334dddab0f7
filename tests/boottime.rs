//! CLOCK_BOOTTIME as the kernel has it. A test cannot suspend the machine: here libc's functions are this
//! executable's own, and add what was "suspended" to the clock; and a time namespace has a clock of its own.
#![allow(unsafe_code)]

#[path = "support/mod.rs"]
mod support;

use std::env;
use std::ffi::{c_int, c_long};
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use futures::poll;
use runtime::time::boottime::{self, Instant};
use support::resources::open_descriptors;
use support::{limited, run};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Seconds by which CLOCK_BOOTTIME is ahead of the kernel's.
static SUSPENDED: AtomicI64 = AtomicI64::new(0);
/// Timers on CLOCK_BOOTTIME are refused.
static REFUSED: AtomicBool = AtomicBool::new(false);
/// Epoll instances are refused.
static EPOLL_REFUSED: AtomicBool = AtomicBool::new(false);
/// How many such timers were asked for, and epoll instances that were refused.
static ASKED: AtomicU64 = AtomicU64::new(0);
/// How often a clock was read.
static READ: AtomicU64 = AtomicU64::new(0);

// What makes `no_mangle` sound here: these have the names, the signatures and the meaning of libc's
// functions.

#[unsafe(no_mangle)]
extern "C" fn clock_gettime(clock: c_int, time: *mut libc::timespec) -> c_int {
    READ.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the arguments are those of libc's function, whose place we take.
    let result = unsafe { libc::syscall(libc::SYS_clock_gettime, clock as c_long, time) };
    if result == 0 && clock == libc::CLOCK_BOOTTIME {
        // SAFETY: the kernel has just written there.
        unsafe { (*time).tv_sec += SUSPENDED.load(Ordering::Relaxed) };
    }
    result as c_int
}

#[unsafe(no_mangle)]
extern "C" fn timerfd_create(clock: c_int, flags: c_int) -> c_int {
    if clock == libc::CLOCK_BOOTTIME {
        ASKED.fetch_add(1, Ordering::Relaxed);
        if REFUSED.load(Ordering::Relaxed) {
            return support::faults::fail(libc::EMFILE);
        }
    }
    // SAFETY: as above.
    let fd = unsafe { libc::syscall(libc::SYS_timerfd_create, clock as c_long, flags as c_long) };
    fd as c_int
}

#[unsafe(no_mangle)]
extern "C" fn epoll_create1(flags: c_int) -> c_int {
    if EPOLL_REFUSED.load(Ordering::Relaxed) {
        ASKED.fetch_add(1, Ordering::Relaxed);
        return support::faults::fail(libc::EMFILE);
    }
    // SAFETY: as above.
    unsafe { libc::syscall(libc::SYS_epoll_create1, flags as c_long) as c_int }
}

/// What is above is the whole process's: one test at a time, each from the same start.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    SUSPENDED.store(0, Ordering::Relaxed);
    REFUSED.store(false, Ordering::Relaxed);
    EPOLL_REFUSED.store(false, Ordering::Relaxed);
    ASKED.store(0, Ordering::Relaxed);
    alone
}

fn asked() -> u64 {
    ASKED.load(Ordering::Relaxed)
}

#[test]
fn the_descriptor_comes_with_the_first_need_and_stays() {
    let _alone = alone();
    run(async {
        runtime::time::sleep(MS).await;
        drop(boottime::sleep(HOUR));
        assert!(poll!(std::pin::pin!(boottime::sleep(Duration::ZERO))).is_ready());
        runtime::time::sleep(MS).await;
        assert_eq!(asked(), 0);
        let before = open_descriptors();
        for _ in 0..3 {
            boottime::sleep(MS).await;
        }
        assert_eq!(asked(), 1);
        assert_eq!(open_descriptors(), before + 1);
    });
}

#[test]
fn what_came_during_a_suspend_is_met_at_the_next_turn() {
    let _alone = alone();
    run(async {
        let mut sleep = boottime::sleep(HOUR);
        assert!(poll!(&mut sleep).is_pending());
        // Asleep once, with the timerfd set.
        runtime::time::sleep(MS).await;
        assert!(!sleep.is_elapsed());
        SUSPENDED.store(3600, Ordering::Relaxed);
        // The real timerfd knows nothing of it: the clock is what counts.
        runtime::time::sleep(MS).await;
        assert!(sleep.is_elapsed());
        sleep.await;
    });
}

#[test]
fn a_suspend_is_seen_by_a_runtime_that_spins() {
    let _alone = alone();
    limited(|| {
        let (polled, is_polled) = mpsc::channel();
        let suspends = thread::spawn(move || {
            is_polled.recv().unwrap();
            // Nothing but a runtime that spins reads a clock that often.
            let before = READ.load(Ordering::Relaxed);
            while READ.load(Ordering::Relaxed) < before + 1_000 {
                thread::yield_now();
            }
            SUSPENDED.store(3600, Ordering::Relaxed);
        });
        let runtime = runtime::Builder::new().spin(Duration::MAX).build().unwrap();
        runtime.block_on(async {
            let mut sleep = boottime::sleep(HOUR);
            assert!(poll!(&mut sleep).is_pending());
            polled.send(()).unwrap();
            sleep.await;
        });
        suspends.join().unwrap();
    });
}

/// Whether a thread of this process sleeps.
fn is_asleep(thread: libc::pid_t) -> bool {
    let stat = fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap();
    let (_name, rest) = stat.rsplit_once(')').unwrap();
    rest.starts_with(" S")
}

#[test]
fn without_a_descriptor_the_clock_is_looked_at() {
    let _alone = alone();
    for epoll_too in [false, true] {
        REFUSED.store(true, Ordering::Relaxed);
        EPOLL_REFUSED.store(epoll_too, Ordering::Relaxed);
        SUSPENDED.store(0, Ordering::Relaxed);
        limited(|| {
            // SAFETY: the call takes nothing.
            let thread = unsafe { libc::gettid() };
            let (polled, is_polled) = mpsc::channel();
            let suspends = thread::spawn(move || {
                let asked_before: u64 = is_polled.recv().unwrap();
                while asked() == asked_before || !is_asleep(thread) {
                    thread::yield_now();
                }
                SUSPENDED.store(3600, Ordering::Relaxed);
            });
            runtime::block_on(async {
                let start = Instant::now();
                // On time without a suspend.
                boottime::sleep(5 * MS).await;
                assert!(start.elapsed() >= 5 * MS && start.elapsed() < HOUR);
                // And soon after one; nothing else wakes the runtime.
                let mut sleep = boottime::sleep(HOUR);
                assert!(poll!(&mut sleep).is_pending());
                polled.send(asked()).unwrap();
                sleep.await;
                assert!(start.elapsed() >= HOUR);
                // Once a second, and not all the time.
                assert!(asked() < 20, "asked {} times", asked());
            });
            suspends.join().unwrap();
        });
    }
}

#[test]
fn the_descriptor_is_made_as_soon_as_it_can_be() {
    let _alone = alone();
    REFUSED.store(true, Ordering::Relaxed);
    run(async {
        boottime::sleep(MS).await;
        REFUSED.store(false, Ordering::Relaxed);
        let before = asked();
        assert!(before > 0);
        boottime::sleep(MS).await;
        boottime::sleep(MS).await;
        assert_eq!(asked(), before + 1);
    });
}

/// Seconds that the namespace's CLOCK_BOOTTIME is ahead.
const OFFSET: i64 = 50_000_000;

/// Runs again as a process in a time namespace.
#[test]
fn the_timer_and_the_instant_are_of_one_clock_in_a_time_namespace() {
    let _alone = alone();
    if env::var_os("OUTSIDE").is_some() {
        return inside_the_namespace();
    }
    let outside = Instant::now();
    let name = "the_timer_and_the_instant_are_of_one_clock_in_a_time_namespace";
    let offset = OFFSET.to_string();
    let ran = Command::new("unshare")
        .args(["--user", "--map-root-user", "--time", "--boottime", &offset])
        .arg(env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env("OUTSIDE", format!("{outside:?}"))
        .output();
    match ran {
        Ok(ran) if ran.status.success() => {}
        Ok(ran) if String::from_utf8_lossy(&ran.stderr).starts_with("unshare: ") => {
            eprintln!("not tested: {}", String::from_utf8_lossy(&ran.stderr));
        }
        Ok(ran) => panic!("{ran:?}"),
        Err(error) => eprintln!("not tested: unshare does not run: {error}"),
    }
}

fn inside_the_namespace() {
    let outside = env::var("OUTSIDE").unwrap();
    let seconds = |debug: &str| -> i64 {
        let number = debug.strip_prefix("boottime::Instant(").unwrap();
        number.split('.').next().unwrap().parse().unwrap()
    };
    run(async {
        let now = Instant::now();
        assert!(seconds(&format!("{now:?}")) >= seconds(&outside) + OFFSET);
        // A deadline of this clock on a timer of another would be a year off, or past.
        boottime::sleep(5 * MS).await;
        assert!(now.elapsed() >= 5 * MS);
    });
}
