//! When the sleepers of the workloads are to wake, and how late they did.

use std::cell::RefCell;
use std::time::{Duration, Instant};

/// Durations from zero to two seconds, `count` of them, in no order and the same in each run.
pub fn moments(count: u64) -> impl Iterator<Item = Duration> {
    let mut random = Random(1);
    (0..count).map(move |_| Duration::from_nanos(random.below(2_000_000_000)))
}

/// Durations between one and two hours, likewise.
pub fn hours(count: u64) -> impl Iterator<Item = Duration> {
    let mut random = Random(1);
    let hour = Duration::from_secs(3600);
    (0..count).map(move |_| hour + Duration::from_micros(random.below(3_600_000_000)))
}

/// Knuth's linear congruential generator.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 32) * limit) >> 32
    }
}

thread_local! {
    /// In nanoseconds; negative is early.
    static LATE: RefCell<Vec<i64>> = const { RefCell::new(Vec::new()) };
}

/// Makes room for the notes of `count` sleepers.
pub fn expect(count: u64) {
    LATE.with_borrow_mut(|late| late.reserve(count as usize));
}

/// Notes that a sleeper whose time has come at `deadline` runs now.
pub fn woke(deadline: Instant) {
    let now = Instant::now();
    let late = match now.checked_duration_since(deadline) {
        Some(late) => late.as_nanos() as i64,
        None => -(deadline.duration_since(now).as_nanos() as i64),
    };
    LATE.with_borrow_mut(|all| all.push(late));
}

/// Prints `late_median_ns`, `late_p99_ns`, `late_max_ns`, and `early`: how many were too early.
///
/// # Panics
///
/// Unless `count` sleepers have woken.
pub fn print_lateness(count: u64) {
    LATE.with_borrow_mut(|late| {
        assert_eq!(late.len() as u64, count, "every sleeper wakes once");
        late.sort_unstable();
        let at = |share: f64| late[((late.len() - 1) as f64 * share) as usize];
        println!("late_median_ns {}", at(0.5));
        println!("late_p99_ns {}", at(0.99));
        println!("late_max_ns {}", at(1.0));
        println!("early {}", late.iter().filter(|late| **late < 0).count());
    });
}
