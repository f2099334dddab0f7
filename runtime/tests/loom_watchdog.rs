//! Models of the watchdog under loom: a loop that polls and rests, and one that looks on, in every order that
//! loom knows. A wake-up that is lost shows as loom's "deadlock".

use std::panic::Location;

use loom::sync::atomic::AtomicI64;
use loom::sync::{Arc, Mutex};
use loom::thread;

/// What the file under the models takes from `crate::sync`, from loom.
mod sync {
    pub(crate) use loom::sync::Mutex;
    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}

#[allow(dead_code, reason = "the engine's part of it has more to do")]
#[path = "../src/observe/watch.rs"]
mod watch;

use sync::Ordering;
use watch::{Origin, Step, Told, Watch};

const THRESHOLD: i64 = 10;

/// A loop, a watchdog and a clock.
struct Story {
    watch: Watch,
    now: AtomicI64,
    /// What the watchdog told of: the task's serial, and since when it was polled.
    told: Mutex<Vec<(u64, i64)>>,
}

impl Story {
    fn new() -> Arc<Story> {
        Arc::new(Story {
            watch: Watch::new(THRESHOLD),
            now: AtomicI64::new(100),
            told: Mutex::new(Vec::new()),
        })
    }

    fn introduce(&self, index: u32, serial: u64) {
        let origin = Origin { serial, place: Location::caller(), name: None };
        self.watch.introduce(index, origin);
    }

    fn runs(&self, watchdog: &thread::JoinHandle<()>) {
        if self.watch.runs() {
            watchdog.thread().unpark();
        }
    }

    /// Of each poll the time says whose it is.
    fn poll_begins(&self, index: u32, serial: u64) {
        self.watch.poll_begins(index, time_of(serial));
    }

    fn report(&self, sighting: &watch::Sighting) {
        if let Some(origin) = self.watch.origin(sighting) {
            self.told.lock().unwrap().push((origin.serial, sighting.since));
        }
    }

    /// The watchdog's life. Each sleep that has an end may end at once.
    fn watch(&self) {
        let mut told = Told::default();
        loop {
            match self.watch.step(self.now.load(Ordering::Relaxed), &mut told) {
                Step::Report(sighting) => self.report(&sighting),
                Step::SleepUntil(_) => thread::yield_now(),
                Step::SleepForGood => thread::park(),
                Step::End => return,
            }
        }
    }

    fn end(&self, watchdog: thread::JoinHandle<()>) {
        self.watch.end();
        watchdog.thread().unpark();
        watchdog.join().unwrap();
    }
}

fn time_of(serial: u64) -> i64 {
    serial as i64 + 1
}

fn model(story: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(story);
}

#[test]
fn what_is_told_is_of_one_poll() {
    model(|| {
        let story = Story::new();
        story.introduce(1, 1);
        let watchdog = {
            let story = story.clone();
            thread::spawn(move || {
                // All is long ago: whatever is seen is a stall.
                for _ in 0..2 {
                    if let Some(sighting) = story.watch.look() {
                        story.report(&sighting);
                    }
                }
            })
        };
        story.watch.runs();
        story.poll_begins(1, 1);
        assert_eq!(story.watch.poll_ends(), Some(time_of(1)));
        // The task has ended, and its index is another's.
        story.introduce(1, 2);
        story.poll_begins(1, 2);
        assert_eq!(story.watch.poll_ends(), Some(time_of(2)));
        assert_eq!(story.watch.poll_ends(), None);
        watchdog.join().unwrap();
        for (serial, since) in &*story.told.lock().unwrap() {
            assert_eq!(time_of(*serial), *since, "told of a wrong task");
        }
    });
}

#[test]
fn tasks_that_take_turns_are_not_mixed_up() {
    model(|| {
        let story = Story::new();
        story.introduce(1, 1);
        story.introduce(2, 2);
        let watchdog = {
            let story = story.clone();
            thread::spawn(move || {
                if let Some(sighting) = story.watch.look() {
                    story.report(&sighting);
                }
            })
        };
        for (index, serial) in [(1, 1), (2, 2)] {
            story.poll_begins(index, serial);
            assert_eq!(story.watch.poll_ends(), Some(time_of(serial)));
        }
        watchdog.join().unwrap();
        for (serial, since) in &*story.told.lock().unwrap() {
            assert_eq!(time_of(*serial), *since, "told of a wrong task");
        }
    });
}

#[test]
fn a_poll_after_a_rest_is_told_of() {
    model(|| {
        let story = Story::new();
        story.introduce(1, 1);
        let watchdog = {
            let story = story.clone();
            thread::spawn(move || {
                let mut told = Told::default();
                loop {
                    match story.watch.step(story.now.load(Ordering::Relaxed), &mut told) {
                        Step::Report(sighting) => return story.report(&sighting),
                        Step::SleepUntil(_) => thread::yield_now(),
                        Step::SleepForGood => thread::park(),
                        Step::End => return,
                    }
                }
            })
        };
        story.runs(&watchdog);
        story.watch.rests();
        // The watchdog has gone to sleep for good by now, or has not, or is about to.
        story.runs(&watchdog);
        story.poll_begins(1, 1);
        // It hangs until the watchdog has told of it.
        watchdog.join().unwrap();
        assert_eq!(*story.told.lock().unwrap(), [(1, time_of(1))]);
    });
}

#[test]
fn the_watchdog_ends_wherever_it_is() {
    model(|| {
        let story = Story::new();
        story.introduce(1, 1);
        let watchdog = {
            let story = story.clone();
            thread::spawn(move || story.watch())
        };
        story.runs(&watchdog);
        story.watch.rests();
        story.end(watchdog);
    });
}

#[test]
fn one_that_hangs_is_told_of_at_the_threshold_and_whenever_it_has_doubled() {
    model(|| {
        let story = Story::new();
        story.introduce(1, 1);
        story.watch.runs();
        story.poll_begins(1, 1);
        let since = time_of(1);
        let (watch, mut told) = (&story.watch, Told::default());
        for (now, due) in [(since, 10), (since + 9, 10), (since + 15, 20), (since + 79, 80)] {
            while let Step::Report(sighting) = watch.step(now, &mut told) {
                assert_eq!(sighting.since, since);
                assert!(now - since >= THRESHOLD);
            }
            let next = watch.step(now, &mut told);
            assert!(matches!(next, Step::SleepUntil(time) if time == since + due), "{next:?}");
        }
        watch.poll_ends();
        let next = watch.step(200, &mut told);
        assert!(matches!(next, Step::SleepUntil(210)), "{next:?}");
        watch.rests();
        assert!(matches!(watch.step(200, &mut told), Step::SleepForGood));
        assert!(matches!(watch.step(201, &mut told), Step::SleepForGood));
        assert!(watch.runs(), "it is woken");
        watch.end();
        assert!(matches!(watch.step(202, &mut told), Step::End));
    });
}
