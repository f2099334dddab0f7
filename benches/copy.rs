//! Proxying: processor time of `copy_bidirectional`, beside loops written by hand on epoll.
//!
//! ```text
//! cargo bench --bench copy                            all sizes of messages, over TCP and Unix
//! cargo bench --bench copy -- tcp 65536               one of them
//! ```
//!
//! A client sends a message by way of the proxy to a server, which sends it back. The proxy is a process
//! of its own on one processor and says at its end how much processor time it took, of the kernel's work
//! too; client and server are on the other. "copied" reads and writes through a buffer of 64 KiB,
//! "spliced" splices all there is: where one gets cheaper than the other is the crossover that
//! `net/src/copy/` is built for.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode, Stdio};
use std::{mem, ptr, thread};

use support::{median, quartiles};

mod support;

const SIZES: [usize; 8] = [512, 2 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 256 << 10];
const ROUNDS: usize = 11;
/// What goes through the buffer, or the pipe, at a time.
const CHUNK: usize = 64 * 1024;

const PROXY_PROCESSOR: usize = 0;
const PEERS_PROCESSOR: usize = 1;

/// Which proxy.
#[derive(Clone, Copy, PartialEq)]
enum Who {
    Ours,
    Copied,
    Spliced,
}

const ALL: [Who; 3] = [Who::Ours, Who::Copied, Who::Spliced];

impl Who {
    fn name(self) -> &'static str {
        match self {
            Who::Ours => "ours",
            Who::Copied => "copied",
            Who::Spliced => "spliced",
        }
    }
}

#[derive(Clone, Copy)]
enum What {
    Tcp,
    Unix,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            What::Tcp => "tcp",
            What::Unix => "unix",
        }
    }

    fn pair(self) -> io::Result<(OwnedFd, OwnedFd)> {
        Ok(match self {
            What::Tcp => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
                let near = TcpStream::connect(listener.local_addr()?)?;
                let (far, _) = listener.accept()?;
                near.set_nodelay(true)?;
                far.set_nodelay(true)?;
                (near.into(), far.into())
            }
            What::Unix => {
                let (near, far) = UnixStream::pair()?;
                (near.into(), far.into())
            }
        })
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args[..] {
        [] => table(&[What::Tcp, What::Unix], &SIZES),
        ["proxy", who, what] => proxy(who, what),
        ["tcp", size] => table(&[What::Tcp], &[size.parse().expect("a size is a number")]),
        ["unix", size] => table(&[What::Unix], &[size.parse().expect("a size is a number")]),
        _ => Err(io::Error::other("the arguments are tcp or unix, and the size of a message")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn table(whats: &[What], sizes: &[usize]) -> io::Result<()> {
    support::pin(PEERS_PROCESSOR);
    println!(
        "| there and back | ours, us | copied, us | spliced, us | ours / copied | spliced / copied |"
    );
    println!("|---|---:|---:|---:|---|---|");
    for what in whats {
        for size in sizes {
            row(*what, *size)?;
        }
    }
    Ok(())
}

fn row(what: What, size: usize) -> io::Result<()> {
    let messages = ((64 << 20) / size).clamp(200, 4_000);
    let mut times = ALL.map(|_| Vec::new());
    for round in 0..ROUNDS {
        for turn in 0..ALL.len() {
            // Who goes first changes from round to round.
            let index = (turn + round) % ALL.len();
            times[index].push(run(ALL[index], what, size, messages)?);
        }
    }
    let [ours, copied, spliced] = &times;
    let ratio = |times: &Vec<f64>| {
        let ratios: Vec<f64> =
            times.iter().zip(copied).map(|(time, copied)| time / copied).collect();
        let (low, high) = quartiles(ratios.clone());
        format!("{:.2} ({low:.2} to {high:.2})", median(ratios))
    };
    println!(
        "| {}, {size} | {:.1} | {:.1} | {:.1} | {} | {} |",
        what.name(),
        median(ours.clone()),
        median(copied.clone()),
        median(spliced.clone()),
        ratio(ours),
        ratio(spliced),
    );
    Ok(())
}

/// Microseconds of the proxy for a message there and back.
fn run(who: Who, what: What, size: usize, messages: usize) -> io::Result<f64> {
    let (client, near) = what.pair()?;
    let (far, server) = what.pair()?;
    let child = Command::new(std::env::current_exe()?)
        .args(["proxy", who.name(), what.name()])
        .stdin(Stdio::from(near))
        .stdout(Stdio::from(far))
        .stderr(Stdio::piped())
        .spawn()?;
    let mut server = File::from(server);
    let serving = thread::spawn(move || {
        let mut message = vec![0; size];
        while server.read_exact(&mut message).is_ok() {
            server.write_all(&message)?;
        }
        io::Result::Ok(())
    });
    let mut client = File::from(client);
    let mut message = vec![1; size];
    for _ in 0..messages {
        client.write_all(&message)?;
        client.read_exact(&mut message)?;
    }
    drop(client);
    serving.join().expect("a server does not panic")?;
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let nanos: f64 = said.trim().parse().map_err(|_| io::Error::other(said.to_string()))?;
    Ok(nanos / 1000.0 / messages as f64)
}

/// Carries what comes at stdin to stdout and back, and says how long the processor had to do with it.
fn proxy(who: &str, what: &str) -> io::Result<()> {
    support::pin(PROXY_PROCESSOR);
    // SAFETY: the parent made these descriptors for us, and nobody uses them otherwise.
    let (a, b) = unsafe { (OwnedFd::from_raw_fd(0), OwnedFd::from_raw_fd(1)) };
    let start = processor_time();
    match (who, what) {
        ("ours", "tcp") => runtime::block_on(async {
            let a = runtime::net::TcpStream::from_std(a.into())?;
            let b = runtime::net::TcpStream::from_std(b.into())?;
            runtime::io::copy_bidirectional(&a, &b).await
        })
        .map(drop)?,
        ("ours", _) => runtime::block_on(async {
            let a = runtime::net::UnixStream::from_std(a.into())?;
            let b = runtime::net::UnixStream::from_std(b.into())?;
            runtime::io::copy_bidirectional(&a, &b).await
        })
        .map(drop)?,
        _ => by_hand(a.as_raw_fd(), b.as_raw_fd(), who == "spliced")?,
    }
    eprintln!("{}", processor_time() - start);
    Ok(())
}

/// Nanoseconds that the processor has had to do with this process.
fn processor_time() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn check(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// One direction of the loops written by hand.
struct Way {
    from: RawFd,
    to: RawFd,
    /// The pipe's ends, if it is spliced.
    pipe: Option<[RawFd; 2]>,
    buf: Vec<u8>,
    /// What of the buffer, or the pipe, is still to be written.
    at: usize,
    end: usize,
    over: bool,
}

impl Way {
    fn new(from: RawFd, to: RawFd, spliced: bool) -> io::Result<Way> {
        let mut pipe = None;
        if spliced {
            let mut ends = [0; 2];
            // SAFETY: there is room for two descriptors.
            check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_NONBLOCK) } as isize)?;
            pipe = Some(ends);
        }
        Ok(Way { from, to, pipe, buf: vec![0; CHUNK], at: 0, end: 0, over: false })
    }

    /// Goes on until one side would block, or to the end.
    fn go_on(&mut self) -> io::Result<()> {
        while !self.over {
            if self.at == self.end {
                let Some(taken) = unless_it_blocks(self.take())? else { return Ok(()) };
                (self.at, self.end) = (0, taken);
                if taken == 0 {
                    // SAFETY: no pointers are passed.
                    unsafe { libc::shutdown(self.to, libc::SHUT_WR) };
                    self.over = true;
                }
            } else {
                let Some(given) = unless_it_blocks(self.give())? else { return Ok(()) };
                self.at += given;
            }
        }
        Ok(())
    }

    fn take(&mut self) -> io::Result<usize> {
        let buf = self.buf.as_mut_ptr().cast();
        // SAFETY: there is room for CHUNK bytes; splice is passed no pointers.
        check(unsafe {
            match self.pipe {
                Some([_, into]) => splice(self.from, into, CHUNK),
                None => libc::read(self.from, buf, CHUNK),
            }
        })
    }

    fn give(&self) -> io::Result<usize> {
        let rest = &self.buf[self.at..self.end];
        // SAFETY: there are the bytes of `rest`; splice is passed no pointers.
        check(unsafe {
            match self.pipe {
                Some([out, _]) => splice(out, self.to, rest.len()),
                None => libc::write(self.to, rest.as_ptr().cast(), rest.len()),
            }
        })
    }
}

/// # Safety
///
/// None is needed: it is passed no pointers.
unsafe fn splice(from: RawFd, to: RawFd, len: usize) -> isize {
    let (here, flags) = (ptr::null_mut(), libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK);
    // SAFETY: no offsets are passed.
    unsafe { libc::splice(from, here, to, here, len, flags) }
}

fn unless_it_blocks(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        result => result.map(Some),
    }
}

fn by_hand(a: RawFd, b: RawFd, spliced: bool) -> io::Result<()> {
    let mut ways = [Way::new(a, b, spliced)?, Way::new(b, a, spliced)?];
    // SAFETY: an event outlives the calls that read it, there is room for those that are written, and
    // zeros are valid for them.
    unsafe {
        let epoll = check(libc::epoll_create1(libc::EPOLL_CLOEXEC) as isize)? as RawFd;
        for fd in [a, b] {
            check(libc::fcntl(fd, libc::F_SETFL, libc::O_RDWR | libc::O_NONBLOCK) as isize)?;
            let flags = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
            let mut event = libc::epoll_event { events: flags as u32, u64: 0 };
            check(libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) as isize)?;
        }
        let mut events: [libc::epoll_event; 4] = mem::zeroed();
        while ways.iter().any(|way| !way.over) {
            check(libc::epoll_wait(epoll, events.as_mut_ptr(), 4, -1) as isize)?;
            for way in &mut ways {
                way.go_on()?;
            }
        }
    }
    Ok(())
}
