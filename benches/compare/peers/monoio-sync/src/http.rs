//! The HTTP server: a task for each connection.

use std::io;
use std::net::Ipv4Addr;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use monoio::io::IntoPollIo;
use monoio::net::TcpListener;
use monoio::spawn;
use monoio_compat::hyper::MonoioIo;
use program::http::hello;
use program::listening;

pub(crate) async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listening(listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let stream = MonoioIo::new(stream.into_poll_io()?);
        spawn(http1::Builder::new().serve_connection(stream, service_fn(hello)));
    }
}
