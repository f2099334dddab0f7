//! `File`: an open file, read and written by the blocking pool.

use std::fmt;
use std::fs::{File as StdFile, FileTimes, Metadata, Permissions};
use std::io::{self, IoSlice, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::OpenOptions;
use super::cursor::{Cursor, uninterrupted};
use super::job::run;
use super::lock::{Guard, Lock};

/// What a job reads or writes at most, unless it is set: tokio's figure.
const MAX_BUF_SIZE: usize = 2 * 1024 * 1024;
/// What the first job of `read_to_end` asks for; each later one for as much as there is by then.
const FIRST_READ: usize = 16 * 1024;

/// An open file.
///
/// As tokio's `fs::File`, with the methods that its users have from extension traits. Each call is a job for
/// the blocking pool, of at most [`max_buf_size`](Self::max_buf_size), so a buffer of 64 KiB and more
/// makes it worth its while; the bytes are copied once between that buffer and the job's own.
///
/// What uses or moves the file's one position takes `&mut self`, since two who did that at once would get in
/// each other's way. [`read_at`](Self::read_at) does not: a file that is shared may be read in many
/// places at once. [`send_file`](crate::io::send_file) takes it too, and sends it without copying.
///
/// Unlike tokio's, a write is not left to the background: when [`write`](Self::write) returns, the system has
/// the bytes. So nothing is lost if the file is dropped without [`flush`](Self::flush), and an error is that
/// of the write it belongs to.
///
/// # Other crates' traits
///
/// With the features `futures-io` and `tokio-io` it has those crates' `AsyncRead`, `AsyncWrite` and `AsyncSeek`,
/// so that a `ReaderStream`, a `BufReader` or their `copy` take it. A write **by these traits** is as tokio's:
/// it returns once its bytes are taken in, at most [`max_buf_size`](Self::max_buf_size), and goes on in the
/// background. The next operation of either kind waits for it and returns its error, if there is one; so does
/// [`flush`](Self::flush), which belongs before the file is dropped, since what the pool has not begun by the
/// time the runtime is dropped is never written. Reads and seeks by these traits that nobody polls any more
/// leave what the dropped ones below do; and if the pool never began one, the next operation says so.
///
/// The methods here have the same names, and are the ones that `file.read(..)` calls also where an extension
/// trait is in scope: [`runtime::io`](crate::io#other-crates-traits) has more on that.
///
/// # Cancel safety
///
/// An operation whose future is dropped is not begun any more, or goes on to its end. **The next operation on
/// the same `File` waits for that.** So operations never overtake each other:
///
/// - what a dropped read has read is kept, and the next read gives it; for all others the position is
///   where it was before;
/// - a dropped write has written nothing, or up to all it was given;
/// - if a dropped read, write or seek failed, the next operation does nothing and returns that error.
///
/// A `File` that is dropped is closed once what was begun has ended. What was under way during a fork never
/// ends in the child: open the file anew there.
///
/// ```
/// # runtime::block_on(async {
/// # let path = std::env::temp_dir().join(format!("file-doc-{}", std::process::id()));
/// use runtime::fs::File;
///
/// let mut file = File::options().read(true).write(true).create(true).open(&path).await?;
/// file.write_all(b"one two").await?;
/// file.rewind().await?;
/// let mut word = [0; 3];
/// file.read_exact(&mut word).await?;
/// assert_eq!(&word, b"one");
///
/// file.seek(std::io::SeekFrom::End(-3)).await?;
/// let mut rest = String::new();
/// file.read_to_string(&mut rest).await?;
/// assert_eq!(rest, "two");
/// assert_eq!(file.stream_position().await?, 7);
/// assert_eq!(file.read_to_end(&mut Vec::new()).await?, 0);
///
/// file.set_len(3).await?;
/// let metadata = file.metadata().await?;
/// assert_eq!(metadata.len(), 3);
/// let mut permissions = metadata.permissions();
/// permissions.set_readonly(true);
/// file.set_permissions(permissions).await?;
/// let times = runtime::fs::FileTimes::new().set_accessed(std::time::SystemTime::UNIX_EPOCH);
/// file.set_times(times).await?;
/// file.set_modified(std::time::SystemTime::UNIX_EPOCH).await?;
/// file.flush().await?; // nothing to do: what was written is with the system
/// file.sync_data().await?; // to the disk, and by `sync_all` the metadata too
/// file.sync_all().await?;
///
/// let other = file.try_clone().await?; // with the same position
/// let std = other.into_std().await;
/// # drop(std);
/// # runtime::fs::remove_file(&path).await
/// # }).unwrap();
/// ```
pub struct File {
    pub(super) file: Arc<StdFile>,
    pub(super) lock: Arc<Lock>,
    pub(super) max_buf_size: usize,
}

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// As [`OpenOptions::open`].
    ///
    /// # Cancel safety
    ///
    /// As [`OpenOptions::open`].
    #[inline]
    pub async fn open(path: impl AsRef<Path>) -> io::Result<File> {
        File::options().read(true).open(path).await
    }

    /// Opens a file for writing, and empties or creates it.
    ///
    /// # Errors
    ///
    /// As [`OpenOptions::open`].
    ///
    /// # Cancel safety
    ///
    /// As [`OpenOptions::open`].
    #[inline]
    pub async fn create(path: impl AsRef<Path>) -> io::Result<File> {
        File::options().write(true).create(true).truncate(true).open(path).await
    }

    /// Creates a file for reading and writing, which must not be there.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if it is, else as [`OpenOptions::open`].
    ///
    /// # Cancel safety
    ///
    /// As [`OpenOptions::open`].
    ///
    /// # Examples
    ///
    /// ```
    /// # runtime::block_on(async {
    /// # let path = std::env::temp_dir().join(format!("create-new-doc-{}", std::process::id()));
    /// use runtime::fs::File;
    ///
    /// let lock = File::create_new(&path).await?; // nobody had it
    /// let error = File::create_new(&path).await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    /// # drop(lock);
    /// # runtime::fs::remove_file(&path).await
    /// # }).unwrap();
    /// ```
    #[inline]
    pub async fn create_new(path: impl AsRef<Path>) -> io::Result<File> {
        File::options().read(true).write(true).create_new(true).open(path).await
    }

    /// The ways to open a file.
    #[inline]
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// A file that is open already.
    #[inline]
    pub fn from_std(file: StdFile) -> File {
        File { file: Arc::new(file), lock: Lock::new(), max_buf_size: MAX_BUF_SIZE }
    }

    /// The file of the standard library, once what was begun has ended. Its position is where it is for the
    /// caller.
    ///
    /// The error of an operation whose future was dropped is lost; [`flush`](Self::flush) first tells it.
    ///
    /// # Cancel safety
    ///
    /// The file is closed.
    #[inline]
    pub async fn into_std(self) -> StdFile {
        let cursor = self.lock.retire().await;
        self.unwrap(cursor)
    }

    /// As [`into_std`](Self::into_std), at once.
    ///
    /// # Errors
    ///
    /// Gives the file back if an operation goes on whose future was dropped.
    #[inline]
    pub fn try_into_std(self) -> Result<StdFile, File> {
        match self.lock.try_retire() {
            Some(cursor) => Ok(self.unwrap(cursor)),
            None => Err(self),
        }
    }

    #[inline]
    fn unwrap(self, mut cursor: Cursor) -> StdFile {
        // No job: moving a position by a number waits for nothing. It was there before, so it succeeds.
        let _ = cursor.give_back(&self.file);
        Arc::into_inner(self.file).expect("whoever has the file has a guard")
    }

    /// How much a job reads or writes at most: 2 MiB unless it is set.
    #[inline]
    pub fn max_buf_size(&self) -> usize {
        self.max_buf_size
    }

    /// Sets how much a job reads or writes at most. The file keeps as much memory as its largest read and
    /// its largest write took.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[track_caller]
    #[inline]
    pub fn set_max_buf_size(&mut self, max_buf_size: usize) {
        assert!(max_buf_size > 0, "max_buf_size must be at least 1: nothing would ever be read");
        self.max_buf_size = max_buf_size;
    }

    #[inline]
    async fn shared(&self) -> io::Result<Guard> {
        self.lock.enter(&self.file, false).await
    }

    #[inline]
    async fn exclusive(&self) -> io::Result<Guard> {
        #[cfg_attr(not(any(feature = "futures-io", feature = "tokio-io")), expect(unused_mut))]
        let mut guard = self.lock.enter(&self.file, true).await?;
        #[cfg(any(feature = "futures-io", feature = "tokio-io"))]
        {
            // Whoever polled for it does so no more.
            guard.with_cursor().1.outcome = None;
        }
        Ok(guard)
    }

    /// A guard with a cursor that has something unread: up to `len` bytes, unless some were left. It has
    /// nothing at the end of the file.
    #[inline]
    async fn filled(&mut self, len: usize) -> io::Result<Guard> {
        let mut guard = self.exclusive().await?;
        if !guard.with_cursor().1.has_unread() {
            let len = len.min(self.max_buf_size);
            (guard, ()) = launch(guard, move |file, cursor| cursor.fill(file, len)).await?;
        }
        Ok(guard)
    }

    /// Reads into `buf` and returns how much, 0 at the end of the file (or if `buf` is empty).
    ///
    /// # Errors
    ///
    /// Those of read(2).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: the next read gives what this one has read.
    #[inline]
    pub async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let mut guard = self.filled(buf.len()).await?;
        Ok(guard.with_cursor().1.hand_out(buf))
    }

    /// Reads until `buf` is full and returns its length.
    ///
    /// # Errors
    ///
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the file ends first, else as
    /// [`read`](Self::read). What was read is at the start of `buf`, but how much is not told.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the bytes that were read already are in `buf`, and how many is not known.
    #[inline]
    pub async fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.read(&mut buf[filled..]).await? {
                0 => {
                    let text =
                        format!("reading {} bytes: the file ended after {filled}", buf.len());
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
                }
                read => filled += read,
            }
        }
        Ok(filled)
    }

    /// Reads until the end of the file, appends everything to `buf` and returns how much it was.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read). What was read before has been appended.
    ///
    /// # Cancel safety
    ///
    /// What was read until then has been appended to `buf`: with it, calling again goes on.
    #[inline]
    pub async fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        let start = buf.len();
        loop {
            let so_far = buf.len() - start;
            let mut guard = self.filled(so_far.max(FIRST_READ)).await?;
            match guard.with_cursor().1.take_unread() {
                [] => return Ok(so_far),
                read => buf.extend_from_slice(read),
            }
        }
    }

    /// Reads until the end of the file, appends everything to `buf` and returns how many bytes it was.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](io::ErrorKind::InvalidData) if it is not UTF-8, else as [`read`](Self::read). `buf` is
    /// as before then, and the position behind what was read.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: what was read until then is lost.
    #[inline]
    pub async fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).await?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let text = format!("reading text: the file is not UTF-8: {error}");
            io::Error::new(io::ErrorKind::InvalidData, text)
        })?;
        buf.push_str(text);
        Ok(text.len())
    }

    /// Reads from `offset` on into `buf` and returns how much, 0 at the end of the file. The position is
    /// neither used nor moved, so several may read at the same time.
    ///
    /// As the standard library's `read_at`, and pread(2).
    ///
    /// # Errors
    ///
    /// Those of pread(2).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    ///
    /// ```
    /// # runtime::block_on(async {
    /// # let path = std::env::temp_dir().join(format!("read-at-doc-{}", std::process::id()));
    /// # runtime::fs::write(&path, "red,green,blue").await?;
    /// let file = runtime::fs::File::open(&path).await?;
    /// let (mut red, mut green) = ([0; 3], [0; 5]);
    /// runtime::try_join!(file.read_at(&mut red, 0), file.read_at(&mut green, 4))?;
    /// assert_eq!((&red, &green), (b"red", b"green"));
    /// # runtime::fs::remove_file(&path).await
    /// # }).unwrap();
    /// ```
    #[inline]
    pub async fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let len = buf.len().min(self.max_buf_size);
        let read = self.ask(move |file| {
            let mut bytes = vec![0; len];
            let read = uninterrupted(|| file.read_at(&mut bytes, offset))?;
            bytes.truncate(read);
            Ok(bytes)
        });
        let bytes = read.await?;
        buf[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    /// Writes as much of `buf` as the system takes, at most [`max_buf_size`](Self::max_buf_size), and
    /// returns how much.
    ///
    /// # Errors
    ///
    /// Those of write(2), and that of a dropped operation before.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: a part of `buf`, or all, may have been written or still be. The next operation waits
    /// for it; [`stream_position`](Self::stream_position) then tells how far it came, unless the file is
    /// for appending.
    #[inline]
    pub async fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut guard = self.exclusive().await?;
        guard.with_cursor().1.take_in(&[IoSlice::new(buf)], self.max_buf_size);
        let (_, written) = launch(guard, |file, cursor| cursor.write(file)).await?;
        Ok(written)
    }

    /// Writes all of `buf`.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write). Part of `buf` may have been written.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe, as [`write`](Self::write).
    #[inline]
    pub async fn write_all(&mut self, mut buf: &[u8]) -> io::Result<()> {
        while !buf.is_empty() {
            match self.write(buf).await? {
                0 => {
                    let text = "the file took no byte of a write that had some";
                    return Err(io::Error::new(io::ErrorKind::WriteZero, text));
                }
                written => buf = &buf[written..],
            }
        }
        Ok(())
    }

    /// Writes at `offset` as much of `buf` as the system takes, at most
    /// [`max_buf_size`](Self::max_buf_size), and returns how much. The position is not moved.
    ///
    /// As the standard library's `write_at`, and pwrite(2): a file for appending is written at its end all
    /// the same. It takes `&mut self` so that no later operation overtakes it; for several at once give each
    /// a [clone](Self::try_clone) of the file.
    ///
    /// # Errors
    ///
    /// Those of pwrite(2), and that of a dropped operation before.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: a part of `buf`, or all, may have been written or still be. The next operation waits
    /// for it, and the same bytes may be written to the same place again.
    #[inline]
    pub async fn write_at(&mut self, buf: &[u8], offset: u64) -> io::Result<usize> {
        let mut guard = self.exclusive().await?;
        guard.with_cursor().1.take_in(&[IoSlice::new(buf)], self.max_buf_size);
        let (_, written) = launch(guard, move |file, cursor| cursor.write_at(file, offset)).await?;
        Ok(written)
    }

    /// Waits for what was begun, and tells the error of an operation whose future was dropped.
    ///
    /// There is nothing else to flush: a write that has returned is with the system. For it to be on the disk
    /// as well there is [`sync_all`](Self::sync_all).
    ///
    /// # Errors
    ///
    /// That of a dropped operation before.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[inline]
    pub async fn flush(&mut self) -> io::Result<()> {
        self.shared().await.map(drop)
    }

    /// Moves the position, and returns where it is then, from the start of the file.
    ///
    /// # Errors
    ///
    /// [`NotSeekable`](io::ErrorKind::NotSeekable) of a pipe and the like,
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) before the start of the file; and that of a dropped
    /// operation before.
    ///
    /// # Cancel safety
    ///
    /// It is moved or not.
    #[inline]
    pub async fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        let (_, position) =
            launch(self.exclusive().await?, move |file, cursor| cursor.seek(file, pos)).await?;
        Ok(position)
    }

    /// Moves the position to the start of the file.
    ///
    /// # Errors
    ///
    /// As [`seek`](Self::seek).
    ///
    /// # Cancel safety
    ///
    /// As [`seek`](Self::seek).
    #[inline]
    pub async fn rewind(&mut self) -> io::Result<()> {
        self.seek(SeekFrom::Start(0)).await.map(drop)
    }

    /// Where the position is, from the start of the file.
    ///
    /// # Errors
    ///
    /// As [`seek`](Self::seek).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    #[inline]
    pub async fn stream_position(&mut self) -> io::Result<u64> {
        self.seek(SeekFrom::Current(0)).await
    }

    /// Waits until all that was written, and what is known of the file, is on the disk: fsync(2).
    ///
    /// # Errors
    ///
    /// Those of fsync(2): what could not be written by the system is told here, once. And that of a dropped
    /// operation before.
    ///
    /// # Cancel safety
    ///
    /// An error may be lost, and the next call does not tell it again.
    #[inline]
    pub async fn sync_all(&self) -> io::Result<()> {
        self.ask(|file| file.sync_all()).await
    }

    /// As [`sync_all`](Self::sync_all), without what is not needed to read it again, such as its times:
    /// fdatasync(2).
    ///
    /// # Errors
    ///
    /// As [`sync_all`](Self::sync_all).
    ///
    /// # Cancel safety
    ///
    /// As [`sync_all`](Self::sync_all).
    #[inline]
    pub async fn sync_data(&self) -> io::Result<()> {
        self.ask(|file| file.sync_data()).await
    }

    /// Cuts the file to that length, or lengthens it by zeroes. The position stays, even beyond the end.
    ///
    /// # Errors
    ///
    /// Those of ftruncate(2), and that of a dropped operation before.
    ///
    /// # Cancel safety
    ///
    /// It is done or not; the next operation waits for it. An error is lost.
    #[inline]
    pub async fn set_len(&self, size: u64) -> io::Result<()> {
        self.change(move |file| file.set_len(size)).await
    }

    /// What the file system knows of the file.
    ///
    /// # Errors
    ///
    /// Those of fstat(2), and that of a dropped operation before.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    #[inline]
    pub async fn metadata(&self) -> io::Result<Metadata> {
        self.ask(|file| file.metadata()).await
    }

    /// Sets the permissions of the file.
    ///
    /// # Errors
    ///
    /// Those of fchmod(2), and that of a dropped operation before.
    ///
    /// # Cancel safety
    ///
    /// They are set or not; the next operation waits for it. An error is lost.
    #[inline]
    pub async fn set_permissions(&self, perm: Permissions) -> io::Result<()> {
        self.change(move |file| file.set_permissions(perm)).await
    }

    /// Sets when the file was last read and changed, or one of these.
    ///
    /// # Errors
    ///
    /// Those of futimens(2), and that of a dropped operation before.
    ///
    /// # Cancel safety
    ///
    /// They are set or not; the next operation waits for it. An error is lost.
    #[inline]
    pub async fn set_times(&self, times: FileTimes) -> io::Result<()> {
        self.change(move |file| file.set_times(times)).await
    }

    /// Sets when the file was last changed. As [`set_times`](Self::set_times).
    ///
    /// # Errors
    ///
    /// As [`set_times`](Self::set_times).
    ///
    /// # Cancel safety
    ///
    /// As [`set_times`](Self::set_times).
    #[inline]
    pub async fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.set_times(FileTimes::new().set_modified(time)).await
    }

    /// A further `File` for the same open file: they share the position, but each knows nothing of what
    /// was begun with the other.
    ///
    /// # Errors
    ///
    /// Without a descriptor to spare, and that of a dropped operation before.
    ///
    /// # Cancel safety
    ///
    /// The clone is closed.
    #[inline]
    pub async fn try_clone(&self) -> io::Result<File> {
        let file = self.change(|file| file.try_clone()).await?;
        Ok(File { max_buf_size: self.max_buf_size, ..File::from_std(file) })
    }

    // With `&self` a future may lie about unpolled while another operation is awaited. So here the guards go
    // with their jobs, and do not come back to where nobody might fetch them.

    /// Has the pool do what several may do at once.
    #[inline]
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&StdFile) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let guard = self.shared().await?;
        run(move || question(guard.file())).await
    }

    /// Has the pool do what the next operation waits for.
    #[inline]
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&StdFile) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let mut guard = self.exclusive().await?;
        let job = move || {
            let (file, cursor) = guard.with_cursor();
            cursor.give_back(file)?;
            change(file)
        };
        run(job).await
    }
}

/// Has the pool do something with the cursor. The guard comes back with the outcome: if nobody fetches it,
/// an error is left before the next operation begins. For methods with `&mut self`, whose future is
/// dropped before that.
#[inline]
async fn launch<T: Send + 'static>(
    mut guard: Guard,
    operation: impl FnOnce(&StdFile, &mut Cursor) -> io::Result<T> + Send + 'static,
) -> io::Result<(Guard, T)> {
    let job = move || {
        let (file, cursor) = guard.with_cursor();
        let result = operation(file, cursor);
        let value = result.map_err(|error| guard.hold_error(error)).ok();
        Ok((guard, value))
    };
    match run(job).await? {
        (guard, Some(value)) => Ok((guard, value)),
        (mut guard, None) => Err(guard.take_error().expect("held for want of a value")),
    }
}

impl From<StdFile> for File {
    #[inline]
    fn from(file: StdFile) -> File {
        File::from_std(file)
    }
}

impl From<OwnedFd> for File {
    #[inline]
    fn from(fd: OwnedFd) -> File {
        File::from_std(fd.into())
    }
}

impl AsFd for File {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl AsRawFd for File {
    #[inline]
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl fmt::Debug for File {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("File").field(&self.file).finish()
    }
}
