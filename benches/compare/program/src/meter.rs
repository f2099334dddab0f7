//! The clocks of a measured stretch: the processor time of the process, and the time on the wall.

use std::mem;
use std::time::Instant;

/// Started where the measured stretch begins. [`Meter::stop`] prints what it took.
pub struct Meter {
    cpu: u64,
    wall: Instant,
}

impl Meter {
    pub fn start() -> Meter {
        Meter { cpu: process_cpu_ns(), wall: Instant::now() }
    }

    /// Prints `cpu_ns` and `wall_ns`, of all operations together.
    pub fn stop(self) {
        let (cpu, wall) = (process_cpu_ns() - self.cpu, self.wall.elapsed());
        println!("cpu_ns {cpu}");
        println!("wall_ns {}", wall.as_nanos());
    }
}

/// Processor time of all threads of this process, in nanoseconds.
pub fn process_cpu_ns() -> u64 {
    clock_ns(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// Processor time of the calling thread, in nanoseconds.
pub fn thread_cpu_ns() -> u64 {
    clock_ns(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn clock_ns(clock: libc::clockid_t) -> u64 {
    // SAFETY: a timespec is integers, for which zeros are valid.
    let mut now: libc::timespec = unsafe { mem::zeroed() };
    // SAFETY: `now` is a timespec that the call fills.
    unsafe { libc::clock_gettime(clock, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Bytes of this process that lie in memory now.
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("/proc is mounted");
    let pages = statm.split(' ').nth(1).and_then(|field| field.parse::<u64>().ok());
    pages.expect("statm has a second field, a number") * 4096
}
