//! A filter: numbers the lines of its input.
//!
//! Type `ls | cargo run -q --example number`, or put `| head -n 3` behind it too. At a terminal type
//! lines, and Ctrl-D at the end. If nothing comes for five seconds it says so on stderr, which a thread
//! that blocks in a read could not.

use std::io::{self, ErrorKind};
use std::time::Duration;

use runtime::io::{stderr, stdin, stdout};
use runtime::time::timeout;

const PATIENCE: Duration = Duration::from_secs(5);

#[runtime::main]
async fn main() -> io::Result<()> {
    match number().await {
        // Whoever reads this has had enough. That is the custom's end for a filter, and no failure.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

async fn number() -> io::Result<()> {
    let mut lines = stdin().lines();
    let stdout = stdout();
    let mut number = 0;
    loop {
        // A timeout drops the future of the next line: what has come of the line stays with `lines`.
        let Ok(line) = timeout(PATIENCE, lines.next_line()).await else {
            stderr().write_all(b"(waiting)\n").await?;
            continue;
        };
        let Some(line) = line? else { return Ok(()) };
        number += 1;
        stdout.write_all(format!("{number:6}  {line}\n").as_bytes()).await?;
    }
}
