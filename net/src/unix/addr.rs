//! `SocketAddr`: a path, an abstract name, or none.

use std::fmt;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net;
use std::path::Path;

/// The name of a Unix socket: a path, an abstract name, or none.
///
/// An abstract name is in no file system: it is seen by everybody in the same network namespace and is
/// gone with the socket. Where a function takes a path, one that begins with a zero byte is an abstract
/// name without that byte, as tokio has it.
///
/// It converts from and into the standard library's.
///
/// # Examples
///
/// ```
/// # runtime::block_on(async {
/// use runtime::net::unix::SocketAddr;
/// use runtime::net::{UnixListener, UnixStream};
///
/// let name = SocketAddr::from_abstract_name(format!("an example of {}", std::process::id()))?;
/// let listener = UnixListener::bind_addr(&name)?;
/// let client = UnixStream::connect_addr(&name).await?;
/// assert_eq!(client.peer_addr()?.as_abstract_name(), name.as_abstract_name());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct SocketAddr(net::SocketAddr);

impl SocketAddr {
    /// The name of a socket in the file system.
    ///
    /// # Errors
    ///
    /// If the path has more than 107 bytes, or a zero among them.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::path::Path;
    /// use runtime::net::unix::SocketAddr;
    ///
    /// let address = SocketAddr::from_pathname("/run/hello")?;
    /// assert_eq!(address.as_pathname(), Some(Path::new("/run/hello")));
    /// # std::io::Result::Ok(())
    /// ```
    #[inline]
    pub fn from_pathname<P: AsRef<Path>>(path: P) -> io::Result<SocketAddr> {
        net::SocketAddr::from_pathname(path).map(SocketAddr)
    }

    /// A name outside of the file system, of any bytes, without the zero that unix(7) has before it.
    ///
    /// # Errors
    ///
    /// If the name has more than 107 bytes.
    #[inline]
    pub fn from_abstract_name<N: AsRef<[u8]>>(name: N) -> io::Result<SocketAddr> {
        net::SocketAddr::from_abstract_name(name).map(SocketAddr)
    }

    /// Whether there is no name: the peer never bound its socket.
    #[inline]
    pub fn is_unnamed(&self) -> bool {
        self.0.is_unnamed()
    }

    /// The path, if it is one.
    #[inline]
    pub fn as_pathname(&self) -> Option<&Path> {
        self.0.as_pathname()
    }

    /// The abstract name, if it is one, without its leading zero.
    #[inline]
    pub fn as_abstract_name(&self) -> Option<&[u8]> {
        self.0.as_abstract_name()
    }

    /// What a path means where names are taken: with a leading zero it is an abstract one.
    #[inline]
    pub(super) fn of(path: impl AsRef<Path>) -> io::Result<SocketAddr> {
        let path = path.as_ref();
        match path.as_os_str().as_bytes() {
            [0, name @ ..] => SocketAddr::from_abstract_name(name),
            _ => SocketAddr::from_pathname(path),
        }
    }

    #[inline]
    pub(super) fn unnamed() -> SocketAddr {
        SocketAddr(net::SocketAddr::from_pathname("").expect("an empty path is no name, and fits"))
    }

    #[inline]
    pub(super) fn as_std(&self) -> &net::SocketAddr {
        &self.0
    }
}

impl From<net::SocketAddr> for SocketAddr {
    #[inline]
    fn from(addr: net::SocketAddr) -> SocketAddr {
        SocketAddr(addr)
    }
}

impl From<SocketAddr> for net::SocketAddr {
    #[inline]
    fn from(addr: SocketAddr) -> net::SocketAddr {
        addr.0
    }
}

/// As the standard library's: `"/run/x" (pathname)`, `"x" (abstract)`, `(unnamed)`.
impl fmt::Debug for SocketAddr {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
