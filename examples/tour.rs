//! A tour of the runtime, and the first thing to run: `cargo run --release --example tour`
//!
//! For three seconds, or until Ctrl-C, one thread is a TCP echo server and its 64 clients, ticks a timer,
//! and runs what another thread spawns on it. Then it says how that went. Begin to read at `tour`: it
//! starts the parts, each of which is a function, and waits for them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::iter::repeat_n;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use runtime::Handle;
use runtime::net::{TcpListener, TcpStream};
use runtime::signal::ctrl_c;
use runtime::task::JoinSet;
use runtime::time::{Instant, interval, sleep, timeout};

const DURATION: Duration = Duration::from_secs(3);
const CLIENTS: u8 = 64;

/// What tasks share needs no lock: all of them are on this thread.
type Latencies = Rc<RefCell<Durations>>;

/// Whether it is over, for the other thread too.
#[derive(Clone, Default)]
struct Over(Arc<AtomicBool>);

impl Over {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The attribute makes a runtime and runs the function on it.
#[runtime::main]
async fn main() -> ExitCode {
    // Any future can have a deadline. When it comes, the future is dropped, wherever it stood.
    let outcome = timeout(DURATION + Duration::from_secs(2), tour()).await;
    if let Err(error) = outcome.unwrap_or_else(|elapsed| Err(elapsed.into())) {
        eprintln!("\nThe tour failed: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

async fn tour() -> io::Result<()> {
    let start = Instant::now();
    let over = Over::default();
    let latencies = Latencies::default();

    // A spawned task runs beside this one from now on; its handle waits for what it returns.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let end = runtime::spawn(wait_for_the_end(over.clone()));
    let server = runtime::spawn(serve(listener));
    let ticker = runtime::spawn(tick(over.clone()));
    let progress = runtime::spawn(show_progress(start, latencies.clone(), over.clone()));

    // Through a `Handle`, any thread can spawn here.
    let handle = Handle::current();
    let other_thread = thread::spawn({
        let over = over.clone();
        move || spawn_from_afar(&handle, &over)
    });

    // A `JoinSet` holds many tasks of a kind, waits for each, and aborts those that are left in it.
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(drive(address, number, over.clone(), latencies.clone()));
    }
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    let seconds = start.elapsed().as_secs_f64();

    let ended_by = end.await??;
    progress.await?;
    let lateness = ticker.await?;
    server.await??;
    // Joining a thread blocks this one and all tasks on it; `spawn_blocking` has threads for that.
    let joined = runtime::spawn_blocking(move || other_thread.join()).await?;
    let wakes = joined.map_err(|_| io::Error::other("the other thread panicked"))??;

    let latencies = latencies.take();
    let in_full = ended_by.is_empty();
    if in_full && (latencies.count == 0 || lateness.count == 0 || wakes == 0) {
        return Err(io::Error::other("a part of it never ran"));
    }
    // The end, the server, the ticker and the progress are four more.
    let tasks = 4 + 2 * u64::from(CLIENTS) + wakes;
    let heading =
        format!("{CLIENTS} connections to itself, on one thread, for {seconds:.1} s{ended_by}:");
    let rows = [
        ("round trips", grouped(latencies.count)),
        ("round trips per second", grouped((latencies.count as f64 / seconds) as u64)),
        ("latency p50", latencies.quantile(0.50)),
        ("latency p99", latencies.quantile(0.99)),
        ("latency max", latencies.quantile(1.00)),
        ("tasks spawned", grouped(tasks)),
        ("wakes from the other thread", grouped(wakes)),
        ("timer lateness p50", lateness.quantile(0.50)),
        ("timer lateness max", lateness.quantile(1.00)),
    ];
    print_table(&heading, &rows)
}

/// Returns when its time has come, or at Ctrl-C, and says so.
async fn wait_for_the_end(over: Over) -> io::Result<&'static str> {
    // `select!` takes what comes first, and drops the futures of the other branches. Then nobody listens
    // for Ctrl-C any more, and another one ends the program on the spot.
    let ended_by = runtime::select! {
        () = sleep(DURATION) => "",
        interrupted = ctrl_c() => {
            interrupted?;
            ", until Ctrl-C"
        }
    };
    over.0.store(true, Ordering::Relaxed);
    Ok(ended_by)
}

/// Accepts the clients' connections, and sees them all finish.
async fn serve(listener: TcpListener) -> io::Result<()> {
    let mut connections = JoinSet::new();
    for _ in 0..CLIENTS {
        let (stream, _) = listener.accept().await?;
        connections.spawn(echo(stream));
    }
    while let Some(ended) = connections.join_next().await {
        ended??;
    }
    Ok(())
}

/// Sends back what comes in, until the client has no more to say.
async fn echo(stream: TcpStream) -> io::Result<()> {
    let mut buf = [0; 1024];
    while let len @ 1.. = stream.read(&mut buf).await? {
        stream.write_all(&buf[..len]).await?;
    }
    Ok(())
}

/// A client: sends 64 bytes, waits for their echo, compares, and again until the end.
async fn drive(to: SocketAddr, number: u8, over: Over, latencies: Latencies) -> io::Result<()> {
    let stream = TcpStream::connect(to).await?;
    let (mut message, mut echoed) = ([number; 64], [0; 64]);
    while !over.is_set() {
        let sent = Instant::now();
        message[..8].copy_from_slice(&latencies.borrow().count.to_le_bytes());
        stream.write_all(&message).await?;
        stream.read_exact(&mut echoed).await?;
        if echoed != message {
            return Err(io::Error::other(format!("client {number} read other bytes than it sent")));
        }
        latencies.borrow_mut().record(sent.elapsed());
    }
    stream.shutdown().await
}

/// Ticks a thousand times a second until the end, and measures how late it saw each tick.
async fn tick(over: Over) -> Durations {
    let mut lateness = Durations::default();
    let mut ticks = interval(Duration::from_millis(1));
    while !over.is_set() {
        let due = ticks.tick().await;
        lateness.record(due.elapsed());
    }
    lateness
}

/// Runs on the other thread: has the runtime's thread run one small task after the other.
fn spawn_from_afar(handle: &Handle, over: &Over) -> io::Result<u64> {
    let mut wakes = 0;
    while !over.is_set() {
        let task = handle.spawn(async { 1 });
        wakes += handle.block_on(task)?;
        thread::sleep(Duration::from_micros(200));
    }
    Ok(wakes)
}

/// Redraws a line ten times a second, if somebody is there to see it.
async fn show_progress(start: Instant, latencies: Latencies, over: Over) {
    if !io::stderr().is_terminal() {
        return;
    }
    let mut frames = interval(DURATION / 30);
    for frame in 0..30 {
        frames.tick().await;
        if over.is_set() {
            break;
        }
        let (seconds, count) = (start.elapsed().as_secs_f64(), grouped(latencies.borrow().count));
        eprint!("\r[{:<30}] {seconds:.1} s  {count:>9} round trips", "#".repeat(frame));
    }
    frames.tick().await;
    eprint!("\r{:65}\r", "");
}

fn print_table(heading: &str, rows: &[(&str, String)]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{heading}\n")?;
    for (name, value) in rows {
        writeln!(out, "  {name:<30}{value:>11}")?;
    }
    writeln!(out, "\nNo client pauses: latency and lateness are mostly waiting for a turn.")?;
    writeln!(out, "Next: read examples/tour.rs, which is this; echo, chat, proxy are beside it.")
}

/// How often each duration was seen, to 1.6 %: in seven binary digits, so that it stays small.
#[derive(Default)]
struct Durations {
    seen: BTreeMap<u64, usize>,
    count: u64,
}

impl Durations {
    fn record(&mut self, duration: Duration) {
        let nanos = duration.as_nanos() as u64;
        let digits_cut = nanos.max(1).ilog2().saturating_sub(6);
        *self.seen.entry(nanos >> digits_cut << digits_cut).or_default() += 1;
        self.count += 1;
    }

    /// The duration that this share of them does not exceed, for people to read.
    fn quantile(&self, share: f64) -> String {
        let rank = (self.count.saturating_sub(1) as f64 * share) as usize;
        let mut sorted = self.seen.iter().flat_map(|(&nanos, &times)| repeat_n(nanos, times));
        format!("{:.1?}", Duration::from_nanos(sorted.nth(rank).unwrap_or(0)))
    }
}

/// A number with a comma at each thousand.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}
