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
        // What was counted as a difference may be a little below nothing.
        let value = if value.abs() < 0.005 { 0.0 } else { value };
        let (divisor, suffix) = self.scale(value);
        self.number(value / divisor) + suffix
    }

    /// With the interval around it, if there is one.
    pub(crate) fn show_median(self, median: Median) -> String {
        let (divisor, suffix) = self.scale(median.value);
        let number = |value| self.number(value / divisor);
        let (low, shown, high) = (number(median.low), number(median.value), number(median.high));
        if low == high {
            return shown + suffix;
        }
        format!("{shown}{suffix} ({low} to {high})")
    }

    /// What a value is divided by to have few digits, and what is written behind it then.
    fn scale(self, value: f64) -> (f64, &'static str) {
        match self {
            Unit::Nanoseconds if value >= 1e9 => (1e9, " s"),
            Unit::Nanoseconds if value >= 1e6 => (1e6, " ms"),
            Unit::Nanoseconds if value >= 999.5 => (1e3, " us"),
            Unit::Nanoseconds => (1.0, " ns"),
            Unit::Seconds => (1.0, " s"),
            Unit::Bytes if value >= 1e5 => (1e3, " kB"),
            Unit::Bytes => (1.0, " B"),
            Unit::Whole | Unit::Share | Unit::Ratio => (1.0, ""),
        }
    }

    fn number(self, value: f64) -> String {
        match self {
            Unit::Nanoseconds | Unit::Seconds => digits(value),
            Unit::Bytes if value < 100.0 => digits(value),
            Unit::Share if value < 50.0 => format!("{value:.2}"),
            Unit::Ratio => format!("{value:.2}"),
            Unit::Bytes | Unit::Whole | Unit::Share => whole(value),
        }
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
            (Unit::Nanoseconds, 999.0, "999 ns"),
            (Unit::Nanoseconds, 1234.5, "1.23 us"),
            (Unit::Nanoseconds, 36_123.0, "36.1 us"),
            (Unit::Nanoseconds, 2.5e6, "2.50 ms"),
            (Unit::Bytes, 92.1, "92.1 B"),
            (Unit::Bytes, 1870.2, "1,870 B"),
            (Unit::Bytes, 758_816.0, "759 kB"),
            (Unit::Whole, 1_234_567.0, "1,234,567"),
            (Unit::Whole, -0.2, "0"),
            (Unit::Share, 2.0156, "2.02"),
            (Unit::Share, -0.0001, "0.00"),
            (Unit::Share, 62.0, "62"),
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
        let micros = Median { low: 9_000.0, value: 11_000.0, high: 12_000.0 };
        assert_eq!(Unit::Nanoseconds.show_median(micros), "11.0 us (9.00 to 12.0)");
    }
}
