//! Files, by way of the blocking pool.
//!
//! epoll cannot wait for a file: to the kernel it is always ready, and a read of it waits for the disk. So
//! each function here hands one job to the pool of [`spawn_blocking`](crate::spawn_blocking), which calls
//! what the standard library has under the same name, and waits for it. Names, signatures and meaning are
//! tokio's; the items say where they differ.
//!
//! Handing a job over costs some microseconds, which a read of a cached page does not. So let a job be
//! large: [`read`] whole files, give [`File`] buffers of 64 KiB and more, and put a loop over many small
//! files into one `spawn_blocking` with `std::fs`.
//!
//! # When a future is dropped
//!
//! A job that a thread of the pool has begun cannot be stopped. If its future is dropped, by a `timeout` or a
//! `select!`,
//!
//! - before a thread has begun it, it is never done;
//! - afterwards it goes on to its end, and nothing tells how it ended. What is one system call (rename,
//!   remove, link) was done then or not; what is several (`write`, `copy`, `create_dir_all`,
//!   `remove_dir_all`) is done whole, unless it fails or the process ends before it.
//!
//! So something may still be done after the drop. What follows in the same task must not count on the one
//! outcome or the other, nor use the path before it knows. The operations of a [`File`] are different: each
//! waits for the one whose future was dropped, and gives its error.
//!
//! A file that others read should never be seen half-written, whatever ends the writing. Write to another
//! name, and rename:
//!
//! ```
//! # runtime::block_on(async {
//! # let directory = std::env::temp_dir().join(format!("fs-doc-{}", std::process::id()));
//! # runtime::fs::create_dir(&directory).await?;
//! use runtime::fs;
//!
//! let (part, whole) = (directory.join("settings.part"), directory.join("settings"));
//! let mut file = fs::File::create(&part).await?;
//! file.write_all(b"colour = blue\n").await?;
//! file.sync_all().await?; // for it to be whole after a loss of power as well
//! fs::rename(&part, &whole).await?;
//! # assert_eq!(fs::read_to_string(&whole).await?, "colour = blue\n");
//! # fs::remove_dir_all(&directory).await
//! # }).unwrap();
//! ```
//!
//! # A tour
//!
//! ```
//! # runtime::block_on(async {
//! # let directory = std::env::temp_dir().join(format!("fs-tour-{}", std::process::id()));
//! use runtime::fs;
//!
//! fs::create_dir_all(directory.join("a/b")).await?;
//! let (file, copy) = (directory.join("a/file"), directory.join("a/b/copy"));
//! fs::write(&file, "text").await?;
//! assert_eq!(fs::copy(&file, &copy).await?, 4);
//! fs::hard_link(&file, directory.join("a/link")).await?;
//! fs::symlink("b/copy", directory.join("a/pointer")).await?;
//! assert_eq!(fs::read_to_string(directory.join("a/pointer")).await?, "text");
//! assert_eq!(fs::read_link(directory.join("a/pointer")).await?.to_str(), Some("b/copy"));
//! assert!(fs::symlink_metadata(directory.join("a/pointer")).await?.is_symlink());
//! assert_eq!(
//!     fs::canonicalize(directory.join("a/pointer")).await?,
//!     fs::canonicalize(&copy).await?
//! );
//!
//! let mut permissions = fs::metadata(&copy).await?.permissions();
//! permissions.set_readonly(true);
//! fs::set_permissions(&copy, permissions).await?;
//!
//! let mut names = Vec::new();
//! let mut entries = fs::read_dir(directory.join("a")).await?;
//! while let Some(entry) = entries.next_entry().await? {
//!     if entry.file_type().await?.is_file() && entry.metadata().await?.len() == 4 {
//!         names.push(entry.file_name());
//!     }
//! }
//! names.sort();
//! assert_eq!(names, ["file", "link"]);
//!
//! fs::remove_file(&copy).await?;
//! assert!(!fs::try_exists(&copy).await?);
//! fs::remove_file(directory.join("a/pointer")).await?;
//! fs::remove_dir(directory.join("a/b")).await?;
//! fs::create_dir(directory.join("new")).await?;
//! fs::rename(&file, directory.join("new/file")).await?;
//! fs::remove_dir_all(&directory).await
//! # }).unwrap();
//! ```
//!
//! # Errors
//!
//! Those of the functions that take a path say what was being done with which path, and have the kind of
//! the system's error; that one is their [`source`](std::error::Error::source), and knows the
//! `raw_os_error`. A [`File`] does not know its path: its methods give the system's errors as they are.
//!
//! If the runtime is dropped before a thread came to the job, or the system refuses the pool its first
//! thread, that is an error too.
//!
//! # Panics
//!
//! All futures here panic if they are first polled with no runtime on the thread.

mod cursor;
mod dir_builder;
mod file;
mod job;
mod lock;
mod open_options;
mod paths;
mod read_dir;
#[cfg(any(feature = "futures-io", feature = "tokio-io"))]
mod traits;

pub use std::fs::FileTimes;

pub use self::dir_builder::DirBuilder;
pub use self::file::File;
pub use self::open_options::OpenOptions;
pub use self::paths::{
    canonicalize, copy, create_dir, create_dir_all, hard_link, metadata, read, read_link,
    read_to_string, remove_dir, remove_dir_all, remove_file, rename, set_permissions, symlink,
    symlink_metadata, try_exists, write,
};
pub use self::read_dir::{DirEntry, ReadDir, read_dir};
