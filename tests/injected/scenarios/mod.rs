//! The scenarios: what the library can do, a few milliseconds of each. A step gives an error, which ends its
//! scenario, or has done what it should.

mod broken;
mod files;
mod hosts;
mod loops;
mod processes;
mod sockets;
mod streams;

use std::env;
use std::fs;
use std::io;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use runtime::process::Command;
use runtime::{Builder, Runtime};

use crate::UNAVAILABLE;
use crate::memory;
use crate::seam::{self, Mark, mark};

pub(crate) use broken::BROKEN;

/// What is done on a runtime, again and again.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What has to be there before: the first call counts after it.
    prepare: fn(),
    /// The runtime that it wants.
    builder: fn() -> Builder,
    body: fn(&Runtime) -> io::Result<()>,
    /// Calls of libc's and std's own in it, which end badly when they fail.
    pub(crate) not_ours: &'static [&'static str],
}

const fn scenario(name: &'static str, body: fn(&Runtime) -> io::Result<()>) -> Scenario {
    Scenario { name, prepare: || {}, builder: Builder::new, body, not_ours: &[] }
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("timers", loops::timers),
    scenario("wakes", loops::wakes),
    scenario("dumps", loops::dumps),
    scenario("blocking", loops::blocking),
    scenario("async_fd", loops::async_fd),
    scenario("teardown", loops::teardown),
    Scenario { builder: loops::spinning, ..scenario("spin", loops::wakes) },
    Scenario { builder: loops::watched, ..scenario("watched", loops::wakes) },
    scenario("embedded", hosts::embedded),
    scenario("per_core", hosts::per_core),
    scenario("bare", hosts::bare),
    scenario("tcp", sockets::tcp),
    scenario("tcp_options", sockets::tcp_options),
    scenario("eyeballs", sockets::eyeballs),
    Scenario { builder: files::one_thread, ..scenario("names", sockets::names) },
    scenario("exclusive", sockets::exclusive),
    scenario("udp", sockets::udp),
    scenario("udp_batches", sockets::udp_batches),
    Scenario { prepare: files::make_folder, ..scenario("unix_stream", sockets::unix_stream) },
    scenario("unix_datagram", sockets::unix_datagram),
    scenario("seqpacket", sockets::seqpacket),
    scenario("descriptors", sockets::descriptors),
    scenario("pipe", streams::pipe),
    Scenario { prepare: streams::make_fifo, ..scenario("fifo", streams::fifo) },
    scenario("copy", streams::copy),
    scenario("copy_both_ways", streams::copy_both_ways),
    Scenario { prepare: streams::make_file, ..scenario("send_file", streams::send_file) },
    Scenario { prepare: streams::pipes_as_streams, ..scenario("stdio_pipes", streams::stdio) },
    Scenario { prepare: streams::sockets_as_streams, ..scenario("stdio_sockets", streams::stdio) },
    Scenario { prepare: streams::terminal_as_streams, ..scenario("stdio_tty", streams::stdio) },
    Scenario { prepare: streams::files_as_streams, ..scenario("stdio_files", streams::stdio) },
    scenario("child", processes::child),
    scenario("child_pipes", processes::child_pipes),
    scenario("child_dropped", processes::child_dropped),
    Scenario {
        // How std hears from the fork that there is no such program; it panics if it cannot.
        not_ours: &["recvfrom"],
        ..scenario("child_after_signals", processes::child_after_signals)
    },
    scenario("signals", processes::signals),
    Scenario {
        prepare: files::make_folder,
        builder: files::one_thread,
        ..scenario("files", files::files)
    },
    Scenario {
        prepare: files::make_folder,
        builder: files::one_thread,
        ..scenario("folders", files::folders)
    },
];

/// The environment variable with the path of a folder that a scenario may make; the driver removes it.
pub(crate) const FOLDER: &str = "FAULTS_FOLDER";

fn folder() -> PathBuf {
    env::var_os(FOLDER).expect("from the driver").into()
}

/// Whether some thread has panicked, caught or not.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// How the one panic begins that is documented: `spawn_blocking` returns no error, as tokio's does not.
const DOCUMENTED: &str = "spawn_blocking could not start a thread";

fn text<'a>(panic: &'a PanicHookInfo<'_>) -> &'a str {
    panic.payload().downcast_ref::<String>().map_or("", String::as_str)
}

/// `spawn_blocking` to its end, with that panic as an error.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let handle = panic::catch_unwind(AssertUnwindSafe(|| runtime::spawn_blocking(work)));
    let handle = handle.map_err(|_| io::Error::other(DOCUMENTED))?;
    handle.await.map_err(|_| wrong("blocking work was lost"))
}

/// Is a scenario, for a driver.
pub(crate) fn play(name: &str) -> ExitCode {
    let mut all = SCENARIOS.iter().chain(BROKEN.iter().map(|(scenario, _)| scenario));
    let Some(scenario) = all.find(|scenario| scenario.name == name) else {
        eprintln!("there is no scenario {name}");
        return ExitCode::FAILURE;
    };
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !text(panic).starts_with(DOCUMENTED) {
            PANICKED.store(true, Ordering::Relaxed);
            report(panic);
        }
    }));
    if let Err(error) = seam::enter() {
        eprintln!("{error}");
        process::exit(UNAVAILABLE);
    }
    (scenario.prepare)();
    let before = descriptors();
    let blocks = memory::blocks();
    mark(Mark::Begin);
    if let Ok(runtime) = said((scenario.builder)().build()) {
        // With one fault at most: it succeeds, or it fails and says why.
        let first = said((scenario.body)(&runtime));
        let has_failed = mark(Mark::Pause);
        assert!(first.is_ok() || has_failed, "an error where no call has failed");
        // With none: whatever came before.
        said((scenario.body)(&runtime)).expect("it succeeds when nothing fails");
        mark(Mark::Resume);
        drop(runtime);
    }
    mark(Mark::End);
    settle();
    eprintln!("blocks: {}", memory::blocks() - blocks);
    for kind in left_since(before) {
        eprintln!("left: {kind}");
    }
    if PANICKED.load(Ordering::Relaxed) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Says the error, which must be a sentence.
fn said<T>(result: io::Result<T>) -> io::Result<T> {
    if let Err(error) = &result {
        let sentence = error.to_string();
        eprintln!("error: {sentence}");
        assert!(sentence.trim().len() > 5, "an error without words: {error:?}");
    }
    result
}

/// What the open descriptors are, sorted.
fn descriptors() -> Vec<String> {
    let folder = fs::read_dir("/proc/self/fd").expect("/proc is there");
    let paths = folder.map(|entry| entry.expect("an entry").path());
    let links = paths.filter_map(|path| fs::read_link(path).ok());
    let mut links: Vec<_> = links.map(|link| link.to_string_lossy().into_owned()).collect();
    links.sort();
    links
}

/// The kinds of descriptors that were not there before, and children.
fn left_since(mut before: Vec<String>) -> Vec<String> {
    let is_new = |link: &String| match before.iter().position(|earlier| earlier == link) {
        Some(place) => {
            before.swap_remove(place);
            false
        }
        None => true,
    };
    let mut left: Vec<_> = descriptors().into_iter().filter(is_new).collect();
    for link in &mut left {
        // Those of sockets and pipes have a number each.
        if let Some(end) = link.find(":[").filter(|_| !link.starts_with("anon_inode")) {
            link.truncate(end);
        }
    }
    left.extend(seam::has_children().then(|| "child".to_string()));
    left
}

/// Waits for the threads that are on their way out, and has the children reaped that nobody waited for, as
/// the next runtime that starts one does. What is still there after that has been left behind.
fn settle() {
    for round in 0..4000 {
        let has_children = seam::has_children() && round < 400;
        if has_children {
            let _ = runtime::block_on(Command::new("true").status());
        }
        let threads = fs::read_dir("/proc/self/task").expect("/proc is there").count();
        if threads == 1 && !has_children {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// An error for what is not as it should be, but may be with a call that failed.
fn wrong(what: &str) -> io::Error {
    io::Error::other(format!("{what}, and no call said why"))
}
