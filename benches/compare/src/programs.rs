//! The peers' programs: built, started on a processor of their own, and listened to.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io, mem, thread};

use anyhow::{Context, Result, bail};
use program::Workload;

use crate::peers::Peer;
use crate::results::Profile;

/// The processors of the two sides.
pub(crate) const PROGRAM_PROCESSOR: usize = 0;
pub(crate) const CLIENT_PROCESSOR: usize = 1;

/// No run takes longer: a program that hangs is ended, and its figure missing.
const LIMIT: Duration = Duration::from_secs(40);
/// How long a server may take to go to sleep; one that never does is not waited for.
const SETTLING: Duration = Duration::from_millis(20);

/// A peer with what cargo made of its package.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) peer: &'static Peer,
    pub(crate) profile: Profile,
    /// Or why there is none.
    path: Answer<PathBuf>,
    /// Of [`Peer::more`].
    more: Option<Answer<PathBuf>>,
}

/// What a program said: a number for each name.
pub(crate) type Printed = BTreeMap<String, f64>;

/// A run of a program: what it said, or that it cannot do this, and why.
pub(crate) type Answer<T> = Result<T, String>;

/// Builds the peers' packages, one by one: together, the features that one of them asks of a
/// dependency would be the others' as well.
pub(crate) fn build(peers: &[&'static Peer], profile: Profile) -> Result<Vec<Program>> {
    let mut built = BTreeMap::new();
    let mut build_once = |package| -> Result<Answer<PathBuf>> {
        if let Some(path) = built.get(package) {
            return Ok(Answer::clone(path));
        }
        let path = build_package(package, profile)?;
        built.insert(package, path.clone());
        Ok(path)
    };
    let mut programs = Vec::new();
    for &peer in peers {
        let path = build_once(peer.package)?;
        // None of the rows for which there is fat LTO needs more.
        let more = peer.more.filter(|_| profile == Profile::Release);
        let more = more.map(&mut build_once).transpose()?;
        programs.push(Program { peer, profile, path, more });
    }
    Ok(programs)
}

pub(crate) fn build_package(package: &str, profile: Profile) -> Result<Answer<PathBuf>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--profile", profile.name(), "--package", package]);
    if !cargo.current_dir(here).status()?.success() {
        return Ok(Err("cargo does not build it here".into()));
    }
    Ok(Ok(target().join(profile.name()).join(package)))
}

/// Where cargo puts what it makes.
pub(crate) fn target() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::env::var_os("CARGO_TARGET_DIR").map_or(here.join("target"), PathBuf::from)
}

/// Where a program runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    pub(crate) processor: usize,
    /// Does not interrupt others when it is woken: a client on the same processor goes on until it sleeps.
    pub(crate) polite: bool,
}

impl Program {
    /// A command that runs it, by itself or below a tool, which is the command's beginning.
    pub(crate) fn command(&self, tool: &[&str], workload: Workload) -> Answer<Command> {
        let more = self.more.as_ref().filter(|_| Peer::is_more(workload));
        let path = more.unwrap_or(&self.path).as_ref().map_err(String::clone)?;
        let mut command = match tool.split_first() {
            None => Command::new(path),
            Some((tool, args)) => {
                let mut command = Command::new(tool);
                command.args(args).arg(path);
                command
            }
        };
        command.args(workload.to_args());
        command.args(self.peer.flavor.map(|flavor| format!("on={flavor}")));
        // `cargo run` sets it, and the dynamic linker would look for every library in all of its folders.
        command.env_remove("LD_LIBRARY_PATH");
        Ok(command)
    }

    /// Starts it on its processor.
    pub(crate) fn start(&self, workload: Workload) -> Result<Answer<Running>> {
        match self.command(&[], workload) {
            Ok(command) => Running::start(command).map(Ok),
            Err(reason) => Ok(Err(reason)),
        }
    }

    /// Runs it to its end, and returns what it printed.
    pub(crate) fn run(&self, workload: Workload) -> Result<Answer<Printed>> {
        match self.start(workload)? {
            Ok(mut running) => running.finish(),
            Err(reason) => Ok(Err(reason)),
        }
    }
}

/// A program that has been started. Dropping it ends it.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn start(command: Command) -> Result<Running> {
        Running::start_on(command, Seat { processor: PROGRAM_PROCESSOR, polite: false })
    }

    pub(crate) fn start_on(mut command: Command, seat: Seat) -> Result<Running> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        // SAFETY: between fork and exec only system calls are made.
        unsafe { command.pre_exec(move || seat.take()) };
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

    /// The port that a server says it listens at.
    pub(crate) fn port(&mut self) -> Result<Answer<u16>> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        match line.trim().split_once(' ') {
            Some(("port", port)) => Ok(Ok(port.parse()?)),
            Some(("cannot", reason)) => Ok(Err(reason.to_owned())),
            _ => bail!("the program ended without a port: {line:?}"),
        }
    }

    /// Waits for its end, and returns what it printed.
    pub(crate) fn finish(&mut self) -> Result<Answer<Printed>> {
        let mut printed = String::new();
        self.stdout.read_to_string(&mut printed)?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the program ended with {status}");
        }
        parse(&printed)
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) -> Result<()> {
        self.signal(libc::SIGTERM)
    }

    /// Ends it, whatever it does.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What is said of errors until the end, where stderr is piped.
    pub(crate) fn errors(&mut self) -> Result<String> {
        let mut said = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            stderr.read_to_string(&mut said)?;
        }
        self.child.wait()?;
        Ok(said)
    }

    /// Stops it where it is. What its clients do from now on is nothing to it.
    pub(crate) fn freeze(&self) -> Result<()> {
        self.signal(libc::SIGSTOP)
    }

    fn signal(&self, signal: i32) -> Result<()> {
        // SAFETY: no pointer is passed; the child has not been waited for, so the id is its own.
        if unsafe { libc::kill(self.child.id() as i32, signal) } < 0 {
            return Err(io::Error::last_os_error()).context("a signal to the program");
        }
        Ok(())
    }

    /// Waits until all its threads sleep, but not for ever.
    pub(crate) fn settle(&self) -> Result<()> {
        let start = Instant::now();
        while !self.sleeps()? && start.elapsed() < SETTLING {
            thread::sleep(Duration::from_micros(20));
        }
        Ok(())
    }

    /// Processor time of the program so far, all threads, in nanoseconds.
    ///
    /// Of a thread that runs at this moment the kernel tells what it had at the last tick: let it settle first.
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

    /// Bytes of the program that lie in memory now.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.child.id()))?;
        let pages = statm.split(' ').nth(1).context("statm has a second field")?;
        Ok(pages.parse::<u64>()? * 4096)
    }

    /// Whether all its threads sleep, as far as the kernel can say.
    fn sleeps(&self) -> Result<bool> {
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let stat = fs::read_to_string(thread?.path().join("stat"))?;
            // The state follows the name, which may itself have parentheses.
            let state = stat.rsplit(") ").next().unwrap_or_default();
            if !state.starts_with('S') {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

fn parse(printed: &str) -> Result<Answer<Printed>> {
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

impl Seat {
    /// Moves the calling thread there.
    pub(crate) fn take(self) -> io::Result<()> {
        pin(self.processor)?;
        let policy = if self.polite { libc::SCHED_BATCH } else { libc::SCHED_OTHER };
        // SAFETY: a sched_param is integers, for which zeros are valid; it lives during the call.
        unsafe {
            let param: libc::sched_param = mem::zeroed();
            if libc::sched_setscheduler(0, policy, &param) < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
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

/// Lets this process and its programs have as many files open as may be.
pub(crate) fn raise_file_limit() -> io::Result<()> {
    // SAFETY: an rlimit is integers, for which zeros are valid; both calls get one that lives.
    unsafe {
        let mut limit: libc::rlimit = mem::zeroed();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) < 0 {
            return Err(io::Error::last_os_error());
        }
        limit.rlim_cur = limit.rlim_max;
        if libc::setrlimit(libc::RLIMIT_NOFILE, &limit) < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_prints_is_numbers_or_a_reason() {
        let printed = parse("cpu_ns 12\nwall_ns 13.5\n").unwrap().unwrap();
        assert_eq!(printed, Printed::from([("cpu_ns".into(), 12.0), ("wall_ns".into(), 13.5)]));
        assert_eq!(parse("cannot it has no timers\n").unwrap(), Err("it has no timers".into()));
        assert!(parse("cpu_ns\n").is_err() && parse("cpu_ns many\n").is_err());
    }
}
