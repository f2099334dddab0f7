//! Socket addresses as the kernel has them.

use std::io;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use libc::{c_int, socklen_t};

/// The address family of a socket.
#[derive(Clone, Copy)]
#[repr(i32)]
pub(crate) enum Family {
    V4 = libc::AF_INET,
    V6 = libc::AF_INET6,
}

impl Family {
    #[inline]
    pub(crate) fn of(addr: &SocketAddr) -> Family {
        if addr.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

/// `struct sockaddr` of any family used here.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) union RawAddr {
    pub(super) any: libc::sockaddr,
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
    pub(super) unix: libc::sockaddr_un,
}

impl RawAddr {
    #[inline]
    pub(crate) fn empty() -> RawAddr {
        // SAFETY: all members are plain data for which all zeroes is a valid value.
        unsafe { mem::zeroed() }
    }

    #[inline]
    pub(crate) fn encode(addr: SocketAddr) -> (RawAddr, socklen_t) {
        let mut raw = RawAddr::empty();
        match addr {
            SocketAddr::V4(addr) => {
                raw.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: addr.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(addr.ip().octets()) },
                    sin_zero: [0; 8],
                };
                (raw, mem::size_of::<libc::sockaddr_in>() as socklen_t)
            }
            SocketAddr::V6(addr) => {
                raw.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: addr.port().to_be(),
                    sin6_flowinfo: addr.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: addr.ip().octets() },
                    sin6_scope_id: addr.scope_id(),
                };
                (raw, mem::size_of::<libc::sockaddr_in6>() as socklen_t)
            }
        }
    }

    #[inline]
    pub(crate) fn decode(self) -> io::Result<SocketAddr> {
        // SAFETY: `empty` and `encode` initialise every byte, the kernel writes over some of them,
        // and all members are valid in any bit pattern; the family only says which one is meant.
        let (any, v4, v6) = unsafe { (self.any, self.v4, self.v6) };
        match c_int::from(any.sa_family) {
            libc::AF_INET => {
                let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
                Ok(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 => {
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                let port = u16::from_be(v6.sin6_port);
                Ok(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
            }
            family => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "reading a socket's address: its family is {family}, which is neither IPv4 nor \
                     IPv6; use the type of that family"
                ),
            )),
        }
    }
}
