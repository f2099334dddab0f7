//! The figures as Markdown, and what they say in words.

use std::fmt::Write;

use super::measured::Measured;
use super::{MECHANISMS, Mechanism, Pattern, RANDOM, SAME};
use crate::stats::Median;
use crate::units::Unit;

pub(super) fn table(measured: &Measured) -> String {
    let mut text = format!(
        "CPU time in ns of one wait that finds one descriptor ready while others are idle: medians of {} rounds, with \
         their 95 % intervals. The write that makes it ready and the read that takes it are measured by themselves, and \
         subtracted within each round. `select` and `poll` find the descriptor in the middle. From 1,024 descriptors on \
         `select` works only with sets longer than libc's `fd_set`, as used here; `runtime::epoll::select` refuses \
         them.\n",
        measured.rounds()
    );
    rows(&mut text, measured, &SAME, "the same descriptor each time");
    rows(&mut text, measured, &RANDOM, "another one each time, at random");
    text.push('\n');
    text.push_str(&verdict(measured));
    text
}

fn rows(text: &mut String, measured: &Measured, pattern: &Pattern, title: &str) {
    let columns: Vec<String> =
        pattern.idle.iter().map(|idle| Unit::Whole.show(*idle as f64)).collect();
    let _ =
        write!(text, "\n| idle descriptors; {title} | {} | growth |\n|---|", columns.join(" | "));
    text.push_str(&"---:|".repeat(columns.len() + 1));
    for mechanism in &MECHANISMS {
        let _ = write!(text, "\n| {} |", name(mechanism));
        for &idle in pattern.idle {
            let wait = measured.wait(mechanism.name, pattern.name, idle);
            let _ = write!(text, " {} |", shown(wait, |wait| Unit::Whole.show_median(wait)));
        }
        let growth = measured.growth(mechanism.name, pattern.name);
        let _ = write!(text, " {} |", shown(growth, times_median));
    }
    text.push('\n');
}

/// A dash where there is no figure.
fn shown(figure: Option<Median>, show: impl Fn(Median) -> String) -> String {
    figure.map_or("–".into(), show)
}

/// Ours stands out, as in all tables.
fn name(mechanism: &Mechanism) -> String {
    match mechanism.name {
        "runtime" => "**runtime**".into(),
        _ => mechanism.title.into(),
    }
}

/// Which curves are flat, and what is not.
fn verdict(measured: &Measured) -> String {
    format!(
        "From the fewest to the most, {}\n\nWith another descriptor each time, {} What belongs to so many descriptors and tasks is then no longer \
         in the caches.\n",
        growing(measured, &SAME),
        growing(measured, &RANDOM),
    )
}

fn growing(measured: &Measured, pattern: &Pattern) -> String {
    let said = |shape: Shape| {
        let mut names = Vec::new();
        for mechanism in &MECHANISMS {
            match measured.growth(mechanism.name, pattern.name) {
                Some(growth) if Shape::of(growth) == shape => {
                    names.push(format!("{} ({})", mechanism.title, times(growth.value)));
                }
                _ => {}
            }
        }
        if names.is_empty() { "none".into() } else { names.join(", ") }
    };
    format!(
        "flat within 10 %: {}. Growing: {}. The intervals do not tell: {}.",
        said(Shape::Flat),
        said(Shape::Growing),
        said(Shape::Unknown)
    )
}

/// What the whole interval of a growth says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    Flat,
    Growing,
    Unknown,
}

impl Shape {
    fn of(growth: Median) -> Shape {
        match growth {
            Median { high: ..=1.1, .. } => Shape::Flat,
            Median { low: 1.1.., .. } => Shape::Growing,
            _ => Shape::Unknown,
        }
    }
}

fn times_median(growth: Median) -> String {
    let [low, value, high] = [growth.low, growth.value, growth.high].map(times);
    if low == high { value } else { format!("{value} ({low} to {high})") }
}

fn times(growth: f64) -> String {
    if growth < 10.0 { format!("{growth:.2}×") } else { format!("{}×", Unit::Whole.show(growth)) }
}

#[cfg(test)]
mod tests {
    use super::super::measured::tests::made_up;
    use super::*;

    #[test]
    fn figures_stand_in_the_table_and_missing_ones_are_dashes() {
        let text = table(&made_up());
        assert!(text.contains("| poll | 100 | 300 |"), "{text}");
        assert!(text.contains("| 100,000 | 1,000× |"), "{text}");
        assert!(text.contains("| **runtime** | – | – | – | – |"), "{text}");
    }

    #[test]
    fn what_grows_is_told_from_what_is_flat() {
        let flat = "level-triggered epoll (1.00×), edge-triggered epoll (1.00×), runtime (1.00×)";
        let same = format!(
            "From the fewest to the most, flat within 10 %: {flat}. Growing: select (1,000×), poll (1,000×)."
        );
        let text = verdict(&made_up());
        assert!(text.starts_with(&same), "{text}");
        assert!(text.contains("each time, flat within 10 %: none. Growing: none."), "{text}");
    }

    #[test]
    fn a_wide_interval_tells_nothing() {
        let shape = |low, high| Shape::of(Median { low, value: 1.2, high });
        assert_eq!(shape(0.9, 1.7), Shape::Unknown);
        assert_eq!(shape(1.15, 1.7), Shape::Growing);
        assert_eq!(shape(0.9, 1.05), Shape::Flat);
    }
}
