//! User instructions of this program's own operations, counted by callgrind.

use std::process::{Command, Stdio};

/// What each of `count` runs, by the argument `verb`, of an operation costs: a program that does it twice as often, less one
/// that does it as often, so that what starts and ends the program drops out.
///
/// Callgrind hides the vDSO: what reads the clock there is a system call here, whose instructions
/// are the kernel's and not counted.
///
/// # Errors
///
/// What keeps callgrind from running, or from counting.
pub(crate) fn per_operation(verb: &str, name: &str, count: u64) -> Result<f64, String> {
    let (once, twice) = (collected(verb, name, count)?, collected(verb, name, 2 * count)?);
    Ok((twice as f64 - once as f64) / count as f64)
}

/// The instructions of a program that does the operation `count` times.
fn collected(verb: &str, name: &str, count: u64) -> Result<u64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let ran = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        // It counts from the start, and not while an echo's client acts.
        .args(["--toggle-collect=client_acts_in_wait", "--collect-atstart=yes"])
        .arg(program)
        .args([verb, name, &count.to_string()])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("valgrind does not run: {error}"))?;
    let report = String::from_utf8_lossy(&ran.stderr);
    let line = report.lines().find_map(|line| line.split("Collected : ").nth(1));
    let counted = line.and_then(|count| count.trim().parse().ok()).filter(|_| ran.status.success());
    counted.ok_or_else(|| format!("callgrind did not count {name}: {report}"))
}

/// Which valgrind there is, if any.
pub(crate) fn version() -> Option<String> {
    let said = Command::new("valgrind").arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&said.stdout).trim().replace('-', " "))
}
