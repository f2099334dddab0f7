//! The pool behind `spawn_blocking`: threads that start on demand and end when idle.
//!
//! It runs jobs and knows nothing of results: a job delivers its own, and one that is dropped unrun
//! says so from its destructor. Hence the rule here: jobs run and are dropped with no lock held.

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::sync::{Condvar, Mutex, MutexGuard, thread};

/// What a thread of the pool runs, once. It should catch its own panics.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// How a [`Pool`] is made.
pub(crate) struct Options {
    /// The most threads at a time; at least 1.
    pub(crate) max_threads: usize,
    /// How long a thread stays without a job.
    pub(crate) keep_alive: Duration,
    /// The name of every thread. Without a NUL, which would make the first `submit` panic.
    pub(crate) thread_name: String,
    /// Called each time [`Pool::in_flight`] has come down to 0, by the thread that finished the last
    /// job, with no lock held. A loop that sleeps until then has nothing else to wake it: the job's
    /// own wake comes earlier.
    pub(crate) on_drained: Option<Box<dyn Fn() + Send + Sync>>,
}

/// Why [`Pool::submit`] did not take a job. The job comes back, to be dropped by the caller.
pub(crate) enum SubmitError {
    /// The pool was shut down.
    ShutDown(Job),
    /// The system refused to start a thread, and there is no other that could run the job.
    NoThread(io::Error, Job),
}

/// A pool of threads for work that blocks.
///
/// It lives until the last `Arc` and the last of its threads are gone; dropping it waits for nothing.
pub(crate) struct Pool {
    options: Options,
    state: Mutex<State>,
    /// Signalled once for each job that an idle thread should take, and to all on shut-down.
    work: Condvar,
    /// Signalled when the last thread ends.
    ended: Condvar,
}

/// Invariant: of the idle threads at least `min(queue.len(), idle)` are awake or notified, and each
/// looks at the queue before it waits. So no job waits while an idle thread sleeps.
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    /// Threads without a job: those that wait for one, were notified but did not take one yet, or
    /// are only starting.
    idle: usize,
    in_flight: usize,
    shut_down: bool,
}

impl Pool {
    /// A pool without threads. Makes no system call.
    pub(crate) fn new(options: Options) -> Arc<Pool> {
        let state =
            State { queue: VecDeque::new(), threads: 0, idle: 0, in_flight: 0, shut_down: false };
        Arc::new(Pool {
            options,
            state: Mutex::new(state),
            work: Condvar::new(),
            ended: Condvar::new(),
        })
    }

    /// Runs `job` on one of the pool's threads, in order of submission, or drops it unrun if the pool
    /// is shut down before its turn.
    ///
    /// # Errors
    ///
    /// After [`shut_down`](Pool::shut_down), and when the pool has no thread and the system refuses
    /// the first. If it refuses another one, the job waits for those that exist.
    #[inline]
    pub(crate) fn submit(self: &Arc<Self>, job: Job) -> Result<(), SubmitError> {
        let mut state = self.lock();
        if state.shut_down {
            return Err(SubmitError::ShutDown(job));
        }
        // A thread that is counted in `idle` and awake takes a job without being told, so it is
        // enough to compare numbers; who takes which job does not matter.
        if state.queue.len() < state.idle {
            self.work.notify_one();
        } else if state.threads < self.options.max_threads {
            match self.start_thread() {
                Ok(()) => {
                    state.threads += 1;
                    state.idle += 1;
                }
                Err(error) if state.threads == 0 => return Err(SubmitError::NoThread(error, job)),
                Err(_) => {}
            }
        }
        state.queue.push_back(job);
        state.in_flight += 1;
        Ok(())
    }

    /// How many jobs are queued or running. A job counts until it has returned and all that it
    /// captured is dropped, so whatever it wakes is woken before it ceases to count.
    pub(crate) fn in_flight(&self) -> usize {
        self.lock().in_flight
    }

    /// How many threads exist or are starting.
    #[allow(dead_code)] // for tests/blocking_pool.rs, and for metrics
    #[inline]
    pub(crate) fn threads(&self) -> usize {
        self.lock().threads
    }

    /// Takes no more jobs, drops those in the queue unrun and lets idle threads end. Jobs that run go
    /// on; with `wait`, returns when the last has ended or that time has passed. May be repeated.
    pub(crate) fn shut_down(&self, wait: Option<Duration>) {
        let mut state = self.lock();
        state.shut_down = true;
        let unrun = std::mem::take(&mut state.queue);
        if state.threads > 0 {
            // Else this system call would be the only one of many a short runtime.
            self.work.notify_all();
        }
        if !unrun.is_empty() {
            drop(state);
            let jobs = unrun.len();
            unrun.into_iter().for_each(|job| contain(|| drop(job)));
            state = self.finish(self.lock(), jobs);
        }
        if let Some(wait) = wait {
            let _ = self.ended.wait_timeout_while(state, wait, |state| state.threads > 0);
        }
    }

    /// Starts a thread, under the lock: it begins idle, so its first act is to wait for that lock.
    #[inline]
    fn start_thread(self: &Arc<Self>) -> io::Result<()> {
        let pool = Arc::clone(self);
        let name = self.options.thread_name.clone();
        thread::Builder::new().name(name).spawn(move || pool.work()).map(drop)
    }

    /// A thread's life.
    #[inline]
    fn work(&self) {
        let mut state = self.lock();
        loop {
            while let Some(job) = state.queue.pop_front() {
                state.idle -= 1;
                drop(state);
                contain(job);
                state = self.lock();
                state.idle += 1;
                state = self.finish(state, 1);
            }
            if state.shut_down {
                break;
            }
            let keep_alive = self.options.keep_alive;
            let nothing = |state: &mut State| state.queue.is_empty() && !state.shut_down;
            let (next, waited) = self
                .work
                .wait_timeout_while(state, keep_alive, nothing)
                .unwrap_or_else(PoisonError::into_inner);
            state = next;
            if waited.timed_out() {
                break;
            }
        }
        state.idle -= 1;
        state.threads -= 1;
        if state.threads == 0 {
            self.ended.notify_all();
        }
    }

    /// Counts `jobs` as done, now that nothing is left of them.
    fn finish<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        jobs: usize,
    ) -> MutexGuard<'a, State> {
        state.in_flight -= jobs;
        match &self.options.on_drained {
            Some(on_drained) if state.in_flight == 0 => {
                drop(state);
                contain(on_drained);
                self.lock()
            }
            _ => state,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that could panic half-way through a change runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs foreign code that should not panic. If it does, the thread's own work must not suffer: the panic
/// has been reported by the hook and ends here.
pub(crate) fn contain(run: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(run)) {
        // Leaked, because its destructor may panic as well.
        std::mem::forget::<Box<dyn Any + Send>>(payload);
    }
}
