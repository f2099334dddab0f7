//! What the tests here share: a time limit, the examples as they run, the programs that they talk to, and
//! bytes that can be told apart.

#![allow(dead_code)] // each test binary uses what it needs

use std::cell::RefCell;
use std::env;
use std::fs;
use std::future::Future;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// More than any test takes on a loaded machine.
pub const LIMIT: Duration = Duration::from_secs(240);

/// Runs `body`; ends the process with a sentence if that takes too long.
pub fn limited<T>(body: impl FnOnce() -> T) -> T {
    let (done, watched) = mpsc::channel::<()>();
    let test = thread::current().name().unwrap_or("a test").to_string();
    thread::spawn(move || {
        if let Err(RecvTimeoutError::Timeout) = watched.recv_timeout(LIMIT) {
            let sentence = format!("{test} has been running for {LIMIT:?}: it hangs\n");
            // Past the test's captured output, which nobody sees after an abort.
            let _ = io::stderr().write_all(sentence.as_bytes());
            // What the tests have started goes first, or would wait for ever.
            let ours = std::process::id().to_string();
            let _ = Command::new("pkill").args(["-KILL", "-P", &ours]).status();
            std::process::abort();
        }
    });
    // Dropped when `body` panics as well: then the test has ended, too.
    let _done = done;
    body()
}

/// Runs a future on a new runtime, within the time limit.
pub fn run<F: Future>(future: F) -> F::Output {
    limited(|| runtime::block_on(future))
}

/// Whether a counterpart is here. Without it a test says so and passes, but not in CI.
pub fn installed(package: &str, look: &mut Command) -> bool {
    let look = look.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let found = look.status().is_ok_and(|status| status.success());
    if !found {
        assert_ne!(env::var("CI").as_deref(), Ok("true"), "{package} is not installed");
        println!("{package} is not installed: nothing was tested");
    }
    found
}

/// Where cargo has built an example.
pub fn path(example: &str) -> PathBuf {
    let test = env::current_exe().expect("the path of this test");
    let built = test.parent().and_then(|deps| deps.parent()).expect("target/PROFILE");
    built.join("examples").join(example)
}

/// A port of 127.0.0.1 for a program that must be told one: free for TCP and UDP, below those that the kernel hands
/// out, so that nobody gets it meanwhile, and no other test's.
pub fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const PORTS: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let is_free = |port: &u16| {
        let address = (Ipv4Addr::LOCALHOST, *port);
        TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
    };
    // The tests of other processes begin elsewhere.
    let start = std::process::id() * 64;
    let ports = (0..PORTS).map(|_| FIRST + (start + NEXT.fetch_add(1, Relaxed)) % PORTS);
    ports.map(|port| port as u16).find(is_free).expect("a free port")
}

/// Sends a signal by its name: INT, say.
pub fn signal(child: &Child, name: &str) {
    let kill = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    assert!(kill.expect("kill(1)").success());
}

/// A directory of its own for a test's files, removed when this is dropped.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new() -> Directory {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let (process, number) = (std::process::id(), MADE.fetch_add(1, Relaxed));
        let path = env::temp_dir().join(format!("ecosystem-{process}-{number}"));
        fs::create_dir(&path).expect("nobody else has one of this name");
        Directory(path)
    }

    pub fn file(&self, name: &str) -> String {
        self.0.join(name).into_os_string().into_string().expect("it is UTF-8")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program that runs, and is killed when this is dropped. What it prints and says is read by lines.
pub struct Program {
    pub child: Child,
    pub stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// What it has said that nobody has asked for.
    unasked: RefCell<Vec<String>>,
}

impl Program {
    pub fn start(command: &mut Command) -> Program {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = lines(child.stdout.take().expect("it is piped"));
        let stderr = lines(child.stderr.take().expect("it is piped"));
        Program { child, stdout, stderr, unasked: RefCell::default() }
    }

    /// Starts an example that is a server, on a free port, and reads from its first line which one that is.
    pub fn serve(example: &str, args: &[&str]) -> (Program, SocketAddr) {
        Program::serve_at("127.0.0.1:0", example, args)
    }

    pub fn serve_at(address: &str, example: &str, args: &[&str]) -> (Program, SocketAddr) {
        Program::serve_command(Command::new(path(example)).arg(address).args(args))
    }

    /// As `serve`, of any program that says the same on its first line.
    pub fn serve_command(command: &mut Command) -> (Program, SocketAddr) {
        let server = Program::start(command);
        let line = server.stdout.recv_timeout(LIMIT).expect("a server says where it listens");
        let address = line.strip_prefix("listening on ").and_then(|rest| rest.split(',').next());
        let address = address.and_then(|address| address.parse().ok());
        (server, address.unwrap_or_else(|| panic!("no address: {line}")))
    }

    /// A line on its stderr ends so, or will: in which order it says what it has to say does not matter.
    #[track_caller]
    pub fn says(&self, end: &str) {
        let mut unasked = self.unasked.borrow_mut();
        if let Some(position) = unasked.iter().position(|line| line.ends_with(end)) {
            unasked.remove(position);
            return;
        }
        while let Ok(line) = self.stderr.recv_timeout(LIMIT) {
            if line.ends_with(end) {
                return;
            }
            unasked.push(line);
        }
        panic!("it says {unasked:?}, and not {end:?}");
    }

    /// It runs still, and has said nothing that nobody has asked for.
    #[track_caller]
    pub fn assert_no_complaint(mut self) {
        let status = self.child.try_wait().expect("a child of ours");
        assert!(status.is_none(), "it has ended: {status:?}");
        self.child.kill().expect("a child of ours");
        let said: Vec<String> = self.unasked.take().into_iter().chain(self.stderr.iter()).collect();
        assert!(said.is_empty(), "it says {said:?}");
    }

    /// Waits for its end, which is to be a good one, and returns the lines that it printed until then.
    #[track_caller]
    pub fn succeed(mut self) -> Vec<String> {
        let printed: Vec<String> = self.stdout.iter().collect();
        let said: Vec<String> = self.stderr.iter().collect();
        let status = self.child.wait().expect("a child of ours");
        assert!(status.success(), "{status}: {printed:?}, {said:?}");
        printed
    }

    /// The most memory that it has had at a time, in KiB.
    pub fn peak_memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("it runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
        peak.expect("a line of it").parse().expect("a number")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only if it has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let said = self.unasked.take().into_iter().chain(self.stderr.try_iter());
            said.for_each(|line| println!("it says: {line}"));
        }
    }
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

/// A stream of bytes that is the same each time. It repeats after a prime, so that no loss of a round number
/// of bytes goes unnoticed.
#[derive(Default)]
pub struct Pattern {
    at: usize,
}

static PERIOD: [u8; 65_521] = {
    let mut period = [0; 65_521];
    let mut i = 0;
    while i < period.len() {
        period[i] = ((i as u32).wrapping_mul(0x9e37_79b9) >> 24) as u8;
        i += 1;
    }
    period
};

impl Pattern {
    /// What comes next, at most `len` bytes of it.
    pub fn next(&mut self, len: usize) -> &'static [u8] {
        let rest = &PERIOD[self.at..];
        let piece = &rest[..len.min(rest.len())];
        self.at = (self.at + piece.len()) % PERIOD.len();
        piece
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len);
        while bytes.len() < len {
            bytes.extend_from_slice(self.next(len - bytes.len()));
        }
        bytes
    }

    /// `bytes` are what comes next.
    #[track_caller]
    pub fn check(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let wanted = self.next(bytes.len());
            assert!(bytes[..wanted.len()] == *wanted, "not the bytes that were sent");
            bytes = &bytes[wanted.len()..];
        }
    }
}

/// Numbers that repeat with their seed: a splitmix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let number = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    /// One of the numbers below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// 1 to `most`, and small as often as large.
    pub fn up_to(&mut self, most: usize) -> usize {
        let bits = self.next() % (u64::from(most.ilog2()) + 1);
        (self.next() % (2 << bits)).clamp(1, most as u64) as usize
    }
}
