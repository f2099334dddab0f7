//! `runtime::epoll` on real descriptors: a file per type, and what all of them have in common.

#![allow(unsafe_code)]

mod eventfd;
mod flags;
mod pidfd;
mod poll;
mod set;
mod signalfd;
mod timerfd;

use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use runtime_core::epoll::{
    BlockedSignals, Epoll, EventFd, Events, Flags, PidFd, PollFd, Selected, SignalFd, TimerFd,
};

const NOW: Option<Duration> = Some(Duration::ZERO);
/// Long enough for any machine; a wait that needs it all has failed.
const LONG: Option<Duration> = Some(Duration::from_secs(240));

/// The tokens and flags that `epoll` reports within `timeout`.
fn reported(epoll: &Epoll, timeout: Option<Duration>) -> Vec<(u64, Flags)> {
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
fn descriptors_close_on_exec_and_do_not_block() {
    let epoll = Epoll::new().expect("epoll");
    let event = EventFd::new().expect("eventfd");
    let timers = [TimerFd::new().expect("timerfd"), TimerFd::boottime().expect("timerfd")];
    let process = PidFd::open(std::process::id()).expect("pidfd");
    let signals = SignalFd::new(&BlockedSignals::new([]).expect("none")).expect("signalfd");
    let flags = |fd: &dyn AsRawFd, command| {
        // SAFETY: F_GETFD and F_GETFL take no pointer.
        unsafe { libc::fcntl(fd.as_raw_fd(), command) }
    };
    for fd in [&epoll as &dyn AsRawFd, &event, &timers[0], &timers[1], &process, &signals] {
        assert_eq!(flags(fd, libc::F_GETFD) & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    }
    for fd in [&event as &dyn AsRawFd, &timers[0], &timers[1], &signals] {
        assert_eq!(flags(fd, libc::F_GETFL) & libc::O_NONBLOCK, libc::O_NONBLOCK);
    }
}

#[test]
fn all_may_be_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Epoll>();
    shared::<EventFd>();
    shared::<TimerFd>();
    shared::<PidFd>();
    shared::<SignalFd>();
    shared::<Events>();
    shared::<PollFd<'_>>();
    shared::<Selected>();
}
