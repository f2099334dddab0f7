//! What is looked at when a round has ended, and what makes it flat.
#![allow(unsafe_code)]

use std::fmt;
use std::fs;
use std::process;

use super::heap;
use super::share::World;
use crate::support::resources::{open_descriptors, resident_kib};

/// One thing that is counted.
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    now: fn(&World) -> u64,
    pub(crate) rule: Rule,
}

/// What must hold of it.
#[derive(Clone, Copy)]
pub(crate) enum Rule {
    /// After every round it is what it was at the start.
    Returns,
    /// The most in the second half of the time after the warm-up exceeds that in the first by no more.
    GrowsAtMost(u64),
}

pub(crate) const MEASURES: [Measure; 10] = [
    // Free memory that lies between what is in use comes and goes by the megabyte.
    Measure { name: "resident, KiB", now: |_| resident_kib(), rule: Rule::GrowsAtMost(2048) },
    // How long a queue or a table ever was depends on how tasks and threads met; then it keeps twice the room.
    Measure { name: "heap, bytes", now: |_| heap::bytes(), rule: Rule::GrowsAtMost(128 << 10) },
    Measure { name: "heap, blocks", now: |_| heap::blocks(), rule: Rule::GrowsAtMost(64) },
    // With what the C library takes, and the room that it leaves.
    Measure { name: "malloc, KiB", now: |_| malloc_kib(), rule: Rule::GrowsAtMost(512) },
    Measure {
        name: "descriptors",
        now: |_| open_descriptors() as u64,
        // What is kept for the next: the pipes that splice(2) moves through.
        rule: Rule::GrowsAtMost(4),
    },
    // Of both runtimes, what is registered and what is alive.
    Measure { name: "registered", now: World::registered, rule: Rule::Returns },
    Measure { name: "tasks", now: World::tasks, rule: Rule::Returns },
    Measure { name: "threads", now: |_| threads(), rule: Rule::Returns },
    Measure { name: "children", now: |_| children(), rule: Rule::Returns },
    Measure { name: "signal handlers", now: |_| handlers(), rule: Rule::Returns },
];

/// A number for each of the `MEASURES`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sample(pub(crate) [u64; MEASURES.len()]);

impl Sample {
    pub(crate) fn now(world: &World) -> Sample {
        let mut sample = Sample::default();
        for (value, measure) in sample.0.iter_mut().zip(&MEASURES) {
            *value = (measure.now)(world);
        }
        sample
    }

    /// The larger of each.
    pub(crate) fn most(self, other: Sample) -> Sample {
        let mut most = self;
        for (value, other) in most.0.iter_mut().zip(other.0) {
            *value = other.max(*value);
        }
        most
    }

    /// Whether what must return to what it was has done so.
    pub(crate) fn has_returned_to(&self, start: &Sample) -> bool {
        MEASURES.iter().zip(self.0.iter().zip(start.0)).all(|(measure, (now, start))| {
            matches!(measure.rule, Rule::GrowsAtMost(_)) || *now == start
        })
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (measure, value)) in MEASURES.iter().zip(self.0).enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{} {value}", measure.name)?;
        }
        Ok(())
    }
}

fn malloc_kib() -> u64 {
    // SAFETY: the call takes nothing.
    let info = unsafe { libc::mallinfo2() };
    (info.uordblks + info.hblkhd) as u64 / 1024
}

fn threads() -> u64 {
    fs::read_dir("/proc/self/task").expect("/proc is there").count() as u64
}

/// Those that run, and those that nobody has reaped.
fn children() -> u64 {
    let own = process::id().to_string();
    let is_child = |stat: &String| {
        // `pid (name) state parent ...`, and a name may hold anything.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        fields.split_whitespace().nth(1) == Some(own.as_str())
    };
    let processes = fs::read_dir("/proc").expect("/proc is there").flatten();
    // One that ends meanwhile has no file any more.
    processes
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok())
        .filter(is_child)
        .count() as u64
}

/// How many signals have a handler.
fn handlers() -> u64 {
    let has_handler = |signal: &i32| {
        // SAFETY: zeros are a valid `sigaction`, which the call fills in and which outlives it.
        let action = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            // glibc keeps two signals for itself, and says so.
            if libc::sigaction(*signal, std::ptr::null(), &mut action) != 0 {
                return false;
            }
            action.sa_sigaction
        };
        action != libc::SIG_DFL && action != libc::SIG_IGN
    };
    (1..=libc::SIGRTMAX()).filter(has_handler).count() as u64
}
