//! What the benchmarks share: medians, pinning to a processor.
#![allow(unsafe_code)]
#![allow(dead_code, reason = "each benchmark uses a part")]

use std::time::Duration;

/// The middle one, or the mean of the two in the middle.
///
/// # Panics
///
/// If there is none, or one is not a number.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(|a, b| a.partial_cmp(b).expect("a figure is a number"));
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

/// The quartiles around the median: half of all figures lie between them.
pub(crate) fn quartiles(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(|a, b| a.partial_cmp(b).expect("a figure is a number"));
    (values[values.len() / 4], values[(values.len() * 3 / 4).min(values.len() - 1)])
}

/// Nanoseconds of each of `count` operations.
pub(crate) fn per_operation(elapsed: Duration, count: u64) -> f64 {
    elapsed.as_nanos() as f64 / count as f64
}

/// Keeps this thread, and what it starts from now on, on one processor. Where there is no such
/// processor it stays as it is.
pub(crate) fn pin(processor: usize) {
    // SAFETY: a `cpu_set_t` is an array of integers, for which zeros are valid, and the call only
    // reads it; CPU_SET indexes it below the size that `min` keeps.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(processor.min(libc::CPU_SETSIZE as usize - 1), &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}
