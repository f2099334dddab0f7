//! Groups: joined, received from, left. On IPv4 over loopback, on IPv6 over what has a route.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use runtime::net::UdpSocket;

use crate::support::run;

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Whether what is sent to the group reaches the receiver, going by a mark that is sent to it after.
async fn reaches(receiver: &UdpSocket, sender: &UdpSocket, group: SocketAddr) -> bool {
    let own = match group {
        SocketAddr::V4(_) => SocketAddr::from((HERE, group.port())),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::LOCALHOST, group.port())),
    };
    sender.send_to(b"to the group", group).await.unwrap();
    let mark = UdpSocket::bind(if own.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" });
    mark.await.unwrap().send_to(b"to you", own).await.unwrap();
    let mut buf = [0; 64];
    let n = receiver.recv(&mut buf).await.unwrap();
    if &buf[..n] == b"to you" {
        return false;
    }
    assert_eq!(&buf[..n], b"to the group");
    assert_eq!(receiver.recv(&mut buf).await.unwrap(), b"to you".len());
    true
}

#[test]
fn who_has_joined_receives_and_who_has_left_does_not() {
    run(async {
        let group = Ipv4Addr::new(239, 255, 77, 1);
        let receiver = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        let to = SocketAddr::from((group, receiver.local_addr().unwrap().port()));
        let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        sender.set_multicast_if_v4(HERE).unwrap();
        assert_eq!(sender.multicast_if_v4().unwrap(), HERE);

        assert!(!reaches(&receiver, &sender, to).await);
        receiver.join_multicast_v4(group, HERE).unwrap();
        assert!(reaches(&receiver, &sender, to).await);
        let again = receiver.join_multicast_v4(group, HERE).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::AddrInUse);
        receiver.leave_multicast_v4(group, HERE).unwrap();
        assert!(!reaches(&receiver, &sender, to).await);
    });
}

#[test]
fn members_that_share_a_port_each_receive() {
    run(async {
        let group = Ipv4Addr::new(239, 255, 77, 2);
        let first = UdpSocket::unbound_v4().unwrap();
        first.set_reuseaddr(true).unwrap();
        assert!(first.reuseaddr().unwrap());
        // The group's own address: nothing else that is sent to this port comes in.
        first.bind_to((group, 0).into()).unwrap();
        let addr = first.local_addr().unwrap();
        let second = UdpSocket::unbound_v4().unwrap();
        let error = second.bind_to(addr).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&addr.to_string()), "{error}");
        second.set_reuseaddr(true).unwrap();
        second.bind_to(addr).unwrap();
        for member in [&first, &second] {
            member.join_multicast_v4(group, HERE).unwrap();
            member.set_recv_pktinfo(true).unwrap();
        }
        let sender = UdpSocket::unbound_v4().unwrap();
        sender.set_multicast_if_v4(HERE).unwrap();
        sender.send_to(b"all", addr).await.unwrap();
        for member in [&first, &second] {
            let received = member.recv_segmented(&mut [0; 8]).await.unwrap();
            assert_eq!((received.len, received.to), (3, Some(group.into())));
        }
    });
}

#[test]
fn options_of_multicast() {
    let socket = UdpSocket::unbound_v4().unwrap();
    assert!(socket.multicast_loop_v4().unwrap());
    assert_eq!(socket.multicast_ttl_v4().unwrap(), 1);
    socket.set_multicast_loop_v4(false).unwrap();
    assert!(!socket.multicast_loop_v4().unwrap());
    socket.set_multicast_ttl_v4(3).unwrap();
    assert_eq!(socket.multicast_ttl_v4().unwrap(), 3);
    assert!(socket.multicast_if_v4().unwrap().is_unspecified());

    let socket = match UdpSocket::unbound_v6() {
        Ok(socket) => socket,
        Err(error) => return eprintln!("skipped the rest: {error}"),
    };
    assert!(socket.multicast_loop_v6().unwrap());
    assert_eq!(socket.multicast_hops_v6().unwrap(), 1);
    socket.set_multicast_hops_v6(3).unwrap();
    assert_eq!(socket.multicast_hops_v6().unwrap(), 3);
    assert_eq!(socket.multicast_if_v6().unwrap(), 0);
    socket.set_only_v6(true).unwrap();
    assert!(socket.only_v6().unwrap());
}

/// An interface that IPv6 multicast has a route to, by the kernel's table: its index.
fn interface_of_v6_groups() -> Option<u32> {
    let routes = fs::read_to_string("/proc/net/ipv6_route").ok()?;
    let interface = routes.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let to_groups = fields[0].starts_with("ff00000000") && fields[1] == "08";
        to_groups.then(|| fields[9].to_string())
    })?;
    let index = fs::read_to_string(format!("/sys/class/net/{interface}/ifindex")).ok()?;
    index.trim().parse().ok()
}

#[test]
fn groups_of_ipv6() {
    let Some(interface) = interface_of_v6_groups() else {
        return eprintln!("skipped: no interface has a route to IPv6 groups");
    };
    run(async {
        // Of this machine alone: nothing goes out.
        let group: Ipv6Addr = "ff11::77:1".parse().unwrap();
        let receiver = UdpSocket::bind("[::]:0").await.unwrap();
        let port = receiver.local_addr().unwrap().port();
        let to = SocketAddrV6::new(group, port, 0, interface).into();
        let sender = UdpSocket::bind("[::]:0").await.unwrap();
        sender.set_multicast_if_v6(interface).unwrap();
        assert_eq!(sender.multicast_if_v6().unwrap(), interface);

        assert!(!reaches(&receiver, &sender, to).await);
        receiver.join_multicast_v6(&group, interface).unwrap();
        assert!(reaches(&receiver, &sender, to).await);
        sender.set_multicast_loop_v6(false).unwrap();
        assert!(!sender.multicast_loop_v6().unwrap());
        assert!(!reaches(&receiver, &sender, to).await);
        sender.set_multicast_loop_v6(true).unwrap();
        assert!(reaches(&receiver, &sender, to).await);
        receiver.leave_multicast_v6(&group, interface).unwrap();
        assert!(!reaches(&receiver, &sender, to).await);
    });
}
