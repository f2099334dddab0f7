//! The stories, a file for each of the paths between threads.

pub(crate) mod tasks;
