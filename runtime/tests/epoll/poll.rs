//! `poll` and `select`: for a handful of descriptors, with the same timeouts as `Epoll`.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use runtime_core::epoll::{EventFd, Flags, PollFd, TimerFd, poll, select};

use super::{LONG, NOW, assert_explained, tcp_pair};

/// A descriptor whose number nobody has: the highest there can be.
fn closed() -> BorrowedFd<'static> {
    // SAFETY: it is closed all the time, and only given to calls that say so.
    unsafe { BorrowedFd::borrow_raw(i32::MAX) }
}

/// A duplicate of `fd` whose number is `number`, or the next that is free.
fn duplicate_from(number: i32, fd: impl AsFd) -> OwnedFd {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: the call takes no pointers.
    let fd = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, number) };
    assert!(fd >= number, "{}", std::io::Error::last_os_error());
    // SAFETY: the descriptor was made just now and is nobody else's.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

#[test]
fn poll_tells_each_what_it_is_ready_for() {
    let (one, other) = UnixStream::pair().expect("pair");
    let event = EventFd::new().expect("eventfd");
    let mut fds = [
        PollFd::new(&one, Flags::IN),
        PollFd::new(&other, Flags::IN | Flags::OUT),
        PollFd::new(&event, Flags::IN),
    ];
    assert_eq!(poll(&mut fds, LONG).expect("poll"), 1);
    let ready = |fds: &[PollFd<'_>]| fds.iter().map(PollFd::ready).collect::<Vec<_>>();
    assert_eq!(ready(&fds), [Flags::EMPTY, Flags::OUT, Flags::EMPTY]);

    (&one).write_all(b"x").expect("write");
    event.write(1).expect("write");
    assert_eq!(poll(&mut fds, LONG).expect("poll"), 2);
    assert_eq!(ready(&fds), [Flags::EMPTY, Flags::IN | Flags::OUT, Flags::IN]);
    assert_eq!(fds[1].as_fd().as_raw_fd(), other.as_raw_fd());
    let shown = format!("{:?}", fds[1]);
    assert!(shown.contains("flags: Flags(IN | OUT), ready: Flags(IN | OUT)"), "{shown}");
}

#[test]
fn poll_tells_hang_ups_half_closes_and_urgent_data() {
    let (client, server) = tcp_pair();
    let ready = |flags| {
        let mut fds = [PollFd::new(&server, flags)];
        poll(&mut fds, LONG).expect("poll");
        fds[0].ready()
    };
    // SAFETY: the byte outlives the call.
    let n = unsafe { libc::send(client.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
    assert_eq!(n, 1);
    assert_eq!(ready(Flags::PRI), Flags::PRI);
    client.shutdown(std::net::Shutdown::Write).expect("shutdown");
    assert_eq!(ready(Flags::RDHUP), Flags::RDHUP);
    server.shutdown(std::net::Shutdown::Write).expect("shutdown");
    assert_eq!(ready(Flags::EMPTY), Flags::HUP, "unasked");
}

#[test]
fn poll_says_of_a_closed_descriptor_that_it_is() {
    let event = EventFd::new().expect("eventfd");
    let closed = closed();
    let mut fds = [PollFd::new(&closed, Flags::IN), PollFd::new(&event, Flags::IN)];
    assert_eq!(poll(&mut fds, LONG).expect("poll"), 1);
    assert_eq!((fds[0].ready(), fds[1].ready()), (Flags::NVAL, Flags::EMPTY));
    assert_eq!(format!("{:?}", fds[0].ready()), "Flags(NVAL)");
}

#[test]
fn poll_knows_no_modes_and_no_descriptor_it_cannot_wait_for() {
    let file = File::open(std::env::current_exe().expect("our path")).expect("open");
    let mut fds = [PollFd::new(&file, Flags::IN | Flags::ET | Flags::ONESHOT)];
    assert_eq!(fds[0].flags(), Flags::IN);
    assert_eq!(poll(&mut fds, LONG).expect("poll"), 1);
    assert_eq!(fds[0].ready(), Flags::IN);
}

#[test]
fn select_tells_each_set_what_is_ready() {
    let (one, other) = UnixStream::pair().expect("pair");
    let both = [one.as_fd(), other.as_fd()];
    let selected = select(&both, &both, &both, LONG).expect("select");
    assert_eq!(selected.len(), 2);
    assert!(!selected.is_empty() && selected.is_writable(&one) && selected.is_writable(&other));
    assert!(!selected.is_readable(&one) && !selected.is_exceptional(&one));

    (&one).write_all(b"x").expect("write");
    let selected = select(&both, &[], &[], LONG).expect("select");
    assert_eq!(selected.len(), 1);
    assert!(selected.is_readable(&other) && !selected.is_readable(&one));
    assert!(!selected.is_writable(&other), "nobody asked");
    let shown = format!("{selected:?}");
    let number = other.as_raw_fd();
    assert_eq!(shown, format!("Selected {{ read: {{{number}}}, write: {{}}, except: {{}} }}"));
}

#[test]
fn select_tells_urgent_data() {
    let (client, server) = tcp_pair();
    // SAFETY: the byte outlives the call.
    let n = unsafe { libc::send(client.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
    assert_eq!(n, 1);
    let selected = select(&[], &[], &[server.as_fd()], LONG).expect("select");
    assert!(selected.is_exceptional(&server) && selected.len() == 1);
}

#[test]
fn select_ends_where_its_sets_do() {
    let event = EventFd::new().expect("eventfd");
    event.write(1).expect("write");
    // The number before the end is fine; it may be in use by another test, so the one found counts.
    let last = duplicate_from(libc::FD_SETSIZE as i32 - 8, &event);
    let beyond = duplicate_from(libc::FD_SETSIZE as i32, &event);
    assert!((last.as_raw_fd() as usize) < libc::FD_SETSIZE);
    let selected = select(&[last.as_fd()], &[], &[], LONG).expect("select");
    assert!(selected.is_readable(&last) && !selected.is_readable(&beyond));

    let beyond_the_end = [beyond.as_fd()];
    for lists in [[&beyond_the_end[..], &[], &[]], [&[], &beyond_the_end, &[]]] {
        let err = select(lists[0], lists[1], lists[2], LONG).expect_err("beyond");
        assert_eq!(err.kind(), ErrorKind::InvalidInput);
        let number = beyond.as_raw_fd().to_string();
        assert!(err.to_string().contains(&number), "{err}");
        assert!(err.to_string().contains("call poll"), "{err}");
    }
    let mut fds = [PollFd::new(&beyond, Flags::IN)];
    assert_eq!(poll(&mut fds, LONG).expect("poll"), 1);
}

#[test]
fn select_says_that_a_descriptor_is_closed() {
    // The kernel only looks as far as its table of descriptors, which this one has made longer.
    let number = duplicate_from(900, EventFd::new().expect("eventfd")).as_raw_fd();
    // SAFETY: it is closed, and only given to a call that says so.
    let closed = unsafe { BorrowedFd::borrow_raw(number) };
    let err = select(&[closed], &[], &[], LONG).expect_err("closed");
    let kind = std::io::Error::from_raw_os_error(libc::EBADF).kind();
    assert_explained(&err, kind, libc::EBADF, "poll tells which");
}

#[test]
fn neither_is_early() {
    for timeout in [1, 1_000, 300_000, 1_000_001, 2_500_000].map(Duration::from_nanos) {
        let start = Instant::now();
        assert_eq!(poll(&mut [], Some(timeout)).expect("poll"), 0);
        assert!(start.elapsed() >= timeout, "{:?} of {timeout:?}", start.elapsed());
        let start = Instant::now();
        assert!(select(&[], &[], &[], Some(timeout)).expect("select").is_empty());
        assert!(start.elapsed() >= timeout, "{:?} of {timeout:?}", start.elapsed());
    }
    assert_eq!(poll(&mut [], NOW).expect("poll"), 0);
    assert!(select(&[], &[], &[], NOW).expect("select").is_empty());
}

#[test]
fn both_end_with_the_event() {
    let event = EventFd::new().expect("eventfd");
    thread::scope(|scope| {
        scope.spawn(|| event.write(1).expect("write"));
        assert_eq!(poll(&mut [PollFd::new(&event, Flags::IN)], LONG).expect("poll"), 1);
        event.read().expect("read");
        scope.spawn(|| event.write(1).expect("write"));
        assert!(select(&[event.as_fd()], &[], &[], LONG).expect("select").is_readable(&event));
    });
    // Of several waits the first event ends each, and days are no problem.
    let days = Some(Duration::from_secs(100 * 86_400));
    assert_eq!(poll(&mut [PollFd::new(&event, Flags::IN)], days).expect("poll"), 1);
    assert_eq!(select(&[event.as_fd()], &[], &[], days).expect("select").len(), 1);
}

#[test]
fn a_timeout_beyond_the_clock_is_an_error() {
    let timer = TimerFd::new().expect("timerfd");
    for timeout in [Duration::MAX, Duration::from_nanos(i64::MAX as u64)] {
        for err in [
            poll(&mut [PollFd::new(&timer, Flags::IN)], Some(timeout)).expect_err("too long"),
            select(&[timer.as_fd()], &[], &[], Some(timeout)).expect_err("too long"),
        ] {
            assert_eq!(err.kind(), ErrorKind::InvalidInput);
            assert!(err.to_string().contains("pass None"), "{err}");
        }
    }
}
