//! The test clock: it stands, jumps when nothing else is to be done, and never past real work.

use std::cell::Cell;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use futures::poll;
use runtime::io::Source;
use runtime::task::yield_now;
use runtime::time::{Instant, advance, interval, pause, resume, sleep, timeout};
use runtime::{Builder, spawn, spawn_blocking};

use crate::support::{limited, run};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Lets real time pass, as much as std's clock can tell.
fn let_real_time_pass() {
    let before = std::time::Instant::now();
    while before.elapsed() < Duration::from_micros(100) {
        thread::yield_now();
    }
}

#[test]
fn a_paused_clock_stands() {
    run(async {
        pause();
        let now = Instant::now();
        let_real_time_pass();
        assert_eq!(Instant::now(), now);
        assert_eq!(now.elapsed(), Duration::ZERO);
    });
}

#[test]
fn a_clock_is_its_runtimes_own() {
    limited(|| {
        let paused = Builder::new().start_paused(true).build().unwrap();
        let before = paused.block_on(async { Instant::now() });
        let_real_time_pass();
        assert!(Instant::now() > before);
        assert_eq!(paused.block_on(async { Instant::now() }), before);
    });
}

#[test]
fn it_jumps_to_the_next_deadline_when_idle() {
    limited(|| {
        let runtime = Builder::new().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let start = Instant::now();
            let other = spawn(async move {
                sleep(2 * HOUR).await;
                start.elapsed()
            });
            sleep(HOUR).await;
            assert_eq!(start.elapsed(), HOUR);
            assert!(!other.is_finished());
            assert_eq!(other.await.unwrap(), 2 * HOUR);
        });
    });
}

#[test]
fn it_does_not_jump_while_a_task_is_ready() {
    run(async {
        pause();
        let start = Instant::now();
        let sleeper = spawn(sleep(HOUR));
        for _ in 0..1_000 {
            yield_now().await;
        }
        assert_eq!(Instant::now(), start);
        assert!(!sleeper.is_finished());
    });
}

#[test]
fn data_in_a_socket_comes_before_a_jump() {
    run(async {
        pause();
        let start = Instant::now();
        let (reader, mut writer) = UnixStream::pair().unwrap();
        reader.set_nonblocking(true).unwrap();
        let reader = Source::new(reader);
        let writing = spawn(async move {
            // The reader waits by now; when this returns, nothing is ready to run.
            writer.write_all(b"!").unwrap();
            writer
        });
        let mut byte = [0];
        let read = timeout(HOUR, reader.read_with(|mut stream| stream.read(&mut byte))).await;
        assert_eq!(read.expect("the data was there, the hour was not over").unwrap(), 1);
        assert_eq!(Instant::now(), start);
        drop(writing.await.unwrap());
    });
}

#[test]
fn what_other_threads_have_left_comes_before_a_jump() {
    run(async {
        pause();
        let start = Instant::now();
        // A wake, of a task that waits by then.
        let (sender, receiver) = futures::channel::oneshot::channel();
        let waiting = spawn(timeout(HOUR, receiver));
        yield_now().await;
        thread::spawn(move || sender.send(()).unwrap()).join().unwrap();
        waiting.await.unwrap().expect("the wake was there, the hour was not over").unwrap();

        // And a task, whose first turn this is to be.
        let handle = runtime::Handle::current();
        let (sender, receiver) = futures::channel::oneshot::channel();
        let spawns = move || drop(handle.spawn(async { sender.send(()).unwrap() }));
        let waiting = spawn(timeout(HOUR, receiver));
        yield_now().await;
        thread::spawn(spawns).join().unwrap();
        waiting.await.unwrap().expect("the task was there, the hour was not over").unwrap();
        assert_eq!(Instant::now(), start);
    });
}

#[test]
fn blocking_work_holds_the_jump() {
    run(async {
        pause();
        let start = Instant::now();
        // Long enough for a jump that does not wait, and nothing hangs on how long.
        let work = spawn_blocking(|| thread::sleep(Duration::from_millis(20)));
        timeout(HOUR, work).await.expect("the clock waits for the closure").unwrap();
        assert_eq!(Instant::now(), start);

        // And goes on when the last has ended, also one that nobody waits for.
        drop(spawn_blocking(|| thread::sleep(Duration::from_millis(5))));
        sleep(HOUR).await;
        assert_eq!(start.elapsed(), HOUR);
    });
}

#[test]
fn without_auto_advance_it_stays_still() {
    limited(|| {
        let runtime = Builder::new().start_paused(true).auto_advance(false).build().unwrap();
        runtime.block_on(async {
            let start = Instant::now();
            let sleeper = spawn(sleep(HOUR));
            // The runtime is idle until the closure is done, and after it was, too.
            spawn_blocking(let_real_time_pass).await.unwrap();
            let (from_thread, on_thread) = futures::channel::oneshot::channel();
            let thread = thread::spawn(move || {
                let_real_time_pass();
                from_thread.send(()).unwrap();
            });
            on_thread.await.unwrap();
            thread.join().unwrap();
            assert_eq!(Instant::now(), start);
            assert!(!sleeper.is_finished());
            advance(HOUR).await;
            assert!(sleeper.is_finished());
        });
    });
}

#[test]
fn advance_lets_what_is_due_run_before_it_returns() {
    run(async {
        pause();
        let start = Instant::now();
        let ran = Rc::new(Cell::new(0));
        for seconds in [1, 2, 3] {
            let ran = ran.clone();
            drop(spawn(async move {
                sleep(seconds * SECOND).await;
                ran.set(ran.get() + 1);
            }));
        }
        yield_now().await;
        advance(2 * SECOND).await;
        assert_eq!(start.elapsed(), 2 * SECOND);
        assert_eq!(ran.get(), 2);
        advance(Duration::ZERO).await;
        assert_eq!(ran.get(), 2);
        advance(HOUR).await;
        assert_eq!(ran.get(), 3);
        assert_eq!(start.elapsed(), 2 * SECOND + HOUR);
    });
}

#[test]
fn what_is_due_is_ready_at_the_first_poll() {
    run(async {
        pause();
        let unpolled = sleep(SECOND);
        let mut ticks = interval(SECOND);
        advance(SECOND).await;
        assert!(poll!(pin!(unpolled)).is_ready());
        assert!(poll!(pin!(ticks.tick())).is_ready());
        assert!(poll!(pin!(ticks.tick())).is_pending());
        advance(SECOND).await;
        assert!(poll!(pin!(ticks.tick())).is_ready());
    });
}

#[test]
fn resume_goes_on_from_where_the_clock_stands() {
    run(async {
        // In this order, so that the thread may be held up between any two of these lines.
        let (std, ours) = (std::time::Instant::now(), Instant::now());
        pause();
        advance(HOUR).await;
        let stood = Instant::now();
        assert!(stood >= ours + HOUR);
        resume();
        let_real_time_pass();
        assert!(Instant::now() > stood);
        sleep(Duration::from_millis(2)).await;
        assert!(stood.elapsed() >= Duration::from_millis(2));
        let ours = ours.elapsed();
        assert!(ours <= HOUR + std.elapsed());
        // And may be stopped again.
        pause();
        let again = Instant::now();
        sleep(HOUR).await;
        assert_eq!(again.elapsed(), HOUR);
    });
}

#[test]
fn the_end_of_time_is_no_overflow() {
    run(async {
        pause();
        let start = Instant::now();
        let never = spawn(sleep(Duration::MAX));
        advance(Duration::MAX).await;
        advance(Duration::MAX).await;
        assert!(!never.is_finished());
        assert!(start.elapsed() > 100 * 365 * 24 * HOUR);
        sleep(Duration::ZERO).await;
        assert_eq!(timeout(SECOND, async { 1 }).await, Ok(1));
        resume();
        assert!(Instant::now() > start);
    });
}

#[test]
fn pausing_what_is_paused_and_the_like_panic() {
    run(async {
        let panics = |f: fn()| catch_unwind(AssertUnwindSafe(f)).is_err();
        assert!(panics(resume));
        assert!(spawn(advance(SECOND)).await.unwrap_err().is_panic());
        pause();
        assert!(panics(pause));
        resume();
        assert!(panics(resume));
    });
}

#[test]
fn real_time_goes_on_after_a_jump_where_it_was() {
    run(async {
        pause();
        sleep(HOUR).await;
        resume();
        // Not an hour from now, when the real clock has come to where the other one jumped.
        sleep(Duration::from_millis(1)).await;
    });
}
