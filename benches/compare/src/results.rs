//! What was measured, as it is kept in `results/`: a file for each row, so that one can be run anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::stats::{Median, median, ratio};

/// Where everything is kept: `results/`, `plots/` and `RESULTS.md` below it.
#[derive(Clone, Debug)]
pub(crate) struct Store(PathBuf);

/// Of all rows that have been run, by name.
pub(crate) type All = BTreeMap<String, Results>;

/// The figures of one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) row: String,
    pub(crate) machine: Machine,
    pub(crate) entries: Vec<Entry>,
}

/// The figures of one peer's program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) peer: String,
    pub(crate) version: String,
    pub(crate) profile: Profile,
    /// For each figure its values: one of each round, or just one of what repeats.
    pub(crate) figures: BTreeMap<String, Vec<f64>>,
    /// Why a figure is missing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) missing: BTreeMap<String, String>,
    /// Why all of them are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cannot: Option<String>,
}

/// Cargo's profile that a program was built in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Profile {
    #[default]
    Release,
    /// Fat LTO and one codegen unit.
    Fat,
}

impl Profile {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Profile::Release => "release",
            Profile::Fat => "fat",
        }
    }
}

impl Results {
    pub(crate) fn entry(&self, peer: &str, profile: Profile) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.peer == peer && entry.profile == profile)
    }

    /// How often the programs ran in turn.
    pub(crate) fn rounds(&self) -> usize {
        self.entries
            .iter()
            .flat_map(|entry| entry.figures.values())
            .map(Vec::len)
            .max()
            .unwrap_or(0)
    }

    /// One peer's figure as multiples of another's, within rounds.
    pub(crate) fn ratio(
        &self,
        profile: Profile,
        peer: &str,
        to: &str,
        figure: &str,
    ) -> Option<Median> {
        let of = |peer| self.entry(peer, profile)?.figures.get(figure);
        ratio(of(peer)?, of(to)?)
    }
}

impl Entry {
    pub(crate) fn median(&self, figure: &str) -> Option<Median> {
        median(self.figures.get(figure)?)
    }

    pub(crate) fn value(&self, figure: &str) -> Option<f64> {
        Some(self.median(figure)?.value)
    }
}

impl Store {
    pub(crate) fn new(folder: impl Into<PathBuf>) -> Store {
        Store(folder.into())
    }

    pub(crate) fn result(&self, row: &str) -> PathBuf {
        self.0.join("results").join(row).with_extension("json")
    }

    pub(crate) fn plot(&self, name: &str) -> PathBuf {
        self.0.join("plots").join(name).with_extension("svg")
    }

    pub(crate) fn document(&self) -> PathBuf {
        self.0.join("RESULTS.md")
    }

    pub(crate) fn keep(&self, results: &Results) -> Result<()> {
        write(&self.result(&results.row), &(serde_json::to_string_pretty(results)? + "\n"))
    }

    /// Of those of the rows that have been run.
    pub(crate) fn load<'a>(&self, rows: impl IntoIterator<Item = &'a str>) -> Result<All> {
        let mut all = All::new();
        for row in rows {
            let path = self.result(row);
            if path.exists() {
                let results = serde_json::from_str(&fs::read_to_string(&path)?);
                let what = || format!("{} is not as this program writes it", path.display());
                all.insert(row.to_owned(), results.with_context(what)?);
            }
        }
        Ok(all)
    }
}

/// Writes a file, and makes the folder it is in.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
