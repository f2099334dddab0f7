//! What a subscriber of `tracing` sees of tasks: their spans, the panics that nobody awaits, and stalls.
//!
//! A binary of its own, as the feature `tracing` is off by default.

mod support;

use std::collections::BTreeMap;
use std::fmt;
use std::future::pending;
use std::mem;
use std::rc::Rc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use runtime::task::{self, AbortHandle, JoinHandle, yield_now};
use runtime::{Builder, Runtime, UnhandledPanic};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::{Dispatch, Event, Metadata, Subscriber, dispatcher, info, info_span};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::support::filter::child;
use crate::support::limited;

/// A layer that writes down what it is told.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    /// A line for each call. Spans have their name, tasks theirs, and else a number in order of their making.
    lines: Vec<String>,
    tasks: u32,
    /// Of the last span or event.
    fields: BTreeMap<&'static str, String>,
    target: String,
    /// The line and the fields of each stall. They are apart, since a busy machine may add some.
    stalls: Vec<(String, BTreeMap<&'static str, String>)>,
}

/// What a span is called in the lines.
struct Label(String);

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.lock().expect("no test panics under the lock")
    }

    /// The lines since the last call.
    fn take(&self) -> Vec<String> {
        mem::take(&mut self.lock().lines)
    }

    fn push(&self, line: String) {
        self.lock().lines.push(line);
    }

    fn read(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut dyn Visit)) {
        let told = &mut *self.lock();
        told.fields.clear();
        told.target = metadata.target().to_string();
        record(told);
    }

    fn field(&self, name: &str) -> Option<String> {
        self.lock().fields.get(name).cloned()
    }

    fn dispatch(&self) -> Dispatch {
        Dispatch::new(Registry::default().with(self.clone()))
    }

    /// Runs `body` with this as the thread's subscriber, in bounded time.
    fn watch<T>(&self, body: impl FnOnce() -> T) -> T {
        dispatcher::with_default(&self.dispatch(), || limited(body))
    }
}

fn label<'a, S: LookupSpan<'a>>(span: Option<SpanRef<'a, S>>) -> String {
    match span {
        Some(span) => span.extensions().get::<Label>().expect("it was given one").0.clone(),
        None => "nothing".to_string(),
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Log {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let span = cx.span(id).expect("it is new");
        self.read(span.metadata(), |visit| attributes.record(visit));
        let mut text = span.name().to_string();
        if let Some(name) = self.field("name") {
            text = name.trim_matches('"').to_string();
        } else if text == "task" {
            let told = &mut *self.lock();
            told.tasks += 1;
            text = format!("task {}", told.tasks);
        }
        self.push(format!("{text}, in {}", label(span.parent())));
        span.extensions_mut().insert(Label(text));
    }

    fn on_enter(&self, id: &Id, cx: Context<'_, S>) {
        self.push(format!("> {}", label(cx.span(id))));
    }

    fn on_exit(&self, id: &Id, cx: Context<'_, S>) {
        self.push(format!("< {}", label(cx.span(id))));
    }

    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        self.push(format!("{} closed", label(cx.span(&id))));
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let span = label(cx.event_span(event));
        if event.metadata().target() == "runtime::stall" {
            let mut told = Told::default();
            event.record(&mut told);
            let line = format!("{}, in {span}", told.fields["message"]);
            return self.lock().stalls.push((line, told.fields));
        }
        self.read(event.metadata(), |visit| event.record(visit));
        let message = self.field("message").unwrap_or_default();
        self.push(format!("{message}, in {span}"));
    }
}

/// Spawns a task with a name.
#[track_caller]
fn spawn<F: Future + 'static>(name: &str, future: F) -> JoinHandle<F::Output> {
    task::Builder::new().name(name).spawn(future).expect("spawning does not fail")
}

/// Says something when it is dropped.
struct Dropped;

impl Drop for Dropped {
    fn drop(&mut self) {
        info!("dropped");
    }
}

#[test]
fn a_span_is_entered_for_each_poll_and_closed_with_the_future() {
    let log = Log::default();
    log.watch(|| {
        runtime::block_on(async {
            let task = spawn("a", async {
                let _dropped = Dropped;
                yield_now().await;
                info!("second poll");
            });
            task.await.unwrap();
            info!("joined");
        });
    });
    let told = [
        "a, in nothing",
        "> a",
        "< a",
        "> a",
        "second poll, in a",
        "dropped, in a",
        "< a",
        "a closed",
        "joined, in nothing",
    ];
    assert_eq!(log.take(), told);
}

#[test]
fn the_spans_of_tasks_that_take_turns_do_not_mix() {
    let log = Log::default();
    log.watch(|| {
        runtime::block_on(async {
            let talk = |word: &'static str| async move {
                info!("{word} begins");
                yield_now().await;
                info!("{word} ends");
            };
            let (a, b) = (spawn("a", talk("one")), spawn("b", talk("two")));
            a.await.unwrap();
            b.await.unwrap();
        });
    });
    let told = [
        "a, in nothing",
        "b, in nothing",
        "> a",
        "one begins, in a",
        "< a",
        "> b",
        "two begins, in b",
        "< b",
        "> a",
        "one ends, in a",
        "< a",
        "a closed",
        "> b",
        "two ends, in b",
        "< b",
        "b closed",
    ];
    assert_eq!(log.take(), told);
}

#[test]
fn a_span_says_which_task_it_is_and_where_it_was_spawned() {
    let log = Log::default();
    log.watch(|| {
        runtime::block_on(async {
            let line = line!() + 1;
            let task = spawn("a", async {});
            assert_eq!(log.lock().target, "runtime::task");
            assert_eq!(log.field("id"), Some(task.id().to_string()));
            assert_eq!(log.field("name"), Some("\"a\"".to_string()));
            let place = log.field("place").unwrap();
            assert!(place.starts_with(&format!("{}:{line}:", file!())), "{place}");

            let line = line!() + 1;
            let task = runtime::spawn(async {});
            assert_eq!(log.field("id"), Some(task.id().to_string()));
            assert_eq!(log.field("name"), None);
            let place = log.field("place").unwrap();
            assert!(place.starts_with(&format!("{}:{line}:", file!())), "{place}");
        });
    });
}

#[test]
fn the_parent_is_the_span_that_spawn_was_called_in() {
    let log = Log::default();
    log.watch(|| {
        let runtime = Runtime::new().unwrap();
        let before = info_span!("request").in_scope(|| runtime.spawn(async { info!("here") }));
        log.take();
        runtime.block_on(async {
            before.await.unwrap();
            spawn("a", async { spawn("b", async {}).await.unwrap() }).await.unwrap();
        });
    });
    let told = log.take();
    // The task keeps its parent open.
    assert_eq!(
        told[..5],
        ["> task 1", "here, in task 1", "< task 1", "task 1 closed", "request closed"]
    );
    assert!(told.contains(&"b, in a".to_string()), "{told:?}");
}

#[test]
fn the_future_of_block_on_is_in_the_span_that_block_on_is_in() {
    let log = Log::default();
    log.watch(|| {
        info_span!("main").in_scope(|| {
            runtime::block_on(async {
                let task = spawn("a", pending::<()>());
                yield_now().await;
                info!("root");
                drop(task);
            });
        });
    });
    let told = [
        "main, in nothing",
        "> main",
        "a, in main",
        "> a",
        "< a",
        "root, in main",
        // With the runtime.
        "> a",
        "< a",
        "a closed",
        "< main",
        "main closed",
    ];
    assert_eq!(log.take(), told);
}

#[test]
fn an_aborted_task_drops_its_future_in_its_span() {
    let log = Log::default();
    log.watch(|| {
        runtime::block_on(async {
            let dropped = Dropped;
            let task = spawn("a", async move {
                let _dropped = dropped;
                pending::<()>().await
            });
            // Before its first poll.
            assert!(task.cancel().await.unwrap_err().is_cancelled());
        });
    });
    assert_eq!(log.take(), ["a, in nothing", "> a", "dropped, in a", "< a", "a closed"]);
}

#[test]
fn a_panic_that_is_awaited_leaves_and_closes_the_span_and_is_no_event() {
    let log = Log::default();
    log.watch(|| {
        runtime::block_on(async {
            let task = spawn("a", async {
                let _dropped = Dropped;
                panic!("on purpose");
            });
            assert!(task.await.unwrap_err().is_panic());
            info!("root");
        });
    });
    let told = [
        "a, in nothing",
        "> a",
        "dropped, in a",
        "< a",
        "> a",
        "< a",
        "a closed",
        "root, in nothing",
    ];
    assert_eq!(log.take(), told);
}

#[test]
fn a_panic_that_nobody_awaits_is_an_event_in_the_span_of_its_task() {
    let log = Log::default();
    let (line, id) = log.watch(|| {
        runtime::block_on(async {
            let line = line!() + 1;
            let task = spawn("a", async { panic!("on {}", "purpose") });
            let id = task.id();
            drop(task);
            yield_now().await;
            (line, id)
        })
    });
    let told = [
        "a, in nothing",
        "> a",
        "< a",
        "> a",
        "< a",
        "a task panicked and nobody awaits it, in a",
        "a closed",
    ];
    assert_eq!(log.take(), told);
    assert_eq!(log.lock().target, "runtime::task");
    assert_eq!(log.field("id"), Some(id.to_string()));
    assert_eq!(log.field("name"), Some("\"a\"".to_string()));
    assert_eq!(log.field("panic"), Some("\"on purpose\"".to_string()));
    let place = log.field("place").unwrap();
    assert!(place.starts_with(&format!("{}:{line}:", file!())), "{place}");
}

#[test]
fn a_panic_whose_handle_is_dropped_later_is_an_event_too() {
    let log = Log::default();
    let id = log.watch(|| {
        let runtime = Builder::new().unhandled_panic(UnhandledPanic::Log).build().unwrap();
        let task = runtime.spawn(async { panic!("on purpose") });
        runtime.block_on(yield_now());
        log.take();
        let id = task.id();
        drop(task);
        id
    });
    // Its span is closed by now: the fields say which task it was.
    assert_eq!(log.take(), ["a task panicked and nobody awaits it, in nothing"]);
    assert_eq!(log.field("id"), Some(id.to_string()));
    assert_eq!(log.field("name"), None);
}

const STALL: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_millis(150);

fn runtime_that_tells_of_stalls() -> Runtime {
    Builder::new().stall_threshold(STALL).build().unwrap()
}

#[test]
fn a_poll_that_holds_the_thread_is_an_event() {
    let log = Log::default();
    let id = log.watch(|| {
        runtime_that_tells_of_stalls().block_on(async {
            let task = spawn("a", async { thread::sleep(LONG) });
            let id = task.id();
            task.await.unwrap();
            for _ in 0..1000 {
                yield_now().await;
            }
            thread::sleep(LONG);
            id
        })
    });
    let stalls = mem::take(&mut log.lock().stalls);
    let held = |fields: &BTreeMap<_, String>| fields["held_ms"].parse::<u64>().unwrap();
    assert!(stalls.iter().all(|(_, fields)| held(fields) >= 100), "{stalls:?}");
    let of = |line: &str| stalls.iter().find(|(told, _)| told == line).map(|(_, fields)| fields);
    let task = of("a poll held the thread, and all others waited, in a").unwrap();
    assert!(held(task) >= 150, "{task:?}");
    assert_eq!(task["id"], id.to_string());
    assert_eq!(task["name"], "\"a\"");
    assert!(task["place"].starts_with(file!()), "{task:?}");
    of("a poll held the thread, and all others waited, in nothing").unwrap();
}

#[test]
fn a_poll_that_hangs_is_an_event_of_the_global_subscriber() {
    assert!(child("child_hangs").success());
}

#[test]
#[ignore = "run by a_poll_that_hangs_.., in a process of its own"]
fn child_hangs() {
    let log = Log::default();
    let dispatch = Dispatch::new(Registry::default().with(log.clone()));
    dispatcher::set_global_default(dispatch).unwrap();
    limited(|| {
        Builder::new().stall_threshold(Duration::from_millis(1)).build().unwrap().block_on(async {
            let id = spawn("a", async move {
                // It hangs until it was told of.
                let line = "a poll holds the thread, and all others wait, in nothing";
                let is_ours = |(told, fields): &(String, BTreeMap<_, String>)| {
                    told == line && fields["name"] == "\"a\"" && fields["ended"] == "false"
                };
                while !log.lock().stalls.iter().any(is_ours) {
                    thread::yield_now();
                }
            });
            id.await.unwrap();
        });
    });
}

/// Panics where a task's poll would begin.
struct PanicsOnEntry;

impl<S: Subscriber> Layer<S> for PanicsOnEntry {
    fn on_enter(&self, _id: &Id, _cx: Context<'_, S>) {
        panic!("as it is entered, on purpose");
    }
}

#[test]
fn a_task_that_is_not_polled_for_a_panic_of_the_subscriber_is_no_stall() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tells = told.clone();
    let mut builder = Builder::new();
    builder.stall_threshold(Duration::from_millis(1)).on_stall(move |stall| {
        tells.lock().unwrap().push((stall.task, stall.held));
    });
    let held = Duration::from_millis(50);
    let task =
        dispatcher::with_default(&Dispatch::new(Registry::default().with(PanicsOnEntry)), || {
            limited(|| {
                builder.build().unwrap().block_on(async {
                    let task = runtime::spawn(async {});
                    let id = task.id();
                    // The last poll before its own, which does not come.
                    thread::sleep(held);
                    assert!(task.await.unwrap_err().is_panic());
                    id
                })
            })
        });
    let told = told.lock().unwrap();
    assert!(told.iter().any(|stall| stall.0.is_none() && stall.1 >= held), "{told:?}");
    assert!(!told.iter().any(|stall| stall.0 == Some(task) && stall.1 >= held), "{told:?}");
}

#[test]
fn a_blocking_closure_has_a_span_on_its_thread() {
    let log = Log::default();
    log.watch(|| {
        runtime::block_on(async {
            let (go, gone) = mpsc::channel();
            let line = line!() + 2;
            let task = info_span!("request").in_scope(|| {
                runtime::spawn_blocking(move || {
                    gone.recv().unwrap();
                })
            });
            assert_eq!(log.field("id"), Some(task.id().to_string()));
            let place = log.field("place").unwrap();
            assert!(place.starts_with(&format!("{}:{line}:", file!())), "{place}");
            go.send(()).unwrap();
            task.await.unwrap();
            info!("joined");
        });
    });
    let mut told = log.take();
    // The rest goes on beside the pool's thread.
    told.retain(|line| line.contains("blocking") || line.contains("joined"));
    let wanted = [
        "blocking, in request",
        "> blocking",
        "< blocking",
        "blocking closed",
        "joined, in nothing",
    ];
    assert_eq!(told, wanted);
}

/// Panics at whatever happens outside of a task's poll.
struct Panics;

impl<S: Subscriber> Layer<S> for Panics {
    fn on_close(&self, _id: Id, _cx: Context<'_, S>) {
        panic!("as it closes, on purpose");
    }

    fn on_event(&self, _event: &Event<'_>, _cx: Context<'_, S>) {
        panic!("as it hears of it, on purpose");
    }
}

#[test]
fn a_subscriber_that_panics_ends_neither_the_loop_nor_its_end() {
    let held = Rc::new(());
    let there = dispatcher::with_default(&Dispatch::new(Registry::default().with(Panics)), || {
        limited(|| {
            let runtime = runtime_that_tells_of_stalls();
            runtime.block_on(async {
                assert_eq!(runtime::spawn(async { 1 }).await.unwrap(), 1);
                drop(runtime::spawn(async { 2 }));
                drop(runtime::spawn(async { panic!("unheard, on purpose") }));
                let later = runtime::spawn(async { panic!("unheard, on purpose") });
                yield_now().await;
                drop(later);
                assert!(runtime::spawn(pending::<()>()).cancel().await.is_err());
                let slow = runtime::spawn(async {
                    thread::sleep(LONG);
                    3
                });
                assert_eq!(slow.await.unwrap(), 3);
                thread::sleep(LONG);
            });
            for _ in 0..2 {
                let held = held.clone();
                drop(runtime.spawn(async move {
                    pending::<()>().await;
                    drop(held);
                }));
            }
            runtime.handle().clone()
        })
    });
    assert_eq!(Rc::strong_count(&held), 1);
    let late = there.spawn(async {});
    assert!(futures::executor::block_on(late).unwrap_err().is_cancelled());
}

/// Notes as each span is closed whether what it is about has been reported as finished.
struct Order {
    of: Arc<OnceLock<AbortHandle>>,
    finished: Arc<Mutex<Vec<bool>>>,
}

impl<S: Subscriber> Layer<S> for Order {
    fn on_close(&self, _id: Id, _cx: Context<'_, S>) {
        let finished = self.of.get().expect("it is set before the closure ends").is_finished();
        self.finished.lock().expect("no test panics under the lock").push(finished);
    }
}

#[test]
fn who_awaits_a_blocking_closure_finds_its_span_closed() {
    let (of, finished) = (Arc::<OnceLock<_>>::default(), Arc::<Mutex<_>>::default());
    let layer = Order { of: of.clone(), finished: finished.clone() };
    dispatcher::with_default(&Dispatch::new(Registry::default().with(layer)), || {
        limited(|| {
            runtime::block_on(async {
                let (go, gone) = mpsc::channel::<()>();
                let task = runtime::spawn_blocking(move || gone.recv().unwrap());
                of.set(task.abort_handle()).unwrap();
                go.send(()).unwrap();
                task.await.unwrap();
            });
        });
    });
    // Its thread may still be about to close it, if that comes too late.
    limited(|| {
        while finished.lock().unwrap().is_empty() {
            thread::yield_now();
        }
    });
    assert_eq!(*finished.lock().unwrap(), [false]);
}

#[test]
fn a_task_from_another_thread_has_that_threads_span_for_a_parent() {
    let log = Log::default();
    log.watch(|| {
        let runtime = Runtime::new().unwrap();
        let handle = runtime.handle().clone();
        let dispatch = dispatcher::get_default(Dispatch::clone);
        let there = || {
            dispatcher::with_default(&dispatch, || {
                info_span!("request").in_scope(|| {
                    let future = handle.spawn(async { info!("future") });
                    let made = handle.spawn_with(|| {
                        info!("making");
                        async { info!("made") }
                    });
                    (future, made)
                })
            })
        };
        let (future, made) = thread::scope(|scope| scope.spawn(there).join().unwrap());
        let told = [
            "request, in nothing",
            "> request",
            "task 1, in request",
            "task 2, in request",
            "< request",
        ];
        assert_eq!(log.take(), told);
        runtime.block_on(async {
            future.await.unwrap();
            made.await.unwrap();
        });
    });
    let told = [
        // Each is made in its span, on the runtime's thread.
        "> task 1",
        "< task 1",
        "> task 2",
        "making, in task 2",
        "< task 2",
        "> task 1",
        "future, in task 1",
        "< task 1",
        "task 1 closed",
        "> task 2",
        "made, in task 2",
        "< task 2",
        "task 2 closed",
        "request closed",
    ];
    assert_eq!(log.take(), told);
}

#[test]
fn a_task_that_comes_too_late_closes_its_span() {
    let log = Log::default();
    log.watch(|| {
        let runtime = Runtime::new().unwrap();
        let handle = runtime.handle().clone();
        drop(runtime);
        drop(handle.spawn(async {}));
    });
    assert_eq!(log.take(), ["task 1, in nothing", "task 1 closed"]);
}

/// A subscriber that spawns while it is told of a task, as often as this says: what it spawns, it is told
/// of as well.
struct Busy(AtomicI32);

impl Busy {
    fn spawn(&self) -> Option<JoinHandle<()>> {
        let left = self.0.fetch_sub(1, Ordering::Relaxed);
        (left > 0).then(|| runtime::spawn(async {}))
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Busy {
    fn on_new_span(&self, _attributes: &Attributes<'_>, _id: &Id, _cx: Context<'_, S>) {
        self.spawn();
    }

    fn on_enter(&self, _id: &Id, _cx: Context<'_, S>) {
        assert!(task::try_id().is_some());
        self.spawn();
    }

    fn on_exit(&self, _id: &Id, _cx: Context<'_, S>) {
        if let Some(task) = self.spawn() {
            task.abort();
        }
    }

    fn on_close(&self, _id: Id, _cx: Context<'_, S>) {
        self.spawn();
    }
}

#[test]
fn a_subscriber_may_use_the_runtime() {
    let dispatch = Dispatch::new(Registry::default().with(Busy(AtomicI32::new(1000))));
    dispatcher::with_default(&dispatch, || {
        limited(|| {
            runtime::block_on(async {
                let tasks: Vec<_> = (0..100)
                    .map(|number| {
                        runtime::spawn(async move {
                            yield_now().await;
                            number
                        })
                    })
                    .collect();
                for (number, task) in tasks.into_iter().enumerate() {
                    assert_eq!(task.await.unwrap(), number);
                }
            });
        });
    });
}

#[test]
fn a_runtime_within_a_task_of_another_nests() {
    let log = Log::default();
    log.watch(|| {
        runtime::block_on(async {
            let outer = spawn("outer", async {
                let inner = Runtime::new().unwrap();
                let task = inner.spawn(async { info!("inside") });
                inner.turn(Some(Duration::ZERO)).unwrap();
                assert!(task.is_finished());
            });
            outer.await.unwrap();
        });
    });
    let told = [
        "outer, in nothing",
        "> outer",
        "task 1, in outer",
        "> task 1",
        "inside, in task 1",
        "< task 1",
        "task 1 closed",
        "< outer",
        "outer closed",
    ];
    assert_eq!(log.take(), told);
}

#[test]
fn who_wants_no_spans_is_told_of_panics_all_the_same() {
    let log = Log::default();
    let layer = log.clone().with_filter(LevelFilter::INFO);
    dispatcher::with_default(&Dispatch::new(Registry::default().with(layer)), || {
        limited(|| {
            runtime::block_on(async {
                drop(runtime::spawn(async { panic!("on purpose") }));
                yield_now().await;
            });
        });
    });
    assert_eq!(log.take(), ["a task panicked and nobody awaits it, in nothing"]);
}
