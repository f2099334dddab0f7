//! Chapters: how something works as a whole, what it costs, where it ends.
//!
//! To begin with:
//!
//! - [`first_program`]: a server, in five steps.
//! - [`from_tokio`]: name by name, what is the same and what is not.
//!
//! What every program meets:
//!
//! - [`one_thread`]: what may be shared, what must not take long, and `Send`.
//! - [`cancellation`]: timeouts, aborts, and what a dropped future loses.
//! - [`testing`]: a clock that jumps, and orders that repeat.
//! - [`seeing_inside`]: when it hangs, is slow, or never rests.
//! - [`libraries`]: what to use for channels, locks, HTTP, TLS, databases.
//! - [`when_not`]: when to use something else.
//!
//! What some do:
//!
//! - [`command_line`]: input, signals, children, progress.
//! - [`embedding`]: in another program's loop.
//! - [`epoll`]: how it is used here, for descriptors of your own.

#[doc = include_str!("../docs/cancellation.md")]
pub mod cancellation {}
#[doc = include_str!("../docs/command_line.md")]
pub mod command_line {}
#[doc = include_str!("../docs/embedding.md")]
pub mod embedding {}
#[doc = include_str!("../docs/epoll.md")]
pub mod epoll {}
#[doc = include_str!("../docs/first_program.md")]
pub mod first_program {}
#[doc = include_str!("../docs/from_tokio.md")]
pub mod from_tokio {}
#[doc = include_str!("../docs/libraries.md")]
pub mod libraries {}
#[doc = include_str!("../docs/one_thread.md")]
pub mod one_thread {}
#[doc = include_str!("../docs/seeing_inside.md")]
#[doc = include_str!("../docs/trace.svg")]
pub mod seeing_inside {}
#[doc = include_str!("../docs/testing.md")]
pub mod testing {}
#[doc = include_str!("../docs/when_not.md")]
pub mod when_not {}
