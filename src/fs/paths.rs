//! The functions that take a path and do all in one job.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::path::{Path, PathBuf};

use super::job::{run_at, run_between};

/// Reads a file whole.
///
/// As tokio's and [`std::fs::read`].
///
/// # Errors
///
/// Those of opening and reading it.
///
/// # Cancel safety
///
/// What was read is lost, the file is as before.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// let key = runtime::fs::read("server.key").await?;
/// # Ok(()) }
/// ```
#[inline]
pub async fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    run_at("reading", path.as_ref(), fs::read).await
}

/// Reads a file whole, as text.
///
/// As tokio's and [`std::fs::read_to_string`].
///
/// # Errors
///
/// [`InvalidData`](io::ErrorKind::InvalidData) if it is not UTF-8, and those of opening and reading it.
///
/// # Cancel safety
///
/// What was read is lost, the file is as before.
///
/// ```
/// # runtime::block_on(async {
/// let stat = runtime::fs::read_to_string("/proc/self/stat").await?;
/// assert!(stat.starts_with(&std::process::id().to_string()));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[inline]
pub async fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    run_at("reading", path.as_ref(), fs::read_to_string).await
}

/// Makes `contents` all that is in a file, which is created if it is not there.
///
/// As tokio's and [`std::fs::write`]: the file is emptied and then written, so others may see it empty or
/// in part meanwhile. `contents` are copied.
///
/// # Errors
///
/// Those of opening and writing it. If the writing fails, on a full disk for instance, **part of the contents
/// is in the file** and what was there before is gone.
///
/// # Cancel safety
///
/// Not cancel safe: the file has its old contents or, sooner or later, the new ones; until then, or if
/// the process ends, **it may be empty or have part of them**. To replace a file whole or not at all, write
/// to another name and [`rename`]: see [the module](super#when-a-future-is-dropped).
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// runtime::fs::write("server.pid", std::process::id().to_string()).await?;
/// # Ok(()) }
/// ```
#[inline]
pub async fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> io::Result<()> {
    let contents = contents.as_ref().to_vec();
    run_at("writing", path.as_ref(), move |path| fs::write(path, contents)).await
}

/// Copies a file with its permissions over `to`, and returns its length.
///
/// As tokio's and [`std::fs::copy`]: by copy_file_range(2) where the kernel can.
///
/// # Errors
///
/// Those of opening, reading and writing. Part of it may be in `to` then, whose old contents are gone.
///
/// # Cancel safety
///
/// Not cancel safe: a copy that has begun goes on to its end, and until then **`to` may have part of it**.
/// To replace a file whole or not at all, copy to another name and [`rename`].
#[inline]
pub async fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<u64> {
    run_between("copying", from.as_ref(), to.as_ref(), fs::copy).await
}

/// Gives a file or directory another name, in place of a file that may have had it.
///
/// As tokio's and [`std::fs::rename`], and rename(2): nobody ever sees `to` missing, or in part.
///
/// # Errors
///
/// [`CrossesDevices`](io::ErrorKind::CrossesDevices) if `to` is in another file system, and the others of
/// rename(2).
///
/// # Cancel safety
///
/// It is done whole or not at all, perhaps after the drop.
#[inline]
pub async fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    run_between("renaming", from.as_ref(), to.as_ref(), fs::rename).await
}

/// Removes a file, or a symbolic link.
///
/// As tokio's and [`std::fs::remove_file`]; what has it open keeps it.
///
/// # Errors
///
/// Those of unlink(2).
///
/// # Cancel safety
///
/// It is removed or not, perhaps after the drop.
#[inline]
pub async fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    run_at("removing", path.as_ref(), fs::remove_file).await
}

/// Removes an empty directory.
///
/// As tokio's and [`std::fs::remove_dir`].
///
/// # Errors
///
/// [`DirectoryNotEmpty`](io::ErrorKind::DirectoryNotEmpty), and the others of rmdir(2).
///
/// # Cancel safety
///
/// It is removed or not, perhaps after the drop.
#[inline]
pub async fn remove_dir(path: impl AsRef<Path>) -> io::Result<()> {
    run_at("removing", path.as_ref(), fs::remove_dir).await
}

/// Removes a directory and all that is in it. Symbolic links are removed, not followed.
///
/// As tokio's and [`std::fs::remove_dir_all`].
///
/// # Errors
///
/// The first of those of reading and removing. What was removed before is gone.
///
/// # Cancel safety
///
/// Not cancel safe: a removal that has begun goes on to its end.
#[inline]
pub async fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    run_at("removing", path.as_ref(), fs::remove_dir_all).await
}

/// Makes a directory.
///
/// As tokio's and [`std::fs::create_dir`]; [`DirBuilder`](super::DirBuilder) sets its mode.
///
/// # Errors
///
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists), and the others of mkdir(2).
///
/// # Cancel safety
///
/// It is made or not, perhaps after the drop.
#[inline]
pub async fn create_dir(path: impl AsRef<Path>) -> io::Result<()> {
    run_at("making the directory", path.as_ref(), fs::create_dir).await
}

/// Makes a directory and those above it that are missing. That all are there already is fine.
///
/// As tokio's and [`std::fs::create_dir_all`].
///
/// # Errors
///
/// The first of those of mkdir(2). The directories that were made before stay.
///
/// # Cancel safety
///
/// What has begun goes on to its end; calling it again is right in any case.
#[inline]
pub async fn create_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    run_at("making the directory", path.as_ref(), fs::create_dir_all).await
}

/// What the file system knows of a file or directory; of a symbolic link, what it leads to.
///
/// As tokio's and [`std::fs::metadata`].
///
/// # Errors
///
/// Those of stat(2).
///
/// # Cancel safety
///
/// Nothing is changed.
#[inline]
pub async fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    run_at("looking at", path.as_ref(), fs::metadata).await
}

/// As [`metadata`], but of a symbolic link itself.
///
/// As tokio's and [`std::fs::symlink_metadata`].
///
/// # Errors
///
/// Those of lstat(2).
///
/// # Cancel safety
///
/// Nothing is changed.
#[inline]
pub async fn symlink_metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    run_at("looking at", path.as_ref(), fs::symlink_metadata).await
}

/// Whether there is something of that name; a symbolic link that leads nowhere is nothing.
///
/// As tokio's and [`std::fs::exists`].
///
/// # Errors
///
/// If it cannot be told, for lack of permission for instance.
///
/// # Cancel safety
///
/// Nothing is changed.
#[inline]
pub async fn try_exists(path: impl AsRef<Path>) -> io::Result<bool> {
    run_at("looking for", path.as_ref(), fs::exists).await
}

/// Sets the permissions of a file or directory.
///
/// As tokio's and [`std::fs::set_permissions`].
///
/// # Errors
///
/// Those of chmod(2).
///
/// # Cancel safety
///
/// They are set or not, perhaps after the drop.
#[inline]
pub async fn set_permissions(path: impl AsRef<Path>, perm: Permissions) -> io::Result<()> {
    let set = move |path| fs::set_permissions(path, perm);
    run_at("setting the permissions of", path.as_ref(), set).await
}

/// The path from the root without symbolic links, `.` and `..`.
///
/// As tokio's and [`std::fs::canonicalize`].
///
/// # Errors
///
/// Those of realpath(3): all of it has to be there.
///
/// # Cancel safety
///
/// Nothing is changed.
#[inline]
pub async fn canonicalize(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    run_at("resolving", path.as_ref(), fs::canonicalize).await
}

/// What a symbolic link says, whether or not it leads anywhere.
///
/// As tokio's and [`std::fs::read_link`].
///
/// # Errors
///
/// [`InvalidInput`](io::ErrorKind::InvalidInput) if it is no link, and the others of readlink(2).
///
/// # Cancel safety
///
/// Nothing is changed.
#[inline]
pub async fn read_link(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    run_at("reading the link", path.as_ref(), fs::read_link).await
}

/// Gives the file `original` the further name `link`.
///
/// As tokio's and [`std::fs::hard_link`].
///
/// # Errors
///
/// Those of link(2).
///
/// # Cancel safety
///
/// It is made or not, perhaps after the drop.
#[inline]
pub async fn hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    run_between("linking", link.as_ref(), original.as_ref(), |link, original| {
        fs::hard_link(original, link)
    })
    .await
}

/// Makes `link` a symbolic link to `original`, which need not be there.
///
/// As tokio's and [`std::os::unix::fs::symlink`].
///
/// # Errors
///
/// Those of symlink(2).
///
/// # Cancel safety
///
/// It is made or not, perhaps after the drop.
#[inline]
pub async fn symlink(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    run_between("linking", link.as_ref(), original.as_ref(), |link, original| {
        std::os::unix::fs::symlink(original, link)
    })
    .await
}
