//! Request and reply: the servers that are measured, and the client that keeps them busy.

pub(crate) mod client;
pub(crate) mod server;

mod raw_epoll;
