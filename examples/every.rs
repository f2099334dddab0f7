//! Runs a program again and again, at a steady period.
//!
//! Type `cargo run -q --example every -- 2 date`. The first run is at once, then one every two seconds,
//! whatever the run itself takes; if one takes longer, the periods that it has missed are left out. Ctrl-C
//! ends it, and the run under way with it.

use std::env;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use runtime::process::Command;
use runtime::signal::ctrl_c;
use runtime::time::interval;

#[runtime::main]
async fn main() -> io::Result<ExitCode> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [period, program, args @ ..] = &args[..] else { return Ok(usage()) };
    let period = period.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let Some(period) = period.filter(|period| !period.is_zero()) else { return Ok(usage()) };
    let mut command = Command::new(program);
    // For a run whose future is dropped on Ctrl-C.
    command.args(args).kill_on_drop(true);
    runtime::select! {
        biased; // listens for Ctrl-C before the first run
        pressed = ctrl_c() => pressed.map(|()| ExitCode::SUCCESS),
        error = run(&mut command, period) => Err(error),
    }
}

/// Runs the program at each tick, until it cannot be started.
async fn run(command: &mut Command, period: Duration) -> io::Error {
    let mut ticks = interval(period);
    loop {
        ticks.tick().await;
        match command.status().await {
            Ok(status) if status.success() => {}
            Ok(status) => eprintln!("every: {status}"),
            Err(error) => return error,
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: every SECONDS PROGRAM [ARGUMENT...]");
    ExitCode::from(2)
}
