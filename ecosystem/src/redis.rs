//! redis over the current runtime's streams. A file to copy.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion, PushInfo, RedisConnectionInfo, RedisResult};
use runtime::net::{TcpStream, UnixStream};
use runtime::task::JoinHandle;
use tokio::io::{AsyncRead, AsyncWrite};

/// Connects to `unix:PATH` or to `HOST:PORT`. What the server says unasked goes to `pushes`.
///
/// Clones of the connection are used at once, from any task or thread. When all are dropped and answered, the
/// task that serves them ends; aborting it ends them.
///
/// # Errors
///
/// Those of connecting, and of a server that does not speak RESP3 (before redis 6).
pub async fn connect(
    address: &str,
    pushes: async_channel::Sender<PushInfo>,
) -> RedisResult<(MultiplexedConnection, JoinHandle<()>)> {
    match address.strip_prefix("unix:") {
        Some(path) => serve(UnixStream::connect(path).await?, pushes).await,
        None => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            serve(stream, pushes).await
        }
    }
}

async fn serve<S>(
    stream: S,
    pushes: async_channel::Sender<PushInfo>,
) -> RedisResult<(MultiplexedConnection, JoinHandle<()>)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let info = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3);
    // Its own deadlines, half a second unless told otherwise, are tokio's: without tokio the first request
    // would panic. `runtime::time::timeout` around a request does the same, and the connection stays good.
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_push_sender(move |push| pushes.try_send(push));
    let (connection, driver) =
        MultiplexedConnection::new_with_config(&info, stream, config).await?;
    Ok((connection, runtime::spawn(driver)))
}
