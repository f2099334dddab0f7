//! Datagrams and packets there and back, with reads that are given up: UDP, and both such kinds of Unix sockets.

use std::io;
use std::net::{Ipv4Addr, Shutdown};
use std::time::Duration;

use runtime::net::{UdpSocket, UnixDatagram, UnixSeqpacket};
use runtime::task::JoinSet;
use runtime::time::timeout;

use super::share::{Share, all};

const CLIENTS: usize = 4;
const MESSAGES: usize = 50;
const LONGEST: usize = 1400;

pub(crate) async fn run(mut share: Share) -> io::Result<()> {
    let mut tasks = JoinSet::new();
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    for _ in 0..CLIENTS {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        socket.connect(server.local_addr()?).await?;
        tasks.spawn(udp_client(socket, share.part()));
    }
    tasks.spawn(udp_server(server));
    for _ in 0..CLIENTS {
        tasks.spawn(unix_datagrams(share.part()));
        tasks.spawn(unix_packets(share.part()));
    }
    all(tasks).await
}

async fn udp_server(socket: UdpSocket) -> io::Result<()> {
    let mut buf = [0; LONGEST];
    for _ in 0..CLIENTS * MESSAGES {
        let (len, client) = socket.recv_from(&mut buf).await?;
        socket.send_to(&buf[..len], client).await?;
    }
    Ok(())
}

/// One datagram at a time, so that there is room for it, and none is lost.
async fn udp_client(socket: UdpSocket, mut share: Share) -> io::Result<()> {
    let mut buf = [0; LONGEST];
    for _ in 0..MESSAGES {
        if share.random.below(8) == 0 {
            let nothing = timeout(Duration::from_micros(100), socket.recv(&mut buf)).await;
            assert!(nothing.is_err(), "a datagram that nobody sent: {nothing:?}");
        }
        let message = share.bytes(LONGEST);
        assert_eq!(socket.send(&message).await?, message.len());
        let len = socket.recv(&mut buf).await?;
        assert!(buf[..len] == message, "other bytes than were sent");
        share.done();
    }
    Ok(())
}

async fn unix_datagrams(mut share: Share) -> io::Result<()> {
    let (ours, theirs) = UnixDatagram::pair()?;
    let messages: Vec<_> = (0..MESSAGES).map(|_| share.bytes(LONGEST)).collect();
    let send = async {
        for message in &messages {
            assert_eq!(ours.send(message).await?, message.len());
        }
        io::Result::Ok(())
    };
    let receive = async {
        let mut buf = [0; LONGEST];
        for message in &messages {
            let len = theirs.recv(&mut buf).await?;
            assert!(buf[..len] == *message, "other bytes than were sent");
            share.done();
        }
        Ok(())
    };
    runtime::try_join!(send, receive)?;
    Ok(())
}

async fn unix_packets(mut share: Share) -> io::Result<()> {
    let (ours, theirs) = UnixSeqpacket::pair()?;
    let messages: Vec<_> = (0..MESSAGES).map(|_| share.bytes(LONGEST)).collect();
    let send = async {
        for message in &messages {
            assert_eq!(ours.send(message).await?, message.len());
        }
        ours.shutdown(Shutdown::Write)
    };
    let receive = async {
        let mut buf = [0; LONGEST];
        for message in &messages {
            let record = theirs.recv(&mut buf).await?;
            assert!(buf[..record.len] == *message, "other bytes than were sent");
            share.done();
        }
        assert_eq!(theirs.recv(&mut buf).await?.len, 0, "a packet after the end");
        Ok(())
    };
    runtime::try_join!(send, receive)?;
    Ok(())
}
