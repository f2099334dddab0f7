//! Tasks and other threads: waking, spawning, joining, aborting, detaching, and a runtime that goes meanwhile.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::explore::Story;
use crate::sync::{AtomicBool, Mutex, Ordering, thread};
use crate::{Builder, Handle, Runtime, block_on};

pub(crate) const STORIES: &[Story] = &[
    Story { name: "tasks::a_root_woken_by_another_thread", orders: 1000, tell: root_woken },
];

/// Something that another thread may say at any time.
#[derive(Default)]
struct Flag {
    is_set: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Flag {
    fn set(&self) {
        self.is_set.store(true, Ordering::Release);
        let waker = self.waker.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn wait(&self) {
        poll_fn(|cx| {
            *self.waker.lock().unwrap() = Some(cx.waker().clone());
            match self.is_set.load(Ordering::Acquire) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}

fn root_woken() {
    let flag = Arc::new(Flag::default());
    let setter = {
        let flag = flag.clone();
        thread::spawn(move || flag.set())
    };
    block_on(flag.wait());
    setter.join().unwrap();
}
