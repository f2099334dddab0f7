//! Numbers as the tables show them: no more digits than they deserve, and thousands set apart.

use crate::stats::Median;

/// What a number counts, which says how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Nanoseconds,
    Seconds,
    Bytes,
    /// Of instructions.
    Whole,
    /// Of system calls for each operation.
    Share,
    Ratio,
}

impl Unit {
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Unit::Nanoseconds if value >= 1e9 => format!("{} s", digits(value / 1e9)),
            Unit::Nanoseconds if value >= 1e6 => format!("{} ms", digits(value / 1e6)),
            Unit::Nanoseconds if value >= 10_000.0 => format!("{} us", digits(value / 1e3)),
            Unit::Nanoseconds => format!("{} ns", digits(value)),
            Unit::Seconds => format!("{} s", digits(value)),
            Unit::Bytes => {
                format!("{} B", if value < 100.0 { digits(value) } else { whole(value) })
            }
            Unit::Whole => whole(value),
            Unit::Share if value >= 100.0 => whole(value),
            Unit::Share | Unit::Ratio => format!("{value:.2}"),
        }
    }

    /// With the interval around it, if there is one.
    pub(crate) fn show_median(self, median: Median) -> String {
        let Median { low, value, high } = median;
        let (low, shown, high) = (self.show(low), self.show(value), self.show(high));
        if low == high { shown } else { format!("{shown} ({low} to {high})") }
    }
}

/// Three digits that say something.
fn digits(value: f64) -> String {
    match value.abs() {
        size if size < 0.9995 => format!("{value:.3}"),
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => whole(value),
    }
}

fn whole(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut set_apart = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            set_apart.push(',');
        }
        set_apart.push(digit);
    }
    if value < 0.0 && digits != "0" { format!("-{set_apart}") } else { set_apart }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_they_deserve() {
        let shown = [
            (Unit::Nanoseconds, 11.234, "11.2 ns"),
            (Unit::Nanoseconds, 1234.5, "1,234 ns"),
            (Unit::Nanoseconds, 36_123.0, "36.1 us"),
            (Unit::Nanoseconds, 2.5e6, "2.50 ms"),
            (Unit::Bytes, 92.1, "92.1 B"),
            (Unit::Bytes, 1870.2, "1,870 B"),
            (Unit::Whole, 1_234_567.0, "1,234,567"),
            (Unit::Whole, -0.2, "0"),
            (Unit::Share, 2.0156, "2.02"),
        ];
        for (unit, value, expected) in shown {
            assert_eq!(unit.show(value), expected);
        }
    }

    #[test]
    fn an_interval_is_shown_if_it_is_one() {
        let one = Median { low: 1.0, value: 1.0, high: 1.0 };
        assert_eq!(Unit::Ratio.show_median(one), "1.00");
        let wide = Median { low: 0.9, value: 1.0, high: 1.1 };
        assert_eq!(Unit::Ratio.show_median(wide), "1.00 (0.90 to 1.10)");
    }
}
