//! A service on the session bus of D-Bus, and a client of it: zbus with a socket of this runtime.
//!
//! Type `cargo run --example dbus -- serve` in one terminal of a desktop, and in another
//! `cargo run --example dbus -- ask NAME`, or
//! `dbus-send --session --print-reply --dest=org.example.Greeter /org/example/Greeter \
//! org.example.Greeter.Greet string:NAME`. Without a desktop: `dbus-run-session bash` first.
//!
//! zbus brings an executor, which a task here drives; so it starts no thread. What it would do with timers
//! starts one, of async-io: a `method_timeout` of the builder. Ours is `runtime::time::timeout`.

use std::env;
use std::error::Error;
use std::io::{self, Read, Write, pipe};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use runtime::net::UnixStream;
use runtime::time::{sleep, timeout};
use zbus::connection::socket::{ReadHalf, Socket, Split, WriteHalf};
use zbus::connection::{Builder, Connection};
use zbus::object_server::SignalEmitter;
use zbus::{interface, zvariant};

/// How long the other side may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most descriptors that come along with a message, as D-Bus has it by default.
const MAX_FDS: usize = 16;

#[derive(Debug, Clone)]
struct Bus(Arc<UnixStream>);

impl Socket for Bus {
    type ReadHalf = Bus;
    type WriteHalf = Bus;

    fn split(self) -> Split<Bus, Bus> {
        Split::new(self.clone(), self)
    }
}

#[async_trait::async_trait]
impl ReadHalf for Bus {
    async fn recvmsg(&mut self, buf: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        let received = self.0.recv_with_fds(buf, MAX_FDS).await?;
        Ok((received.len, received.fds))
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

#[async_trait::async_trait]
impl WriteHalf for Bus {
    async fn sendmsg(&mut self, buf: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        self.0.send_with_fds(buf, fds).await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.0.shutdown().await
    }

    fn can_pass_unix_fd(&self) -> bool {
        true
    }
}

/// The path of the session bus, of an address as `unix:path=/run/user/1000/bus,guid=...`.
fn session() -> Result<String, Box<dyn Error>> {
    let address = env::var("DBUS_SESSION_BUS_ADDRESS")?;
    let keys = address.strip_prefix("unix:").ok_or("the session bus is not on a Unix socket")?;
    let path = keys.split(',').find_map(|key| key.strip_prefix("path="));
    Ok(path.ok_or("the session bus is not at a path")?.to_string())
}

/// Connects to the bus, and drives what zbus does beside us.
async fn connect(
    configure: impl FnOnce(Builder<'static>) -> zbus::Result<Builder<'static>>,
) -> Result<Connection, Box<dyn Error>> {
    let stream = UnixStream::connect(session()?).await?;
    let builder = Builder::socket(Bus(Arc::new(stream))).internal_executor(false);
    let connection = configure(builder)?.build().await?;
    let executor = connection.executor().clone();
    runtime::spawn(async move {
        while !executor.is_empty() {
            executor.tick().await;
        }
    });
    Ok(connection)
}

struct Greeter;

#[interface(
    name = "org.example.Greeter",
    proxy(
        gen_blocking = false,
        default_service = "org.example.Greeter",
        default_path = "/org/example/Greeter"
    )
)]
impl Greeter {
    async fn greet(&self, name: &str) -> String {
        sleep(Duration::from_millis(1)).await;
        format!("Hello {name}!")
    }

    /// A pipe with a letter in it, and word to all that it was sent.
    async fn letter(
        &self,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> zbus::fdo::Result<zvariant::OwnedFd> {
        let (reader, mut writer) = pipe().map_err(zbus::Error::from)?;
        writer.write_all(b"Dear reader").map_err(zbus::Error::from)?;
        emitter.sent("a letter").await?;
        Ok(zvariant::OwnedFd::from(OwnedFd::from(reader)))
    }

    #[zbus(signal)]
    async fn sent(emitter: &SignalEmitter<'_>, what: &str) -> zbus::Result<()>;
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let serve = |builder: Builder<'static>| {
        builder.name("org.example.Greeter")?.serve_at("/org/example/Greeter", Greeter)
    };
    let _connection = connect(serve).await?;
    println!("serving");
    runtime::signal::ctrl_c().await?;
    Ok(())
}

async fn ask(name: &str) -> Result<(), Box<dyn Error>> {
    let greeter = GreeterProxy::new(&connect(Ok).await?).await?;
    println!("{}", timeout(PATIENCE, greeter.greet(name)).await??);
    let mut sent = greeter.receive_sent().await?;
    let letter = timeout(PATIENCE, greeter.letter()).await??;
    let mut text = String::new();
    std::fs::File::from(OwnedFd::from(letter)).read_to_string(&mut text)?;
    println!("{text}");
    let signal = timeout(PATIENCE, sent.next()).await?.ok_or("the bus has gone")?;
    println!("it was sent: {}", signal.args()?.what());
    Ok(())
}

#[runtime::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => serve().await,
        ["ask", name] => ask(name).await,
        _ => Err("type `serve` or `ask NAME` behind it".into()),
    }
}
