//! `UCred`: who is at the other end of a connection.

use std::io;
use std::os::fd::BorrowedFd;

use crate::sys;

/// The number of a user.
#[allow(non_camel_case_types)] // tokio's names, which are C's
pub type uid_t = u32;
/// The number of a group.
#[allow(non_camel_case_types)]
pub type gid_t = u32;
/// The number of a process.
#[allow(non_camel_case_types)]
pub type pid_t = i32;

/// The process at the other end of a connection, from `peer_cred`: as it was when it called
/// connect(2), listen(2) or socketpair(2) (`SO_PEERCRED` of unix(7)).
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let (stream, _) = runtime::net::UnixStream::pair()?;
/// let peer = stream.peer_cred()?; // of who made the pair
/// assert_eq!(peer.pid(), Some(std::process::id() as runtime::net::unix::pid_t));
/// println!("user {}, group {}", peer.uid(), peer.gid());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UCred {
    uid: uid_t,
    gid: gid_t,
    pid: Option<pid_t>,
}

impl UCred {
    /// The effective user.
    #[inline]
    pub fn uid(&self) -> uid_t {
        self.uid
    }

    /// The effective group.
    #[inline]
    pub fn gid(&self) -> gid_t {
        self.gid
    }

    /// The process, unless it has no number in this process's namespace.
    #[inline]
    pub fn pid(&self) -> Option<pid_t> {
        self.pid
    }

    #[inline]
    pub(super) fn of_peer(socket: BorrowedFd<'_>) -> io::Result<UCred> {
        let (uid, gid, pid) = sys::peer_credentials(socket)?;
        Ok(UCred { uid, gid, pid })
    }
}
