//! What was measured, as it is stored, and what is concluded from it.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::NO_WAIT;
use crate::machine::Machine;
use crate::results;
use crate::stats::{Median, median, ratio};

#[derive(Serialize, Deserialize)]
pub(super) struct Measured {
    pub(super) machine: Machine,
    series: Vec<Series>,
}

#[derive(Serialize, Deserialize)]
struct Series {
    mechanism: String,
    pattern: String,
    idle: usize,
    /// Processor time of one event, its write and its read included: a figure for each round.
    cpu_ns: Vec<f64>,
}

impl Measured {
    pub(super) fn new() -> Measured {
        Measured { machine: Machine::of_this_run(), series: Vec::new() }
    }

    /// Adds the figure of one round.
    pub(super) fn add(&mut self, mechanism: &str, pattern: &str, idle: usize, cpu_ns: f64) {
        match self.series.iter_mut().find(|series| series.is(mechanism, pattern, idle)) {
            Some(series) => series.cpu_ns.push(cpu_ns),
            None => self.series.push(Series {
                mechanism: mechanism.into(),
                pattern: pattern.into(),
                idle,
                cpu_ns: vec![cpu_ns],
            }),
        }
    }

    pub(super) fn store(&self, path: &Path) -> Result<()> {
        results::write(path, &(serde_json::to_string_pretty(self)? + "\n"))
    }

    /// `None` when nothing has been stored.
    pub(super) fn load(path: &Path) -> Result<Option<Measured>> {
        let json = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.with_context(|| format!("reading {}", path.display()))?,
        };
        serde_json::from_slice(&json)
            .with_context(|| format!("reading {}", path.display()))
            .map(Some)
    }

    /// How many rounds there were.
    pub(super) fn rounds(&self) -> usize {
        self.series.first().map_or(0, |series| series.cpu_ns.len())
    }

    /// What a wait costs: how much longer an event takes than in the same round without one.
    pub(super) fn wait(&self, mechanism: &str, pattern: &str, idle: usize) -> Option<Median> {
        median(&self.waits(mechanism, pattern, idle)?)
    }

    /// How many times as much a wait costs among the most idle descriptors as among the fewest.
    pub(super) fn growth(&self, mechanism: &str, pattern: &str) -> Option<Median> {
        let idle = || self.series.iter().filter(|series| series.pattern == pattern).map(|s| s.idle);
        let few = self.waits(mechanism, pattern, idle().min()?)?;
        let many = self.waits(mechanism, pattern, idle().max()?)?;
        ratio(&many, &few)
    }

    fn waits(&self, mechanism: &str, pattern: &str, idle: usize) -> Option<Vec<f64>> {
        let find = |mechanism| self.series.iter().find(|s| s.is(mechanism, pattern, idle));
        let (with, without) = (find(mechanism)?, find(NO_WAIT.name)?);
        let both = with.cpu_ns.iter().zip(&without.cpu_ns);
        Some(both.map(|(with, without)| with - without).collect())
    }
}

impl Series {
    fn is(&self, mechanism: &str, pattern: &str, idle: usize) -> bool {
        self.mechanism == mechanism && self.pattern == pattern && self.idle == idle
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::waits::{MECHANISMS, SAME};

    /// Three rounds, of which each is slower than the last: a wait by scanning costs 10 ns for each descriptor,
    /// any other 500 ns, without the 600 ns of the write and the read.
    pub(crate) fn made_up() -> Measured {
        let mut measured = Measured::new();
        for round in 0..3 {
            let slow = f64::from(round) * 100.0;
            for &idle in SAME.idle {
                measured.add(NO_WAIT.name, SAME.name, idle, 600.0 + slow);
                for mechanism in &MECHANISMS {
                    let wait = if mechanism.scans { 10.0 * idle as f64 } else { 500.0 };
                    measured.add(mechanism.name, SAME.name, idle, 600.0 + slow + wait);
                }
            }
        }
        measured
    }

    #[test]
    fn a_wait_is_the_difference_within_a_round() {
        let same = |value| Some(Median { low: value, value, high: value });
        assert_eq!(made_up().wait("runtime", "same", 10), same(500.0));
        assert_eq!(made_up().wait("poll", "same", 3_000), same(30_000.0));
        assert_eq!(made_up().wait("poll", "random", 3_000), None);
        assert_eq!(made_up().rounds(), 3);
    }

    #[test]
    fn growth_is_from_the_fewest_to_the_most() {
        let growth = |mechanism| Some(made_up().growth(mechanism, "same")?.value);
        assert_eq!(growth("select"), Some(1_000.0));
        assert_eq!(growth("runtime"), Some(1.0));
        assert_eq!(growth("kqueue"), None);
    }

    #[test]
    fn what_is_stored_is_loaded() {
        let json = serde_json::to_vec(&made_up()).expect("it is plain data");
        let loaded: Measured = serde_json::from_slice(&json).expect("it was stored so");
        assert_eq!(loaded.wait("select", "same", 10), made_up().wait("select", "same", 10));
    }
}
