//! What repeats and needs no quiet machine: user instructions by callgrind, system calls by strace.
//!
//! Both are counted of a run with N operations and of one with 2N, and the difference is divided by N, so that
//! start and end drop out. A server shares its processor with the client and runs while the client sleeps, and the
//! client sleeps only when it has sent all its messages: each wait finds them all, whoever serves and however slow
//! it is below a tool.

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::client::{Client, Until};
use crate::programs::{Answer, CLIENT_PROCESSOR, PROGRAM_PROCESSOR, Program, Running, Seat};
use crate::results::Entry;
use crate::rounds::{upstream_of, workload_to};
use crate::workloads::{Counted, Load, Row, Traffic};

/// Has glibc fill and copy in steps of a vector: of `rep stosb`, which it would rather take for what is long,
/// callgrind counts each byte as an instruction.
const VECTORS: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.cpu.x86_rep_stosb_threshold=1073741824:glibc.cpu.x86_rep_movsb_threshold=1073741824",
);

/// For valgrind to remove its pipes, when it hears that it shall end.
const TIME_TO_END: Duration = Duration::from_millis(20);
/// Below a tool a connection takes long to make, and there are two servers at a time to make them to.
const IDLE_AT_MOST: usize = 1_000;

/// What counts.
struct Tool {
    /// The figure, as the results name it.
    figure: &'static str,
    command: &'static [&'static str],
    /// Ends a server and returns what the tool says then.
    end: fn(&mut Running) -> Result<String>,
    /// Finds the count in what the tool says at the end.
    total: fn(&str) -> Option<u64>,
}

const TOOLS: [Tool; 2] = [
    Tool {
        figure: "instructions",
        command: &["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"],
        end: ask_valgrind,
        total: instructions,
    },
    // Detached, so that the program is our child and not the tool's.
    Tool {
        figure: "calls",
        command: &["strace", "-D", "-f", "-c"],
        end: |server| {
            server.terminate()?;
            server.errors()
        },
        total: calls,
    },
];

/// Counts for a row on each of the programs that could run it, two at a time. A quick look leaves the slower
/// of the tools alone.
pub(crate) fn count(row: &Row, programs: &[Program], entries: &mut [Entry], quick: bool) {
    let tools = if quick { &TOOLS[1..] } else { &TOOLS[..] };
    let tools: Vec<_> = tools.iter().map(|tool| (tool, there_is(tool))).collect();
    let entries: Vec<_> = entries.iter_mut().map(Mutex::new).collect();
    let jobs = programs.iter().zip(&entries).flat_map(|(program, entry)| {
        let possible = entry.lock().expect("no job panics").cannot.is_none();
        tools.iter().filter(move |_| possible).map(move |tool| (program, entry, tool))
    });
    let jobs = Mutex::new(jobs);
    thread::scope(|scope| {
        for processor in [PROGRAM_PROCESSOR, CLIENT_PROCESSOR] {
            let jobs = &jobs;
            scope.spawn(move || {
                let next = || jobs.lock().expect("no job panics").next();
                while let Some((program, entry, (tool, there))) = next() {
                    let counted = match there {
                        true => per_operation(row, program, tool, processor),
                        false => Ok(Err(format!("there is no {} here", tool.command[0]))),
                    };
                    let mut entry = entry.lock().expect("no job panics");
                    match counted {
                        Ok(Ok(figure)) => {
                            entry.figures.insert(tool.figure.into(), vec![figure]);
                        }
                        Ok(Err(reason)) => {
                            entry.missing.insert(tool.figure.into(), reason);
                        }
                        Err(error) => {
                            let reason = format!("below {} it failed: {error:#}", tool.command[0]);
                            entry.missing.insert(tool.figure.into(), reason);
                        }
                    }
                }
            });
        }
    });
}

fn there_is(tool: &Tool) -> bool {
    let version = Command::new(tool.command[0]).arg("--version").stdout(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

fn per_operation(
    row: &Row,
    program: &Program,
    tool: &Tool,
    processor: usize,
) -> Result<Answer<f64>> {
    let run = |operations| run(row, program, tool, processor, operations);
    match row.counted {
        Counted::Never(reason) => Ok(Err(reason.into())),
        Counted::Process => Ok(run(0)?.map(|total| total as f64)),
        Counted::Operations(count) => {
            let (once, twice) = match (run(count)?, run(2 * count)?) {
                (Ok(once), Ok(twice)) => (once, twice),
                (Err(reason), _) | (_, Err(reason)) => return Ok(Err(reason)),
            };
            Ok(Ok((twice as f64 - once as f64) / count as f64))
        }
    }
}

/// Runs a program below a tool, and returns what the tool counted in all.
fn run(
    row: &Row,
    program: &Program,
    tool: &Tool,
    processor: usize,
    count: u64,
) -> Result<Answer<u64>> {
    let said = match row.load {
        Load::Served(traffic) => {
            let seat = Seat { processor, polite: true };
            match serve(row, traffic, program, tool, seat, count)? {
                Ok(said) => said,
                Err(reason) => return Ok(Err(reason)),
            }
        }
        Load::Alone | Load::Start | Load::Idle => {
            let mut command = match program.command(tool.command, row.workload.with_count(count)) {
                Ok(command) => command,
                Err(reason) => return Ok(Err(reason)),
            };
            command.env(VECTORS.0, VECTORS.1).stderr(Stdio::piped());
            let mut running = Running::start_on(command, Seat { processor, polite: false })?;
            let said = running.errors()?;
            if let Err(reason) = running.finish()? {
                return Ok(Err(reason));
            }
            said
        }
    };
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    (tool.total)(&said).with_context(|| format!("it said at last {last:?}")).map(Ok)
}

fn serve(
    row: &Row,
    traffic: Traffic,
    program: &Program,
    tool: &Tool,
    seat: Seat,
    count: u64,
) -> Result<Answer<String>> {
    let traffic = Traffic { idle: traffic.idle.min(IDLE_AT_MOST), ..traffic };
    let upstream = upstream_of(traffic)?;
    let mut command =
        match program.command(tool.command, workload_to(row.workload, upstream.as_ref())?) {
            Ok(command) => command,
            Err(reason) => return Ok(Err(reason)),
        };
    command.env(VECTORS.0, VECTORS.1).stderr(Stdio::piped());
    let mut server = Running::start_on(command, seat)?;
    Seat { polite: false, ..seat }.take()?;
    let port = match server.port()? {
        Ok(port) => port,
        Err(reason) => return Ok(Err(reason)),
    };
    let mut client = Client::connect(port, traffic, upstream.as_ref(), Until::Sleeping)?;
    for _ in 0..count.div_ceil(client.connections()) {
        server.settle()?;
        client.burst()?;
    }
    server.settle()?;
    (tool.end)(&mut server).map(Ok)
}

/// Has callgrind say how much it has counted: a server that sleeps in `io_uring_enter` is deaf to signals below it,
/// but is killed with it.
fn ask_valgrind(server: &mut Running) -> Result<String> {
    let pid = format!("--pid={}", server.id());
    // It would wait for ever for a server that ends meanwhile.
    let mut vgdb = Command::new("timeout");
    vgdb.args(["10", "vgdb", &pid, "status", "internal"]).stdin(Stdio::null());
    let status = vgdb.output().context("vgdb, which belongs to valgrind")?;
    server.terminate()?;
    thread::sleep(TIME_TO_END);
    server.kill()?;
    Ok(String::from_utf8_lossy(&status.stdout).into_owned())
}

/// From callgrind's report at the end, or from what it says of each thread when it is asked.
fn instructions(said: &str) -> Option<u64> {
    if let Some(total) = said.lines().find_map(|line| line.split("Collected : ").nth(1)) {
        return total.trim().parse().ok();
    }
    let threads = said.lines().filter_map(|line| line.strip_prefix("events-")?.split_once(": "));
    let counts = threads.filter(|(thread, _)| !thread.contains('-'));
    let counts: Vec<u64> = counts.map(|(_, count)| count.parse().ok()).collect::<Option<_>>()?;
    (!counts.is_empty()).then(|| counts.iter().sum())
}

/// From the line below strace's table: percent, seconds, microseconds for each, calls, errors if any.
fn calls(said: &str) -> Option<u64> {
    let total = said.lines().rev().find(|line| line.trim_end().ends_with(" total"))?;
    total.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_found_in_what_the_tools_say() {
        let said = "==7== Events    : Ir\n==7== Collected : 160123\n==7== \n";
        assert_eq!(instructions(said), Some(160_123));
        let said =
            "events: Ir\nevents-1: 366306\nframes-1: 13\nevents-1-0: 134013\nevents-2: 4415\n";
        assert_eq!(instructions(said), Some(370_721));
        let said = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 80.00    0.000120           1       120           read
------ ----------- ----------- --------- --------- ----------------
100.00    0.000150           1       150         2 total
";
        assert_eq!(calls(said), Some(150));
        assert_eq!((instructions(""), calls("")), (None, None));
    }
}
