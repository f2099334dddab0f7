//! A runtime that looks again before it sleeps: a wake from another thread costs no system call on either
//! side, as a filter shows that kills the process for any; and it sleeps, fires and reads as ever.
#![allow(unsafe_code)]

#[path = "support/mod.rs"]
mod support;

use std::future::{Future, poll_fn};
use std::hint;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use runtime::io::Source;
use runtime::time::{Instant, boottime, pause, sleep};
use runtime::{Builder, Runtime, spawn_blocking};
use support::filter::{child, forbid_system_calls_but};
use support::{limited, poll_once};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// How often the other thread wakes the runtime.
const WAKES: u32 = 1_000;

fn spinning(spin: Duration) -> Runtime {
    Builder::new().spin(spin).build().unwrap()
}

fn source_pair() -> (Source<UnixStream>, UnixStream) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    (Source::new(a), b)
}

/// Another thread wakes the runtime and waits for the answer, again and again, with no way to the kernel.
/// Then the process exits. The runtime asks the kernel for nothing but what is `allowed`.
fn be_woken(spin: Duration, allowed: &[libc::c_long], prepare: impl Future<Output = ()>) -> ! {
    let (asked, answered) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (sender, receiver) = mpsc::channel::<Waker>();
    spinning(spin).block_on(async {
        {
            let (asked, answered) = (asked.clone(), answered.clone());
            thread::spawn(move || {
                let waker = receiver.recv().unwrap();
                forbid_system_calls_but(&[]);
                for number in 1..=WAKES {
                    asked.store(number, Ordering::Release);
                    waker.wake_by_ref();
                    while answered.load(Ordering::Acquire) < number {
                        hint::spin_loop();
                    }
                }
                // The runtime's thread ends the process; this one has nowhere to go without the kernel.
                loop {
                    hint::spin_loop();
                }
            });
        }
        prepare.await;
        sender.send(poll_fn(|cx| Poll::Ready(cx.waker().clone())).await).unwrap();
        // It may be a system call on machines whose clock a program cannot read.
        let allowed = [allowed, &[libc::SYS_clock_gettime]].concat();
        forbid_system_calls_but(&allowed);
        for number in 1..=WAKES {
            poll_fn(|_| match asked.load(Ordering::Acquire) {
                asked if asked >= number => Poll::Ready(()),
                _ => Poll::Pending,
            })
            .await;
            answered.store(number, Ordering::Release);
        }
        // SAFETY: nothing of the process is needed any more.
        unsafe { libc::_exit(0) }
    })
}

#[test]
fn a_wake_costs_no_system_call_on_either_side() {
    let status = child("child_woken");
    assert!(status.success(), "{status}");
}

#[test]
#[ignore = "run by a_wake_costs_.., in a process of its own"]
fn child_woken() {
    be_woken(HOUR, &[], async {});
}

#[test]
fn nor_does_one_with_timers_pending_and_the_descriptors_made() {
    let status = child("child_with_timers");
    assert!(status.success(), "{status}");
}

#[test]
#[ignore = "run by nor_does_one_.., in a process of its own"]
fn child_with_timers() {
    be_woken(HOUR, &[], async {
        let (source, _other) = source_pair();
        assert!(poll_once(pin!(source.readable())).is_pending(), "registered, and gone again");
        let naps = Box::leak(Box::new((sleep(HOUR), boottime::sleep(HOUR))));
        assert!(poll_once(Pin::new(&mut naps.0)).is_pending());
        assert!(poll_once(Pin::new(&mut naps.1)).is_pending());
    });
}

#[test]
fn with_sockets_the_runtime_asks_the_kernel_and_the_other_side_does_not() {
    let status = child("child_with_a_socket");
    assert!(status.success(), "{status}");
}

#[test]
#[ignore = "run by with_sockets_.., in a process of its own"]
fn child_with_a_socket() {
    be_woken(HOUR, &[libc::SYS_epoll_wait, libc::SYS_epoll_pwait], async {
        let pair = Box::leak(Box::new(source_pair()));
        assert!(poll_once(pin!(pair.0.readable())).is_pending());
    });
}

#[test]
fn nor_does_a_deadline() {
    let status = child("child_with_deadlines");
    assert!(status.success(), "{status}");
}

#[test]
#[ignore = "run by nor_does_a_deadline, in a process of its own"]
fn child_with_deadlines() {
    spinning(HOUR).block_on(async {
        // Room for two timers, and the descriptors.
        runtime::join!(sleep(MS), boottime::sleep(MS));
        forbid_system_calls_but(&[libc::SYS_clock_gettime]);
        for _ in 0..3 {
            sleep(MS).await;
            boottime::sleep(MS).await;
        }
        // SAFETY: nothing of the process is needed any more.
        unsafe { libc::_exit(0) }
    });
}

#[test]
fn a_paused_clock_stops_it() {
    let status = child("child_paused");
    assert_eq!(status.signal(), Some(libc::SIGSYS), "{status}");
}

#[test]
#[ignore = "run by a_paused_clock_.., in a process of its own"]
fn child_paused() {
    be_woken(HOUR, &[], async { pause() });
}

#[test]
fn without_spinning_it_does() {
    let status = child("child_asleep");
    assert_eq!(status.signal(), Some(libc::SIGSYS), "{status}");
}

#[test]
#[ignore = "run by without_spinning_.., in a process of its own"]
fn child_asleep() {
    be_woken(Duration::ZERO, &[], async {});
}

#[test]
fn deadlines_end_it() {
    limited(|| {
        spinning(HOUR).block_on(async {
            let start = Instant::now();
            sleep(MS).await;
            boottime::sleep(MS).await;
            assert!(start.elapsed() >= 2 * MS);
        });
    });
}

#[test]
fn sockets_and_the_pool_end_it() {
    limited(|| {
        spinning(HOUR).block_on(async {
            let (source, mut other) = source_pair();
            for _ in 0..10 {
                let mut byte = [0];
                let mut read = pin!(source.read_with(|mut stream| stream.read(&mut byte)));
                assert!(futures::poll!(&mut read).is_pending());
                other = spawn_blocking(move || {
                    other.write_all(b"x").unwrap();
                    other
                })
                .await
                .unwrap();
                assert_eq!(read.await.unwrap(), 1);
            }
        });
    });
}

#[test]
fn it_ends_in_a_sleep_that_a_wake_ends() {
    limited(|| {
        let (tx, rx) = futures::channel::oneshot::channel();
        let other = thread::spawn(move || {
            // Long after the spinning, as a rule; nothing hangs on it.
            thread::sleep(5 * MS);
            tx.send(5).unwrap();
        });
        for spin in [Duration::from_nanos(1), Duration::from_micros(100)] {
            spinning(spin).block_on(async { sleep(MS).await });
        }
        let spin = Duration::from_micros(100);
        assert_eq!(spinning(spin).block_on(rx), Ok(5));
        other.join().unwrap();
    });
}

#[test]
fn a_paused_clock_jumps() {
    limited(|| {
        spinning(HOUR).block_on(async {
            pause();
            let start = Instant::now();
            sleep(24 * HOUR).await;
            assert_eq!(start.elapsed(), 24 * HOUR);
            // Blocking work keeps the clock from jumping; the runtime sleeps meanwhile.
            let (nap, work) = (runtime::spawn(sleep(HOUR)), spawn_blocking(|| thread::sleep(MS)));
            work.await.unwrap();
            nap.await.unwrap();
        });
    });
}

#[test]
fn a_hosts_turn_spins_no_longer_than_it_may() {
    limited(|| {
        let runtime = spinning(HOUR);
        runtime.turn(Some(Duration::ZERO)).unwrap();
        let start = Instant::now();
        runtime.turn(Some(2 * MS)).unwrap();
        // It may be woken for nothing, so it may end sooner.
        assert!(start.elapsed() < HOUR);
        assert_eq!(runtime.turn(Some(Duration::ZERO)).unwrap().tasks_polled(), 0);
        let task = runtime.spawn(async { sleep(MS).await });
        while !task.is_finished() {
            runtime.turn(Some(MS)).unwrap();
        }
    });
}
