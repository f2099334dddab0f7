//! A daemon: leaves the terminal once it serves, and ends on SIGTERM.
//!
//! Type `cargo run --example daemon`, then `nc 127.0.0.1 7011`, and then the `kill` that it has printed.
//! Another address goes behind `--`.
//!
//! A `fork` comes between two runtimes here: one has bound the listener and is gone, the other serves. What
//! can fail before does so on the terminal, and the first process stays until the daemon says that it
//! serves. Under systemd none of this is needed.
#![allow(unsafe_code)]

use std::env;
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{self, SocketAddr};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process;

use runtime::net::{TcpListener, TcpStream};
use runtime::signal::unix::{SignalKind, signal};

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7011".to_string());
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let listener = runtime::block_on(TcpListener::bind(address))?.into_std()?;
    println!("listening on {}", listener.local_addr()?);
    match become_daemon()? {
        Process::First(daemon) => {
            let line = BufReader::new(daemon).lines().next();
            let id =
                line.ok_or_else(|| io::Error::other("the daemon ended before it served"))??;
            println!("serving; `kill {id}` ends it");
            Ok(())
        }
        Process::Daemon(first) => {
            // No runtime was left in this thread. If `fork` were called inside of one, this would end it.
            runtime::after_fork();
            runtime::block_on(serve(listener, first))
        }
    }
}

enum Process {
    /// The one that was started, and what the daemon tells it.
    First(UnixStream),
    /// The daemon, and where to tell the first process that it serves.
    Daemon(UnixStream),
}

/// See daemon(7), "SysV Daemons".
fn become_daemon() -> io::Result<Process> {
    let (daemon, first) = UnixStream::pair()?;
    if fork()? {
        return Ok(Process::First(daemon));
    }
    // A session of its own, without a terminal. Who leads it might get one by opening it, so the daemon is
    // a child of the leader.
    // SAFETY: the call takes nothing.
    check(unsafe { libc::setsid() })?;
    if fork()? {
        process::exit(0);
    }
    // Neither a mounted directory nor the terminal is kept in use.
    env::set_current_dir("/")?;
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    for standard in 0..3 {
        // SAFETY: the call takes numbers, and the standard streams' belong to nobody.
        check(unsafe { libc::dup2(null.as_raw_fd(), standard) })?;
    }
    Ok(Process::Daemon(first))
}

/// Whether this is the parent.
fn fork() -> io::Result<bool> {
    // SAFETY: this process has one thread, so that its child may do whatever it may do itself.
    Ok(check(unsafe { libc::fork() })? > 0)
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

async fn serve(listener: net::TcpListener, mut first: UnixStream) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut terminations = signal(SignalKind::terminate())?;
    writeln!(first, "{}", process::id())?;
    drop(first);
    loop {
        runtime::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    runtime::spawn(echo(stream));
                }
            }
            _ = terminations.recv() => return Ok(()),
        }
    }
}

async fn echo(stream: TcpStream) -> io::Result<()> {
    let mut buf = [0; 4096];
    while let read @ 1.. = stream.read(&mut buf).await? {
        stream.write_all(&buf[..read]).await?;
    }
    Ok(())
}
