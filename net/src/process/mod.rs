//! Child processes: [`Command`] starts them, [`Child`] waits for them, signals them and talks to them.
//!
//! Names, signatures and meaning are tokio's.
//!
//! ```
//! use runtime::process::Command;
//!
//! # runtime::block_on(async {
//! let output = Command::new("echo").arg("hello").output().await?;
//! assert!(output.status.success());
//! assert_eq!(output.stdout, b"hello\n");
//! # std::io::Result::Ok(()) }).unwrap();
//! ```
//!
//! The child's standard streams, where they are piped, are byte streams like any other:
//!
//! ```
//! use std::process::Stdio;
//!
//! use runtime::process::Command;
//!
//! # runtime::block_on(async {
//! let mut child = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
//! let stdin = child.stdin.take().expect("it is piped");
//! let stdout = child.stdout.take().expect("it is piped");
//! runtime::spawn(async move { stdin.write_all(b"pear\napple\n").await });
//! let mut lines = runtime::io::lines(stdout);
//! while let Some(line) = lines.next_line().await? {
//!     println!("{line}");
//! }
//! assert!(child.wait().await?.success());
//! # std::io::Result::Ok(()) }).unwrap();
//! ```
//!
//! And one child's output can be another's input:
//!
//! ```
//! use std::process::Stdio;
//!
//! use runtime::process::Command;
//!
//! # runtime::block_on(async {
//! let mut echo = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
//! let echoed: Stdio = echo.stdout.take().expect("it is piped").try_into()?;
//! let loud = Command::new("tr").args(["a-z", "A-Z"]).stdin(echoed).output();
//! assert_eq!(loud.await?.stdout, b"HELLO\n");
//! assert!(echo.wait().await?.success());
//! # std::io::Result::Ok(()) }).unwrap();
//! ```
//!
//! # How a child's end is seen
//!
//! By its pidfd (`pidfd_open(2)`), which becomes readable then: no handler for SIGCHLD, no thread, and
//! no look at other children. A program may have other children, and wait for them, by other means, as
//! long as it neither ignores SIGCHLD nor waits for children that are not its own (`waitpid(-1)`): the
//! status would be lost, and [`Child::wait`] returns an error that says so.
//!
//! Children need Linux 5.4; on an older kernel spawning one is an error that says so.
//!
//! # A child that is dropped
//!
//! It runs on, unless [`Command::kill_on_drop`] says otherwise. In either case nothing is left of it when
//! it has ended: the runtime where it was dropped (without one there, that where it was spawned) takes
//! its status. When that runtime is gone, the next spawn does. In the child of a `fork` nothing of this
//! applies to the parent's children.
//!
//! # What a child inherits
//!
//! The standard streams as they were set, and no other descriptor of this library: all of them are
//! closed by `execve`. The pipes between the two are nonblocking here and blocking there.
//!
//! Of signals, what the program itself has blocked or ignored. What this library does with them is undone
//! in the child: those that a [`BlockedSignals`] blocks are not blocked, and one that is ignored stays so
//! while it is listened for. That takes a fork(2), as [`Command::pre_exec`], [`Command::uid`] and
//! [`Command::gid`] do; else it is posix_spawn(3) as a rule, which copies nothing of this process.
//!
//! [`BlockedSignals`]: runtime_core::epoll::BlockedSignals

mod child;
mod command;
mod reaper;
mod stdio;

pub use child::Child;
pub use command::Command;
pub use stdio::{ChildStderr, ChildStdin, ChildStdout};
