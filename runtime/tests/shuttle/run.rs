//! Telling stories, each in a process of its own, as the engine's statics are a process's.

use std::env;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

/// A story: its name, how many orders of it are enough where they are chosen, whether they are few enough to
/// tell it in every one, and what happens.
#[derive(Clone, Copy)]
pub(crate) struct Story {
    pub(crate) name: &'static str,
    pub(crate) orders: usize,
    pub(crate) loom: bool,
    pub(crate) tell: fn(),
}

/// Set in a process that tells the story of this name.
const VARIABLE: &str = "INTERLEAVINGS_STORY";

/// Seconds after which a story is taken for hung. Each takes a few where it has a processor for itself.
const LIMIT: u64 = 300;

/// The number in a variable of the environment.
pub(crate) fn number(variable: &str) -> Option<u64> {
    let value = env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {value:?}")))
}

/// Has the stories explored that the arguments ask for. As the harness does it: those that are no options are
/// parts of names.
pub(crate) fn main(stories: &[Story], explore: fn(&Story)) {
    if let Ok(name) = env::var(VARIABLE) {
        let story = stories.iter().find(|story| story.name == name).expect("its name");
        // SAFETY: no pointers are passed. A story that hangs ends by it.
        unsafe { libc::alarm(number("INTERLEAVINGS_LIMIT").unwrap_or(LIMIT) as u32) };
        return explore(story);
    }
    if env::args().any(|arg| arg == "--list") {
        stories.iter().for_each(|story| println!("{}: test", story.name));
        return;
    }
    let wanted: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |story: &&Story| {
        wanted.is_empty() || wanted.iter().any(|part| story.name.contains(part.as_str()))
    };
    let queue = Mutex::new(stories.iter().filter(is_wanted));
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some(story) = queue.lock().unwrap().next() else { return };
                    let start = Instant::now();
                    let output = run(story);
                    let took = start.elapsed();
                    let said = String::from_utf8_lossy(&output.stderr).into_owned();
                    let outcome = if output.status.success() { "ok" } else { "FAILED" };
                    println!("test {} ... {outcome} {took:.1?} {}", story.name, last_line(&said));
                    if !output.status.success() {
                        failed.lock().unwrap().push((story.name, output.status, said));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    for (name, status, said) in &failed {
        println!("\n---- {name}: {status}\n{said}");
    }
    assert!(failed.is_empty(), "{} stories failed", failed.len());
}

/// Tells a story in a process of its own.
fn run(story: &Story) -> Output {
    let mut command = Command::new(env::current_exe().expect("our path"));
    command.env(VARIABLE, story.name).env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.output().expect("a process")
}

/// By which it says in how many orders it was told.
fn last_line(said: &str) -> &str {
    said.lines().last().unwrap_or_default()
}
