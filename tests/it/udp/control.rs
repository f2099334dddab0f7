//! What goes along with a datagram: addresses of this machine, type of service, on IPv4, IPv6 and both.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::slice;

use runtime::net::UdpSocket;
use runtime::net::udp::{Datagram, Received};

use crate::support::run;

/// A socket that tells everything of what it receives; `None`, loudly, without the address's family.
async fn telling(addr: &str) -> Option<UdpSocket> {
    let socket = match UdpSocket::bind(addr).await {
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
            eprintln!("skipped: {error}");
            return None;
        }
        socket => socket.unwrap(),
    };
    assert!(!socket.recv_pktinfo().unwrap() && !socket.recv_tos().unwrap());
    socket.set_recv_pktinfo(true).unwrap();
    socket.set_recv_tos(true).unwrap();
    assert!(socket.recv_pktinfo().unwrap() && socket.recv_tos().unwrap());
    Some(socket)
}

async fn send(socket: &UdpSocket, mut datagram: Datagram<'_>) {
    assert_eq!(socket.send_many(slice::from_mut(&mut datagram)).await.unwrap(), 1);
}

async fn receive(socket: &UdpSocket) -> Received {
    socket.recv_segmented(&mut [0; 64]).await.unwrap()
}

fn at(addr: SocketAddr, ip: impl Into<IpAddr>) -> SocketAddr {
    SocketAddr::new(ip.into(), addr.port())
}

/// The index of the loopback interface, as the kernel has it.
fn loopback() -> Option<u32> {
    let index = std::fs::read_to_string("/sys/class/net/lo/ifindex").unwrap();
    Some(index.trim().parse().unwrap())
}

#[test]
fn an_answer_comes_from_the_address_that_was_asked() {
    run(async {
        let server = telling("0.0.0.0:0").await.unwrap();
        let client = telling("127.0.0.1:0").await.unwrap();
        let asked: IpAddr = [127, 9, 8, 7].into();
        let to = at(server.local_addr().unwrap(), asked);
        send(&client, Datagram::new(b"who?").to(to).tos(0x2e << 2 | 0b10)).await;
        let question = receive(&server).await;
        assert_eq!(question.to, Some(asked));
        assert_eq!(question.interface, loopback());
        assert_eq!(question.tos, Some(0x2e << 2 | 0b10));

        // Left to the kernel it would be 127.0.0.1.
        send(&server, Datagram::new(b"me").to(question.from).from(asked).tos(0b11)).await;
        let answer = receive(&client).await;
        assert_eq!((answer.from, answer.tos), (to, Some(0b11)));

        // What is said of one datagram is not the next one's.
        send(&server, Datagram::new(b"me").to(question.from)).await;
        let answer = receive(&client).await;
        assert_eq!((answer.from, answer.tos), (at(to, Ipv4Addr::LOCALHOST), Some(0)));
    });
}

#[test]
fn the_same_over_ipv6() {
    run(async {
        let Some(server) = telling("[::]:0").await else { return };
        let Some(client) = telling("[::1]:0").await else { return };
        let asked = Ipv6Addr::LOCALHOST;
        let to = at(server.local_addr().unwrap(), asked);
        send(&client, Datagram::new(b"who?").to(to).tos(0b01)).await;
        let question = receive(&server).await;
        assert_eq!(question.to, Some(asked.into()));
        assert_eq!(question.interface, loopback());
        assert_eq!(question.tos, Some(0b01));
        send(&server, Datagram::new(b"me").to(question.from).from(asked.into()).tos(0b10)).await;
        let answer = receive(&client).await;
        assert_eq!((answer.from, answer.tos), (to, Some(0b10)));

        // To the peer of a connected socket, whose family is not told.
        client.connect(to).await.unwrap();
        send(&client, Datagram::new(b"who?").tos(0b11)).await;
        assert_eq!(receive(&server).await.tos, Some(0b11));
    });
}

#[test]
fn a_peer_of_ipv4_on_a_socket_of_ipv6() {
    run(async {
        let Some(server) = telling("[::]:0").await else { return };
        let client = telling("127.0.0.1:0").await.unwrap();
        let asked = Ipv4Addr::new(127, 6, 5, 4);
        let to = at(server.local_addr().unwrap(), asked);
        send(&client, Datagram::new(b"who?").to(to).tos(0b10)).await;
        let question = receive(&server).await;
        let client_addr = client.local_addr().unwrap();
        assert_eq!(question.from, at(client_addr, Ipv4Addr::LOCALHOST.to_ipv6_mapped()));
        assert_eq!(question.to, Some(asked.to_ipv6_mapped().into()), "of the family of `from`");
        assert_eq!((question.interface, question.tos), (loopback(), Some(0b10)));

        for from in [IpAddr::from(asked.to_ipv6_mapped()), asked.into()] {
            send(&server, Datagram::new(b"me").to(question.from).from(from).tos(0b01)).await;
            let answer = receive(&client).await;
            assert_eq!((answer.from, answer.tos), (to, Some(0b01)), "from {from}");
        }
    });
}

#[test]
fn with_everything_at_once() {
    run(async {
        let Some(server) = telling("[::]:0").await else { return };
        server.set_gro(true).unwrap();
        let client = telling("127.0.0.1:0").await.unwrap();
        let from: IpAddr = [127, 0, 0, 99].into();
        let unbound = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        let to = at(server.local_addr().unwrap(), Ipv4Addr::LOCALHOST);
        let contents = [7; 25];
        let datagram = Datagram::new(&contents).segment_size(10).to(to).from(from).tos(0b11);
        send(&unbound, datagram).await;
        let received = receive(&server).await;
        assert_eq!((received.len, received.segment_size), (25, 10));
        assert_eq!(received.to, Some(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into()));
        assert_eq!((received.interface, received.tos), (loopback(), Some(0b11)));
        assert_eq!(received.from.port(), unbound.local_addr().unwrap().port());

        // A source that is not of this machine is an error, and not about segments.
        let foreign = datagram.from([192, 0, 2, 99].into());
        let error = client.send_many(&mut [foreign]).await.unwrap_err();
        assert!(error.raw_os_error().is_some(), "{error}");
    });
}
