//! Programs: our examples as servers, the tools that talk to them, and files for both.

use std::env;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use crate::support::LIMIT;
use crate::support::{Directory, Program, path, signal};

/// An example that serves, and is killed when this is dropped.
pub(crate) struct Server {
    program: Program,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts it on a free port.
    pub(crate) fn start(example: &str) -> Server {
        let (program, address) = Program::serve(example, &[]);
        Server { program, address }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(&self.program.child, name);
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> ExitStatus {
        within_limit(|| self.program.child.try_wait().expect("a child of ours"))
    }

    /// Asks it to end, which it does well.
    #[track_caller]
    pub(crate) fn terminate(self) {
        self.signal("TERM");
        let status = self.wait();
        assert!(status.success(), "{status}");
    }
}

/// Looks again and again until something is there.
#[track_caller]
pub(crate) fn within_limit<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "nothing after {LIMIT:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) fn example_command(name: &str) -> Command {
    Command::new(path(name))
}

/// A program that may be missing, except where `CI` says that nothing may be; limited in time.
pub(crate) fn tool(name: &str) -> Option<Command> {
    let path = env::var_os("PATH").unwrap_or_default();
    if !env::split_paths(&path).any(|folder| folder.join(name).is_file()) {
        assert!(env::var_os("CI").is_none(), "{name} is not installed");
        eprintln!("{name} is not installed: nothing is tested here");
        return None;
    }
    let mut command = Command::new("timeout");
    command.arg(LIMIT.as_secs().to_string()).arg(name);
    Some(command)
}

/// Runs it to its end, which is to be a good one.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

/// What it prints.
#[track_caller]
pub(crate) fn printed(command: &mut Command) -> String {
    String::from_utf8(run(command).stdout).expect("text")
}

/// A folder for files, which goes with this.
pub(crate) struct Folder(Directory);

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder(Directory::new())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.file(name).into()
    }

    /// A file of so many MiB, no two of which are alike.
    pub(crate) fn fill(&self, name: &str, mebibytes: usize) -> PathBuf {
        let path = self.path(name);
        let mut file = BufWriter::new(File::create(&path).expect("a file"));
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        for _ in 0..mebibytes * (1 << 20) / 8 {
            // Xorshift: no pattern that a lost or doubled piece would fit into.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            file.write_all(&state.to_le_bytes()).expect("room for the file");
        }
        file.flush().expect("room for the file");
        path
    }
}

#[track_caller]
pub(crate) fn assert_same(a: &Path, b: &Path) {
    let open = |path| File::open(path).expect("a file that was written");
    let (mut a, mut b) = (open(a), open(b));
    let length = a.metadata().expect("its length").len();
    assert_eq!(length, b.metadata().expect("its length").len());
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    for begin in (0..length).step_by(1 << 16) {
        let piece = (length - begin).min(1 << 16) as usize;
        a.read_exact(&mut left[..piece]).expect("so long");
        b.read_exact(&mut right[..piece]).expect("so long");
        assert!(left[..piece] == right[..piece], "they differ after {begin} bytes");
    }
}
