//! Looks names up by asking a server, over UDP, and over TCP when an answer is long: hickory-resolver with
//! a `RuntimeProvider` for this runtime, to copy.
//!
//! Type `cargo run --example resolve -- 9.9.9.9:53 www.example.com example.org`. (Who needs what the
//! system's own resolver says has it without another crate: `runtime::net::lookup_host`.)

use std::env;
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::join_all;
use futures::io::{AsyncRead, AsyncWrite};
use hickory_resolver::Resolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::{DnsTcpStream, DnsUdpSocket, RuntimeProvider, Spawn, Time};
use hickory_resolver::proto::rr::RecordType;
use runtime::net::{TcpSocket, TcpStream, UdpSocket};
use runtime::time;

type Boxed<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

#[derive(Clone)]
struct Provider;

impl RuntimeProvider for Provider {
    type Handle = Provider;
    type Timer = Timer;
    type Udp = Udp;
    type Tcp = Tcp;

    fn create_handle(&self) -> Provider {
        Provider
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        local: Option<SocketAddr>,
        wait: Option<Duration>,
    ) -> Boxed<Tcp> {
        Box::pin(async move {
            let socket = if server.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            if let Some(local) = local {
                socket.bind(local)?;
            }
            let stream =
                time::timeout(wait.unwrap_or(Duration::MAX), socket.connect(server)).await??;
            stream.set_nodelay(true)?;
            Ok(Tcp(stream))
        })
    }

    fn bind_udp(&self, local: SocketAddr, _server: SocketAddr) -> Boxed<Udp> {
        Box::pin(async move { Ok(Udp(UdpSocket::bind(local).await?)) })
    }
}

impl Spawn for Provider {
    fn spawn_bg(&mut self, future: impl Future<Output = ()> + Send + 'static) {
        runtime::spawn(future);
    }
}

struct Timer;

#[async_trait::async_trait]
impl Time for Timer {
    async fn delay_for(duration: Duration) {
        time::sleep(duration).await;
    }

    async fn timeout<F>(duration: Duration, future: F) -> io::Result<F::Output>
    where
        F: Future + Send + 'static,
    {
        Ok(time::timeout(duration, future).await?)
    }
}

struct Udp(UdpSocket);

impl DnsUdpSocket for Udp {
    type Time = Timer;

    fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.0.poll_recv_from(cx, buf)
    }

    fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.0.poll_send_to(cx, buf, target)
    }
}

/// A stream with the traits of futures-io, and hickory's beside them.
struct Tcp(TcpStream);

impl DnsTcpStream for Tcp {
    type Time = Timer;
}

impl AsyncRead for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        AsyncRead::poll_read(Pin::new(&mut self.0), cx, buf)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.0), cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.0), cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_close(Pin::new(&mut self.0), cx)
    }
}

#[runtime::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let server: SocketAddr =
        args.next().ok_or("the first argument is the server's IP:PORT")?.parse()?;
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    connections.iter_mut().for_each(|connection| connection.port = server.port());
    let server = NameServerConfig::new(server.ip(), true, connections);
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let resolver = &Resolver::builder_with_config(config, Provider).build()?;

    let answers = args.map(|name| async move {
        let addresses = resolver.lookup_ip(name.as_str()).await;
        let texts = resolver.lookup(name.as_str(), RecordType::TXT).await;
        (name, addresses, texts)
    });
    for (name, addresses, texts) in join_all(answers).await {
        match addresses {
            Ok(addresses) => addresses.iter().for_each(|address| println!("{name} is {address}")),
            Err(error) => println!("{name}: {error}"),
        }
        for record in texts.iter().flat_map(|texts| texts.answers()) {
            println!("{name} says {:.40}", record.data.to_string());
        }
    }
    Ok(())
}
