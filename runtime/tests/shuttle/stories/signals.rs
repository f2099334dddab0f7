//! Signals: handlers on several threads, listeners that come and go, runtimes that end.

use std::pin::pin;

use super::{join, poll_once, runtime};
use crate::run::Story;
use crate::signal::unix::{SignalKind, signal};
use crate::sync::thread;
use crate::sys::sigaction::interrupt;
use crate::task::{spawn, yield_now};

pub(crate) const STORIES: &[Story] = &[
    Story { name: "signals::two_handlers", orders: 1000, loom: false, tell: two_handlers },
    Story { name: "signals::two_kinds", orders: 1000, loom: false, tell: two_kinds },
    Story { name: "signals::two_runtimes", orders: 500, loom: false, tell: two_runtimes },
    Story { name: "signals::a_listener_goes", orders: 1000, loom: true, tell: a_listener_goes },
    Story {
        name: "signals::one_of_two_kinds_goes",
        orders: 1000,
        loom: false,
        tell: one_of_two_kinds_goes,
    },
    Story {
        name: "signals::a_listener_as_its_runtime_goes",
        orders: 1000,
        loom: false,
        tell: a_listener_too_late,
    },
    Story { name: "signals::the_runtime_goes", orders: 1000, loom: false, tell: the_runtime_goes },
];

const KIND: SignalKind = SignalKind::user_defined1();
const OTHER_KIND: SignalKind = SignalKind::user_defined2();

/// Two threads are interrupted: a listener that was there hears of both.
fn two_handlers() {
    runtime().block_on(async {
        let mut listener = signal(KIND).unwrap();
        let threads = [1, 2].map(|value| thread::spawn(move || interrupt(KIND, value)));
        let mut values = [0; 2];
        for value in &mut values {
            *value = listener.recv_info().await.unwrap().value;
        }
        values.sort_unstable();
        assert_eq!(values, [1, 2]);
        join(threads);
    });
}

/// Two signals come at once: the listener of each hears of it.
fn two_kinds() {
    let kinds = [KIND, OTHER_KIND];
    runtime().block_on(async {
        let listeners = kinds.map(|kind| signal(kind).unwrap());
        let threads = kinds.map(|kind| thread::spawn(move || interrupt(kind, 1)));
        for mut listener in listeners {
            spawn(async move { listener.recv().await }).await.unwrap().unwrap();
        }
        join(threads);
    });
}

/// A listener goes while another signal comes: that one's hears of it.
fn one_of_two_kinds_goes() {
    runtime().block_on(async {
        let (mut stays, goes) = (signal(KIND).unwrap(), signal(OTHER_KIND).unwrap());
        let dropping = thread::spawn(move || drop(goes));
        let interrupted = thread::spawn(|| interrupt(KIND, 1));
        stays.recv().await.unwrap();
        dropping.join().unwrap();
        interrupted.join().unwrap();
    });
}

/// Another thread makes a listener for a runtime that is going: it fails, or ends with the runtime.
fn a_listener_too_late() {
    let first = runtime();
    let thread = thread::spawn({
        let handle = first.handle().clone();
        move || {
            let listener = {
                let _entered = handle.enter();
                signal(KIND)
            };
            if let Ok(mut listener) = listener {
                runtime().block_on(async { assert!(listener.recv().await.is_none()) });
            }
        }
    });
    drop(first);
    thread.join().unwrap();
}

/// Each of two runtimes hears of what comes after it has begun to listen.
fn two_runtimes() {
    let listen_and_interrupt = |value| {
        runtime().block_on(async move {
            let mut listener = signal(KIND).unwrap();
            let thread = thread::spawn(move || interrupt(KIND, value));
            while listener.recv_info().await.unwrap().value != value {}
            thread.join().unwrap();
        });
    };
    let other = thread::spawn(move || listen_and_interrupt(1));
    listen_and_interrupt(2);
    other.join().unwrap();
}

/// One of two listeners goes while a signal comes: the other hears of it.
fn a_listener_goes() {
    runtime().block_on(async {
        let (mut stays, goes) = (signal(KIND).unwrap(), signal(KIND).unwrap());
        let threads = [
            thread::spawn(move || {
                interrupt(KIND, 1);
                None
            }),
            thread::spawn(move || {
                drop(goes);
                None::<()>
            }),
        ];
        assert_eq!(stays.recv_info().await.unwrap().value, 1);
        join(threads);
    });
}

/// A listener that another executor waits for hears that its runtime has gone; a signal meanwhile harms
/// nobody, and the next runtime in that place listens well.
fn the_runtime_goes() {
    let first = runtime();
    let mut listener = first.block_on(async { signal(KIND).unwrap() });
    let threads = [
        thread::spawn(move || {
            runtime().block_on(async { while listener.recv().await.is_some() {} });
        }),
        thread::spawn(|| interrupt(KIND, 1)),
    ];
    drop(first);
    runtime().block_on(async {
        let mut listener = signal(KIND).unwrap();
        let thread = thread::spawn(|| interrupt(KIND, 2));
        while listener.recv_info().await.unwrap().value != 2 {}
        thread.join().unwrap();
    });
    join(threads);
}
