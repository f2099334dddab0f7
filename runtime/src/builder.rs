//! `Builder`: a runtime's options, each with its default and the reason for it.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::blocking::{self, Pool};
use crate::core::Core;
use crate::handle::Shared;
use crate::observe::{Counters, Observer, Stall, Wishes};
use crate::runtime::Runtime;
use crate::wakeups;

/// What happens when a task panics and nobody awaits its handle.
///
/// ```
/// use runtime::{Builder, UnhandledPanic};
///
/// let runtime = Builder::new().unhandled_panic(UnhandledPanic::Resume).build()?;
/// let outcome = std::panic::catch_unwind(|| {
///     runtime.block_on(async {
///         runtime::spawn(async { panic!("nobody awaits this") });
///         runtime::task::yield_now().await;
///     })
/// });
/// assert!(outcome.is_err());
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum UnhandledPanic {
    /// The panic is written to stderr with the task's name and place, and the others go on.
    #[default]
    Log,
    /// The same, and the process aborts.
    Abort,
    /// `block_on`, or the host's [`turn`](Runtime::turn), goes on with the panic, and a later call with
    /// the other tasks.
    Resume,
}

/// What the engine keeps of the builder.
pub(crate) struct Options {
    pub(crate) event_interval: u32,
    pub(crate) rng_seed: Option<u64>,
    pub(crate) unhandled_panic: UnhandledPanic,
    pub(crate) start_paused: bool,
    pub(crate) auto_advance: bool,
    pub(crate) spin: Duration,
}

/// Makes runtimes with other options than the defaults.
///
/// As tokio's `runtime::Builder`, for one thread.
///
/// ```
/// let runtime = runtime::Builder::new().thread_name("resolver").build()?;
/// assert_eq!(runtime.block_on(async { 1 + 1 }), 2);
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone)]
#[must_use = "a builder makes no runtime until `build` is called"]
pub struct Builder {
    event_interval: u32,
    rng_seed: Option<u64>,
    unhandled_panic: UnhandledPanic,
    start_paused: bool,
    auto_advance: bool,
    spin: Duration,
    max_blocking_threads: usize,
    thread_keep_alive: Duration,
    thread_name: String,
    wishes: Wishes,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}

impl Builder {
    /// The defaults, which are said at each method.
    pub fn new() -> Builder {
        Builder {
            event_interval: 64,
            rng_seed: None,
            unhandled_panic: UnhandledPanic::default(),
            start_paused: false,
            auto_advance: true,
            spin: Duration::ZERO,
            max_blocking_threads: 512,
            thread_keep_alive: Duration::from_secs(10),
            thread_name: "runtime-blocking".to_string(),
            wishes: Wishes::default(),
        }
    }

    /// As [`new`](Builder::new), for those who come from tokio.
    #[doc(hidden)]
    pub fn new_current_thread() -> Builder {
        Builder::new()
    }

    /// Nothing: everything is always enabled, and costs nothing until it is used.
    #[doc(hidden)]
    pub fn enable_all(&mut self) -> &mut Builder {
        self
    }

    /// Nothing; see `enable_all`.
    #[doc(hidden)]
    pub fn enable_io(&mut self) -> &mut Builder {
        self
    }

    /// Nothing; see `enable_all`.
    #[doc(hidden)]
    pub fn enable_time(&mut self) -> &mut Builder {
        self
    }

    /// How many tasks are polled before the runtime looks for events; 64 by default.
    ///
    /// Less answers sockets sooner when many tasks are ready, more spends fewer system calls.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[track_caller]
    pub fn event_interval(&mut self, polls: u32) -> &mut Builder {
        assert!(polls > 0, "event_interval must be at least 1: no task would ever be polled");
        self.event_interval = polls;
        self
    }

    /// Draws from this seed which of the ready tasks is next, when the runtime looks for events in between, and the
    /// first branch of `select!`, for tests that repeat. By default tasks run in the order they were woken, and
    /// the branches are drawn from an arbitrary seed.
    ///
    /// What repeats and what cannot: the guide's chapter on testing.
    pub fn rng_seed(&mut self, seed: u64) -> &mut Builder {
        self.rng_seed = Some(seed);
        self
    }

    /// What happens when a task panics and nobody awaits its handle; [`UnhandledPanic::Log`] by
    /// default.
    pub fn unhandled_panic(&mut self, policy: UnhandledPanic) -> &mut Builder {
        self.unhandled_panic = policy;
        self
    }

    /// Starts with the clock paused, as after [`pause`](crate::time::pause); for tests.
    pub fn start_paused(&mut self, paused: bool) -> &mut Builder {
        self.start_paused = paused;
        self
    }

    /// Whether a paused clock jumps to the next deadline when there is nothing else to do; true by
    /// default, as in tokio.
    pub fn auto_advance(&mut self, jump: bool) -> &mut Builder {
        self.auto_advance = jump;
        self
    }

    /// How long the runtime looks again and again, when nothing is ready, before it sleeps; zero by default,
    /// which is not at all.
    ///
    /// This buys latency with processor time. A wake from another core that comes meanwhile costs no
    /// system call on either side, and waits for no scheduler. Deadlines are met by the clock, without the
    /// kernel's timer. For sockets the kernel is asked again and again, by system calls of this thread. A
    /// runtime that waits keeps its processor busy for so long after each piece of work, and with
    /// `Duration::MAX` always: give it a processor of its own, or it takes the time from those it waits for.
    ///
    /// A paused test clock stops it, and [`Runtime::turn`] spins no longer than its `timeout`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = runtime::Builder::new().spin(Duration::from_micros(50)).build()?;
    /// let task = runtime.spawn_blocking(|| 1 + 1);
    /// assert_eq!(runtime.block_on(task).unwrap(), 2);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn spin(&mut self, time: Duration) -> &mut Builder {
        self.spin = time;
        self
    }

    /// The most threads of the `spawn_blocking` pool; 512 by default, as tokio's, since what blocks
    /// there mostly waits.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[track_caller]
    pub fn max_blocking_threads(&mut self, threads: usize) -> &mut Builder {
        assert!(
            threads > 0,
            "max_blocking_threads must be at least 1: no blocking closure would ever run"
        );
        self.max_blocking_threads = threads;
        self
    }

    /// How long a thread of the pool stays without work; 10 seconds by default.
    pub fn thread_keep_alive(&mut self, time: Duration) -> &mut Builder {
        self.thread_keep_alive = time;
        self
    }

    /// The name of the pool's threads; "runtime-blocking" by default.
    ///
    /// # Panics
    ///
    /// If the name holds a NUL byte.
    #[track_caller]
    pub fn thread_name(&mut self, name: impl Into<String>) -> &mut Builder {
        self.thread_name = name.into();
        assert!(!self.thread_name.contains('\0'), "a thread's name cannot hold a NUL byte");
        self
    }

    /// Has the runtime count what it does, for [`Runtime::metrics`]. Off by default.
    ///
    /// The loop then costs up to 5 % more instructions a poll; off it costs nothing.
    ///
    /// ```
    /// let runtime = runtime::Builder::new().metrics(true).build()?;
    /// runtime.block_on(async {});
    /// assert_eq!(runtime.metrics().polls, 1);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn metrics(&mut self, count: bool) -> &mut Builder {
        self.wishes.watch().metrics = count;
        self
    }

    /// Has every poll reported that holds the thread for as long, as all other tasks wait meanwhile. Off by
    /// default: then no clock is read for polls, and there is no thread for this.
    ///
    /// A poll is reported when it has ended, and also while it still lasts: at the threshold, and each time it
    /// has become twice as long. That is done by a thread of the runtime's ("runtime-watchdog"), which starts
    /// with the first `block_on` or turn, sleeps while the runtime does, and ends after it. It reports nothing
    /// that is shorter than a millisecond; if the system refuses it, a line on standard error says so, and what is
    /// left are the reports at the end. Time is real time, also with a paused clock. The drop of a task's future
    /// for an abort, or with the runtime, counts as a poll.
    ///
    /// What is told goes to [`on_stall`](Builder::on_stall), else to standard error. With the feature `tracing`
    /// it is an event too, of the target `runtime::stall`, and standard error is spared if a subscriber
    /// takes that: the one of the runtime's thread when the poll has ended, and the global one while it lasts.
    ///
    /// Two reads of the clock are most of what it costs a poll.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mut builder = runtime::Builder::new();
    /// let runtime = builder.stall_threshold(Duration::from_millis(100)).build()?;
    /// // On standard error, while the thread is held:
    /// // runtime: the task "report" spawned at src/main.rs:7:42 holds the thread for 100 ms already, and all others wait
    /// # runtime.block_on(async {});
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// # Panics
    ///
    /// If it is zero: every poll would be told of.
    #[track_caller]
    pub fn stall_threshold(&mut self, threshold: Duration) -> &mut Builder {
        assert!(!threshold.is_zero(), "stall_threshold must be above zero: every poll would stall");
        self.wishes.watch().stall_threshold = Some(threshold);
        self
    }

    /// Called with each stall, if there is a [`stall_threshold`](Builder::stall_threshold).
    ///
    /// It is called on the runtime's thread when the poll has ended, and on the watchdog's while it lasts: so two
    /// calls may overlap, and the last of those that say "not ended" may come after the one that says it has. It
    /// may do what it likes: nobody waits for it on the watchdog's thread, not even the drop of the runtime, and
    /// a panic ends with the call.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    ///
    /// let (sender, stalls) = mpsc::channel();
    /// let runtime = runtime::Builder::new()
    ///     .stall_threshold(Duration::from_millis(5))
    ///     .on_stall(move |stall| sender.send(stall.clone()).unwrap())
    ///     .build()?;
    /// let task = runtime.spawn(async { std::thread::sleep(Duration::from_millis(10)) });
    /// let id = task.id();
    /// runtime.block_on(task).unwrap();
    /// assert!(stalls.iter().any(|stall| stall.task == Some(id) && stall.ended));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn on_stall(&mut self, f: impl Fn(&Stall) + Send + Sync + 'static) -> &mut Builder {
        self.wishes.watch().on_stall = Some(Arc::new(f));
        self
    }

    /// Called on the runtime's thread when it has nothing to do, before it waits. As tokio's
    /// `on_thread_park`.
    ///
    /// What it wakes or spawns runs at once. A host's own wait is none of the runtime's, nor is a jump of the
    /// test clock.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    /// use std::time::Duration;
    ///
    /// let parks = Arc::new(AtomicU32::new(0));
    /// let counted = parks.clone();
    /// let runtime =
    ///     runtime::Builder::new().on_park(move || drop(counted.fetch_add(1, Relaxed))).build()?;
    /// runtime.block_on(async { runtime::time::sleep(Duration::from_millis(1)).await });
    /// assert!(parks.load(Relaxed) >= 1);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn on_park(&mut self, f: impl Fn() + Send + Sync + 'static) -> &mut Builder {
        self.wishes.watch().on_park = Some(Arc::new(f));
        self
    }

    /// Called on the runtime's thread when it goes on after a wait; see [`on_park`](Builder::on_park). As tokio's
    /// `on_thread_unpark`.
    pub fn on_unpark(&mut self, f: impl Fn() + Send + Sync + 'static) -> &mut Builder {
        self.wishes.watch().on_unpark = Some(Arc::new(f));
        self
    }

    /// Writes a trace of the loop to this file, for [ui.perfetto.dev](https://ui.perfetto.dev) or
    /// `chrome://tracing`: its polls and parks, who woke whom, and each task from its spawn to its end. Only with
    /// the feature `trace`.
    ///
    /// The file is made by [`build`](Builder::build), which fails if it cannot be, and is complete when the runtime is
    /// dropped. Of a program that is killed it lacks the last moments, and still opens. If writing fails the trace ends
    /// there, with a sentence on standard error. A second runtime of the same builder begins the file anew,
    /// and those of [`per_core`](Builder::per_core) would write into each other's: give each a builder of its own.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("trace-{}.json", std::process::id()));
    /// let runtime = runtime::Builder::new().trace(&path).build()?;
    /// runtime.block_on(async { runtime::spawn(async {}).await.unwrap() });
    /// drop(runtime);
    /// assert!(std::fs::read_to_string(&path)?.contains("block_on"));
    /// # std::fs::remove_file(path)?;
    /// # std::io::Result::Ok(())
    /// ```
    #[cfg(feature = "trace")]
    pub fn trace(&mut self, path: impl Into<std::path::PathBuf>) -> &mut Builder {
        self.wishes.watch().trace = Some(path.into());
        self
    }

    /// Makes the runtime. It makes no system call: descriptors and threads come with the first use.
    ///
    /// # Errors
    ///
    /// None without the feature `trace`; with it when the file of a trace cannot be made.
    ///
    /// # Panics
    ///
    /// When 65,536 runtimes are alive.
    pub fn build(&mut self) -> io::Result<Runtime> {
        // First: what fails after the claim would keep the block for ever.
        let observer = Observer::new(&self.wishes)?;
        let (block, name) = wakeups::claim();
        let clock_stands = Arc::new(AtomicBool::new(false));
        let stands = clock_stands.clone();
        let pool = Pool::new(blocking::Options {
            max_threads: self.max_blocking_threads,
            keep_alive: self.thread_keep_alive,
            thread_name: self.thread_name.clone(),
            // A paused clock waits for blocking work to be done before it jumps.
            on_drained: Some(Box::new(move || {
                if stands.load(Ordering::Acquire) {
                    wakeups::notify(name);
                }
            })),
        });
        let options = Options {
            event_interval: self.event_interval,
            rng_seed: self.rng_seed,
            unhandled_panic: self.unhandled_panic,
            start_paused: self.start_paused,
            auto_advance: self.auto_advance,
            spin: self.spin,
        };
        let counters = Counters::new(observer.watches());
        let watch = observer.watch();
        let shared = Arc::new(Shared { name, block, pool, counters, watch });
        Ok(Runtime::of(Core::new(options, observer, shared, clock_stands)))
    }
}

impl fmt::Debug for Builder {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("event_interval", &self.event_interval)
            .field("rng_seed", &self.rng_seed)
            .field("unhandled_panic", &self.unhandled_panic)
            .field("start_paused", &self.start_paused)
            .field("auto_advance", &self.auto_advance)
            .field("spin", &self.spin)
            .field("max_blocking_threads", &self.max_blocking_threads)
            .field("thread_keep_alive", &self.thread_keep_alive)
            .field("thread_name", &self.thread_name)
            .field("metrics", &self.wishes.metrics)
            .field("stall_threshold", &self.wishes.stall_threshold)
            .finish_non_exhaustive()
    }
}
