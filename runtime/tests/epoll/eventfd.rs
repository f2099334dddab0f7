//! `EventFd`: a counter that adds up, is taken whole, and does not overflow.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use runtime_core::epoll::EventFd;

use super::assert_explained;

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
