//! Dumps: every task of a runtime, and what it waits for.
//!
//! For a program that hangs, or does more than it should: [`Runtime::dump`] and [`Handle::dump`] give a
//! [`Dump`], which is a text when it is printed and plain data for a program. [`Handle::dump_on`] prints one
//! whenever a signal comes, and is one line:
//!
//! ```
//! use runtime::signal::unix::SignalKind;
//!
//! # runtime::block_on(async {
//! runtime::Handle::current().dump_on(SignalKind::quit())?; // Ctrl-\, or `kill -QUIT`
//! # std::io::Result::Ok(())
//! # });
//! ```
//!
//! A program can look through it instead, here for peers that keep a task waiting:
//!
//! ```
//! use runtime::dump::{Address, Descriptor, DescriptorKind, State, Task, Wait};
//!
//! fn peer_of(task: &Task) -> Option<&Address> {
//!     task.waits.iter().find_map(|wait| match wait {
//!         Wait::Fd { descriptor: Descriptor { kind: DescriptorKind::Socket(socket), .. }, .. } => {
//!             socket.peer.as_ref()
//!         }
//!         _ => None,
//!     })
//! }
//!
//! # runtime::block_on(async {
//! let dump = runtime::Handle::current().dump();
//! for task in dump.tasks.iter().filter(|task| task.state == State::Waiting) {
//!     println!("{:?} waits for {:?}", task.id, peer_of(task));
//! }
//! # });
//! ```
//!
//! Nothing is kept for it: who waits for a descriptor, a deadline or a task has left a waker there, and a waker
//! of this runtime is the name of its task. So a runtime that is never dumped pays nothing, and a dump is a walk
//! over what is there.
//!
//! # What it cannot know
//!
//! - A channel or a lock of another crate keeps its wakers to itself: who waits for one waits for
//!   [`Wait::Other`]. So does who waits for a blocking closure, for a task of another runtime, or for a set of tasks.
//! - Executors within a task, as `FuturesUnordered` and `JoinSet` are, put wakers of
//!   their own in the place of the task's. What such a waker waits for is in [`Dump::others`].
//! - A task that has ended may have left its waker at a descriptor (by `poll_read_ready`, which has no future to
//!   be dropped). The task that has its place now is then shown with that wait.
//!
//! [`Runtime::dump`]: crate::Runtime::dump
//! [`Handle::dump`]: crate::Handle::dump
//! [`Handle::dump_on`]: crate::Handle::dump_on

mod ask;
mod on_signal;
mod text;
mod walk;

use std::os::fd::RawFd;
use std::panic::Location;
use std::time::Duration;

pub use crate::sys::socket::{Address, Socket};

use crate::handle::Id;
use crate::observe::Stall;
use crate::reactor::Interest;
use crate::signal::unix::SignalKind;
use crate::task;

/// What is alive in a runtime, and what it waits for, at one moment.
///
/// Printed (`{}`) it is a text of several lines, the tasks that run and those that are ready first.
///
/// ```
/// use runtime::dump::{Due, Extent, State, Wait};
///
/// # runtime::block_on(async {
/// let sleeper = runtime::task::Builder::new().name("sleeper");
/// let task = sleeper.spawn(runtime::time::sleep(std::time::Duration::from_secs(60)))?;
/// runtime::task::yield_now().await; // it sleeps now
/// let dump = runtime::Handle::current().dump();
/// assert_eq!(dump.extent, Extent::Complete);
/// let seen = dump.tasks.iter().find(|seen| seen.id == Some(task.id())).unwrap();
/// assert_eq!(seen.name.as_deref(), Some("sleeper"));
/// assert_eq!(seen.state, State::Waiting);
/// assert!(matches!(seen.waits[..], [Wait::Deadline { due: Due::In(_), .. }]));
/// println!("{dump}");
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dump {
    /// Which runtime it is of.
    pub runtime: Id,
    /// Whether this is all, or why not.
    pub extent: Extent,
    /// Its tasks, and the future given to `block_on` if there is one: what is running first, then what is
    /// ready, what is to be cancelled, what waits, and what is complete; of each the oldest first.
    pub tasks: Vec<Task>,
    /// What is waited for with a waker that is no task's of this runtime: by an executor within a task, such as
    /// `FuturesUnordered`, by another runtime, or on a thread of its own.
    pub others: Vec<Wait>,
    /// Descriptors that are registered, and that nobody waits for.
    pub idle: Vec<Descriptor>,
    /// How many blocking closures run or wait for a thread.
    pub blocking: usize,
    /// Whether its clock is [paused](crate::time::pause): deadlines come when it is moved.
    pub is_clock_paused: bool,
    /// Of a runtime that has not answered: the poll that is under way, where polls are timed
    /// ([`Builder::stall_threshold`](crate::Builder::stall_threshold)).
    pub under_way: Option<Stall>,
}

/// How much a [`Dump`] could say; its [`extent`](Dump::extent).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Extent {
    /// All that is known.
    Complete,
    /// The runtime is of another thread and has not answered: there are no tasks in the dump.
    #[non_exhaustive]
    NoAnswer {
        /// Whether it slept when it was asked. Then the thread was not woken, or it is a host's that does not
        /// turn the runtime. If it was awake, a poll of a task hangs or blocks, or nobody drives the runtime.
        was_asleep: bool,
    },
    /// The runtime has been dropped.
    Gone,
    /// This process is a fork of the one whose runtime it is.
    OfParent,
}

/// A task in a [`Dump`]: one of its [`tasks`](Dump::tasks).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Task {
    /// Its id; `None` for the future given to `block_on`, which is no task.
    pub id: Option<task::Id>,
    /// Its name, if [`task::Builder`] has given it one.
    pub name: Option<String>,
    /// Where it was spawned, or where `block_on` was called.
    pub place: &'static Location<'static>,
    /// What it is doing.
    pub state: State,
    /// How long it has been there, if the runtime [counts](crate::Builder::metrics).
    pub age: Option<Duration>,
    /// How often it was polled, if the runtime counts, and it has not ended.
    pub polls: Option<u64>,
    /// What it waits for: all that can wake it. A task that is running or ready may have waits left from before.
    /// Empty only if it does not wait.
    pub waits: Vec<Wait>,
}

/// What a [`Task`] is doing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum State {
    /// It is being polled or dropped: it has asked for the dump, or runs another runtime that has.
    Running,
    /// It was woken, and will be polled.
    Ready,
    /// It was aborted, and will be dropped.
    Cancelling,
    /// It waits to be woken.
    Waiting,
    /// It has ended, and its join handle has not taken the output.
    Complete,
}

/// What a [`Task`] waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Wait {
    /// A descriptor to be ready.
    #[non_exhaustive]
    Fd {
        /// The descriptor.
        descriptor: Descriptor,
        /// In which directions.
        interest: Interest,
    },
    /// A deadline.
    #[non_exhaustive]
    Deadline {
        /// How far away it is, by the runtime's clock.
        due: Due,
        /// Whether that clock counts the time that the machine is suspended: it is of `time::boottime`.
        counts_suspend: bool,
    },
    /// The end of another task.
    #[non_exhaustive]
    Join {
        /// The id of that task.
        id: task::Id,
        /// Its name, if it has one.
        name: Option<String>,
        /// Where it was spawned.
        place: &'static Location<'static>,
    },
    /// A signal.
    Signal(SignalKind),
    /// Something that the runtime does not know of: a channel, a lock, a blocking closure.
    Other,
}

/// How far away the deadline of a [`Wait::Deadline`] is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// It comes in this time.
    In(Duration),
    /// It came this long ago, and the loop has not looked since.
    Overdue(Duration),
    /// It never comes.
    Never,
}

impl Due {
    pub(crate) fn of(deadline: i64, now: i64) -> Due {
        match deadline.checked_sub(now) {
            _ if deadline == i64::MAX => Due::Never,
            Some(left @ 0..) => Due::In(Duration::from_nanos(left as u64)),
            Some(over) => Due::Overdue(Duration::from_nanos(over.unsigned_abs())),
            None => Due::Never,
        }
    }
}

/// A file descriptor that is registered with a runtime; found in a [`Dump`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Descriptor {
    /// Its number.
    pub fd: RawFd,
    /// What it is.
    pub kind: DescriptorKind,
}

/// What a [`Descriptor`] is.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DescriptorKind {
    /// A socket.
    Socket(Box<Socket>),
    /// The end of a process, whose id this is: a pidfd.
    Process(u32),
    /// A file, a terminal, a pipe or another kind, as `/proc/self/fd` has it: `/dev/pts/1`, `pipe:[4711]`.
    File(String),
    /// It is closed: somebody closed it under its owner.
    Closed,
}

impl Dump {
    /// Whether it has all that is known. Else [`extent`](Dump::extent) says why it has not.
    #[inline]
    pub fn is_complete(&self) -> bool {
        self.extent == Extent::Complete
    }

    /// What can be said of a runtime without a look into it.
    fn without_tasks(runtime: Id, extent: Extent) -> Dump {
        Dump {
            runtime,
            extent,
            tasks: Vec::new(),
            others: Vec::new(),
            idle: Vec::new(),
            blocking: 0,
            is_clock_paused: false,
            under_way: None,
        }
    }
}
