//! Timers, wakes from other threads, blocking work, and the end of a runtime with all of these in flight.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::pin;
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use runtime::epoll::{EventFd, TimerFd};
use runtime::io::{AsyncFd, Interest};
use runtime::net::{UnixListener, UnixStream};
use runtime::signal::unix::{SignalKind, signal};
use runtime::task::yield_now;
use runtime::time::{self, Instant, boottime, interval, sleep, timeout};
use runtime::{Builder, Handle, Runtime, spawn, try_join};

use super::sockets::unix_name;

const MS: Duration = Duration::from_millis(1);

pub(crate) fn timers(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let begin = Instant::now();
        sleep(MS).await;
        assert!(begin.elapsed() >= MS);
        let begin = boottime::Instant::now();
        boottime::sleep(MS).await;
        assert!(begin.elapsed() >= MS);
        assert!(timeout(MS, std::future::pending::<()>()).await.is_err());
        assert_eq!(timeout(MS * 1000, async { 5 }).await, Ok(5));
        let mut ticks = interval(MS);
        for _ in 0..3 {
            ticks.tick().await;
        }
        let many = (0..5).map(|n| spawn(sleep(MS * n / 2)));
        for task in many.collect::<Vec<_>>() {
            task.await.expect("no panic");
        }
        let mut moved = pin!(sleep(MS * 10_000));
        moved.as_mut().reset(Instant::now() + MS);
        moved.await;
        let both = futures::future::join(boottime::sleep(MS * 2), sleep(MS));
        both.await;
        let _ = time::timeout(MS, yield_now()).await;
        Ok(())
    })
}

/// As [`Builder::new`], to look for a while before each sleep.
pub(crate) fn spinning() -> Builder {
    let mut builder = Builder::new();
    builder.spin(Duration::from_micros(20));
    builder
}

/// Counted, with hooks, and with an eye on stalls, of which there are none.
pub(crate) fn watched() -> Builder {
    let mut builder = Builder::new();
    builder.metrics(true).stall_threshold(MS * 100_000).on_park(|| ()).on_unpark(|| ());
    builder
}

pub(crate) fn wakes(runtime: &Runtime) -> io::Result<()> {
    // Asleep without a descriptor at first, then with an epoll instance.
    for with_epoll in [false, true] {
        runtime.block_on(async {
            let (a, b) = UnixStream::pair()?;
            if with_epoll {
                let mut byte = [0];
                let read = async { a.read_exact(&mut byte).await };
                let write = async {
                    yield_now().await;
                    b.write_all(b"x").await
                };
                let (read, ()) = try_join!(read, write)?;
                assert_eq!(read, 1);
            }
            let handle = Handle::current();
            let (tx, rx) = oneshot::channel();
            let (spawned, result) = oneshot::channel();
            let thread = thread::Builder::new().spawn(move || {
                let _ = tx.send(7);
                let task = handle.spawn(async { yield_now().await });
                let _ = spawned.send(task);
            })?;
            assert_eq!(rx.await, Ok(7));
            result.await.expect("it sends").await.expect("no panic");
            thread.join().expect("no panic");
            // A deadline that another thread waits for.
            let handle = Handle::current();
            let sleeper = thread::Builder::new().spawn(move || {
                let _entered = handle.enter();
                futures::executor::block_on(sleep(MS));
            })?;
            super::blocking(move || sleeper.join().expect("no panic")).await?;
            // A socket that another thread drops, and one that another thread waits for.
            if with_epoll {
                let dropped = thread::Builder::new().spawn(move || drop(b))?;
                let mut end = [0];
                assert_eq!(a.read(&mut end).await?, 0);
                dropped.join().expect("no panic");
                let (c, d) = UnixStream::pair()?;
                let waiting = Handle::current();
                let waits = thread::Builder::new().spawn(move || {
                    waiting.block_on(async move {
                        let mut byte = [0];
                        c.read_exact(&mut byte).await.map(|_| byte[0])
                    })
                })?;
                // Both at a time, so that an error of the write's does not leave the thread alone.
                let written = d.write_all(b"y").await;
                drop(d);
                let read = super::blocking(move || waits.join()).await?;
                written?;
                assert_eq!(read.expect("no panic")?, b'y');
            }
            io::Result::Ok(())
        })?;
    }
    Ok(())
}

/// What is alive, asked on the thread itself and on another; and a thread that waits to be asked.
pub(crate) fn dumps(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let (a, b) = UnixStream::pair()?;
        let reads = spawn(async move { a.read(&mut [0]).await });
        let sleeps = spawn(sleep(MS * 100_000));
        yield_now().await;
        let handle = Handle::current();
        let here = handle.dump();
        assert!(here.is_complete() && here.tasks.len() >= 2);
        assert!(here.to_string().contains("loops.rs"));
        let asked = handle.clone();
        let there = super::blocking(move || asked.dump()).await?;
        assert!(there.is_complete() && there.tasks.len() >= 2);
        handle.dump_on(SignalKind::user_defined2())?;
        drop(b);
        let read = reads.await.expect("no panic");
        sleeps.abort();
        assert_eq!(read?, 0);
        Ok(())
    })
}

pub(crate) fn blocking(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let both = try_join!(super::blocking(|| 1), super::blocking(|| 2))?;
        assert_eq!(both, (1, 2));
        assert_eq!(super::blocking(|| 3).await?, 3);
        Ok(())
    })
}

pub(crate) fn async_fd(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let event = AsyncFd::new(EventFd::new()?)?;
        event.get_ref().write(3)?;
        let count = event.async_io(Interest::READABLE, EventFd::read).await?;
        assert_eq!(count, 3);
        let timer = AsyncFd::with_interest(TimerFd::new()?, Interest::READABLE)?;
        timer.get_ref().arm_in(MS)?;
        assert_eq!(timer.async_io(Interest::READABLE, TimerFd::read).await?, 1);
        let (a, b) = StdUnixStream::pair()?;
        a.set_nonblocking(true)?;
        b.set_nonblocking(true)?;
        let (a, b) = (AsyncFd::new(a)?, AsyncFd::new(b)?);
        let write = b.async_io(Interest::WRITABLE, |mut b| b.write(b"ab"));
        assert_eq!(write.await?, 2);
        let mut two = [0; 2];
        let guarded = loop {
            let mut guard = a.readable().await?;
            if let Ok(read) = guard.try_io(|a| a.get_ref().read(&mut two)) {
                break read?;
            }
        };
        assert_eq!(&two[..guarded], b"ab");
        drop(b.into_inner());
        assert_eq!(a.async_io(Interest::READABLE, |mut a| a.read(&mut two)).await?, 0);
        Ok(())
    })
}

pub(crate) fn teardown(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let (a, b) = UnixStream::pair()?;
        let reads = spawn(async move {
            let mut byte = [0];
            let _ = a.read(&mut byte).await;
            drop(b);
        });
        let waits = spawn(sleep(MS * 100_000));
        let listener = UnixListener::bind_addr(&unix_name()?)?;
        let accepts = spawn(async move { drop(listener.accept().await) });
        let mut hears = signal(SignalKind::user_defined1())?;
        let listens = spawn(async move { hears.recv().await });
        let (work, end) = oneshot::channel::<()>();
        let blocks = spawn(super::blocking(move || futures::executor::block_on(end).is_err()));
        for _ in 0..3 {
            yield_now().await;
        }
        drop(work);
        assert!(blocks.await.expect("no panic")?);
        sleep(MS / 10).await;
        for task in [reads.abort_handle(), accepts.abort_handle(), listens.abort_handle()] {
            task.abort();
        }
        drop((reads, accepts, listens, waits));
        // These are there when the runtime goes.
        let (c, d) = UnixStream::pair()?;
        drop(spawn(async move {
            let _d = d;
            let mut byte = [0];
            c.read(&mut byte).await
        }));
        drop(spawn(boottime::sleep(MS * 100_000)));
        yield_now().await;
        Ok(())
    })
}
