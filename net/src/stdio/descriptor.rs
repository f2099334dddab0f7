//! `Descriptor`: one of the standard descriptors, and how to use it without waiting and without
//! changing it for the processes it is shared with.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, IoSlice, IoSliceMut, IsTerminal, Read, Seek, SeekFrom, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};

use crate::error::explain;
use crate::sys;

/// What a write to a terminal that has room takes without waiting, or to the other side of one: there
/// is room for 256 bytes then, and a tab may become eight.
const TERMINAL_BUF: usize = 32;

/// How much of a line is looked for at a time.
const CHUNK: usize = 1024;

/// Named by `ReadFd` and `WriteFd` as what is waited for. Sealed: outside this crate nobody can name
/// it.
#[derive(Debug)]
pub struct Descriptor {
    number: RawFd,
    file: Handle,
    kind: Kind,
    /// The open file is this handle's alone, and nonblocking.
    fresh: bool,
}

#[derive(Debug)]
enum Handle {
    Own(File),
    /// No descriptor was left for one of our own.
    Inherited(ManuallyDrop<File>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Without the masters of pseudo-terminals.
    Terminal,
    Pipe,
    Socket,
    /// A regular file, a block device, or /dev/null: what never waits.
    File,
    Other,
}

/// What a descriptor is wanted for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Direction {
    In,
    Out,
}

impl Descriptor {
    /// Of a standard stream. If nothing of it can be found out, using it will tell the reason.
    #[inline]
    pub(super) fn of(number: RawFd, direction: Direction) -> Descriptor {
        let inherited = sys::standard(number);
        let kind = inherited
            .metadata()
            .map_or(Kind::Other, |metadata| Kind::of(inherited.as_fd(), &metadata));
        if let Some(file) = reopen(number, kind, direction, inherited.as_fd()) {
            return Descriptor { number, file: Handle::Own(file), kind, fresh: true };
        }
        // A number of our own, so that two handles can wait.
        let file = inherited.try_clone().map_or(Handle::Inherited(inherited), Handle::Own);
        Descriptor { number, file, kind, fresh: false }
    }

    #[inline]
    fn file(&self) -> &File {
        match &self.file {
            Handle::Own(file) => file,
            Handle::Inherited(file) => file,
        }
    }

    /// Reads once, without waiting.
    #[inline]
    pub(super) fn read(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut file = self.file();
        let result = match self.kind {
            Kind::Socket => sys::receive_now(file.as_fd(), bufs),
            Kind::File => file.read_vectored(bufs),
            _ if self.fresh => file.read_vectored(bufs),
            _ => match sys::read_now(file.as_fd(), bufs) {
                Some(result) => result,
                None if sys::is_readable(file.as_fd())? => file.read_vectored(bufs),
                None => Err(io::ErrorKind::WouldBlock.into()),
            },
        };
        result.map_err(|error| self.explain(error, "reading"))
    }

    /// Writes once, without waiting.
    #[inline]
    pub(super) fn write(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut file = self.file();
        let result = match self.kind {
            Kind::Socket => sys::send_vectored(file.as_fd(), bufs),
            Kind::File => file.write_vectored(bufs),
            _ if self.fresh => file.write_vectored(bufs),
            _ => match sys::write_now(file.as_fd(), bufs) {
                Some(result) => result,
                None if sys::is_writable(file.as_fd())? => file.write(self.start_of(bufs)),
                None => Err(io::ErrorKind::WouldBlock.into()),
            },
        };
        result.map_err(|error| self.explain(error, "writing"))
    }

    /// As much as a write in blocking mode takes without waiting, if there is room.
    #[inline]
    fn start_of<'a>(&self, bufs: &'a [IoSlice<'_>]) -> &'a [u8] {
        let most = if self.kind == Kind::Pipe { sys::PIPE_BUF } else { TERMINAL_BUF };
        let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
        &first[..first.len().min(most)]
    }

    #[inline]
    fn explain(&self, error: io::Error, doing: &str) -> io::Error {
        if sys::is_bad_descriptor(&error) { self.closed(error, doing) } else { error }
    }

    #[cold]
    fn closed(&self, error: io::Error, doing: &str) -> io::Error {
        let number = self.number;
        explain(
            error,
            format_args!(
                "descriptor {number} is closed, or not open for {doing}; start the program with it \
                 open (/dev/null will do)"
            ),
        )
    }

    /// Reads once, appends to `line`, and takes nothing that is behind a newline. Returns how much it
    /// took, 0 at the end.
    #[inline]
    pub(super) fn read_of_line(&self, line: &mut Vec<u8>) -> io::Result<usize> {
        match self.kind {
            Kind::File => self.read_of_line_in_file(line),
            Kind::Socket => self.read_of_line_in_socket(line),
            // One read gives one line.
            Kind::Terminal if sys::is_canonical(self.as_fd()) => self.read_into(line, CHUNK),
            _ => self.read_of_line_bytewise(line),
        }
    }

    /// Moves the position, which is the next program's as well, only over what is taken.
    #[inline]
    fn read_of_line_in_file(&self, line: &mut Vec<u8>) -> io::Result<usize> {
        let mut file = self.file();
        let mut chunk = [0; CHUNK];
        let read = file
            .stream_position()
            .and_then(|position| file.read_at(&mut chunk, position))
            .map_err(|error| self.explain(error, "reading"))?;
        let taken = through_newline(&chunk[..read]);
        file.seek(SeekFrom::Current(taken.len() as i64))?;
        line.extend_from_slice(taken);
        Ok(taken.len())
    }

    #[inline]
    fn read_of_line_in_socket(&self, line: &mut Vec<u8>) -> io::Result<usize> {
        let mut chunk = [0; CHUNK];
        let seen = sys::peek_now(self.as_fd(), &mut chunk)?;
        match through_newline(&chunk[..seen]).len() {
            0 => Ok(0),
            most => self.read_into(line, most),
        }
    }

    /// A pipe's bytes cannot be looked at before they are taken.
    #[inline]
    fn read_of_line_bytewise(&self, line: &mut Vec<u8>) -> io::Result<usize> {
        for taken in 0..CHUNK {
            match self.read_into(line, 1) {
                Ok(1) if line.last() == Some(&b'\n') => return Ok(taken + 1),
                Ok(1) => {}
                // What stopped it is met again by the next read.
                Ok(_) | Err(_) if taken > 0 => return Ok(taken),
                result => return result,
            }
        }
        Ok(CHUNK)
    }

    #[inline]
    fn read_into(&self, line: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let mut chunk = [0; CHUNK];
        let read = self.read(&mut [IoSliceMut::new(&mut chunk[..most])])?;
        line.extend_from_slice(&chunk[..read]);
        Ok(read)
    }
}

impl AsFd for Descriptor {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file().as_fd()
    }
}

impl Kind {
    #[inline]
    fn of(fd: BorrowedFd<'_>, metadata: &Metadata) -> Kind {
        let kind = metadata.file_type();
        let is_null = kind.is_char_device() && sys::is_null_device(metadata.rdev());
        if kind.is_fifo() {
            Kind::Pipe
        } else if kind.is_socket() {
            Kind::Socket
        } else if kind.is_file() || kind.is_dir() || kind.is_block_device() || is_null {
            Kind::File
        } else if fd.is_terminal() && !sys::is_pty_master(fd) {
            Kind::Terminal
        } else {
            Kind::Other
        }
    }
}

/// Opens the pipe or terminal behind a descriptor anew: an open file of our own, whose mode and
/// position concern nobody else. `None` where that is not allowed or would be another thing: a
/// socket cannot be opened, a regular file would begin at its start, and the master of a
/// pseudo-terminal would be the master of a new one.
#[inline]
fn reopen(
    number: RawFd,
    kind: Kind,
    direction: Direction,
    inherited: BorrowedFd<'_>,
) -> Option<File> {
    let access = sys::access(inherited).ok()?;
    // Opening it anew must not permit more: a pipe's other end could be had that way.
    let allowed = if direction == Direction::In { access.read } else { access.write };
    if !allowed || !matches!(kind, Kind::Pipe | Kind::Terminal) {
        return None;
    }
    OpenOptions::new()
        .read(direction == Direction::In)
        .write(direction == Direction::Out)
        .custom_flags(sys::O_NONBLOCK | sys::O_NOCTTY)
        .open(format!("/proc/self/fd/{number}"))
        .ok()
}

/// The bytes up to the first newline and with it, or all.
#[inline]
fn through_newline(bytes: &[u8]) -> &[u8] {
    match bytes.iter().position(|&byte| byte == b'\n') {
        Some(at) => &bytes[..=at],
        None => bytes,
    }
}
