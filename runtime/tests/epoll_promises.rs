//! What the documentation and the tests of CPython's `select.epoll` promise, a test for each promise.
//!
//! Some have no counterpart, since the types rule out what they are about: wrong numbers and types of
//! arguments, a `sizehint`, unknown `flags` at creation, negative numbers of descriptors and negative
//! timeouts, operations on a closed epoll, a second `close`, and an epoll closed under another object
//! that has its number (`fromfd` borrows there, `from_owned_fd` owns here). There is no default event
//! mask. The flags have their tests in `epoll/set.rs`, interruptions theirs in `epoll_eintr.rs`.

#![allow(unsafe_code)]

use std::error::Error;
use std::io::{self, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::thread;
use std::time::{Duration, Instant};

use runtime_core::epoll::{Epoll, EventFd, Events, Flags};

const NOW: Option<Duration> = Some(Duration::ZERO);
/// Long enough for any machine; a wait that needs it all has failed.
const LONG: Option<Duration> = Some(Duration::from_secs(240));

const CLIENT: u64 = 1;
const SERVER: u64 = 2;

fn connected_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let client = TcpStream::connect(listener.local_addr().expect("address")).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    (client, server)
}

/// An epoll that watches both ends of a connection.
fn watching(flags: Flags) -> (Epoll, TcpStream, TcpStream) {
    let (client, server) = connected_pair();
    let epoll = Epoll::new().expect("epoll");
    epoll.add(&client, flags, CLIENT).expect("add");
    epoll.add(&server, flags, SERVER).expect("add");
    (epoll, client, server)
}

/// What `epoll` reports within `timeout`, by token.
fn reported(epoll: &Epoll, timeout: Option<Duration>) -> Vec<(u64, Flags)> {
    let mut events = Events::with_capacity(4);
    epoll.wait(&mut events, timeout).expect("wait");
    let mut reported: Vec<_> = events.iter().map(|e| (e.token(), e.flags())).collect();
    reported.sort_unstable_by_key(|(token, _)| *token);
    reported
}

/// The kernel's error below the sentence.
fn errno(result: io::Result<()>) -> Option<i32> {
    let err = result.expect_err("a refusal");
    let source = err.source().and_then(|source| source.downcast_ref::<io::Error>());
    source.expect("a source").raw_os_error()
}

/// A number that was a descriptor, and is so high that no other test gets it.
fn closed_number(of: impl AsFd, at_least: RawFd, before_it_closes: impl FnOnce(&OwnedFd)) -> RawFd {
    // SAFETY: the call takes no pointers.
    let number = unsafe { libc::fcntl(of.as_fd().as_raw_fd(), libc::F_DUPFD_CLOEXEC, at_least) };
    assert!(number >= at_least, "{}", io::Error::last_os_error());
    // SAFETY: the descriptor was made just now and is nobody else's.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    before_it_closes(&fd);
    number
}

#[test]
fn a_new_one_has_a_descriptor_that_is_not_inherited() {
    let epoll = Epoll::new().expect("epoll");
    // SAFETY: the call takes no pointer.
    let flags = unsafe { libc::fcntl(epoll.as_raw_fd(), libc::F_GETFD) };
    assert_eq!(flags, libc::FD_CLOEXEC);
    assert_eq!(reported(&epoll, NOW), []);
}

#[test]
fn leaving_the_scope_closes_it() {
    let outer = Epoll::new().expect("epoll");
    let event = EventFd::new().expect("eventfd");
    event.write(1).expect("write");
    {
        let inner = Epoll::new().expect("epoll");
        inner.add(&event, Flags::IN, 0).expect("add");
        outer.add(&inner, Flags::IN, 5).expect("add");
        assert_eq!(reported(&outer, LONG), [(5, Flags::IN)]);
    }
    assert_eq!(reported(&outer, NOW), [], "the kernel forgets what is closed");
}

#[test]
fn objects_and_descriptors_are_added_alike() {
    let (client, server) = connected_pair();
    let epoll = Epoll::new().expect("epoll");
    epoll.add(&client, Flags::IN | Flags::OUT, CLIENT).expect("an object");
    epoll.add(server.as_fd(), Flags::IN | Flags::OUT, SERVER).expect("its descriptor");
    assert_eq!(reported(&epoll, LONG), [(CLIENT, Flags::OUT), (SERVER, Flags::OUT)]);
}

#[test]
fn an_unknown_descriptor_is_ebadf() {
    let epoll = Epoll::new().expect("epoll");
    // SAFETY: nobody has this number, and it is only given to calls that say so.
    let unknown = unsafe { BorrowedFd::borrow_raw(RawFd::MAX) };
    assert_eq!(errno(epoll.add(unknown, Flags::IN, 0)), Some(libc::EBADF));
    assert_eq!(errno(epoll.modify(unknown, Flags::IN, 0)), Some(libc::EBADF));
    assert_eq!(errno(epoll.delete(unknown)), Some(libc::EBADF));
}

#[test]
fn adding_twice_is_an_error() {
    let (epoll, client, _server) = watching(Flags::IN | Flags::OUT);
    assert_eq!(errno(epoll.add(&client, Flags::IN, 7)), Some(libc::EEXIST));
    let both = [(CLIENT, Flags::OUT), (SERVER, Flags::OUT)];
    assert_eq!(reported(&epoll, LONG), both, "and changes nothing");
}

#[test]
fn modifying_changes_what_is_waited_for() {
    let (epoll, client, _server) = watching(Flags::IN);
    assert_eq!(reported(&epoll, NOW), []);
    epoll.modify(&client, Flags::OUT, CLIENT).expect("modify");
    assert_eq!(reported(&epoll, LONG), [(CLIENT, Flags::OUT)]);
}

#[test]
fn modifying_what_was_not_added_is_enoent() {
    let (client, _server) = connected_pair();
    let epoll = Epoll::new().expect("epoll");
    assert_eq!(errno(epoll.modify(&client, Flags::IN, 0)), Some(libc::ENOENT));
}

#[test]
fn what_was_removed_is_not_reported() {
    let (epoll, client, server) = watching(Flags::OUT);
    epoll.delete(&client).expect("delete");
    assert_eq!(reported(&epoll, LONG), [(SERVER, Flags::OUT)]);
    assert_eq!(errno(epoll.delete(&client)), Some(libc::ENOENT), "once");
    epoll.delete(&server).expect("delete");
    assert_eq!(reported(&epoll, NOW), []);
}

#[test]
fn removing_a_closed_descriptor_is_ebadf() {
    let epoll = Epoll::new().expect("epoll");
    let event = EventFd::new().expect("eventfd");
    let number = closed_number(&event, 700, |fd| epoll.add(fd, Flags::IN, 0).expect("add"));
    // SAFETY: it is closed, and only given to a call that says so.
    let closed = unsafe { BorrowedFd::borrow_raw(number) };
    assert_eq!(errno(epoll.delete(closed)), Some(libc::EBADF));
}

#[test]
fn closing_removes() {
    let (epoll, client, server) = watching(Flags::OUT);
    assert_eq!(reported(&epoll, LONG).len(), 2);
    drop(client);
    // The other end now has a hang-up to report, and it alone.
    assert!(reported(&epoll, LONG).iter().all(|(token, _)| *token == SERVER));
    drop(server);
    assert_eq!(reported(&epoll, NOW), []);
}

#[test]
fn one_from_an_existing_descriptor_is_the_same_set() {
    let (client, server) = connected_pair();
    let epoll = Epoll::new().expect("epoll");
    let other = Epoll::from_owned_fd(epoll.as_fd().try_clone_to_owned().expect("dup"));
    other.add(&client, Flags::IN | Flags::OUT, CLIENT).expect("add");
    other.add(&server, Flags::IN | Flags::OUT, SERVER).expect("add");
    let both = [(CLIENT, Flags::OUT), (SERVER, Flags::OUT)];
    assert_eq!(reported(&epoll, LONG), both);
    assert_eq!(reported(&other, LONG), both);
    drop(epoll);
    assert_eq!(reported(&other, LONG), both, "it goes on by its own descriptor");
}

#[test]
fn a_descriptor_that_is_no_epoll_is_an_error() {
    let event = EventFd::new().expect("eventfd");
    let other = EventFd::new().expect("eventfd");
    let no_epoll = Epoll::from_owned_fd(event.into());
    assert_eq!(errno(no_epoll.add(&other, Flags::IN, 0)), Some(libc::EINVAL));
    let err = no_epoll.wait(&mut Events::with_capacity(1), NOW).expect_err("no epoll");
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
}

#[test]
fn controlling_and_waiting_go_together() {
    let (epoll, mut client, mut server) = watching(Flags::IN | Flags::OUT | Flags::ET);
    assert_eq!(reported(&epoll, LONG), [(CLIENT, Flags::OUT), (SERVER, Flags::OUT)]);
    assert_eq!(reported(&epoll, Some(Duration::from_millis(2))), [], "edges come once");

    client.write_all(b"Hello!").expect("write");
    server.write_all(b"world!!!").expect("write");
    let both = [(CLIENT, Flags::IN | Flags::OUT), (SERVER, Flags::IN | Flags::OUT)];
    let mut seen = reported(&epoll, LONG);
    // On the loopback the second may come by a wait of its own.
    while seen.len() < 2 {
        seen.extend(reported(&epoll, LONG));
    }
    seen.sort_unstable_by_key(|(token, _)| *token);
    assert_eq!(seen, both);

    epoll.delete(&client).expect("delete");
    epoll.modify(&server, Flags::OUT, SERVER).expect("modify");
    assert_eq!(reported(&epoll, LONG), [(SERVER, Flags::OUT)]);
}

#[test]
fn no_more_than_maxevents_are_reported_and_the_others_next() {
    let (epoll, _client, _server) = watching(Flags::OUT);
    let mut events = Events::with_capacity(1);
    let mut tokens = [(); 2].map(|()| {
        assert_eq!(epoll.wait(&mut events, LONG).expect("wait"), 1);
        events.iter().next().expect("an event").token()
    });
    tokens.sort_unstable();
    assert_eq!(tokens, [CLIENT, SERVER]);
}

#[test]
fn maxevents_of_zero_is_no_error_but_one() {
    let (epoll, _client, _server) = watching(Flags::OUT);
    // CPython refuses it. A capacity is what a list has at least, as in std.
    assert_eq!(epoll.wait(&mut Events::with_capacity(0), LONG).expect("wait"), 1);
}

#[test]
fn a_timeout_of_zero_only_looks() {
    let epoll = Epoll::new().expect("epoll");
    assert_eq!(reported(&epoll, NOW), []);
}

#[test]
fn a_timeout_that_passes_reports_nothing_and_is_not_early() {
    let (epoll, _client, _server) = watching(Flags::IN);
    for timeout in [Duration::from_nanos(1), Duration::from_micros(1500)] {
        let start = Instant::now();
        assert_eq!(reported(&epoll, Some(timeout)), []);
        assert!(start.elapsed() >= timeout);
    }
}

#[test]
fn without_a_timeout_it_waits_for_an_event() {
    let (epoll, client, _server) = watching(Flags::IN);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| reported(&epoll, None));
        (&client).write_all(b"!").expect("write");
        assert_eq!(waiting.join().expect("it does not panic"), [(SERVER, Flags::IN)]);
    });
}

#[test]
fn a_timeout_too_large_for_the_clock_is_an_error() {
    let (epoll, _client, _server) = watching(Flags::OUT);
    let err = epoll.wait(&mut Events::with_capacity(1), Some(Duration::MAX)).expect_err("too long");
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
}

#[test]
fn what_another_thread_adds_ends_the_wait() {
    let epoll = Epoll::new().expect("epoll");
    let (client, _server) = connected_pair();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| reported(&epoll, LONG));
        epoll.add(&client, Flags::OUT, CLIENT).expect("add");
        assert_eq!(waiting.join().expect("it does not panic"), [(CLIENT, Flags::OUT)]);
    });
}
