//! A run: a scenario in a process of its own, with every call counted and at most one of them failing, and
//! what must hold afterwards.

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::fmt;
use std::fs;
use std::io::{self, Read, Seek};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::UNAVAILABLE;
use crate::calls;
use crate::scenarios::FOLDER;
use crate::seam::{self, Asked, Listener, Mark, News};

/// Who makes a call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Who {
    Program,
    /// A child of it, before it becomes another program.
    Fork,
    /// Another program, whose calls are none of ours.
    Other,
}

/// A call, as it is counted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Call {
    pub(crate) who: Who,
    pub(crate) name: String,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = if self.who == Who::Fork { "fork: " } else { "" };
        write!(f, "{who}{}", self.name)
    }
}

/// Which call fails, and with what.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Fault {
    pub(crate) call: Call,
    /// The first is 1.
    pub(crate) nth: u32,
    pub(crate) errno: i32,
    /// Whether all after it fail too, as when something has run out.
    pub(crate) lasts: bool,
}

/// What a run has shown.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The calls that could have been chosen to fail.
    pub(crate) counts: BTreeMap<Call, u32>,
    /// All calls up to its end, those where none may fail included.
    pub(crate) total: u64,
    pub(crate) fired: bool,
    /// What is wrong, whatever the scenario is.
    pub(crate) wrong: Option<String>,
    /// What the scenario said on stderr.
    pub(crate) said: String,
    /// What it has left, of descriptors and children, by kind.
    pub(crate) left: BTreeMap<String, u32>,
    /// How many blocks of memory it has more than before, if it came to its end.
    pub(crate) blocks: Option<i64>,
}

/// What is too much.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) calls: u64,
    /// Looks at a scenario that makes no call. Not by the clock, so that a machine that stops for a minute
    /// does not end it.
    pub(crate) looks: u32,
}

/// How long a look is.
const LOOK: Duration = Duration::from_millis(100);

/// Runs a scenario; `None` where this system cannot.
pub(crate) fn run(
    scenario: &str,
    fault: Option<&Fault>,
    limits: Limits,
) -> io::Result<Option<Outcome>> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = env::temp_dir().join(format!("injected-{}-{number}", std::process::id()));
    // One that was killed may have left a folder of that name.
    remove(&folder)?;
    let (ours, theirs) = UnixStream::pair()?;
    let said = fs::File::from(seam::memory_file()?);
    let mut child = Command::new(env::current_exe()?)
        .args(["--scenario", scenario])
        .env(FOLDER, &folder)
        .env("RUST_BACKTRACE", "0")
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(said.try_clone()?)
        .spawn()?;
    let Some(listener) = seam::receive(&ours)? else {
        let status = child.wait()?;
        assert_eq!(status.code(), Some(UNAVAILABLE), "{scenario} did not begin: {}", read(said)?);
        return Ok(None);
    };
    let mut watch = Watch {
        listener,
        program: child.id(),
        fault,
        limits,
        threads: HashMap::new(),
        counting: false,
        ended: false,
        counts: BTreeMap::new(),
        total: 0,
        fired: false,
    };
    let wrong = watch.watch(&mut child)?;
    if wrong.is_some() {
        child.kill()?;
    }
    let status = child.wait()?;
    remove(&folder)?;
    let Watch { counts, total, fired, .. } = watch;
    let said = read(said)?;
    let left = left(&said);
    let blocks = said.lines().find_map(|line| line.strip_prefix("blocks: ")?.parse().ok());
    let wrong = wrong.or_else(|| (!status.success()).then(|| ending(status)));
    Ok(Some(Outcome { counts, total, fired, wrong, said, left, blocks }))
}

/// Removes a folder if it is there.
fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn ending(status: ExitStatus) -> String {
    format!("it ended with {status}")
}

fn read(mut file: fs::File) -> io::Result<String> {
    let mut text = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// What a scenario says that it has left, a line each.
fn left(said: &str) -> BTreeMap<String, u32> {
    let mut left = BTreeMap::new();
    for kind in said.lines().filter_map(|line| line.strip_prefix("left: ")) {
        *left.entry(kind.to_string()).or_default() += 1;
    }
    left
}

/// The driver while a scenario runs.
struct Watch<'a> {
    listener: Listener,
    program: u32,
    fault: Option<&'a Fault>,
    limits: Limits,
    threads: HashMap<u32, Who>,
    counting: bool,
    ended: bool,
    counts: BTreeMap<Call, u32>,
    total: u64,
    fired: bool,
}

impl Watch<'_> {
    /// Answers every call until the program has ended; what is wrong, if it will not.
    fn watch(&mut self, child: &mut Child) -> io::Result<Option<String>> {
        let mut quiet = 0;
        loop {
            match self.listener.next(LOOK)? {
                News::Gone => return Ok(None),
                News::Quiet if child.try_wait()?.is_some() => return Ok(None),
                News::Quiet if quiet == self.limits.looks => return Ok(Some(self.hangs())),
                News::Quiet => quiet += 1,
                News::Call(_) if self.total > self.limits.calls => {
                    return Ok(Some(format!("it spins: {} calls and no end", self.total)));
                }
                News::Call(asked) => {
                    quiet = 0;
                    self.answer(&asked);
                }
            }
        }
    }

    /// What its threads are doing instead.
    fn hangs(&self) -> String {
        let folder = format!("/proc/{}/task", self.program);
        let threads = fs::read_dir(folder).into_iter().flatten().flatten();
        let calls: Vec<_> = threads
            .map(|thread| {
                let call = fs::read_to_string(thread.path().join("syscall")).unwrap_or_default();
                let number = call.split(' ').next().and_then(|word| word.parse().ok());
                number.map_or("running", |number| calls::name(number, &[0; 6])).to_string()
            })
            .collect();
        format!("it hangs, in {}", calls.join(" and "))
    }

    fn answer(&mut self, asked: &Asked) {
        if let Some(mark) = asked.mark() {
            self.counting = matches!(mark, Mark::Begin | Mark::Resume);
            self.ended = mark == Mark::End;
            return self.listener.succeed(asked, self.fired.into());
        }
        match self.who(asked.thread) {
            Who::Other => {}
            Who::Fork if asked.number == libc::SYS_execve => {
                let errno = self.chosen(Who::Fork, asked);
                if let Some(errno) = errno {
                    return self.listener.fail(asked, errno);
                }
                self.threads.insert(asked.thread, Who::Other);
            }
            who => {
                self.total += u64::from(!self.ended);
                if let Some(errno) = self.chosen(who, asked) {
                    return self.listener.fail(asked, errno);
                }
            }
        }
        self.listener.go_on(asked);
    }

    fn who(&mut self, thread: u32) -> Who {
        let program = self.program;
        *self.threads.entry(thread).or_insert_with(|| {
            let ours = fs::exists(format!("/proc/{program}/task/{thread}")).unwrap_or(false);
            if ours { Who::Program } else { Who::Fork }
        })
    }

    /// Counts a call, and tells what it is to fail with.
    fn chosen(&mut self, who: Who, asked: &Asked) -> Option<i32> {
        if !self.counting {
            return None;
        }
        let call = Call { who, name: self.name(asked) };
        let count = self.counts.entry(call.clone()).or_default();
        *count += 1;
        let fault = self.fault?;
        let is_chosen = fault.nth == *count || fault.lasts && fault.nth < *count;
        if fault.call != call || !is_chosen {
            return None;
        }
        if fault.errno == libc::EAGAIN && self.is_registered(asked) {
            return None;
        }
        self.fired = true;
        Some(fault.errno)
    }

    fn name(&self, asked: &Asked) -> String {
        let name = calls::name(asked.number, &asked.arguments);
        let file = || {
            let link = format!("/proc/{}/fd/{}", self.program, asked.arguments[0]);
            fs::read_link(link).unwrap_or_default().to_string_lossy().into_owned()
        };
        match name {
            "" => format!("call {}", asked.number),
            "write" | "writev" if asked.arguments[0] == 2 => "write stderr".to_string(),
            "write" if file() == "anon_inode:[eventfd]" => "write eventfd".to_string(),
            "read" if file().starts_with("anon_inode:[") => "read counter".to_string(),
            _ => name.to_string(),
        }
    }

    /// Whether the call is on a descriptor whose edges epoll reports: there the kernel says `EAGAIN` only if
    /// another edge is to come, and one that is made up would be waited for in vain.
    fn is_registered(&self, asked: &Asked) -> bool {
        let places: &[usize] = match asked.number {
            libc::SYS_splice => &[0, 2],
            libc::SYS_sendfile => &[0, 1],
            _ => &[0],
        };
        let folder = format!("/proc/{}/fdinfo", self.program);
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        let infos = files.filter_map(|file| fs::read_to_string(file.path()).ok());
        let is_one = |line: &str| {
            let fd = line.strip_prefix("tfd:").and_then(|rest| rest.split_whitespace().next());
            fd.is_some_and(|fd| {
                places.iter().any(|place| fd == asked.arguments[*place].to_string())
            })
        };
        infos.into_iter().any(|info| info.lines().any(is_one))
    }
}
