//! The trace of a loop is what a viewer wants: valid, whole, and true to what ran.

#[path = "support/mod.rs"]
mod support;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::future::{pending, poll_fn};
use std::path::PathBuf;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use runtime::task::{self, yield_now};
use runtime::time::sleep;
use runtime::{Builder, Runtime};
use serde_json::Value;
use support::forks::{assert_fine, in_child, one_at_a_time};
use support::limited;

/// A file for a trace, which goes with it.
struct TraceFile(PathBuf);

impl TraceFile {
    fn new(name: &str) -> TraceFile {
        let file = format!("runtime-trace-{name}-{}.json", std::process::id());
        TraceFile(std::env::temp_dir().join(file))
    }

    fn runtime(&self) -> Runtime {
        Builder::new().trace(&self.0).build().unwrap()
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap()
    }

    fn events(&self) -> Vec<Value> {
        serde_json::from_str(&self.text()).unwrap()
    }
}

impl Drop for TraceFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn of_phase<'a>(events: &'a [Value], phase: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["ph"] == phase).collect()
}

fn begun(event: &Value) -> f64 {
    event["ts"].as_f64().unwrap()
}

fn ended(event: &Value) -> f64 {
    begun(event) + event["dur"].as_f64().unwrap()
}

/// The polls of what is called so.
fn polls<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    let of_phase = of_phase(events, "X").into_iter();
    of_phase
        .filter(|event| event["cat"] == "poll" && event["name"].as_str().unwrap().starts_with(name))
        .collect()
}

#[test]
fn every_poll_and_park_is_there_and_none_overlaps() {
    limited(|| {
        let file = TraceFile::new("polls");
        let runtime = file.runtime();
        runtime.block_on(async {
            let yields = async {
                for _ in 0..9 {
                    yield_now().await;
                }
            };
            let task = task::Builder::new().name("yields").spawn(yields).unwrap();
            task.await.unwrap();
            sleep(Duration::from_millis(1)).await;
        });
        drop(runtime);
        let events = file.events();
        assert_eq!(polls(&events, "yields trace.rs:").len(), 10);
        assert_eq!(polls(&events, "block_on").len(), 3);
        let slices = of_phase(&events, "X");
        assert!(slices.iter().any(|slice| slice["name"] == "park"));
        assert!(slices.iter().any(|slice| slice["name"] == "timers"));
        let mut last = 0.0;
        for slice in slices {
            assert!(begun(slice) >= last, "{slice}");
            // To a nanosecond, as they are written with.
            last = ended(slice) - 0.002;
        }
    });
}

#[test]
fn a_task_has_a_row_from_its_spawn_to_its_end_however_it_ends() {
    limited(|| {
        let file = TraceFile::new("rows");
        let runtime = file.runtime();
        let (returned, panicked, aborted) = runtime.block_on(async {
            let returns = runtime::spawn(yield_now());
            let panics = runtime::spawn(async { panic!("on purpose") });
            let aborted = runtime::spawn(std::future::pending::<()>());
            yield_now().await;
            aborted.abort();
            let ids = (returns.id(), panics.id(), aborted.id());
            returns.await.unwrap();
            assert!(panics.await.unwrap_err().is_panic());
            assert!(aborted.await.unwrap_err().is_cancelled());
            ids
        });
        drop(runtime);
        let events = file.events();
        let ids = |phase| -> HashMap<String, f64> {
            let rows = of_phase(&events, phase).into_iter();
            rows.map(|event| (event["id"].to_string(), begun(event))).collect()
        };
        let (begins, ends) = (ids("b"), ids("e"));
        for id in [returned, panicked, aborted].map(|id| id.to_string()) {
            assert!(begins[&id] <= ends[&id]);
        }
        assert_eq!((begins.len(), ends.len()), (3, 3));
    });
}

#[test]
fn an_arrow_leads_from_the_poll_that_woke_to_the_one_that_came_of_it() {
    limited(|| {
        let file = TraceFile::new("arrows");
        let runtime = file.runtime();
        runtime.block_on(async {
            let (sender, receiver) = futures::channel::oneshot::channel::<()>();
            let waits = async { receiver.await.unwrap() };
            let waits = task::Builder::new().name("waits").spawn(waits).unwrap();
            yield_now().await;
            let wakes = async { sender.send(()).unwrap() };
            task::Builder::new().name("wakes").spawn(wakes).unwrap();
            waits.await.unwrap();
        });
        drop(runtime);
        let events = file.events();
        let wakes = polls(&events, "wakes")[0];
        let woken = polls(&events, "waits")[1];
        let within = |arrow: &Value| begun(arrow) >= begun(wakes) && begun(arrow) <= ended(wakes);
        let id = |event: &&Value| event["id"].as_u64().unwrap();
        let from: HashSet<_> = of_phase(&events, "s")
            .into_iter()
            .filter(|arrow| within(arrow))
            .map(|e| id(&e))
            .collect();
        let to: HashSet<_> = of_phase(&events, "f")
            .into_iter()
            .filter(|arrow| begun(arrow) == begun(woken))
            .map(|e| id(&e))
            .collect();
        assert_eq!(from.intersection(&to).count(), 1);
        // No arrow ends that has not begun, and none twice.
        let all = |phase| of_phase(&events, phase).iter().map(id).collect::<Vec<_>>();
        let (starts, ends) = (all("s"), all("f"));
        assert_eq!(ends.iter().collect::<HashSet<_>>().len(), ends.len());
        assert!(ends.iter().all(|id| starts.contains(id)));
    });
}

#[test]
fn other_threads_wakes_come_from_the_inbox_or_a_park() {
    limited(|| {
        let file = TraceFile::new("inbox");
        let runtime = file.runtime();
        runtime.block_on(async {
            let (sender, receiver) = futures::channel::oneshot::channel::<()>();
            let thread = thread::spawn(move || sender.send(()).unwrap());
            receiver.await.unwrap();
            thread.join().unwrap();
            let task = runtime::Handle::current().spawn_with(|| async {});
            task.await.unwrap();
        });
        drop(runtime);
        let events = file.events();
        let names: HashSet<_> =
            of_phase(&events, "X").iter().map(|e| e["name"].as_str().unwrap()).collect();
        assert!(names.contains("inbox"), "{names:?}");
    });
}

#[test]
fn names_are_escaped() {
    let file = TraceFile::new("names");
    let runtime = file.runtime();
    let odd = "a \"quote\" \\ and\na line\u{1}";
    runtime.block_on(async {
        task::Builder::new().name(odd).spawn(async {}).unwrap().await.unwrap();
    });
    drop(runtime);
    assert_eq!(polls(&file.events(), odd).len(), 1);
}

#[test]
fn a_runtime_in_a_hosts_loop_is_traced_too() {
    limited(|| {
        let file = TraceFile::new("host");
        let runtime = file.runtime();
        let task = runtime.spawn(async { yield_now().await });
        while !task.is_finished() {
            runtime.turn(Some(Duration::ZERO)).unwrap();
        }
        drop((task, runtime));
        assert_eq!(polls(&file.events(), "trace.rs:").len(), 2);
    });
}

#[test]
fn a_file_that_cannot_be_made_is_an_error_that_names_it() {
    let error = Builder::new().trace("/no/such/folder/trace.json").build().unwrap_err();
    assert!(error.to_string().contains("creating the trace /no/such/folder/trace.json"), "{error}");
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn a_full_disk_ends_the_trace_and_not_the_runtime() {
    limited(|| {
        let runtime = Builder::new().trace("/dev/full").build().unwrap();
        // More than is kept before it is written.
        runtime.block_on(async {
            for _ in 0..10_000 {
                yield_now().await;
            }
        });
    });
}

#[test]
fn a_program_that_is_killed_leaves_what_opens_still() {
    limited(|| {
        let file = TraceFile::new("killed");
        let runtime = file.runtime();
        runtime.block_on(async {
            for _ in 0..10_000 {
                yield_now().await;
            }
        });
        // As it is while the runtime is alive: cut off, in whole lines but for the last.
        let text = file.text();
        let whole = text.rsplit_once(",\n").unwrap().0;
        let events: Vec<Value> = serde_json::from_str(&format!("{whole}]")).unwrap();
        assert!(events.len() > 100);
        drop(runtime);
    });
}

/// Wakes its task as it is dropped.
struct WakesItsTask(Option<Waker>);

impl WakesItsTask {
    fn keep(&mut self, waker: &Waker) {
        self.0 = Some(waker.clone());
    }
}

impl Drop for WakesItsTask {
    fn drop(&mut self) {
        self.0.take().unwrap().wake();
    }
}

#[test]
fn a_task_that_wakes_itself_as_it_goes_has_one_row() {
    limited(|| {
        let file = TraceFile::new("last-wake");
        let runtime = file.runtime();
        runtime.block_on(async {
            let mut waits = WakesItsTask(None);
            let task = task::Builder::new().name("waits").spawn(poll_fn(move |cx| {
                waits.keep(cx.waker());
                Poll::<()>::Pending
            }));
            let task = task.unwrap();
            yield_now().await;
            task.abort();
            // It ends while the handle is there, whose drop would take its entry.
            while !task.is_finished() {
                yield_now().await;
            }
            yield_now().await;
            assert!(task.await.unwrap_err().is_cancelled());
        });
        drop(runtime);
        let events = file.events();
        assert_eq!(of_phase(&events, "b").len(), 1);
        assert_eq!(of_phase(&events, "e").len(), 1);
    });
}

#[test]
fn a_forks_child_writes_nothing() {
    let _alone = one_at_a_time();
    limited(|| {
        let file = TraceFile::new("fork");
        let runtime = file.runtime();
        runtime.block_on(async {
            // Their ends are more than is kept before it is written.
            (0..5_000).for_each(|_| drop(runtime::spawn(pending::<()>())));
            yield_now().await;
        });
        let before = file.text().len();
        let in_child = in_child(move || drop(runtime));
        assert_fine(in_child);
        // What the child had is the parent's too, and is dropped by now.
        assert!(file.text().len() > before);
        let events = file.events();
        assert_eq!(of_phase(&events, "b").len(), 5_000);
        assert_eq!(of_phase(&events, "e").len(), 5_000);
    });
}

#[test]
fn a_runtime_that_could_not_be_built_leaves_its_place_to_others() {
    limited(|| {
        let mut builder = Builder::new();
        builder.trace("/no/such/folder/trace.json");
        // More than can be alive.
        for _ in 0..70_000 {
            builder.build().unwrap_err();
        }
        Runtime::new().unwrap().block_on(async {});
    });
}
