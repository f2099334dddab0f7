//! Interleaved rounds: in each, every program runs once, so that what disturbs the machine disturbs all.

use std::time::{Duration, Instant};
use std::{io, mem, thread};

use anyhow::Result;
use program::Workload;

use crate::client::{Client, Until, Upstream};
use crate::programs::{Answer, CLIENT_PROCESSOR, Printed, Program, Running, pin};
use crate::results::Entry;
use crate::workloads::{Load, Over, Row, Traffic};

/// What a program may take of all rounds of a row together; then its rounds end.
const BUDGET: Duration = Duration::from_secs(20);
/// Connections of the idle row that are made before the memory is looked at.
const CONNECTIONS_BEFORE: usize = 128;

/// Runs a row on each of the programs, `rounds` times, and adds what came out to their entries.
///
/// A thread of its own does that, as it is kept on the client's processor.
///
/// A round begins with another program than the last, as who runs first may find the caches cold.
/// A program that fails takes part no longer; the others go on.
pub(crate) fn measure(
    row: &Row,
    programs: &[Program],
    rounds: usize,
    count: u64,
    entries: &mut [Entry],
) -> Result<()> {
    thread::scope(|scope| {
        let client = scope.spawn(|| {
            pin(CLIENT_PROCESSOR)?;
            in_turn(row, programs, rounds, count, entries);
            Ok(())
        });
        client.join().expect("a program's failure is no panic here")
    })
}

fn in_turn(row: &Row, programs: &[Program], rounds: usize, count: u64, entries: &mut [Entry]) {
    let mut spent = vec![Duration::ZERO; programs.len()];
    for round in 0..rounds.min(row.rounds_at_most) {
        for turn in 0..programs.len() {
            let which = (round + turn) % programs.len();
            let (program, entry) = (&programs[which], &mut entries[which]);
            if entry.cannot.is_some() || spent[which] > BUDGET {
                continue;
            }
            let start = Instant::now();
            match run(row, program, count) {
                Ok(Ok(printed)) => {
                    for (name, value) in printed {
                        entry.figures.entry(name).or_default().push(value);
                    }
                }
                Ok(Err(reason)) => entry.give_up(reason),
                Err(error) => entry.give_up(format!("it failed: {error:#}")),
            }
            spent[which] += start.elapsed();
        }
    }
}

impl Entry {
    /// From a program that fails half of the time no figure is shown.
    fn give_up(&mut self, reason: String) {
        self.figures.clear();
        self.cannot = Some(reason);
    }
}

fn run(row: &Row, program: &Program, count: u64) -> Result<Answer<Printed>> {
    match row.load {
        Load::Alone => {
            let printed = program.run(row.workload.with_count(count))?;
            Ok(printed.map(|printed| per_operation(row, printed, count)))
        }
        Load::Start => start_up(row.workload, program, count),
        Load::Served(traffic) => serve(row, traffic, program, count),
        Load::Idle => idle(row.workload, program, count),
    }
}

/// The times of a run, for one operation; what else was printed stays as it is.
fn per_operation(row: &Row, mut printed: Printed, count: u64) -> Printed {
    printed.retain(|name, _| !row.left_out.contains(&name.as_str()));
    for name in ["cpu_ns", "wall_ns"] {
        if let Some(ns) = printed.get_mut(name) {
            *ns /= count as f64;
        }
    }
    if let Some(bytes) = printed.remove("bytes_per_task") {
        printed.insert("bytes".into(), bytes);
    }
    printed
}

/// Processor time of a whole program from fork to exit, and the time until it has ended.
fn start_up(workload: Workload, program: &Program, count: u64) -> Result<Answer<Printed>> {
    let (cpu, wall) = (cpu_of_children()?, Instant::now());
    for _ in 0..count {
        if let Err(reason) = program.run(workload)? {
            return Ok(Err(reason));
        }
    }
    let (cpu, wall) = (cpu_of_children()? - cpu, wall.elapsed());
    let figures = [("cpu_ns", cpu), ("wall_ns", wall)];
    let each =
        |(name, all): (&str, Duration)| (name.to_owned(), all.as_nanos() as f64 / count as f64);
    Ok(Ok(figures.map(each).into()))
}

/// Processor time of all programs that have been started and waited for.
fn cpu_of_children() -> Result<Duration> {
    // SAFETY: an rusage is integers, for which zeros are valid; the call fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = mem::zeroed();
        if libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage) < 0 {
            return Err(io::Error::last_os_error().into());
        }
        usage
    };
    let time = |of: libc::timeval| {
        Duration::from_secs(of.tv_sec as u64) + Duration::from_micros(of.tv_usec as u64)
    };
    Ok(time(usage.ru_utime) + time(usage.ru_stime))
}

/// A server with its client, which ends its connections first, while the server is stopped: nothing
/// of that is work for anybody.
struct Served {
    client: Option<Client>,
    server: Running,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.server.freeze();
        self.client = None;
    }
}

/// Puts the load on a server and asks the kernel what it cost.
fn serve(row: &Row, traffic: Traffic, program: &Program, count: u64) -> Result<Answer<Printed>> {
    let upstream = upstream_of(traffic)?;
    let mut server = match program.start(workload_to(row.workload, upstream.as_ref())?)? {
        Ok(server) => server,
        Err(reason) => return Ok(Err(reason)),
    };
    let port = match server.port()? {
        Ok(port) => port,
        Err(reason) => return Ok(Err(reason)),
    };
    let client = Client::connect(port, traffic, upstream.as_ref(), Until::Spinning)?;
    let mut served = Served { client: Some(client), server };
    let (client, server) = (served.client.as_mut().expect("it is there"), &served.server);
    // The first messages wait for accept and registration, and are not what the others are like.
    let bursts = count.div_ceil(client.connections());
    for _ in 0..bursts.div_ceil(10) {
        client.burst()?;
    }
    server.settle()?;
    let before = server.cpu_ns()?;
    let start = Instant::now();
    for _ in 0..bursts {
        client.burst()?;
    }
    let wall = start.elapsed().as_nanos() as u64;
    server.settle()?;
    let cpu = server.cpu_ns()? - before;
    let each = |ns: u64| ns as f64 / (bursts * client.connections()) as f64;
    Ok(Ok(Printed::from([("cpu_ns".into(), each(cpu)), ("wall_ns".into(), each(wall))])))
}

/// Where the proxy among the servers is to connect to; the others need nothing.
pub(crate) fn upstream_of(traffic: Traffic) -> Result<Option<Upstream>> {
    (traffic.over == Over::Proxy).then(Upstream::listen).transpose()
}

pub(crate) fn workload_to(workload: Workload, upstream: Option<&Upstream>) -> Result<Workload> {
    match (workload, upstream) {
        (Workload::Proxy { .. }, Some(upstream)) => {
            Ok(Workload::Proxy { upstream: upstream.port()?.into() })
        }
        _ => Ok(workload),
    }
}

/// The memory that connections take in a server, each of which has said one message.
fn idle(workload: Workload, program: &Program, connections: u64) -> Result<Answer<Printed>> {
    let mut server = match program.start(workload)? {
        Ok(server) => server,
        Err(reason) => return Ok(Err(reason)),
    };
    let port = match server.port()? {
        Ok(port) => port,
        Err(reason) => return Ok(Err(reason)),
    };
    let before = Traffic { over: Over::Tcp, connections: CONNECTIONS_BEFORE, idle: 0, message: 64 };
    let client = Client::connect(port, before, None, Until::Sleeping)?;
    let mut served = Served { client: Some(client), server };
    let before = served.server.resident_bytes()?;
    served.client.as_mut().expect("it is there").add(connections as usize, port)?;
    let after = served.server.resident_bytes()?;
    let each = after.saturating_sub(before) as f64 / connections as f64;
    Ok(Ok(Printed::from([("bytes".into(), each)])))
}
