//! `TimerFd`: never early, at once for what is past, and never for what is too far.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::time::Duration;

use runtime_core::epoll::{Epoll, EventFd, Flags, TimerFd};

use super::{LONG, NOW, assert_explained, reported};

/// Waits until `timer` has expired, which its descriptor has to tell.
fn expired(timer: &TimerFd) -> u64 {
    let epoll = Epoll::new().expect("epoll");
    epoll.add(timer, Flags::IN, 0).expect("add");
    assert_eq!(reported(&epoll, LONG), [(0, Flags::IN)]);
    timer.read().expect("read")
}

fn still(timer: &TimerFd) -> bool {
    timer.read().is_err_and(|err| err.kind() == ErrorKind::WouldBlock)
}

#[test]
fn zero_and_the_past_expire_at_once() {
    for timer in [TimerFd::new().expect("timerfd"), TimerFd::boottime().expect("timerfd")] {
        assert!(still(&timer), "made disarmed");
        timer.arm_at(Duration::ZERO).expect("arm");
        assert_eq!(expired(&timer), 1);
        timer.arm_at(Duration::from_nanos(5)).expect("arm");
        assert_eq!(expired(&timer), 1);
        timer.arm_in(Duration::ZERO).expect("arm");
        assert_eq!(expired(&timer), 1);
        timer.arm_every(Duration::ZERO, Duration::MAX).expect("arm");
        assert_eq!(expired(&timer), 1);
        assert!(still(&timer));
    }
}

#[test]
fn the_longest_duration_is_never() {
    for timer in [TimerFd::new().expect("timerfd"), TimerFd::boottime().expect("timerfd")] {
        timer.arm_at(Duration::MAX).expect("arm");
        assert!(still(&timer));
        timer.arm_in(Duration::MAX).expect("arm");
        assert!(still(&timer));
        timer.arm_every(Duration::MAX, Duration::MAX).expect("arm");
        assert!(still(&timer));
    }
}

#[test]
fn a_timer_is_never_early() {
    for (timer, now) in [
        (TimerFd::new().expect("timerfd"), TimerFd::monotonic_now as fn() -> Duration),
        (TimerFd::boottime().expect("timerfd"), TimerFd::boottime_now),
    ] {
        let at = now() + Duration::from_micros(700);
        timer.arm_at(at).expect("arm");
        assert_eq!(expired(&timer), 1);
        assert!(now() >= at);

        let at = now() + Duration::from_micros(700);
        timer.arm_in(Duration::from_micros(700)).expect("arm");
        assert_eq!(expired(&timer), 1);
        assert!(now() >= at);
    }
}

#[test]
fn an_interval_goes_on() {
    let timer = TimerFd::new().expect("timerfd");
    timer.arm_every(Duration::from_micros(10), Duration::from_micros(10)).expect("arm");
    let mut expirations = 0;
    while expirations < 20 {
        expirations += expired(&timer);
    }
    let err = timer.arm_every(Duration::from_secs(1), Duration::ZERO).expect_err("zero");
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
    assert!(err.to_string().contains("arm_in"), "{err}");
}

#[test]
fn disarming_takes_the_expiration_back() {
    let timer = TimerFd::new().expect("timerfd");
    let epoll = Epoll::new().expect("epoll");
    epoll.add(&timer, Flags::IN, 0).expect("add");
    timer.arm_in(Duration::ZERO).expect("arm");
    assert_eq!(reported(&epoll, LONG).len(), 1);
    timer.disarm().expect("disarm");
    assert_eq!(reported(&epoll, NOW).len(), 0);
    assert!(still(&timer));

    timer.arm_in(Duration::ZERO).expect("arm");
    assert_eq!(reported(&epoll, LONG).len(), 1);
    timer.arm_in(Duration::MAX).expect("arm");
    assert!(still(&timer));
}

#[test]
fn a_timerfd_is_given_away_and_taken_over() {
    let timer = TimerFd::new().expect("timerfd");
    timer.arm_in(Duration::ZERO).expect("arm");
    let timer = TimerFd::from_owned_fd(OwnedFd::from(timer));
    assert_eq!(expired(&timer), 1);

    let event = EventFd::new().expect("eventfd");
    let err = TimerFd::from_owned_fd(event.into()).disarm().expect_err("an eventfd");
    assert_explained(&err, ErrorKind::InvalidInput, libc::EINVAL, "from_owned_fd");
}
