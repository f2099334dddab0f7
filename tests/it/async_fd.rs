//! `AsyncFd`: its guards, its forms, its constructors' answers, and its life on other threads.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::panic::{self, AssertUnwindSafe};
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::thread;

use runtime::io::{AsyncFd, AsyncFdReadyGuard, Interest, Ready, TryIoError};

use crate::support::{limited, poll_once, run, turns};

fn pair() -> (UnixStream, UnixStream) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    (a, b)
}

fn pipe() -> (OwnedFd, OwnedFd) {
    let mut fds = [0; 2];
    // SAFETY: the array has room for two, and what the call makes is ours.
    unsafe {
        assert_eq!(libc::pipe2(fds.as_mut_ptr(), libc::O_NONBLOCK | libc::O_CLOEXEC), 0);
        (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1]))
    }
}

fn drain(mut io: &UnixStream) {
    while io.read(&mut [0; 64]).is_ok() {}
}

#[test]
fn read_with_and_write_with_wait_as_long_as_it_blocks() {
    run(async {
        let (a, b) = pair();
        b.set_nonblocking(true).unwrap();
        let (a, b) = (AsyncFd::new(a).unwrap(), AsyncFd::new(b).unwrap());
        let echo = runtime::spawn(async move {
            let mut buf = [0; 16];
            for _ in 0..100 {
                let n = b.read_with(|mut io| io.read(&mut buf)).await.unwrap();
                b.write_with(|mut io| io.write(&buf[..n])).await.unwrap();
            }
        });
        let mut buf = [0; 16];
        for _ in 0..100 {
            assert_eq!(a.write_with(|mut io| io.write(b"hello")).await.unwrap(), 5);
            assert_eq!(a.read_with(|mut io| io.read(&mut buf)).await.unwrap(), 5);
        }
        echo.await.unwrap();
    });
}

#[test]
fn a_guard_clears_what_it_has_seen_and_the_next_wait_waits() {
    run(async {
        let (a, mut b) = pair();
        let a = AsyncFd::with_interest(a, Interest::READABLE).unwrap();
        assert!(poll_once(pin!(a.readable())).is_pending());
        b.write_all(b"x").unwrap();
        let mut guard = a.readable().await.unwrap();
        assert_eq!(guard.ready(), Ready::READABLE);
        // Not cleared: ready at once, again and again.
        guard.retain_ready();
        assert!(poll_once(pin!(a.readable())).is_ready());
        drain(guard.get_inner());
        guard.clear_ready();
        assert_eq!(guard.ready(), Ready::EMPTY);
        assert!(poll_once(pin!(a.readable())).is_pending());
        b.write_all(b"x").unwrap();
        let mut guard = a.readable().await.unwrap();
        let result: Result<io::Result<usize>, TryIoError> =
            guard.try_io(|fd| fd.get_ref().read(&mut [0; 8]));
        assert_eq!(result.unwrap().unwrap(), 1);
        assert!(guard.try_io(|fd| fd.get_ref().read(&mut [0; 8])).is_err());
        assert!(poll_once(pin!(a.readable())).is_pending());
        // An error of another kind passes through and clears nothing.
        b.write_all(b"x").unwrap();
        let mut guard = a.readable().await.unwrap();
        let result = guard.try_io(|_| io::Result::<()>::Err(ErrorKind::InvalidData.into()));
        assert_eq!(result.unwrap().unwrap_err().kind(), ErrorKind::InvalidData);
        assert!(poll_once(pin!(guard.get_ref().readable())).is_ready());
    });
}

#[test]
fn an_event_that_came_after_a_guard_is_not_cleared_by_it() {
    run(async {
        let (a, mut b) = pair();
        let a = AsyncFd::with_interest(a, Interest::READABLE).unwrap();
        b.write_all(b"x").unwrap();
        let mut guard = a.readable().await.unwrap();
        drain(a.get_ref());
        b.write_all(b"x").unwrap();
        turns().await; // the event is taken
        guard.clear_ready();
        assert!(poll_once(pin!(a.readable())).is_ready());
    });
}

#[test]
fn a_guard_clears_one_direction_alone() {
    run(async {
        let (a, mut b) = pair();
        let a = AsyncFd::new(a).unwrap();
        b.write_all(b"x").unwrap();
        turns().await;
        let mut guard = a.ready(Interest::READABLE | Interest::WRITABLE).await.unwrap();
        assert_eq!(guard.ready(), Ready::READABLE | Ready::WRITABLE);
        guard.clear_ready_matching(Ready::WRITABLE);
        assert_eq!(guard.ready(), Ready::READABLE);
        assert!(poll_once(pin!(a.writable())).is_pending());
        assert!(poll_once(pin!(a.readable())).is_ready());
    });
}

#[test]
fn the_end_of_a_stream_lasts_and_that_of_a_pipe_does_not() {
    run(async {
        let (a, b) = pair();
        let a = AsyncFd::new(a).unwrap();
        drop(b);
        for _ in 0..3 {
            let mut guard = a.readable().await.unwrap();
            assert!(guard.ready().is_read_closed());
            guard.clear_ready();
            let mut guard = a.writable().await.unwrap();
            assert!(guard.ready().is_write_closed());
            guard.clear_ready();
        }

        let (reader, writer) = pipe();
        let reader = AsyncFd::with_interest(reader, Interest::READABLE).unwrap();
        drop(writer);
        let mut guard = reader.readable().await.unwrap();
        assert!(guard.ready().is_read_closed());
        guard.clear_ready();
        assert!(poll_once(pin!(reader.readable())).is_pending());
    });
}

#[test]
fn the_forms_by_mut_are_the_same() {
    run(async {
        let (a, mut b) = pair();
        let mut a = AsyncFd::new(a).unwrap();
        b.write_all(b"x").unwrap();
        {
            let mut guard = a.readable_mut().await.unwrap();
            assert!(guard.ready().is_readable());
            let mut buf = [0; 8];
            assert_eq!(guard.try_io(|fd| fd.get_mut().read(&mut buf)).unwrap().unwrap(), 1);
            assert!(guard.try_io(|fd| fd.get_mut().read(&mut buf)).is_err());
            assert_eq!(guard.ready(), Ready::EMPTY);
            guard.get_inner_mut().flush().unwrap();
            assert_eq!(guard.get_inner().as_raw_fd(), guard.get_ref().as_raw_fd());
            let _: &mut AsyncFd<_> = guard.get_mut();
        }
        assert!(poll_once(pin!(a.readable_mut())).is_pending());
        a.writable_mut().await.unwrap().retain_ready();
        let ready = a.ready_mut(Interest::READABLE | Interest::WRITABLE).await.unwrap().ready();
        assert_eq!(ready, Ready::WRITABLE);
        assert_eq!(a.async_io_mut(Interest::WRITABLE, |io| io.write(b"hi")).await.unwrap(), 2);
        assert_eq!(b.read(&mut [0; 8]).unwrap(), 2);
        let blocked = a.try_io_mut(Interest::READABLE, |io| io.read(&mut [0; 8]));
        assert_eq!(blocked.unwrap_err().kind(), ErrorKind::WouldBlock);
        b.write_all(b"xyz").unwrap();
        let n = poll_fn(|cx| {
            let mut guard = std::task::ready!(a.poll_read_ready_mut(cx)).unwrap();
            match guard.try_io(|fd| fd.get_mut().read(&mut [0; 8])) {
                Ok(result) => Poll::Ready(result.unwrap()),
                Err(_) => panic!("it was ready and is read here alone"),
            }
        });
        assert_eq!(n.await, 3);
        poll_fn(|cx| a.poll_write_ready_mut(cx).map(|guard| drop(guard.unwrap()))).await;
    });
}

#[test]
fn the_poll_forms_wake_everybody_who_polled() {
    run(async {
        let (a, mut b) = pair();
        let a = Rc::new(AsyncFd::new(a).unwrap());
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let a = a.clone();
                runtime::spawn(async move {
                    poll_fn(|cx| a.poll_read_ready(cx).map(|guard| guard.unwrap().ready())).await
                })
            })
            .collect();
        turns().await;
        b.write_all(b"x").unwrap();
        for reader in readers {
            assert!(reader.await.unwrap().is_readable());
        }
        poll_fn(|cx| a.poll_write_ready(cx).map(|guard| drop(guard.unwrap()))).await;
    });
}

#[test]
fn async_io_and_try_io() {
    run(async {
        let (a, b) = UnixDatagram::pair().unwrap();
        a.set_nonblocking(true).unwrap();
        let a = AsyncFd::new(a).unwrap();
        let mut buf = [0; 8];
        let blocked = a.try_io(Interest::READABLE, |socket| socket.recv(&mut buf));
        assert_eq!(blocked.unwrap_err().kind(), ErrorKind::WouldBlock);
        let mut calls = 0;
        let mut receive = Box::pin(a.async_io(Interest::READABLE, |socket| {
            calls += 1;
            if calls == 1 { Err(ErrorKind::Interrupted.into()) } else { socket.recv(&mut buf) }
        }));
        assert!(poll_once(receive.as_mut()).is_pending());
        b.send(b"abc").unwrap();
        assert_eq!(receive.await.unwrap(), 3);
        assert_eq!(calls, 2, "an interrupted call is tried again");
        b.send(b"abc").unwrap();
        // No wait came first, and yet it is tried.
        assert_eq!(a.try_io(Interest::READABLE, |socket| socket.recv(&mut buf)).unwrap(), 3);
    });
}

#[test]
fn what_it_was_not_registered_for_may_be_awaited() {
    run(async {
        let (a, mut b) = pair();
        let a = AsyncFd::with_interest(a, Interest::READABLE).unwrap();
        assert!(a.writable().await.unwrap().ready().is_writable());
        let mut readable = pin!(a.readable());
        assert!(poll_once(readable.as_mut()).is_pending());
        b.write_all(b"x").unwrap();
        readable.await.unwrap().retain_ready();
    });
}

#[test]
fn an_error_is_awaited_alone() {
    run(async {
        let (reader, writer) = pipe();
        let writer = AsyncFd::with_interest(writer, Interest::ERROR).unwrap();
        let mut failed = pin!(writer.ready(Interest::ERROR));
        assert!(poll_once(failed.as_mut()).is_pending());
        turns().await; // room to write is no error
        assert!(poll_once(failed.as_mut()).is_pending());
        drop(reader);
        assert!(failed.await.unwrap().ready().is_error());
    });
}

#[test]
fn urgent_data_is_awaited_as_priority() {
    run(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let a = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (b, _) = listener.accept().unwrap();
        a.set_nonblocking(true).unwrap();
        let a = AsyncFd::with_interest(a, Interest::PRIORITY).unwrap();
        let mut urgent = pin!(a.ready(Interest::PRIORITY));
        assert!(poll_once(urgent.as_mut()).is_pending());
        // SAFETY: the pointer and the length are those of the array.
        let n = unsafe { libc::send(b.as_raw_fd(), [1u8].as_ptr().cast(), 1, libc::MSG_OOB) };
        assert_eq!(n, 1);
        assert!(urgent.await.unwrap().ready().is_priority());
    });
}

#[test]
fn into_inner_deregisters() {
    run(async {
        let (a, mut b) = pair();
        let a = AsyncFd::new(a).unwrap().into_inner();
        let a = AsyncFd::new(a).unwrap();
        assert!(poll_once(pin!(a.readable())).is_pending());
        b.write_all(b"x").unwrap();
        a.readable().await.unwrap().retain_ready();
    });
}

/// Registers its own descriptor when it is dropped.
struct Probe(UnixStream, Rc<Cell<Option<bool>>>);

impl AsRawFd for Probe {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.1.set(Some(AsyncFd::new(self.0.as_fd()).is_ok()));
    }
}

#[test]
fn the_registration_is_gone_before_the_owner_is_dropped() {
    run(async {
        let could_register = Rc::new(Cell::new(None));
        drop(AsyncFd::new(Probe(pair().0, could_register.clone())).unwrap());
        assert_eq!(could_register.get(), Some(true));
    });
}

#[test]
fn a_second_one_for_the_same_fd_is_told_to_duplicate_it() {
    run(async {
        let (a, mut b) = pair();
        let first = AsyncFd::with_interest(a.as_fd(), Interest::READABLE).unwrap();
        let error = AsyncFd::new(a.as_fd()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.to_string().contains("dup"), "{error}");
        // The first has kept its registration.
        let mut readable = pin!(first.readable());
        assert!(poll_once(readable.as_mut()).is_pending());
        let duplicate = AsyncFd::new(a.try_clone().unwrap()).unwrap();
        b.write_all(b"x").unwrap();
        readable.await.unwrap().retain_ready();
        duplicate.readable().await.unwrap().retain_ready();
    });
}

#[test]
fn files_and_directories_are_refused_with_a_sentence() {
    run(async {
        for path in ["Cargo.toml", "."] {
            let file = std::fs::File::open(path).unwrap();
            let number = file.as_raw_fd();
            let error = AsyncFd::try_new(file).unwrap_err();
            let text = error.to_string();
            assert!(text.contains("regular file") && text.contains("spawn_blocking"), "{text}");
            let (file, error) = error.into_parts();
            assert_eq!(file.as_raw_fd(), number);
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            let error = AsyncFd::with_interest(file, Interest::READABLE).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        }
    });
}

thread_local! {
    static PANICKED_AT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The message of a panic, and the file it names.
fn panic_of(f: impl FnOnce()) -> (String, String) {
    static HOOK: Mutex<bool> = Mutex::new(false);
    let mut set = HOOK.lock().unwrap();
    if !*set {
        *set = true;
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICKED_AT.set(info.location().map(|location| location.file().to_string()));
            before(info);
        }));
    }
    drop(set);
    let payload = panic::catch_unwind(AssertUnwindSafe(f)).expect_err("it panics");
    let message = match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload.downcast_ref::<&str>().unwrap().to_string(),
    };
    (message, PANICKED_AT.take().unwrap())
}

#[test]
fn with_no_runtime_the_constructors_panic_at_the_caller() {
    let (a, _b) = pair();
    let interest = Interest::READABLE;
    let constructors: [&dyn Fn(); 4] = [
        &|| drop(AsyncFd::new(a.as_fd())),
        &|| drop(AsyncFd::with_interest(a.as_fd(), interest)),
        &|| drop(AsyncFd::try_new(a.as_fd())),
        &|| drop(AsyncFd::try_with_interest(a.as_fd(), interest)),
    ];
    for constructor in constructors {
        let (message, file) = panic_of(constructor);
        assert!(message.contains("inside block_on"), "{message}");
        assert!(file.ends_with(file!()), "{file}");
    }
}

#[test]
fn under_enter_it_belongs_to_the_runtime_entered() {
    limited(|| {
        let runtime = runtime::Runtime::new().unwrap();
        let (a, mut b) = pair();
        let a = {
            let _guard = runtime.enter();
            AsyncFd::new(a).unwrap()
        };
        b.write_all(b"x").unwrap();
        runtime.block_on(async { a.readable().await.unwrap().retain_ready() });
    });
}

#[test]
fn on_another_thread_it_works_with_any_executor() {
    limited(|| {
        let (a, mut b) = pair();
        let (give, take) = mpsc::channel();
        let (end, ended) = futures::channel::oneshot::channel::<()>();
        let owner = thread::spawn(move || {
            runtime::block_on(async move {
                let a = Arc::new(AsyncFd::new(a).unwrap());
                give.send(a.clone()).unwrap();
                let _ = ended.await;
            });
        });
        let a = take.recv().unwrap();
        let (waits, is_waiting) = mpsc::channel();
        let peer = thread::spawn(move || {
            for _ in 0..3 {
                // Each wait is on before its data comes.
                is_waiting.recv().unwrap();
                b.write_all(b"x").unwrap();
            }
            b
        });
        let read = async |a: &AsyncFd<UnixStream>| {
            let mut waits = Some(waits.clone());
            loop {
                let mut readable = pin!(a.readable());
                let mut guard: AsyncFdReadyGuard<'_, _> = poll_fn(|cx| {
                    let polled = readable.as_mut().poll(cx);
                    if polled.is_pending() {
                        waits.take().map(|waits| waits.send(()));
                    }
                    polled
                })
                .await
                .unwrap();
                if let Ok(result) = guard.try_io(|fd| fd.get_ref().read(&mut [0; 8])) {
                    break result.unwrap();
                }
            }
        };
        assert_eq!(futures::executor::block_on(read(&a)), 1);
        assert_eq!(runtime::block_on(read(&a)), 1);
        assert_eq!(futures::executor::block_on(read(&a)), 1);
        drop(peer.join().unwrap());
        drop(end);
        owner.join().unwrap();
    });
}

#[test]
fn it_is_as_send_and_sync_as_its_owner() {
    fn send_sync<T: Send + Sync>(_: &T) {}
    trait NotSend<Which> {
        fn not_send(&self) {}
    }
    impl<T> NotSend<()> for T {}
    struct IsSend;
    impl<T: Send> NotSend<IsSend> for T {}

    run(async {
        let (a, _b) = pair();
        let a = AsyncFd::new(OwnedFd::from(a)).unwrap();
        send_sync(&a);
        send_sync(&a.readable());
        send_sync(&a.writable().await.unwrap());
        let mut not_send = AsyncFd::new(Probe(pair().0, Rc::default())).unwrap();
        // Ambiguous, and so no test, if it were `Send`.
        not_send.not_send();
        let _ = not_send.get_mut();
        assert!(format!("{a:?}").starts_with("AsyncFd { inner: OwnedFd"), "{a:?}");
        assert_eq!(a.as_fd().as_raw_fd(), a.as_raw_fd());
    });
}

#[test]
fn what_is_always_ready_lets_the_others_run() {
    run(async {
        let (a, _b) = pair();
        let a = AsyncFd::new(a).unwrap();
        let stop = Rc::new(Cell::new(false));
        let spinner = runtime::spawn({
            let stop = stop.clone();
            async move {
                while !stop.get() {
                    a.writable().await.unwrap().retain_ready();
                }
            }
        });
        turns().await;
        stop.set(true);
        spinner.await.unwrap();
    });
}
