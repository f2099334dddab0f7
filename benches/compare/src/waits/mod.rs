//! The cost of one wait against the number of idle descriptors, for each way to wait and for the runtime.

mod measured;
mod plot;
mod table;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use self::measured::Measured;
use crate::programs::{Running, build_package};
use crate::results::{self, Profile, Store};

/// What the command line and the files are called.
pub(crate) const NAME: &str = "waits";

/// A way to wait.
struct Mechanism {
    /// As the program `waits` names it.
    name: &'static str,
    /// As the table and the plot name it.
    title: &'static str,
    /// Whether a wait looks at every descriptor, which makes it slow.
    scans: bool,
    /// Its color in the plot.
    color: &'static str,
}

/// In the order of the table.
const MECHANISMS: [Mechanism; 5] = [
    Mechanism { name: "select", title: "select", scans: true, color: "c4" },
    Mechanism { name: "poll", title: "poll", scans: true, color: "c3" },
    Mechanism { name: "epoll-level", title: "level-triggered epoll", scans: false, color: "c2" },
    Mechanism { name: "epoll-edge", title: "edge-triggered epoll", scans: false, color: "c1" },
    Mechanism { name: "runtime", title: "runtime", scans: false, color: "ours" },
];

/// The write and the read of each event without a wait: all figures are less by what they cost.
const NO_WAIT: Mechanism = Mechanism { name: "none", title: "no wait", scans: false, color: "raw" };

/// Which descriptor becomes active, and among how many idle ones that is measured.
struct Pattern {
    /// As the program `waits` names it.
    name: &'static str,
    idle: &'static [usize],
}

const SAME: Pattern = Pattern { name: "same", idle: &[10, 30, 100, 300, 1_000, 3_000, 10_000] };
const RANDOM: Pattern = Pattern { name: "random", idle: &[10, 1_000, 10_000] };

/// Descriptors that a program has beside those it waits for, and some to spare.
const OTHER_DESCRIPTORS: usize = 24;

// The numbers of the descriptors fit into an `fd_set` of libc's while a thousand are idle.
const _: () = assert!(1_000 + OTHER_DESCRIPTORS <= libc::FD_SETSIZE);

/// No round begins later, however many were asked for.
const LIMIT: Duration = Duration::from_secs(45);

/// Measures in interleaved rounds, and stores the results.
pub(crate) fn measure(store: &Store, rounds: usize) -> Result<()> {
    let program = match build_package("waits", Profile::Release)? {
        Ok(program) => program,
        Err(reason) => bail!("waits: {reason}"),
    };
    let mut runs = runs(descriptors_allowed()?);
    let mut measured = Measured::new();
    let start = Instant::now();
    for round in 0..rounds {
        if round > 0 && start.elapsed() > LIMIT {
            eprintln!("waits: time is up after {round} of {rounds} rounds");
            break;
        }
        for run in &runs {
            let cpu_ns = run.take(&program).with_context(|| format!("waits: {run}"))?;
            measured.add(run.mechanism.name, run.pattern.name, run.idle, cpu_ns);
        }
        // Who runs first may find the caches cold.
        runs.rotate_left(1);
    }
    measured.store(&store.result(NAME))
}

/// Writes the plot's file, and returns the Markdown; `None` when nothing has been measured yet.
pub(crate) fn tables(store: &Store) -> Result<Option<String>> {
    let Some(measured) = Measured::load(&store.result(NAME))? else { return Ok(None) };
    results::write(&store.plot(NAME), &plot::plot(&measured))?;
    Ok(Some(table::table(&measured)))
}

/// One start of the program.
struct Run {
    mechanism: &'static Mechanism,
    pattern: &'static Pattern,
    idle: usize,
}

/// Those that are compared stand together.
fn runs(descriptors: usize) -> Vec<Run> {
    let mut runs = Vec::new();
    for pattern in [&SAME, &RANDOM] {
        for &idle in pattern.idle {
            if idle + OTHER_DESCRIPTORS > descriptors {
                eprintln!(
                    "waits: {idle} idle descriptors are left out, as this process may have \
                     {descriptors}: raise the hard limit (ulimit -Hn)"
                );
                continue;
            }
            for mechanism in [&NO_WAIT].into_iter().chain(&MECHANISMS) {
                runs.push(Run { mechanism, pattern, idle });
            }
        }
    }
    runs
}

impl Run {
    /// Processor time of one event, its write and its read included.
    fn take(&self, program: &Path) -> Result<f64> {
        let count = self.count();
        let mut command = Command::new(program);
        command.args([self.mechanism.name, self.pattern.name]);
        command.args([self.idle.to_string(), count.to_string()]);
        let printed = match Running::start(command)?.finish()? {
            Ok(printed) => printed,
            Err(reason) => bail!("{reason}"),
        };
        let cpu_ns = printed.get("cpu_ns").context("the program printed no cpu_ns")?;
        Ok(cpu_ns / count as f64)
    }

    /// So many events that they take some 10 ms.
    fn count(&self) -> usize {
        if self.mechanism.scans { (200_000 / self.idle).clamp(20, 10_000) } else { 10_000 }
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} among {} idle, {}", self.mechanism.title, self.idle, self.pattern.name)
    }
}

/// How many descriptors the programs may raise their limit to.
fn descriptors_allowed() -> Result<usize> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } < 0 {
        return Err(std::io::Error::last_os_error()).context("getrlimit");
    }
    Ok(usize::try_from(limit.rlim_max)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_into_the_limit_is_left_out() {
        assert!(runs(20_000).iter().any(|run| run.idle == 10_000));
        assert_eq!(runs(1_024).iter().map(|run| run.idle).max(), Some(1_000));
    }

    #[test]
    fn a_scan_over_many_is_measured_less_often() {
        let counts = |idle| runs(20_000).iter().filter(|r| r.idle == idle).map(Run::count).min();
        assert_eq!(counts(10), Some(10_000));
        assert_eq!(counts(1_000), Some(200));
        assert_eq!(counts(10_000), Some(20));
    }
}
