//! The tasks of one runtime and the queue of those that are ready to run.
//!
//! Every function here ends its borrow before it returns what foreign code is in (a future, a
//! waker, an output): dropping or calling that is the caller's, with no cell borrowed.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::panic::Location;
use std::rc::Rc;
use std::task::Waker;

use slab::Slab;

use crate::rng::Rng;
use crate::task::cell::BoxedTask;
use crate::task::id::IdBlock;
use crate::task::{Id, Place};

/// The index of the future given to `block_on`; it lives on that call's stack, not here.
pub(crate) const ROOT: u32 = 0;

/// In the run queue.
const SCHEDULED: u8 = 1;
/// Its outcome is there.
const COMPLETE: u8 = 2;
/// A join handle owns the entry, which stays until that is dropped.
const JOINABLE: u8 = 4;
/// To be cancelled when it comes up next.
const ABORTED: u8 = 8;
/// Has a name in `names`.
const NAMED: u8 = 16;

struct Entry {
    /// Absent while the task is being polled.
    task: Option<BoxedTask>,
    joiner: Option<Waker>,
    serial: u64,
    place: &'static Location<'static>,
    state: u8,
}

struct Tasks {
    entries: Slab<Entry>,
    ready: VecDeque<u32>,
    /// Draws the next task when the order is seeded.
    order: Option<Rng>,
}

pub(crate) struct Scheduler {
    tasks: RefCell<Tasks>,
    names: RefCell<HashMap<u64, Rc<str>>>,
    ids: IdBlock,
    /// No spawns any more: the runtime is being dropped.
    closed: Cell<bool>,
}

/// What comes up next.
pub(crate) enum Next {
    Root,
    Poll {
        index: u32,
        serial: u64,
        task: BoxedTask,
    },
    /// It was aborted: drop its future.
    Cancel {
        index: u32,
        serial: u64,
        task: BoxedTask,
    },
}

/// What a join handle finds.
pub(crate) enum Join {
    Pending,
    /// The entry is gone: take the outcome out of this.
    Complete(BoxedTask),
    /// No such task.
    Gone,
}

/// A task that has ended, with what its end owes to others.
pub(crate) struct Ended {
    pub(crate) unwanted: Option<Unwanted>,
    pub(crate) joiner: Option<Waker>,
}

/// A finished task nobody will ask about, out of its entry: to be dropped, and its panic reported.
pub(crate) struct Unwanted {
    pub(crate) task: BoxedTask,
    pub(crate) place: Place,
    pub(crate) name: Option<Rc<str>>,
}

impl Scheduler {
    pub(crate) fn new(order: Option<Rng>) -> Scheduler {
        let mut entries = Slab::new();
        let root = entries.insert(Entry {
            task: None,
            joiner: None,
            serial: 0,
            place: Location::caller(),
            state: 0,
        });
        debug_assert_eq!(root, ROOT as usize);
        Scheduler {
            tasks: RefCell::new(Tasks { entries, ready: VecDeque::new(), order }),
            names: RefCell::new(HashMap::new()),
            ids: IdBlock::new(),
            closed: Cell::new(false),
        }
    }

    pub(crate) fn next_id(&self) -> Id {
        self.ids.next()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Takes in a task and schedules it. Gives it back when the runtime is being dropped.
    #[inline]
    pub(crate) fn insert(&self, task: BoxedTask, id: Id, place: Place) -> Result<u32, BoxedTask> {
        if self.closed.get() {
            return Err(task);
        }
        let tasks = &mut *self.tasks.borrow_mut();
        let index = tasks.entries.insert(Entry {
            task: Some(task),
            joiner: None,
            serial: id.serial(),
            place,
            state: SCHEDULED | JOINABLE,
        });
        let index = u32::try_from(index).expect("a runtime holds at most 2^32 tasks at once");
        tasks.ready.push_back(index);
        Ok(index)
    }

    pub(crate) fn set_name(&self, index: u32, id: Id, name: Rc<str>) {
        if let Some(entry) = self.tasks.borrow_mut().find(index, id.serial()) {
            entry.state |= NAMED;
            self.names.borrow_mut().insert(id.serial(), name);
        }
    }

    /// Schedules a task that somebody woke. A name whose task is gone is no error.
    #[inline]
    pub(crate) fn wake(&self, index: u32) {
        let tasks = &mut *self.tasks.borrow_mut();
        if let Some(entry) = tasks.entries.get_mut(index as usize) {
            if entry.state & (SCHEDULED | COMPLETE) == 0 {
                entry.state |= SCHEDULED;
                tasks.ready.push_back(index);
            }
        }
    }

    /// The next task to run, taken out of its entry.
    #[inline]
    pub(crate) fn next(&self) -> Option<Next> {
        let tasks = &mut *self.tasks.borrow_mut();
        loop {
            if let Some(order) = &mut tasks.order {
                order.draw_to_front(&mut tasks.ready);
            }
            let index = tasks.ready.pop_front()?;
            // The entry may be gone, or another task's by now that is not scheduled or is in the
            // queue a second time.
            let Some(entry) = tasks.entries.get_mut(index as usize) else { continue };
            if entry.state & SCHEDULED == 0 {
                continue;
            }
            entry.state &= !SCHEDULED;
            let serial = entry.serial;
            match entry.task.take() {
                Some(task) if entry.state & ABORTED == 0 => {
                    return Some(Next::Poll { index, serial, task });
                }
                Some(task) => return Some(Next::Cancel { index, serial, task }),
                None if index == ROOT => return Some(Next::Root),
                None => debug_assert!(false, "a task that is being polled cannot come up"),
            }
        }
    }

    /// Puts a task back that is not done. If it was aborted meanwhile, it comes up again.
    #[inline]
    pub(crate) fn put_back(&self, index: u32, task: BoxedTask) {
        let tasks = &mut *self.tasks.borrow_mut();
        let entry = &mut tasks.entries[index as usize];
        debug_assert!(entry.task.is_none(), "a task's entry is its own until it has ended");
        entry.task = Some(task);
    }

    /// Ends a task: its outcome waits for the join handle, if there is one.
    pub(crate) fn end(&self, index: u32, task: BoxedTask) -> Ended {
        let tasks = &mut *self.tasks.borrow_mut();
        let entry = &mut tasks.entries[index as usize];
        entry.state |= COMPLETE;
        let joiner = entry.joiner.take();
        if entry.state & JOINABLE != 0 {
            entry.task = Some(task);
            return Ended { unwanted: None, joiner };
        }
        let (place, name) = self.remove(tasks, index);
        Ended { unwanted: Some(Unwanted { task, place, name }), joiner }
    }

    /// Asks for a task's outcome, and leaves `waker` if it is not there yet.
    #[inline]
    pub(crate) fn poll_join(&self, index: u32, id: Id, waker: &Waker) -> Join {
        {
            let tasks = &mut *self.tasks.borrow_mut();
            let Some(entry) = tasks.find(index, id.serial()) else { return Join::Gone };
            if entry.state & COMPLETE != 0 {
                let task = entry.task.take().expect("a complete task has its outcome");
                self.remove(tasks, index);
                return Join::Complete(task);
            }
            if entry.joiner.as_ref().is_some_and(|joiner| joiner.will_wake(waker)) {
                return Join::Pending;
            }
        }
        let waker = waker.clone();
        let replaced = match self.tasks.borrow_mut().find(index, id.serial()) {
            Some(entry) => entry.joiner.replace(waker),
            None => Some(waker),
        };
        drop(replaced);
        Join::Pending
    }

    /// The join handle goes: returns what it leaves behind.
    pub(crate) fn detach(&self, index: u32, id: Id) -> Option<Ended> {
        let tasks = &mut *self.tasks.borrow_mut();
        let entry = tasks.find(index, id.serial())?;
        entry.state &= !JOINABLE;
        let joiner = entry.joiner.take();
        if entry.state & COMPLETE == 0 {
            return Some(Ended { unwanted: None, joiner });
        }
        let task = entry.task.take().expect("a complete task has its outcome");
        let (place, name) = self.remove(tasks, index);
        Some(Ended { unwanted: Some(Unwanted { task, place, name }), joiner })
    }

    /// Has a task cancelled when it comes up next, which it does. False if it is gone or done.
    pub(crate) fn abort(&self, index: u32, id: Id) -> bool {
        let tasks = &mut *self.tasks.borrow_mut();
        let Some(entry) = tasks.find(index, id.serial()) else { return false };
        if entry.state & COMPLETE != 0 {
            return false;
        }
        entry.state |= ABORTED;
        if entry.state & SCHEDULED == 0 {
            entry.state |= SCHEDULED;
            tasks.ready.push_back(index);
        }
        true
    }

    /// Whether a task has neither ended nor gone.
    pub(crate) fn is_pending(&self, index: u32, id: Id) -> bool {
        let tasks = &mut *self.tasks.borrow_mut();
        tasks.find(index, id.serial()).is_some_and(|entry| entry.state & COMPLETE == 0)
    }

    /// Whether nothing is ready to run.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.tasks.borrow().ready.is_empty()
    }

    /// Tasks that have not ended.
    pub(crate) fn alive(&self) -> usize {
        let tasks = self.tasks.borrow();
        tasks.entries.iter().filter(|(_, entry)| entry.state & COMPLETE == 0).count() - 1
    }

    /// Refuses spawns from now on.
    pub(crate) fn close(&self) {
        self.closed.set(true);
    }

    /// The task to cancel next at teardown, at `from` or behind it: one walk over the indices.
    pub(crate) fn next_alive(&self, from: u32) -> Option<(u32, u64, BoxedTask)> {
        let tasks = &mut *self.tasks.borrow_mut();
        for index in from as usize..tasks.entries.capacity() {
            let Some(entry) = tasks.entries.get_mut(index) else { continue };
            if entry.state & COMPLETE == 0 {
                if let Some(task) = entry.task.take() {
                    return Some((index as u32, entry.serial, task));
                }
            }
        }
        None
    }

    /// Frees an entry; the caller has taken what was in it that could run foreign code.
    fn remove(&self, tasks: &mut Tasks, index: u32) -> (Place, Option<Rc<str>>) {
        let entry = tasks.entries.remove(index as usize);
        debug_assert!(entry.task.is_none() && entry.joiner.is_none());
        let named = entry.state & NAMED != 0;
        let name = named.then(|| self.names.borrow_mut().remove(&entry.serial)).flatten();
        (entry.place, name)
    }
}

impl Tasks {
    /// The entry of a task, told apart from a later one at the same index by its serial.
    #[inline]
    fn find(&mut self, index: u32, serial: u64) -> Option<&mut Entry> {
        self.entries.get_mut(index as usize).filter(|entry| entry.serial == serial)
    }
}
