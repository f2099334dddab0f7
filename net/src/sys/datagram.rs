//! Several datagrams in one system call, and what goes along with each.
//!
//! The kernel's side is in [ip(7)], [ipv6(7)] and [udp(7)].
//!
//! [ip(7)]: https://man7.org/linux/man-pages/man7/ip.7.html
//! [ipv6(7)]: https://man7.org/linux/man-pages/man7/ipv6.7.html
//! [udp(7)]: https://man7.org/linux/man-pages/man7/udp.7.html

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::{self, MaybeUninit, offset_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use libc::{c_int, c_void, socklen_t};

use super::{Control, RawAddr, check, control_space};
use crate::udp::{Datagram, Received};

/// The most messages of one call: as many as the kernel cuts one buffer into (`UDP_MAX_SEGMENTS`
/// before Linux 6.9).
pub(crate) const BATCH: usize = 64;

const IN_PKTINFO: usize = mem::size_of::<libc::in_pktinfo>();
const IN6_PKTINFO: usize = mem::size_of::<libc::in6_pktinfo>();
const INT: usize = mem::size_of::<c_int>();
const _: () = assert!(IN_PKTINFO == 12 && IN6_PKTINFO == 20);

/// Source address, TOS and traffic class, segment size.
const TO_SEND: usize = control_space(IN6_PKTINFO) + 2 * control_space(INT) + control_space(2);

/// Destination address, TOS or traffic class, segment size; and room for what others have asked of
/// the socket, such as a time stamp, which would push ours out.
const TO_RECEIVE: usize = control_space(IN6_PKTINFO) + 2 * control_space(INT) + 64;

/// What the headers of a call point to, for one message.
struct Room<B, const N: usize> {
    addr: RawAddr,
    buf: B,
    control: Control<N>,
}

/// [sendmmsg(2)], at most [`BATCH`] of the messages: how many were sent, at least one. A segment
/// size has to be below 65536.
///
/// [sendmmsg(2)]: https://man7.org/linux/man-pages/man2/sendmmsg.2.html
#[inline]
pub(crate) fn send_datagrams<'a>(
    socket: BorrowedFd<'_>,
    messages: impl Iterator<Item = Datagram<'a>>,
) -> io::Result<usize> {
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; BATCH];
    let mut rooms = [const { MaybeUninit::<Room<IoSlice<'a>, TO_SEND>>::uninit() }; BATCH];
    let mut count = 0;
    for ((message, room), header) in messages.zip(&mut rooms).zip(&mut headers) {
        let (addr, addr_len) = match message.to {
            Some(to) => RawAddr::encode(to),
            None => (RawAddr::empty(), 0),
        };
        let buf = IoSlice::new(message.contents);
        let room = room.write(Room { addr, buf, control: control_of(&message) });
        let header = header.write(empty_header());
        if addr_len > 0 {
            header.msg_hdr.msg_name = (&raw mut room.addr).cast::<c_void>();
            header.msg_hdr.msg_namelen = addr_len;
        }
        header.msg_hdr.msg_iov = (&raw mut room.buf).cast::<libc::iovec>();
        header.msg_hdr.msg_iovlen = 1;
        if room.control.len > 0 {
            header.msg_hdr.msg_control = (&raw mut room.control.bytes).cast::<c_void>();
            header.msg_hdr.msg_controllen = room.control.len as _;
        }
        count += 1;
    }
    let headers = headers.as_mut_ptr().cast::<libc::mmsghdr>();
    // SAFETY: the first `count` headers have been written. They point into the rooms beside them,
    // which have been written too and outlive the call; `IoSlice` has the layout of `iovec` (std
    // promises it), and sending only reads what it is given, but for the headers' counts.
    let sent = check(unsafe {
        libc::sendmmsg(socket.as_raw_fd(), headers, count, libc::MSG_NOSIGNAL as _)
    })?;
    Ok(sent as usize)
}

/// The control messages of a datagram.
#[inline]
fn control_of(message: &Datagram<'_>) -> Control<TO_SEND> {
    let mut control = Control::new();
    match message.from {
        Some(IpAddr::V4(from)) => {
            let mut info = [0; IN_PKTINFO];
            info[offset_of!(libc::in_pktinfo, ipi_spec_dst)..][..4].copy_from_slice(&from.octets());
            control.push(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
        }
        Some(IpAddr::V6(from)) => {
            let mut info = [0; IN6_PKTINFO];
            info[..16].copy_from_slice(&from.octets());
            control.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
        }
        None => {}
    }
    if let Some(tos) = message.tos {
        // Both: to which family a connected socket sends is not known here, nor whether an address
        // is a mapped one. The kernel passes over the other family's.
        let tos = c_int::from(tos).to_ne_bytes();
        control.push(libc::IPPROTO_IP, libc::IP_TOS, &tos);
        control.push(libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &tos);
    }
    if let Some(size) = message.segment_size {
        control.push(libc::SOL_UDP, libc::UDP_SEGMENT, &(size as u16).to_ne_bytes());
    }
    control
}

/// [recvmmsg(2)], one datagram into each buffer, at most [`BATCH`]: how many were received, at least
/// one unless there is nothing to receive into.
///
/// [recvmmsg(2)]: https://man7.org/linux/man-pages/man2/recvmmsg.2.html
#[inline]
pub(crate) fn receive_datagrams(
    socket: BorrowedFd<'_>,
    bufs: &mut [IoSliceMut<'_>],
    received: &mut [Received],
) -> io::Result<usize> {
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; BATCH];
    let mut rooms = [const { MaybeUninit::<Room<(), TO_RECEIVE>>::uninit() }; BATCH];
    let mut count = 0;
    for (((buf, _), room), header) in
        bufs.iter_mut().zip(received.iter()).zip(&mut rooms).zip(&mut headers)
    {
        let room = room.write(Room { addr: RawAddr::empty(), buf: (), control: Control::new() });
        let header = header.write(empty_header());
        header.msg_hdr.msg_name = (&raw mut room.addr).cast::<c_void>();
        header.msg_hdr.msg_namelen = mem::size_of::<RawAddr>() as socklen_t;
        header.msg_hdr.msg_iov = ptr::from_mut(buf).cast::<libc::iovec>();
        header.msg_hdr.msg_iovlen = 1;
        header.msg_hdr.msg_control = (&raw mut room.control.bytes).cast::<c_void>();
        header.msg_hdr.msg_controllen = TO_RECEIVE as _;
        count += 1;
    }
    let into = headers.as_mut_ptr().cast::<libc::mmsghdr>();
    // SAFETY: the first `count` headers have been written. They point into the rooms beside them,
    // which have been written too, and to the buffers: all outlive the call and are valid in any
    // pattern, and the kernel writes at most the lengths given. `IoSliceMut` has the layout of
    // `iovec` (std promises it).
    let number =
        check(unsafe { libc::recvmmsg(socket.as_raw_fd(), into, count, 0, ptr::null_mut()) })?
            as usize;
    for ((received, room), header) in received.iter_mut().zip(&mut rooms).zip(&headers).take(number)
    {
        // SAFETY: the kernel received no more than `count` messages, whose rooms and headers have
        // been written above.
        let (room, header) = unsafe { (room.assume_init_mut(), header.assume_init_ref()) };
        let control_len: usize = header.msg_hdr.msg_controllen as _;
        room.control.len = control_len.min(TO_RECEIVE);
        *received = describe(header, room)?;
    }
    Ok(number)
}

/// What the kernel says of a message that it has received.
#[inline]
fn describe(header: &libc::mmsghdr, room: &Room<(), TO_RECEIVE>) -> io::Result<Received> {
    let len = header.msg_len as usize;
    let mut received = Received {
        len,
        segment_size: len,
        from: room.addr.decode()?,
        truncated: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
        ..Received::default()
    };
    for (level, kind, data) in room.control.messages() {
        match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                let to: Option<[u8; 4]> = field(data, offset_of!(libc::in_pktinfo, ipi_addr));
                let interface = field(data, offset_of!(libc::in_pktinfo, ipi_ifindex));
                received.to = to.map(|octets| Ipv4Addr::from(octets).into());
                received.interface = interface.map(u32::from_ne_bytes);
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let to: Option<[u8; 16]> = field(data, offset_of!(libc::in6_pktinfo, ipi6_addr));
                let interface = field(data, offset_of!(libc::in6_pktinfo, ipi6_ifindex));
                received.to = to.map(|octets| Ipv6Addr::from(octets).into());
                received.interface = interface.map(u32::from_ne_bytes);
            }
            (libc::IPPROTO_IP, libc::IP_TOS) => received.tos = data.first().copied(),
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                received.tos = field(data, 0).map(|class| c_int::from_ne_bytes(class) as u8);
            }
            (libc::SOL_UDP, libc::UDP_GRO) => {
                let size = field(data, 0).map(c_int::from_ne_bytes);
                received.segment_size =
                    size.and_then(|size| usize::try_from(size).ok()).unwrap_or(len);
            }
            _ => {}
        }
    }
    Ok(received)
}

/// The bytes of a field in a control message's data.
fn field<const N: usize>(data: &[u8], offset: usize) -> Option<[u8; N]> {
    data.get(offset..)?.first_chunk().copied()
}

#[inline]
fn empty_header() -> libc::mmsghdr {
    // SAFETY: `mmsghdr` is plain data for which all zeroes is a valid value.
    unsafe { mem::zeroed() }
}

/// What segment sizes the kernel has refused to cut a buffer into, going by the error of an attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Refusal {
    /// All: the way there lacks what it takes, such as check sums made by the network card.
    Any,
    /// This one or larger ones: the datagrams may be too large for the way there. Or the error is
    /// not about segments at all.
    Size,
}

/// Whether a datagram with a segment size was perhaps refused for that.
#[inline]
pub(crate) fn refusal_of_segments(error: &io::Error) -> Option<Refusal> {
    match error.raw_os_error()? {
        libc::EIO | libc::EOPNOTSUPP => Some(Refusal::Any),
        libc::EINVAL | libc::EMSGSIZE => Some(Refusal::Size),
        _ => None,
    }
}
