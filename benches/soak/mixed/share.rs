//! What a load is given for a round, and helpers that all loads have in common.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use runtime::Handle;
use runtime::task::JoinSet;

use crate::support::random::Random;

/// What is there during the whole soak.
pub(crate) struct World {
    /// The runtime that all loads are on.
    pub(crate) here: Handle,
    /// A runtime on another thread.
    pub(crate) partner: Handle,
    /// Empty between the rounds.
    pub(crate) folder: PathBuf,
}

impl World {
    /// How many descriptors the two runtimes watch.
    pub(crate) fn registered(&self) -> u64 {
        (self.here.metrics().fds_registered + self.partner.metrics().fds_registered) as u64
    }

    /// How many tasks are alive on the two.
    pub(crate) fn tasks(&self) -> u64 {
        (self.here.metrics().tasks_alive + self.partner.metrics().tasks_alive) as u64
    }
}

#[derive(Clone)]
pub(crate) struct Share {
    pub(crate) random: Random,
    pub(crate) world: Arc<World>,
    operations: &'static AtomicU64,
}

impl Share {
    pub(crate) fn new(seed: u64, world: Arc<World>, operations: &'static AtomicU64) -> Share {
        Share { random: Random::new(seed), world, operations }
    }

    /// For a part of the load that runs beside the others, with random numbers of its own: they must not
    /// depend on who takes the next one first.
    pub(crate) fn part(&mut self) -> Share {
        Share { random: Random::new(self.random.next()), ..self.clone() }
    }

    /// Counts an operation whose result was right.
    pub(crate) fn done(&self) {
        self.operations.fetch_add(1, Ordering::Relaxed);
    }

    /// Some random bytes, at least one.
    pub(crate) fn bytes(&mut self, most: usize) -> Vec<u8> {
        let len = self.random.up_to(most);
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&self.random.next().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }
}

/// Waits for all of them; an error or a panic of one is that of all.
pub(crate) async fn all(mut tasks: JoinSet<io::Result<()>>) -> io::Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}
