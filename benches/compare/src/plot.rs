//! The plots: panels of horizontal bars side by side, a bar for each peer, ours in our color.

use crate::build::NAME as BUILD;
use crate::peers::PEERS;
use crate::results::{All, Profile};
use crate::stats::Median;
use crate::svg::Svg;
use crate::tables::OURS;
use crate::units::Unit;

/// A picture of some panels.
struct Plot {
    name: &'static str,
    title: &'static str,
    /// What is shown, and how to read it.
    subtitle: &'static str,
    panels: &'static [Panel],
    across: usize,
}

/// One figure of one row.
struct Panel {
    title: &'static str,
    row: &'static str,
    figure: &'static str,
    unit: Unit,
    /// Shown as multiples of this peer's.
    to: Option<&'static str>,
}

const fn panel(title: &'static str, row: &'static str, figure: &'static str, unit: Unit) -> Panel {
    Panel { title, row, figure, unit, to: None }
}

const fn to_raw(title: &'static str, row: &'static str) -> Panel {
    Panel { title, row, figure: "cpu_ns", unit: Unit::Ratio, to: Some("raw") }
}

const PLOTS: &[Plot] = &[
    Plot {
        name: "core",
        title: "User instructions of the core operations",
        subtitle: "Counted by callgrind in cargo's default release profile. Less is better.",
        panels: &[
            panel("Yield, 100 tasks", "yield-100", "instructions", Unit::Whole),
            panel("Spawn and join", "spawn", "instructions", Unit::Whole),
            panel("Spawn and join, 100 at a time", "spawn-hundred", "instructions", Unit::Whole),
            panel("Wake from task to task", "wake-task", "instructions", Unit::Whole),
            panel("Message there and back", "channel", "instructions", Unit::Whole),
            panel("Timeout set and dropped", "timeout-0", "instructions", Unit::Whole),
        ],
        across: 3,
    },
    Plot {
        name: "timers",
        title: "100,000 sleeps within two seconds",
        subtitle: "Processor time of a sleep, and how late it ends. Less is better.",
        panels: &[
            panel("CPU of a sleep", "sleeps", "cpu_ns", Unit::Nanoseconds),
            panel("Median lateness", "sleeps", "late_median_ns", Unit::Nanoseconds),
        ],
        across: 2,
    },
    Plot {
        name: "threads",
        title: "A wake from another thread",
        subtitle: "Medians, until the task has answered; of a busy runtime's, what the waking thread pays.",
        panels: &[
            panel("Asleep: latency", "wake-parked", "latency_median_ns", Unit::Nanoseconds),
            panel("Busy: for the waking thread", "wake-busy", "wake_ns", Unit::Nanoseconds),
            panel("Spinning: latency", "wake-spinning", "latency_median_ns", Unit::Nanoseconds),
        ],
        across: 3,
    },
    Plot {
        name: "echo",
        title: "CPU of a TCP round trip, to a raw epoll loop's",
        subtitle: "Ratios within rounds; the whiskers hold the true median in 95 of 100 cases. Less is better.",
        panels: &[
            to_raw("1 connection", "echo-1"),
            to_raw("64 connections", "echo-64"),
            to_raw("1,000 connections", "echo-1000"),
            to_raw("64 connections, 16 KiB", "echo-16k"),
            to_raw("64 beside 10,000 idle", "echo-idle"),
            to_raw("64, reads under timeouts", "echo-timeout-64"),
        ],
        across: 3,
    },
    Plot {
        name: "servers",
        title: "CPU of other round trips",
        subtitle: "Medians with their 95 % intervals. Less is better.",
        panels: &[
            panel("UDP, 64 clients", "udp-64", "cpu_ns", Unit::Nanoseconds),
            panel("Proxy, 1 KiB there and back", "proxy", "cpu_ns", Unit::Nanoseconds),
            panel("HTTP hello on hyper", "http", "cpu_ns", Unit::Nanoseconds),
        ],
        across: 3,
    },
    Plot {
        name: "memory",
        title: "Memory",
        subtitle: "Resident bytes for each, of many. Less is better.",
        panels: &[
            panel("A pending task with 16 B of state", "tasks", "bytes", Unit::Bytes),
            panel("An idle connection with 1 KiB", "idle-connection", "bytes", Unit::Bytes),
        ],
        across: 2,
    },
    Plot {
        name: "build",
        title: "A clean build of hello",
        subtitle: "Cargo's default release profile. Less is better.",
        panels: &[
            panel("CPU seconds", BUILD, "cpu_s", Unit::Seconds),
            panel("Crates", BUILD, "crates", Unit::Whole),
            panel("Bytes of the program", BUILD, "program_bytes", Unit::Bytes),
        ],
        across: 3,
    },
];

// Pixels.
const MARGIN: f64 = 24.0;
const HEAD: f64 = 84.0;
const NAMES: f64 = 112.0;
const PANEL: f64 = 236.0;
const GAP: f64 = 28.0;
const PANEL_HEAD: f64 = 26.0;
const PANEL_FOOT: f64 = 20.0;
const LINE: f64 = 22.0;
const BAR: f64 = 13.0;
/// Room for the number behind the longest bar.
const LABEL: f64 = 66.0;
/// What a ratio takes of it.
const NUMBER: f64 = 40.0;
/// With a bar that is longer than so many times the median one, the others could hardly be told apart.
const FAR: f64 = 4.0;
/// The scale ends at so many times the median bar then: what is longer is cut off, and its number says how long it
/// is.
const CUT: f64 = 2.5;

/// The plots that there are results for, by name.
pub(crate) fn pictures(all: &All) -> Vec<(&'static str, String)> {
    let drawn = PLOTS.iter().filter_map(|plot| {
        let peers = peers(plot, all);
        (!peers.is_empty()).then(|| (plot.name, picture(plot, &peers, all)))
    });
    drawn.collect()
}

/// Those who have a bar in one of the panels, in the order of the tables.
fn peers<'a>(plot: &Plot, all: &'a All) -> Vec<&'a str> {
    let mut peers = Vec::new();
    for panel in plot.panels {
        let entries = all.get(panel.row).map_or(&[][..], |results| &results.entries);
        for entry in entries.iter().filter(|entry| panel.bar(&entry.peer, all).is_some()) {
            if !peers.contains(&entry.peer.as_str()) {
                peers.push(&entry.peer);
            }
        }
    }
    let known = |peer: &&str| PEERS.iter().position(|known| known.name == *peer);
    peers.sort_by_key(|peer| known(peer).map_or(-1, |place| place as i32));
    peers
}

impl Panel {
    fn bar(&self, peer: &str, all: &All) -> Option<Median> {
        let results = all.get(self.row)?;
        match self.to {
            Some(to) => results.ratio(Profile::Release, peer, to, self.figure),
            None => results.entry(peer, Profile::Release)?.median(self.figure),
        }
    }
}

fn picture(plot: &Plot, peers: &[&str], all: &All) -> String {
    let lines = plot.panels.len().div_ceil(plot.across);
    let panel_height = PANEL_HEAD + LINE * peers.len() as f64 + PANEL_FOOT;
    let width = 2.0 * MARGIN + NAMES + plot.across as f64 * (PANEL + GAP) - GAP;
    let height = HEAD + lines as f64 * panel_height;
    let mut svg = Svg::new(width as u32, height as u32, plot.title, plot.subtitle);
    svg.text((MARGIN, 36.0), "title", plot.title);
    svg.text((MARGIN, 57.0), "small quiet", plot.subtitle);
    for (i, panel) in plot.panels.iter().enumerate() {
        let top = HEAD + (i / plot.across) as f64 * panel_height;
        if i % plot.across == 0 {
            for (peer, y) in peers.iter().zip(middles(top)) {
                let class = if *peer == OURS { "strong ours" } else { "" };
                svg.text((MARGIN, y + 4.5), class, peer);
            }
        }
        let left = MARGIN + NAMES + (i % plot.across) as f64 * (PANEL + GAP);
        draw(&mut svg, (left, top), panel, peers, all);
    }
    svg.finish()
}

/// Where the bars of a panel lie.
fn middles(top: f64) -> impl Iterator<Item = f64> {
    (0..).map(move |i| top + PANEL_HEAD + LINE * (f64::from(i) + 0.5))
}

fn draw(svg: &mut Svg, (left, top): (f64, f64), panel: &Panel, peers: &[&str], all: &All) {
    svg.text((left, top + 12.0), "strong", panel.title);
    let bars: Vec<_> = peers.iter().map(|peer| panel.bar(peer, all)).collect();
    let Some(end) = end_of_scale(&bars) else {
        svg.text((left, top + PANEL_HEAD + LINE), "small quiet", "not measured");
        return;
    };
    let x = |value: f64| left + (value.min(end) / end) * (PANEL - LABEL);
    for ((peer, bar), y) in peers.iter().zip(&bars).zip(middles(top)) {
        let Some(bar) = bar else {
            svg.text((left + 6.0, y + 4.5), "small quiet", "–");
            continue;
        };
        let class = match *peer {
            OURS => "ours",
            "raw" | "std" => "raw soft",
            _ => "c1 soft",
        };
        let reach = x(bar.value).max(left + 1.5);
        svg.rect((left, y - BAR / 2.0), (reach - left, BAR), class);
        if bar.value > end {
            for gap in [14.0, 8.0] {
                svg.rect((reach - gap, y - BAR / 2.0), (2.5, BAR), "background");
            }
        } else if bar.low < bar.high {
            whisker(svg, (x(bar.low), x(bar.high)), y);
        }
        let mut behind = reach.max(if bar.value > end { 0.0 } else { x(bar.high) });
        if panel.to.is_some() && (behind..behind + NUMBER).contains(&x(1.0)) {
            behind = x(1.0);
        }
        let class = if *peer == OURS { "small strong ours" } else { "small" };
        svg.text((behind + 6.0, y + 4.5), class, &panel.unit.show(bar.value));
    }
    let bottom = top + PANEL_HEAD + LINE * peers.len() as f64;
    svg.line((left, top + PANEL_HEAD), (left, bottom), "quiet");
    if panel.to.is_some() {
        svg.line((x(1.0), top + PANEL_HEAD - 3.0), (x(1.0), bottom + 3.0), "dashed");
    }
}

fn whisker(svg: &mut Svg, (low, high): (f64, f64), y: f64) {
    svg.line((low, y), (high, y), "");
    for x in [low, high] {
        svg.line((x, y - 3.5), (x, y + 3.5), "");
    }
}

/// `None` if there is no bar.
fn end_of_scale(bars: &[Option<Median>]) -> Option<f64> {
    let mut values: Vec<_> = bars.iter().flatten().map(|bar| bar.value).collect();
    values.sort_by(f64::total_cmp);
    let (median, longest) = (*values.get(values.len() / 2)?, *values.last()?);
    if longest > FAR * median {
        return Some(CUT * median).filter(|end| *end > 0.0);
    }
    // Intervals are to be seen whole, if they are not that long themselves.
    let whole = bars.iter().flatten().map(|bar| bar.high.min(1.2 * longest));
    Some(whole.fold(longest, f64::max)).filter(|end| *end > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::tests::{entry, results};

    fn bar(value: f64) -> Option<Median> {
        Some(Median { low: value, value, high: value })
    }

    #[test]
    fn one_long_bar_does_not_squash_the_others() {
        assert_eq!(end_of_scale(&[bar(1.0), bar(1.5), None, bar(2.0)]), Some(2.0));
        assert_eq!(end_of_scale(&[bar(1.0), bar(1.0), bar(3.5)]), Some(3.5));
        assert_eq!(end_of_scale(&[bar(1.0), bar(1.0), bar(90.0)]), Some(CUT));
        assert_eq!(end_of_scale(&[None]), None);
    }

    #[test]
    fn only_plots_with_something_to_show_are_drawn() {
        let tasks = results([entry(OURS, &[("bytes", &[92.0])]), entry("raw", &[])]);
        let pictures = pictures(&All::from([("tasks".to_owned(), tasks)]));
        let [("memory", picture)] = &pictures[..] else { panic!("{pictures:?}") };
        assert!(picture.contains(">92.0 B<") && picture.contains("not measured"));
        assert!(!picture.contains(">raw<"), "who has no bar has no line");
    }
}
