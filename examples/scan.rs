//! A port scanner: which TCP ports of a host are open.
//!
//! Type `cargo run -q --release --example scan -- localhost`, or with a range behind it, `1-65535`. Scan only
//! what is yours. The open ports are printed in order, a bar shows how far it is if stderr is a terminal,
//! and Ctrl-C ends it with what it has found.
//!
//! Up to 500 connections are attempted at once, all of them in one task.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::env;
use std::future::pending;
use std::io::{self, ErrorKind, IsTerminal};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use runtime::io::{Stderr, stderr, stdout};
use runtime::net::{TcpStream, lookup_host};
use runtime::signal::ctrl_c;
use runtime::time::{Instant, interval, timeout};

/// Each takes a descriptor, of which a process has 1024 as a rule.
const AT_ONCE: usize = 500;
/// After one second the kernel asks once more, as the question may have been lost.
const PATIENCE: Duration = Duration::from_secs(2);

#[runtime::main]
async fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let (host, ports) = match &args[..] {
        [host] => (host, Some(1..=1023)),
        [host, ports] => (host, range(ports)),
        _ => (&String::new(), None),
    };
    let Some(ports) = ports else {
        eprintln!("usage: scan HOST [PORT | FIRST-LAST]");
        return ExitCode::from(2);
    };
    match run(host, ports).await {
        // Whoever reads this has had enough, as in `scan HOST | head -1`.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("scan: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let ports = first.parse().ok()?..=last.parse().ok()?;
    (!ports.is_empty()).then_some(ports)
}

async fn run(host: &str, ports: RangeInclusive<u16>) -> io::Result<()> {
    let tally = Tally { ports: ports.len(), ..Tally::default() };
    let bar = io::stderr().is_terminal().then(stderr);
    let start = Instant::now();
    let outcome = runtime::select! {
        biased; // listens for Ctrl-C before anything is seen
        pressed = ctrl_c() => pressed,
        failure = show_bar(&bar, &tally) => failure,
        outcome = scan(host, ports, &bar, &tally) => outcome,
    };
    erase(&bar).await?;
    outcome?;
    // Ctrl-C may leave some behind a port that has not answered.
    for port in tally.unprinted.take() {
        stdout().write_all(format!("{port}\n").as_bytes()).await?;
    }
    let Tally { open, closed, silent, .. } = &tally;
    let (open, closed, silent) = (open.get(), closed.get(), silent.get());
    let seconds = start.elapsed().as_secs_f32();
    eprintln!("{open} open, {closed} closed, {silent} without an answer; {seconds:.1} s");
    Ok(())
}

/// How many ports were found to be what, so far.
#[derive(Default)]
struct Tally {
    ports: usize,
    open: Cell<usize>,
    /// Those of the open ones.
    unprinted: RefCell<BTreeSet<u16>>,
    closed: Cell<usize>,
    silent: Cell<usize>,
}

async fn scan(
    host: &str,
    ports: RangeInclusive<u16>,
    bar: &Option<Stderr>,
    tally: &Tally,
) -> io::Result<()> {
    let mut addresses = lookup_host((host, 0)).await?;
    let host = addresses.next().ok_or(io::Error::other("this host has no address"))?.ip();
    let stdout = stdout();
    // Whichever answers first, `buffered` hands the results out in the order of the ports.
    let mut probes = stream::iter(ports).map(|port| probe(host, port, tally)).buffered(AT_ONCE);
    while let Some(result) = probes.next().await {
        if let Some(port) = result? {
            erase(bar).await?;
            stdout.write_all(format!("{port}\n").as_bytes()).await?;
            tally.unprinted.borrow_mut().remove(&port);
        }
    }
    Ok(())
}

/// The port, if it is open.
async fn probe(host: IpAddr, port: u16, tally: &Tally) -> io::Result<Option<u16>> {
    let address = SocketAddr::new(host, port);
    let (is_open, counter) = match timeout(PATIENCE, TcpStream::connect(address)).await {
        // If the host is this one, our own end may have got the very port: nobody else is there.
        Ok(Ok(stream)) if stream.local_addr()? == address => (false, &tally.closed),
        Ok(Ok(_)) => (true, &tally.open),
        Ok(Err(error)) => match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => (false, &tally.closed),
            ErrorKind::HostUnreachable | ErrorKind::TimedOut => (false, &tally.silent),
            // No descriptor left, say: that tells nothing of the port.
            _ => return Err(error),
        },
        Err(_elapsed) => (false, &tally.silent),
    };
    counter.set(counter.get() + 1);
    if is_open {
        tally.unprinted.borrow_mut().insert(port);
    }
    Ok(is_open.then_some(port))
}

/// Draws the bar ten times a second, if somebody is there to see it; ends only if that fails.
async fn show_bar(bar: &Option<Stderr>, tally: &Tally) -> io::Result<()> {
    let Some(terminal) = bar else { return pending().await };
    let mut frames = interval(Duration::from_millis(100));
    loop {
        frames.tick().await;
        let Tally { ports, open, closed, silent, .. } = tally;
        let done = open.get() + closed.get() + silent.get();
        let (filled, open) = ("#".repeat(30 * done / ports), open.get());
        let frame = format!("\r[{filled:<30}] {done} of {ports} ports, {open} open");
        terminal.write_all(frame.as_bytes()).await?;
    }
}

async fn erase(bar: &Option<Stderr>) -> io::Result<()> {
    match bar {
        Some(terminal) => terminal.write_all(b"\r\x1b[K").await,
        None => Ok(()),
    }
}
