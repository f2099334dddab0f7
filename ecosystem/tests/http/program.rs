//! Programs: our examples as servers, the tools that talk to them, and files for both.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// More than anything here takes on a loaded machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// An example that serves, and is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts it on a free port, and reads from its first line which one that is.
    pub(crate) fn start(example: &str) -> Server {
        let mut command = example_command(example);
        let mut child =
            command.arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().expect("it is built");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let address = line.trim_end().strip_prefix("listening on ").expect(&line);
        Server { child, address: address.parse().expect(&line) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> ExitStatus {
        within_limit(|| self.child.try_wait().expect("a child of ours"))
    }

    /// Asks it to end, which it does well.
    #[track_caller]
    pub(crate) fn terminate(self) {
        self.signal("TERM");
        let status = self.wait();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
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

/// An example of this package; `cargo build --examples` makes it, and so does `cargo test`.
pub(crate) fn example_command(name: &str) -> Command {
    let test = env::current_exe().expect("the path of this test");
    let built = test.parent().and_then(|deps| deps.parent()).expect("target/PROFILE");
    Command::new(built.join("examples").join(name))
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
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static FOLDERS: AtomicU32 = AtomicU32::new(0);
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("ecosystem-http-{}-{number}", process::id()));
        fs::create_dir(&path).expect("a folder for files");
        Folder(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
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

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
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
