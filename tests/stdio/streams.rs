//! What a standard stream can be, with the end of it that the test keeps.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Pipe,
    Fifo,
    Terminal,
    /// The master of a pseudo-terminal.
    Master,
    Socket,
    File,
}

/// Whether the program has an open file of its own, or uses the one it shares with the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mode {
    Fresh,
    Shared,
    /// The latter, on a kernel that cannot ask a pipe without waiting: before Linux 6.4.
    Old,
}

/// All there are, for input and for output. Where the first of a kind is `Fresh`, the program may not
/// open the others anew.
pub(crate) const STREAMS: &[(Kind, Mode)] = &[
    (Kind::Pipe, Mode::Fresh),
    (Kind::Pipe, Mode::Shared),
    (Kind::Pipe, Mode::Old),
    (Kind::Fifo, Mode::Fresh),
    (Kind::Fifo, Mode::Shared),
    (Kind::Fifo, Mode::Old),
    (Kind::Terminal, Mode::Fresh),
    (Kind::Terminal, Mode::Shared),
    (Kind::Master, Mode::Shared),
    (Kind::Socket, Mode::Shared),
    (Kind::File, Mode::Shared),
];

impl Mode {
    /// Has the program check it; unless it is `Fresh` it gives up its privileges first.
    pub(crate) fn tell(self, mut command: Command, stream: &str) -> Command {
        command.env(format!("EXPECT_{stream}"), format!("{self:?}"));
        command
    }
}

/// The test's end of an input.
pub(crate) struct Feed {
    kind: Kind,
    file: Option<File>,
    /// The program's end of a pseudo-terminal, so that it does not hang up.
    _kept: Option<OwnedFd>,
}

/// An input, and the test's end of it. In a file everything must be before the program starts.
pub(crate) fn input(kind: Kind, mode: Mode) -> (OwnedFd, Feed) {
    let (theirs, ours) = match kind {
        Kind::Pipe => pipe(),
        Kind::Fifo => fifo(),
        Kind::Terminal => {
            let (master, slave) = open_pty();
            (slave, master)
        }
        Kind::Master => {
            let (master, slave) = open_pty();
            make_raw(&slave);
            (master, slave)
        }
        Kind::Socket => socket_pair(),
        Kind::File => file(),
    };
    if mode != Mode::Fresh {
        deny(&theirs);
    }
    let kept = (kind == Kind::Terminal).then(|| theirs.try_clone().unwrap());
    (theirs, Feed { kind, file: Some(ours.into()), _kept: kept })
}

impl Feed {
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.file.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// At a terminal, somebody types Ctrl-D: the first ends a line that has no end, if there is one.
    pub(crate) fn end(&mut self) {
        if self.kind == Kind::Terminal {
            self.write(b"\x04\x04\x04");
        } else {
            self.file = None;
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.write(bytes);
        self.end();
    }
}

/// The test's end of an output.
pub(crate) struct Drain {
    file: File,
    /// The program's end of a pseudo-terminal, so that it does not hang up.
    _kept: Option<OwnedFd>,
}

/// An output, and the test's end of it.
pub(crate) fn output(kind: Kind, mode: Mode) -> (OwnedFd, Drain) {
    let (ours, theirs) = match kind {
        Kind::Pipe => pipe(),
        Kind::Fifo => fifo(),
        Kind::Terminal | Kind::Master => {
            let (master, slave) = open_pty();
            make_raw(&slave);
            if kind == Kind::Terminal { (master, slave) } else { (slave, master) }
        }
        Kind::Socket => socket_pair(),
        Kind::File => file(),
    };
    if mode != Mode::Fresh {
        deny(&theirs);
    }
    let is_pty = matches!(kind, Kind::Terminal | Kind::Master);
    let kept = is_pty.then(|| theirs.try_clone().unwrap());
    (theirs, Drain { file: ours.into(), _kept: kept })
}

impl Drain {
    pub(crate) fn receive(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.file.read_exact(&mut bytes).unwrap();
        bytes
    }
}

/// To read from and to write to, in blocking mode.
pub(crate) fn pipe() -> (OwnedFd, OwnedFd) {
    let mut fds = [0; 2];
    // SAFETY: the array has room for two, and what the call makes is ours.
    unsafe {
        assert_eq!(libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC), 0);
        (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1]))
    }
}

fn temporary_path() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("epoll-runtime-stdio-{}-{count}", std::process::id()))
}

fn fifo() -> (OwnedFd, OwnedFd) {
    let path = temporary_path();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    // Neither of the two that follow has to wait for the other then.
    let both = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let read = File::open(&path).unwrap();
    let write = OpenOptions::new().write(true).open(&path).unwrap();
    drop(both);
    fs::remove_file(&path).unwrap();
    (read.into(), write.into())
}

/// Two open files of one file, at its start.
fn file() -> (OwnedFd, OwnedFd) {
    let path = temporary_path();
    let mut options = OpenOptions::new();
    let one = options.read(true).write(true).create(true).truncate(true).open(&path).unwrap();
    let two = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    (one.into(), two.into())
}

fn socket_pair() -> (OwnedFd, OwnedFd) {
    let (one, two) = UnixStream::pair().unwrap();
    (one.into(), two.into())
}

/// The master and the terminal, which hands out lines and does not echo.
pub(crate) fn open_pty() -> (OwnedFd, OwnedFd) {
    let (mut master, mut slave) = (0, 0);
    // SAFETY: the first two point to numbers, which the call sets to descriptors that are ours; the
    // others may be null.
    let (master, slave) = unsafe {
        let made =
            libc::openpty(&mut master, &mut slave, ptr::null_mut(), ptr::null(), ptr::null());
        assert_eq!(made, 0, "{}", io::Error::last_os_error());
        (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave))
    };
    for fd in [&master, &slave] {
        // SAFETY: no pointers are passed.
        assert_eq!(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) }, 0);
    }
    change_terminal(&slave, |mode| mode.c_lflag &= !libc::ECHO);
    (master, slave)
}

/// Bytes go through unchanged, and at once.
pub(crate) fn make_raw(terminal: &OwnedFd) {
    // SAFETY: the call changes the mode in place.
    change_terminal(terminal, |mode| unsafe { libc::cfmakeraw(mode) });
}

pub(crate) fn make_spaces_of_tabs(terminal: &OwnedFd) {
    change_terminal(terminal, |mode| mode.c_oflag |= libc::OPOST | libc::XTABS);
}

fn change_terminal(terminal: &OwnedFd, change: impl FnOnce(&mut libc::termios)) {
    // SAFETY: `termios` is plain data, which the first call fills in and the second reads.
    unsafe {
        let mut mode: libc::termios = mem::zeroed();
        assert_eq!(libc::tcgetattr(terminal.as_raw_fd(), &mut mode), 0);
        change(&mut mode);
        assert_eq!(libc::tcsetattr(terminal.as_raw_fd(), libc::TCSANOW, &mode), 0);
    }
}

/// Forbids everybody without privileges to open it.
pub(crate) fn deny(fd: &OwnedFd) {
    // SAFETY: no pointers are passed. Sockets refuse, and cannot be opened anyway.
    unsafe { libc::fchmod(fd.as_raw_fd(), 0) };
}

pub(crate) fn is_nonblocking(fd: impl AsFd) -> bool {
    // SAFETY: no pointers are passed.
    let flags = unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_GETFL) };
    assert!(flags >= 0);
    flags & libc::O_NONBLOCK != 0
}

/// Has a read of a socket wait until so much is there, unless it does not wait at all.
pub(crate) fn give_no_less_than(socket: &OwnedFd, len: libc::c_int) {
    let size = mem::size_of_val(&len) as libc::socklen_t;
    // SAFETY: the number outlives the call, and its size is said.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVLOWAT,
            (&raw const len).cast(),
            size,
        )
    };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
}

/// Has the kernel keep a file on the disk only. (Where there is no disk behind it, it does not.)
pub(crate) fn forget_content(file: &OwnedFd) {
    File::from(file.try_clone().unwrap()).sync_all().unwrap();
    // SAFETY: no pointers are passed.
    let told = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    assert_eq!(told, 0);
}

/// All that is in a file, wherever its position is.
pub(crate) fn content(file: impl AsFd) -> String {
    let file = File::from(file.as_fd().try_clone_to_owned().unwrap());
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    String::from_utf8(bytes).unwrap()
}
