//! The tasks of one runtime and the queue of those that are ready to run.
//!
//! Every function here ends its borrow before it returns what foreign code is in (a future, a
//! waker, an output): dropping or calling that is the caller's, with no cell borrowed.

use std::cell::{Cell, RefCell};
use std::mem;
use std::panic::Location;
use std::ptr;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::dump::State;
use crate::name::RuntimeName;
use crate::observe::{Probe, Queued};
use crate::rng::Rng;
use crate::spans::Serial;
use crate::sys::prefetch::prefetch;
use crate::task::cell::{BoxedTask, NewTask};
use crate::task::id::IdBlock;
use crate::task::untyped::Untyped;
use crate::task::{Id, Place, waker};

/// The index of the future given to `block_on`; it lives on that call's stack, not here.
pub(crate) const ROOT: u32 = 0;

/// In the run queue.
const SCHEDULED: u8 = 1;
/// Its outcome is there, or has been.
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
    /// The task's id, 0 in a vacant entry.
    serial: u64,
    place: Place,
    state: u8,
    /// The next of the run queue, or of the vacant entries: an entry is never in both.
    next: u32,
}

impl Entry {
    /// Takes the task out if it has ended.
    fn finished(&mut self) -> Option<BoxedTask> {
        if self.state & COMPLETE != 0 { self.task.take() } else { None }
    }

    /// What a dump says of the task.
    fn seen(&self, is_root: bool) -> State {
        match (&self.task, self.state) {
            (_, state) if state & COMPLETE != 0 => State::Complete,
            (None, _) if !is_root => State::Running,
            (_, state) if state & ABORTED != 0 => State::Cancelling,
            (_, state) if state & SCHEDULED != 0 => State::Ready,
            _ => State::Waiting,
        }
    }

    /// Puts the entry on the list of vacant ones.
    #[inline(always)]
    fn vacate(&mut self, index: u32, vacant: &mut u32) {
        self.next = mem::replace(vacant, index);
    }

    /// Puts a task into an entry that has none. What was there is forgotten, not dropped: it is `None`, and
    /// to look at it would cost each switch.
    #[inline(always)]
    fn put(&mut self, task: Option<BoxedTask>) {
        let none = mem::replace(&mut self.task, task);
        debug_assert!(none.is_none(), "a task's entry is its own until it has ended");
        mem::forget(none);
    }
}

/// Ends a list.
const NO_MORE: u32 = u32::MAX;

/// A slab of our own, since a task's entry is filled and vacated in place, a field at a time: moving
/// entries in and out of the `slab` crate's cost 45 instructions a task.
struct Tasks {
    entries: Vec<Entry>,
    vacant: u32,
    /// The ends of the run queue. It goes through the entries: a poll touches its task's anyway, so that
    /// a queue beside them cost a switch 17 instructions more.
    first: u32,
    last: u32,
    /// Boxes of tasks that have gone, for the next of their type. They hold nothing of the user's.
    spare: Vec<BoxedTask>,
    /// Draws the next task when the order is seeded.
    order: Option<Order>,
    /// What a probe has counted: the polls of each task by its index, but for the one under way, and how many
    /// have ended.
    polls: Vec<u32>,
    ended: u64,
    /// What a trace is to be told.
    queued: Queued,
}

/// A seeded order, and what it draws from: all that was in the run queue at the last draw.
struct Order {
    rng: Rng,
    ready: Vec<u32>,
    /// A task was drawn since the batch last ended by a draw.
    drew: bool,
}

/// Of so many draws one ends the batch.
const ENDS: u32 = 4;

pub(crate) struct Scheduler {
    tasks: RefCell<Tasks>,
    /// By index, as far as tasks have been named.
    names: RefCell<Vec<Option<Rc<str>>>>,
    ids: IdBlock,
    /// How many tasks have come from other threads, with serials from there.
    from_elsewhere: Cell<u64>,
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
    /// The outcome was handed out, and the entry is gone.
    Complete,
    /// No such task.
    Gone,
}

/// A task as a dump sees it.
pub(crate) struct Seen<'a> {
    pub(crate) index: u32,
    /// 0 of the root.
    pub(crate) serial: u64,
    /// Of the root it says nothing.
    pub(crate) place: Place,
    pub(crate) name: Option<&'a str>,
    /// Of the root, which is not taken out to be polled, it is never `Running`.
    pub(crate) state: State,
    pub(crate) joiner: Option<&'a Waker>,
}

/// A finished task, out of its entry.
pub(crate) struct Ended {
    pub(crate) task: BoxedTask,
    pub(crate) serial: Serial,
    pub(crate) place: Place,
    pub(crate) name: Option<Rc<str>>,
}

impl Scheduler {
    pub(crate) fn new(order: Option<Rng>) -> Scheduler {
        let mut tasks = Tasks {
            entries: Vec::new(),
            vacant: NO_MORE,
            first: NO_MORE,
            last: NO_MORE,
            spare: Vec::new(),
            // `select!` draws from the same seed: were these the same numbers, some of what may happen
            // would happen under no seed.
            order: order.map(|rng| Order { rng: rng.split(), ready: Vec::new(), drew: false }),
            polls: Vec::new(),
            ended: 0,
            queued: Queued::new(),
        };
        let root = tasks.insert(None, 0, Location::caller(), 0);
        debug_assert_eq!(root, ROOT);
        Scheduler {
            tasks: RefCell::new(tasks),
            names: RefCell::new(Vec::new()),
            ids: IdBlock::new(),
            from_elsewhere: Cell::new(0),
            closed: Cell::new(false),
        }
    }

    #[inline]
    pub(crate) fn next_id(&self) -> Id {
        self.ids.next()
    }

    /// Takes in a task and schedules it. `None` when the runtime is being dropped: then the future is
    /// left where it was.
    ///
    /// Left to itself the compiler makes it a call or not as its callers change: 22 instructions.
    #[inline(always)]
    pub(crate) fn insert(&self, new: &mut NewTask<'_>, id: Id, place: Place) -> Option<u32> {
        if self.closed.get() {
            return None;
        }
        let tasks = &mut *self.tasks.borrow_mut();
        let task = tasks.boxed(new);
        let index = tasks.insert(Some(task), id.serial(), place, SCHEDULED | JOINABLE);
        tasks.enqueue(index);
        Some(index)
    }

    /// Keeps the box of a task that has gone and was emptied.
    pub(crate) fn keep_box(&self, task: BoxedTask) {
        self.tasks.borrow_mut().keep_box(task);
    }

    #[inline]
    pub(crate) fn set_name(&self, index: u32, id: Id, name: Rc<str>) {
        if let Some(entry) = find(&mut self.tasks.borrow_mut().entries, index, id) {
            entry.state |= NAMED;
            let names = &mut *self.names.borrow_mut();
            let index = index as usize;
            if names.len() <= index {
                names.resize(index + 1, None);
            }
            names[index] = Some(name);
        }
    }

    /// Where a task that is there was spawned, and its name.
    #[cold]
    pub(crate) fn origin(&self, index: u32) -> (Option<Id>, Place, Option<Rc<str>>) {
        let entry = &self.tasks.borrow().entries[index as usize];
        let named = (entry.state & NAMED != 0).then_some(index as usize);
        let name = named.and_then(|index| self.names.borrow().get(index)?.clone());
        (Id::of(entry.serial), entry.place, name)
    }

    /// The serials of tasks spawned from here on, on this thread, are not less.
    #[inline]
    pub(crate) fn next_serial(&self) -> u64 {
        self.ids.peek()
    }

    #[cold]
    pub(crate) fn note_from_elsewhere(&self) {
        self.from_elsewhere.set(self.from_elsewhere.get() + 1);
    }

    /// A task that was counted has ended: the next at its index starts at nought.
    #[inline(always)]
    pub(crate) fn note_end(&self, index: u32) {
        let tasks = &mut *self.tasks.borrow_mut();
        tasks.ended += 1;
        if let Some(polls) = tasks.polls.get_mut(index as usize) {
            *polls = 0;
        }
    }

    /// Who has come into the run queue since the last time, and when: for a trace.
    #[cfg(feature = "trace")]
    pub(crate) fn take_queued(&self) -> Vec<(u32, i64)> {
        self.tasks.borrow_mut().queued.take()
    }

    #[cfg(feature = "trace")]
    pub(crate) fn note_queued(&self) {
        self.tasks.borrow_mut().queued.begin();
    }

    #[cfg(feature = "trace")]
    pub(crate) fn has_queued(&self) -> bool {
        self.tasks.borrow().queued.is_some()
    }

    /// How often a task was polled, this time included if it is being polled, where a probe has counted from the
    /// start.
    #[cold]
    pub(crate) fn polls(&self, index: u32) -> u32 {
        let tasks = &*self.tasks.borrow();
        let polls = tasks.polls.get(index as usize).copied().unwrap_or(0);
        let is_polled = tasks.entries[index as usize].task.is_none() && index != ROOT;
        polls.wrapping_add(u32::from(is_polled))
    }

    /// How many tasks have not ended, where a probe has counted from the start.
    #[inline(always)]
    pub(crate) fn counted_alive(&self) -> u64 {
        self.ids.given() + self.from_elsewhere.get() - self.tasks.borrow().ended
    }

    /// How many tasks have not ended.
    #[cold]
    pub(crate) fn alive(&self) -> usize {
        let tasks = &*self.tasks.borrow();
        let alive = |entry: &&Entry| entry.serial != 0 && entry.state & COMPLETE == 0;
        tasks.entries.iter().filter(alive).count()
    }

    /// Has the processor fetch the entry of a task that will be woken soon, whether it exists or not.
    pub(crate) fn expect(&self, index: u32) {
        if let Some(entry) = self.tasks.borrow().entries.get(index as usize) {
            // What a wake looks at; most entries lie in two lines of the cache.
            prefetch(ptr::from_ref(&entry.state).cast());
            prefetch(ptr::from_ref(&entry.task).cast());
        }
    }

    /// Schedules a task that somebody woke. A name whose task is gone is no error.
    #[inline]
    pub(crate) fn wake(&self, index: u32) {
        self.tasks.borrow_mut().wake(index);
    }

    /// As `wake`, for a task that may have waited for long: its turn comes after others', and its memory is
    /// there by then. 100,000 tasks that sleep are not in the cache, and waiting for their memory was a
    /// quarter of what they cost.
    #[inline]
    pub(crate) fn wake_from_afar(&self, index: u32) {
        self.wake(index);
        let tasks = &*self.tasks.borrow();
        if let Some(task) = tasks.entries.get(index as usize).and_then(|entry| entry.task.as_ref())
        {
            prefetch(ptr::from_ref(&**task).cast());
        }
    }

    /// The next task to run, taken out of its entry.
    #[inline]
    pub(crate) fn next(&self) -> Option<Next> {
        let tasks = &mut *self.tasks.borrow_mut();
        loop {
            let (index, entry) = tasks.dequeue()?;
            entry.state &= !SCHEDULED;
            if entry.state & COMPLETE != 0 {
                tasks.skip(index);
                continue;
            }
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
    #[inline(always)]
    pub(crate) fn put_back<P: Probe>(&self, index: u32, task: BoxedTask) {
        let tasks = &mut *self.tasks.borrow_mut();
        tasks.entries[index as usize].put(Some(task));
        if P::COUNTS {
            tasks.count_poll(index);
        }
    }

    /// Ends a task: its outcome waits for the join handle, or comes back if there is none. Who waits for it
    /// is woken if that is a task of this runtime, whose name is `own`; any other's waker is returned.
    #[inline(always)]
    pub(crate) fn end(
        &self,
        index: u32,
        task: BoxedTask,
        own: RuntimeName,
    ) -> Result<Option<Waker>, Ended> {
        let tasks = &mut *self.tasks.borrow_mut();
        let entry = &mut tasks.entries[index as usize];
        entry.state |= COMPLETE;
        if entry.state & JOINABLE != 0 {
            entry.put(Some(task));
            let Some(joiner) = entry.joiner.take() else { return Ok(None) };
            return match waker::name_of(&joiner) {
                Some(name) if name.runtime() == own => {
                    tasks.wake(name.index());
                    // One of ours: its drop would do nothing.
                    mem::forget(joiner);
                    Ok(None)
                }
                _ => Ok(Some(joiner)),
            };
        }
        let (serial, place, name) = self.remove(entry, index, &mut tasks.vacant);
        Err(Ended { task, serial, place, name })
    }

    /// Asks for a task's outcome, which is moved into `into`, of an `Outcome<T>`; leaves `waker` if
    /// it is not there yet.
    #[inline(always)]
    pub(crate) fn poll_join(
        &self,
        index: u32,
        id: Id,
        waker: &Waker,
        into: &mut Untyped<'_>,
    ) -> Join {
        let replaced = {
            let tasks = &mut *self.tasks.borrow_mut();
            let Some(entry) = find(&mut tasks.entries, index, id) else { return Join::Gone };
            if entry.state & COMPLETE != 0 {
                let mut task = entry.task.take().expect("a complete task has its outcome");
                self.remove(entry, index, &mut tasks.vacant);
                task.as_mut().take(into);
                tasks.keep_box(task);
                return Join::Complete;
            }
            if entry.joiner.as_ref().is_some_and(|joiner| joiner.will_wake(waker)) {
                return Join::Pending;
            }
            if waker::name_of(waker).is_some() {
                Some(entry.joiner.replace(waker.clone()))
            } else {
                None
            }
        };
        drop(replaced.unwrap_or_else(|| self.replace_joiner(index, id, waker.clone())));
        Join::Pending
    }

    /// As `poll_join`, for who takes the whole task. `None` if it is gone.
    #[cold]
    pub(crate) fn poll_end(&self, index: u32, id: Id, waker: &Waker) -> Poll<Option<Ended>> {
        {
            let tasks = &mut *self.tasks.borrow_mut();
            let Some(entry) = find(&mut tasks.entries, index, id) else {
                return Poll::Ready(None);
            };
            if let Some(task) = entry.finished() {
                let (serial, place, name) = self.remove(entry, index, &mut tasks.vacant);
                return Poll::Ready(Some(Ended { task, serial, place, name }));
            }
        }
        drop(self.replace_joiner(index, id, waker.clone()));
        Poll::Pending
    }

    /// For a waker that is foreign code, which was cloned with nothing borrowed.
    #[cold]
    fn replace_joiner(&self, index: u32, id: Id, waker: Waker) -> Option<Waker> {
        match find(&mut self.tasks.borrow_mut().entries, index, id) {
            Some(entry) => entry.joiner.replace(waker),
            None => Some(waker),
        }
    }

    /// The join handle goes: returns what it leaves behind, the task and its waker.
    #[inline]
    pub(crate) fn detach(&self, index: u32, id: Id) -> (Option<Ended>, Option<Waker>) {
        let tasks = &mut *self.tasks.borrow_mut();
        let Some(entry) = find(&mut tasks.entries, index, id) else { return (None, None) };
        entry.state &= !JOINABLE;
        let joiner = entry.joiner.take();
        if entry.state & COMPLETE == 0 {
            return (None, joiner);
        }
        let task = entry.task.take().expect("a complete task has its outcome");
        let (serial, place, name) = self.remove(entry, index, &mut tasks.vacant);
        (Some(Ended { task, serial, place, name }), joiner)
    }

    /// Has a task cancelled when it comes up next, which it does. False if it is gone or done.
    pub(crate) fn abort(&self, index: u32, id: Id) -> bool {
        let tasks = &mut *self.tasks.borrow_mut();
        let Some(entry) = find(&mut tasks.entries, index, id) else { return false };
        if entry.state & COMPLETE != 0 {
            return false;
        }
        entry.state |= ABORTED;
        if entry.state & SCHEDULED == 0 {
            entry.state |= SCHEDULED;
            tasks.enqueue(index);
        }
        true
    }

    /// Whether a task has neither ended nor gone.
    pub(crate) fn is_pending(&self, index: u32, id: Id) -> bool {
        let tasks = &mut *self.tasks.borrow_mut();
        find(&mut tasks.entries, index, id).is_some_and(|entry| entry.state & COMPLETE == 0)
    }

    /// Shows every task that is there, and the root first. `see` must run no foreign code.
    #[cold]
    pub(crate) fn walk(&self, mut see: impl FnMut(Seen<'_>)) {
        let (tasks, names) = (&*self.tasks.borrow(), &*self.names.borrow());
        for (index, entry) in tasks.entries.iter().enumerate() {
            let is_root = index == ROOT as usize;
            if entry.serial == 0 && !is_root {
                continue;
            }
            let named = (entry.state & NAMED != 0).then_some(index);
            see(Seen {
                index: index as u32,
                serial: entry.serial,
                place: entry.place,
                name: named.and_then(|index| names.get(index)?.as_deref()),
                state: entry.seen(is_root),
                joiner: entry.joiner.as_ref(),
            });
        }
    }

    /// Whether nothing is ready to run.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        let tasks = &*self.tasks.borrow();
        let drawn_from = tasks.order.as_ref().map_or(0, |order| order.ready.len());
        tasks.first == NO_MORE && drawn_from == 0
    }

    /// Refuses spawns from now on.
    pub(crate) fn close(&self) {
        self.closed.set(true);
    }

    /// The task to cancel next at teardown, at `from` or behind it: one walk over the indices.
    pub(crate) fn next_alive(&self, from: u32) -> Option<(u32, u64, BoxedTask)> {
        let tasks = &mut *self.tasks.borrow_mut();
        for (index, entry) in tasks.entries.iter_mut().enumerate().skip(from as usize) {
            if entry.state & COMPLETE == 0 {
                if let Some(task) = entry.task.take() {
                    return Some((index as u32, entry.serial, task));
                }
            }
        }
        None
    }

    /// The finished task to drop next at teardown, at `from` or behind it, out of its entry.
    pub(crate) fn next_complete(&self, from: u32) -> Option<(u32, Ended)> {
        let tasks = &mut *self.tasks.borrow_mut();
        for index in from as usize..tasks.entries.len() {
            let entry = &mut tasks.entries[index];
            if let Some(task) = entry.finished() {
                let index = index as u32;
                let (serial, place, name) = self.remove(entry, index, &mut tasks.vacant);
                return Some((index, Ended { task, serial, place, name }));
            }
        }
        None
    }

    /// Frees an entry; the caller has taken what was in it that could run foreign code.
    #[inline(always)]
    fn remove(
        &self,
        entry: &mut Entry,
        index: u32,
        vacant: &mut u32,
    ) -> (Serial, Place, Option<Rc<str>>) {
        debug_assert!(entry.task.is_none() && entry.joiner.is_none());
        let name = if entry.state & NAMED != 0 { self.remove_name(index) } else { None };
        let serial = Serial::of(mem::take(&mut entry.serial));
        // Its last poll may have put it in the run queue once more: then it is vacant when it comes up.
        entry.state = entry.state & SCHEDULED | COMPLETE;
        if entry.state & SCHEDULED == 0 {
            entry.vacate(index, vacant);
        }
        (serial, entry.place, name)
    }

    #[cold]
    fn remove_name(&self, index: u32) -> Option<Rc<str>> {
        self.names.borrow_mut()[index as usize].take()
    }
}

/// How many boxes are kept, and up to which size: 128 KiB at most, and a spawn that finds one of its
/// type saves 107 instructions, most of them `malloc`'s and `free`'s.
const SPARE: usize = 128;
const SPARE_BYTES: usize = 1024;

impl Tasks {
    #[inline(always)]
    fn keep_box(&mut self, task: BoxedTask) {
        if size_of_val(&*task) > SPARE_BYTES {
            return;
        }
        if self.spare.len() < SPARE {
            self.spare.push(task);
        } else {
            self.spare[SPARE - 1] = task;
        }
    }

    /// A box for a new task: the last that was kept, if it is of the right type.
    #[inline(always)]
    fn boxed(&mut self, new: &mut NewTask<'_>) -> BoxedTask {
        let Some(mut spare) = self.spare.pop() else { return new.boxed() };
        if new.renew(&mut spare) {
            return spare;
        }
        self.spare.push(spare);
        new.boxed()
    }

    #[inline]
    fn insert(&mut self, task: Option<BoxedTask>, serial: u64, place: Place, state: u8) -> u32 {
        let index = self.vacant;
        let Some(entry) = self.entries.get_mut(index as usize) else {
            return self.push(task, serial, place, state);
        };
        self.vacant = entry.next;
        entry.put(task);
        entry.serial = serial;
        entry.place = place;
        entry.state = state;
        index
    }

    #[cold]
    fn push(&mut self, task: Option<BoxedTask>, serial: u64, place: Place, state: u8) -> u32 {
        let index = self.entries.len();
        assert!(index < NO_MORE as usize, "a runtime holds at most 2^32 - 1 tasks at once");
        self.entries.push(Entry { task, joiner: None, serial, place, state, next: NO_MORE });
        index as u32
    }

    #[inline(always)]
    fn wake(&mut self, index: u32) {
        if let Some(entry) = self.entries.get_mut(index as usize) {
            if entry.state & (SCHEDULED | COMPLETE) == 0 {
                entry.state |= SCHEDULED;
                self.enqueue(index);
            }
        }
    }

    /// Appends an entry to the run queue, in which it is not yet.
    #[inline(always)]
    fn enqueue(&mut self, index: u32) {
        self.queued.note(index);
        match self.entries.get_mut(self.last as usize) {
            Some(last) => last.next = index,
            None => self.first = index,
        }
        self.last = index;
    }

    /// Takes the first entry out of the run queue, or the one that is drawn.
    #[inline(always)]
    fn dequeue(&mut self) -> Option<(u32, &mut Entry)> {
        if self.order.is_some() {
            self.draw();
        }
        let index = self.first;
        let entry = self.entries.get_mut(index as usize)?;
        if index == self.last {
            (self.first, self.last) = (NO_MORE, NO_MORE);
        } else {
            self.first = entry.next;
        }
        Some((index, entry))
    }

    /// Leaves of the run queue one that is drawn, and keeps the others for the next draw.
    ///
    /// What has come since the last draw is sorted, for its order may be the kernel's or another thread's
    /// affair: the draw hangs on which tasks are ready, not on which of them was woken first.
    ///
    /// Some draws leave none, which ends the batch: if all that is ready ran before each look at the kernel, no
    /// seed would have what comes from a socket overtake what comes from a task.
    #[cold]
    fn draw(&mut self) {
        let Some(order) = &mut self.order else { return };
        let kept = order.ready.len();
        while self.first != NO_MORE {
            order.ready.push(self.first);
            let next = self.entries[self.first as usize].next;
            self.first = if self.first == self.last { NO_MORE } else { next };
        }
        order.ready[kept..].sort_unstable();
        let ends = mem::take(&mut order.drew) && order.rng.below(ENDS) == 0;
        if !ends && !order.ready.is_empty() {
            let drawn = order.rng.below(order.ready.len() as u32);
            self.first = order.ready.swap_remove(drawn as usize);
            order.drew = true;
        }
        self.last = self.first;
    }

    #[inline(always)]
    fn count_poll(&mut self, index: u32) {
        match self.polls.get_mut(index as usize) {
            Some(polls) => *polls = polls.wrapping_add(1),
            None => self.count_first_poll(index),
        }
    }

    #[cold]
    fn count_first_poll(&mut self, index: u32) {
        self.polls.resize(self.entries.len(), 0);
        self.polls[index as usize] = 1;
    }

    /// What came up is a task no more: it has ended, and maybe its entry waits to be vacant.
    #[cold]
    fn skip(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        if entry.serial == 0 {
            entry.vacate(index, &mut self.vacant);
        }
    }
}

/// The entry of a task, told apart from a later one at the same index by its serial.
#[inline(always)]
fn find(entries: &mut [Entry], index: u32, id: Id) -> Option<&mut Entry> {
    entries.get_mut(index as usize).filter(|entry| entry.serial == id.serial())
}
