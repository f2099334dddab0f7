//! Connections through a proxy, which moves long transfers by splice(2): whole ones, and some that break midway.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use runtime::io::{copy, copy_bidirectional};
use runtime::net::{TcpListener, TcpStream, UnixStream};
use runtime::task::JoinSet;

use super::share::{Share, all};

const CONNECTIONS: usize = 6;
const LONGEST: usize = 1 << 20;

pub(crate) async fn run(mut share: Share) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(listener));
    for _ in 0..CONNECTIONS {
        tasks.spawn(client(address, share.part()));
    }
    all(tasks).await
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (stream, _) = listener.accept().await?;
        connections.spawn(proxy(stream));
    }
    all(connections).await
}

/// Between the client and an echo on a Unix stream.
async fn proxy(client: TcpStream) -> io::Result<()> {
    let (ours, theirs) = UnixStream::pair()?;
    let echo = runtime::spawn(async move {
        let copied = copy(&theirs, &theirs).await?;
        theirs.shutdown().await?;
        io::Result::Ok(copied)
    });
    let moved = copy_bidirectional(&client, &ours).await;
    drop(ours);
    let echoed = echo.await?;
    // A client that breaks the connection ends everything with an error, here or in the echo.
    if let (Ok((there, back)), Ok(echoed)) = (moved, echoed) {
        assert_eq!((there, back), (echoed, echoed), "bytes that the copies have counted");
    }
    Ok(())
}

async fn client(address: SocketAddr, mut share: Share) -> io::Result<()> {
    let stream = TcpStream::connect(address).await?;
    let message = share.bytes(LONGEST);
    if share.random.below(4) == 0 {
        // There is more under way than it takes.
        let mut some = [0; 100];
        let (_, read) = runtime::try_join!(stream.write(&message), stream.read(&mut some))?;
        assert!(read > 0);
        stream.set_zero_linger()?;
    } else {
        let send = async {
            stream.write_all(&message).await?;
            stream.shutdown().await
        };
        let mut echoed = Vec::new();
        runtime::try_join!(send, stream.read_to_end(&mut echoed))?;
        assert!(echoed == message, "other bytes than were sent");
    }
    share.done();
    Ok(())
}
