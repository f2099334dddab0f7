//! `JoinSet`: many tasks, waited for in the order in which they end.
//!
//! The set keeps each task's join handle under a key, and a queue of the keys worth a look: those of new
//! tasks, and those whose handle has been woken. Each handle is polled with a waker of its own that puts its
//! key into the queue, so that a join costs the same however many tasks there are. A key in the queue is a
//! hint: the entry it means may be gone, or another's by now, and a look too many does no harm.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::panic;
use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};

use runtime_core::task::{
    self, AbortHandle, Id, JoinError, JoinHandle, has_budget_remaining, unconstrained,
};
use slab::Slab;

use crate::Handle;
use crate::sync::{Mutex, MutexGuard};

/// New tasks that one poll looks at before it lets others run.
const LOOKS: usize = 128;

/// A set of tasks of one output type, which gives the outputs in the order in which the tasks end.
///
/// Dropping the set aborts the tasks that are in it. As tokio's `task::JoinSet`, except that [`spawn`] asks
/// for no `Send`. The set is `Send` when `T` is.
///
/// # Examples
///
/// ```
/// use runtime::task::JoinSet;
///
/// # runtime::block_on(async {
/// let mut set = JoinSet::new();
/// for i in 0..10 {
///     set.spawn(async move { i * i });
/// }
/// let mut sum = 0;
/// while let Some(square) = set.join_next().await {
///     sum += square.unwrap();
/// }
/// assert_eq!(sum, 285);
///
/// // Work that blocks, and all outputs at once.
/// set.spawn_blocking(|| 1);
/// set.spawn_blocking(|| 2);
/// let mut outputs = set.join_all().await;
/// outputs.sort();
/// assert_eq!(outputs, [1, 2]);
///
/// // An end that waits until the futures are gone.
/// let mut set = JoinSet::new();
/// set.spawn(std::future::pending::<()>());
/// set.shutdown().await;
/// assert!(set.is_empty());
/// # });
/// ```
///
/// [`spawn`]: JoinSet::spawn
pub struct JoinSet<T> {
    entries: Slab<Entry<T>>,
    queue: Arc<Queue>,
}

struct Entry<T> {
    handle: JoinHandle<T>,
    /// The waker that queues the entry's key, from the first look that found the task running.
    waker: Option<Waker>,
}

/// The keys worth a look, and who waits for one.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keys: VecDeque<usize>,
    waker: Option<Waker>,
}

impl Queue {
    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a key and wakes who waits.
    #[inline]
    fn push(&self, key: usize) {
        let waker = {
            let mut state = self.lock();
            state.keys.push_back(key);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    #[inline]
    fn pop(&self) -> Option<usize> {
        self.lock().keys.pop_front()
    }

    /// The next key; if there is none, `cx` is woken when one comes.
    #[inline]
    fn poll_pop(&self, cx: &mut Context<'_>) -> Poll<usize> {
        // A waker's clone and drop may be foreign code, which must not find the lock held.
        let mut waker = Some(cx.waker().clone());
        let popped = {
            let mut state = self.lock();
            let popped = state.keys.pop_front();
            if popped.is_none() {
                mem::swap(&mut state.waker, &mut waker);
            }
            popped
        };
        popped.map_or(Poll::Pending, Poll::Ready)
    }
}

/// What wakes for one entry.
struct EntryWaker {
    queue: Arc<Queue>,
    key: usize,
}

impl Wake for EntryWaker {
    #[inline]
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    #[inline]
    fn wake_by_ref(self: &Arc<Self>) {
        self.queue.push(self.key);
    }
}

impl<T> JoinSet<T> {
    /// An empty set.
    #[inline]
    pub fn new() -> JoinSet<T> {
        JoinSet { entries: Slab::new(), queue: Arc::default() }
    }

    /// How many tasks are in the set: running, or ended and not given out yet.
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no task is in the set.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Aborts every task in the set; they stay in it until [`join_next`](JoinSet::join_next) gives their end.
    #[inline]
    pub fn abort_all(&mut self) {
        for (_, entry) in &self.entries {
            entry.handle.abort();
        }
    }

    /// Empties the set and lets its tasks go on.
    #[inline]
    pub fn detach_all(&mut self) {
        self.entries.clear();
        self.queue.lock().keys.clear();
    }
}

impl<T: 'static> JoinSet<T> {
    /// Spawns a task into the set; see [`task::spawn`].
    ///
    /// # Panics
    ///
    /// With no runtime of this thread current.
    #[track_caller]
    #[inline]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.insert(task::spawn(future))
    }

    /// The same as [`spawn`](JoinSet::spawn), for those who come from tokio.
    #[doc(hidden)]
    #[track_caller]
    #[inline]
    pub fn spawn_local<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.spawn(future)
    }

    /// Spawns a task of the runtime of `handle` into the set, from any thread; see [`Handle::spawn`].
    #[track_caller]
    #[inline]
    pub fn spawn_on<F>(&mut self, future: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.insert(handle.spawn(future))
    }

    /// Runs a closure that blocks, as part of the set; see
    /// [`task::spawn_blocking`].
    ///
    /// # Panics
    ///
    /// With no runtime on this thread, and if the system refuses the pool's first thread.
    #[track_caller]
    #[inline]
    pub fn spawn_blocking<F>(&mut self, function: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.insert(task::spawn_blocking(function))
    }

    /// Runs a closure that blocks on the pool of the runtime of `handle`; see [`Handle::spawn_blocking`].
    ///
    /// # Panics
    ///
    /// If the system refuses the pool's first thread.
    #[track_caller]
    #[inline]
    pub fn spawn_blocking_on<F>(&mut self, function: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.insert(handle.spawn_blocking(function))
    }

    /// Takes in a task, and has the next poll look at it.
    #[inline]
    fn insert(&mut self, handle: JoinHandle<T>) -> AbortHandle {
        let abort = handle.abort_handle();
        let key = self.entries.insert(Entry { handle, waker: None });
        self.queue.push(key);
        abort
    }

    /// Waits for the next task to end, takes it out and gives its output; `None` if the set is empty.
    ///
    /// # Errors
    ///
    /// The output is an error if the task panicked or was aborted.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: a task is taken out only as its output is given.
    #[inline]
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// As [`join_next`](JoinSet::join_next), with the task's id.
    ///
    /// # Errors
    ///
    /// As `join_next`'s; the id is the error's [`id`](JoinError::id).
    ///
    /// # Cancel safety
    ///
    /// As `join_next`.
    #[inline]
    pub async fn join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        poll_fn(|cx| self.poll_join_next_with_id(cx)).await
    }

    /// Takes out a task that has ended; `None` if there is none, which includes an empty set.
    ///
    /// # Errors
    ///
    /// As [`join_next`](JoinSet::join_next)'s.
    #[inline]
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.try_join_next_with_id().map(without_id)
    }

    /// As [`try_join_next`](JoinSet::try_join_next), with the task's id.
    ///
    /// # Errors
    ///
    /// As [`join_next_with_id`](JoinSet::join_next_with_id)'s.
    #[inline]
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        while let Some(key) = self.queue.pop() {
            if let Poll::Ready(joined) =
                self.look(key, |handle, cx| pin!(unconstrained(handle)).poll(cx))
            {
                return Some(joined);
            }
        }
        None
    }

    /// Polls for the next task to end; `Ready(None)` if the set is empty. Only the last task that polled is
    /// woken.
    ///
    /// # Errors
    ///
    /// As [`join_next`](JoinSet::join_next)'s.
    #[inline]
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.poll_join_next_with_id(cx).map(|joined| joined.map(without_id))
    }

    /// As [`poll_join_next`](JoinSet::poll_join_next), with the task's id.
    ///
    /// # Errors
    ///
    /// As [`join_next_with_id`](JoinSet::join_next_with_id)'s.
    #[inline]
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        if self.is_empty() {
            return Poll::Ready(None);
        }
        for _ in 0..LOOKS {
            // With the budget spent, no handle would say whether its task has ended.
            if !has_budget_remaining() {
                break;
            }
            let key = ready!(self.queue.poll_pop(cx));
            if let Poll::Ready(joined) = self.look(key, |handle, cx| Pin::new(handle).poll(cx)) {
                return Poll::Ready(Some(joined));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Polls the entry that `key` means, if any, with its own waker; takes it out if its task has ended.
    #[inline]
    fn look(
        &mut self,
        key: usize,
        poll: impl FnOnce(&mut JoinHandle<T>, &mut Context<'_>) -> Poll<Result<T, JoinError>>,
    ) -> Poll<Result<(Id, T), JoinError>> {
        let Some(entry) = self.entries.get_mut(key) else { return Poll::Pending };
        let queue = &self.queue;
        let waker = entry
            .waker
            .get_or_insert_with(|| Arc::new(EntryWaker { queue: queue.clone(), key }).into());
        let joined = ready!(poll(&mut entry.handle, &mut Context::from_waker(waker)));
        let entry = self.entries.remove(key);
        Poll::Ready(joined.map(|output| (entry.handle.id(), output)))
    }

    /// Aborts every task and waits until all are gone.
    ///
    /// # Cancel safety
    ///
    /// The tasks have been aborted once this was polled; those that are left stay in the set.
    #[inline]
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Waits for all tasks and gives their outputs, in the order in which they ended.
    ///
    /// # Panics
    ///
    /// As soon as a task has panicked, with its panic, or was aborted; the others are aborted then.
    ///
    /// # Cancel safety
    ///
    /// Dropping it aborts the tasks, and the outputs that were there already are lost.
    #[inline]
    pub async fn join_all(mut self) -> Vec<T> {
        let mut outputs = Vec::with_capacity(self.len());
        while let Some(joined) = self.join_next().await {
            match joined.map_err(JoinError::try_into_panic) {
                Ok(output) => outputs.push(output),
                Err(Ok(payload)) => panic::resume_unwind(payload),
                Err(Err(aborted)) => panic!("JoinSet::join_all: {aborted}, so it has no output"),
            }
        }
        outputs
    }
}

#[inline]
fn without_id<T>(joined: Result<(Id, T), JoinError>) -> Result<T, JoinError> {
    joined.map(|(_, output)| output)
}

impl<T> Drop for JoinSet<T> {
    #[inline]
    fn drop(&mut self) {
        // Nobody waits any more, so nobody is to be woken by the handles as they go.
        drop(self.queue.lock().waker.take());
        self.abort_all();
    }
}

impl<T> Default for JoinSet<T> {
    #[inline]
    fn default() -> JoinSet<T> {
        JoinSet::new()
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<T, F> FromIterator<F> for JoinSet<T>
where
    T: 'static,
    F: Future<Output = T> + 'static,
{
    /// Spawns each future, as [`JoinSet::spawn`].
    #[track_caller]
    #[inline]
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> JoinSet<T> {
        let mut set = JoinSet::new();
        set.extend(futures);
        set
    }
}

impl<T, F> Extend<F> for JoinSet<T>
where
    T: 'static,
    F: Future<Output = T> + 'static,
{
    /// Spawns each future, as [`JoinSet::spawn`].
    #[track_caller]
    #[inline]
    fn extend<I: IntoIterator<Item = F>>(&mut self, futures: I) {
        for future in futures {
            self.spawn(future);
        }
    }
}
