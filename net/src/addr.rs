//! Addresses: what can be turned into socket addresses, and the look-up of names.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use runtime_core::task;

use crate::error::explain;
use sealed::Lookup;

/// What can be turned into one or more [`SocketAddr`]s: an address, an `(ip, port)` or
/// `(host, port)` pair, a `"host:port"` string, a slice of addresses, or a reference to any of them.
///
/// Numeric addresses are parsed at once. A name is looked up by the system's resolver
/// ([getaddrinfo(3)]) on a thread of the blocking pool, the only thing in this module that takes a
/// thread; it needs a runtime on the calling thread.
///
/// The trait is sealed: functions take it, nobody calls it. To look up a name, [`lookup_host`].
///
/// # Examples
///
/// ```
/// use std::net::{Ipv4Addr, SocketAddr};
///
/// use runtime::net::lookup_host;
///
/// # runtime::block_on(async {
/// let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
/// assert_eq!(lookup_host("127.0.0.1:80").await?.collect::<Vec<_>>(), [address]);
/// assert_eq!(lookup_host((Ipv4Addr::LOCALHOST, 80)).await?.collect::<Vec<_>>(), [address]);
/// assert_eq!(lookup_host(("127.0.0.1", 80)).await?.collect::<Vec<_>>(), [address]);
/// assert_eq!(lookup_host(&[address, address][..]).await?.count(), 2);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
///
/// [getaddrinfo(3)]: https://man7.org/linux/man-pages/man3/getaddrinfo.3.html
pub trait ToSocketAddrs: sealed::Sealed {}

/// Looks up the addresses of a host, in the order the system's resolver prefers.
///
/// # Errors
///
/// Malformed input is [`InvalidInput`](io::ErrorKind::InvalidInput); a name that cannot be resolved
/// is the resolver's error, which names it. There is none to ask if the system refuses the blocking pool
/// its first thread.
///
/// # Cancel safety
///
/// Nothing is lost. A look-up under way goes on in its thread and its result is dropped.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// for addr in runtime::net::lookup_host("localhost:80").await? {
///     println!("{addr}");
/// }
/// # Ok(()) }
/// ```
#[inline]
pub async fn lookup_host<T: ToSocketAddrs>(
    host: T,
) -> io::Result<impl Iterator<Item = SocketAddr>> {
    resolve(&host).await
}

/// The addresses of `host`. Its value is used before the first await and not kept.
#[inline]
pub(crate) fn resolve<T: ToSocketAddrs + ?Sized>(
    host: &T,
) -> impl Future<Output = io::Result<Addrs>> + Send + use<T> {
    let lookup = host.lookup();
    async {
        match lookup? {
            Lookup::One(addr) => Ok(Addrs::One(Some(addr).into_iter())),
            Lookup::Many(addrs) => Ok(Addrs::Many(addrs.into_iter())),
            Lookup::Name(host, port) => look_up_name(host, port).await,
        }
    }
}

#[inline]
async fn look_up_name(host: String, port: u16) -> io::Result<Addrs> {
    let failed = |error, host: &str| explain(error, format_args!("looking up `{host}`"));
    let name = host.clone();
    let ask = move || match std::net::ToSocketAddrs::to_socket_addrs(&(name.as_str(), port)) {
        Ok(addrs) => Ok(Addrs::Many(addrs)),
        Err(error) => Err(failed(error, &name)),
    };
    let found = task::Builder::new().spawn_blocking(ask).map_err(|error| failed(error, &host))?;
    found.await.map_err(io::Error::from)?
}

/// Does `op` with one address after another until it succeeds; the last error wins.
#[inline]
pub(crate) fn first_of<R>(
    addrs: Addrs,
    mut op: impl FnMut(SocketAddr) -> io::Result<R>,
) -> io::Result<R> {
    let mut last = None;
    for addr in addrs {
        match op(addr) {
            Ok(done) => return Ok(done),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(no_address))
}

/// The error for a look-up that gave nothing to try.
#[inline]
pub(crate) fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "there is no address to use: the list is empty")
}

/// The addresses of one host.
#[derive(Debug)]
pub(crate) enum Addrs {
    One(std::option::IntoIter<SocketAddr>),
    Many(std::vec::IntoIter<SocketAddr>),
}

impl Iterator for Addrs {
    type Item = SocketAddr;

    #[inline]
    fn next(&mut self) -> Option<SocketAddr> {
        match self {
            Addrs::One(addrs) => addrs.next(),
            Addrs::Many(addrs) => addrs.next(),
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Addrs::One(addrs) => addrs.size_hint(),
            Addrs::Many(addrs) => addrs.size_hint(),
        }
    }
}

mod sealed {
    use std::io;
    use std::net::SocketAddr;

    pub trait Sealed {
        fn lookup(&self) -> io::Result<Lookup>;
    }

    /// Addresses known at once, or a name to be looked up.
    #[derive(Debug)]
    pub enum Lookup {
        One(SocketAddr),
        Many(Vec<SocketAddr>),
        Name(String, u16),
    }
}

impl ToSocketAddrs for SocketAddr {}
impl sealed::Sealed for SocketAddr {
    #[inline]
    fn lookup(&self) -> io::Result<Lookup> {
        Ok(Lookup::One(*self))
    }
}

impl ToSocketAddrs for SocketAddrV4 {}
impl sealed::Sealed for SocketAddrV4 {
    #[inline]
    fn lookup(&self) -> io::Result<Lookup> {
        Ok(Lookup::One((*self).into()))
    }
}

impl ToSocketAddrs for SocketAddrV6 {}
impl sealed::Sealed for SocketAddrV6 {
    #[inline]
    fn lookup(&self) -> io::Result<Lookup> {
        Ok(Lookup::One((*self).into()))
    }
}

impl ToSocketAddrs for (IpAddr, u16) {}
impl sealed::Sealed for (IpAddr, u16) {
    #[inline]
    fn lookup(&self) -> io::Result<Lookup> {
        Ok(Lookup::One((*self).into()))
    }
}

impl ToSocketAddrs for (Ipv4Addr, u16) {}
impl sealed::Sealed for (Ipv4Addr, u16) {
    #[inline]
    fn lookup(&self) -> io::Result<Lookup> {
        Ok(Lookup::One((*self).into()))
    }
}

impl ToSocketAddrs for (Ipv6Addr, u16) {}
impl sealed::Sealed for (Ipv6Addr, u16) {
    #[inline]
    fn lookup(&self) -> io::Result<Lookup> {
        Ok(Lookup::One((*self).into()))
    }
}

impl ToSocketAddrs for [SocketAddr] {}
impl sealed::Sealed for [SocketAddr] {
    #[inline]
    fn lookup(&self) -> io::Result<Lookup> {
        Ok(Lookup::Many(self.to_vec()))
    }
}

impl ToSocketAddrs for (&str, u16) {}
impl sealed::Sealed for (&str, u16) {
    #[inline]
    fn lookup(&self) -> io::Result<Lookup> {
        let (host, port) = *self;
        Ok(match host.parse::<IpAddr>() {
            Ok(ip) => Lookup::One(SocketAddr::new(ip, port)),
            Err(_) => Lookup::Name(host.to_owned(), port),
        })
    }
}

impl ToSocketAddrs for (String, u16) {}
impl sealed::Sealed for (String, u16) {
    #[inline]
    fn lookup(&self) -> io::Result<Lookup> {
        (self.0.as_str(), self.1).lookup()
    }
}

impl ToSocketAddrs for str {}
impl sealed::Sealed for str {
    #[inline]
    fn lookup(&self) -> io::Result<Lookup> {
        if let Ok(addr) = self.parse() {
            return Ok(Lookup::One(addr));
        }
        let parts =
            self.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        match parts {
            Some(pair) => pair.lookup(),
            None => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("`{self}` is not an address: write `host:port`, with a port below 65536"),
            )),
        }
    }
}

impl ToSocketAddrs for String {}
impl sealed::Sealed for String {
    #[inline]
    fn lookup(&self) -> io::Result<Lookup> {
        self.as_str().lookup()
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {}
impl<T: sealed::Sealed + ?Sized> sealed::Sealed for &T {
    #[inline]
    fn lookup(&self) -> io::Result<Lookup> {
        (**self).lookup()
    }
}
