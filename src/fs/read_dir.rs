//! `read_dir`: what is in a directory, a job for many entries.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, FileType, Metadata};
use std::future::poll_fn;
use std::io;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::job;
use crate::task::JoinHandle;

/// How many entries a job reads.
const CHUNK: usize = 128;

/// The entries of a directory, without `.` and `..`, in no order.
///
/// As tokio's and [`std::fs::read_dir`].
///
/// # Errors
///
/// If it is no directory or may not be read.
///
/// # Cancel safety
///
/// Nothing is changed.
///
/// ```
/// # runtime::block_on(async {
/// let mut threads = runtime::fs::read_dir("/proc/self/task").await?;
/// while let Some(thread) = threads.next_entry().await? {
///     println!("{}", thread.path().display());
/// }
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[inline]
pub async fn read_dir(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    let path = path.as_ref();
    let listing = job::run_at("listing", path, |path| {
        Ok(Listing { entries: VecDeque::new(), rest: Some(fs::read_dir(path)?) }.read_on())
    });
    Ok(ReadDir { state: State::Idle(listing.await?), path: path.to_owned() })
}

/// The entries of a directory; made by [`read_dir`].
#[derive(Debug)]
pub struct ReadDir {
    state: State,
    path: PathBuf,
}

#[derive(Debug)]
enum State {
    Idle(Listing),
    Reading(JoinHandle<Listing>),
}

/// What goes to the pool and comes back.
#[derive(Debug, Default)]
struct Listing {
    entries: VecDeque<io::Result<DirEntry>>,
    /// `None` at the end.
    rest: Option<fs::ReadDir>,
}

impl Listing {
    #[inline]
    fn read_on(mut self) -> Listing {
        if let Some(rest) = &mut self.rest {
            self.entries.extend(rest.take(CHUNK).map(|entry| entry.map(DirEntry::new)));
            if self.entries.len() < CHUNK {
                self.rest = None;
            }
        }
        self
    }
}

impl ReadDir {
    /// The next entry; `None` at the end.
    ///
    /// # Errors
    ///
    /// Those of readdir(3).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn next_entry(&mut self) -> io::Result<Option<DirEntry>> {
        poll_fn(|cx| self.poll_next_entry(cx)).await
    }

    /// As [`next_entry`](Self::next_entry), for futures written by hand.
    ///
    /// # Errors
    ///
    /// As [`next_entry`](Self::next_entry).
    #[inline]
    pub fn poll_next_entry(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<DirEntry>>> {
        loop {
            match &mut self.state {
                State::Idle(listing) => {
                    if let Some(entry) = listing.entries.pop_front() {
                        return Poll::Ready(entry.map(Some).map_err(|error| self.error(error)));
                    }
                    if listing.rest.is_none() {
                        return Poll::Ready(Ok(None));
                    }
                    let listing = std::mem::take(listing);
                    let reading = job::start(|| listing.read_on());
                    self.state = State::Reading(reading.map_err(|error| self.error(error))?);
                }
                State::Reading(handle) => {
                    let read = job::outcome(ready!(Pin::new(handle).poll(cx)));
                    // With the job its place in the directory is lost: the listing has ended.
                    self.state = State::Idle(Listing::default());
                    self.state = State::Idle(read.map_err(|error| self.error(error))?);
                }
            }
        }
    }

    #[inline]
    fn error(&self, error: io::Error) -> io::Error {
        job::at(error, "listing", &self.path)
    }
}

/// An entry of a directory; from [`ReadDir::next_entry`].
///
/// As tokio's and [`std::fs::DirEntry`].
#[derive(Debug)]
pub struct DirEntry {
    entry: Arc<fs::DirEntry>,
    /// Most file systems tell it with the name.
    file_type: Option<FileType>,
}

impl DirEntry {
    #[inline]
    fn new(entry: fs::DirEntry) -> DirEntry {
        DirEntry { file_type: entry.file_type().ok(), entry: Arc::new(entry) }
    }

    /// The path given to [`read_dir`], and the name.
    #[inline]
    pub fn path(&self) -> PathBuf {
        self.entry.path()
    }

    /// The name within the directory.
    #[inline]
    pub fn file_name(&self) -> OsString {
        self.entry.file_name()
    }

    /// The number of its inode.
    #[inline]
    pub fn ino(&self) -> u64 {
        self.entry.ino()
    }

    /// What the file system knows of it; of a symbolic link, of the link itself.
    ///
    /// # Errors
    ///
    /// Those of lstat(2).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    #[inline]
    pub async fn metadata(&self) -> io::Result<Metadata> {
        self.ask(|entry| entry.metadata()).await
    }

    /// Whether it is a file, a directory, a symbolic link or something else. As a rule it is known already.
    ///
    /// # Errors
    ///
    /// Those of lstat(2).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    #[inline]
    pub async fn file_type(&self) -> io::Result<FileType> {
        match self.file_type {
            Some(file_type) => Ok(file_type),
            None => self.ask(|entry| entry.file_type()).await,
        }
    }

    #[inline]
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&fs::DirEntry) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let entry = self.entry.clone();
        job::run_at("looking at", &self.path(), move |_| question(&entry)).await
    }
}
