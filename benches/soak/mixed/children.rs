//! Child processes: spoken to, waited for, killed, and left to themselves.

use std::fs::File;
use std::io;
use std::mem::forget;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command as StdCommand, Stdio};
use std::time::Duration;

use runtime::process::Command;
use runtime::task::JoinSet;
use runtime::time::timeout;

use super::plant::Plant;
use super::share::{Share, all};

const CHILDREN: usize = 10;

pub(crate) async fn run(mut share: Share) -> io::Result<()> {
    if Plant::Child.is_in() {
        forget(StdCommand::new("true").spawn()?);
    }
    let mut tasks = JoinSet::new();
    for _ in 0..CHILDREN {
        tasks.spawn(one(share.part()));
    }
    all(tasks).await
}

async fn one(mut share: Share) -> io::Result<()> {
    if Plant::Descriptor.is_in() {
        forget(File::open("/dev/null")?);
    }
    match share.random.below(6) {
        0 => {
            let mut child = cat().spawn()?;
            let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
            let (stdin, stdout) = (stdin.expect("a pipe"), stdout.expect("a pipe"));
            let message = share.bytes(4096);
            stdin.write_all(&message).await?;
            drop(stdin);
            let mut echoed = Vec::new();
            stdout.read_to_end(&mut echoed).await?;
            assert!(echoed == message, "other bytes than were written");
            assert!(child.wait().await?.success());
        }
        1 => {
            let code = share.random.below(256) as i32;
            let status = Command::new("sh").args(["-c", &format!("exit {code}")]).status().await?;
            assert_eq!(status.code(), Some(code));
        }
        2 => {
            let mut child = cat().spawn()?;
            // A wait closes its input, which ends it, soon or after the wait was given up.
            let ended = match timeout(Duration::from_millis(1), child.wait()).await {
                Ok(ended) => ended?,
                Err(_elapsed) => child.wait().await?,
            };
            assert!(ended.success());
        }
        3 => {
            let mut child = cat().spawn()?;
            child.start_kill()?;
            assert_eq!(child.wait().await?.signal(), Some(libc::SIGKILL));
        }
        4 => drop(Command::new("true").spawn()?),
        _ => drop(cat().kill_on_drop(true).spawn()?),
    }
    share.done();
    Ok(())
}

fn cat() -> Command {
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}
