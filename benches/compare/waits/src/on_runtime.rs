//! The runtime: a task for each descriptor, all of which wait.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Poll, Waker};

use program::Meter;
use runtime::Runtime;
use runtime::io::{AsyncFd, Interest};
use runtime::task::yield_now;

use crate::descriptors::{Descriptors, Turns, signal, take};

pub(crate) fn measure(fds: Descriptors, turns: &Turns) -> io::Result<()> {
    Runtime::new()?.block_on(async {
        let register = |file| AsyncFd::with_interest(file, Interest::READABLE);
        let fds = fds.into_files().into_iter().map(register).collect::<io::Result<Vec<_>>>()?;
        let events = Rc::new(Events { fds, ..Events::default() });
        for which in 0..events.fds.len() {
            runtime::spawn(reader(which, Rc::clone(&events)));
        }
        while events.waiting.get() < events.fds.len() {
            yield_now().await;
        }
        events.run(turns.warm_up()).await?;
        let meter = Meter::start();
        events.run(turns.measured()).await?;
        meter.stop();
        Ok(())
    })
}

/// What the tasks share. The one that took an event makes the next.
#[derive(Default)]
struct Events {
    fds: Vec<AsyncFd<File>>,
    /// How many tasks have begun to wait.
    waiting: Cell<usize>,
    /// Which descriptors are still to become active, the next one last.
    left: RefCell<Vec<usize>>,
    done: Cell<bool>,
    finished: RefCell<Option<Waker>>,
}

async fn reader(which: usize, events: Rc<Events>) -> io::Result<()> {
    let fd = &events.fds[which];
    events.waiting.set(events.waiting.get() + 1);
    loop {
        let mut ready = fd.readable().await?;
        take(fd.get_ref())?;
        // What was read was all there was: the next wait is a wait.
        ready.clear_ready();
        events.make_next()?;
    }
}

impl Events {
    /// All events of `order`, one after the other.
    async fn run(&self, order: &[usize]) -> io::Result<()> {
        self.left.replace(order.iter().rev().copied().collect());
        self.done.set(false);
        self.make_next()?;
        poll_fn(|cx| {
            if self.done.get() {
                return Poll::Ready(Ok(()));
            }
            self.finished.replace(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await
    }

    fn make_next(&self) -> io::Result<()> {
        let next = self.left.borrow_mut().pop();
        if let Some(next) = next {
            return signal(self.fds[next].get_ref());
        }
        self.done.set(true);
        if let Some(waker) = self.finished.take() {
            waker.wake();
        }
        Ok(())
    }
}
