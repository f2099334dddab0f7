//! What must hold, claim by claim, with the figure and whether it does.

use crate::results::{All, Profile, Results};
use crate::stats::Median;
use crate::tables::OURS;
use crate::units::Unit;

/// From so few rounds no interval test is believed.
const ROUNDS_AT_LEAST: usize = 20;
/// What an interval may still contain: as little above the peer as cannot be told from nothing.
const AS_RAW: f64 = 1.05;
const AS_TOKIO: f64 = 1.00;

#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) claim: String,
    pub(crate) limit: String,
    pub(crate) figure: String,
    /// `None` if there is no figure to tell by.
    pub(crate) holds: Option<bool>,
}

/// All claims, in the order of the issue that makes them.
pub(crate) fn verdicts(all: &All) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let rows = |names: &[&'static str]| -> Vec<Row<'_>> {
        names.iter().map(|name| Row { name, results: all.get(*name) }).collect()
    };

    for row in rows(&["yield-1", "yield-100", "yield-10000"]) {
        verdicts.push(row.instructions_at_most(200.0));
        verdicts.push(row.times_at_most("cpu_ns", "CPU", 1.0 / 3.0, "a third of tokio's"));
    }
    for row in rows(&["spawn-hundred", "spawn"]) {
        verdicts.push(row.instructions_at_most(560.0));
        verdicts.push(row.times_at_most("cpu_ns", "CPU", 0.25, "a quarter of tokio's"));
    }
    for row in rows(&["wake-task"]) {
        verdicts.push(row.times_at_most("cpu_ns", "CPU", 0.5, "half of tokio's"));
    }
    for row in rows(&["timeout-0", "timeout-100000"]) {
        verdicts.push(row.times_at_most(
            "instructions",
            "user instructions",
            0.5,
            "half of tokio's",
        ));
    }

    let echoes = [
        "echo-1",
        "echo-64",
        "echo-1000",
        "echo-16k",
        "echo-idle",
        "echo-timeout-64",
        "udp-1",
        "udp-64",
    ];
    for row in rows(&echoes) {
        verdicts.push(row.calls_as_raw(0.05));
        if row.name == "echo-64" {
            verdicts.push(row.at_most("instructions", "user instructions", Unit::Whole, 600.0));
        }
        verdicts.push(row.interval_reaches("cpu_ns", "CPU", "raw", AS_RAW));
        verdicts.push(row.interval_reaches("cpu_ns", "CPU", "tokio", AS_TOKIO));
    }

    for row in rows(&["sleeps"]) {
        verdicts.push(row.times_at_most("cpu_ns", "CPU", 1.0, "tokio's"));
        verdicts.push(row.at_most(
            "late_median_ns",
            "median lateness",
            Unit::Nanoseconds,
            100_000.0,
        ));
        verdicts.push(row.times_at_most(
            "late_median_ns",
            "median lateness",
            0.1,
            "a tenth of tokio's",
        ));
        verdicts.push(row.at_most("early", "too early", Unit::Whole, 0.0));
    }
    for row in rows(&["tasks"]) {
        verdicts.push(row.at_most("bytes", "memory", Unit::Bytes, 100.0));
    }
    for row in rows(&["idle-connection"]) {
        verdicts.push(row.at_most("bytes", "memory", Unit::Bytes, 1_400.0));
    }
    for row in rows(&["wake-parked"]) {
        verdicts.push(row.interval_reaches("latency_median_ns", "latency", "raw", AS_RAW));
        verdicts.push(row.interval_reaches("cpu_ns", "CPU", "raw", AS_RAW));
    }
    for row in rows(&["wake-busy"]) {
        verdicts.push(row.at_most("wake_ns", "for the waking thread", Unit::Nanoseconds, 20.0));
    }
    for row in rows(&["wake-spinning"]) {
        verdicts.push(row.at_most(
            "latency_median_ns",
            "median latency",
            Unit::Nanoseconds,
            1_000.0,
        ));
    }
    for row in rows(&["empty"]) {
        verdicts.push(row.calls_as_raw(0.0));
    }
    for row in rows(&["build"]) {
        verdicts.extend(row.of_building());
    }
    verdicts
}

/// A row's results, as claims look at them.
struct Row<'a> {
    name: &'static str,
    results: Option<&'a Results>,
}

impl Row<'_> {
    fn value(&self, profile: Profile, peer: &str, figure: &str) -> Option<f64> {
        self.results?.entry(peer, profile)?.value(figure)
    }

    fn ratio(&self, profile: Profile, to: &str, figure: &str) -> Option<Median> {
        self.results?.ratio(profile, OURS, to, figure)
    }

    fn claim(
        &self,
        what: &str,
        limit: String,
        figure: Option<String>,
        holds: Option<bool>,
    ) -> Verdict {
        let claim = format!("`{}`: {what}", self.name);
        Verdict { claim, limit, figure: figure.unwrap_or("–".into()), holds }
    }

    fn at_most(&self, figure: &str, what: &str, unit: Unit, limit: f64) -> Verdict {
        let value = self.value(Profile::Release, OURS, figure);
        let shown = format!("at most {}", unit.show(limit));
        self.claim(what, shown, value.map(|v| unit.show(v)), value.map(|v| v <= limit))
    }

    /// The claim is about fat LTO; what cargo's default profile makes of it stands beside it.
    fn instructions_at_most(&self, limit: f64) -> Verdict {
        let of = |profile| self.value(profile, OURS, "instructions");
        self.claim(
            "user instructions, fat LTO",
            format!("at most {}", Unit::Whole.show(limit)),
            beside(of(Profile::Fat), of(Profile::Release), |v| Unit::Whole.show(v)),
            of(Profile::Fat).map(|v| v <= limit),
        )
    }

    /// Where there is fat LTO the claim is about that, as above.
    fn times_at_most(&self, figure: &str, what: &str, limit: f64, limit_in_words: &str) -> Verdict {
        let of = |profile| self.ratio(profile, "tokio", figure);
        let limit_in_words = format!("at most {limit_in_words}");
        let show = |ratio: Median| format!("{} times", Unit::Ratio.show_median(ratio));
        let holds = |ratio: Median| ratio.value <= limit;
        if of(Profile::Fat).is_none() {
            let ratio = of(Profile::Release);
            return self.claim(what, limit_in_words, ratio.map(show), ratio.map(holds));
        }
        self.claim(
            &format!("{what}, fat LTO"),
            limit_in_words,
            beside(of(Profile::Fat), of(Profile::Release), show),
            of(Profile::Fat).map(holds),
        )
    }

    fn calls_as_raw(&self, within: f64) -> Verdict {
        let of = |peer| self.value(Profile::Release, peer, "calls");
        let (ours, raw) = (of(OURS), of("raw"));
        let limit = match within {
            0.0 => "not one more than raw".into(),
            _ => format!("raw's, within {within}"),
        };
        let figure = ours
            .zip(raw)
            .map(|(ours, raw)| format!("{} to {}", Unit::Share.show(ours), Unit::Share.show(raw)));
        // Half of the last digit that is shown is no difference.
        let holds = ours.zip(raw).map(|(ours, raw)| ours <= raw + within + 0.0005);
        self.claim("system calls", limit, figure, holds)
    }

    /// The median ratio's interval contains the limit or lies below it.
    fn interval_reaches(&self, figure: &str, what: &str, to: &str, limit: f64) -> Verdict {
        let ratio = self.ratio(Profile::Release, to, figure);
        let rounds = |peer| {
            let entry = self.results?.entry(peer, Profile::Release)?;
            Some(entry.figures.get(figure)?.len())
        };
        let rounds = rounds(OURS).min(rounds(to)).unwrap_or(0);
        let shown = ratio.map(|ratio| {
            let few = if rounds < ROUNDS_AT_LEAST { ", from too few rounds" } else { "" };
            format!("{} times{few}", Unit::Ratio.show_median(ratio))
        });
        let holds = ratio.filter(|_| rounds >= ROUNDS_AT_LEAST).map(|ratio| ratio.low <= limit);
        self.claim(
            &format!("{what} to {to}"),
            format!("the interval reaches {limit:.2}"),
            shown,
            holds,
        )
    }

    fn of_building(&self) -> Vec<Verdict> {
        let of = |peer, figure| self.value(Profile::Release, peer, figure);
        let beyond_std = |peer, figure| Some(of(peer, figure)? - of("std", figure)?);
        let seconds = beyond_std(OURS, "cpu_s").zip(beyond_std("tokio", "cpu_s"));
        let bytes = of(OURS, "program_bytes").zip(of("tokio", "program_bytes"));
        let added = beyond_std(OURS, "program_bytes");
        vec![
            self.at_most("crates", "crates", Unit::Whole, 8.0),
            self.claim(
                "CPU of a clean build beyond std's",
                "less than half of what tokio adds".into(),
                seconds.map(|(ours, tokio)| {
                    format!("{} to {}", Unit::Seconds.show(ours), Unit::Seconds.show(tokio))
                }),
                seconds.map(|(ours, tokio)| ours < tokio / 2.0),
            ),
            self.claim(
                "the program",
                "no larger than tokio's".into(),
                bytes.map(|(ours, tokio)| {
                    format!("{} to {}", Unit::Bytes.show(ours), Unit::Bytes.show(tokio))
                }),
                bytes.map(|(ours, tokio)| ours <= tokio),
            ),
            self.claim(
                "the program beyond std's",
                "20 KiB, an aim".into(),
                added.map(|added| Unit::Bytes.show(added)),
                added.map(|added| added <= 20.0 * 1024.0),
            ),
        ]
    }
}

fn beside<T>(fat: Option<T>, release: Option<T>, show: impl Fn(T) -> String) -> Option<String> {
    let release = release.map_or("–".into(), &show);
    Some(format!("{}; default release {release}", show(fat?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::tests::{entry, results};

    fn row<'a>(name: &'static str, results: &'a Results) -> Row<'a> {
        Row { name, results: Some(results) }
    }

    #[test]
    fn an_interval_that_reaches_the_limit_holds() {
        let verdict = |ours: f64| {
            let rounds: Vec<_> = (0..21).map(|i| ours + 0.01 * f64::from(i % 3)).collect();
            let tokio = entry("tokio", &[("cpu_ns", &[1.0; 21])]);
            let results = results([entry(OURS, &[("cpu_ns", &rounds)]), tokio]);
            row("echo-64", &results).interval_reaches("cpu_ns", "CPU", "tokio", 1.0).holds
        };
        assert_eq!([0.9, 0.995, 1.01].map(verdict), [Some(true), Some(true), Some(false)]);
    }

    #[test]
    fn few_rounds_prove_nothing() {
        let raw = entry("raw", &[("cpu_ns", &[2.0; 19])]);
        let results = results([entry(OURS, &[("cpu_ns", &[1.0; 21])]), raw]);
        let verdict = row("echo-64", &results).interval_reaches("cpu_ns", "CPU", "raw", AS_RAW);
        assert_eq!(verdict.holds, None);
        assert_eq!(verdict.figure, "0.50 times, from too few rounds");
    }

    #[test]
    fn without_a_figure_nothing_is_claimed() {
        let row = Row { name: "tasks", results: None };
        let verdict = row.at_most("bytes", "memory", Unit::Bytes, 100.0);
        assert_eq!((verdict.holds, verdict.figure.as_str()), (None, "–"));
    }

    #[test]
    fn system_calls_are_compared_with_raw() {
        let holds = |ours| {
            let raw = entry("raw", &[("calls", &[2.016])]);
            let results = results([entry(OURS, &[("calls", &[ours])]), raw]);
            row("echo-64", &results).calls_as_raw(0.05).holds
        };
        assert_eq!((holds(2.06), holds(2.07)), (Some(true), Some(false)));
    }

    #[test]
    fn fat_lto_decides_where_there_is_some() {
        let mut fat = entry(OURS, &[("instructions", &[199.0])]);
        fat.profile = Profile::Fat;
        let results = results([entry(OURS, &[("instructions", &[201.0])]), fat]);
        let verdict = row("yield-1", &results).instructions_at_most(200.0);
        assert_eq!(verdict.holds, Some(true));
        assert_eq!(verdict.figure, "199; default release 201");
    }

    #[test]
    fn building_is_compared_beyond_plain_std() {
        let hello = |peer, seconds: f64, bytes: f64| {
            entry(peer, &[("cpu_s", &[seconds]), ("program_bytes", &[bytes]), ("crates", &[8.0])])
        };
        let hellos =
            [hello("std", 1.0, 400e3), hello(OURS, 3.0, 430e3), hello("tokio", 6.0, 500e3)];
        let results = results(hellos);
        let verdicts = row("build", &results).of_building();
        let holds: Vec<_> = verdicts.into_iter().map(|verdict| verdict.holds).collect();
        assert_eq!(holds, [Some(true), Some(true), Some(true), Some(false)]);
    }
}
