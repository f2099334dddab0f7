//! The limit: the programs written by hand on epoll(7), with nothing between them and the kernel.

use std::io;

use program::{Workload, cannot};

fn main() -> io::Result<()> {
    match Workload::of_this_program() {
        Workload::Empty => Ok(()),
        _ => cannot("not written yet"),
    }
}
