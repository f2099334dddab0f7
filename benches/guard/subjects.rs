//! What the guard counts, and how it counts all of it.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::operations::{self, OPERATIONS, Run};
use crate::round_trip::server::{What, Who};
use crate::{callgrind, in_wait};

/// A thing that is counted, by itself.
pub(crate) struct Subject {
    pub(crate) name: String,
    kind: Kind,
}

enum Kind {
    /// Instructions of an operation, from runs of so many.
    Operation(Run, u64),
    /// Instructions of a round trip over so many connections, from runs of so many.
    Echo(What, usize, u64),
    /// Bytes of a pending task.
    Memory,
}

const ECHOES: [(What, usize, u64); 7] = [
    (What::Tcp, 1, 1_000),
    (What::Tcp, 64, 2_560),
    (What::TcpTimeout, 1, 1_000),
    (What::TcpTimeout, 64, 2_560),
    (What::Unix, 1, 1_000),
    (What::Udp, 1, 1_000),
    (What::UnixDatagram, 1, 1_000),
];

/// A figure, or why there is none.
pub(crate) type Figure = Result<f64, String>;

/// Everything there is to count.
pub(crate) fn all() -> Vec<Subject> {
    let operations = OPERATIONS.iter().filter_map(|operation| {
        let kind = Kind::Operation(operation.run, operation.counted?);
        Some(Subject { name: operation.name.into(), kind })
    });
    let echoes = ECHOES.iter().map(|&(what, connections, round_trips)| Subject {
        name: format!("echo-{}-{connections}", what.name()),
        kind: Kind::Echo(what, connections, round_trips),
    });
    let memory = Subject { name: "memory-of-a-task".into(), kind: Kind::Memory };
    operations.chain(echoes).chain([memory]).collect()
}

/// What `count` says of each, by as many processes at a time as there are processors: what they count does
/// not depend on what runs beside them.
pub(crate) fn each<T: Send>(subjects: &[Subject], count: impl Fn(&Subject) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let work = || {
        let taken = std::iter::from_fn(|| {
            let index = next.fetch_add(1, Ordering::Relaxed);
            Some((index, count(subjects.get(index)?)))
        });
        taken.collect::<Vec<_>>()
    };
    let mut figures = thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let done = workers.into_iter().map(|worker| worker.join().expect("counting panics never"));
        done.flatten().collect::<Vec<_>>()
    });
    figures.sort_by_key(|(index, _)| *index);
    figures.into_iter().map(|(_, figure)| figure).collect()
}

impl Subject {
    pub(crate) fn unit(&self) -> &'static str {
        if self.needs_valgrind() { "instructions" } else { "bytes" }
    }

    /// How far a count may be from the stored one, as a share of it. The reasons are in `stored.md`.
    pub(crate) fn margin(&self, same_rustc: bool) -> f64 {
        match self.kind {
            Kind::Memory => 0.005,
            _ if self.name == "block-on" => 0.1,
            _ if same_rustc => 0.02,
            _ => 0.05,
        }
    }

    pub(crate) fn needs_valgrind(&self) -> bool {
        !matches!(self.kind, Kind::Memory)
    }

    /// The same with metrics on, of what the engine does by itself.
    pub(crate) fn count_with_metrics(&self) -> Option<Figure> {
        match self.kind {
            Kind::Operation(_, count) => {
                Some(callgrind::per_operation("run-with-metrics", &self.name, count))
            }
            Kind::Echo(..) | Kind::Memory => None,
        }
    }

    pub(crate) fn count(&self) -> Figure {
        match self.kind {
            Kind::Operation(_, count) | Kind::Echo(_, _, count) => {
                callgrind::per_operation("run", &self.name, count)
            }
            // In a process of its own: what others have freed would hide what this one takes.
            Kind::Memory => {
                let program = std::env::current_exe().map_err(|error| error.to_string())?;
                let count = operations::TASKS.to_string();
                let ran = Command::new(program).args(["run", &self.name, &count]).output();
                let bytes = ran.map_err(|error| error.to_string())?.stdout;
                let bytes = String::from_utf8_lossy(&bytes);
                bytes.trim().parse().map_err(|_| format!("{} says {bytes:?}", self.name))
            }
        }
    }

    /// Does it `count` times in this process, to be counted from outside.
    ///
    /// # Errors
    ///
    /// What keeps a server's messages from going.
    pub(crate) fn run(&self, count: u64) -> std::io::Result<()> {
        match self.kind {
            Kind::Operation(run, _) => drop(run(count)),
            Kind::Echo(what, connections, _) => {
                in_wait::serve(Who::Ours, what, connections, count)?
            }
            Kind::Memory => println!("{}", operations::memory(count)),
        }
        Ok(())
    }
}
