//! An example that runs: what is typed, what it prints and says, which signals it gets, how it ends.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::time_factor;

/// More than anything here takes on a loaded machine.
pub(crate) fn limit() -> Duration {
    Duration::from_secs(240) * time_factor()
}

/// Where cargo has built an example.
pub(crate) fn path(name: &str) -> PathBuf {
    let test = env::current_exe().expect("the path of this test");
    let built = test.parent().and_then(|deps| deps.parent()).expect("target/PROFILE");
    built.join("examples").join(name)
}

/// An example with nothing to read, and pipes for what it writes.
pub(crate) fn command(name: &str) -> Command {
    let mut command = Command::new(path(name));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// An example that runs, and is killed when this is dropped.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    /// Its lines.
    pub(crate) stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Program {
    pub(crate) fn start(name: &str, args: &[&str]) -> Program {
        Program::of(command(name).args(args))
    }

    /// Starts what was made by `command`.
    pub(crate) fn of(command: &mut Command) -> Program {
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("{command:?}: {error}; `cargo build --examples` makes it")
        });
        let stdin = child.stdin.take();
        let stdout = lines(child.stdout.take().expect("it is piped"));
        let stderr = lines(child.stderr.take().expect("it is piped"));
        Program { child, stdin, stdout, stderr }
    }

    /// Starts a server on a free port, and reads from its first line which one that is.
    pub(crate) fn serve(name: &str, args: &[&str]) -> (Program, SocketAddr) {
        let server = Program::start(name, &[&["127.0.0.1:0"], args].concat());
        let address = server.address();
        (server, address)
    }

    /// Where it listens, which its next line says.
    pub(crate) fn address(&self) -> SocketAddr {
        let line = self.stdout.recv_timeout(limit()).expect("a server says where it listens");
        let address = line.strip_prefix("listening on ").expect(&line);
        let address = address.split(',').next().and_then(|address| address.parse().ok());
        address.unwrap_or_else(|| panic!("no address: {line}"))
    }

    /// The next lines that it prints are these.
    #[track_caller]
    pub(crate) fn prints(&self, lines: &[&str]) {
        for line in lines {
            assert_eq!(self.stdout.recv_timeout(limit()).expect(line), *line);
        }
    }

    /// The next line on stderr begins and ends so.
    #[track_caller]
    pub(crate) fn says(&self, begin: &str, end: &str) {
        let line = self.stderr.recv_timeout(limit()).expect(begin);
        assert!(line.starts_with(begin) && line.ends_with(end), "{line}");
    }

    /// The next line on stderr that begins so.
    #[track_caller]
    pub(crate) fn says_at_last(&self, begin: &str) -> String {
        loop {
            let line = self.stderr.recv_timeout(LIMIT).expect(begin);
            if line.starts_with(begin) {
                return line;
            }
        }
    }

    pub(crate) fn signal(&self, signal: libc::c_int) {
        send_signal(self.child.id(), signal);
    }

    /// Sends what Ctrl-C sends, once it listens for that.
    pub(crate) fn interrupt(&self) {
        let status = format!("/proc/{}/status", self.child.id());
        let deadline = Instant::now() + limit();
        let listens = || {
            let status = fs::read_to_string(&status).expect("it runs");
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            let caught = u64::from_str_radix(caught.expect("a line of it").trim(), 16);
            caught.expect("a mask") & 1 << (libc::SIGINT - 1) != 0
        };
        while !listens() {
            assert!(Instant::now() < deadline, "it does not listen for Ctrl-C");
            thread::sleep(Duration::from_millis(1));
        }
        self.signal(libc::SIGINT);
    }

    /// Waits for its end, and returns the lines that it printed and said until then.
    pub(crate) fn finish(mut self) -> (ExitStatus, Vec<String>, Vec<String>) {
        drop(self.stdin.take());
        let deadline = Instant::now() + limit();
        let rest = |lines: &Receiver<String>| -> Vec<String> {
            let left = || deadline.saturating_duration_since(Instant::now());
            let next = || match lines.recv_timeout(left()) {
                Err(RecvTimeoutError::Timeout) => panic!("it still runs after {:?}", limit()),
                line => line.ok(),
            };
            std::iter::from_fn(next).collect()
        };
        let (printed, said) = (rest(&self.stdout), rest(&self.stderr));
        (self.child.wait().expect("a child of ours"), printed, said)
    }

    /// Waits for its end, which is to be a good one, and returns what it printed until then.
    #[track_caller]
    pub(crate) fn succeed(self) -> String {
        let (status, printed, said) = self.finish();
        assert!(status.success(), "{status}: {printed:?}, {said:?}");
        printed.into_iter().map(|line| line + "\n").collect()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only if it has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            self.stderr.try_iter().for_each(|line| println!("it says: {line}"));
        }
    }
}

/// Sends a signal to a child that was not waited for, or to another process that is sure to be there.
pub(crate) fn send_signal(process: u32, signal: libc::c_int) {
    // SAFETY: it touches no memory.
    let sent = unsafe { libc::kill(process as libc::pid_t, signal) };
    assert_eq!(sent, 0, "{}", io::Error::last_os_error());
}

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
