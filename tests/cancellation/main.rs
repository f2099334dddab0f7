//! Dropping the future of an operation that is one system call, at any moment, loses and doubles no byte,
//! leaks no waker and no fd. A process of its own, as fds are counted.
//!
//! Operations are begun, polled and dropped at random beside a model of what must arrive. A failure names
//! its seed: `SEED=17` repeats that one, `SEEDS=100000` tries so many.
#![allow(unsafe_code)]

#[path = "../support/mod.rs"]
mod support;

mod bytes;
mod connections;
mod datagrams;
mod exercise;
mod lines;
mod seeds;
mod threads;
mod unix;
mod waits;
