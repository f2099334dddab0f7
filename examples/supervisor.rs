//! A supervisor: it starts programs, and starts them again when they fail.
//!
//! Type `cargo run -q --example supervisor -- sleep 60 -- sh -c 'sleep 1; exit 3'`: programs with their
//! arguments, and `--` between them. One that fails is started again, after a pause that doubles each
//! time; it is given up after five failures in a row. One that ends well is done.
//!
//! SIGHUP (`kill -HUP` from another terminal) is passed on to all of them. So are SIGTERM and Ctrl-C, and
//! that is the end: the supervisor leaves when the last of them has. Who takes longer than a minute is
//! killed, and so is everyone on a second Ctrl-C.

use std::env;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use runtime::process::{Child, Command};
use runtime::signal::unix::{Signal, SignalKind, signal};
use runtime::task::JoinSet;
use runtime::time::{Instant, sleep};

const FAILURES_MAX: u32 = 5;
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Who has run for so long is well again: the next failure is a first one.
const RECOVERY: Duration = Duration::from_secs(10);
/// How long they have to end by themselves.
const GRACE: Duration = Duration::from_secs(60);

#[runtime::main]
async fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let commands = args.split(|arg| arg == "--").filter(|command| !command.is_empty());
    let mut programs: JoinSet<bool> = commands.map(|command| supervise(command.to_vec())).collect();
    if programs.is_empty() {
        eprintln!("usage: supervisor PROGRAM [ARGUMENT...] [-- PROGRAM [ARGUMENT...]]...");
        return ExitCode::from(2);
    }
    let mut all_well = true;
    while let Some(outcome) = programs.join_next().await {
        all_well &= outcome.expect("no task panics or is aborted");
    }
    if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A task for each program; `false` if it was given up.
async fn supervise(command: Vec<String>) -> bool {
    let name = &command[0];
    match keep_running(&command).await {
        Ok(()) => true,
        Err(error) => {
            say(name, error);
            false
        }
    }
}

/// A line of ours among those of the programs: in one write, or theirs would come between its parts.
fn say(name: &str, what: impl Display) {
    // Who closes our stderr does not want to know.
    let _ = io::stderr().write_all(format!("{name}: {what}\n").as_bytes());
}

async fn keep_running(command: &[String]) -> io::Result<()> {
    let name = &command[0];
    let mut orders = Orders::listen()?;
    let mut failures = 0;
    loop {
        let start = Instant::now();
        let mut child = Command::new(name)
            .args(&command[1..])
            .stdin(Stdio::null())
            // A group for each, so that Ctrl-C at the terminal comes by way of us and not twice.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let id = child.id().expect("it was not waited for");
        say(name, format_args!("started as process {id}"));
        let (status, is_told_to_end) = attend(&mut child, &mut orders).await?;
        if is_told_to_end || status.success() {
            say(name, format_args!("ended, {status}"));
            return Ok(());
        }
        failures = if start.elapsed() < RECOVERY { failures + 1 } else { 1 };
        if failures == FAILURES_MAX {
            return Err(io::Error::other(format!("{status}; given up after {failures} failures")));
        }
        let pause = PAUSE_MIN * 2_u32.pow(failures - 1);
        say(name, format_args!("{status}; again in {pause:?}"));
        runtime::select! {
            () = sleep(pause) => {}
            order = orders.next() => if order != SignalKind::hangup() { return Ok(()) }
        }
    }
}

/// Waits for the end of a child, and passes on what comes meanwhile. Whether it was to end is told too.
async fn attend(child: &mut Child, orders: &mut Orders) -> io::Result<(ExitStatus, bool)> {
    loop {
        let order = runtime::select! {
            status = child.wait() => return Ok((status?, false)),
            order = orders.next() => order,
        };
        child.signal_group(order)?;
        if order != SignalKind::hangup() {
            return Ok((end(child, orders).await?, true));
        }
    }
}

/// Waits for a child that has been told to end, but not for ever.
async fn end(child: &mut Child, orders: &mut Orders) -> io::Result<ExitStatus> {
    let mut grace = sleep(GRACE);
    loop {
        runtime::select! {
            status = child.wait() => return status,
            () = &mut grace => break,
            order = orders.next() => match order == SignalKind::hangup() {
                // No second request: a terminal that goes sends it, and systemd may with SIGTERM.
                true => child.signal_group(order)?,
                false => break,
            },
        }
    }
    child.signal_group(SignalKind::kill())?;
    child.wait().await
}

/// What others want of us. Each task has its own listeners, and every one of them hears everything.
struct Orders {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Orders {
    fn listen() -> io::Result<Orders> {
        Ok(Orders {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> SignalKind {
        runtime::select! {
            _ = self.hangup.recv() => SignalKind::hangup(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
        }
    }
}
