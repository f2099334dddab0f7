//! `runtime::epoll` on real descriptors: every flag, every error with its sentence, the clocks.

#![allow(unsafe_code)]

use std::error::Error;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use runtime_core::epoll::{Epoll, EventFd, Events, Flags, TimerFd};

const NOW: Option<Duration> = Some(Duration::ZERO);
/// Long enough for any machine; a wait that needs it all has failed.
const LONG: Option<Duration> = Some(Duration::from_secs(30));

/// The tokens and flags that `epoll` reports within `timeout`.
fn poll(epoll: &Epoll, timeout: Option<Duration>) -> Vec<(u64, Flags)> {
    let mut events = Events::with_capacity(8);
    let n = epoll.wait(&mut events, timeout).expect("wait");
    assert_eq!(n, events.len());
    events.iter().map(|event| (event.token(), event.flags())).collect()
}

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let client = TcpStream::connect(listener.local_addr().expect("address")).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    (client, server)
}

/// `err` names the remedy, and knows the errno as its source.
fn assert_explained(err: &io::Error, kind: ErrorKind, errno: i32, remedy: &str) {
    assert_eq!(err.kind(), kind, "{err}");
    assert!(err.to_string().contains(remedy), "{err}");
    let source = err.source().and_then(|source| source.downcast_ref::<io::Error>());
    assert_eq!(source.expect("a source").raw_os_error(), Some(errno));
}

#[test]
fn flags_are_the_kernels() {
    for (flag, bit) in [
        (Flags::EMPTY, 0),
        (Flags::IN, libc::EPOLLIN),
        (Flags::OUT, libc::EPOLLOUT),
        (Flags::PRI, libc::EPOLLPRI),
        (Flags::ERR, libc::EPOLLERR),
        (Flags::HUP, libc::EPOLLHUP),
        (Flags::RDHUP, libc::EPOLLRDHUP),
        (Flags::RDNORM, libc::EPOLLRDNORM),
        (Flags::RDBAND, libc::EPOLLRDBAND),
        (Flags::WRNORM, libc::EPOLLWRNORM),
        (Flags::WRBAND, libc::EPOLLWRBAND),
        (Flags::MSG, libc::EPOLLMSG),
        (Flags::ET, libc::EPOLLET),
        (Flags::ONESHOT, libc::EPOLLONESHOT),
        (Flags::EXCLUSIVE, libc::EPOLLEXCLUSIVE),
        (Flags::WAKEUP, libc::EPOLLWAKEUP),
    ] {
        assert_eq!(flag.bits(), bit as u32, "{flag:?}");
    }
}

#[test]
fn flags_are_a_set() {
    let mut flags = Flags::IN | Flags::ET;
    assert!(flags.contains(Flags::IN) && flags.contains(Flags::EMPTY));
    assert!(!flags.contains(Flags::IN | Flags::OUT));
    assert!(flags.intersects(Flags::IN | Flags::OUT) && !flags.intersects(Flags::OUT));
    assert_eq!(flags, const { Flags::IN.union(Flags::ET) });
    flags |= Flags::OUT;
    assert_eq!(flags & (Flags::OUT | Flags::PRI), Flags::OUT);
    flags &= Flags::PRI;
    assert!(flags.is_empty());
    assert_eq!(flags, Flags::default());
}

#[test]
fn flags_are_named() {
    assert_eq!(format!("{:?}", Flags::EMPTY), "Flags(EMPTY)");
    assert_eq!(format!("{:?}", Flags::RDHUP | Flags::ET), "Flags(RDHUP | ET)");
    assert_eq!(format!("{:?}", Flags::from_bits_retain(0x801)), "Flags(IN | 0x800)");
    assert_eq!(format!("{:?}", Flags::from_bits_retain(0x800)), "Flags(0x800)");
}

#[test]
fn add_modify_delete() {
    let (reader, mut writer) = UnixStream::pair().expect("pair");
    let epoll = Epoll::new().expect("epoll");
    epoll.add(&reader, Flags::IN, 1).expect("add");
    assert_eq!(poll(&epoll, NOW), []);

    writer.write_all(b"x").expect("write");
    assert_eq!(poll(&epoll, LONG), [(1, Flags::IN)]);

    epoll.modify(&reader, Flags::OUT, u64::MAX).expect("modify");
    assert_eq!(poll(&epoll, LONG), [(u64::MAX, Flags::OUT)]);

    epoll.delete(&reader).expect("delete");
    assert_eq!(poll(&epoll, NOW), []);
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
fn level_repeats_and_edge_does_not() {
    let (reader, mut writer) = UnixStream::pair().expect("pair");
    let epoll = Epoll::new().expect("epoll");
    epoll.add(&reader, Flags::IN, 0).expect("add");
    writer.write_all(b"x").expect("write");
    assert_eq!(poll(&epoll, LONG).len(), 1);
    assert_eq!(poll(&epoll, LONG).len(), 1);

    // A modify reports the state of that moment, then edges only.
    epoll.modify(&reader, Flags::IN | Flags::ET, 0).expect("modify");
    assert_eq!(poll(&epoll, LONG).len(), 1);
    assert_eq!(poll(&epoll, NOW).len(), 0);
    writer.write_all(b"y").expect("write");
    assert_eq!(poll(&epoll, LONG).len(), 1);
    assert_eq!(poll(&epoll, NOW).len(), 0);
}

#[test]
fn oneshot_is_armed_anew_by_modify() {
    let event = EventFd::new().expect("eventfd");
    let epoll = Epoll::new().expect("epoll");
    event.write(1).expect("write");
    epoll.add(&event, Flags::IN | Flags::ONESHOT, 4).expect("add");
    assert_eq!(poll(&epoll, LONG), [(4, Flags::IN)]);
    event.write(1).expect("write");
    assert_eq!(poll(&epoll, NOW), []);
    epoll.modify(&event, Flags::IN | Flags::ONESHOT, 5).expect("modify");
    assert_eq!(poll(&epoll, LONG), [(5, Flags::IN)]);
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
                    assert_eq!(poll(epoll, LONG).len(), 1);
                }
                woken.send(()).expect("the test listens");
            });
        }
        for _ in &epolls {
            event.write(1).expect("write");
            wakes.recv_timeout(Duration::from_secs(30)).expect("a waiter wakes");
        }
    });
}

#[test]
fn wakeup_is_accepted() {
    let event = EventFd::new().expect("eventfd");
    let epoll = Epoll::new().expect("epoll");
    epoll.add(&event, Flags::IN | Flags::ET | Flags::WAKEUP, 0).expect("add");
    event.write(1).expect("write");
    assert_eq!(poll(&epoll, LONG), [(0, Flags::IN)]);
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
    assert_eq!(poll(&outer, NOW), []);
    event.write(1).expect("write");
    assert_eq!(poll(&outer, LONG), [(2, Flags::IN)]);
    assert_eq!(poll(&inner, LONG), [(1, Flags::IN)]);
    event.read().expect("read");
    assert_eq!(poll(&outer, NOW), []);
}

#[test]
fn a_duplicate_keeps_the_events_coming_after_a_close() {
    let (reader, mut writer) = UnixStream::pair().expect("pair");
    let epoll = Epoll::new().expect("epoll");
    epoll.add(&reader, Flags::IN, 6).expect("add");
    let duplicate = reader.try_clone().expect("dup");
    drop(reader);
    writer.write_all(b"x").expect("write");
    assert_eq!(poll(&epoll, LONG), [(6, Flags::IN)]);
    drop(duplicate);
    assert_eq!(poll(&epoll, NOW), []);
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
        assert_eq!(poll(&epoll, LONG), [(0, Flags::IN)]);
    });
    // Days are more milliseconds than an i32 holds, and still fine.
    assert_eq!(poll(&epoll, Some(Duration::from_secs(100 * 86_400))), [(0, Flags::IN)]);
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
    assert_eq!(poll(&epoll, LONG), [(9, Flags::OUT)]);
    assert!(format!("{epoll:?}").starts_with("Epoll"));

    let mut events = Events::with_capacity(1);
    epoll.wait(&mut events, LONG).expect("wait");
    let not_an_epoll = Epoll::from_owned_fd(event.into());
    let err = not_an_epoll.wait(&mut events, NOW).expect_err("an eventfd");
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
    assert!(events.is_empty(), "the earlier contents are dropped");
}

#[test]
fn descriptors_close_on_exec_and_do_not_block() {
    let epoll = Epoll::new().expect("epoll");
    let event = EventFd::new().expect("eventfd");
    let timers = [TimerFd::new().expect("timerfd"), TimerFd::boottime().expect("timerfd")];
    let flags = |fd: &dyn AsRawFd, command| {
        // SAFETY: F_GETFD and F_GETFL take no pointer.
        unsafe { libc::fcntl(fd.as_raw_fd(), command) }
    };
    for fd in [&epoll as &dyn AsRawFd, &event, &timers[0], &timers[1]] {
        assert_eq!(flags(fd, libc::F_GETFD) & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    }
    for fd in [&event as &dyn AsRawFd, &timers[0], &timers[1]] {
        assert_eq!(flags(fd, libc::F_GETFL) & libc::O_NONBLOCK, libc::O_NONBLOCK);
    }
}

#[test]
fn an_eventfd_adds_up_and_is_taken_whole() {
    let event = EventFd::new().expect("eventfd");
    assert_eq!(event.read().expect_err("zero").kind(), ErrorKind::WouldBlock);
    event.write(2).expect("write");
    event.write(0).expect("write");
    event.write(3).expect("write");
    assert_eq!(event.read().expect("read"), 5);
    assert_eq!(event.read().expect_err("zero").kind(), ErrorKind::WouldBlock);
}

#[test]
fn an_eventfd_does_not_overflow() {
    let event = EventFd::new().expect("eventfd");
    event.write(u64::MAX - 1).expect("write");
    assert_eq!(event.write(1).expect_err("full").kind(), ErrorKind::WouldBlock);
    assert_eq!(event.read().expect("read"), u64::MAX - 1);
    let err = event.write(u64::MAX).expect_err("too much");
    assert_explained(&err, ErrorKind::InvalidInput, libc::EINVAL, "a smaller value");
}

#[test]
fn an_eventfd_is_given_away_and_taken_over() {
    let event = EventFd::new().expect("eventfd");
    event.write(4).expect("write");
    let event = EventFd::from_owned_fd(OwnedFd::from(event));
    assert_eq!(event.read().expect("read"), 4);

    // Something else by mistake is an error, not a made-up number.
    let (mut ours, theirs) = UnixStream::pair().expect("pair");
    ours.write_all(b"abc").expect("write");
    let err = EventFd::from_owned_fd(theirs.into()).read().expect_err("a socket");
    assert_eq!(err.kind(), ErrorKind::InvalidData);
    assert!(err.to_string().contains("from_owned_fd"), "{err}");
    assert_eq!(ours.read(&mut [0; 1]).expect("the end"), 0);
}

/// Waits until `timer` has expired, which its descriptor has to tell.
fn expired(timer: &TimerFd) -> u64 {
    let epoll = Epoll::new().expect("epoll");
    epoll.add(timer, Flags::IN, 0).expect("add");
    assert_eq!(poll(&epoll, LONG), [(0, Flags::IN)]);
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
    assert_eq!(poll(&epoll, LONG).len(), 1);
    timer.disarm().expect("disarm");
    assert_eq!(poll(&epoll, NOW).len(), 0);
    assert!(still(&timer));

    timer.arm_in(Duration::ZERO).expect("arm");
    assert_eq!(poll(&epoll, LONG).len(), 1);
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
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
}

#[test]
fn all_may_be_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Epoll>();
    shared::<EventFd>();
    shared::<TimerFd>();
    shared::<Events>();
}
