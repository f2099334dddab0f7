//! `OpenOptions`: how a file is opened.

use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::File;
use super::job::run_at;

/// How a file is opened.
///
/// As tokio's and [`std::fs::OpenOptions`], which says more of each option.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// let mut log = runtime::fs::File::options().append(true).create(true).open("log").await?;
/// log.write_all(b"started\n").await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions(std::fs::OpenOptions);

impl Default for OpenOptions {
    #[inline]
    fn default() -> OpenOptions {
        OpenOptions::new()
    }
}

impl OpenOptions {
    /// All options off; reading, writing or appending has to be asked for.
    #[inline]
    pub fn new() -> OpenOptions {
        OpenOptions(std::fs::OpenOptions::new())
    }

    /// Whether it is opened for reading.
    #[inline]
    pub fn read(&mut self, read: bool) -> &mut OpenOptions {
        self.0.read(read);
        self
    }

    /// Whether it is opened for writing.
    #[inline]
    pub fn write(&mut self, write: bool) -> &mut OpenOptions {
        self.0.write(write);
        self
    }

    /// Whether each write goes to the end of the file, wherever that is by then.
    #[inline]
    pub fn append(&mut self, append: bool) -> &mut OpenOptions {
        self.0.append(append);
        self
    }

    /// Whether it is emptied.
    #[inline]
    pub fn truncate(&mut self, truncate: bool) -> &mut OpenOptions {
        self.0.truncate(truncate);
        self
    }

    /// Whether it is created if it is not there.
    #[inline]
    pub fn create(&mut self, create: bool) -> &mut OpenOptions {
        self.0.create(create);
        self
    }

    /// Whether it is created, and must not be there, not even as a link.
    #[inline]
    pub fn create_new(&mut self, create_new: bool) -> &mut OpenOptions {
        self.0.create_new(create_new);
        self
    }

    /// The mode of a file that is created, from which the umask is taken away; 0o666 if it is not said.
    #[inline]
    pub fn mode(&mut self, mode: u32) -> &mut OpenOptions {
        self.0.mode(mode);
        self
    }

    /// Further flags for open(2), such as `libc::O_NOFOLLOW`.
    #[inline]
    pub fn custom_flags(&mut self, flags: i32) -> &mut OpenOptions {
        self.0.custom_flags(flags);
        self
    }

    /// Opens the file.
    ///
    /// # Errors
    ///
    /// Those of open(2), and [`InvalidInput`](io::ErrorKind::InvalidInput) for options that contradict
    /// each other.
    ///
    /// # Cancel safety
    ///
    /// What was opened is closed again. It may have been created or emptied, perhaps after the drop. An open
    /// that waits, as that of a FIFO does for its other end, holds a thread of the pool until it is done.
    #[inline]
    pub async fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let options = self.0.clone();
        run_at("opening", path.as_ref(), move |path| options.open(path)).await.map(File::from_std)
    }
}

impl From<std::fs::OpenOptions> for OpenOptions {
    #[inline]
    fn from(options: std::fs::OpenOptions) -> OpenOptions {
        OpenOptions(options)
    }
}
