//! The tables, in Markdown: one for each row of the results, with a sentence on whom we are behind.

use std::fmt::Write;

use crate::build::STD;
use crate::results::{Entry, Profile, Results};
use crate::stats::{FEWEST, Median};
use crate::units::Unit;

/// We, among the peers.
pub(crate) const OURS: &str = "runtime";
/// Those whom the ratios are to.
const MEASURES: [&str; 2] = ["raw", "tokio"];
/// A ratio that the tables show as more than 1.
const SEEN: f64 = 1.005;

/// A figure as the programs and the results name it, and as the tables do.
struct Figure {
    name: &'static str,
    heading: &'static str,
    unit: Unit,
    /// Less of it is better, so that one can be behind in it.
    judged: bool,
}

const fn figure(name: &'static str, heading: &'static str, unit: Unit, judged: bool) -> Figure {
    Figure { name, heading, unit, judged }
}

/// In the order of their columns.
const FIGURES: [Figure; 17] = [
    figure("latency_median_ns", "latency", Unit::Nanoseconds, true),
    figure("latency_p99_ns", "99 of 100 within", Unit::Nanoseconds, false),
    figure("wake_ns", "for the waking thread", Unit::Nanoseconds, true),
    figure("late_median_ns", "lateness", Unit::Nanoseconds, true),
    figure("late_p99_ns", "99 of 100 within", Unit::Nanoseconds, false),
    figure("late_max_ns", "the last", Unit::Nanoseconds, false),
    figure("early", "too early", Unit::Whole, true),
    figure("bytes", "memory", Unit::Bytes, true),
    figure("cpu_ns", "CPU", Unit::Nanoseconds, true),
    figure("wall_ns", "time", Unit::Nanoseconds, false),
    figure("instructions", "user instructions", Unit::Whole, true),
    figure("calls", "system calls", Unit::Share, true),
    figure("crates", "crates", Unit::Whole, true),
    figure("cpu_s", "CPU of a release build", Unit::Seconds, true),
    figure("debug_cpu_s", "of a debug build", Unit::Seconds, true),
    figure("program_bytes", "program", Unit::Bytes, true),
    figure("stripped_bytes", "stripped", Unit::Bytes, true),
];

/// How a figure's numbers are written.
pub(crate) fn unit(name: &str) -> Unit {
    FIGURES.iter().find(|figure| figure.name == name).map_or(Unit::Whole, |figure| figure.unit)
}

/// The table of one row.
pub(crate) fn table(title: &str, headline: &str, results: &Results) -> String {
    let columns = columns(headline, results);
    let mut text = format!("### {title}\n\n| |");
    for column in &columns {
        let _ = write!(text, " {} |", column.heading);
    }
    text += "\n|---|";
    text += &"---:|".repeat(columns.len());
    text += "\n";
    let mut notes: Vec<(String, Vec<&str>)> = Vec::new();
    for entry in results.entries.iter().filter(|entry| entry.profile == Profile::Release) {
        let ours = entry.peer == OURS;
        let name = format!("{} {}", entry.peer, entry.version);
        let _ = write!(text, "| {} |", bold(ours, name.trim()));
        for column in &columns {
            let shown = (column.show)(results, entry).map(|shown| bold(ours, &shown));
            let _ = write!(text, " {} |", shown.as_deref().unwrap_or("–"));
            if let (None, Some(reason)) = (shown, (column.reason)(results, entry)) {
                match notes.iter_mut().find(|(said, _)| *said == reason) {
                    Some((_, peers)) if peers.contains(&entry.peer.as_str()) => {}
                    Some((_, peers)) => peers.push(&entry.peer),
                    None => notes.push((reason, vec![&entry.peer])),
                }
            }
        }
        text += "\n";
    }
    text += "\n";
    for (reason, peers) in &notes {
        let _ = writeln!(text, "{}: {reason}.  ", peers.join(", "));
    }
    if !notes.is_empty() {
        text += "\n";
    }
    let _ = writeln!(text, "{}", behind_in_words(results));
    text
}

pub(crate) fn bold(yes: bool, text: &str) -> String {
    if yes { format!("**{text}**") } else { text.to_owned() }
}

type Cell<T> = Box<dyn Fn(&Results, &Entry) -> Option<T>>;

struct Column {
    heading: String,
    show: Cell<String>,
    reason: Cell<String>,
}

/// Those figures that somebody has, with the headline's ratios behind it, and again for fat LTO.
fn columns(headline: &str, results: &Results) -> Vec<Column> {
    let mut columns = Vec::new();
    for profile in [Profile::Release, Profile::Fat] {
        for figure in &FIGURES {
            let entries = || results.entries.iter().filter(|entry| entry.profile == profile);
            let has = |entry: &Entry| entry.figures.contains_key(figure.name);
            let central = ["cpu_ns", "instructions"].contains(&figure.name);
            if !entries().any(has) || profile == Profile::Fat && !central {
                continue;
            }
            columns.push(figure_column(figure, profile));
            if figure.name == headline {
                columns.extend(
                    MEASURES
                        .iter()
                        .filter(|to| entries().any(|e| e.peer == **to && has(e)))
                        .map(|to| ratio_column(figure, profile, to)),
                );
            }
        }
    }
    columns
}

fn in_profile(heading: &str, profile: Profile) -> String {
    match profile {
        Profile::Release => heading.to_owned(),
        Profile::Fat => format!("{heading}, fat LTO"),
    }
}

fn figure_column(figure: &'static Figure, profile: Profile) -> Column {
    Column {
        heading: in_profile(figure.heading, profile),
        show: Box::new(move |results, entry| {
            let entry = results.entry(&entry.peer, profile)?;
            let median = entry.median(figure.name)?;
            Some(match figure.judged {
                true => figure.unit.show_median(median),
                false => figure.unit.show(median.value),
            })
        }),
        reason: Box::new(move |results, entry| {
            let entry = results.entry(&entry.peer, profile)?;
            match &entry.cannot {
                Some(reason) => Some(reason.clone()),
                None => {
                    Some(format!("no {}, as {}", figure.heading, entry.missing.get(figure.name)?))
                }
            }
        }),
    }
}

fn ratio_column(figure: &'static Figure, profile: Profile, to: &'static str) -> Column {
    Column {
        heading: in_profile(&format!("to {to}"), profile),
        show: Box::new(move |results, entry| {
            let ratio = results.ratio(profile, &entry.peer, to, figure.name)?;
            Some(if entry.peer == to { "1".into() } else { Unit::Ratio.show_median(ratio) })
        }),
        reason: Box::new(|_, _| None),
    }
}

/// Where somebody is better than we are.
#[derive(Debug, PartialEq)]
pub(crate) struct Behind {
    pub(crate) peer: String,
    /// The figure as the results name it.
    pub(crate) figure: &'static str,
    pub(crate) how: String,
}

/// Whom we are behind in a row, in which figures.
///
/// In what has been measured in rounds we are behind if the whole interval of the ratio lies above 1, that
/// is, if it is no accident; in what is counted, if it is more than theirs. What the
/// tables show as 1.00 is no more.
pub(crate) fn behind(results: &Results) -> Vec<Behind> {
    let mut behind = Vec::new();
    let Some(ours) = results.entry(OURS, Profile::Release) else { return behind };
    for theirs in &results.entries {
        if theirs.profile != Profile::Release || [OURS, STD].contains(&&*theirs.peer) {
            continue;
        }
        for figure in FIGURES.iter().filter(|figure| figure.judged) {
            if let Some(how) = how_far_behind(ours, theirs, results, figure) {
                behind.push(Behind { peer: theirs.peer.clone(), figure: figure.name, how });
            }
        }
    }
    behind
}

fn how_far_behind(
    ours: &Entry,
    theirs: &Entry,
    results: &Results,
    figure: &Figure,
) -> Option<String> {
    let (our, their) = (ours.median(figure.name)?, theirs.median(figure.name)?);
    let rounds = ours.figures[figure.name].len().min(theirs.figures[figure.name].len());
    if rounds >= FEWEST {
        let ratio = results.ratio(Profile::Release, OURS, &theirs.peer, figure.name)?;
        return (ratio.low > 1.0 && ratio.value > SEEN)
            .then(|| format!("{} {}", figure.heading, times(ratio)));
    }
    let more = our.value > their.value * SEEN;
    let (our, their) = (figure.unit.show(our.value), figure.unit.show(their.value));
    (more && our != their).then(|| format!("{} {our} to {their}", figure.heading))
}

fn times(ratio: Median) -> String {
    format!("{} times", Unit::Ratio.show_median(ratio))
}

/// The sentence below a table.
pub(crate) fn behind_in_words(results: &Results) -> String {
    if results.entry(OURS, Profile::Release).is_none_or(|ours| ours.figures.is_empty()) {
        return "There is no figure of ours.".into();
    }
    let mut peers: Vec<(String, Vec<String>)> = Vec::new();
    for behind in behind(results) {
        match peers.iter_mut().find(|(peer, _)| *peer == behind.peer) {
            Some((_, hows)) => hows.push(behind.how),
            None => peers.push((behind.peer, vec![behind.how])),
        }
    }
    if peers.is_empty() {
        return "We are behind nobody.".into();
    }
    let said: Vec<_> =
        peers.iter().map(|(peer, hows)| format!("{peer} ({})", hows.join(", "))).collect();
    format!("We are behind {}.", said.join("; "))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::machine::Machine;

    pub(crate) fn entry(peer: &str, figures: &[(&str, &[f64])]) -> Entry {
        let figures = figures.iter().map(|(name, values)| ((*name).into(), values.to_vec()));
        Entry { peer: peer.into(), figures: figures.collect(), ..Entry::default() }
    }

    pub(crate) fn results(entries: impl Into<Vec<Entry>>) -> Results {
        Results { row: "test".into(), machine: Machine::default(), entries: entries.into() }
    }

    #[test]
    fn behind_is_what_no_accident_explains() {
        let ours = entry(OURS, &[("cpu_ns", &[1.1; 7])]);
        let noisy = [0.9, 1.3, 1.0, 1.0, 0.8, 1.3, 1.0];
        let others = [
            entry("ahead", &[("cpu_ns", &[1.0; 7])]),
            entry("even", &[("cpu_ns", &noisy)]),
            entry("just so", &[("cpu_ns", &[1.098; 7])]),
            entry("behind", &[("cpu_ns", &[1.2; 7])]),
        ];
        let results = results([&[ours], &others[..]].concat());
        let peers: Vec<_> = behind(&results).into_iter().map(|behind| behind.peer).collect();
        assert_eq!(peers, ["ahead"]);
        assert_eq!(behind_in_words(&results), "We are behind ahead (CPU 1.10 times).");
    }

    #[test]
    fn nobody_is_behind_plain_std() {
        let hello = |peer, seconds| entry(peer, &[("cpu_s", &[seconds])]);
        let hellos = results([hello(STD, 0.3), hello(OURS, 7.0), hello("tokio", 15.0)]);
        assert_eq!(behind_in_words(&hellos), "We are behind nobody.");
    }

    #[test]
    fn counts_need_no_rounds() {
        let ours =
            entry(OURS, &[("instructions", &[600.0]), ("calls", &[2.02]), ("wall_ns", &[2.0])]);
        let raw =
            entry("raw", &[("instructions", &[46.0]), ("calls", &[2.016]), ("wall_ns", &[1.0])]);
        let said = behind_in_words(&results([ours, raw]));
        assert_eq!(said, "We are behind raw (user instructions 600 to 46).");
        let nothing = |peer, calls| entry(peer, &[("calls", &[calls])]);
        let said = behind_in_words(&results([nothing(OURS, 0.0004), nothing("raw", -0.0002)]));
        assert_eq!(said, "We are behind nobody.");
    }

    #[test]
    fn nobody_ahead_is_said_as_well_as_nothing_known() {
        let ours = entry(OURS, &[("bytes", &[92.0])]);
        let tokio = entry("tokio", &[("bytes", &[328.0])]);
        assert_eq!(behind_in_words(&results([ours, tokio.clone()])), "We are behind nobody.");
        assert_eq!(behind_in_words(&results([tokio])), "There is no figure of ours.");
    }

    #[test]
    fn a_missing_figure_is_a_dash_with_its_reason() {
        let ours = entry(OURS, &[("cpu_ns", &[10.0]), ("calls", &[2.0])]);
        let mut tokio = entry("tokio", &[("cpu_ns", &[20.0])]);
        tokio.missing.insert("calls".into(), "there is no strace here".into());
        let mut raw = entry("raw", &[]);
        raw.cannot = Some("an epoll loop has no tasks".into());
        let table = table("Yield", "cpu_ns", &results([raw, ours, tokio]));
        let expected = "\
### Yield

| | CPU | to tokio | system calls |
|---|---:|---:|---:|
| raw | – | – | – |
| **runtime** | **10.0 ns** | **0.50** | **2.00** |
| tokio | 20.0 ns | 1 | – |

raw: an epoll loop has no tasks.  
tokio: no system calls, as there is no strace here.  

We are behind nobody.
";
        assert_eq!(table, expected);
    }
}
