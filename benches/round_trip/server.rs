//! The request-reply servers that are measured: ours, and a raw epoll loop beside it. Each ends when
//! its clients have gone.

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
    TcpTimeout,
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
    pub(crate) const ALL: [What; 5] =
        [What::Tcp, What::TcpTimeout, What::Unix, What::Udp, What::UnixDatagram];

    pub(crate) fn name(self) -> &'static str {
        match self {
            What::Tcp => "tcp",
            What::TcpTimeout => "tcp-timeout",
            What::Unix => "unix",
            What::Udp => "udp",
            What::UnixDatagram => "unix-datagram",
        }
    }

    pub(crate) fn named(name: &str) -> What {
        let named = What::ALL.into_iter().find(|what| what.name() == name);
        named.expect("a server is of tcp, tcp-timeout, unix, udp or unix-datagram")
    }
}

/// A Unix address that lives as long as its socket, of this process alone.
pub(crate) fn unix_address(role: &str, process: u32) -> SocketAddr {
    let name = format!("epoll-runtime-bench-{role}-{process}");
    SocketAddr::from_abstract_name(name).expect("the name is short")
}

/// A server that has an address and does not serve yet.
pub(crate) enum Server {
    Tcp(TcpListener),
    /// As above; each read is under a timeout.
    TcpTimeout(TcpListener),
    Unix(UnixListener),
    Udp(UdpSocket),
    UnixDatagram(UnixDatagram),
}

impl Server {
    /// Also gives what a client needs for the address: the port, or the process of a Unix address.
    ///
    /// # Errors
    ///
    /// What keeps the address from being taken.
    pub(crate) fn bind(what: What) -> io::Result<(Server, u32)> {
        let process = std::process::id();
        Ok(match what {
            What::Tcp | What::TcpTimeout => {
                let listener = TcpListener::bind("127.0.0.1:0")?;
                let port = listener.local_addr()?.port();
                let timed = what == What::TcpTimeout;
                let server = if timed { Server::TcpTimeout } else { Server::Tcp };
                (server(listener), port.into())
            }
            What::Unix => {
                let listener = UnixListener::bind_addr(&unix_address("server", process))?;
                (Server::Unix(listener), process)
            }
            What::Udp => {
                let socket = UdpSocket::bind("127.0.0.1:0")?;
                let port = socket.local_addr()?.port();
                (Server::Udp(socket), port.into())
            }
            What::UnixDatagram => {
                let socket = UnixDatagram::bind_addr(&unix_address("server", process))?;
                (Server::UnixDatagram(socket), process)
            }
        })
    }

    /// Serves until `connections` streams have ended, or an empty datagram has come.
    ///
    /// # Errors
    ///
    /// What keeps the messages from going.
    pub(crate) fn serve(self, who: Who, connections: usize) -> io::Result<()> {
        match who {
            Who::Ours => match self {
                Server::Tcp(listener) => runtime::block_on(ours::tcp(listener, connections)),
                Server::TcpTimeout(listener) => {
                    runtime::block_on(ours::tcp_timeout(listener, connections))
                }
                Server::Unix(listener) => runtime::block_on(ours::unix(listener, connections)),
                Server::Udp(socket) => runtime::block_on(ours::udp(socket)),
                Server::UnixDatagram(socket) => runtime::block_on(ours::unix_datagram(socket)),
            },
            // The raw loop has no timeouts, which is what ours are measured by.
            Who::Raw => match self {
                Server::Tcp(listener) | Server::TcpTimeout(listener) => {
                    raw_epoll::streams(listener, connections)
                }
                Server::Unix(listener) => raw_epoll::streams(listener, connections),
                Server::Udp(socket) => raw_epoll::datagrams(socket),
                Server::UnixDatagram(socket) => raw_epoll::datagrams(socket),
            },
        }
    }
}

mod ours {
    //! As a user would write them.

    use std::time::Duration;

    use runtime::net;
    use runtime::time::timeout;

    use super::*;

    /// How long to wait for a message.
    const PATIENCE: Duration = Duration::from_secs(30);

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

    pub(super) async fn tcp_timeout(listener: TcpListener, connections: usize) -> io::Result<()> {
        let listener = net::TcpListener::from_std(listener)?;
        let mut tasks = Vec::new();
        for _ in 0..connections {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tasks.push(runtime::spawn(async move {
                let mut buf = [0; BUFFER];
                loop {
                    let n = timeout(PATIENCE, stream.read(&mut buf)).await??;
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
