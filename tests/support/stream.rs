//! Streams to copy from and to: any descriptor, and bytes that know their place.
#![allow(unsafe_code)]
#![allow(dead_code, reason = "each test binary uses what it needs")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use runtime::io::{ReadFd, Source, WriteFd};

use crate::support::random::{Random, mix};

/// Any descriptor that read(2) and write(2) know.
pub(crate) struct Fd(pub(crate) Source<File>);

impl Fd {
    /// In nonblocking mode, where that means something.
    pub(crate) fn new(fd: impl Into<OwnedFd>) -> Fd {
        let fd = fd.into();
        // SAFETY: no pointers are passed.
        unsafe {
            let flags = libc::fcntl(fd.as_raw_fd(), libc::F_GETFL);
            assert_eq!(libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK), 0);
        }
        Fd(Source::new(File::from(fd)))
    }
}

impl AsFd for Fd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl ReadFd for Fd {
    type Io = File;

    fn source(&self) -> &Source<File> {
        &self.0
    }

    fn read_once(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.get_ref().read(buf)
    }
}

impl WriteFd for Fd {
    type Io = File;

    fn source(&self) -> &Source<File> {
        &self.0
    }

    fn write_once(&self, buf: &[u8]) -> io::Result<usize> {
        self.0.get_ref().write(buf)
    }

    fn shutdown_once(&self) -> io::Result<()> {
        // SAFETY: no pointers are passed.
        let result = unsafe { libc::shutdown(self.0.as_raw_fd(), libc::SHUT_WR) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

/// Both ends of a TCP connection.
pub(crate) fn tcp() -> (std::net::TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let here = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (here, listener.accept().unwrap().0)
}

/// The end to read from, and the end to write to.
pub(crate) fn pipe() -> (OwnedFd, OwnedFd) {
    let mut ends = [0; 2];
    // SAFETY: there is room for two descriptors, and they are new.
    unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC), 0);
        (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1]))
    }
}

/// A new file, which is gone when it is closed.
pub(crate) fn file() -> File {
    temporary(OpenOptions::new().read(true).write(true))
}

pub(crate) fn temporary(options: &mut OpenOptions) -> File {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("epoll-runtime-copy-{}-{number}", std::process::id());
    let path: PathBuf = std::env::temp_dir().join(name);
    let file = options.create_new(true).mode(0o600).open(&path).unwrap();
    fs::remove_file(path).unwrap();
    file
}

/// The byte that belongs at a place of the stream: one that is lost or doubled shows at once.
pub(crate) fn byte_at(place: usize) -> u8 {
    (mix(place as u64 / 8) >> (place % 8 * 8)) as u8
}

pub(crate) fn bytes(from: usize, len: usize) -> Vec<u8> {
    (from..from + len).map(byte_at).collect()
}

/// Writes the stream in portions of random size, then closes.
pub(crate) fn feed(to: impl Into<OwnedFd>, len: usize, seed: u64) -> JoinHandle<()> {
    let mut to = File::from(to.into());
    thread::spawn(move || {
        let mut random = Random::new(seed);
        let mut at = 0;
        while at < len {
            let portion = random.up_to(200_000).min(len - at);
            to.write_all(&bytes(at, portion)).unwrap();
            at += portion;
            if random.next() % 4 == 0 {
                thread::yield_now();
            }
        }
    })
}

/// Reads in portions of random size to the end, and returns how much it was.
pub(crate) fn check(from: impl Into<OwnedFd>, seed: u64) -> JoinHandle<usize> {
    let mut from = File::from(from.into());
    thread::spawn(move || {
        let mut random = Random::new(seed);
        let mut buf = vec![0; 200_000];
        let mut at = 0;
        loop {
            let read = from.read(&mut buf[..random.up_to(200_000)]).unwrap();
            if read == 0 {
                return at;
            }
            assert!(buf[..read] == bytes(at, read), "wrong bytes after {at}");
            at += read;
            if random.next() % 4 == 0 {
                thread::yield_now();
            }
        }
    })
}
