//! The curves: the cost of a wait over the number of idle descriptors, both on logarithmic scales.

use super::measured::Measured;
use super::{MECHANISMS, Mechanism, SAME};
use crate::machine::Machine;
use crate::stats::Median;
use crate::svg::Svg;
use crate::units::Unit;

const WIDTH: u32 = 860;
const HEIGHT: u32 = 526;
/// The edges of the field in which the curves are.
const LEFT: f64 = 80.0;
const RIGHT: f64 = 610.0;
const TOP: f64 = 76.0;
const BOTTOM: f64 = 410.0;

/// The distance of two labels' lines at least.
const LABEL_HEIGHT: f64 = 19.0;

const TITLE: &str = "What one wait costs while other descriptors are idle";

pub(super) fn plot(measured: &Measured) -> String {
    let curves = curves(measured);
    let mut svg = Svg::new(WIDTH, HEIGHT, TITLE, &description(&curves));
    svg.text((24.0, 32.0), "title", TITLE);
    let subtitle =
        "CPU time of a wait that finds the one descriptor that is ready; both scales logarithmic";
    svg.text((24.0, 53.0), "quiet small", subtitle);

    let costs = || curves.iter().flat_map(|curve| &curve.points).map(|(_, cost)| cost);
    let cheapest = costs().map(|cost| cost.low.max(1.0)).fold(f64::MAX, f64::min);
    let dearest = costs().map(|cost| cost.high).fold(1.0, f64::max);
    let costs = Scale { from: decade_below(cheapest), to: dearest * 1.3, start: BOTTOM, end: TOP };
    let idle = Scale {
        from: SAME.idle[0] as f64,
        to: SAME.idle[SAME.idle.len() - 1] as f64,
        start: LEFT,
        end: RIGHT - 10.0,
    };
    grid(&mut svg, &idle, &costs);

    let mut labels = Vec::new();
    for curve in &curves {
        draw(&mut svg, curve, &idle, &costs);
        if let Some((_, cost)) = curve.points.last() {
            labels.push((costs.place(cost.value), curve.mechanism, cost.value));
        }
    }
    label(&mut svg, labels);

    let Machine { date, processor, kernel, .. } = &measured.machine;
    let notes = [
        "select and poll find the descriptor in the middle. Dashed: from 1,024 descriptors on, select works only with sets longer",
        "than libc's fd_set, as here; runtime::epoll::select refuses them.",
        &format!("{date}; {processor}; Linux {kernel}."),
    ];
    for (line, note) in notes.into_iter().enumerate() {
        svg.text((24.0, 474.0 + 17.0 * line as f64), "quiet small", note);
    }
    svg.finish()
}

struct Curve {
    mechanism: &'static Mechanism,
    points: Vec<(usize, Median)>,
}

fn curves(measured: &Measured) -> Vec<Curve> {
    let points = |mechanism: &Mechanism| {
        let wait = |&idle| Some((idle, measured.wait(mechanism.name, SAME.name, idle)?));
        SAME.idle.iter().filter_map(wait).collect()
    };
    MECHANISMS.iter().map(|mechanism| Curve { mechanism, points: points(mechanism) }).collect()
}

/// The ends of the curves in words.
fn description(curves: &[Curve]) -> String {
    let said = |curve: &Curve| {
        let ((fewest, cheap), (most, dear)) = (curve.points.first()?, curve.points.last()?);
        let (cheap, dear) = (duration(cheap.value), duration(dear.value));
        Some(format!("{}: {cheap} among {fewest}, {dear} among {most}.", curve.mechanism.title))
    };
    curves.iter().filter_map(said).collect::<Vec<_>>().join(" ")
}

/// A logarithmic scale, and where its ends are in the picture.
struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    fn place(&self, value: f64) -> f64 {
        let part = (value.max(self.from) / self.from).ln() / (self.to / self.from).ln();
        self.start + part * (self.end - self.start)
    }
}

fn decade_below(value: f64) -> f64 {
    10_f64.powf(value.log10().floor())
}

fn grid(svg: &mut Svg, idle: &Scale, costs: &Scale) {
    let mut cost = costs.from;
    while cost <= costs.to {
        let y = costs.place(cost);
        svg.line((LEFT, y), (RIGHT, y), "grid");
        svg.text((LEFT - 10.0, y + 4.0), "quiet small end", &duration(cost));
        cost *= 10.0;
    }
    for &count in SAME.idle {
        let x = idle.place(count as f64);
        svg.line((x, BOTTOM), (x, BOTTOM + 5.0), "quiet");
        svg.text((x, BOTTOM + 20.0), "quiet small middle", &Unit::Whole.show(count as f64));
    }
    svg.text(((LEFT + RIGHT) / 2.0, BOTTOM + 38.0), "small middle", "idle descriptors");
}

fn draw(svg: &mut Svg, curve: &Curve, idle: &Scale, costs: &Scale) {
    let color = curve.mechanism.color;
    let place =
        |(count, cost): &(usize, Median)| (idle.place(*count as f64), costs.place(cost.value));
    for (count, cost) in &curve.points {
        let x = idle.place(*count as f64);
        svg.line((x, costs.place(cost.low)), (x, costs.place(cost.high)), color);
    }
    let weight = if curve.mechanism.name == "runtime" { "bold" } else { "" };
    for pair in curve.points.windows(2) {
        let dash = if curve.mechanism.name == "select" && !fits_an_fd_set(pair[1].0) {
            "dashed"
        } else {
            ""
        };
        svg.curve(&[place(&pair[0]), place(&pair[1])], &format!("{color} {weight} {dash}"));
    }
    for point in &curve.points {
        svg.circle(place(point), if weight.is_empty() { 3.0 } else { 4.0 }, color);
    }
}

fn fits_an_fd_set(idle: usize) -> bool {
    idle < libc::FD_SETSIZE
}

/// The names of the curves at their ends, pushed apart where they would overlap.
fn label(svg: &mut Svg, mut labels: Vec<(f64, &Mechanism, f64)>) {
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    let places = spread(labels.iter().map(|label| label.0).collect());
    for ((end, mechanism, cost), place) in labels.into_iter().zip(places) {
        svg.line((RIGHT - 4.0, end), (RIGHT + 12.0, place), "grid");
        let weight = if mechanism.name == "runtime" { "strong" } else { "" };
        let text = format!("{}, {}", mechanism.title, duration(cost));
        svg.text((RIGHT + 18.0, place + 4.0), &format!("{} {weight}", mechanism.color), &text);
    }
}

/// Moves what is too near to the one above it downwards.
fn spread(mut places: Vec<f64>) -> Vec<f64> {
    for which in 1..places.len() {
        places[which] = places[which].max(places[which - 1] + LABEL_HEIGHT);
    }
    places
}

/// Two digits, in the unit that fits.
fn duration(ns: f64) -> String {
    let (value, unit) = match ns {
        ..1e3 => (ns, "ns"),
        ..1e6 => (ns / 1e3, "us"),
        _ => (ns / 1e6, "ms"),
    };
    let decimals = usize::from(value < 9.95 && value.fract() != 0.0);
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::super::measured::tests::made_up;
    use super::*;

    #[test]
    fn durations_have_the_unit_that_fits() {
        let shown = [1.0, 543.2, 1_000.0, 1_340.0, 74_645.0, 753_380.0, 2e6].map(duration);
        assert_eq!(shown, ["1 ns", "543 ns", "1 us", "1.3 us", "75 us", "753 us", "2 ms"]);
    }

    #[test]
    fn each_decade_is_as_long_as_the_next() {
        let scale = Scale { from: 10.0, to: 1_000.0, start: 0.0, end: 200.0 };
        assert_eq!(
            [10.0, 100.0, 1_000.0].map(|value| scale.place(value).round()),
            [0.0, 100.0, 200.0]
        );
        assert_eq!(scale.place(-5.0), 0.0);
        assert_eq!(decade_below(430.0), 100.0);
    }

    #[test]
    fn labels_do_not_overlap() {
        let places = spread(vec![10.0, 12.0, 100.0]);
        assert_eq!(places, [10.0, 10.0 + LABEL_HEIGHT, 100.0]);
    }

    #[test]
    fn every_curve_has_its_name_and_select_is_dashed_where_libc_ends() {
        let svg = plot(&made_up());
        for mechanism in &MECHANISMS {
            assert!(svg.contains(&format!(">{}, ", mechanism.title)), "{}", mechanism.title);
        }
        // From 1,000 to 3,000, and on to 10,000.
        assert_eq!(svg.matches("dashed\"").count(), 2);
    }
}
