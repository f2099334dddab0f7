//! `AsyncFd`.
