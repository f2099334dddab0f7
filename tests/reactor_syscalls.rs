//! What the reactor asks of the kernel, and what it makes of the kernel's refusals: counted and
//! injected where this executable's own `epoll_*` stand before libc's. Per thread, so the tests do not
//! disturb each other.
#![allow(unsafe_code)]

#[path = "support/mod.rs"]
mod support;

use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::pin::pin;
use std::task::Poll;

use runtime::io::{AsyncFd, Interest, Source};

use support::faults::{fail, forward};
use support::{poll_once, run};

thread_local! {
    /// Events that `epoll_wait` has returned.
    static EVENTS: Cell<usize> = const { Cell::new(0) };
    static CTL_ADD: Cell<usize> = const { Cell::new(0) };
    static CTL_MOD: Cell<usize> = const { Cell::new(0) };
    static CTL_DEL: Cell<usize> = const { Cell::new(0) };
    /// Epoll instances and timerfds that are open.
    static MADE: RefCell<Vec<c_int>> = const { RefCell::new(Vec::new()) };
    /// Errors to answer with, once, instead of making the call.
    static FAIL_CREATE: Cell<c_int> = const { Cell::new(0) };
    static FAIL_EVENTFD: Cell<c_int> = const { Cell::new(0) };
    static FAIL_TIMERFD: Cell<c_int> = const { Cell::new(0) };
    static FAIL_WAIT: Cell<c_int> = const { Cell::new(0) };
    /// Which of the coming `epoll_ctl(ADD)` fails, and how.
    static FAIL_ADD: Cell<(usize, c_int)> = const { Cell::new((0, 0)) };
}

/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn epoll_wait(
    epoll: c_int,
    events: *mut libc::epoll_event,
    len: c_int,
    timeout: c_int,
) -> c_int {
    match FAIL_WAIT.take() {
        0 => {
            let n = forward!(SYS_epoll_pwait, epoll, events, len, timeout, 0, 8) as c_int;
            EVENTS.set(EVENTS.get() + n.max(0) as usize);
            n
        }
        error => fail(error),
    }
}

/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn epoll_ctl(
    epoll: c_int,
    op: c_int,
    fd: c_int,
    event: *mut libc::epoll_event,
) -> c_int {
    let count = match op {
        libc::EPOLL_CTL_ADD => &CTL_ADD,
        libc::EPOLL_CTL_MOD => &CTL_MOD,
        _ => &CTL_DEL,
    };
    count.set(count.get() + 1);
    if op == libc::EPOLL_CTL_ADD {
        match FAIL_ADD.get() {
            (1, error) => {
                FAIL_ADD.set((0, 0));
                return fail(error);
            }
            (left, error) => FAIL_ADD.set((left.saturating_sub(1), error)),
        }
    }
    forward!(SYS_epoll_ctl, epoll, op, fd, event) as c_int
}

#[unsafe(no_mangle)]
extern "C" fn epoll_create1(flags: c_int) -> c_int {
    match FAIL_CREATE.take() {
        0 => made(forward!(SYS_epoll_create1, flags) as c_int),
        error => fail(error),
    }
}

#[unsafe(no_mangle)]
extern "C" fn eventfd(initial: u32, flags: c_int) -> c_int {
    match FAIL_EVENTFD.take() {
        0 => forward!(SYS_eventfd2, initial, flags) as c_int,
        error => fail(error),
    }
}

#[unsafe(no_mangle)]
extern "C" fn timerfd_create(clock: c_int, flags: c_int) -> c_int {
    match FAIL_TIMERFD.take() {
        0 => made(forward!(SYS_timerfd_create, clock, flags) as c_int),
        error => fail(error),
    }
}

#[unsafe(no_mangle)]
extern "C" fn close(fd: c_int) -> c_int {
    // At the thread's end the list is gone before the last descriptors are.
    let _ = MADE.try_with(|made| made.borrow_mut().retain(|made| *made != fd));
    forward!(SYS_close, fd) as c_int
}

fn made(fd: c_int) -> c_int {
    MADE.with_borrow_mut(|made| made.push(fd));
    fd
}

fn pair() -> (UnixStream, UnixStream) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    b.set_nonblocking(true).unwrap();
    (a, b)
}

const ROUNDS: usize = 1000;

/// Events for `ROUNDS` requests and replies between two tasks, both of which have waited to write before.
async fn events_of<T: AsFd + 'static>(
    a: T,
    b: T,
    receive: fn(&T, &mut [u8]) -> std::io::Result<usize>,
    send: fn(&T, &[u8]) -> std::io::Result<usize>,
) -> usize {
    let (a, b) = (Source::new(a), Source::new(b));
    a.writable().await.unwrap();
    b.writable().await.unwrap();
    let server = runtime::spawn(async move {
        let mut buf = [0; 64];
        for _ in 0..ROUNDS {
            let n = b.read_with(|io| receive(io, &mut buf)).await.unwrap();
            b.write_with(|io| send(io, &buf[..n])).await.unwrap();
        }
    });
    let before = EVENTS.get();
    let mut buf = [0; 64];
    for _ in 0..ROUNDS {
        a.write_with(|io| send(io, b"request")).await.unwrap();
        assert_eq!(a.read_with(|io| receive(io, &mut buf)).await.unwrap(), 7);
    }
    server.await.unwrap();
    EVENTS.get() - before
}

#[test]
fn a_packet_costs_one_event() {
    // Each side's packet is an event of the other's; OUT, watched without need, would double that: so it
    // is no longer watched once it reports to nobody.
    run(async {
        let (a, b) = pair();
        let events =
            events_of(a, b, |mut io, buf| io.read(buf), |mut io, data| io.write(data)).await;
        assert!((1..=2 * ROUNDS + 10).contains(&events), "Unix stream: {events}");
    });
    run(async {
        let (a, b) = UnixDatagram::pair().unwrap();
        a.set_nonblocking(true).unwrap();
        b.set_nonblocking(true).unwrap();
        let events = events_of(a, b, UnixDatagram::recv, UnixDatagram::send).await;
        assert!((1..=2 * ROUNDS + 10).contains(&events), "Unix datagrams: {events}");
    });
    run(async {
        let [a, b] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        a.connect(b.local_addr().unwrap()).unwrap();
        b.connect(a.local_addr().unwrap()).unwrap();
        a.set_nonblocking(true).unwrap();
        b.set_nonblocking(true).unwrap();
        let events = events_of(a, b, UdpSocket::recv, UdpSocket::send).await;
        assert!((1..=2 * ROUNDS + 10).contains(&events), "UDP: {events}");
    });
}

#[test]
fn room_to_write_is_not_reported_to_two_readers() {
    run(async {
        let (a, mut b) = pair();
        let a = Source::new(a);
        a.writable().await.unwrap();
        let mut readers = [(); 2].map(|()| Box::pin(a.read_with(|mut io| io.read(&mut [0; 8]))));
        assert!(readers.iter_mut().all(|read| poll_once(read.as_mut()).is_pending()));
        let before = EVENTS.get();
        for _ in 0..ROUNDS {
            a.write_with(|mut io| io.write(b"x")).await.unwrap();
            b.read_exact(&mut [0]).unwrap();
            runtime::task::yield_now().await;
        }
        assert!(EVENTS.get() - before <= 2, "{} events", EVENTS.get() - before);
    });
}

/// A listener for exclusive waits, and how to accept from it.
fn exclusive() -> (Source<TcpListener>, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let addr = listener.local_addr().unwrap();
    (Source::new(listener), addr)
}

#[test]
fn an_exclusive_listener_that_nobody_waits_for_is_not_reported_again_and_again() {
    run(async {
        let (listener, addr) = exclusive();
        let wait = || Box::pin(listener.read_exclusive_with(TcpListener::accept));
        assert!(poll_once(wait().as_mut()).is_pending());
        let client = TcpStream::connect(addr).unwrap();
        // It is ready all the time, as it is level-triggered: the loop would never sleep.
        let before = EVENTS.get();
        runtime::time::sleep(std::time::Duration::from_millis(20)).await;
        let reported = EVENTS.get() - before;
        assert!((1..=5).contains(&reported), "{reported} events");

        // Waited for again, it is watched again: for what is there, and for what comes.
        wait().await.unwrap();
        let mut next = wait();
        assert!(poll_once(next.as_mut()).is_pending());
        let another = TcpStream::connect(addr).unwrap();
        next.await.unwrap();
        drop((client, another));
    });
}

#[test]
fn an_exclusive_listener_is_waited_for_on_another_thread() {
    run(async {
        let (listener, addr) = exclusive();
        let listener = std::sync::Arc::new(listener);
        let mut here = Box::pin(listener.read_exclusive_with(TcpListener::accept));
        assert!(poll_once(here.as_mut()).is_pending());
        drop(here);
        let (waits, waiting) = std::sync::mpsc::channel();
        let there = listener.clone();
        let thread = std::thread::spawn(move || {
            runtime::block_on(async move {
                let mut accept = Box::pin(there.read_exclusive_with(TcpListener::accept));
                assert!(poll_once(accept.as_mut()).is_pending());
                waits.send(()).unwrap();
                accept.await.map(drop)
            })
        });
        waiting.recv().unwrap();
        let client = TcpStream::connect(addr).unwrap();
        // The owner's loop has to turn for those who wait elsewhere.
        let joined = runtime::spawn_blocking(move || thread.join().unwrap()).await;
        joined.unwrap().unwrap();
        drop(client);
    });
}

#[test]
fn a_descriptor_is_registered_when_it_first_blocks_and_for_that_direction() {
    run(async {
        let (a, mut b) = pair();
        let a = Source::new(a);
        b.write_all(b"x").unwrap();
        let mut buf = [0; 8];
        assert_eq!(a.read_with(|mut io| io.read(&mut buf)).await.unwrap(), 1);
        assert_eq!(a.write_with(|mut io| io.write(b"x")).await.unwrap(), 1);
        assert_eq!((CTL_ADD.get(), CTL_MOD.get()), (0, 0));

        let mut read = Box::pin(a.read_with(|mut io| io.read(&mut buf)));
        assert!(poll_once(read.as_mut()).is_pending());
        // The reactor's own two and ours.
        assert_eq!((CTL_ADD.get(), CTL_MOD.get()), (3, 0));
        b.write_all(b"x").unwrap();
        assert_eq!(read.await.unwrap(), 1);
        assert!(poll_once(pin!(a.readable())).is_ready());
        assert_eq!((CTL_ADD.get(), CTL_MOD.get()), (3, 0));

        while a.try_io(Interest::WRITABLE, |mut io| io.write(&[0; 65536])).is_ok() {}
        let mut write = Box::pin(a.write_with(|mut io| io.write(&[0; 8])));
        assert!(poll_once(write.as_mut()).is_pending());
        assert_eq!((CTL_ADD.get(), CTL_MOD.get()), (3, 1));
        while b.read(&mut [0; 65536]).is_ok() {}
        assert_eq!(write.await.unwrap(), 8);
        assert_eq!((CTL_ADD.get(), CTL_MOD.get(), CTL_DEL.get()), (3, 1, 0));
        drop(a);
        assert_eq!((CTL_ADD.get(), CTL_MOD.get(), CTL_DEL.get()), (3, 1, 1));

        // One that never blocked is never deregistered.
        drop(Source::new(pair().0));
        assert_eq!(CTL_DEL.get(), 1);
    });
}

#[test]
fn async_fd_registers_in_its_constructor_and_deregisters_in_into_inner() {
    run(async {
        let a = AsyncFd::new(pair().0).unwrap();
        assert_eq!((CTL_ADD.get(), CTL_DEL.get()), (3, 0));
        let _a = a.into_inner();
        assert_eq!((CTL_ADD.get(), CTL_DEL.get()), (3, 1));
    });
}

#[test]
fn a_short_read_of_tcp_saves_the_read_that_would_block() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let a = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut b, _) = listener.accept().unwrap();
        a.set_nonblocking(true).unwrap();
        let a = Source::new(a);
        let calls = Cell::new(0);
        let mut buf = [0; 8];
        let mut read = async |len| {
            a.read_stream(len, |mut io| {
                calls.set(calls.get() + 1);
                io.read(&mut buf[..len])
            })
            .await
            .unwrap()
        };
        assert!(poll_once(pin!(read(8))).is_pending());
        b.write_all(b"abc").unwrap();
        assert_eq!(read(8).await, 3);
        let short = calls.get();
        assert!(poll_once(pin!(read(8))).is_pending());
        assert_eq!(calls.get(), short, "it is known to be empty");
        b.write_all(b"abcd").unwrap();
        assert_eq!(read(4).await, 4);
        let full = calls.get();
        assert!(poll_once(pin!(read(4))).is_pending());
        assert_eq!(calls.get(), full + 1, "a full read proves nothing");
        b.write_all(b"ab").unwrap();
        assert_eq!((read(0).await, read(8).await), (0, 2), "nor does an empty one");
    });
}

#[test]
fn an_interrupted_wait_goes_on() {
    run(async {
        let (a, mut b) = pair();
        let a = AsyncFd::new(a).unwrap();
        b.write_all(b"x").unwrap();
        FAIL_WAIT.set(libc::EINTR);
        a.readable().await.unwrap().retain_ready();
        assert_eq!(FAIL_WAIT.get(), 0, "it was injected");
    });
}

type Injection = (&'static str, fn(), &'static str);

/// A registration that meets an injected error, by `AsyncFd` and by `Source`; then all is well.
async fn refused((call, inject, remedy): Injection) {
    let (a, mut b) = pair();
    inject();
    let (a, error) = AsyncFd::try_new(OwnedFd::from(a)).expect_err(call).into_parts();
    assert!(error.to_string().contains(remedy), "{call}: {error}");
    let left = MADE.with_borrow(Vec::len);

    inject();
    let a = Source::new(UnixStream::from(a));
    let mut buf = [0; 8];
    {
        let mut read = pin!(a.read_with(|mut io| io.read(&mut buf)));
        let Poll::Ready(Err(error)) = poll_once(read.as_mut()) else {
            panic!("{call}: no error");
        };
        assert!(error.to_string().contains(remedy), "{call}: {error}");
    }
    assert_eq!(MADE.with_borrow(Vec::len), left, "{call}: a descriptor leaks");

    let mut read = pin!(a.read_with(|mut io| io.read(&mut buf)));
    assert!(poll_once(read.as_mut()).is_pending());
    b.write_all(b"x").unwrap();
    assert_eq!(read.await.unwrap(), 1);
}

#[test]
fn refusals_are_errors_with_a_remedy_and_leave_nothing_behind() {
    let injections: [Injection; 5] = [
        ("epoll_create1", || FAIL_CREATE.set(libc::EMFILE), "RLIMIT_NOFILE"),
        ("epoll_create1", || FAIL_CREATE.set(libc::ENFILE), "file-max"),
        ("timerfd_create", || FAIL_TIMERFD.set(libc::EMFILE), "RLIMIT_NOFILE"),
        ("ADD of the eventfd", || FAIL_ADD.set((1, libc::ENOSPC)), "max_user_watches"),
        ("ADD of the timerfd", || FAIL_ADD.set((2, libc::ENOSPC)), "max_user_watches"),
    ];
    for injection in injections {
        run(refused(injection));
        assert_eq!(MADE.with_borrow(Vec::len), 0, "{}: a descriptor leaks", injection.0);
    }
    run(async {
        let _others = AsyncFd::new(pair().0).unwrap();
        refused(("ADD of the fd", || FAIL_ADD.set((1, libc::ENOSPC)), "max_user_watches")).await;
    });
}

#[test]
fn a_refused_eventfd_is_an_error_with_a_remedy() {
    // A block keeps its eventfd for the next runtime that gets it: one is needed that is new.
    let mut others = Vec::new();
    loop {
        let runtime = runtime::Runtime::new().unwrap();
        FAIL_EVENTFD.set(libc::EMFILE);
        let _guard = runtime.enter();
        if let Err(error) = AsyncFd::new(pair().0) {
            assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}");
            break;
        }
        drop(_guard);
        others.push(runtime);
        assert!(others.len() < 100, "no eventfd is ever made");
    }
}
