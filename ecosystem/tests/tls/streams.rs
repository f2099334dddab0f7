//! The streams of futures-rustls and tokio-rustls over ours, at their limits: small buffers, both directions
//! at once, futures that are dropped, tasks that change. Both ends are here.

use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::os::unix::net;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::UNIX_EPOCH;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use runtime::net::{TcpSocket, TcpStream, UnixSocket, UnixStream};
use runtime::task::yield_now;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead as TokioRead, AsyncWrite as TokioWrite};
use tokio_util::compat::TokioAsyncReadCompatExt;

use crate::support::{Pattern, Random, run};

trait Duplex: AsyncRead + AsyncWrite {}
impl<T: AsyncRead + AsyncWrite> Duplex for T {}

type Tls = Pin<Box<dyn Duplex>>;

/// Far more than the buffers on the way hold.
const LEN: usize = 2 << 20;

/// Runs `test` with the two ends of a connection, the client's and the server's, once for each sort.
fn with_each_pair<F: Future<Output = ()>>(test: impl Fn(Tls, Tls) -> F) {
    run(async {
        let configs = Configs::new();
        for (name, (client, server)) in [
            ("futures-rustls over TCP", configs.futures_rustls(tcp().await).await),
            ("futures-rustls over Unix", configs.futures_rustls(unix().await).await),
            ("tokio-rustls over TCP", configs.tokio_rustls(tcp().await).await),
            ("tokio-rustls over Unix", configs.tokio_rustls(unix().await).await),
        ] {
            println!("{name}");
            test(client, server).await;
        }
    });
}

/// Two ends, with the smallest buffers to send that there are.
async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpSocket::new_v4().unwrap();
    listener.set_send_buffer_size(4096).unwrap();
    listener.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let listener = listener.listen(1).unwrap();
    let client = TcpSocket::new_v4().unwrap();
    client.set_send_buffer_size(4096).unwrap();
    let client = client.connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

async fn unix() -> (UnixStream, UnixStream) {
    let (client, server) = net::UnixStream::pair().unwrap();
    let small = |stream| {
        let socket = UnixSocket::from(OwnedFd::from(stream));
        socket.set_send_buffer_size(4096).unwrap();
        UnixStream::from_std(OwnedFd::from(socket).into()).unwrap()
    };
    (small(client), small(server))
}

struct Configs {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Configs {
    fn new() -> Configs {
        let made = rcgen::generate_simple_self_signed(["localhost".to_string()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let server = ServerConfig::builder().with_no_client_auth();
        let server = server.with_single_cert(vec![made.cert.into()], made.signing_key.into());
        Configs { client: Arc::new(client), server: Arc::new(server.unwrap()) }
    }

    async fn futures_rustls<S>(&self, (client, server): (S, S)) -> (Tls, Tls)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let name = ServerName::try_from("localhost").unwrap();
        let (client, server) = runtime::try_join!(
            futures_rustls::TlsConnector::from(self.client.clone()).connect(name, client),
            futures_rustls::TlsAcceptor::from(self.server.clone()).accept(server),
        )
        .unwrap();
        (Box::pin(client), Box::pin(server))
    }

    async fn tokio_rustls<S>(&self, (client, server): (S, S)) -> (Tls, Tls)
    where
        S: TokioRead + TokioWrite + Unpin + 'static,
    {
        let name = ServerName::try_from("localhost").unwrap();
        let (client, server) = runtime::try_join!(
            tokio_rustls::TlsConnector::from(self.client.clone()).connect(name, client),
            tokio_rustls::TlsAcceptor::from(self.server.clone()).accept(server),
        )
        .unwrap();
        (Box::pin(client.compat()), Box::pin(server.compat()))
    }
}

/// Sends `len` bytes, and says that nothing more comes.
async fn send(mut stream: impl AsyncWrite + Unpin, len: usize) {
    let (mut pattern, mut left) = (Pattern::default(), len);
    while left > 0 {
        let piece = pattern.next(left);
        stream.write_all(piece).await.unwrap();
        left -= piece.len();
    }
    stream.close().await.unwrap();
}

/// Receives until the other end says that nothing more comes; returns how much that was.
async fn receive(mut stream: impl AsyncRead + Unpin) -> io::Result<usize> {
    let (mut pattern, mut received, mut buf) = (Pattern::default(), 0, vec![0; 20_000]);
    loop {
        match stream.read(&mut buf).await? {
            0 => return Ok(received),
            read => {
                pattern.check(&buf[..read]);
                received += read;
            }
        }
    }
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

async fn turns(number: usize) {
    for _ in 0..number {
        yield_now().await;
    }
}

/// What the future gives, unless it takes longer than some turns: then it is dropped.
async fn within<F: Future>(number: usize, future: F) -> Option<F::Output> {
    runtime::select! {
        biased;
        output = future => Some(output),
        () = turns(number) => None,
    }
}

#[test]
fn both_directions_at_once_in_four_tasks() {
    with_each_pair(|client, server| async {
        let tasks = [client, server].map(|end| {
            let (reader, writer) = end.split();
            (runtime::spawn(send(writer, LEN)), runtime::spawn(receive(reader)))
        });
        for (send, receive) in tasks {
            send.await.unwrap();
            assert_eq!(receive.await.unwrap().unwrap(), LEN);
        }
    });
}

/// A read or write that is dropped before it is done has done nothing: what comes, and in which order, is not
/// changed by it.
#[test]
fn reads_and_writes_that_are_dropped_lose_nothing() {
    let seed = UNIX_EPOCH.elapsed().unwrap().subsec_nanos().into();
    println!("seed {seed}");
    with_each_pair(|client, server| async move {
        let ends = [client, server].map(|end| {
            let (mut reader, mut writer) = end.split();
            let send = async move {
                let (mut random, mut pattern) = (Random(seed), Pattern::default());
                let mut left = LEN;
                while left > 0 {
                    let mut piece = pattern.next(random.up_to(20_000).min(left));
                    left -= piece.len();
                    while !piece.is_empty() {
                        let write = writer.write(piece);
                        if let Some(written) = within(random.below(4), write).await {
                            piece = &piece[written.unwrap()..];
                        }
                    }
                }
                // Dropped and begun anew as well, until it is done.
                while within(random.below(4), writer.close()).await.is_none() {}
            };
            let receive = async move {
                let (mut random, mut pattern) = (Random(!seed), Pattern::default());
                let (mut received, mut buf) = (0, vec![0; 20_000]);
                loop {
                    let len = random.up_to(buf.len());
                    match within(random.below(4), reader.read(&mut buf[..len])).await {
                        None => {}
                        Some(Ok(0)) => return received,
                        Some(read) => {
                            let read = read.unwrap();
                            pattern.check(&buf[..read]);
                            received += read;
                        }
                    }
                }
            };
            runtime::spawn(async { runtime::join!(send, receive).1 })
        });
        for end in ends {
            assert_eq!(end.await.unwrap(), LEN);
        }
    });
}

#[test]
fn a_half_close_leaves_the_other_direction() {
    with_each_pair(|mut client, mut server| async move {
        client.close().await.unwrap();
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
        let ((), received) = runtime::join!(send(server, LEN), receive(client));
        assert_eq!(received.unwrap(), LEN);
    });
}

#[test]
fn a_slow_reader_stops_its_writer() {
    with_each_pair(|client, mut server| async move {
        let writer = runtime::spawn(send(client, LEN));
        turns(2000).await;
        // Nobody has read yet.
        assert!(!writer.is_finished());
        assert_eq!(receive(&mut server).await.unwrap(), LEN);
        writer.await.unwrap();
    });
}

/// A write is done when the session has taken it; what there was no room for goes with the flush.
#[test]
fn a_flush_sends_what_waits_in_the_session() {
    with_each_pair(|client, mut server| async move {
        let mut pattern = Pattern::default();
        // Until the socket and then the session are full.
        let mut written = 0;
        while let Poll::Ready(write) = poll_once(pin!(server.write(pattern.next(1)))) {
            written += write.unwrap();
        }
        let receive = async {
            let mut received = vec![0; written];
            let (mut client, mut pattern) = (client, Pattern::default());
            client.read_exact(&mut received).await.unwrap();
            pattern.check(&received);
            client
        };
        let (_client, flushed) = runtime::join!(receive, server.flush());
        flushed.unwrap();
    });
}

/// What has come until then is there, and then it is an error, not an end.
#[test]
fn a_writer_that_is_dropped_in_the_middle_does_not_look_like_an_end() {
    with_each_pair(|client, mut server| async move {
        let mut pattern = Pattern::default();
        while poll_once(pin!(server.write(pattern.next(10_000)))).is_ready() {}
        drop(server);
        let error = receive(client).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
    });
}

/// Who polls last is woken, wherever the stream was before.
#[test]
fn a_stream_goes_from_task_to_task_while_it_waits() {
    with_each_pair(|mut client, mut server| async move {
        for _ in 0..3 {
            assert!(poll_once(pin!(client.read(&mut [0]))).is_pending());
            let mut moved = client;
            let waits = runtime::spawn(async move {
                moved.read_exact(&mut [0]).await.unwrap();
                moved
            });
            turns(10).await;
            server.write_all(b"x").await.unwrap();
            server.flush().await.unwrap();
            client = waits.await.unwrap();
        }
    });
}
