//! The request-reply servers that are measured: ours, and a raw epoll loop beside it, each a process
//! of its own that ends when its clients have gone.

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};

use super::raw_epoll;

/// Which server answers.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Who {
    Ours,
    Raw,
}

/// Over what.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum What {
    Tcp,
    Unix,
    Udp,
    UnixDatagram,
}

/// Room for a message. Larger than any, so that a read is short and a datagram whole.
pub(crate) const BUFFER: usize = 4096;

impl Who {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Who::Ours => "ours",
            Who::Raw => "raw",
        }
    }

    pub(crate) fn named(name: &str) -> Who {
        let all = [Who::Ours, Who::Raw];
        all.into_iter().find(|who| who.name() == name).expect("a server is ours or raw")
    }
}

impl What {
    pub(crate) const ALL: [What; 4] = [What::Tcp, What::Unix, What::Udp, What::UnixDatagram];

    pub(crate) fn name(self) -> &'static str {
        match self {
            What::Tcp => "tcp",
            What::Unix => "unix",
            What::Udp => "udp",
            What::UnixDatagram => "unix-datagram",
        }
    }

    pub(crate) fn named(name: &str) -> What {
        let named = What::ALL.into_iter().find(|what| what.name() == name);
        named.expect("a socket is tcp, unix, udp or unix-datagram")
    }
}

/// A Unix address that lives as long as its socket, of this process alone.
pub(crate) fn unix_address(role: &str, process: u32) -> SocketAddr {
    let name = format!("epoll-runtime-bench-{role}-{process}");
    SocketAddr::from_abstract_name(name).expect("the name is short")
}

/// Serves until `connections` streams have ended, or an empty datagram has come.
///
/// The first line on stdout is the port, or the process for a Unix address.
pub(crate) fn serve(who: Who, what: What, connections: usize) -> io::Result<()> {
    let process = std::process::id();
    match what {
        What::Tcp => {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            println!("{}", listener.local_addr()?.port());
            match who {
                Who::Ours => runtime::block_on(ours::tcp(listener, connections)),
                Who::Raw => raw_epoll::streams(listener, connections),
            }
        }
        What::Unix => {
            let listener = UnixListener::bind_addr(&unix_address("server", process))?;
            println!("{process}");
            match who {
                Who::Ours => runtime::block_on(ours::unix(listener, connections)),
                Who::Raw => raw_epoll::streams(listener, connections),
            }
        }
        What::Udp => {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            println!("{}", socket.local_addr()?.port());
            match who {
                Who::Ours => runtime::block_on(ours::udp(socket)),
                Who::Raw => raw_epoll::datagrams(socket),
            }
        }
        What::UnixDatagram => {
            let socket = UnixDatagram::bind_addr(&unix_address("server", process))?;
            println!("{process}");
            match who {
                Who::Ours => runtime::block_on(ours::unix_datagram(socket)),
                Who::Raw => raw_epoll::datagrams(socket),
            }
        }
    }
}

mod ours {
    //! As a user would write them.

    use runtime::net;

    use super::*;

    pub(super) async fn tcp(listener: TcpListener, connections: usize) -> io::Result<()> {
        let listener = net::TcpListener::from_std(listener)?;
        let mut tasks = Vec::new();
        for _ in 0..connections {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tasks.push(runtime::spawn(async move {
                let mut buf = [0; BUFFER];
                loop {
                    let n = stream.read(&mut buf).await?;
                    if n == 0 {
                        return io::Result::Ok(());
                    }
                    stream.write_all(&buf[..n]).await?;
                }
            }));
        }
        for task in tasks {
            task.await??;
        }
        Ok(())
    }

    pub(super) async fn unix(listener: UnixListener, connections: usize) -> io::Result<()> {
        let listener = net::UnixListener::from_std(listener)?;
        let mut tasks = Vec::new();
        for _ in 0..connections {
            let (stream, _) = listener.accept().await?;
            tasks.push(runtime::spawn(async move {
                let mut buf = [0; BUFFER];
                loop {
                    let n = stream.read(&mut buf).await?;
                    if n == 0 {
                        return io::Result::Ok(());
                    }
                    stream.write_all(&buf[..n]).await?;
                }
            }));
        }
        for task in tasks {
            task.await??;
        }
        Ok(())
    }

    pub(super) async fn udp(socket: UdpSocket) -> io::Result<()> {
        let socket = net::UdpSocket::from_std(socket)?;
        let mut buf = [0; BUFFER];
        loop {
            let (n, from) = socket.recv_from(&mut buf).await?;
            if n == 0 {
                return Ok(());
            }
            socket.send_to(&buf[..n], from).await?;
        }
    }

    pub(super) async fn unix_datagram(socket: UnixDatagram) -> io::Result<()> {
        let socket = net::UnixDatagram::from_std(socket)?;
        let mut buf = [0; BUFFER];
        loop {
            let (n, from) = socket.recv_from(&mut buf).await?;
            if n == 0 {
                return Ok(());
            }
            socket.send_to_addr(&buf[..n], &from).await?;
        }
    }
}
