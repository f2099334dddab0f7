//! The programs on glommio, whose driver is io_uring.

mod servers;
mod tasks;

use std::future::Future;
use std::io;

use glommio::{LocalExecutorBuilder, Placement};
use program::{Workload, cannot};

fn block_on<F: Future>(future: F) -> F::Output {
    let builder = LocalExecutorBuilder::new(Placement::Unbound);
    builder.make().expect("an executor").run(future)
}

fn main() -> io::Result<()> {
    use Workload::*;
    match Workload::of_this_program() {
        Empty => block_on(async {}),
        Yield { tasks, count } => block_on(tasks::yields(tasks, count)),
        Echo { buffer } => return block_on(servers::echo(buffer as usize)),
        _ => cannot("not written yet"),
    }
    Ok(())
}
