//! Standard input, output and error, without a helper thread.

mod descriptor;

use std::io::{self, IoSlice, IoSliceMut};
use std::mem;
use std::task::{Context, Poll};

use runtime_core::io::{Interest, ReadFd, Ready, Source, WriteFd};

use self::descriptor::{Descriptor, Direction};
use crate::fd_traits::has_fd;
use crate::lines::{self, Lines};
use crate::methods::{read_methods, readiness_methods, write_methods};

/// Standard input, to be read by tasks: a new handle, which buffers nothing.
///
/// It is made without an error, whatever descriptor 0 is; reading tells what is wrong with it. Any
/// number of handles and tasks may read, each byte goes to one of them. Making a handle takes a few
/// system calls: keep it.
///
/// # No thread, no mode changed
///
/// A read waits as that of a socket does. So its future can be dropped without losing a byte, and a
/// program that waits for input ends as soon as `main` returns. What is not read stays for the next
/// program, as in `(our-program; cat)`.
///
/// `O_NONBLOCK` is a mode of the open file that is shared with the shell and its other programs, so it
/// is never set there, and no panic and no kill can leave it behind. Instead, if the descriptor is
///
/// - a **pipe** or a **terminal**, it is opened anew by way of /proc, which makes an open file of the
///   handle's own. Where that is not allowed (there is no /proc, or the pipe is another user's) it is
///   read in the mode it is in, when the kernel says that there is something. Should a reader in
///   another process be faster then, the read waits and the runtime with it; not so of an anonymous
///   pipe since Linux 6.4, which can be asked without waiting;
/// - a **socket**, it is read with `MSG_DONTWAIT`;
/// - a **regular file** or /dev/null, it is read in place, and moves the position that it shares with
///   other processes. That waits for the disk, as every read of a file does.
///
/// # At a terminal
///
/// A read gives at most a line, unless the terminal's mode was changed. Ctrl-D on an empty line
/// reads as the end, and later reads go on. A program in the background that reads its terminal is
/// stopped by `SIGTTIN`, as always; one that was put there while it waited, when something is typed.
///
/// # Examples
///
/// Lines until the end or a second without one:
///
/// ```no_run
/// use std::time::Duration;
///
/// # async fn example() -> std::io::Result<()> {
/// let mut lines = runtime::io::stdin().lines();
/// while let Ok(line) = runtime::time::timeout(Duration::from_secs(1), lines.next_line()).await {
///     match line? {
///         Some(line) => println!("{line}"),
///         None => break,
///     }
/// }
/// # Ok(()) }
/// ```
#[inline]
pub fn stdin() -> Stdin {
    Stdin { io: Source::new(Descriptor::of(0, Direction::In)) }
}

/// Standard output, to be written by tasks: a new handle, which buffers nothing. What is written has
/// left the program, and flushing does nothing.
///
/// It is made without an error, whatever descriptor 1 is; writing tells what is wrong with it. A write
/// to a pipe or terminal that nobody reads waits, and other tasks run on. No thread is needed, and no
/// mode of the shared open file is changed, as [`stdin()`] has it.
///
/// What std's `println!` has buffered is its own: it comes when std flushes it, and blocks if nobody
/// reads. When several handles write, writes to a pipe of up to 4096 bytes come out in one piece;
/// those to anything else, and longer ones, may be interleaved.
///
/// Once nobody can read a pipe any more, writing is the error
/// [`BrokenPipe`](io::ErrorKind::BrokenPipe): in `our-program | head -1` it is time to end then. It is
/// not a death by `SIGPIPE`, unless the program has set that signal back to its default; and of a socket
/// not even then.
///
/// # Examples
///
/// ```
/// # runtime::block_on(async {
/// let stdout = runtime::io::stdout();
/// stdout.write_all(b"hello\n").await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[inline]
pub fn stdout() -> Stdout {
    Stdout { io: Source::new(Descriptor::of(1, Direction::Out)) }
}

/// Standard error, to be written by tasks: as [`stdout()`], on descriptor 2.
///
/// ```
/// # runtime::block_on(async {
/// runtime::io::stderr().write_all(b"half way\n").await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[inline]
pub fn stderr() -> Stderr {
    Stderr { io: Source::new(Descriptor::of(2, Direction::Out)) }
}

/// A handle to standard input, from [`stdin()`].
#[derive(Debug)]
pub struct Stdin {
    io: Source<Descriptor>,
}

/// A handle to standard output, from [`stdout()`].
#[derive(Debug)]
pub struct Stdout {
    io: Source<Descriptor>,
}

/// A handle to standard error, from [`stderr()`].
#[derive(Debug)]
pub struct Stderr {
    io: Source<Descriptor>,
}

impl Stdin {
    read_methods!();
    readiness_methods!();

    /// Reads a line, appends it to `buf` with the newline at its end, and returns how many bytes it
    /// was: 0 at the end of the input, and a last line may lack the newline.
    ///
    /// Nothing behind the newline is taken: it is there for other readers, also of programs that
    /// run later. That has its price with a pipe, which is read byte by byte; to read many lines,
    /// [`lines`](Self::lines) is the way.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](io::ErrorKind::InvalidData) if the line is not UTF-8: `buf` is as before then,
    /// and the line is lost. Else as [`read`](Self::read); what was read before has been appended.
    ///
    /// # Cancel safety
    ///
    /// What was read of the line until then has been appended to `buf`: with it, calling again goes
    /// on. Lost is only a character of several bytes if not all of it had come.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example() -> std::io::Result<()> {
    /// let mut answer = String::new();
    /// runtime::io::stdin().read_line(&mut answer).await?;
    /// if answer.trim() == "y" {
    ///     println!("as you like");
    /// }
    /// # Ok(()) }
    /// ```
    #[inline]
    pub async fn read_line(&self, buf: &mut String) -> io::Result<usize> {
        let mut line = PartialLine { bytes: Vec::new(), buf };
        loop {
            let read = self.io.read_with(|io| io.read_of_line(&mut line.bytes)).await?;
            if read == 0 || line.bytes.ends_with(b"\n") {
                return line.finish();
            }
        }
    }

    /// The lines of the input. What they read ahead is theirs: with
    /// [`Lines::into_parts`] it can be had back.
    #[inline]
    pub fn lines(self) -> Lines<Stdin> {
        lines::lines(self)
    }
}

/// A line that goes to `buf` when it is complete, or when its future is dropped.
struct PartialLine<'a> {
    bytes: Vec<u8>,
    buf: &'a mut String,
}

impl PartialLine<'_> {
    #[inline]
    fn finish(mut self) -> io::Result<usize> {
        let line = String::from_utf8(mem::take(&mut self.bytes)).map_err(|error| {
            let text = format!("the line is not UTF-8 text: {error}");
            io::Error::new(io::ErrorKind::InvalidData, text)
        })?;
        self.buf.push_str(&line);
        Ok(line.len())
    }
}

impl Drop for PartialLine<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(chunk) = self.bytes.utf8_chunks().next() {
            self.buf.push_str(chunk.valid());
        }
    }
}

impl ReadFd for Stdin {
    type Io = Descriptor;

    #[inline]
    fn source(&self) -> &Source<Descriptor> {
        &self.io
    }

    #[inline]
    fn read_once(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.get_ref().read(&mut [IoSliceMut::new(buf)])
    }

    #[inline]
    fn read_once_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.io.get_ref().read(bufs)
    }
}

/// What standard output and standard error have.
macro_rules! output {
    ($($output:ident),*) => {$(
        impl $output {
            write_methods!();
            readiness_methods!();
        }

        impl WriteFd for $output {
            type Io = Descriptor;

            #[inline]
            fn source(&self) -> &Source<Descriptor> {
                &self.io
            }

            #[inline]
            fn write_once(&self, buf: &[u8]) -> io::Result<usize> {
                self.io.get_ref().write(&[IoSlice::new(buf)])
            }

            #[inline]
            fn write_once_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.io.get_ref().write(bufs)
            }
        }
    )*};
}

output!(Stdout, Stderr);

// The descriptor is the handle's own: what is closed, or waited for elsewhere, is not descriptor 0, 1
// or 2.
has_fd!(Stdin, io);
has_fd!(Stdout, io);
has_fd!(Stderr, io);
