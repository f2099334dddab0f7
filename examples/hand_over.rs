//! One core accepts the connections and hands them over to the others, in turn, each through a channel.
//!
//! Type `cargo run --release --example hand_over`. The first core is also the clients, and at the end a
//! table says which core has served how many of them. (On a machine with one core that one does all.)
//!
//! Where any core may serve any client, `examples/all_cores.rs` is simpler. This is for those who choose:
//! the least busy core, or the one that has the client's data.

use std::io;
use std::net::SocketAddr;

use async_channel::{Receiver, Sender};
use runtime::Core;
use runtime::net::{TcpListener, TcpStream};
use runtime::task::JoinSet;

const CLIENTS: u32 = 8;
const CONNECTIONS_OF_EACH: u32 = 250;

fn main() -> io::Result<()> {
    // A stream is `Send`, and registers where it first has to wait: with the runtime it was handed to.
    let channels: Vec<(Sender<TcpStream>, Receiver<TcpStream>)> =
        Core::all()?.iter().map(|_| async_channel::bounded(64)).collect();

    let served = runtime::per_core(async |core| {
        let accepts = core.index() == 0;
        let serves = !accepts || core.count() == 1;
        let accepting = async {
            if !accepts {
                return Ok(());
            }
            let outcome = accept(&channels[usize::from(!serves)..]).await;
            // Who serves has an end when its channel has one.
            channels.iter().for_each(|(sender, _)| _ = sender.close());
            outcome
        };
        let serving = async { if serves { serve(&channels[core.index()].1).await } else { 0 } };
        let (outcome, served) = runtime::join!(accepting, serving);
        outcome.map(|()| (core, served))
    })?;

    for outcome in served {
        let (core, served) = outcome.expect("no core panics")?;
        println!("core {} on processor {}: {served} connections", core.index(), core.processor());
    }
    Ok(())
}

/// Accepts until the clients have all they want.
async fn accept(servers: &[(Sender<TcpStream>, Receiver<TcpStream>)]) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut clients = runtime::spawn(run_clients(listener.local_addr()?));
    for (server, _) in servers.iter().cycle() {
        runtime::select! {
            accepted = listener.accept() => {
                match accepted {
                    Ok((stream, _)) => {
                        server.send(stream).await.expect("the channel is closed only after this");
                    }
                    // No descriptor left, say: `accept` pauses by itself.
                    Err(error) => eprintln!("{error}"),
                }
            }
            outcome = &mut clients => return outcome?,
        }
    }
    Ok(())
}

/// Serves what is handed over, until the channel is closed and the last client is gone.
async fn serve(streams: &Receiver<TcpStream>) -> u32 {
    let mut served = 0;
    let mut connections = JoinSet::new();
    while let Ok(stream) = streams.recv().await {
        served += 1;
        connections.spawn(async move {
            if let Err(error) = echo(stream).await {
                eprintln!("{error}");
            }
        });
    }
    connections.join_all().await;
    served
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
