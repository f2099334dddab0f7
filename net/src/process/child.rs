//! `Child`: a process that was started, until its status is known.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::process::{Child as StdChild, ExitStatus, Output};
use std::task::Poll;

use runtime_core::Handle;
use runtime_core::epoll::PidFd;
use runtime_core::signal::unix::SignalKind;

use super::reaper::{self, Unreaped};
use super::{ChildStderr, ChildStdin, ChildStdout};
use crate::error::explain;
use crate::sys;

/// A child process.
///
/// Dropped, it runs on, unless [`Command::kill_on_drop`](super::Command::kill_on_drop) says otherwise, and
/// leaves no zombie: see the [module](super).
///
/// The futures here and the pipes are `Send`: they need not stay where the child was spawned.
///
/// # Examples
///
/// ```
/// use std::process::Stdio;
/// use runtime::process::Command;
///
/// # runtime::block_on(async {
/// let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
/// assert!(child.id().is_some() && child.try_wait()?.is_none());
/// child.stdin.take().expect("it is piped").write_all(b"hello").await?;
/// let output = child.wait_with_output().await?;
/// assert!(output.status.success());
/// assert_eq!(output.stdout, b"hello");
///
/// let mut child = Command::new("sleep").arg("1000").spawn()?;
/// child.kill().await?; // and has waited for it
/// assert!(!child.wait().await?.success());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Child {
    exit: Exit,
    /// To write to the child's standard input, if that is a pipe.
    pub stdin: Option<ChildStdin>,
    /// To read the child's standard output, if that is a pipe.
    pub stdout: Option<ChildStdout>,
    /// To read the child's standard error, if that is a pipe.
    pub stderr: Option<ChildStderr>,
}

enum Exit {
    Awaited(Awaited),
    Known(ExitStatus),
}

/// What `Child` drops if its status is not known: it is no `Drop` itself, so that its pipes can be moved
/// out of it.
struct Awaited {
    /// There until it is dropped, or its status known.
    child: Option<Unreaped>,
    kill_on_drop: bool,
    /// The runtime it was spawned in.
    home: Option<Handle>,
}

impl Child {
    #[inline]
    pub(super) fn new(mut std: StdChild, kill_on_drop: bool) -> io::Result<Child> {
        match Child::watch(&mut std, kill_on_drop) {
            Ok(child) => Ok(child),
            Err(error) => Err(give_up(std, error)),
        }
    }

    #[inline]
    fn watch(std: &mut StdChild, kill_on_drop: bool) -> io::Result<Child> {
        let stdin = std.stdin.take().map(ChildStdin::from_std).transpose()?;
        let stdout = std.stdout.take().map(ChildStdout::from_std).transpose()?;
        let stderr = std.stderr.take().map(ChildStderr::from_std).transpose()?;
        // Last: what fails after it would have to stop the child's reaping.
        let child = Unreaped::new(PidFd::open(std.id())?, std.id());
        let home = Handle::try_current().ok();
        let exit = Exit::Awaited(Awaited { child: Some(child), kill_on_drop, home });
        Ok(Child { exit, stdin, stdout, stderr })
    }

    /// The child, as long as its id is its own.
    #[inline]
    fn unreaped(&self) -> Option<&Unreaped> {
        match &self.exit {
            Exit::Awaited(awaited) => Some(awaited.child()),
            Exit::Known(_) => None,
        }
    }

    #[inline]
    fn ended(&mut self, status: ExitStatus) {
        if let Exit::Awaited(awaited) = &mut self.exit {
            awaited.child = None;
        }
        self.exit = Exit::Known(status);
    }

    /// The child's process id; `None` once its status is known here, as the id may be another's then.
    #[inline]
    pub fn id(&self) -> Option<u32> {
        self.unreaped().map(Unreaped::pid)
    }

    /// The child's descriptor, for a loop of one's own: readable once the child has ended. `None` once its
    /// status is known here.
    ///
    /// Take the status by the methods of `Child` alone.
    #[inline]
    pub fn pidfd(&self) -> Option<&PidFd> {
        self.unreaped().map(Unreaped::pidfd)
    }

    /// Sends a signal to the child.
    ///
    /// It goes by the child's descriptor: it never reaches another process that got the same id.
    ///
    /// ```
    /// use std::os::unix::process::ExitStatusExt;
    ///
    /// use runtime::process::Command;
    /// use runtime::signal::unix::SignalKind;
    ///
    /// # runtime::block_on(async {
    /// let mut child = Command::new("sleep").arg("100").spawn()?;
    /// child.signal(SignalKind::terminate())?;
    /// assert_eq!(child.wait().await?.signal(), Some(15));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): the child has ended and its status is known
    ///   here, or there is no such signal. (That a child has ended is no error before.)
    /// - [`PermissionDenied`](io::ErrorKind::PermissionDenied): the child is of another user by now.
    #[inline]
    pub fn signal(&self, kind: SignalKind) -> io::Result<()> {
        self.unreaped().ok_or_else(|| has_ended(kind))?.pidfd().send_signal(kind)
    }

    /// Sends a signal to the process group that the child leads: to the child and to all that it has
    /// started, and these in turn, but for those who left the group.
    ///
    /// For that it must have been started with
    /// [`process_group(0)`](super::Command::process_group). Do it before the child's status is taken:
    /// after that, nobody knows whose the group's number is.
    ///
    /// ```
    /// use std::process::Stdio;
    ///
    /// use runtime::process::Command;
    /// use runtime::signal::unix::SignalKind;
    ///
    /// # runtime::block_on(async {
    /// let script = "sleep 100 & sleep 100 & echo started; wait";
    /// let mut shell = Command::new("sh");
    /// shell.args(["-c", script]).process_group(0).stdout(Stdio::piped());
    /// let mut child = shell.spawn()?;
    /// let stdout = child.stdout.take().expect("it is piped");
    /// stdout.read(&mut [0; 16]).await?;
    /// child.signal_group(SignalKind::terminate())?;
    /// // The end of the output: nobody is left to write.
    /// assert_eq!(stdout.read(&mut [0; 16]).await?, 0);
    /// assert!(!child.wait().await?.success());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`signal`](Self::signal), and `InvalidInput` if the child leads no group.
    #[inline]
    pub fn signal_group(&self, kind: SignalKind) -> io::Result<()> {
        let pid = self.unreaped().ok_or_else(|| has_ended(kind))?.pid();
        sys::signal_group(pid, kind.as_raw_value()).map_err(|error| {
            if sys::is_no_such_process(&error) {
                let text = format!(
                    "sending {kind} to a group: the child {pid} leads none; start it with process_group(0)"
                );
                return io::Error::new(io::ErrorKind::InvalidInput, text);
            }
            explain(error, format_args!("sending {kind} to the group of the child {pid}"))
        })
    }

    /// Kills the child (SIGKILL) and does not wait until it has ended. Nothing is done if its status is
    /// known here.
    ///
    /// # Errors
    ///
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) if the child is of another user by now.
    #[inline]
    pub fn start_kill(&mut self) -> io::Result<()> {
        match self.unreaped() {
            Some(child) => child.pidfd().send_signal(SignalKind::kill()),
            None => Ok(()),
        }
    }

    /// Kills the child (SIGKILL) and waits until it has ended.
    ///
    /// # Errors
    ///
    /// As [`start_kill`](Self::start_kill) and [`wait`](Self::wait).
    ///
    /// # Cancel safety
    ///
    /// The signal is sent by the first poll.
    #[inline]
    pub async fn kill(&mut self) -> io::Result<()> {
        self.start_kill()?;
        self.wait().await.map(|_| ())
    }

    /// Waits until the child has ended, and returns its status, at every later call too.
    ///
    /// The standard input is closed before, so that a child that reads all of it can end. To close it at
    /// another time, take it out of [`stdin`](Self::stdin).
    ///
    /// # Errors
    ///
    /// - Somebody else has taken the status: this process ignores SIGCHLD, or waits for any child
    ///   somewhere.
    /// - It has to wait, and there is no runtime on this thread, or the runtime has no descriptor
    ///   left.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: the next call has the status. The standard input stays closed.
    #[inline]
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        let status = match &mut self.exit {
            Exit::Known(status) => return Ok(*status),
            Exit::Awaited(awaited) => awaited.child_mut().wait().await?,
        };
        self.ended(status);
        Ok(status)
    }

    /// The child's status if it has ended; `None` while it runs. The standard input stays open.
    ///
    /// # Errors
    ///
    /// If somebody else has taken the status, as [`wait`](Self::wait).
    #[inline]
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = match &self.exit {
            Exit::Known(status) => return Ok(Some(*status)),
            Exit::Awaited(awaited) => awaited.child().try_wait()?,
        };
        if let Some(status) = status {
            self.ended(status);
        }
        Ok(status)
    }

    /// Reads what the child writes to its standard output and error, where they are pipes, both at the
    /// same time, up to the end of both; then waits until the child has ended.
    ///
    /// The standard input is closed before. Who has inherited the pipes from the child keeps them open: it
    /// then takes until these have ended too.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), and those of read(2).
    ///
    /// # Cancel safety
    ///
    /// What was read is lost, and the child is dropped with the future.
    #[inline]
    pub async fn wait_with_output(mut self) -> io::Result<Output> {
        drop(self.stdin.take());
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let (out, err) = (self.stdout.take(), self.stderr.take());
        let read_stdout = async {
            match &out {
                Some(out) => out.read_to_end(&mut stdout).await,
                None => Ok(0),
            }
        };
        let read_stderr = async {
            match &err {
                Some(err) => err.read_to_end(&mut stderr).await,
                None => Ok(0),
            }
        };
        both(read_stdout, read_stderr).await?;
        let status = self.wait().await?;
        Ok(Output { status, stdout, stderr })
    }
}

const TAKEN_AT_THE_END: &str = "the child is taken when this is dropped or replaced";

impl Awaited {
    #[inline]
    fn child(&self) -> &Unreaped {
        self.child.as_ref().expect(TAKEN_AT_THE_END)
    }

    #[inline]
    fn child_mut(&mut self) -> &mut Unreaped {
        self.child.as_mut().expect(TAKEN_AT_THE_END)
    }
}

impl Drop for Awaited {
    #[inline]
    fn drop(&mut self) {
        if let Some(child) = self.child.take().filter(Unreaped::is_ours) {
            if self.kill_on_drop {
                // An error says that it has ended, or is another user's: there is nothing to do.
                let _ = child.pidfd().send_signal(SignalKind::kill());
            }
            reaper::abandon(child, self.home.take());
        }
    }
}

impl fmt::Debug for Exit {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Awaited(awaited) => write!(f, "Awaited(pid {})", awaited.child().pid()),
            Exit::Known(status) => write!(f, "Known({status})"),
        }
    }
}

/// What becomes of a child that was started, but cannot be watched, because of `error`.
#[cold]
fn give_up(mut std: StdChild, error: io::Error) -> io::Error {
    let pid = std.id();
    match std.try_wait() {
        Ok(None) => {
            let _ = std.kill();
            let _ = std.wait();
            explain(error, format_args!("the child {pid} was started, and killed again, unwatched"))
        }
        Ok(Some(status)) => {
            explain(error, format_args!("the child {pid} has ended unwatched, {status}"))
        }
        Err(lost) => explain(
            lost,
            format_args!(
                "the child {pid} was started, but its status cannot be known: SIGCHLD is ignored here, or \
                 somebody waits for any child; give SIGCHLD its default action, and wait for children \
                 one by one"
            ),
        ),
    }
}

#[cold]
fn has_ended(kind: SignalKind) -> io::Error {
    let text = format!("sending {kind} to a child that has ended, and whose status was taken");
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// Does both at the same time, up to the first error.
#[inline]
async fn both<A, B>(a: A, b: B) -> io::Result<()>
where
    A: Future<Output = io::Result<usize>>,
    B: Future<Output = io::Result<usize>>,
{
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut a_is_done, mut b_is_done) = (false, false);
    poll_fn(|cx| {
        if !a_is_done {
            a_is_done = a.as_mut().poll(cx)?.is_ready();
        }
        if !b_is_done {
            b_is_done = b.as_mut().poll(cx)?.is_ready();
        }
        if a_is_done && b_is_done { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}
