//! `Epoll`: adding, modifying, deleting and waiting, every flag, every error with its sentence.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use runtime_core::epoll::{Epoll, EventFd, Events, Flags};

use super::{LONG, NOW, assert_explained, reported, tcp_pair};

#[test]
fn add_modify_delete() {
    let (reader, mut writer) = UnixStream::pair().expect("pair");
    let epoll = Epoll::new().expect("epoll");
    epoll.add(&reader, Flags::IN, 1).expect("add");
    assert_eq!(reported(&epoll, NOW), []);

    writer.write_all(b"x").expect("write");
    assert_eq!(reported(&epoll, LONG), [(1, Flags::IN)]);

    epoll.modify(&reader, Flags::OUT, u64::MAX).expect("modify");
    assert_eq!(reported(&epoll, LONG), [(u64::MAX, Flags::OUT)]);

    epoll.delete(&reader).expect("delete");
    assert_eq!(reported(&epoll, NOW), []);
}

#[test]
fn errors_of_add_modify_delete_name_the_remedy() {
    let (reader, _writer) = UnixStream::pair().expect("pair");
    let epoll = Epoll::new().expect("epoll");

    let err = epoll.modify(&reader, Flags::IN, 0).expect_err("not there");
    assert_explained(&err, ErrorKind::NotFound, libc::ENOENT, "call add");
    let err = epoll.delete(&reader).expect_err("not there");
    assert_explained(&err, ErrorKind::NotFound, libc::ENOENT, "the one that was added");

    epoll.add(&reader, Flags::IN, 0).expect("add");
    let err = epoll.add(&reader, Flags::IN, 0).expect_err("there");
    assert_explained(&err, ErrorKind::AlreadyExists, libc::EEXIST, "call modify");

    let file = File::open(std::env::current_exe().expect("our path")).expect("open");
    for err in [
        epoll.add(&file, Flags::IN, 0).expect_err("a file"),
        epoll.modify(&file, Flags::IN, 0).expect_err("a file"),
        epoll.delete(&file).expect_err("a file"),
    ] {
        assert_explained(&err, ErrorKind::PermissionDenied, libc::EPERM, "spawn_blocking");
    }

    let err = epoll.add(&epoll, Flags::IN, 0).expect_err("itself");
    assert_explained(&err, ErrorKind::InvalidInput, libc::EINVAL, "itself");
}

#[test]
fn epolls_in_a_circle_are_refused() {
    let (one, other) = (Epoll::new().expect("epoll"), Epoll::new().expect("epoll"));
    one.add(&other, Flags::IN, 0).expect("add");
    let err = other.add(&one, Flags::IN, 0).expect_err("a circle");
    let errno = io::Error::from_raw_os_error(libc::ELOOP);
    assert_explained(&err, errno.kind(), libc::ELOOP, "to one epoll");
}

#[test]
fn epolls_nest_five_deep() {
    let event = EventFd::new().expect("eventfd");
    let mut chain = vec![Epoll::new().expect("epoll")];
    chain[0].add(&event, Flags::IN, 0).expect("add");
    for depth in 1..5 {
        let outer = Epoll::new().expect("epoll");
        outer.add(&chain[depth - 1], Flags::IN, depth as u64).expect("add");
        chain.push(outer);
    }
    event.write(1).expect("write");
    assert_eq!(reported(&chain[4], LONG), [(4, Flags::IN)]);

    let err = Epoll::new().expect("epoll").add(&chain[4], Flags::IN, 0).expect_err("too deep");
    let kind = io::Error::from_raw_os_error(libc::ELOOP).kind();
    assert_explained(&err, kind, libc::ELOOP, "five deep");
}

#[test]
fn level_repeats_and_edge_does_not() {
    let (reader, mut writer) = UnixStream::pair().expect("pair");
    let epoll = Epoll::new().expect("epoll");
    epoll.add(&reader, Flags::IN, 0).expect("add");
    writer.write_all(b"x").expect("write");
    assert_eq!(reported(&epoll, LONG).len(), 1);
    assert_eq!(reported(&epoll, LONG).len(), 1);

    // A modify reports the state of that moment, then edges only.
    epoll.modify(&reader, Flags::IN | Flags::ET, 0).expect("modify");
    assert_eq!(reported(&epoll, LONG).len(), 1);
    assert_eq!(reported(&epoll, NOW).len(), 0);
    writer.write_all(b"y").expect("write");
    assert_eq!(reported(&epoll, LONG).len(), 1);
    assert_eq!(reported(&epoll, NOW).len(), 0);
}

#[test]
fn oneshot_is_armed_anew_by_modify() {
    let event = EventFd::new().expect("eventfd");
    let epoll = Epoll::new().expect("epoll");
    event.write(1).expect("write");
    epoll.add(&event, Flags::IN | Flags::ONESHOT, 4).expect("add");
    assert_eq!(reported(&epoll, LONG), [(4, Flags::IN)]);
    event.write(1).expect("write");
    assert_eq!(reported(&epoll, NOW), []);
    epoll.modify(&event, Flags::IN | Flags::ONESHOT, 5).expect("modify");
    assert_eq!(reported(&epoll, LONG), [(5, Flags::IN)]);
}

#[test]
fn exclusive_wakes_a_waiter_and_cannot_be_modified() {
    let event = EventFd::new().expect("eventfd");
    let epolls = [Epoll::new().expect("epoll"), Epoll::new().expect("epoll")];
    for epoll in &epolls {
        epoll.add(&event, Flags::IN | Flags::EXCLUSIVE, 0).expect("add");
    }
    let err = epolls[0].modify(&event, Flags::IN, 0).expect_err("exclusive");
    assert_explained(&err, ErrorKind::InvalidInput, libc::EINVAL, "add it anew");
    let other = EventFd::new().expect("eventfd");
    let err = epolls[0].add(&other, Flags::RDHUP | Flags::EXCLUSIVE, 0).expect_err("with RDHUP");
    assert_explained(&err, ErrorKind::InvalidInput, libc::EINVAL, "EXCLUSIVE");

    // At least one of the two waits ends by the first write; the second write ends the other.
    std::thread::scope(|scope| {
        let (woken, wakes) = std::sync::mpsc::channel();
        for epoll in &epolls {
            let (event, woken) = (&event, woken.clone());
            scope.spawn(move || {
                // The counter may be gone by the time this one looks: then it waits again.
                while event.read().is_err() {
                    assert_eq!(reported(epoll, LONG).len(), 1);
                }
                woken.send(()).expect("the test listens");
            });
        }
        for _ in &epolls {
            event.write(1).expect("write");
            wakes.recv_timeout(Duration::from_secs(240)).expect("a waiter wakes");
        }
    });
}

/// The effective capabilities of this thread, of which there are 64 in two parts.
fn capabilities() -> [u32; 2] {
    let (header, mut data) = ([0x2008_0522u32, 0], [0u32; 6]);
    // SAFETY: both are as version 3 of the call has them, and outlive it.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw const header, &raw mut data) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    [data[0], data[3]]
}

/// Leaves this thread no effective capability.
fn drop_capabilities() {
    let (header, data) = ([0x2008_0522u32, 0], [0u32; 6]);
    // SAFETY: both are as version 3 of the call has them, and outlive it.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, &raw const data) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

#[test]
fn wakeup_takes_the_privilege() {
    const CAP_BLOCK_SUSPEND: u32 = 36;
    let event = EventFd::new().expect("eventfd");
    let epoll = Epoll::new().expect("epoll");
    event.write(1).expect("write");
    let privileged = capabilities()[1] & 1 << (CAP_BLOCK_SUSPEND - 32) != 0;
    let namespace = std::fs::read_link("/proc/self/ns/user").expect("/proc");
    if privileged && namespace.as_os_str() == "user:[4026531837]" {
        epoll.add(&event, Flags::IN | Flags::WAKEUP, 1).expect("add");
        assert_eq!(reported(&epoll, LONG), [(1, Flags::IN)]);
        epoll.modify(&event, Flags::IN | Flags::WAKEUP, 2).expect("modify");
    } else {
        epoll.add(&event, Flags::IN, 2).expect("add");
    }

    // A thread has its own capabilities, and takes them with it.
    thread::scope(|scope| {
        scope.spawn(|| {
            drop_capabilities();
            let other = EventFd::new().expect("eventfd");
            for err in [
                epoll.add(&other, Flags::IN | Flags::WAKEUP, 3).expect_err("no privilege"),
                epoll.modify(&event, Flags::IN | Flags::WAKEUP, 3).expect_err("no privilege"),
            ] {
                assert_eq!(err.kind(), ErrorKind::PermissionDenied);
                assert!(err.to_string().contains("CAP_BLOCK_SUSPEND"), "{err}");
            }
            assert_eq!(reported(&epoll, LONG), [(2, Flags::IN)], "nothing has changed");
            epoll.add(&other, Flags::IN, 3).expect("it was not added");
        });
    });
}

#[test]
fn system_v_has_other_names_for_in_and_out_and_unused_ones() {
    let (reader, mut writer) = UnixStream::pair().expect("pair");
    let epoll = Epoll::new().expect("epoll");
    let unused = Flags::RDBAND | Flags::MSG;
    epoll.add(&reader, Flags::RDNORM | unused, 0).expect("add");
    assert_eq!(reported(&epoll, NOW), []);
    writer.write_all(b"x").expect("write");
    assert_eq!(reported(&epoll, LONG), [(0, Flags::RDNORM)]);
    // Linux has no bands, and says of a socket that has room that it has some for them too.
    epoll.modify(&reader, Flags::WRNORM | Flags::WRBAND, 0).expect("modify");
    assert_eq!(reported(&epoll, LONG), [(0, Flags::WRNORM | Flags::WRBAND)]);
}

#[test]
fn a_half_closed_peer_is_rdhup() {
    let (client, server) = tcp_pair();
    let epoll = Epoll::new().expect("epoll");
    epoll.add(&server, Flags::RDHUP, 0).expect("add");
    client.shutdown(std::net::Shutdown::Write).expect("shutdown");

    let mut events = Events::with_capacity(1);
    epoll.wait(&mut events, LONG).expect("wait");
    let event = events.iter().next().expect("an event");
    assert_eq!(event.flags(), Flags::RDHUP);
    assert!(event.is_read_closed() && event.is_readable());
    assert!(!event.is_hup() && !event.is_writable() && !event.is_error());
}

#[test]
fn a_closed_peer_is_hup_unasked() {
    let (reader, writer) = UnixStream::pair().expect("pair");
    let epoll = Epoll::new().expect("epoll");
    epoll.add(&reader, Flags::EMPTY, 0).expect("add");
    drop(writer);

    let mut events = Events::with_capacity(1);
    epoll.wait(&mut events, LONG).expect("wait");
    let event = events.iter().next().expect("an event");
    assert_eq!(event.flags(), Flags::HUP);
    assert!(event.is_hup() && event.is_readable() && event.is_writable());
    assert!(!event.is_error() && !event.is_priority());
}

#[test]
fn a_refused_write_is_err_unasked() {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for the two descriptors and outlives the call.
    assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }, 0);
    // SAFETY: both were made just now and are nobody else's.
    let [reader, writer] =
        ends.map(|fd| unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) });
    let epoll = Epoll::new().expect("epoll");
    epoll.add(&writer, Flags::EMPTY, 0).expect("add");
    drop(reader);

    let mut events = Events::with_capacity(1);
    epoll.wait(&mut events, LONG).expect("wait");
    let event = events.iter().next().expect("an event");
    assert!(event.is_error() && event.is_writable());
}

#[test]
fn urgent_data_is_pri() {
    let (client, server) = tcp_pair();
    let epoll = Epoll::new().expect("epoll");
    epoll.add(&server, Flags::PRI, 0).expect("add");
    // SAFETY: the byte outlives the call.
    let n = unsafe { libc::send(client.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
    assert_eq!(n, 1);

    let mut events = Events::with_capacity(1);
    epoll.wait(&mut events, LONG).expect("wait");
    let event = events.iter().next().expect("an event");
    assert_eq!(event.flags(), Flags::PRI);
    assert!(event.is_priority() && !event.is_readable());
}

#[test]
fn an_epoll_in_an_epoll() {
    let (inner, outer) = (Epoll::new().expect("epoll"), Epoll::new().expect("epoll"));
    let event = EventFd::new().expect("eventfd");
    inner.add(&event, Flags::IN, 1).expect("add");
    outer.add(&inner, Flags::IN, 2).expect("add");
    assert_eq!(reported(&outer, NOW), []);
    event.write(1).expect("write");
    assert_eq!(reported(&outer, LONG), [(2, Flags::IN)]);
    assert_eq!(reported(&inner, LONG), [(1, Flags::IN)]);
    event.read().expect("read");
    assert_eq!(reported(&outer, NOW), []);
}

#[test]
fn a_duplicate_keeps_the_events_coming_after_a_close() {
    let (reader, mut writer) = UnixStream::pair().expect("pair");
    let epoll = Epoll::new().expect("epoll");
    epoll.add(&reader, Flags::IN, 6).expect("add");
    let duplicate = reader.try_clone().expect("dup");
    drop(reader);
    writer.write_all(b"x").expect("write");
    assert_eq!(reported(&epoll, LONG), [(6, Flags::IN)]);
    drop(duplicate);
    assert_eq!(reported(&epoll, NOW), []);
}

#[test]
fn more_are_ready_than_there_is_room_for() {
    let epoll = Epoll::new().expect("epoll");
    let fds: Vec<EventFd> = (0..5).map(|_| EventFd::new().expect("eventfd")).collect();
    for (fd, token) in fds.iter().zip(0..) {
        fd.write(1).expect("write");
        epoll.add(fd, Flags::IN | Flags::ET, token).expect("add");
    }
    let mut tokens = Vec::new();
    let mut events = Events::with_capacity(2);
    assert_eq!(events.capacity(), 2);
    while epoll.wait(&mut events, NOW).expect("wait") > 0 {
        assert!(!events.is_empty() && events.iter().len() <= 2);
        tokens.extend((&events).into_iter().map(|event| event.token()));
    }
    tokens.sort_unstable();
    assert_eq!(tokens, [0, 1, 2, 3, 4]);
}

#[test]
fn no_room_is_room_for_one() {
    let epoll = Epoll::new().expect("epoll");
    let event = EventFd::new().expect("eventfd");
    epoll.add(&event, Flags::OUT, 0).expect("add");
    let mut events = Events::with_capacity(0);
    assert_eq!(epoll.wait(&mut events, NOW).expect("wait"), 1);
    events.clear();
    assert_eq!(events.len(), 0);
}

#[test]
fn an_event_shows_its_token_and_flags() {
    let epoll = Epoll::new().expect("epoll");
    let event = EventFd::new().expect("eventfd");
    epoll.add(&event, Flags::OUT, 12).expect("add");
    let mut events = Events::with_capacity(1);
    epoll.wait(&mut events, LONG).expect("wait");
    let shown = format!("{:?}", events.iter().next().expect("an event"));
    assert_eq!(shown, "Event { token: 12, flags: Flags(OUT) }");
}

#[test]
fn a_wait_is_never_early() {
    let epoll = Epoll::new().expect("epoll");
    let mut events = Events::with_capacity(1);
    for timeout in [1, 1_000, 300_000, 1_000_001, 2_500_000].map(Duration::from_nanos) {
        let start = Instant::now();
        assert_eq!(epoll.wait(&mut events, Some(timeout)).expect("wait"), 0);
        assert!(start.elapsed() >= timeout, "{:?} of {timeout:?}", start.elapsed());
    }
}

#[test]
fn a_timed_wait_ends_with_the_event() {
    let epoll = Epoll::new().expect("epoll");
    let event = EventFd::new().expect("eventfd");
    epoll.add(&event, Flags::IN, 0).expect("add");
    std::thread::scope(|scope| {
        scope.spawn(|| event.write(1).expect("write"));
        assert_eq!(reported(&epoll, LONG), [(0, Flags::IN)]);
    });
    // Days are more milliseconds than an i32 holds, and still fine.
    assert_eq!(reported(&epoll, Some(Duration::from_secs(100 * 86_400))), [(0, Flags::IN)]);
}

#[test]
fn a_timeout_beyond_the_clock_is_an_error() {
    let epoll = Epoll::new().expect("epoll");
    let event = EventFd::new().expect("eventfd");
    epoll.add(&event, Flags::OUT, 0).expect("add");
    let mut events = Events::with_capacity(1);
    for timeout in [Duration::MAX, Duration::from_nanos(i64::MAX as u64)] {
        let err = epoll.wait(&mut events, Some(timeout)).expect_err("too long");
        assert_eq!(err.kind(), ErrorKind::InvalidInput);
        assert!(err.to_string().contains("pass None"), "{err}");
    }
}

#[test]
fn an_epoll_is_given_away_and_taken_over() {
    let event = EventFd::new().expect("eventfd");
    let epoll = Epoll::new().expect("epoll");
    epoll.add(&event, Flags::OUT, 9).expect("add");
    let number = epoll.as_raw_fd();
    let fd = OwnedFd::from(epoll);
    assert_eq!(fd.as_raw_fd(), number);
    let epoll = Epoll::from_owned_fd(fd);
    assert_eq!(epoll.as_fd().as_raw_fd(), number);
    assert_eq!(reported(&epoll, LONG), [(9, Flags::OUT)]);
    assert!(format!("{epoll:?}").starts_with("Epoll"));

    let mut events = Events::with_capacity(1);
    epoll.wait(&mut events, LONG).expect("wait");
    let not_an_epoll = Epoll::from_owned_fd(event.into());
    let err = not_an_epoll.wait(&mut events, NOW).expect_err("an eventfd");
    assert_explained(&err, ErrorKind::InvalidInput, libc::EINVAL, "from_owned_fd");
    assert!(events.is_empty(), "the earlier contents are dropped");
}
