//! The pool of blocking threads on its own, without a runtime.

#[allow(dead_code, unused_imports, reason = "what other files need is there too")]
#[path = "../src/sync.rs"]
mod sync;

#[path = "../src/blocking.rs"]
mod blocking;

use std::collections::HashSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Weak};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use blocking::{Job, Options, Pool, SubmitError};

/// More than any step of a test takes; what takes longer hangs.
const HANG: Duration = Duration::from_secs(240);
/// Longer than any test: a thread that ends before has another reason.
const FOR_EVER: Duration = Duration::MAX;

fn options(max_threads: usize, keep_alive: Duration) -> Options {
    Options { max_threads, keep_alive, thread_name: "blocking-test".into(), on_drained: None }
}

fn pool(max_threads: usize) -> Arc<Pool> {
    Pool::new(options(max_threads, FOR_EVER))
}

fn submit(pool: &Arc<Pool>, job: impl FnOnce() + Send + 'static) {
    assert!(pool.submit(Box::new(job)).is_ok(), "the pool refused a job");
}

fn recv<T>(from: &Receiver<T>) -> T {
    from.recv_timeout(HANG).expect("a message before the test is taken for hung")
}

/// Waits for what nobody announces.
fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let start = Instant::now();
    while !reached() {
        assert!(start.elapsed() < HANG, "hangs: {what}");
        thread::yield_now();
    }
}

fn all_done(pool: &Pool) {
    until("in_flight() == 0", || pool.in_flight() == 0);
}

/// Shuts down and waits for all threads, from a thread of its own: a hang is a message that does not
/// come.
fn shut_down_and_wait(pool: &Arc<Pool>) {
    let (pool, (shut, shut_down)) = (Arc::clone(pool), channel());
    thread::spawn(move || {
        pool.shut_down(Some(FOR_EVER));
        shut.send(()).unwrap();
    });
    recv(&shut_down);
}

/// A job that says which thread it is on, then stays until it is told to go on or the sender drops.
fn occupy(pool: &Arc<Pool>, started: &Sender<ThreadId>) -> Sender<()> {
    let (go_on, wait) = channel();
    let started = started.clone();
    submit(pool, move || {
        started.send(thread::current().id()).unwrap();
        let _ = wait.recv_timeout(HANG);
    });
    go_on
}

/// Sends when it is dropped whether it was run before.
struct Tell {
    ran: bool,
    to: Sender<bool>,
}

impl Tell {
    fn job(to: &Sender<bool>) -> Job {
        let tell = Tell { ran: false, to: to.clone() };
        Box::new(|| tell.run())
    }

    fn run(mut self) {
        self.ran = true;
    }
}

impl Drop for Tell {
    fn drop(&mut self) {
        let _ = self.to.send(self.ran);
    }
}

#[test]
fn starts_no_thread_before_the_first_job() {
    let pool = pool(4);
    assert_eq!((pool.threads(), pool.in_flight()), (0, 0));
    let (name, named) = channel();
    submit(&pool, move || name.send(thread::current().name().map(String::from)).unwrap());
    assert_eq!(recv(&named).as_deref(), Some("blocking-test"));
    assert_eq!(pool.threads(), 1);
    pool.shut_down(None);
}

#[test]
fn an_idle_thread_is_used_again() {
    let pool = pool(4);
    let (started, ids) = channel();
    for _ in 0..100 {
        drop(occupy(&pool, &started));
        all_done(&pool);
    }
    let ids: HashSet<ThreadId> = ids.try_iter().collect();
    assert_eq!((ids.len(), pool.threads()), (1, 1));
    pool.shut_down(None);
}

#[test]
fn every_job_gets_a_thread_while_there_are_fewer_than_the_most() {
    let pool = pool(8);
    // Each waits for the seven others, twice: first on new threads, then on the same ones.
    for _ in 0..2 {
        let (barrier, (passed, all)) = (Arc::new(Barrier::new(8)), channel());
        for _ in 0..8 {
            let (barrier, passed) = (Arc::clone(&barrier), passed.clone());
            submit(&pool, move || {
                barrier.wait();
                passed.send(()).unwrap();
            });
        }
        (0..8).for_each(|_| recv(&all));
        all_done(&pool);
        assert_eq!(pool.threads(), 8);
    }
    pool.shut_down(None);
}

#[test]
fn never_runs_more_than_the_most() {
    let pool = pool(2);
    let (started, ids) = channel();
    let first = occupy(&pool, &started);
    let second = occupy(&pool, &started);
    let third = occupy(&pool, &started);
    let busy = HashSet::from([recv(&ids), recv(&ids)]);
    assert_eq!((busy.len(), pool.threads(), pool.in_flight()), (2, 2, 3));
    assert!(ids.try_recv().is_err(), "the third runs beside the first two");
    drop(first);
    assert!(busy.contains(&recv(&ids)));
    assert_eq!(pool.threads(), 2);
    drop((second, third));
    all_done(&pool);
    pool.shut_down(None);
}

#[test]
fn jobs_of_many_threads_run_once_each() {
    const SUBMITTERS: usize = 4;
    const EACH: usize = 2_000;
    let pool = pool(3);
    let runs: Arc<Vec<AtomicUsize>> =
        Arc::new((0..SUBMITTERS * EACH).map(|_| AtomicUsize::new(0)).collect());
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    thread::scope(|scope| {
        for submitter in 0..SUBMITTERS {
            let (pool, runs, running, most) = (&pool, &runs, &running, &most);
            scope.spawn(move || {
                for index in submitter * EACH..(submitter + 1) * EACH {
                    let (runs, running, most) = (runs.clone(), running.clone(), most.clone());
                    submit(pool, move || {
                        most.fetch_max(
                            running.fetch_add(1, Ordering::SeqCst) + 1,
                            Ordering::SeqCst,
                        );
                        runs[index].fetch_add(1, Ordering::SeqCst);
                        running.fetch_sub(1, Ordering::SeqCst);
                    });
                }
            });
        }
    });
    all_done(&pool);
    assert!(runs.iter().all(|runs| runs.load(Ordering::SeqCst) == 1));
    assert!(most.load(Ordering::SeqCst) <= 3);
    assert!(pool.threads() <= 3);
    pool.shut_down(None);
}

#[test]
fn idle_threads_end_after_keep_alive_and_start_again() {
    let pool = Pool::new(options(4, Duration::from_millis(1)));
    for _ in 0..3 {
        let (started, ids) = channel();
        let jobs = Vec::from_iter((0..3).map(|_| occupy(&pool, &started)));
        (0..3).for_each(|_| _ = recv(&ids));
        assert_eq!(pool.threads(), 3, "busy threads do not end");
        drop(jobs);
        until("threads() == 0", || pool.threads() == 0);
        assert_eq!(pool.in_flight(), 0);
    }
    let held = Arc::downgrade(&pool);
    drop(pool);
    until("no thread holds the pool", || held.strong_count() == 0);
}

/// The shortest life there is, so that threads time out while jobs come in.
#[test]
fn no_job_is_lost_to_a_thread_that_ends() {
    let pool = Pool::new(options(2, Duration::ZERO));
    let (done, all) = channel();
    for index in 0..2_000 {
        let done = done.clone();
        submit(&pool, move || done.send(index).unwrap());
        if index % 3 == 0 {
            thread::yield_now();
        }
    }
    let seen: HashSet<i32> = (0..2_000).map(|_| recv(&all)).collect();
    assert_eq!(seen.len(), 2_000);
    until("threads() == 0", || pool.threads() == 0);
}

#[test]
fn shut_down_drops_what_is_queued_and_leaves_what_runs() {
    let pool = pool(1);
    let (started, ids) = channel();
    let running = occupy(&pool, &started);
    recv(&ids);
    let (tell, told) = channel();
    for _ in 0..3 {
        assert!(pool.submit(Tell::job(&tell)).is_ok());
    }
    assert_eq!(pool.in_flight(), 4);
    assert!(told.try_recv().is_err(), "dropped while it could still run");
    pool.shut_down(None);
    assert_eq!(Vec::from_iter(told.try_iter()), [false; 3], "dropped unrun, before it returned");
    assert_eq!((pool.in_flight(), pool.threads()), (1, 1), "the one that runs is left alone");
    match pool.submit(Tell::job(&tell)) {
        Err(SubmitError::ShutDown(job)) => drop(job),
        _ => panic!("a pool that is shut down takes no job"),
    }
    assert!(!recv(&told));
    pool.shut_down(Some(Duration::ZERO));
    assert_eq!(pool.threads(), 1, "waited no longer than told");
    drop(running);
    shut_down_and_wait(&pool);
    assert_eq!((pool.in_flight(), pool.threads()), (0, 0), "waited for");
    pool.shut_down(Some(FOR_EVER));
}

#[test]
fn shut_down_ends_idle_threads_at_once() {
    let pool = pool(4);
    let barrier = Arc::new(Barrier::new(4));
    for _ in 0..4 {
        let barrier = Arc::clone(&barrier);
        submit(&pool, move || {
            barrier.wait();
        });
    }
    all_done(&pool);
    assert_eq!(pool.threads(), 4);
    shut_down_and_wait(&pool);
    assert_eq!(pool.threads(), 0);
}

/// What a job owns may use the pool from its destructor, and so may the hook: no lock is held.
#[test]
fn foreign_code_runs_without_the_lock() {
    struct Look(Weak<Pool>, Sender<usize>);
    impl Drop for Look {
        fn drop(&mut self) {
            self.1.send(self.0.upgrade().map_or(0, |pool| pool.in_flight())).unwrap();
        }
    }
    let (seen, in_flight) = channel();
    let pool = Arc::new_cyclic(|pool: &Weak<Pool>| {
        let hook = Look(pool.clone(), seen.clone());
        let on_drained: Box<dyn Fn() + Send + Sync> = Box::new(move || {
            let pool = hook.0.upgrade().expect("its thread holds the pool");
            hook.1.send(pool.in_flight()).unwrap();
        });
        let options = Options { on_drained: Some(on_drained), ..options(1, FOR_EVER) };
        Arc::into_inner(Pool::new(options)).unwrap()
    });
    let (started, ids) = channel();
    let look = Look(Arc::downgrade(&pool), seen.clone());
    submit(&pool, move || drop(look));
    assert_eq!(recv(&in_flight), 1, "in flight until its last destructor ran");
    assert_eq!(recv(&in_flight), 0, "then the hook runs");
    let running = occupy(&pool, &started);
    recv(&ids);
    let look = Look(Arc::downgrade(&pool), seen.clone());
    submit(&pool, move || drop(look));
    // On a thread of its own, so that a deadlock is a message that does not come.
    let (shut, shut_down) = channel();
    let clone = Arc::clone(&pool);
    thread::spawn(move || {
        clone.shut_down(None);
        shut.send(()).unwrap();
    });
    assert_eq!(recv(&in_flight), 2, "the queued one as well, in shut_down");
    recv(&shut_down);
    drop(running);
    assert_eq!(recv(&in_flight), 0);
    shut_down_and_wait(&pool);
}

#[test]
fn a_job_that_panics_costs_neither_thread_nor_count() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("expected by the test: from a destructor");
        }
    }
    let pool = pool(1);
    submit(&pool, || panic!("expected by the test: from a job"));
    submit(&pool, || std::panic::panic_any(Bomb));
    let (started, ids) = channel();
    let running = occupy(&pool, &started);
    recv(&ids);
    assert_eq!((pool.threads(), pool.in_flight()), (1, 1));
    let (bomb, ran) = (Bomb, Arc::new(AtomicBool::new(false)));
    let flag = Arc::clone(&ran);
    submit(&pool, move || {
        flag.store(true, Ordering::SeqCst);
        drop(bomb);
    });
    pool.shut_down(None);
    assert_eq!((pool.in_flight(), ran.load(Ordering::SeqCst)), (1, false));
    drop(running);
    shut_down_and_wait(&pool);
    assert_eq!((pool.threads(), pool.in_flight()), (0, 0));
}

/// Runs the test `name` of this binary again, on its main thread alone, after the shell's `limits`.
///
/// `ROLE` tells it that it is the copy.
fn in_a_copy(name: &str, limits: &str, stack: u64) {
    let script = format!("{limits} exec \"$0\" --exact {name} --test-threads=1");
    let output = Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(ROLE, "copy")
        .env("RUST_MIN_STACK", stack.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

const ROLE: &str = "BLOCKING_POOL_ROLE";

#[test]
fn without_any_thread_the_job_comes_back() {
    if std::env::var_os(ROLE).is_none() {
        // No address space has room for this stack, so the system refuses every thread.
        return in_a_copy("without_any_thread_the_job_comes_back", "", 1 << 60);
    }
    let pool = pool(4);
    let (tell, told) = channel();
    for _ in 0..2 {
        match pool.submit(Tell::job(&tell)) {
            Err(SubmitError::NoThread(error, job)) => {
                assert!(error.raw_os_error().is_some(), "{error}");
                drop(job);
            }
            _ => panic!("a thread with that stack was started"),
        }
        assert!(!recv(&told));
        assert_eq!((pool.threads(), pool.in_flight()), (0, 0));
    }
}

#[test]
fn refused_another_thread_those_that_exist_do_all() {
    if std::env::var_os(ROLE).is_none() {
        // Room for two stacks of 256 MiB and not for three; the test harness may take one of them.
        let limits = "ulimit -v 700000 &&";
        return in_a_copy("refused_another_thread_those_that_exist_do_all", limits, 256 << 20);
    }
    let pool = pool(8);
    let (started, ids) = channel();
    let jobs = Vec::from_iter((0..8).map(|_| occupy(&pool, &started)));
    let threads = pool.threads();
    assert!((1..=2).contains(&threads), "{threads} threads");
    assert_eq!(pool.in_flight(), 8);
    drop(jobs);
    all_done(&pool);
    let ids = Vec::from_iter(ids.try_iter());
    assert_eq!((ids.len(), HashSet::<ThreadId>::from_iter(ids).len()), (8, threads));
    pool.shut_down(None);
}
