//! `Command`: which program to start, and how.

use std::ffi::OsStr;
use std::future::Future;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child as StdChild, Command as StdCommand, ExitStatus, Output, Stdio};

use runtime_core::epoll::PidFd;
use runtime_core::signal::unix::affects_children;

use super::{Child, reaper};
use crate::error::explain;
use crate::sys;

/// A program to start, with its arguments, environment and standard streams.
///
/// A wrapper of [`std::process::Command`], whose defaults it has, and as tokio's. It can start the same
/// program any number of times.
///
/// ```
/// use runtime::process::Command;
///
/// # runtime::block_on(async {
/// let status = Command::new("sh").args(["-c", "exit 3"]).status().await?;
/// assert_eq!(status.code(), Some(3));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Command {
    std: StdCommand,
    kill_on_drop: bool,
    /// Whether the child undoes, before it runs the program, what is done to signals here.
    restores_signals: bool,
}

impl Command {
    /// A command for a program, which is looked for in `PATH` if it has no slash.
    #[inline]
    pub fn new<S: AsRef<OsStr>>(program: S) -> Command {
        StdCommand::new(program).into()
    }

    /// The standard library's command, to ask it what is set.
    #[inline]
    pub fn as_std(&self) -> &StdCommand {
        &self.std
    }

    /// The standard library's command, to set what has no method here.
    #[inline]
    pub fn as_std_mut(&mut self) -> &mut StdCommand {
        &mut self.std
    }

    /// The standard library's command. [`kill_on_drop`](Self::kill_on_drop) is lost.
    #[inline]
    pub fn into_std(self) -> StdCommand {
        self.std
    }

    /// Adds an argument, which no shell looks at.
    #[inline]
    pub fn arg<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Command {
        self.std.arg(arg);
        self
    }

    /// Adds several arguments.
    #[inline]
    pub fn args<I, S>(&mut self, args: I) -> &mut Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.std.args(args);
        self
    }

    /// What the program sees as its own name, its argument 0, in place of the name it was found by.
    #[inline]
    pub fn arg0<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Command {
        self.std.arg0(arg);
        self
    }

    /// Sets a variable of the child's environment.
    #[inline]
    pub fn env<K, V>(&mut self, key: K, val: V) -> &mut Command
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.std.env(key, val);
        self
    }

    /// Sets several variables of the child's environment.
    #[inline]
    pub fn envs<I, K, V>(&mut self, vars: I) -> &mut Command
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.std.envs(vars);
        self
    }

    /// Takes a variable out of the child's environment, whether it was set here or is inherited.
    #[inline]
    pub fn env_remove<K: AsRef<OsStr>>(&mut self, key: K) -> &mut Command {
        self.std.env_remove(key);
        self
    }

    /// Takes all variables out of the child's environment, those that are inherited too.
    #[inline]
    pub fn env_clear(&mut self) -> &mut Command {
        self.std.env_clear();
        self
    }

    /// The child's working directory. Whether a relative path of a program starts there is not said: give
    /// an absolute one.
    #[inline]
    pub fn current_dir<P: AsRef<Path>>(&mut self, dir: P) -> &mut Command {
        self.std.current_dir(dir);
        self
    }

    /// The child's standard input. If nothing is said it is inherited.
    #[inline]
    pub fn stdin<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Command {
        self.std.stdin(cfg);
        self
    }

    /// The child's standard output. If nothing is said it is inherited by [`spawn`](Self::spawn) and
    /// [`status`](Self::status), and a pipe for [`output`](Self::output).
    #[inline]
    pub fn stdout<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Command {
        self.std.stdout(cfg);
        self
    }

    /// The child's standard error. As [`stdout`](Self::stdout).
    #[inline]
    pub fn stderr<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Command {
        self.std.stderr(cfg);
        self
    }

    /// Whether a [`Child`] that is dropped, also by way of the future of [`status`](Self::status) or
    /// [`output`](Self::output), is killed (SIGKILL) if it has not ended by then. It is not by default.
    ///
    /// The child alone is killed, not what it has started: see [`Child::signal_group`] for those.
    #[inline]
    pub fn kill_on_drop(&mut self, kill_on_drop: bool) -> &mut Command {
        self.kill_on_drop = kill_on_drop;
        self
    }

    /// What was given to [`kill_on_drop`](Self::kill_on_drop).
    #[inline]
    pub fn get_kill_on_drop(&self) -> bool {
        self.kill_on_drop
    }

    /// The child's user. Without the privilege to set it, spawning fails.
    #[inline]
    pub fn uid(&mut self, id: u32) -> &mut Command {
        self.std.uid(id);
        self
    }

    /// The child's group, in the sense of users' groups. Without the privilege to set it, spawning
    /// fails.
    #[inline]
    pub fn gid(&mut self, id: u32) -> &mut Command {
        self.std.gid(id);
        self
    }

    /// The process group that the child joins; 0 makes it the leader of one of its own.
    ///
    /// Then Ctrl-C at the terminal does not reach it any more, and [`Child::signal_group`] reaches it
    /// with all that it starts.
    #[inline]
    pub fn process_group(&mut self, pgroup: i32) -> &mut Command {
        self.std.process_group(pgroup);
        self
    }

    /// Starts the program.
    ///
    /// It needs no runtime; waiting for the child does. The child can be waited for on any thread and in
    /// any runtime.
    ///
    /// # Errors
    ///
    /// The text names the program; the source is the system's error.
    ///
    /// - [`NotFound`](io::ErrorKind::NotFound): there is no such program, or no such directory to start
    ///   it in. [`PermissionDenied`](io::ErrorKind::PermissionDenied): it may not be run.
    /// - [`WouldBlock`](io::ErrorKind::WouldBlock): the limit of processes is reached.
    /// - The process or the system has no descriptor left. A child takes one until it is reaped, and one
    ///   for each pipe.
    /// - [`Unsupported`](io::ErrorKind::Unsupported): the kernel is older than Linux 5.4. Nothing has been
    ///   started then.
    #[inline]
    pub fn spawn(&mut self) -> io::Result<Child> {
        self.spawn_with(StdCommand::spawn)
    }

    /// As [`spawn`](Self::spawn), where a function of the caller's starts the child.
    ///
    /// ```
    /// use runtime::process::Command;
    ///
    /// # runtime::block_on(async {
    /// let mut child = Command::new("true").spawn_with(|command| {
    ///     println!("starting {:?}", command.get_program());
    ///     command.spawn()
    /// })?;
    /// assert!(child.wait().await?.success());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn), and those of `with`.
    #[inline]
    pub fn spawn_with(
        &mut self,
        with: impl FnOnce(&mut StdCommand) -> io::Result<StdChild>,
    ) -> io::Result<Child> {
        reaper::adopt_orphans();
        // Whether the kernel can do it is found out before anything is started, and the descriptor is
        // kept until then: it is the one that the child's pidfd takes.
        let room = PidFd::open(std::process::id()).and_then(supports_waiting);
        let room = room.map_err(|error| self.explain(error))?;
        if affects_children() {
            self.restore_signals();
        }
        let child = with(&mut self.std).map_err(|error| self.explain(error))?;
        drop(room);
        Child::new(child, self.kill_on_drop)
    }

    /// Starts the program (now, not at the first poll) and waits until it has ended.
    ///
    /// Pipes to the child are closed at once.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn), and as [`Child::wait`].
    ///
    /// # Cancel safety
    ///
    /// The child runs on if the future is dropped, unless [`kill_on_drop`](Self::kill_on_drop) says
    /// otherwise; its status is lost.
    #[inline]
    pub fn status(&mut self) -> impl Future<Output = io::Result<ExitStatus>> + use<> {
        let child = self.spawn();
        async {
            let mut child = child?;
            drop((child.stdin.take(), child.stdout.take(), child.stderr.take()));
            child.wait().await
        }
    }

    /// Starts the program (now, not at the first poll), waits until it has ended, and collects what it
    /// writes to its standard output and error, which become pipes, whatever they were before.
    ///
    /// The standard input is inherited, if nothing else was said; that of std's `output` is not.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn), and as [`Child::wait_with_output`].
    ///
    /// # Cancel safety
    ///
    /// As [`status`](Self::status); what was collected is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # runtime::block_on(async {
    /// let output = runtime::process::Command::new("uname").output().await?;
    /// assert_eq!(output.stdout, b"Linux\n");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[inline]
    pub fn output(&mut self) -> impl Future<Output = io::Result<Output>> + use<> {
        self.std.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.spawn();
        async { child?.wait_with_output().await }
    }

    /// Has the children undo, from now on, what is done to signals here.
    #[inline]
    pub(crate) fn restore_signals(&mut self) {
        if !self.restores_signals {
            sys::restore_signals(&mut self.std);
            self.restores_signals = true;
        }
    }

    #[inline]
    fn explain(&self, error: io::Error) -> io::Error {
        let program = self.std.get_program();
        let place = match self.std.get_current_dir() {
            Some(dir) => format!(" in {dir:?}"),
            None => String::new(),
        };
        match sys::exhausted_by_spawning(&error) {
            Some(what) => explain(error, format_args!("starting {program:?}{place}: {what}")),
            None => explain(error, format_args!("starting {program:?}{place}")),
        }
    }
}

impl From<StdCommand> for Command {
    #[inline]
    fn from(std: StdCommand) -> Command {
        Command { std, kill_on_drop: false, restores_signals: false }
    }
}

/// Linux 5.3 could open a pidfd, but not wait by it. On what it is asked about here, which is not a
/// child, newer ones have nothing to wait for.
#[inline]
fn supports_waiting(this_process: PidFd) -> io::Result<PidFd> {
    match this_process.try_wait() {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            Err(io::Error::new(io::ErrorKind::Unsupported, error))
        }
        _ => Ok(this_process),
    }
}
