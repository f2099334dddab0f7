//! The options of a UDP socket.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;

use super::socket::UdpSocket;
use crate::options::{device_options, options};
use crate::sys;

impl UdpSocket {
    options! {
        /// Whether datagrams may be sent to a broadcast address (`SO_BROADCAST`).
        broadcast
        /// Lets datagrams be sent to a broadcast address (`SO_BROADCAST`).
        set_broadcast = SO_BROADCAST: bool;

        /// The TTL of datagrams sent over IPv4 (`IP_TTL`).
        ttl
        /// Sets the TTL of datagrams sent over IPv4 (`IP_TTL`).
        set_ttl = IP_TTL: u32;

        /// The hop limit of datagrams sent over IPv6 (`IPV6_UNICAST_HOPS`).
        unicast_hops_v6
        /// Sets the hop limit of datagrams sent over IPv6 (`IPV6_UNICAST_HOPS`).
        set_unicast_hops_v6 = IPV6_UNICAST_HOPS: u32;

        /// The type of service of datagrams sent over IPv4 (`IP_TOS`).
        tos_v4
        /// Sets the type of service of datagrams sent over IPv4 (`IP_TOS`). For a single datagram:
        /// [`Datagram::tos`](crate::udp::Datagram::tos).
        set_tos_v4 = IP_TOS: u32;

        /// The traffic class of datagrams sent over IPv6 (`IPV6_TCLASS`).
        tclass_v6
        /// Sets the traffic class of datagrams sent over IPv6 (`IPV6_TCLASS`). For a single datagram:
        /// [`Datagram::tos`](crate::udp::Datagram::tos).
        set_tclass_v6 = IPV6_TCLASS: u32;

        /// Whether other sockets may be bound to the same address (`SO_REUSEADDR`).
        reuseaddr
        /// Lets other sockets that ask for it too be bound to the same address (`SO_REUSEADDR`), as
        /// receivers of a multicast group have to. Set it before [`bind_to`](Self::bind_to).
        set_reuseaddr = SO_REUSEADDR: bool;

        /// Whether several sockets may share the address (`SO_REUSEPORT`).
        reuseport
        /// Lets several sockets share the address; the kernel spreads senders over them
        /// (`SO_REUSEPORT`). Set it before [`bind_to`](Self::bind_to).
        set_reuseport = SO_REUSEPORT: bool;

        /// Whether the socket, being of IPv6, leaves IPv4 alone (`IPV6_V6ONLY`).
        only_v6
        /// Sets whether the socket, being of IPv6, leaves IPv4 alone (`IPV6_V6ONLY`). If not, peers
        /// of IPv4 have mapped addresses. Set it before [`bind_to`](Self::bind_to).
        set_only_v6 = IPV6_V6ONLY: bool;

        /// The size of the send buffer in bytes, as the kernel counts: twice what was set
        /// (`SO_SNDBUF`).
        send_buffer_size
        /// Sets the size of the send buffer in bytes (`SO_SNDBUF`).
        set_send_buffer_size = SO_SNDBUF: u32;

        /// The size of the receive buffer in bytes, as the kernel counts: twice what was set
        /// (`SO_RCVBUF`).
        recv_buffer_size
        /// Sets the size of the receive buffer in bytes (`SO_RCVBUF`). Datagrams it has no room for
        /// are lost.
        set_recv_buffer_size = SO_RCVBUF: u32;

        /// Whether the kernel puts datagrams together (`UDP_GRO`).
        gro
        /// Lets the kernel put datagrams of one size and one sender together, to be received by
        /// [`recv_segmented`](Self::recv_segmented) or [`recv_many`](Self::recv_many) at one stroke
        /// (`UDP_GRO`). Other receives cannot tell where one ends and the next begins.
        ///
        /// Linux before 5.0 refuses it. That may be ignored: then each datagram comes by itself.
        set_gro = UDP_GRO: bool;

        /// Whether IPv4 multicast datagrams sent are received on this machine too
        /// (`IP_MULTICAST_LOOP`).
        multicast_loop_v4
        /// Sets whether IPv4 multicast datagrams sent are received on this machine too
        /// (`IP_MULTICAST_LOOP`).
        set_multicast_loop_v4 = IP_MULTICAST_LOOP: bool;

        /// Whether IPv6 multicast datagrams sent are received on this machine too
        /// (`IPV6_MULTICAST_LOOP`).
        multicast_loop_v6
        /// Sets whether IPv6 multicast datagrams sent are received on this machine too
        /// (`IPV6_MULTICAST_LOOP`).
        set_multicast_loop_v6 = IPV6_MULTICAST_LOOP: bool;

        /// The TTL of IPv4 multicast datagrams sent, 1 by default (`IP_MULTICAST_TTL`).
        multicast_ttl_v4
        /// Sets the TTL of IPv4 multicast datagrams sent (`IP_MULTICAST_TTL`).
        set_multicast_ttl_v4 = IP_MULTICAST_TTL: u32;

        /// The hop limit of IPv6 multicast datagrams sent, 1 by default (`IPV6_MULTICAST_HOPS`).
        multicast_hops_v6
        /// Sets the hop limit of IPv6 multicast datagrams sent (`IPV6_MULTICAST_HOPS`).
        set_multicast_hops_v6 = IPV6_MULTICAST_HOPS: u32;

        /// The address of the interface that IPv4 multicast datagrams are sent by; unspecified if the
        /// kernel chooses (`IP_MULTICAST_IF`).
        multicast_if_v4
        /// Sets the interface that IPv4 multicast datagrams are sent by, by its address
        /// (`IP_MULTICAST_IF`).
        set_multicast_if_v4 = IP_MULTICAST_IF: Ipv4Addr;

        /// The index of the interface that IPv6 multicast datagrams are sent by; 0 if the kernel
        /// chooses (`IPV6_MULTICAST_IF`).
        multicast_if_v6
        /// Sets the interface that IPv6 multicast datagrams are sent by, by its index
        /// (`IPV6_MULTICAST_IF`).
        set_multicast_if_v6 = IPV6_MULTICAST_IF: u32;
    }

    /// Joins the multicast group on the interface with that address (any, if unspecified).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    #[inline]
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.io.get_ref().join_multicast_v4(&group, &interface)
    }

    /// Leaves the multicast group.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    #[inline]
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.io.get_ref().leave_multicast_v4(&group, &interface)
    }

    /// Joins the multicast group on the interface with that index (any, if 0).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    #[inline]
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.io.get_ref().join_multicast_v6(group, interface)
    }

    /// Leaves the multicast group.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    #[inline]
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.io.get_ref().leave_multicast_v6(group, interface)
    }

    /// Whether [`Received`](crate::udp::Received) tells where a datagram was sent to.
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    #[inline]
    pub fn recv_pktinfo(&self) -> io::Result<bool> {
        if self.is_v6()? {
            sys::option(self.as_fd(), &sys::IPV6_RECVPKTINFO)
        } else {
            sys::option(self.as_fd(), &sys::IP_PKTINFO)
        }
    }

    /// Sets whether [`Received`](crate::udp::Received) tells the address a datagram was sent to and
    /// the interface it came in by (`IP_PKTINFO`, `IPV6_RECVPKTINFO`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    ///
    /// # Examples
    ///
    /// [`Received`](crate::udp::Received#examples) has an answer that comes from the address that was asked.
    ///
    /// ```
    /// # runtime::block_on(async {
    /// let socket = runtime::net::UdpSocket::bind("0.0.0.0:0").await?;
    /// socket.set_recv_pktinfo(true)?;
    /// assert!(socket.recv_pktinfo()?);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[inline]
    pub fn set_recv_pktinfo(&self, on: bool) -> io::Result<()> {
        if self.is_v6()? {
            sys::set_option(self.as_fd(), &sys::IPV6_RECVPKTINFO, on)
        } else {
            sys::set_option(self.as_fd(), &sys::IP_PKTINFO, on)
        }
    }

    /// Whether [`Received`](crate::udp::Received) tells a datagram's type of service or traffic class.
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    #[inline]
    pub fn recv_tos(&self) -> io::Result<bool> {
        sys::option(self.as_fd(), &sys::IP_RECVTOS)
    }

    /// Sets whether [`Received`](crate::udp::Received) tells a datagram's type of service or traffic
    /// class, and with it ECN (`IP_RECVTOS`, `IPV6_RECVTCLASS`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    ///
    /// # Examples
    ///
    /// ```
    /// # runtime::block_on(async {
    /// let socket = runtime::net::UdpSocket::bind("127.0.0.1:0").await?;
    /// socket.set_recv_tos(true)?; // as QUIC does, for the two bits of ECN
    /// assert!(socket.recv_tos()?);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[inline]
    pub fn set_recv_tos(&self, on: bool) -> io::Result<()> {
        // An IPv6 socket needs both: what comes over IPv4 has a type of service.
        if self.is_v6()? {
            sys::set_option(self.as_fd(), &sys::IPV6_RECVTCLASS, on)?;
        }
        sys::set_option(self.as_fd(), &sys::IP_RECVTOS, on)
    }

    /// Whether datagrams are kept from being fragmented on their way.
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    #[inline]
    pub fn dont_fragment(&self) -> io::Result<bool> {
        if self.is_v6()? && !sys::option(self.as_fd(), &sys::IPV6_MTU_DISCOVER)? {
            return Ok(false);
        }
        sys::option(self.as_fd(), &sys::IP_MTU_DISCOVER)
    }

    /// Sets whether datagrams are kept from being fragmented on their way, so that one that is too
    /// large for it is lost, as QUIC's search for the path's MTU needs (`IP_MTU_DISCOVER` and
    /// `IPV6_MTU_DISCOVER`, `PROBE`). One that is too large for the interface is the error `EMSGSIZE`.
    /// If not, it is up to the kernel, as by default (`WANT`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    ///
    /// # Examples
    ///
    /// ```
    /// # runtime::block_on(async {
    /// let socket = runtime::net::UdpSocket::bind("127.0.0.1:0").await?;
    /// socket.set_dont_fragment(true)?;
    /// assert!(socket.dont_fragment()?);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[inline]
    pub fn set_dont_fragment(&self, on: bool) -> io::Result<()> {
        if self.is_v6()? {
            sys::set_option(self.as_fd(), &sys::IPV6_MTU_DISCOVER, on)?;
        }
        sys::set_option(self.as_fd(), &sys::IP_MTU_DISCOVER, on)
    }

    device_options!();

    #[inline]
    fn is_v6(&self) -> io::Result<bool> {
        self.local_addr().map(|addr| addr.is_ipv6())
    }
}
