//! `RESULTS.md`: the verdicts, whom we are behind, an overview and a plot of each group, every row's table.

use std::fmt::Write;

use anyhow::Result;

use crate::build::NAME as BUILD;
use crate::peers::PEERS;
use crate::plot;
use crate::results::{All, Profile, Results, Store, write};
use crate::tables::{self, OURS, bold};
use crate::verdicts::{Verdict, verdicts};
use crate::workloads::{Group, ROWS, Row};

const BUILD_TITLE: &str = "A clean build of hello";
const BUILD_HEADLINE: &str = "cpu_s";

const HEAD: &str = "\
# The same programs side by side

Made by `cargo run --release` in this folder; [README.md](README.md) says what is measured and how. Less is
better everywhere. A figure is the median of the rounds; behind it, in parentheses, the interval that holds the
true median in 95 of 100 cases. CPU is processor time of the program's process for each operation, the kernel's
included. \"to raw\" and \"to tokio\" are ratios within rounds. Instructions and system calls are counted, not
timed. Fat LTO is `lto = \"fat\"`, `codegen-units = 1`; all else is cargo's default release profile.
";

const GROUPS: [(Group, &str, &str); 7] = [
    (Group::Core, "Tasks", "core"),
    (Group::Timers, "Time", "timers"),
    (Group::Threads, "Wakes from another thread", "threads"),
    (Group::Echo, "Echo over TCP", "echo"),
    (Group::Servers, "Other servers", "servers"),
    (Group::Memory, "Memory", "memory"),
    (Group::Start, "Start-up", "start"),
];

/// Writes the document and its plots anew from all results there are.
pub(crate) fn rebuild(store: &Store, waits: Option<&str>) -> Result<()> {
    let all = store.load(ROWS.iter().map(|row| row.name).chain([BUILD]))?;
    for (name, picture) in plot::pictures(&all) {
        write(&store.plot(name), &picture)?;
    }
    write(&store.document(), &document(&all, waits))
}

/// One row by itself, for the terminal and for the document.
pub(crate) fn section(row: &Row, results: &Results) -> String {
    tables::table(row.title, row.headline, results)
}

pub(crate) fn build_section(results: &Results) -> String {
    tables::table(BUILD_TITLE, BUILD_HEADLINE, results)
}

fn document(all: &All, waits: Option<&str>) -> String {
    let mut text = String::from(HEAD);
    text += &verdict_table(&verdicts(all));
    text += &behind_list(all);
    let plots = plot::pictures(all);
    for (group, title, plot) in GROUPS {
        let rows: Vec<_> = ROWS.iter().filter(|row| row.group == group).collect();
        if !rows.iter().any(|row| all.contains_key(row.name)) {
            continue;
        }
        let _ = writeln!(text, "\n## {title}\n");
        if plots.iter().any(|(name, _)| *name == plot) {
            let _ = writeln!(text, "![{title}](plots/{plot}.svg)\n");
        }
        text += &overview(&rows, all);
        for row in rows {
            if let Some(results) = all.get(row.name) {
                let _ = writeln!(text, "\n{}\n{}", section(row, results), provenance(results));
            }
        }
    }
    if let Some(results) = all.get(BUILD) {
        text += "\n## Building\n\n";
        if plots.iter().any(|(name, _)| *name == BUILD) {
            text += "![Building](plots/build.svg)\n\n";
        }
        let _ = writeln!(text, "{}\n{}", build_section(results), provenance(results));
    }
    if let Some(waits) = waits {
        let _ = writeln!(
            text,
            "\n## One wait among many descriptors\n\n![One wait](plots/waits.svg)\n\n{waits}"
        );
    }
    text
}

fn provenance(results: &Results) -> String {
    let rounds = match results.rounds() {
        1 => "1 round".into(),
        rounds => format!("{rounds} rounds"),
    };
    format!("<sub>{rounds}; {}.</sub>", results.machine.sentence())
}

fn verdict_table(verdicts: &[Verdict]) -> String {
    let mut text =
        String::from("\n## What must hold\n\n| | limit | figure | |\n|---|---|---|---|\n");
    for Verdict { claim, limit, figure, holds } in verdicts {
        let holds = match holds {
            Some(true) => "holds",
            Some(false) => "**does not hold**",
            None => "not known",
        };
        let _ = writeln!(text, "| {claim} | {limit} | {figure} | {holds} |");
    }
    let count = |wanted| verdicts.iter().filter(|verdict| verdict.holds == wanted).count();
    let (holds, not, unknown) = (count(Some(true)), count(Some(false)), count(None));
    let _ = writeln!(text, "\n{holds} hold, {not} do not, {unknown} are not known.");
    text
}

/// The rows in which somebody is ahead of us, and in what.
fn behind_list(all: &All) -> String {
    let mut text = String::from("\n## Where we are behind\n\n");
    let mut nobody = Vec::new();
    for row in ROWS {
        let Some(results) = all.get(row.name) else { continue };
        if tables::behind(results).is_empty() {
            nobody.push(format!("`{}`", row.name));
        } else {
            let _ = writeln!(text, "- `{}`: {}", row.name, tables::behind_in_words(results));
        }
    }
    let _ = writeln!(text, "\nBehind nobody in {}.", nobody.join(", "));
    text
}

/// The headlines of a group: peers down, rows across.
fn overview(rows: &[&Row], all: &All) -> String {
    let rows: Vec<_> = rows.iter().filter_map(|row| Some((*row, all.get(row.name)?))).collect();
    if rows.len() < 2 {
        return String::new();
    }
    let mut text = String::from("|");
    for (row, _) in &rows {
        let _ = write!(text, " | {}", row.short);
    }
    text += " |\n|---";
    text += &"|---:".repeat(rows.len());
    text += "|\n";
    for peer in PEERS {
        let ours = peer.name == OURS;
        let _ = write!(text, "| {}", bold(ours, peer.name));
        for (row, results) in &rows {
            let entry = results.entry(peer.name, Profile::Release);
            let value = entry.and_then(|entry| entry.value(row.headline));
            let shown = value.map(|value| bold(ours, &tables::unit(row.headline).show(value)));
            let _ = write!(text, " | {}", shown.as_deref().unwrap_or("–"));
        }
        text += " |\n";
    }
    text
}
