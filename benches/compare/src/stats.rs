//! Medians, and how sure one can be of them.

/// The median, and an interval that holds the true one in 95 of 100 cases, whatever the distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Median {
    pub(crate) low: f64,
    pub(crate) value: f64,
    pub(crate) high: f64,
}

/// Samples for which there is an interval.
pub(crate) const FEWEST: usize = 6;

/// `None` if there is nothing to take the median of.
///
/// The interval reaches from one order statistic to another: the number of samples below the true median
/// is binomial. With fewer than six samples not even the whole range is that sure: there is no interval, and both
/// its ends are the median.
pub(crate) fn median(samples: &[f64]) -> Option<Median> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let value = (sorted[last / 2] + sorted[last.div_ceil(2)]) / 2.0;
    if sorted.len() < FEWEST {
        return Some(Median { low: value, value, high: value });
    }
    let below = outside(sorted.len());
    Some(Median { low: sorted[below], value, high: sorted[last - below] })
}

/// The median of one program's figure as a multiple of another's in the same round, as the noise of a
/// round is that of both.
pub(crate) fn ratio(ours: &[f64], theirs: &[f64]) -> Option<Median> {
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
    median(&ratios).filter(|ratio| ratio.value.is_finite())
}

/// How many samples lie outside on each side at most, so that both tails together keep within 5 %.
fn outside(samples: usize) -> usize {
    let mut term = 0.5_f64.powi(samples as i32);
    let mut tail = 0.0;
    for k in 0..samples / 2 {
        tail += term;
        if tail > 0.025 {
            return k.saturating_sub(1);
        }
        term *= (samples - k) as f64 / (k + 1) as f64;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From tables of the sign test: 20 samples, the sixth from below and from above.
    #[test]
    fn interval_is_that_of_the_sign_test() {
        let samples: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!(median(&samples), Some(Median { low: 6.0, value: 10.5, high: 15.0 }));
        let samples: Vec<f64> = (1..=6).map(f64::from).collect();
        assert_eq!(median(&samples), Some(Median { low: 1.0, value: 3.5, high: 6.0 }));
        assert_eq!(median(&samples[..5]), Some(Median { low: 3.0, value: 3.0, high: 3.0 }));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        // The third round was twice as slow for both.
        let ratio = ratio(&[11.0, 11.0, 22.0], &[10.0, 10.0, 20.0]).unwrap();
        assert!((ratio.low - 1.1).abs() < 1e-9 && (ratio.high - 1.1).abs() < 1e-9);
        assert_eq!(super::ratio(&[], &[1.0]), None);
        assert_eq!(super::ratio(&[1.0], &[0.0]), None);
    }
}
