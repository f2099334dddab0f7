//! The blocking pool: jobs from several threads, threads that end when idle, shutting down, and the clock
//! that waits for jobs.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::{Counted, Flag, join, runtime};
use crate::Builder;
use crate::blocking::{Options, Pool, SubmitError};
use crate::run::Story;
use crate::sync::{Condvar, Mutex, Ordering, thread};
use crate::task::spawn_blocking;
use crate::timer::sleep;

pub(crate) const STORIES: &[Story] = &[
    Story {
        name: "pool::jobs_for_one_thread",
        orders: 1000,
        loom: true,
        tell: jobs_for_one_thread,
    },
    Story {
        name: "pool::jobs_for_two_threads",
        orders: 1000,
        loom: false,
        tell: jobs_for_two_threads,
    },
    Story {
        name: "pool::threads_that_end_when_idle",
        orders: 1000,
        loom: false,
        tell: threads_that_end,
    },
    Story {
        name: "pool::shut_down_with_jobs_left",
        orders: 2000,
        loom: true,
        tell: shut_down_with_jobs_left,
    },
    Story {
        name: "pool::closures_from_two_threads",
        orders: 500,
        loom: true,
        tell: closures_from_two_threads,
    },
    Story {
        name: "pool::a_closure_is_aborted",
        orders: 1000,
        loom: true,
        tell: a_closure_is_aborted,
    },
    Story { name: "pool::the_runtime_goes", orders: 1000, loom: true, tell: the_runtime_goes },
    Story { name: "pool::the_clock_waits", orders: 1000, loom: true, tell: the_clock_waits },
];

const FOR_EVER: Duration = Duration::MAX;
/// Over whenever the model likes.
const A_WHILE: Duration = Duration::from_secs(1);

fn pool(max_threads: usize, keep_alive: Duration) -> Arc<Pool> {
    Pool::new(Options { max_threads, keep_alive, thread_name: String::new(), on_drained: None })
}

/// Counts jobs, and waits for so many.
#[derive(Default)]
struct Tally {
    count: Mutex<usize>,
    counted: Condvar,
}

impl Tally {
    fn add(&self) {
        *self.count.lock().unwrap() += 1;
        self.counted.notify_all();
    }

    fn wait_for(&self, wanted: usize) {
        let mut count = self.count.lock().unwrap();
        while *count < wanted {
            count = self.counted.wait(count).unwrap();
        }
    }
}

/// Two threads leave two jobs each: all are run, with nobody coming to the help of a job that waits.
fn all_jobs_run(max_threads: usize, keep_alive: Duration) {
    let (pool, tally) = (pool(max_threads, keep_alive), Arc::new(Tally::default()));
    let submitters = [(); 2].map(|()| {
        let (pool, tally) = (pool.clone(), tally.clone());
        thread::spawn(move || {
            for _ in 0..2 {
                let tally = tally.clone();
                assert!(pool.submit(Box::new(move || tally.add())).is_ok());
                assert!(pool.threads() <= max_threads);
            }
        })
    });
    join(submitters);
    tally.wait_for(4);
    pool.shut_down(Some(FOR_EVER));
    assert_eq!((pool.threads(), pool.in_flight()), (0, 0));
}

fn jobs_for_one_thread() {
    all_jobs_run(1, FOR_EVER);
}

fn jobs_for_two_threads() {
    all_jobs_run(2, FOR_EVER);
}

fn threads_that_end() {
    all_jobs_run(2, A_WHILE);
}

/// Every job is run, dropped unrun, or given back, and no thread is left.
fn shut_down_with_jobs_left() {
    let pool = pool(2, FOR_EVER);
    let (alive, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let submitter = thread::spawn({
        let (pool, alive, refused) = (pool.clone(), alive.clone(), refused.clone());
        move || {
            for _ in 0..3 {
                let part = Counted::new(&alive);
                match pool.submit(Box::new(move || drop(part))) {
                    Ok(()) => {}
                    Err(SubmitError::ShutDown(job)) => {
                        drop(job);
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(SubmitError::NoThread(error, _job)) => panic!("{error}"),
                }
            }
        }
    });
    pool.shut_down(Some(FOR_EVER));
    assert_eq!((pool.threads(), pool.in_flight()), (0, 0));
    submitter.join().unwrap();
    assert_eq!(alive.load(Ordering::Relaxed), 0, "a job was lost");
    assert!(refused.load(Ordering::Relaxed) <= 3);
}

/// The runtime's own thread and another hand over closures, and wait for what they return.
fn closures_from_two_threads() {
    let runtime = Builder::new().max_blocking_threads(1).build().unwrap();
    let done = Flag::new();
    let thread = thread::spawn({
        let (handle, done) = (runtime.handle().clone(), done.clone());
        move || {
            let job = handle.spawn_blocking(|| 1);
            assert_eq!(handle.block_on(job).unwrap(), 1);
            done.set();
        }
    });
    runtime.block_on(async {
        let job = spawn_blocking(|| 2);
        let its = job.abort_handle();
        assert_eq!(job.await.unwrap(), 2);
        assert!(its.is_finished(), "its output was there before");
        done.wait().await;
    });
    drop(runtime);
    thread.join().unwrap();
}

/// It runs and its output comes, or it does not run at all.
fn a_closure_is_aborted() {
    let (runtime, ran) = (runtime(), Arc::new(AtomicUsize::new(0)));
    runtime.block_on(async {
        let job = spawn_blocking({
            let ran = ran.clone();
            move || ran.fetch_add(1, Ordering::Relaxed)
        });
        let abort = job.abort_handle();
        let thread = thread::spawn(move || abort.abort());
        match job.await {
            Ok(_) => assert_eq!(ran.load(Ordering::Relaxed), 1),
            Err(error) => assert!(error.is_cancelled() && ran.load(Ordering::Relaxed) == 0),
        }
        thread.join().unwrap();
    });
}

/// The runtime goes while its pool works: who waits elsewhere hears of it.
fn the_runtime_goes() {
    let (runtime, alive) = (runtime(), Arc::new(AtomicUsize::new(0)));
    let thread = thread::spawn({
        let (handle, alive) = (runtime.handle().clone(), alive.clone());
        move || {
            let output = Counted::new(&alive);
            let job = handle.spawn_blocking(move || output);
            match handle.block_on(job) {
                Ok(output) => drop(output),
                Err(error) => assert!(error.is_cancelled()),
            }
        }
    });
    runtime.shutdown_timeout(FOR_EVER);
    thread.join().unwrap();
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

/// A clock that stands jumps when the pool has nothing to do: the loop sleeps until then, and is told.
fn the_clock_waits() {
    let runtime = Builder::new().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let jobs = [(); 2].map(|()| spawn_blocking(|| ()));
        sleep(A_WHILE).await;
        assert!(jobs.iter().all(|job| job.is_finished()), "the clock jumped before");
    });
}
