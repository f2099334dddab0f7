//! A filter: numbers the lines of its input.
//!
//! Type `ls | cargo run -q --example number`, or put `| head -n 3` behind it too. At a terminal type
//! lines, and Ctrl-D at the end. If nothing comes for five seconds it says so on stderr, which a thread
//! that blocks in a read could not. On Ctrl-C it says how far it came.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::process::ExitCode;
use std::time::Duration;

use runtime::io::{stderr, stdin, stdout};
use runtime::signal::ctrl_c;
use runtime::time::timeout;

const PATIENCE: Duration = Duration::from_secs(5);

#[runtime::main]
async fn main() -> io::Result<ExitCode> {
    let count = Cell::new(0);
    let outcome = runtime::select! {
        biased; // listens for Ctrl-C before the first line is read
        // This drops `number` wherever it waits, also for somebody to read what it writes.
        pressed = ctrl_c() => {
            pressed?;
            stderr().write_all(format!("({} lines)\n", count.get()).as_bytes()).await?;
            return Ok(ExitCode::from(130)); // as a shell has it
        }
        outcome = number(&count) => outcome,
    };
    match outcome {
        // Whoever reads this has had enough. That is the custom's end for a filter, and no failure.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        outcome => outcome.map(|()| ExitCode::SUCCESS),
    }
}

async fn number(count: &Cell<u32>) -> io::Result<()> {
    let mut lines = stdin().lines();
    let stdout = stdout();
    loop {
        // A timeout drops the future of the next line: what has come of the line stays with `lines`.
        let Ok(line) = timeout(PATIENCE, lines.next_line()).await else {
            stderr().write_all(b"(waiting)\n").await?;
            continue;
        };
        let Some(line) = line? else { return Ok(()) };
        let number = count.get() + 1;
        stdout.write_all(format!("{number:6}  {line}\n").as_bytes()).await?;
        count.set(number);
    }
}
