//! Descriptors and other threads: waiting away from the runtime, being asked for, going away, coming home.

use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::sync::Arc;

use super::{Flag, join, pair, poll_once, read_byte, runtime, try_read_byte, write_byte};
use crate::Runtime;
use crate::run::Story;
use crate::sync::{mpsc, thread};
use crate::task::{spawn, yield_now};

pub(crate) const STORIES: &[Story] = &[
    Story { name: "fds::written_elsewhere", orders: 1000, loom: true, tell: written_elsewhere },
    Story { name: "fds::read_elsewhere", orders: 1000, loom: false, tell: read_elsewhere },
    Story {
        name: "fds::first_read_by_two_threads",
        orders: 1000,
        loom: false,
        tell: first_read_by_two,
    },
    Story {
        name: "fds::first_read_at_home_and_away",
        orders: 2000,
        loom: false,
        tell: at_home_and_away,
    },
    Story {
        name: "fds::first_read_by_two_runtimes",
        orders: 1000,
        loom: true,
        tell: by_two_runtimes,
    },
    Story {
        name: "fds::a_wait_elsewhere_is_dropped",
        orders: 1000,
        loom: false,
        tell: a_wait_is_dropped,
    },
    Story { name: "fds::a_wait_comes_home", orders: 1000, loom: true, tell: a_wait_comes_home },
    Story { name: "fds::dropped_elsewhere", orders: 2000, loom: true, tell: dropped_elsewhere },
    Story {
        name: "fds::dropped_after_a_wait",
        orders: 2000,
        loom: true,
        tell: dropped_after_a_wait,
    },
    Story { name: "fds::its_runtime_goes", orders: 1000, loom: true, tell: its_runtime_goes },
    Story { name: "fds::the_runtime_goes", orders: 1000, loom: true, tell: the_runtime_goes },
];

/// A task reads what another thread writes.
fn written_elsewhere() {
    let (reader, writer) = pair();
    let thread = writing(writer, &[1, 2, 3]);
    runtime().block_on(async {
        for byte in 1..=3 {
            assert_eq!(read_byte(&reader).await, byte);
        }
    });
    thread.join().unwrap();
}

/// Has the runtime carry out what it was sent, after which it knows no descriptor any more.
fn with_nothing_registered(runtime: &Runtime) {
    runtime.block_on(yield_now());
    assert!(runtime.core.reactor.is_empty(), "an entry is left");
}

/// A thread that writes these bytes, and keeps its end open: else that would wake who reads.
fn writing(writer: UnixStream, bytes: &'static [u8]) -> thread::JoinHandle<UnixStream> {
    thread::spawn(move || {
        bytes.iter().for_each(|&byte| write_byte(&writer, byte));
        writer
    })
}

/// Another thread reads by the runtime that it has entered, which registers the descriptor for it.
fn read_elsewhere() {
    let runtime = runtime();
    let (reader, writer) = pair();
    let done = Flag::new();
    let reading = thread::spawn({
        let (handle, done) = (runtime.handle().clone(), done.clone());
        move || {
            handle.block_on(async {
                assert_eq!(read_byte(&reader).await, 1);
                assert_eq!(read_byte(&reader).await, 2);
            });
            drop(reader);
            done.set();
        }
    });
    let writing = writing(writer, &[1, 2]);
    runtime.block_on(done.wait());
    reading.join().unwrap();
    writing.join().unwrap();
    with_nothing_registered(&runtime);
}

/// Two threads wait for a descriptor that nobody has registered: one request, and both are woken.
fn first_read_by_two() {
    let runtime = runtime();
    let (reader, writer) = pair();
    let reader = Arc::new(reader);
    let done = [Flag::new(), Flag::new()];
    let reading = done.clone().map(|done| {
        let (handle, reader) = (runtime.handle().clone(), reader.clone());
        thread::spawn(move || {
            handle.block_on(read_byte(&reader));
            drop(reader);
            done.set();
        })
    });
    let writing = writing(writer, &[1, 2]);
    drop(reader);
    runtime.block_on(async {
        done[0].wait().await;
        done[1].wait().await;
    });
    join(reading);
    writing.join().unwrap();
    with_nothing_registered(&runtime);
}

/// A task and another thread wait for the same new descriptor at once.
fn at_home_and_away() {
    let runtime = runtime();
    let (reader, writer) = pair();
    let reader = Arc::new(reader);
    let done = Flag::new();
    let reading = thread::spawn({
        let (handle, reader, done) = (runtime.handle().clone(), reader.clone(), done.clone());
        move || {
            handle.block_on(read_byte(&reader));
            drop(reader);
            done.set();
        }
    });
    let writing = writing(writer, &[1, 2]);
    runtime.block_on(async {
        let task = spawn(async move { read_byte(&reader).await });
        done.wait().await;
        task.await.unwrap();
    });
    reading.join().unwrap();
    writing.join().unwrap();
    with_nothing_registered(&runtime);
}

/// A task of one runtime, and a thread that has entered another, wait for the same new descriptor at once: one
/// of the runtimes serves both.
fn by_two_runtimes() {
    let home = runtime();
    let (reader, writer) = pair();
    let reader = Arc::new(reader);
    let (done, end) = (Flag::new(), Flag::new());
    let (name_away, driving) = mpsc::channel();
    let away = thread::spawn({
        let end = end.clone();
        move || {
            let away = runtime();
            name_away.send(away.handle().clone()).unwrap();
            away.block_on(end.wait());
            with_nothing_registered(&away);
        }
    });
    let away_handle = driving.recv().unwrap();
    let reading = thread::spawn({
        let (reader, done) = (reader.clone(), done.clone());
        move || {
            away_handle.block_on(async {
                let mut read = pin!(read_byte(&reader));
                // Polled once more than it is woken, when the entry may have been made.
                if poll_once(read.as_mut()).await.is_pending() {
                    thread::yield_now();
                    read.await;
                }
            });
            drop(reader);
            done.set();
        }
    });
    home.block_on(async {
        let task = spawn(async move { read_byte(&reader).await });
        yield_now().await;
        write_byte(&writer, 1);
        write_byte(&writer, 2);
        done.wait().await;
        task.await.unwrap();
    });
    reading.join().unwrap();
    end.set();
    away.join().unwrap();
    with_nothing_registered(&home);
}

/// A wait on another thread is given up while it is on its way; a second one stands.
fn a_wait_is_dropped() {
    let runtime = runtime();
    let (reader, writer) = pair();
    let done = Flag::new();
    let reading = thread::spawn({
        let (handle, done) = (runtime.handle().clone(), done.clone());
        move || {
            handle.block_on(async {
                let given_up = poll_once(pin!(try_read_byte(&reader))).await;
                if given_up.is_pending() {
                    assert_eq!(read_byte(&reader).await, 1);
                }
            });
            done.set();
        }
    });
    let writing = writing(writer, &[1]);
    runtime.block_on(done.wait());
    reading.join().unwrap();
    writing.join().unwrap();
    with_nothing_registered(&runtime);
}

/// A future that has waited on another thread goes on in a task of the runtime.
fn a_wait_comes_home() {
    let runtime = runtime();
    let (reader, writer) = pair();
    let (handle, home) = (runtime.handle().clone(), Flag::new());
    let thread = thread::spawn({
        let home = home.clone();
        move || {
            let mut read = Box::pin(async move { read_byte(&reader).await });
            let first = handle.block_on(poll_once(read.as_mut()));
            home.set();
            (first, read)
        }
    });
    let writing = writing(writer, &[1]);
    runtime.block_on(async {
        // Commands may be carried out before the future is back, or after.
        home.wait().await;
        let (first, read) = thread.join().unwrap();
        if first.is_pending() {
            assert_eq!(spawn(read).await.unwrap(), 1);
        }
    });
    writing.join().unwrap();
    with_nothing_registered(&runtime);
}

/// A descriptor is closed on another thread while the runtime registers the next, which may get its number and
/// its entry: what comes for that one is heard.
fn dropped_elsewhere() {
    let runtime = runtime();
    let (old, old_writer) = pair();
    runtime.block_on(async {
        assert!(poll_once(pin!(try_read_byte(&old))).await.is_pending());
    });
    let dropper = thread::spawn(move || drop(old));
    runtime.block_on(async {
        for _ in 0..2 {
            let (reader, writer) = pair();
            let writing = writing(writer, &[1]);
            let task = spawn(async move { read_byte(&reader).await });
            assert_eq!(task.await.unwrap(), 1);
            writing.join().unwrap();
        }
    });
    dropper.join().unwrap();
    drop(old_writer);
    with_nothing_registered(&runtime);
}

/// The same, with a wait of that thread on its way to the runtime: it must not reach the successor.
fn dropped_after_a_wait() {
    let runtime = runtime();
    let (old, old_writer) = pair();
    runtime.block_on(async {
        assert!(poll_once(pin!(try_read_byte(&old))).await.is_pending());
    });
    let dropper = thread::spawn({
        let handle = runtime.handle().clone();
        move || {
            let _ = handle.block_on(poll_once(pin!(try_read_byte(&old))));
            drop(old);
        }
    });
    runtime.block_on(async {
        // All of that may happen here, before the inbox is looked at.
        thread::yield_now();
        let (reader, writer) = pair();
        let task = spawn(async move { read_byte(&reader).await });
        yield_now().await;
        let writing = writing(writer, &[1]);
        assert_eq!(task.await.unwrap(), 1);
        writing.join().unwrap();
    });
    dropper.join().unwrap();
    drop(old_writer);
    with_nothing_registered(&runtime);
}

/// A descriptor has been waited for at home before another thread waits: that wait may be on its way, or there,
/// or too late when the runtime goes.
fn its_runtime_goes() {
    let runtime = runtime();
    let (reader, writer) = pair();
    runtime.block_on(async {
        assert!(poll_once(pin!(try_read_byte(&reader))).await.is_pending());
    });
    let thread = thread::spawn({
        let handle = runtime.handle().clone();
        move || handle.block_on(try_read_byte(&reader)).is_err()
    });
    runtime.block_on(yield_now());
    drop(runtime);
    assert!(thread.join().unwrap(), "nothing was written");
    drop(writer);
}

/// Who waits on another thread hears that the runtime has gone.
fn the_runtime_goes() {
    let runtime = runtime();
    let (reader, writer) = pair();
    let thread = thread::spawn({
        let handle = runtime.handle().clone();
        move || handle.block_on(try_read_byte(&reader)).is_err()
    });
    runtime.block_on(yield_now());
    runtime.block_on(yield_now());
    drop(runtime);
    assert!(thread.join().unwrap(), "nothing was written");
    drop(writer);
}
