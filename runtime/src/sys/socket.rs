//! What the engine asks a descriptor about being a socket: of which kind, and between which addresses.

use std::ffi::OsString;
use std::io;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use libc::{c_int, socklen_t};

use crate::sys::cvt;

/// A socket as the kernel knows it: the [`kind`](crate::dump::Descriptor::kind) of a descriptor.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Socket {
    /// The address family: `AF_INET` is 2, for instance; see socket(2).
    pub family: i32,
    /// The type: `SOCK_STREAM` is 1, for instance.
    pub kind: i32,
    /// The protocol within the family: `IPPROTO_TCP` is 6, for instance.
    pub protocol: i32,
    /// Whether it accepts connections.
    pub is_listening: bool,
    /// The address on this side; one that is not bound may have one as well, such as `0.0.0.0:0`.
    pub local: Option<Address>,
    /// The address of the other side, while it is connected.
    pub peer: Option<Address>,
}

/// The address of a [`Socket`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Address {
    /// Of IPv4 or IPv6.
    Ip(SocketAddr),
    /// Of a Unix socket: a file.
    Path(PathBuf),
    /// Of a Unix socket: a name that is no file's, without the zero in front.
    Abstract(Vec<u8>),
    /// Of a Unix socket that has no name.
    Unnamed,
    /// Of another family, whose number this is: netlink(7), packet(7), vsock(7) and so on.
    OfFamily(i32),
}

impl Socket {
    /// The usual name of its family, type and protocol.
    pub(crate) fn sort(&self) -> Option<&'static str> {
        let name = match (self.family, self.kind, self.protocol) {
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM, libc::IPPROTO_TCP) => "TCP",
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM, libc::IPPROTO_MPTCP) => "MPTCP",
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM, libc::IPPROTO_UDP) => "UDP",
            (libc::AF_INET | libc::AF_INET6, _, libc::IPPROTO_ICMP | libc::IPPROTO_ICMPV6) => {
                "ICMP"
            }
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_RAW, _) => "raw IP",
            (libc::AF_UNIX, libc::SOCK_STREAM, _) => "Unix stream",
            (libc::AF_UNIX, libc::SOCK_DGRAM, _) => "Unix datagram",
            (libc::AF_UNIX, libc::SOCK_SEQPACKET, _) => "Unix seqpacket",
            (libc::AF_NETLINK, ..) => "netlink",
            (libc::AF_PACKET, ..) => "packet",
            (libc::AF_VSOCK, ..) => "vsock",
            (libc::AF_CAN, ..) => "CAN",
            (libc::AF_BLUETOOTH, ..) => "Bluetooth",
            (libc::AF_TIPC, ..) => "TIPC",
            (libc::AF_XDP, ..) => "XDP",
            _ => return None,
        };
        Some(name)
    }
}

/// Whether `fd` is a stream socket.
pub(crate) fn is_stream(fd: RawFd) -> bool {
    option(fd, libc::SO_TYPE).is_ok_and(|kind| kind == libc::SOCK_STREAM)
}

/// What there is to say of a socket; `None` of what is none.
///
/// # Errors
///
/// When the descriptor is closed.
#[cold]
pub(crate) fn describe(fd: RawFd) -> io::Result<Option<Socket>> {
    let kind = match option(fd, libc::SO_TYPE) {
        Err(error) if error.raw_os_error() == Some(libc::ENOTSOCK) => return Ok(None),
        kind => kind?,
    };
    Ok(Some(Socket {
        family: option(fd, libc::SO_DOMAIN)?,
        kind,
        protocol: option(fd, libc::SO_PROTOCOL)?,
        is_listening: option(fd, libc::SO_ACCEPTCONN).is_ok_and(|listens| listens != 0),
        local: address(fd, libc::getsockname),
        peer: address(fd, libc::getpeername),
    }))
}

fn option(fd: RawFd, name: c_int) -> io::Result<c_int> {
    let mut value: c_int = 0;
    let mut len = size_of::<c_int>() as socklen_t;
    // SAFETY: the pointers are those of `value` and of its length, which outlive the call.
    cvt(unsafe {
        libc::getsockopt(fd, libc::SOL_SOCKET, name, (&raw mut value).cast(), &raw mut len)
    })?;
    Ok(value)
}

/// What getsockname(2) and getpeername(2) have in common.
type GetName = unsafe extern "C" fn(c_int, *mut libc::sockaddr, *mut socklen_t) -> c_int;

fn address(fd: RawFd, get: GetName) -> Option<Address> {
    // SAFETY: it is plain data, for which all zeroes is a valid value.
    let mut raw: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let mut len = size_of::<libc::sockaddr_storage>() as socklen_t;
    // SAFETY: `get` is one of the two calls above: it writes no more than `len` bytes of `raw`, and the
    // length, and both outlive the call.
    cvt(unsafe { get(fd, (&raw mut raw).cast(), &raw mut len) }).ok()?;
    Some(decode(&raw, len as usize))
}

fn decode(raw: &libc::sockaddr_storage, len: usize) -> Address {
    let place: *const libc::sockaddr_storage = raw;
    match c_int::from(raw.ss_family) {
        libc::AF_INET => {
            // SAFETY: the storage is large enough and aligned for the address of any family, and all
            // bytes of it are initialised; any bit pattern is a valid `sockaddr_in`.
            let raw = unsafe { place.cast::<libc::sockaddr_in>().read() };
            let ip = Ipv4Addr::from(raw.sin_addr.s_addr.to_ne_bytes());
            Address::Ip(SocketAddrV4::new(ip, u16::from_be(raw.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above, of a `sockaddr_in6`.
            let raw = unsafe { place.cast::<libc::sockaddr_in6>().read() };
            let (ip, port) = (Ipv6Addr::from(raw.sin6_addr.s6_addr), u16::from_be(raw.sin6_port));
            Address::Ip(SocketAddrV6::new(ip, port, raw.sin6_flowinfo, raw.sin6_scope_id).into())
        }
        libc::AF_UNIX => {
            // SAFETY: as above, of a `sockaddr_un`.
            let raw = unsafe { place.cast::<libc::sockaddr_un>().read() };
            let len = len.saturating_sub(mem::offset_of!(libc::sockaddr_un, sun_path));
            let name: Vec<u8> = raw.sun_path.iter().take(len).map(|&byte| byte as u8).collect();
            match name.split_first() {
                None => Address::Unnamed,
                Some((0, name)) => Address::Abstract(name.to_vec()),
                Some(_) => {
                    // The kernel counts the zero behind it, except where there is no room for one.
                    let path = name.into_iter().take_while(|&byte| byte != 0).collect();
                    Address::Path(OsString::from_vec(path).into())
                }
            }
        }
        family => Address::OfFamily(family),
    }
}
