//! Request and reply: the servers that are measured, and the clients that keep them busy.
#![allow(dead_code, reason = "each benchmark uses a part")]

pub(crate) mod client;
pub(crate) mod server;

mod raw_epoll;
