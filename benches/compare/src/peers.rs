//! Who takes part.

use anyhow::{Context, Result};
use program::Workload;

use crate::machine::version_of;

/// A runtime, or one of its flavors.
pub(crate) struct Peer {
    /// As the tables name it, and the command line.
    pub(crate) name: &'static str,
    /// The package under `peers/` that has its programs.
    pub(crate) package: &'static str,
    /// What the program is told, where one package has several.
    pub(crate) flavor: Option<&'static str>,
    /// The package for workloads that need more of the library than its default features, if the others shall not
    /// pay for it.
    pub(crate) more: Option<&'static str>,
}

const fn peer(name: &'static str, package: &'static str, flavor: Option<&'static str>) -> Peer {
    Peer { name, package, flavor, more: None }
}

pub(crate) const PEERS: &[Peer] = &[
    peer("raw", "peer-raw", None),
    peer("runtime", "peer-runtime", None),
    peer("tokio", "peer-tokio", None),
    peer("tokio-local", "peer-tokio", Some("local")),
    peer("smol", "peer-smol", None),
    peer("zruntime", "peer-zruntime", None),
    peer("monoio-epoll", "peer-monoio", Some("epoll")).and("peer-monoio-sync"),
    peer("monoio-io_uring", "peer-monoio", Some("io_uring")).and("peer-monoio-sync"),
    peer("compio-epoll", "peer-compio", Some("epoll")),
    peer("compio-io_uring", "peer-compio", Some("io_uring")),
    peer("glommio", "peer-glommio", None),
];

impl Peer {
    const fn and(mut self, more: &'static str) -> Peer {
        self.more = Some(more);
        self
    }

    /// Whether [`Peer::more`] is for this, where there is one: wakes from other threads, and hyper.
    pub(crate) fn is_more(workload: Workload) -> bool {
        matches!(workload, Workload::WakeParked { .. } | Workload::WakeBusy { .. } | Workload::Http)
    }

    /// What its programs are built on, as crates are named.
    pub(crate) fn library(&self) -> Option<&'static str> {
        match self.package.strip_prefix("peer-") {
            Some("raw") => None,
            Some("runtime") => Some("epoll-runtime"),
            library => library,
        }
    }

    /// The version of that, as the lock file has it.
    pub(crate) fn version(&self) -> String {
        let lock = include_str!("../Cargo.lock");
        self.library().and_then(|library| version_of(library, lock)).unwrap_or_default()
    }
}

/// # Errors
///
/// When nobody has that name.
pub(crate) fn named(name: &str) -> Result<&'static Peer> {
    let known: Vec<_> = PEERS.iter().map(|peer| peer.name).collect();
    let peer = PEERS.iter().find(|peer| peer.name == name);
    peer.with_context(|| format!("nobody is called {name}; there are {}", known.join(", ")))
}
