//! Futures of the workloads on tasks, the same on every runtime.
//!
//! What tasks share is in thread-locals: all of them run on one thread, but some runtimes ask for `Send` nevertheless,
//! and locks would be measured as well.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use async_channel::{Receiver, Sender};

use crate::meter::resident_bytes;

/// Pending once: its task goes to the end of the queue, on any runtime.
pub async fn give_way() {
    let mut given = false;
    poll_fn(|cx| {
        if given {
            return Poll::Ready(());
        }
        given = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

thread_local! {
    static SERVED: Cell<u64> = const { Cell::new(0) };
    static WAITING: [RefCell<Option<Waker>>; 2] = const { [RefCell::new(None), RefCell::new(None)] };
    static BEGUN: Cell<u64> = const { Cell::new(0) };
}

/// One of two tasks that wake each other, `count` times in all: side 0 serves the even numbers, side 1 the odd ones.
pub async fn play(side: usize, count: u64) {
    while SERVED.get() < count {
        poll_fn(|cx| {
            if SERVED.get() % 2 == side as u64 || SERVED.get() >= count {
                return Poll::Ready(());
            }
            WAITING.with(|waiting| *waiting[side].borrow_mut() = Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
        SERVED.set(SERVED.get() + 1);
        let other = WAITING.with(|waiting| waiting[1 - side].borrow_mut().take());
        if let Some(other) = other {
            other.wake();
        }
    }
}

/// One side's ends of two channels.
type Ends = (Sender<u64>, Receiver<u64>);

/// Two channels of one place each, there and back: the ends of who asks, and of who answers.
pub fn channels() -> (Ends, Ends) {
    let (ask, asked) = async_channel::bounded(1);
    let (answer, answered) = async_channel::bounded(1);
    ((ask, answered), (answer, asked))
}

/// Asks `count` times and takes each answer.
pub async fn ask((ask, answers): Ends, count: u64) {
    for i in 0..count {
        ask.send(i).await.expect("the other end answers");
        assert_eq!(answers.recv().await, Ok(i));
    }
}

/// Answers until nobody asks any more.
pub async fn answer((answer, questions): Ends) {
    while let Ok(question) = questions.recv().await {
        if answer.send(question).await.is_err() {
            return;
        }
    }
}

/// A task calls it when it is polled first, for [`all_begun`].
pub fn begun() {
    BEGUN.set(BEGUN.get() + 1);
}

/// Waits until `count` tasks have begun.
pub async fn all_begun(count: u64) {
    while BEGUN.get() < count {
        give_way().await;
    }
}

/// A future of 16 bytes that waits for ever.
pub struct Idle {
    begun: bool,
    _more: u64,
}

impl Idle {
    pub fn new(number: u64) -> Idle {
        const { assert!(size_of::<Idle>() == 16) };
        Idle { begun: false, _more: number }
    }
}

impl Future for Idle {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if !self.begun {
            self.begun = true;
            begun();
        }
        Poll::Pending
    }
}

/// The memory that tasks take, from what the process has resident before and after.
pub struct Memory(u64);

impl Memory {
    pub fn before() -> Memory {
        Memory(resident_bytes())
    }

    /// Prints `bytes_per_task`, once all of `count` tasks wait.
    pub fn after(self, count: u64) {
        let grown = resident_bytes() - self.0;
        println!("bytes_per_task {:.1}", grown as f64 / count as f64);
    }
}
