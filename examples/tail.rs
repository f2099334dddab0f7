//! `tail -f` over several files: their last lines, and then whatever is written to them.
//!
//! Type `cargo run -q --example tail -- FILE...` with the logs of some busy programs, and Ctrl-C at the end.
//! As with `tail -F` it is the names that are followed. A file that is missing is waited for; one that
//! is cut short is read from its beginning; one that has another put in its place, as logrotate does it,
//! is read to its end first. The directories must be there, and stay.
//!
//! inotify(7) tells of changes. This library has no type for its descriptor: `AsyncFd` takes it as it
//! comes from another crate.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::future::pending;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use inotify::{Event, EventMask, Inotify, WatchDescriptor, WatchMask, Watches};
use runtime::io::{AsyncFd, Interest, Stdout, send_file, stdout};
use runtime::signal::ctrl_c;

/// How much is printed of what is there already: so many lines, but not more bytes.
const LINES: usize = 10;
const BYTES_MAX: u64 = 65536;

#[runtime::main]
async fn main() -> ExitCode {
    let paths: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    if paths.is_empty() {
        eprintln!("usage: tail FILE...");
        return ExitCode::from(2);
    }
    let outcome = runtime::select! {
        biased; // listens for Ctrl-C before anything is seen
        pressed = ctrl_c() => pressed,
        () = nobody_reads() => Ok(()),
        outcome = follow(paths) => outcome,
    };
    match outcome {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("tail: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Waits until the other end of our output is closed: `tail FILE | grep -m 1 ERROR` is over when grep is,
/// not only when the next line cannot be written.
async fn nobody_reads() {
    // A regular file, say, has no such end.
    if stdout().ready(Interest::ERROR).await.is_err() {
        pending().await
    }
}

async fn follow(paths: Vec<PathBuf>) -> io::Result<()> {
    let inotify = Inotify::init()?;
    let mut watches = inotify.watches();
    let mut output = Output { stdout: stdout(), with_headers: paths.len() > 1, last: None };
    let mut names = Vec::new();
    for path in paths {
        let mut name = Name::new(path, &mut watches)?;
        if name.take_up_file(&mut watches) {
            name.print_last_lines(&mut output).await?;
        }
        names.push(name);
    }

    let mut inotify = AsyncFd::with_interest(inotify, Interest::READABLE)?;
    let mut buf = [0; 4096];
    loop {
        let mut guard = inotify.readable_mut().await?;
        let Ok(events) = guard.try_io(|fd| fd.get_mut().read_events(&mut buf)) else { continue };
        for event in events? {
            for name in names.iter_mut().filter(|name| name.is_meant_by(&event)) {
                // An event is of the past, and several may come as one: look at what is there now.
                name.print_news(&mut output).await?;
                if !name.has_its_file() && name.take_up_file(&mut watches) {
                    name.print_news(&mut output).await?;
                }
            }
            let left: Vec<_> = names.iter_mut().filter_map(|name| name.left.take()).collect();
            for watch in left {
                // A link to it may be followed too, and the kernel gives the same file the same watch.
                if !names.iter().any(|name| name.is_watched_by(&watch)) {
                    let _ = watches.remove(watch); // fails if the kernel did so with the file
                }
            }
        }
    }
}

/// A name that is followed.
struct Name {
    path: PathBuf,
    directory: WatchDescriptor,
    /// What has the name, or had it last: whoever writes to it may go on for a while.
    current: Option<Current>,
    /// The watch of what had it before, to be removed.
    left: Option<WatchDescriptor>,
    is_missing: bool,
}

struct Current {
    file: File,
    watch: WatchDescriptor,
    /// How much of it has been printed.
    offset: u64,
}

impl Name {
    fn new(path: PathBuf, watches: &mut Watches) -> io::Result<Name> {
        let here = Path::new(".").join(&path);
        let directory = here.parent().unwrap_or(&here);
        let changes = WatchMask::CREATE | WatchMask::MOVE | WatchMask::DELETE | WatchMask::ATTRIB;
        let directory =
            watches.add(directory, changes | WatchMask::ONLYDIR).map_err(about(directory))?;
        Ok(Name { path, directory, current: None, left: None, is_missing: false })
    }

    fn is_meant_by(&self, event: &Event<&OsStr>) -> bool {
        (event.wd == self.directory && event.name == self.path.file_name())
            || self.is_watched_by(&event.wd)
            || event.mask.contains(EventMask::Q_OVERFLOW)
    }

    fn is_watched_by(&self, watch: &WatchDescriptor) -> bool {
        self.current.as_ref().is_some_and(|current| current.watch == *watch)
    }

    /// Whether the current file still has the name. No other gets its number while it is open.
    fn has_its_file(&self) -> bool {
        let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let current = self.current.as_ref().and_then(|current| current.file.metadata().ok());
        current.is_some() && current.map(id) == fs::metadata(&self.path).ok().map(id)
    }

    /// Begins with the file that has the name now, and says if there is none.
    fn take_up_file(&mut self, watches: &mut Watches) -> bool {
        let path = self.path.display();
        let was_missing = self.is_missing;
        let file = open(&self.path, watches);
        self.is_missing = file.is_err();
        match file {
            Ok(file) => {
                if let Some(old) = self.current.replace(file) {
                    eprintln!("tail: {path}: another file has its place");
                    self.left = Some(old.watch);
                } else if was_missing {
                    eprintln!("tail: {path}: here it is");
                }
            }
            Err(error) if !was_missing => eprintln!("tail: {error}; waiting for it"),
            Err(_) => {}
        }
        !self.is_missing
    }

    async fn print_last_lines(&mut self, output: &mut Output) -> io::Result<()> {
        let Some(current) = &mut self.current else { return Ok(()) };
        current.offset = start_of_last_lines(&current.file).map_err(about(&self.path))?;
        output.turn_to(&self.path).await?;
        self.print_news(output).await
    }

    async fn print_news(&mut self, output: &mut Output) -> io::Result<()> {
        let Some(Current { file, offset, .. }) = &mut self.current else { return Ok(()) };
        let len = file.metadata()?.len();
        if len < *offset {
            eprintln!("tail: {}: cut short; from its beginning", self.path.display());
            *offset = 0;
        }
        if len > *offset {
            output.turn_to(&self.path).await?;
            // What was written just now is in memory: this does not wait for a disk.
            send_file(file, offset, u64::MAX, &output.stdout).await?;
        }
        Ok(())
    }
}

fn open(path: &Path, watches: &mut Watches) -> io::Result<Current> {
    // A named pipe would else be waited for, and all with it, until somebody writes to it.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = file.map_err(about(path))?;
    // The file that was opened, whatever has the name by now.
    let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
    let watch = watches.add(itself, WatchMask::MODIFY).map_err(about(path))?;
    Ok(Current { file, watch, offset: 0 })
}

fn start_of_last_lines(file: &File) -> io::Result<u64> {
    let len = file.metadata()?.len();
    let mut end = vec![0; len.min(BYTES_MAX) as usize];
    let start = len - end.len() as u64;
    file.read_exact_at(&mut end, start)?;
    // A newline at the very end begins no line.
    let mut beginnings = (1..end.len()).rev().filter(|at| end[at - 1] == b'\n');
    Ok(start + beginnings.nth(LINES - 1).unwrap_or(0) as u64)
}

struct Output {
    stdout: Stdout,
    with_headers: bool,
    /// Whose turn it is.
    last: Option<PathBuf>,
}

impl Output {
    async fn turn_to(&mut self, path: &Path) -> io::Result<()> {
        if self.with_headers && self.last.as_deref() != Some(path) {
            let gap = if self.last.is_some() { "\n" } else { "" };
            let header = format!("{gap}==> {} <==\n", path.display());
            self.stdout.write_all(header.as_bytes()).await?;
            self.last = Some(path.to_path_buf());
        }
        Ok(())
    }
}

/// For `map_err`: which file an error is about.
fn about(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
