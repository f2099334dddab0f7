//! `SignalFd` and `BlockedSignals`: signals to one thread, so that the tests may run beside each
//! other; those to the process are in `epoll_process.rs`.

use std::io::{self, ErrorKind};
use std::mem;
use std::os::fd::OwnedFd;
use std::ptr;
use std::thread;

use runtime_core::epoll::{BlockedSignals, Epoll, EventFd, Flags, SignalFd};
use runtime_core::signal::unix::SignalKind;

use super::{LONG, NOW, reported};

const ONE: SignalKind = SignalKind::user_defined1();
const OTHER: SignalKind = SignalKind::user_defined2();

fn real_time(n: i32) -> SignalKind {
    SignalKind::from_raw(libc::SIGRTMIN() + n)
}

/// Sends a signal to this thread.
fn raise(kind: SignalKind) {
    // SAFETY: this thread lives.
    let result = unsafe { libc::pthread_kill(libc::pthread_self(), kind.as_raw_value()) };
    assert_eq!(result, 0);
}

/// Sends a signal with a value to this thread.
fn queue(kind: SignalKind, value: i32) {
    // SAFETY: a siginfo is integers and pointers, for which zeros are valid.
    let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
    info.si_code = libc::SI_QUEUE;
    // After the three integers and padding: pid, uid, value.
    let fields = (&raw mut info).cast::<i32>();
    // SAFETY: a siginfo has 128 bytes, and these fields begin at its 16th.
    unsafe {
        fields.add(4).write(std::process::id() as i32);
        fields.add(6).write(value);
    }
    // SAFETY: `info` outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_tgsigqueueinfo,
            std::process::id(),
            libc::gettid(),
            kind.as_raw_value(),
            &raw const info,
        )
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Whether this thread blocks a signal.
fn is_blocked(kind: SignalKind) -> bool {
    // SAFETY: zeros are an empty set, which outlives the call; without a new set nothing changes.
    unsafe {
        let mut set: libc::sigset_t = mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &mut set);
        libc::sigismember(&set, kind.as_raw_value()) == 1
    }
}

/// What a program without our help does.
fn block_by_hand(kind: SignalKind) {
    // SAFETY: zeros are an empty set, which outlives the calls.
    unsafe {
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigaddset(&mut set, kind.as_raw_value());
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, ptr::null_mut());
    }
}

fn nothing_waits(signals: &SignalFd) -> bool {
    signals.read().is_err_and(|err| err.kind() == ErrorKind::WouldBlock)
}

#[test]
fn it_is_readable_while_a_signal_waits() {
    let blocked = BlockedSignals::new([ONE, OTHER]).expect("block");
    let signals = SignalFd::new(&blocked).expect("signalfd");
    let epoll = Epoll::new().expect("epoll");
    epoll.add(&signals, Flags::IN, 3).expect("add");
    assert_eq!(reported(&epoll, NOW), []);
    assert!(nothing_waits(&signals));

    raise(ONE);
    assert_eq!(reported(&epoll, LONG), [(3, Flags::IN)]);
    let info = signals.read().expect("read");
    assert_eq!((info.kind(), info.code()), (ONE, libc::SI_TKILL));
    assert_eq!(info.pid(), Some(std::process::id()));
    // SAFETY: the call takes nothing.
    assert_eq!(info.uid(), Some(unsafe { libc::getuid() }));
    assert_eq!(info.value(), None);
    assert_eq!(reported(&epoll, NOW), []);
}

#[test]
fn it_is_edge_triggered_on_request() {
    let blocked = BlockedSignals::new([real_time(0)]).expect("block");
    let signals = SignalFd::new(&blocked).expect("signalfd");
    let epoll = Epoll::new().expect("epoll");
    epoll.add(&signals, Flags::IN | Flags::ET, 0).expect("add");
    for _ in 0..2 {
        raise(real_time(0));
        assert_eq!(reported(&epoll, LONG).len(), 1);
        assert_eq!(reported(&epoll, NOW).len(), 0);
    }
    signals.read().expect("one");
    signals.read().expect("and the other");
    assert!(nothing_waits(&signals));
}

#[test]
fn a_signal_that_waits_twice_comes_once_but_real_time_ones_queue() {
    let blocked = BlockedSignals::new([ONE, real_time(1), real_time(2)]).expect("block");
    let signals = SignalFd::new(&blocked).expect("signalfd");
    raise(ONE);
    raise(ONE);
    assert_eq!(signals.read().expect("read").kind(), ONE);
    assert!(nothing_waits(&signals));

    queue(real_time(2), 7);
    queue(real_time(1), -5);
    queue(real_time(1), i32::MAX);
    let read = [(); 3].map(|()| {
        let info = signals.read().expect("read");
        assert_eq!((info.code(), info.pid()), (libc::SI_QUEUE, Some(std::process::id())));
        (info.kind(), info.value())
    });
    let expected =
        [(real_time(1), Some(-5)), (real_time(1), Some(i32::MAX)), (real_time(2), Some(7))];
    assert_eq!(read, expected, "the lowest number first, then in order");
    assert!(nothing_waits(&signals));
}

#[test]
fn the_mask_comes_back() {
    let blocked = BlockedSignals::new([ONE, OTHER]).expect("block");
    assert!(is_blocked(ONE) && is_blocked(OTHER) && !is_blocked(SignalKind::alarm()));
    drop(blocked);
    assert!(!is_blocked(ONE) && !is_blocked(OTHER));
}

#[test]
fn guards_are_dropped_in_any_order() {
    for first in [0, 1] {
        let mut guards = vec![
            BlockedSignals::new([ONE, SignalKind::alarm()]).expect("block"),
            BlockedSignals::new([ONE, OTHER]).expect("block"),
        ];
        drop(guards.remove(first));
        assert!(is_blocked(ONE), "the other guard lives");
        assert_eq!((is_blocked(SignalKind::alarm()), is_blocked(OTHER)), (first == 1, first == 0));
        drop(guards);
        assert!(![ONE, OTHER, SignalKind::alarm()].into_iter().any(is_blocked));
    }
}

#[test]
fn what_others_have_blocked_stays_blocked() {
    block_by_hand(ONE);
    let one = BlockedSignals::new([ONE, OTHER]).expect("block");
    let other = BlockedSignals::new([ONE]).expect("block");
    drop(one);
    assert!(is_blocked(ONE) && !is_blocked(OTHER));
    drop(other);
    assert!(is_blocked(ONE));
}

#[test]
fn a_thread_inherits_the_mask_and_its_own_guards_leave_it() {
    let blocked = BlockedSignals::new([ONE]).expect("block");
    let signals = SignalFd::new(&blocked).expect("signalfd");
    thread::scope(|scope| {
        scope.spawn(|| {
            assert!(is_blocked(ONE));
            drop(BlockedSignals::new([ONE]).expect("block"));
            assert!(is_blocked(ONE));
            raise(ONE);
            assert_eq!(signals.read().expect("to this thread").kind(), ONE);
        });
    });
    assert!(nothing_waits(&signals));
}

#[test]
fn a_guard_tells_what_it_blocks() {
    let blocked = BlockedSignals::new([OTHER, ONE, ONE]).expect("block");
    assert_eq!(format!("{blocked:?}"), "BlockedSignals{SignalKind(SIGUSR1), SignalKind(SIGUSR2)}");
    drop(BlockedSignals::new([]).expect("nothing"));
}

#[test]
fn what_cannot_be_blocked_is_an_error_with_the_reason() {
    for (kind, reason) in [
        (SignalKind::kill(), "SIGKILL: nobody can block it"),
        (SignalKind::stop(), "SIGSTOP: nobody can block it"),
        (SignalKind::from_raw(libc::SIGSEGV), "a fault's"),
        (SignalKind::from_raw(libc::SIGBUS), "a fault's"),
        (SignalKind::from_raw(libc::SIGILL), "a fault's"),
        (SignalKind::from_raw(libc::SIGFPE), "a fault's"),
        (SignalKind::from_raw(-1), "no such signal"),
        (SignalKind::from_raw(0), "no such signal"),
        (SignalKind::from_raw(32), "no such signal"),
        (SignalKind::from_raw(65), "no such signal"),
        (SignalKind::from_raw(i32::MAX), "no such signal"),
    ] {
        let err = BlockedSignals::new([ONE, kind]).expect_err("it cannot be blocked");
        assert_eq!(err.kind(), ErrorKind::InvalidInput);
        assert!(err.to_string().contains(reason), "{err}");
        assert!(!is_blocked(ONE), "all or nothing");
    }
    let last = SignalKind::from_raw(libc::SIGRTMAX());
    assert!(BlockedSignals::new([last]).is_ok() && !is_blocked(last));
}

#[test]
fn it_is_given_away_and_taken_over() {
    let blocked = BlockedSignals::new([ONE]).expect("block");
    let signals = SignalFd::new(&blocked).expect("signalfd");
    let signals = SignalFd::from_owned_fd(OwnedFd::from(signals));
    raise(ONE);
    assert_eq!(signals.read().expect("read").kind(), ONE);

    let event = EventFd::new().expect("eventfd");
    event.write(1).expect("write");
    let err = SignalFd::from_owned_fd(event.into()).read().expect_err("an eventfd");
    assert_eq!(err.kind(), ErrorKind::InvalidData);
    assert!(err.to_string().contains("from_owned_fd"), "{err}");
}
