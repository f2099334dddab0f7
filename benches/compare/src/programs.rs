//! The peers' programs: built, started on a processor of their own, and listened to.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use std::{io, mem, thread};

use anyhow::{Context, Result, bail};
use program::Workload;

use crate::peers::Peer;

/// The processors of the two sides.
pub(crate) const PROGRAM_PROCESSOR: usize = 0;
pub(crate) const CLIENT_PROCESSOR: usize = 1;

/// No run takes longer: a program that hangs is ended, and its figure missing.
const LIMIT: Duration = Duration::from_secs(60);

/// A peer with what cargo made of its package.
pub(crate) struct Program {
    pub(crate) peer: &'static Peer,
    pub(crate) path: PathBuf,
}

/// Builds the peers' packages in cargo's release profile, one by one: together, the features that
/// one of them asks of a dependency would be the others' as well.
pub(crate) fn build(peers: &[&'static Peer]) -> Result<Vec<Program>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut programs = Vec::new();
    for &peer in peers {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--release", "--quiet", "--package", peer.package]).current_dir(here);
        if !cargo.status()?.success() {
            bail!("cargo does not build {}", peer.package);
        }
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or(here.join("target"), PathBuf::from);
        programs.push(Program { peer, path: target.join("release").join(peer.package) });
    }
    Ok(programs)
}

impl Program {
    /// The words that make it do `workload`.
    pub(crate) fn args(&self, workload: Workload) -> Vec<String> {
        let flavor = self.peer.flavor.map(|flavor| format!("on={flavor}"));
        workload.to_args().into_iter().chain(flavor).collect()
    }

    /// Starts it on its processor.
    pub(crate) fn start(&self, workload: Workload) -> Result<Running> {
        let mut command = Command::new(&self.path);
        command.args(self.args(workload));
        Running::start(command)
    }

    /// Runs it to its end, and returns what it printed; `Err` within says why it cannot do this.
    pub(crate) fn run(&self, workload: Workload) -> Result<Result<Printed, String>> {
        let what = || format!("{} {:?}", self.peer.name, workload);
        let mut running = self.start(workload).with_context(what)?;
        running.finish().with_context(what)
    }
}

/// A program that has been started. Dropping it ends it.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

/// What a program said: a number for each name.
pub(crate) type Printed = HashMap<String, f64>;

impl Running {
    fn start(mut command: Command) -> Result<Running> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        // SAFETY: between fork and exec only system calls are made.
        unsafe { command.pre_exec(|| pin(PROGRAM_PROCESSOR)) };
        let mut child = command.spawn()?;
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let running = Running { child, stdout };
        running.end_after(LIMIT)?;
        Ok(running)
    }

    /// Has a pidfd's thread kill it when time is up, so that nothing here can hang.
    fn end_after(&self, limit: Duration) -> Result<()> {
        // SAFETY: no pointer is passed.
        let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, self.child.id(), 0) } as i32;
        if pidfd < 0 {
            return Err(io::Error::last_os_error()).context("pidfd_open");
        }
        thread::spawn(move || {
            let mut ended = libc::pollfd { fd: pidfd, events: libc::POLLIN, revents: 0 };
            // SAFETY: `ended` is one pollfd that outlives the calls; the pidfd is this thread's own.
            unsafe {
                if libc::poll(&mut ended, 1, limit.as_millis() as i32) == 0 {
                    eprintln!("a program took longer than {limit:?} and is ended");
                    libc::syscall(libc::SYS_pidfd_send_signal, pidfd, libc::SIGKILL, 0, 0);
                }
                libc::close(pidfd);
            }
        });
        Ok(())
    }

    /// The port that a server says it listens at; `Err` within says why it cannot serve this.
    pub(crate) fn port(&mut self) -> Result<Result<u16, String>> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        match line.trim().split_once(' ') {
            Some(("port", port)) => Ok(Ok(port.parse()?)),
            Some(("cannot", reason)) => Ok(Err(reason.to_owned())),
            _ => bail!("the program ended without a port: {line:?}"),
        }
    }

    fn finish(&mut self) -> Result<Result<Printed, String>> {
        let mut printed = String::new();
        self.stdout.read_to_string(&mut printed)?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the program ended with {status}");
        }
        let mut figures = Printed::new();
        for line in printed.lines() {
            match line.split_once(' ') {
                Some(("cannot", reason)) => return Ok(Err(reason.to_owned())),
                Some((name, value)) => figures.insert(name.to_owned(), value.parse()?),
                None => bail!("not a name and a number: {line:?}"),
            };
        }
        Ok(Ok(figures))
    }

    /// Processor time of the program so far, all threads, in nanoseconds.
    pub(crate) fn cpu_ns(&self) -> Result<u64> {
        let mut clock = 0;
        // SAFETY: a timespec is integers, for which zeros are valid.
        let mut now: libc::timespec = unsafe { mem::zeroed() };
        // SAFETY: `clock` and `now` are what the calls fill.
        let failed = unsafe {
            let failed = libc::clock_getcpuclockid(self.child.id() as i32, &mut clock);
            failed != 0 || libc::clock_gettime(clock, &mut now) != 0
        };
        if failed {
            bail!("the program has ended, its processor clock with it");
        }
        Ok(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps the calling thread on one processor.
pub(crate) fn pin(processor: usize) -> io::Result<()> {
    // SAFETY: a cpu_set_t is integers, for which zeros are valid; its size is passed.
    unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        if libc::sched_setaffinity(0, mem::size_of_val(&set), &set) < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
