//! What a user could write, in one binary: a file per room.

#[path = "../support/mod.rs"]
mod support;

mod async_fd;
mod auto_traits;
mod blocking;
mod boottime;
mod clock;
mod copy;
mod descriptors;
mod dump;
mod embed;
mod exclusive;
mod fs;
mod gone;
mod handle;
mod happy_eyeballs;
mod join_set;
mod lines;
mod metrics;
mod panics_in_tasks;
mod pipe;
mod reactor;
mod stalls;
mod task;
mod task_local;
mod tcp;
mod tcp_options;
mod threads;
mod time;
mod timer;
mod traps;
mod turn;
mod udp;
mod unix;
mod unix_datagram;
mod unix_seqpacket;
mod waker;
