//! A server on all cores: each has a runtime and a listener of its own. The listeners share one address,
//! and the kernel spreads the connections over them.
//!
//! Type `cargo run --release --example all_cores`. The first core is also the clients, and at the end a
//! table says which core has served how many of them.

use std::cell::Cell;
use std::future::pending;
use std::io;
use std::net::SocketAddr;

use runtime::Core;
use runtime::net::{TcpListener, TcpSocket, TcpStream};
use runtime::task::JoinSet;

const CLIENTS: u32 = 8;
const CONNECTIONS_OF_EACH: u32 = 250;

fn main() -> io::Result<()> {
    let listeners = a_listener_per_core("127.0.0.1:0".parse().expect("an address"))?;
    let address = listeners[0].local_addr()?;
    let (end, ended) = async_channel::bounded::<()>(1);

    let served = runtime::per_core(async |core| {
        let served = Cell::new(0);
        let clients =
            async { if core.index() == 0 { run_clients(address).await } else { pending().await } };
        let outcome = runtime::select! {
            () = serve(&listeners[core.index()], &served) => Ok(()),
            outcome = clients => outcome,
            _ = ended.recv() => Ok(()),
        };
        // All cores see that it is closed: whoever ends first ends all.
        end.close();
        outcome?;
        io::Result::Ok((core, served.get()))
    })?;

    for outcome in served {
        let (core, served) = outcome.expect("no core panics")?;
        println!("core {} on processor {}: {served} connections", core.index(), core.processor());
    }
    Ok(())
}

/// Listeners on one address, all of them before the first connection comes. Of port 0 the first gets a
/// free one, which the others share.
fn a_listener_per_core(address: SocketAddr) -> io::Result<Vec<TcpListener>> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    for _ in Core::all()? {
        let address = listeners.first().map_or(Ok(address), TcpListener::local_addr)?;
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
        socket.bind(address)?;
        listeners.push(socket.listen(1024)?);
    }
    Ok(listeners)
}

async fn serve(listener: &TcpListener, served: &Cell<u32>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // No descriptor left, say: who is connected stays so, and `accept` pauses by itself.
                eprintln!("{error}");
                continue;
            }
        };
        served.set(served.get() + 1);
        runtime::spawn(async move {
            if let Err(error) = echo(stream).await {
                eprintln!("{error}");
            }
        });
    }
}

async fn echo(stream: TcpStream) -> io::Result<()> {
    let mut buf = [0; 4096];
    while let len @ 1.. = stream.read(&mut buf).await? {
        stream.write_all(&buf[..len]).await?;
    }
    Ok(())
}

async fn run_clients(address: SocketAddr) -> io::Result<()> {
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(async move {
            for _ in 0..CONNECTIONS_OF_EACH {
                let stream = TcpStream::connect(address).await?;
                stream.write_all(b"hello").await?;
                stream.read_exact(&mut [0; 5]).await?;
            }
            io::Result::Ok(())
        });
    }
    clients.join_all().await.into_iter().collect()
}
