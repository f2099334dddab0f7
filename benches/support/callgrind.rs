//! User instructions of a program, counted by callgrind.

use std::process::{Command, Stdio};

/// A command that runs this very program under callgrind, to be given its arguments.
///
/// Callgrind hides the vDSO: what reads the clock there is a system call here, whose instructions
/// are the kernel's and not counted.
pub(crate) fn of_this_program() -> Command {
    let program = std::env::current_exe().expect("a running program has a path");
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// The instructions that a report of callgrind ends with.
///
/// # Errors
///
/// The report itself, when it has no such line.
pub(crate) fn collected(stderr: &[u8]) -> Result<u64, String> {
    let stderr = String::from_utf8_lossy(stderr);
    let line = stderr.lines().find_map(|line| line.split("Collected : ").nth(1));
    line.and_then(|count| count.trim().parse().ok())
        .ok_or_else(|| format!("callgrind said nothing of instructions: {stderr}"))
}

/// What each of `count` operations costs: a run with twice as many, less a run with as many, so
/// that what starts and ends the program drops out.
///
/// # Errors
///
/// What keeps callgrind from running, or from counting.
pub(crate) fn per_operation(
    count: u64,
    mut run: impl FnMut(u64) -> Result<u64, String>,
) -> Result<f64, String> {
    let (once, twice) = (run(count)?, run(2 * count)?);
    Ok((twice as f64 - once as f64) / count as f64)
}
