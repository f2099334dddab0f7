//! What listeners hear, wherever they and their runtimes are.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::pin::pin;
use std::ptr;
use std::sync::mpsc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::thread;
use std::time::Duration;

use futures::executor;
use runtime::signal::ctrl_c;
use runtime::signal::unix::{Signal, SignalKind, signal};
use runtime::task::yield_now;
use runtime::time::{Instant, sleep, timeout};
use runtime::{Builder, Runtime, block_on};

use crate::support::{poll_once, turns};
use crate::system::{
    fork, kill, kill_thread, own_pid, queue, raise, thread_id, wait, wait_until_asleep,
};

const USR1: SignalKind = SignalKind::user_defined1();

/// A real-time signal. The kernel queues these.
fn realtime() -> SignalKind {
    SignalKind::from_raw(libc::SIGRTMIN() + 3)
}

/// Whether the listener has heard of one.
fn hears(listener: &mut Signal) -> bool {
    poll_once(pin!(listener.recv())).is_ready()
}

pub(crate) fn ctrl_c_is_heard() {
    block_on(async {
        let waits = runtime::spawn(ctrl_c());
        yield_now().await;
        raise(libc::SIGINT);
        waits.await.unwrap().unwrap();
    });
}

pub(crate) fn every_listener_hears() {
    block_on(async {
        let mut tasks = Vec::new();
        for _ in 0..3 {
            let (mut first, mut second) = (signal(USR1).unwrap(), signal(USR1).unwrap());
            let mut other = signal(SignalKind::user_defined2()).unwrap();
            tasks.push(runtime::spawn(async move {
                first.recv().await.unwrap();
                second.recv().await.unwrap();
                assert!(!hears(&mut first) && !hears(&mut second) && !hears(&mut other));
            }));
        }
        turns().await;
        raise(libc::SIGUSR1);
        for task in tasks {
            task.await.unwrap();
        }
    });
}

pub(crate) fn every_runtime_hears() {
    let (ready, listening) = mpsc::channel();
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let ready = ready.clone();
            thread::spawn(move || {
                block_on(async {
                    let mut terminate = signal(SignalKind::terminate()).unwrap();
                    if number % 2 == 0 {
                        // It sleeps in epoll, the others on the futex.
                        sleep(Duration::from_micros(1)).await;
                    }
                    ready.send(()).unwrap();
                    terminate.recv().await.unwrap();
                });
            })
        })
        .collect();
    threads.iter().for_each(|_| listening.recv().unwrap());
    kill(own_pid(), libc::SIGTERM);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

pub(crate) fn only_signals_after_the_call_count() {
    block_on(async {
        let mut early = signal(USR1).unwrap();
        raise(libc::SIGUSR1);
        let mut late = signal(USR1).unwrap();
        assert!(hears(&mut early) && !hears(&mut late));
        assert!(poll_once(pin!(late.recv_info())).is_pending());
        raise(libc::SIGUSR1);
        assert!(hears(&mut early) && hears(&mut late));
    });
}

pub(crate) fn recv_takes_all_that_have_come_for_one() {
    block_on(async {
        let mut listener = signal(USR1).unwrap();
        for _ in 0..3 {
            (0..5).for_each(|_| raise(libc::SIGUSR1));
            assert!(hears(&mut listener) && !hears(&mut listener));
        }
        (0..2).for_each(|_| raise(libc::SIGUSR1));
        assert!(listener.recv_info().await.is_some());
        assert!(hears(&mut listener) && !hears(&mut listener));
        assert!(poll_once(pin!(listener.recv_info())).is_pending());
    });
}

pub(crate) fn recv_info_has_each_in_order() {
    block_on(async {
        let mut listeners = [signal(realtime()).unwrap(), signal(realtime()).unwrap()];
        (0..100).for_each(|value| queue(own_pid(), realtime().as_raw_value(), value));
        for listener in &mut listeners {
            for value in 0..100 {
                let info = listener.recv_info().await.unwrap();
                assert_eq!((info.kind(), info.value()), (realtime(), Some(value)));
            }
            assert!(!hears(listener));
        }
    });
}

pub(crate) fn recv_info_says_who_sent_it() {
    block_on(async {
        let mut listener = signal(USR1).unwrap();
        let parent = own_pid();
        // SAFETY: the call takes nothing.
        let user = unsafe { libc::getuid() };

        let child = fork(true, || kill(parent, libc::SIGUSR1));
        let info = listener.recv_info().await.unwrap();
        assert_eq!((info.kind(), info.code(), info.value()), (USR1, libc::SI_USER, None));
        assert_eq!((info.pid(), info.uid()), (Some(child as u32), Some(user)));
        wait(child);

        let child = fork(true, || queue(parent, libc::SIGUSR1, -7));
        let info = listener.recv_info().await.unwrap();
        assert_eq!((info.code(), info.value()), (libc::SI_QUEUE, Some(-7)));
        assert_eq!((info.pid(), info.uid()), (Some(child as u32), Some(user)));
        wait(child);

        raise(libc::SIGUSR1);
        let info = listener.recv_info().await.unwrap();
        assert_eq!((info.code(), info.pid()), (libc::SI_TKILL, Some(parent as u32)));

        let mut children = signal(SignalKind::child()).unwrap();
        let child = fork(true, || ());
        let info = children.recv_info().await.unwrap();
        assert_eq!((info.code(), info.pid()), (libc::CLD_EXITED, Some(child as u32)));
        wait(child);
    });
}

pub(crate) fn a_long_burst_overwrites_the_oldest() {
    block_on(async {
        let mut listener = signal(realtime()).unwrap();
        for round in 1..=3 {
            let values = 1000 * round..1000 * round + 1000;
            values.clone().for_each(|value| queue(own_pid(), realtime().as_raw_value(), value));
            for value in values.skip(1000 - 256) {
                assert_eq!(listener.recv_info().await.unwrap().value(), Some(value));
            }
            assert!(!hears(&mut listener));
        }
    });
}

pub(crate) fn a_dropped_recv_loses_nothing() {
    block_on(async {
        let mut listener = signal(USR1).unwrap();
        assert!(!hears(&mut listener));
        raise(libc::SIGUSR1);
        {
            let unpolled = listener.recv();
            drop(unpolled);
        }
        runtime::select! {
            biased;
            () = async {} => {}
            _ = listener.recv() => panic!("the first branch was ready"),
        }
        assert!(hears(&mut listener));
    });
}

pub(crate) fn a_listener_goes_to_other_threads() {
    let home = Runtime::new().unwrap();
    let mut abroad = home.block_on(async { signal(USR1).unwrap() });
    let mut dropped = home.block_on(async { Some(signal(USR1).unwrap()) });
    // Under another executor and on another runtime; its own has to be driven meanwhile.
    let (ready, waits) = futures::channel::oneshot::channel();
    let (heard, done) = futures::channel::oneshot::channel();
    let thread = thread::spawn(move || {
        let mut ready = Some(ready);
        executor::block_on(poll_fn(|cx| {
            let polled = abroad.poll_recv(cx);
            if let Some(ready) = ready.take() {
                assert!(polled.is_pending());
                ready.send(()).unwrap();
            }
            polled
        }))
        .unwrap();
        raise(libc::SIGUSR1);
        block_on(abroad.recv()).unwrap();
        // While its runtime sleeps.
        drop(dropped.take());
        drop(abroad);
        heard.send(()).unwrap();
    });
    home.block_on(async {
        waits.await.unwrap();
        raise(libc::SIGUSR1);
        done.await.unwrap();
    });
    thread.join().unwrap();
    assert_eq!(crate::system::action(libc::SIGUSR1), crate::system::DEFAULT);

    // A runtime of another thread is entered: the listener is that one's.
    let handle = home.handle().clone();
    let thread = thread::spawn(move || {
        let _entered = handle.enter();
        signal(USR1).unwrap()
    });
    let mut listener = thread.join().unwrap();
    home.block_on(async {
        raise(libc::SIGUSR1);
        listener.recv().await.unwrap();
    });
}

pub(crate) fn a_listener_ends_with_its_runtime() {
    let home = Runtime::new().unwrap();
    let mut early = home.block_on(async { signal(USR1).unwrap() });
    let mut late = home.block_on(async { signal(USR1).unwrap() });
    let (ready, waits) = mpsc::channel();
    let thread = thread::spawn(move || {
        executor::block_on(poll_fn(|cx| {
            let polled = early.poll_recv(cx);
            let _ = ready.send(());
            polled
        }))
    });
    waits.recv().unwrap();
    drop(home);
    assert_eq!(thread.join().unwrap(), None);
    assert_eq!(poll_once(pin!(late.recv_info())), Poll::Ready(None));

    // What comes for the next runtime in its place is not for this one.
    block_on(async {
        let mut next = signal(USR1).unwrap();
        raise(libc::SIGUSR1);
        assert!(hears(&mut next));
        assert_eq!(late.recv().await, None);
        drop(late);
        raise(libc::SIGUSR1);
        assert!(hears(&mut next));
    });
}

pub(crate) fn a_runtime_that_is_gone_is_an_error() {
    let runtime = Runtime::new().unwrap();
    let handle = runtime.handle().clone();
    drop(runtime);
    let _entered = handle.enter();
    let error = signal(USR1).expect_err("nobody would wake it");
    assert!(error.to_string().contains("the runtime is gone"), "{error}");
    assert_eq!(crate::system::action(libc::SIGUSR1), crate::system::DEFAULT);
}

/// The runtime sleeps on the futex or in epoll, and the signal interrupts its thread or another.
pub(crate) fn sleepers_are_woken() {
    let sleeper = thread_id();
    for (in_epoll, interrupted) in [(false, false), (false, true), (true, false), (true, true)] {
        let (ready, listening) = mpsc::channel();
        let sender = thread::spawn(move || {
            for () in listening {
                wait_until_asleep(sleeper);
                if interrupted { kill_thread(sleeper, libc::SIGUSR1) } else { raise(libc::SIGUSR1) }
            }
        });
        block_on(async {
            let mut listener = signal(USR1).unwrap();
            if in_epoll {
                sleep(Duration::from_micros(1)).await;
            }
            for _ in 0..20 {
                ready.send(()).unwrap();
                listener.recv().await.unwrap();
            }
        });
        drop(ready);
        sender.join().unwrap();
    }
}

pub(crate) fn a_signal_comes_before_the_test_clock_jumps() {
    let runtime = Builder::new().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (start, hour) = (Instant::now(), Duration::from_secs(3600));
        let mut listener = signal(USR1).unwrap();
        let waits = runtime::spawn(async move { timeout(hour, listener.recv()).await });
        yield_now().await;
        // The handler has run when this returns, and nothing is ready to run.
        raise(libc::SIGUSR1);
        waits.await.unwrap().expect("it was there, the hour was not over").unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
    });
}

pub(crate) fn a_busy_runtime_hears() {
    block_on(async {
        let mut listener = signal(USR1).unwrap();
        let heard = runtime::spawn(async move { listener.recv().await });
        let busy = runtime::spawn(async {
            loop {
                yield_now().await;
            }
        });
        turns().await;
        // While a task runs: the handler has run when `raise` returns.
        raise(libc::SIGUSR1);
        assert!(!heard.is_finished());
        heard.await.unwrap().unwrap();
        busy.abort();
    });
}

/// Between the turns of a host's loop, and not by a child's.
pub(crate) fn a_host_is_told() {
    let runtime = Runtime::new().unwrap();
    runtime.prepare().unwrap();
    let heard = {
        let _entered = runtime.enter();
        let mut listener = signal(USR1).unwrap();
        runtime.spawn(async move { listener.recv().await })
    };
    runtime.run_until_stalled();
    let is_readable = || {
        let mut fd = libc::pollfd { fd: runtime.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: the pointer and the length are those of one `pollfd`.
        unsafe { libc::poll(&mut fd, 1, 0) == 1 }
    };
    assert!(!is_readable());
    let child = fork(true, || {
        block_on(async {
            let mut listener = signal(USR1).unwrap();
            raise(libc::SIGUSR1);
            assert!(hears(&mut listener));
        });
    });
    let status = wait(child);
    assert!(status.success(), "{status}");
    assert!(!is_readable());
    raise(libc::SIGUSR1);
    assert!(is_readable());
    runtime.turn(Some(Duration::ZERO)).unwrap();
    assert!(heard.is_finished());
}

/// A waker that, when it is cloned, has a signal come: after the listener has looked, and before the
/// waker is there.
pub(crate) fn a_signal_while_the_waker_is_left() {
    const VTABLE: RawWakerVTable = RawWakerVTable::new(
        |_| {
            raise(libc::SIGUSR1);
            RawWaker::new(ptr::null(), &VTABLE)
        },
        |_| (),
        |_| (),
        |_| (),
    );
    block_on(async {
        let mut listener = signal(USR1).unwrap();
        // SAFETY: the functions use no data, and may be called from anywhere.
        let waker = unsafe { Waker::new(ptr::null(), &VTABLE) };
        let polled = listener.poll_recv(&mut Context::from_waker(&waker));
        assert_eq!(polled, Poll::Ready(Some(())));
    });
}

pub(crate) fn what_cannot_be_listened_for_is_an_error() {
    block_on(async {
        for (number, why) in [
            (libc::SIGKILL, "SIGKILL: the kernel lets nobody handle it"),
            (libc::SIGSTOP, "SIGSTOP: the kernel lets nobody handle it"),
            (libc::SIGSEGV, "an instruction failed"),
            (libc::SIGBUS, "an instruction failed"),
            (libc::SIGILL, "an instruction failed"),
            (libc::SIGFPE, "an instruction failed"),
            (0, "no such signal"),
            (-1, "no such signal"),
            (65, "no such signal"),
            (i32::MAX, "no such signal"),
            (32, "the C library keeps it to itself"),
        ] {
            let error = signal(SignalKind::from_raw(number)).expect_err("it is refused");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(why), "{number}: {error}");
        }
        for number in (1..=31).chain(libc::SIGRTMIN()..=libc::SIGRTMAX()) {
            let listened = signal(SignalKind::from_raw(number));
            let refused = matches!(
                number,
                libc::SIGKILL
                    | libc::SIGSTOP
                    | libc::SIGSEGV
                    | libc::SIGBUS
                    | libc::SIGILL
                    | libc::SIGFPE
            );
            assert_eq!(listened.is_err(), refused, "{number}");
            if let Ok(mut listener) = listened {
                raise(number);
                assert!(hears(&mut listener), "{number}");
            }
        }
    });
}
