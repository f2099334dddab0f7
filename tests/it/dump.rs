//! Dumps: every state, every kind of wait, wherever and whenever one is asked for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future, pending, poll_fn};
use std::os::fd::{AsRawFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net as std_unix;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{LocalBoxFuture, join, join_all};
use futures::stream::FuturesUnordered;
use runtime::dump::{Address, DescriptorKind, Due, Dump, Extent, Socket, State, Task, Wait};
use runtime::io::{AsyncFd, Interest, Source};
use runtime::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use runtime::task::{JoinHandle, yield_now};
use runtime::time::{boottime, sleep};
use runtime::{Builder, Handle, Runtime, epoll, spawn, task, time};

use crate::support::random::Random;
use crate::support::{limited, run, turns};

#[track_caller]
fn named<F: Future + 'static>(name: &str, future: F) -> JoinHandle<F::Output> {
    task::Builder::new().name(name).spawn(future).unwrap()
}

fn dump() -> Dump {
    let dump = Handle::current().dump();
    assert!(dump.is_complete());
    dump
}

#[track_caller]
fn find<'a>(dump: &'a Dump, name: &str) -> &'a Task {
    let mut found = dump.tasks.iter().filter(|task| task.name.as_deref() == Some(name));
    let task = found.next().unwrap_or_else(|| panic!("no {name:?} in\n{dump}"));
    assert!(found.next().is_none(), "{name:?} is there twice in\n{dump}");
    task
}

#[track_caller]
fn waits(dump: &Dump, name: &str) -> Vec<Wait> {
    let task = find(dump, name);
    assert_eq!(task.state, State::Waiting, "{dump}");
    task.waits.clone()
}

/// The socket that a task waits for, alone.
#[track_caller]
fn socket(dump: &Dump, name: &str, of: Interest) -> Socket {
    match &waits(dump, name)[..] {
        [Wait::Fd { descriptor, interest, .. }] if *interest == of => match &descriptor.kind {
            DescriptorKind::Socket(socket) => Socket::clone(socket),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn pair() -> (Source<std_unix::UnixStream>, std_unix::UnixStream) {
    let (a, b) = std_unix::UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    (Source::new(a), b)
}

#[test]
fn sockets_are_told_by_their_addresses() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        let own = client.local_addr().unwrap();
        let (_served, _) = listener.accept().await.unwrap();
        let v6 = UdpSocket::bind("[::1]:0").await.unwrap();
        let v6_address = v6.local_addr().unwrap();
        let tasks = (
            named("accepts", async move { listener.accept().await.map(drop) }),
            named("reads", async move { client.read(&mut [0]).await }),
            named("receives", async move { v6.recv_from(&mut [0]).await.map(drop) }),
        );
        turns().await;
        let dump = dump();

        let tcp = socket(&dump, "accepts", Interest::READABLE);
        assert!(tcp.is_listening);
        assert_eq!((tcp.family, tcp.kind, tcp.protocol), (libc::AF_INET, libc::SOCK_STREAM, 6));
        assert_eq!((tcp.local, tcp.peer), (Some(Address::Ip(address)), None));
        let stream = socket(&dump, "reads", Interest::READABLE);
        assert!(!stream.is_listening);
        assert_eq!(stream.local, Some(Address::Ip(own)));
        assert_eq!(stream.peer, Some(Address::Ip(address)));
        let udp = socket(&dump, "receives", Interest::READABLE);
        assert_eq!((udp.family, udp.kind, udp.protocol), (libc::AF_INET6, libc::SOCK_DGRAM, 17));
        assert_eq!((udp.local, udp.peer), (Some(Address::Ip(v6_address)), None));

        let text = dump.to_string();
        for end in [
            format!("TCP listener {address}"),
            format!("TCP socket {own} connected to {address}"),
            format!("UDP socket {v6_address}"),
        ] {
            let line = text.lines().find(|line| line.ends_with(&end));
            let line = line.unwrap_or_else(|| panic!("no {end:?} in\n{text}"));
            assert!(line.starts_with("    to read from descriptor "), "{line}");
        }
        drop(tasks);
    });
}

/// The longest path that a Unix socket can have, for which the kernel has no room for a zero.
const LONGEST: usize = 108;

#[test]
fn unix_sockets_are_told_by_their_names() {
    run(async {
        let folder = std::env::temp_dir().join(format!("dump-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let short = folder.join("s");
        let fill = "l".repeat(LONGEST - folder.as_os_str().len() - 1);
        let long = folder.join(fill);
        assert_eq!(long.as_os_str().len(), LONGEST);
        let name = format!("dump\0{}", std::process::id()).into_bytes();
        let abstract_name = std_unix::SocketAddr::from_abstract_name(&name).unwrap();

        let listen = |listener: std_unix::UnixListener| {
            listener.set_nonblocking(true).unwrap();
            AsyncFd::new(listener).unwrap()
        };
        let wait = |name: &str, listener: AsyncFd<std_unix::UnixListener>| {
            named(
                name,
                async move { listener.readable().await.map(|mut guard| guard.retain_ready()) },
            )
        };
        let _tasks = [
            wait("long", listen(bind_to_longest(&long))),
            wait("abstract", listen(std_unix::UnixListener::bind_addr(&abstract_name).unwrap())),
        ];
        let _listener = listen(std_unix::UnixListener::bind(&short).unwrap());
        let client = UnixStream::connect(&short).await.unwrap();
        let (unnamed, _other) = UnixStream::pair().unwrap();
        let _clients = [
            named("client", async move { client.readable().await.map(drop) }),
            named("unnamed", async move { unnamed.readable().await.map(drop) }),
        ];
        turns().await;
        let dump = dump();
        std::fs::remove_dir_all(&folder).unwrap();

        let local = |name| socket(&dump, name, Interest::READABLE).local;
        assert_eq!(local("long"), Some(Address::Path(long)));
        assert_eq!(local("abstract"), Some(Address::Abstract(name)));
        let client = socket(&dump, "client", Interest::READABLE);
        assert_eq!(client.local, Some(Address::Unnamed));
        assert_eq!(client.peer, Some(Address::Path(short.clone())));
        let unnamed = socket(&dump, "unnamed", Interest::READABLE);
        assert_eq!((unnamed.local, unnamed.peer), (Some(Address::Unnamed), Some(Address::Unnamed)));
        let text = dump.to_string();
        assert!(text.contains(&format!(": Unix stream socket connected to {short:?}\n")), "{text}");
        let id = std::process::id();
        assert!(text.contains(&format!(": Unix stream listener \"@dump\\x00{id}\"\n")), "{text}");
    });
}

/// As std refuses to.
fn bind_to_longest(path: &std::path::Path) -> std_unix::UnixListener {
    use std::os::fd::FromRawFd;
    use std::os::unix::ffi::OsStrExt;
    // SAFETY: zeroes are a valid address; the pointers are those of it, which outlives the calls; and the
    // descriptor is new.
    #[allow(unsafe_code)]
    unsafe {
        let mut address: libc::sockaddr_un = std::mem::zeroed();
        address.sun_family = libc::AF_UNIX as u16;
        for (place, byte) in address.sun_path.iter_mut().zip(path.as_os_str().as_bytes()) {
            *place = *byte as libc::c_char;
        }
        let fd = libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        assert!(fd >= 0);
        let len = size_of::<libc::sockaddr_un>() as libc::socklen_t;
        assert_eq!(libc::bind(fd, (&raw const address).cast(), len), 0);
        assert_eq!(libc::listen(fd, 1), 0);
        std_unix::UnixListener::from_raw_fd(fd)
    }
}

#[test]
fn a_family_without_a_type_here_is_told_by_its_name() {
    use std::os::fd::{FromRawFd, OwnedFd};
    run(async {
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: the call takes numbers, and the descriptor is new.
        #[allow(unsafe_code)]
        let netlink = unsafe {
            let fd = libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE);
            assert!(fd >= 0);
            Source::new(OwnedFd::from_raw_fd(fd))
        };
        let _task = named("netlink", async move { netlink.readable().await.map(drop) });
        turns().await;
        let dump = dump();
        let socket = socket(&dump, "netlink", Interest::READABLE);
        assert_eq!(socket.local, Some(Address::OfFamily(libc::AF_NETLINK)));
        assert!(dump.to_string().ends_with(": netlink socket"), "{dump}");
    });
}

#[test]
fn what_is_no_socket_is_told_as_the_system_does() {
    run(async {
        let (_sender, pipe) = runtime::net::unix::pipe::pipe().unwrap();
        let link = std::fs::read_link(format!("/proc/self/fd/{}", pipe.as_raw_fd())).unwrap();
        let _task = named("pipe", async move { pipe.readable().await });
        turns().await;
        let dump = dump();
        let [Wait::Fd { descriptor, .. }] = &waits(&dump, "pipe")[..] else { panic!("{dump}") };
        let link = link.into_os_string().into_string().unwrap();
        assert!(link.starts_with("pipe:["));
        assert_eq!(descriptor.kind, DescriptorKind::File(link));
    });
}

#[test]
fn one_descriptor_in_two_directions_is_one_wait_and_two_tasks_have_one_each() {
    run(async {
        let (a, _b) = pair();
        crate::support::fill(|bytes| std::io::Write::write(&mut a.get_ref(), bytes));
        let (fd, a) = (a.as_raw_fd(), Rc::new(a));
        let other = a.clone();
        let _tasks = [
            named("both", async move { join(a.readable(), a.writable()).await.0.map(drop) }),
            named("other", async move { other.readable().await.map(drop) }),
        ];
        turns().await;
        let dump = dump();
        let of = |name| match &waits(&dump, name)[..] {
            [Wait::Fd { descriptor, interest, .. }] => (descriptor.fd, *interest),
            other => panic!("{other:?}"),
        };
        assert_eq!(of("both"), (fd, Interest::READABLE | Interest::WRITABLE));
        assert_eq!(of("other"), (fd, Interest::READABLE));
        assert!(
            dump.to_string().contains(&format!("to read from and to write to descriptor {fd}: "))
        );
    });
}

fn paused() -> Runtime {
    Builder::new().start_paused(true).auto_advance(false).build().unwrap()
}

#[test]
fn deadlines_are_by_the_runtimes_clock() {
    limited(|| {
        paused().block_on(async {
            let _tasks = [
                named("sleep", sleep(Duration::from_secs(90))),
                named("boottime", boottime::sleep(Duration::from_millis(1500))),
                named("never", sleep(Duration::MAX)),
                named("both", async {
                    join(sleep(Duration::from_secs(7200)), sleep(Duration::from_secs(1 << 20)))
                        .await;
                }),
            ];
            yield_now().await;
            let due = |dump: &Dump, name| match waits(dump, name)[..] {
                [Wait::Deadline { due, counts_suspend, .. }] => (due, counts_suspend),
                ref other => panic!("{other:?}"),
            };
            let first = dump();
            assert!(first.is_clock_paused);
            assert_eq!(due(&first, "sleep"), (Due::In(Duration::from_secs(90)), false));
            assert_eq!(due(&first, "boottime"), (Due::In(Duration::from_millis(1500)), true));
            assert_eq!(due(&first, "never"), (Due::Never, false));
            assert_eq!(waits(&first, "both").len(), 2);
            let text = first.to_string();
            for line in [
                "    for a deadline in 1 min 30 s",
                "    for a deadline in 1.5 s, counting suspend",
                "    for a deadline that never comes",
                "    for a deadline in 2 h 0 min",
                "    for a deadline in 12 days",
            ] {
                assert!(text.lines().any(|found| found == line), "no {line:?} in\n{text}");
            }
            assert!(text.lines().next().unwrap().ends_with("; its clock is paused"), "{text}");

            time::advance(Duration::from_secs(60)).await;
            assert_eq!(due(&dump(), "sleep"), (Due::In(Duration::from_secs(30)), false));
        });
    });
}

#[test]
fn a_deadline_that_has_come_and_was_not_looked_at_is_overdue() {
    limited(|| {
        let late = loop {
            let late = runtime::block_on(async {
                named("sleep", sleep(Duration::from_millis(1)));
                yield_now().await;
                // In one poll the loop does not look.
                thread::sleep(Duration::from_millis(3));
                dump()
            });
            // On a busy machine the sleep may be over when it is first polled.
            if late.tasks.iter().any(|task| task.state == State::Waiting) {
                break late;
            }
        };
        let overdue = |due| matches!(due, Due::Overdue(over) if over >= Duration::from_millis(1));
        match waits(&late, "sleep")[..] {
            [Wait::Deadline { due, .. }] => assert!(overdue(due), "{due:?}"),
            ref other => panic!("{other:?}"),
        }
    });
}

#[test]
fn joins_are_told_by_what_is_joined() {
    run(async {
        let end = named("end", pending::<()>());
        let (id, line) = (end.id(), line!() - 1);
        let anonymous = spawn(async { end.await.map(drop) });
        let anonymous_id = anonymous.id();
        let middle = named("middle", async { anonymous.await.unwrap() });
        turns().await;
        let dump = dump();
        let seen = dump.tasks.iter().find(|task| task.id == Some(anonymous_id)).unwrap();
        match &seen.waits[..] {
            [Wait::Join { id: joined, name, place, .. }] => {
                assert_eq!((*joined, name.as_deref(), place.line()), (id, Some("end"), line));
                assert!(place.file().ends_with("dump.rs"));
            }
            other => panic!("{other:?}"),
        }
        match &waits(&dump, "middle")[..] {
            [Wait::Join { id, name: None, .. }] => assert_eq!(*id, anonymous_id),
            other => panic!("{other:?}"),
        }
        assert_eq!(waits(&dump, "end"), [Wait::Other]);
        let text = dump.to_string();
        assert!(text.contains(&format!(
            "\n    for task {id} \"end\", spawned at tests/it/dump.rs:{line}:"
        )));
        assert!(
            text.contains(&format!("\n    for task {anonymous_id}, spawned at tests/it/")),
            "{text}"
        );
        drop(middle);
    });
}

#[test]
fn what_the_runtime_does_not_know_is_something_else() {
    run(async {
        let (_sender, receiver) = async_channel::bounded::<()>(1);
        let (_other, release) = mpsc::channel::<()>();
        let _tasks = [
            named("channel", async move { receiver.recv().await.is_ok() }),
            named("closure", async move {
                runtime::spawn_blocking(move || release.recv().is_ok()).await.unwrap()
            }),
        ];
        turns().await;
        let dump = dump();
        assert_eq!(waits(&dump, "channel"), [Wait::Other]);
        assert_eq!(waits(&dump, "closure"), [Wait::Other]);
        assert_eq!(dump.blocking, 1);
        assert!(
            dump.to_string().lines().next().unwrap().ends_with("; 1 blocking closure"),
            "{dump}"
        );
    });
}

#[test]
fn every_state_and_the_order_of_them() {
    run(async {
        let names = |dump: &Dump| -> Vec<(State, String)> {
            let name = |task: &Task| task.name.clone().unwrap_or("block_on".to_string());
            dump.tasks.iter().map(|task| (task.state, name(task))).collect()
        };
        let pair = |state, name: &str| (state, name.to_string());
        let done = named("done", async {});
        let waits = named("waits", pending::<()>());
        let aborted = named("aborted", pending::<()>());
        drop(named("detached", async {}));
        yield_now().await;
        let ready = named("ready", pending::<()>());
        aborted.abort();
        assert_eq!(
            names(&dump()),
            [
                pair(State::Running, "block_on"),
                pair(State::Ready, "ready"),
                pair(State::Cancelling, "aborted"),
                pair(State::Waiting, "waits"),
                pair(State::Complete, "done"),
            ]
        );
        let text = dump().to_string();
        let first =
            "block_on and 4 tasks: 1 running, 1 ready, 1 to be cancelled, 1 waiting, 1 complete";
        assert!(text.lines().next().unwrap().ends_with(first), "{text}");

        // The same from a task.
        let asks = named("asks", async { Handle::current().dump() });
        let asks_id = asks.id();
        let seen = asks.await.unwrap();
        let running = seen.tasks.iter().filter(|task| task.state == State::Running);
        assert_eq!(running.map(|task| task.id).collect::<Vec<_>>(), [Some(asks_id)]);
        match &seen.tasks.iter().find(|task| task.id.is_none()).unwrap().waits[..] {
            [Wait::Join { id, .. }] => assert_eq!(*id, asks_id),
            other => panic!("{other:?}"),
        }
        drop((done, waits, aborted, ready));
    });
}

#[test]
fn the_future_of_block_on_is_there_while_it_runs() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let root = |dump: Dump| -> Option<u32> {
            let root = dump.tasks.iter().find(|task| task.id.is_none())?;
            assert!(dump.to_string().contains(&format!("to block_on at {}", root.place)), "{dump}");
            Some(root.place.line())
        };
        let asks = || async { Handle::current().dump() };
        assert_eq!(root(runtime.dump()), None);
        assert_eq!(root(runtime.block_on(asks())), Some(line!()));
        assert_eq!(root(runtime.handle().block_on(asks())), Some(line!()));
        let panicked = || runtime.block_on(async { panic!("the root's own") });
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panicked)).is_err());

        // A host's turn has none.
        let task = runtime.spawn(asks());
        runtime.turn(Some(Duration::ZERO)).unwrap();
        assert_eq!(root(runtime.block_on(task).unwrap()), None);
        assert_eq!(root(runtime.dump()), None);
        assert_eq!(runtime.dump().tasks.len(), 0);
    });
}

#[test]
fn ages_and_polls_are_there_where_the_runtime_counts() {
    limited(|| {
        let three = || async {
            yield_now().await;
            yield_now().await;
            pending::<()>().await
        };
        Builder::new().metrics(true).build().unwrap().block_on(async {
            let _tasks = (named("old", three()), named("done", async {}));
            turns().await;
            thread::sleep(Duration::from_millis(2));
            let between = time::Instant::now();
            named("young", pending::<()>());
            turns().await;
            let dump = dump();
            let of = |name| find(&dump, name);
            assert_eq!(of("old").polls, Some(3));
            assert_eq!(of("young").polls, Some(1));
            assert_eq!(of("done").polls, None);
            // Each is from a look at the clock of its own.
            assert!(of("old").age.unwrap() >= Duration::from_millis(2));
            assert!(of("young").age.unwrap() <= between.elapsed());
            let root = dump.tasks.iter().find(|task| task.id.is_none()).unwrap();
            assert_eq!((root.age, root.polls), (None, None));
            let text = dump.to_string();
            assert!(text.contains(" old, polled 3 times\n"), "{text}");
            assert!(text.contains(" old, polled once\n"), "{text}");
        });
        Runtime::new().unwrap().block_on(async {
            named("task", three());
            turns().await;
            let dump = dump();
            assert_eq!((find(&dump, "task").age, find(&dump, "task").polls), (None, None));
        });
    });
}

/// A waker of somebody else's.
struct Foreign;

impl Wake for Foreign {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn who_waits_with_a_waker_of_its_own_is_listed_apart() {
    limited(|| {
        paused().block_on(async {
            let (a, _b) = pair();
            let fd = a.as_raw_fd();
            let set = FuturesUnordered::from_iter([
                Box::pin(sleep(Duration::from_secs(3))) as Pin<Box<dyn Future<Output = ()>>>,
                Box::pin(async move { a.readable().await.map(drop).unwrap() }),
            ]);
            let _task = named("set", set.collect::<Vec<()>>());
            let mut nap = pin!(sleep(Duration::from_secs(5)));
            let foreign = Waker::from(Arc::new(Foreign));
            assert!(nap.as_mut().poll(&mut Context::from_waker(&foreign)).is_pending());
            turns().await;
            let dump = dump();
            assert_eq!(waits(&dump, "set"), [Wait::Other]);
            let (mut deadlines, mut fds) = (Vec::new(), Vec::new());
            for wait in &dump.others {
                match wait {
                    Wait::Deadline { due: Due::In(left), .. } => deadlines.push(left.as_secs()),
                    Wait::Fd { descriptor, .. } => fds.push(descriptor.fd),
                    other => panic!("{other:?}"),
                }
            }
            deadlines.sort();
            assert_eq!((deadlines, fds), (vec![3, 5], vec![fd]));
            let text = dump.to_string();
            let others = text.split("\n\nothers, which are no tasks of it, wait\n").nth(1);
            assert_eq!(others.expect(&text).lines().count(), 3, "{text}");
        });
    });
}

#[test]
fn the_task_of_another_runtime_is_another() {
    limited(|| {
        let (one, other) = (paused(), Rc::new(paused()));
        // At the same place in both.
        other.spawn(pending::<()>());
        let waits = one.spawn({
            let other = other.clone();
            async move {
                let mut nap = {
                    let _entered = other.enter();
                    Box::pin(sleep(Duration::from_secs(9)))
                };
                poll_fn(|cx| {
                    let _entered = other.enter();
                    nap.as_mut().poll(cx)
                })
                .await;
            }
        });
        one.run_until_stalled();
        other.run_until_stalled();
        let dump = other.dump();
        assert_eq!(dump.tasks.len(), 1, "{dump}");
        assert_eq!(dump.tasks[0].waits, [Wait::Other], "{dump}");
        assert!(matches!(dump.others[..], [Wait::Deadline { .. }]), "{dump}");
        assert_eq!(one.dump().tasks[0].waits, [Wait::Other], "{}", one.dump());
        drop(waits);
    });
}

#[test]
fn a_descriptor_that_nobody_waits_for_is_idle() {
    run(async {
        let (a, _b) = pair();
        let fd = a.as_raw_fd();
        assert!(crate::support::poll_once(pin!(a.readable())).is_pending());
        let dump = dump();
        assert_eq!(dump.idle.iter().map(|idle| idle.fd).collect::<Vec<_>>(), [fd]);
        let line =
            format!("\n\nnobody waits for\n    descriptor {fd}: Unix stream socket connected to");
        assert!(dump.to_string().contains(&line), "{dump}");
        drop(a);
        assert_eq!(Handle::current().dump().idle, []);
    });
}

#[test]
fn a_descriptor_that_is_closed_under_its_owner_is_told() {
    run(async {
        let (a, b) = std_unix::UnixStream::pair().unwrap();
        a.set_nonblocking(true).unwrap();
        /// A number, closed or not.
        struct Number(RawFd);
        impl AsRawFd for Number {
            fn as_raw_fd(&self) -> RawFd {
                self.0
            }
        }
        // Moved up, where no other test of this process comes by.
        // SAFETY: the call takes numbers.
        #[allow(unsafe_code)]
        let high = unsafe { libc::fcntl(a.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 900) };
        let fd = AsyncFd::new(Number(high)).unwrap();
        drop(a);
        // SAFETY: nobody else has the number.
        #[allow(unsafe_code)]
        unsafe {
            libc::close(high)
        };
        let dump = dump();
        assert_eq!(dump.idle.len(), 1);
        assert_eq!(dump.idle[0].kind, DescriptorKind::Closed);
        drop((fd, b));
    });
}

/// Asks until the runtime comes round, which on a loaded machine may take longer than one asks.
fn ask(handle: &Handle) -> Dump {
    loop {
        let dump = handle.dump();
        if !matches!(dump.extent, Extent::NoAnswer { .. }) {
            return dump;
        }
    }
}

#[test]
fn other_threads_get_the_same() {
    run(async {
        let handle = Handle::current();
        named("waits", sleep(Duration::from_secs(60)));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let handle = handle.clone();
                runtime::spawn_blocking(move || ask(&handle))
            })
            .collect();
        for thread in threads {
            let dump = thread.await.unwrap();
            assert_eq!(dump.extent, Extent::Complete);
            assert!(matches!(waits(&dump, "waits")[..], [Wait::Deadline { .. }]));
            // Nothing runs while the loop carries out what others ask.
            let root = dump.tasks.iter().find(|task| task.id.is_none()).unwrap();
            assert_ne!(root.state, State::Running, "{dump}");
        }
    });
}

/// Calls when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0();
    }
}

#[test]
fn a_dump_may_be_asked_for_wherever_foreign_code_runs() {
    run(async {
        /// Dumps when it is woken, and when it goes; its runtime's name is in every dump.
        struct Dumping(Handle, mpsc::Sender<usize>);
        impl Wake for Dumping {
            fn wake(self: Arc<Self>) {
                self.1.send(self.0.dump().tasks.len()).unwrap();
            }
        }
        impl Drop for Dumping {
            fn drop(&mut self) {
                self.1.send(self.0.dump().tasks.len()).unwrap();
            }
        }
        let (sender, dumps) = mpsc::channel();
        let waker = || Waker::from(Arc::new(Dumping(Handle::current(), sender.clone())));
        let dumped = |times: usize| {
            let counts: Vec<usize> = dumps.try_iter().collect();
            assert_eq!(counts.len(), times, "{counts:?}");
            assert!(counts.iter().all(|count| *count >= 1), "{counts:?}");
        };

        // A waker of a deadline, woken and dropped by the loop; and replaced. By the test clock it is not over before.
        time::pause();
        let mut nap = Box::pin(sleep(Duration::from_millis(1)));
        assert!(nap.as_mut().poll(&mut Context::from_waker(&waker())).is_pending());
        assert!(nap.as_mut().poll(&mut Context::from_waker(&waker())).is_pending());
        dumped(1);
        sleep(Duration::from_millis(2)).await;
        turns().await;
        dumped(2);

        // Of a descriptor.
        let (a, mut b) = pair();
        let mut readable = Box::pin(a.readable());
        assert!(readable.as_mut().poll(&mut Context::from_waker(&waker())).is_pending());
        std::io::Write::write_all(&mut b, b"x").unwrap();
        turns().await;
        dumped(2);
        drop(readable);

        // Of a join, by the end of the task.
        let mut handle = spawn(yield_now());
        assert!(Pin::new(&mut handle).poll(&mut Context::from_waker(&waker())).is_pending());
        turns().await;
        dumped(2);

        // An output and a future that dump as they go.
        let on_drop = || {
            let (handle, sender) = (Handle::current(), sender.clone());
            OnDrop(move || sender.send(handle.dump().tasks.len()).unwrap())
        };
        let output = on_drop();
        drop(spawn(async move { output }));
        turns().await;
        dumped(1);
        let future = on_drop();
        let aborted = spawn(async move {
            let _future = future;
            pending::<()>().await
        });
        yield_now().await;
        assert!(aborted.cancel().await.is_err());
        dumped(1);
    });
}

#[test]
fn while_the_runtime_is_dropped_its_tasks_are_there() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let (handle, seen) = (runtime.handle().clone(), Rc::new(RefCell::new(None)));
        let dumping = OnDrop({
            let seen = seen.clone();
            move || drop(seen.borrow_mut().replace(handle.dump()))
        });
        runtime.block_on(async {
            named("first", async move {
                let _dumping = dumping;
                pending::<()>().await
            });
            named("second", pending::<()>());
            yield_now().await;
        });
        drop(runtime);
        let dump = seen.take().unwrap();
        assert_eq!(dump.extent, Extent::Complete);
        assert_eq!(find(&dump, "first").state, State::Running);
        assert_eq!(waits(&dump, "second"), [Wait::Other]);
    });
}

#[test]
fn a_runtime_that_is_gone_says_so() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let handle = runtime.handle().clone();
        let elsewhere = handle.clone();
        let _guard = handle.enter();
        drop(runtime);
        for dump in [handle.dump(), thread::spawn(move || elsewhere.dump()).join().unwrap()] {
            assert_eq!((dump.extent, dump.tasks.len()), (Extent::Gone, 0));
            assert_eq!(dump.to_string(), format!("runtime {}: it has been dropped", handle.id()));
        }
    });
}

#[test]
fn a_runtime_that_goes_while_it_is_asked_says_so() {
    // Again, if this thread was kept from its processor for as long as one asks.
    while goes_while_it_is_asked() != Extent::Gone {}
}

fn goes_while_it_is_asked() -> Extent {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        runtime.prepare().unwrap();
        let handle = runtime.handle().clone();
        let asking = thread::spawn(move || handle.dump());
        // The question makes it readable.
        let mut fds = [epoll::PollFd::new(&runtime, epoll::Flags::IN)];
        epoll::poll(&mut fds, None).unwrap();
        drop(runtime);
        asking.join().unwrap().extent
    })
}

#[test]
fn a_runtime_that_nobody_drives_gives_no_answer() {
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let handle = runtime.handle().clone();
        let (closure, release) = mpsc::channel::<()>();
        runtime.spawn_blocking(move || release.recv());
        let ask = || {
            let handle = handle.clone();
            thread::spawn(move || handle.dump()).join().unwrap()
        };
        let dump = ask();
        let Extent::NoAnswer { was_asleep, .. } = dump.extent else { panic!("{dump}") };
        assert!(!was_asleep && !dump.is_complete());
        assert_eq!((dump.tasks.len(), dump.blocking), (0, 1));
        let text = dump.to_string();
        assert!(text.contains(": no answer. It was not asleep when it was asked: "), "{text}");
        assert!(text.ends_with("; 1 blocking closure"), "{text}");

        // Parked for a host, which does not come.
        runtime.run_until_stalled();
        runtime.turn(Some(Duration::ZERO)).unwrap();
        let dump = ask();
        let Extent::NoAnswer { was_asleep, .. } = dump.extent else { panic!("{dump}") };
        assert!(was_asleep, "{dump}");
        assert!(
            dump.to_string().contains(": no answer. It was asleep when it was asked: "),
            "{dump}"
        );

        // The one who asks is long gone when the runtime comes round.
        runtime.run_until_stalled();
        assert!(runtime.dump().is_complete());
        drop(closure);
    });
}

#[test]
fn a_loop_that_hangs_gives_no_answer() {
    run(async {
        let handle = Handle::current();
        let asked = thread::spawn(move || handle.dump());
        // The thread that asks is the one that this poll waits for.
        let dump = asked.join().unwrap();
        let Extent::NoAnswer { was_asleep, .. } = dump.extent else { panic!("{dump}") };
        assert!(!was_asleep);
        turns().await;
        assert!(Handle::current().dump().is_complete());
    });
}

#[test]
fn a_poll_that_hangs_is_in_a_dump_without_an_answer() {
    limited(|| {
        let threshold = Duration::from_secs(3600);
        let runtime = Builder::new().stall_threshold(threshold).build().unwrap();
        let handle = runtime.handle().clone();
        let (send, dumps) = mpsc::channel();
        let hangs = runtime.block_on(async {
            let asks = named("hangs", async move {
                // The thread that asks is the one that this poll waits for.
                send.send(thread::spawn(move || handle.dump()).join().unwrap()).unwrap();
            });
            let id = asks.id();
            asks.await.unwrap();
            id
        });
        let dump = dumps.recv().unwrap();
        let poll = dump.under_way.as_ref().unwrap_or_else(|| panic!("{dump}"));
        assert_eq!((poll.task, poll.name.as_deref()), (Some(hangs), Some("hangs")));
        assert!(poll.held >= Duration::from_secs(1) && !poll.ended, "{dump}");
        let says = ": no answer: the task \"hangs\" spawned at tests/it/dump.rs:";
        assert!(dump.to_string().contains(says), "{dump}");
        assert!(runtime.dump().under_way.is_none());
    });
}

#[test]
fn two_runtimes_that_ask_each_other_both_go_on() {
    limited(|| {
        let (send_first, first) = mpsc::channel();
        let (send_second, second) = mpsc::channel();
        let meet = Arc::new(std::sync::Barrier::new(2));
        let asker = |send: mpsc::Sender<Handle>, other: mpsc::Receiver<Handle>| {
            let meet = meet.clone();
            thread::spawn(move || {
                runtime::block_on(async move {
                    send.send(Handle::current()).unwrap();
                    let other = other.recv().unwrap();
                    meet.wait();
                    drop(other.dump());
                    // Both are asked while they ask.
                    meet.wait();
                });
            })
        };
        let threads = [asker(send_first, second), asker(send_second, first)];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_hundred_thousand_tasks() {
    limited(|| {
        paused().block_on(async {
            const TASKS: u64 = 100_000;
            let mut last = None;
            for number in 0..TASKS {
                let joined = last.take();
                last = Some(spawn(async move {
                    match joined {
                        Some(joined) if number % 2 == 0 => drop::<Result<(), _>>(joined.await),
                        _ => sleep(Duration::from_secs(number + 1)).await,
                    }
                }));
            }
            turns().await;
            turns().await;
            turns().await;
            turns().await;
            let dump = dump();
            let mut counts = BTreeMap::new();
            for task in dump.tasks.iter().filter(|task| task.id.is_some()) {
                let [wait] = &task.waits[..] else { panic!("{task}") };
                let kind = match wait {
                    Wait::Join { .. } => "join",
                    Wait::Deadline { .. } => "deadline",
                    _ => panic!("{task}"),
                };
                *counts.entry(kind).or_insert(0) += 1;
            }
            assert_eq!(
                counts,
                BTreeMap::from([("deadline", TASKS / 2 + 1), ("join", TASKS / 2 - 1)])
            );
            assert!(dump.to_string().lines().count() > 2 * TASKS as usize);
        });
    });
}

/// What a task of the model waits for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Waits {
    /// To read from the socket of this number.
    Socket(usize),
    /// Until this second.
    Deadline(u64),
    Boottime(u64),
    /// For the task of this number.
    Join(usize),
    /// For the channel of this number.
    Channel(usize),
}

/// A task of the model. Its number is its name.
#[derive(Default)]
struct Modelled {
    waits: Vec<Waits>,
    /// It is ready whenever it is looked at.
    spins: bool,
    /// It was aborted, and has not been dropped.
    aborted: bool,
    /// Its output, or that it was cancelled, waits for somebody.
    complete: bool,
    /// Nobody joins it.
    detached: bool,
}

/// Random tasks, and what a dump must say of them.
struct Model {
    random: Random,
    tasks: BTreeMap<usize, Modelled>,
    handles: BTreeMap<usize, JoinHandle<()>>,
    sockets: Vec<(Rc<Source<std_unix::UnixStream>>, std_unix::UnixStream)>,
    channels: Vec<(async_channel::Sender<()>, async_channel::Receiver<()>)>,
    next: usize,
    now: u64,
}

impl Model {
    fn new(seed: u64) -> Model {
        let socket = || {
            let (a, b) = pair();
            (Rc::new(a), b)
        };
        Model {
            random: Random::new(seed),
            tasks: BTreeMap::new(),
            handles: BTreeMap::new(),
            sockets: (0..4).map(|_| socket()).collect(),
            channels: (0..3).map(|_| async_channel::unbounded()).collect(),
            next: 0,
            now: 0,
        }
    }

    fn any(&mut self, numbers: Vec<usize>) -> Option<usize> {
        (!numbers.is_empty()).then(|| numbers[self.random.below(numbers.len())])
    }

    fn one_wait(&mut self) -> (Waits, LocalBoxFuture<'static, ()>) {
        let soon = self.now + 1 + self.random.below(20) as u64;
        let left = Duration::from_secs(soon - self.now);
        match self.random.below(5) {
            0 => {
                let number = self.random.below(self.sockets.len());
                let socket = self.sockets[number].0.clone();
                let read = async move { socket.readable().await.map(drop).unwrap() };
                (Waits::Socket(number), Box::pin(read))
            }
            1 => (Waits::Deadline(soon), Box::pin(sleep(left))),
            2 => (Waits::Boottime(soon), Box::pin(boottime::sleep(left))),
            3 => match self.any(self.handles.keys().copied().collect()) {
                Some(number) => {
                    let handle = self.handles.remove(&number).unwrap();
                    (Waits::Join(number), Box::pin(async { handle.await.unwrap_or(()) }))
                }
                None => (Waits::Deadline(soon), Box::pin(sleep(left))),
            },
            _ => {
                let number = self.random.below(self.channels.len());
                let receiver = self.channels[number].1.clone();
                // Every receiver gets the word that the channel is closed.
                (
                    Waits::Channel(number),
                    Box::pin(async move { receiver.recv().await.unwrap_or(()) }),
                )
            }
        }
    }

    fn spawn(&mut self) {
        let (waits, futures): (Vec<_>, Vec<_>) =
            (0..self.random.below(4)).map(|_| self.one_wait()).unzip();
        let spins = self.random.below(6) == 0;
        let task = named(&self.next.to_string(), async move {
            // Few are polled one after another, with the task's own waker.
            join_all(futures).await;
            if spins {
                loop {
                    yield_now().await;
                }
            }
        });
        let detached = self.random.below(4) == 0;
        if !detached {
            self.handles.insert(self.next, task);
        }
        self.tasks.insert(self.next, Modelled { waits, spins, detached, ..Modelled::default() });
        self.next += 1;
    }

    /// Something happens that wakes tasks, or ends them.
    async fn event(&mut self) {
        match self.random.below(6) {
            0 => {
                let number = self.random.below(self.sockets.len());
                let (a, b) = pair();
                let (_, mut old) = std::mem::replace(&mut self.sockets[number], (Rc::new(a), b));
                // If nobody waits for it, it is gone.
                let _ = std::io::Write::write_all(&mut old, b"x");
                self.done(|wait| wait == Waits::Socket(number));
            }
            1 => {
                let by = self.random.below(8) as u64;
                self.now += by;
                time::advance(Duration::from_secs(by)).await;
                let now = self.now;
                self.done(|wait| match wait {
                    Waits::Deadline(at) | Waits::Boottime(at) => at <= now,
                    _ => false,
                });
            }
            2 => {
                let number = self.random.below(self.channels.len());
                self.channels[number].0.close();
                self.channels[number] = async_channel::unbounded();
                self.done(|wait| wait == Waits::Channel(number));
            }
            3 => {
                if let Some(number) = self.any(self.handles.keys().copied().collect()) {
                    self.handles[&number].abort();
                    let task = self.tasks.get_mut(&number).unwrap();
                    task.aborted = !task.complete;
                    self.check();
                }
            }
            4 => {
                if let Some(number) = self.any(self.handles.keys().copied().collect()) {
                    drop(self.handles.remove(&number));
                    self.tasks.get_mut(&number).unwrap().detached = true;
                }
            }
            _ => self.spawn(),
        }
        self.settle().await;
    }

    /// These have come.
    fn done(&mut self, is: impl Fn(Waits) -> bool) {
        self.tasks.values_mut().for_each(|task| task.waits.retain(|wait| !is(*wait)));
    }

    /// Lets every task run that is ready. Some end, others have waited for that.
    async fn settle(&mut self) {
        turns().await;
        loop {
            let ends = |task: &Modelled| {
                !task.complete && (task.aborted || task.waits.is_empty() && !task.spins)
            };
            let ended = self.tasks.iter().find(|(_, task)| ends(task)).map(|(number, _)| *number);
            if let Some(number) = ended {
                let task = self.tasks.get_mut(&number).unwrap();
                task.complete = true;
                for wait in std::mem::take(&mut task.waits) {
                    // With its future went the handles in it.
                    if let Waits::Join(joined) = wait {
                        self.tasks.get_mut(&joined).unwrap().detached = true;
                    }
                }
                continue;
            }
            let is_complete = |wait: &Waits| match wait {
                Waits::Join(number) => self.tasks[number].complete.then_some(*number),
                _ => None,
            };
            let joined =
                self.tasks.values().find_map(|task| task.waits.iter().find_map(is_complete));
            let Some(joined) = joined else { break };
            self.done(|wait| wait == Waits::Join(joined));
            self.tasks.remove(&joined);
        }
        self.tasks.retain(|_, task| !(task.complete && task.detached));
        self.check();
    }

    fn expected(&self) -> BTreeMap<usize, (State, Vec<Waits>)> {
        let state = |task: &Modelled| match task {
            Modelled { complete: true, .. } => State::Complete,
            Modelled { aborted: true, .. } => State::Cancelling,
            Modelled { waits, spins: true, .. } if waits.is_empty() => State::Ready,
            _ => State::Waiting,
        };
        let mut expected = BTreeMap::new();
        for (number, task) in &self.tasks {
            // Of a socket there is one wait a task, and channels are not known.
            let is_known = |wait: &&Waits| !matches!(wait, Waits::Channel(_));
            let mut waits: Vec<Waits> = task.waits.iter().filter(is_known).copied().collect();
            waits.sort();
            let (mut sockets, others): (Vec<_>, Vec<_>) =
                waits.into_iter().partition(|wait| matches!(wait, Waits::Socket(_)));
            sockets.dedup();
            sockets.extend(others);
            expected.insert(*number, (state(task), sockets));
        }
        expected
    }

    fn check(&self) {
        let dump = dump();
        let mut seen = BTreeMap::new();
        for task in dump.tasks.iter().filter(|task| task.id.is_some()) {
            let number: usize = task.name.as_deref().unwrap().parse().unwrap();
            let mut waits: Vec<Waits> =
                task.waits.iter().filter_map(|wait| self.model_of(wait)).collect();
            waits.sort();
            let other = task.waits.contains(&Wait::Other);
            let of_channel = |wait: &Waits| matches!(wait, Waits::Channel(_));
            let only_channels = task.state == State::Waiting
                && self.tasks.get(&number).is_some_and(|task| task.waits.iter().all(of_channel));
            assert_eq!(other, only_channels, "task {number}: {task}");
            seen.insert(number, (task.state, waits));
        }
        assert_eq!(seen, self.expected(), "\n{dump}");
        assert_eq!(dump.others, []);
    }

    fn model_of(&self, wait: &Wait) -> Option<Waits> {
        let seconds = |due: &Due| match due {
            Due::In(left) => self.now + left.as_secs(),
            other => panic!("{other:?}"),
        };
        match wait {
            Wait::Fd { descriptor, interest: Interest::READABLE, .. } => {
                let is = |(a, _): &(Rc<Source<_>>, _)| a.as_raw_fd() == descriptor.fd;
                Some(Waits::Socket(self.sockets.iter().position(is).unwrap()))
            }
            Wait::Deadline { due, counts_suspend: false, .. } => {
                Some(Waits::Deadline(seconds(due)))
            }
            Wait::Deadline { due, counts_suspend: true, .. } => Some(Waits::Boottime(seconds(due))),
            Wait::Join { name, .. } => Some(Waits::Join(name.as_deref().unwrap().parse().unwrap())),
            Wait::Other => None,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_dump_says_what_a_model_says() {
    let seed = std::env::var("DUMP_MODEL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = seed.map_or(0..40, |seed| seed..seed + 1);
    for seed in seeds {
        let played = std::panic::catch_unwind(|| {
            limited(|| {
                paused().block_on(async {
                    let mut model = Model::new(seed);
                    (0..6).for_each(|_| model.spawn());
                    model.settle().await;
                    for _ in 0..40 {
                        model.event().await;
                    }
                });
            });
        });
        if let Err(panic) = played {
            eprintln!("DUMP_MODEL_SEED={seed} repeats it");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn a_name_with_a_line_break_stays_on_its_line() {
    run(async {
        let path = std::env::temp_dir().join(format!("a\nfifo-{}", std::process::id()));
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let reader = runtime::net::unix::pipe::OpenOptions::new().open_receiver(&path).unwrap();
        let reads = named("reads", async move { reader.readable().await });
        yield_now().await;
        let dump = dump();
        std::fs::remove_file(path).unwrap();
        assert!(dump.to_string().contains("a\\nfifo-"), "{dump}");
        reads.abort();
    });
}
