//! What programs fork for: to run another program, and to become a daemon. Both with a runtime that is in
//! use, and goes on.
#![allow(unsafe_code)]

#[path = "support/mod.rs"]
mod support;

use std::fs::{File, OpenOptions};
use std::future::pending;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::pin::pin;
use std::process::Command;
use std::thread;
use std::time::Duration;

use runtime::Runtime;
use runtime::io::stdin;
use runtime::net::{TcpListener, TcpStream, UnixStream};
use runtime::time::{boottime, sleep};
use support::forks::{assert_fine, in_child, one_at_a_time};
use support::{limited, poll_once, run};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

fn pipe() -> (File, File) {
    let mut fds = [0; 2];
    // SAFETY: there is room for the two numbers.
    let result = unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    // SAFETY: the descriptors were made just now and are nobody else's.
    let [reads, writes] = fds.map(|fd| File::from(unsafe { OwnedFd::from_raw_fd(fd) }));
    (reads, writes)
}

/// Makes `file` the descriptor `to` of this process.
fn redirect(file: &File, to: i32) {
    // SAFETY: the call takes numbers. The standard streams are nobody's to own.
    let result = unsafe { libc::dup2(file.as_raw_fd(), to) };
    assert_eq!(result, to, "{}", io::Error::last_os_error());
}

/// Lists its descriptors to its stdout.
const LIST: &str = "ls -l /proc/self/fd | sed 's/.*[0-9][0-9]:[0-9][0-9] //'";

/// What a program finds open that is run as std's `Command` does it.
fn open_in_a_command() -> String {
    let ran = Command::new("sh").args(["-c", LIST]).output().expect("sh runs");
    assert!(ran.status.success(), "{ran:?}");
    without_numbers(&String::from_utf8_lossy(&ran.stdout))
}

/// What a program finds open that is run by a bare fork and exec.
fn open_after_fork_and_exec() -> String {
    let (mut reads, writes) = pipe();
    let [program, option] = [c"/bin/sh", c"-c"];
    let script = std::ffi::CString::new(LIST).expect("no NUL in it");
    let argv = [program.as_ptr(), option.as_ptr(), script.as_ptr(), std::ptr::null()];
    assert_fine(in_child(|| {
        redirect(&writes, 1);
        // SAFETY: the strings end in NUL, and the list in a null pointer.
        unsafe { libc::execv(program.as_ptr(), argv.as_ptr()) };
        panic!("exec: {}", io::Error::last_os_error());
    }));
    drop(writes);
    let mut listed = String::new();
    reads.read_to_string(&mut listed).expect("it is text");
    without_numbers(&listed)
}

/// Pipes and processes have a number of their own each time.
fn without_numbers(listed: &str) -> String {
    let shown = |line: &str| -> String {
        let (_, target) = line.split_once(" -> ").unwrap_or(("", line));
        target.chars().filter(|char| !char.is_ascii_digit()).collect()
    };
    let mut lines: Vec<_> = listed.lines().map(shown).collect();
    lines.sort();
    lines.join("\n")
}

#[test]
fn nothing_of_a_busy_runtime_reaches_a_program_it_runs() {
    let _alone = one_at_a_time();
    let (before_command, before_exec) = (open_in_a_command(), open_after_fork_and_exec());
    assert!(before_exec.lines().count() >= 4, "three streams and the list: {before_exec}");
    let (started, has_started) = std::sync::mpsc::channel();
    let (end, ended) = futures::channel::oneshot::channel::<()>();
    // One that is asleep on another thread, and one that is turning here.
    let other = thread::spawn(move || {
        runtime::block_on(async {
            let _registered = poll_once(pin!(sleep(HOUR)));
            sleep(MS).await;
            started.send(()).expect("it is waited for");
            let _ = ended.await;
        });
    });
    has_started.recv().expect("it starts");
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("bound");
        let (client, accepted) =
            futures::join!(TcpStream::connect(address), async { listener.accept().await });
        let (client, (server, _)) = (client.expect("connected"), accepted.expect("accepted"));
        let (unix, _peer) = UnixStream::pair().expect("a pair");
        let (sender, receiver) = runtime::net::unix::pipe::pipe().expect("a pipe");
        let (mut a, mut b, mut c) = ([0], [0], [0]);
        let mut waits = pin!(async {
            futures::join!(
                client.read(&mut a),
                unix.read(&mut b),
                receiver.read(&mut c),
                boottime::sleep(HOUR),
                listener.accept(),
                async { stdin().readable().await },
            )
        });
        assert!(futures::poll!(&mut waits).is_pending(), "all of them are registered");
        runtime::spawn_blocking(|| ()).await.expect("no panic");
        boottime::sleep(MS).await;
        let task = runtime::spawn(pending::<()>());
        assert_eq!(open_in_a_command(), before_command);
        assert_eq!(open_after_fork_and_exec(), before_exec);
        task.abort();
        drop((server, sender));
    });
    end.send(()).expect("it waits");
    other.join().expect("no panic");
}

/// Forks a process that has no terminal, no parent that waits, and nothing of ours on its standard streams;
/// it does `body`.
fn daemonize(body: impl FnOnce()) {
    assert_fine(in_child(|| {
        // SAFETY: the call takes nothing.
        assert!(unsafe { libc::setsid() } > 0, "{}", io::Error::last_os_error());
        // The second fork is no leader of its session, and so never gets a terminal.
        // SAFETY: the child does what `in_child` says of its own.
        let daemon = unsafe { libc::fork() };
        assert!(daemon >= 0, "{}", io::Error::last_os_error());
        if daemon > 0 {
            return;
        }
        // SAFETY: the call takes a number.
        unsafe { libc::alarm(120) };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let null = OpenOptions::new().read(true).write(true).open("/dev/null");
            let null = null.expect("there is one");
            (0..3).for_each(|fd| redirect(&null, fd));
            std::env::set_current_dir("/").expect("there is one");
            body();
        }));
        // SAFETY: nothing of the process is needed any more.
        unsafe { libc::_exit(i32::from(result.is_err())) };
    }));
}

/// Echoes what a client says, until one says "end"; uses all that a runtime has.
async fn serve_until_told(mut report: File) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    runtime::spawn_blocking(move || writeln!(report, "{address}").map(|()| report)).await??;
    loop {
        let (stream, _) = listener.accept().await?;
        let echo = runtime::spawn(async move {
            let mut buf = [0; 64];
            loop {
                let read = stream.read(&mut buf).await?;
                sleep(Duration::from_micros(10)).await;
                stream.write_all(&buf[..read]).await?;
                if read == 0 || buf.starts_with(b"end") {
                    return io::Result::Ok(read > 0);
                }
            }
        });
        if echo.await?? {
            return Ok(());
        }
    }
}

/// A line of the daemon's, empty at the end; and no more than the line.
fn read_line(report: &mut File) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while report.read(&mut byte).expect("read") == 1 && byte != *b"\n" {
        line.push(byte[0]);
    }
    String::from_utf8(line).expect("text")
}

#[test]
fn a_daemon_runs_a_runtime_of_its_own() {
    let _alone = one_at_a_time();
    limited(|| {
        let runtime = Runtime::new().expect("a runtime");
        runtime.block_on(async {
            // In use when the daemon leaves, and after.
            let (ours, theirs) = UnixStream::pair().expect("a pair");
            let nap = runtime::spawn(sleep(2 * MS));
            let reads = runtime::spawn(async move {
                let mut byte = [0];
                ours.read_exact(&mut byte).await.map(|_| byte)
            });
            sleep(Duration::from_micros(1)).await;

            let (mut report, reports) = pipe();
            let mut over = reports.try_clone().expect("a duplicate");
            daemonize(|| {
                runtime::after_fork();
                runtime::block_on(serve_until_told(reports)).expect("it serves");
                over.write_all(b"served\n").expect("it is read");
            });
            drop(over);
            let address = runtime::spawn_blocking(move || (read_line(&mut report), report));
            let (address, mut report) = address.await.expect("no panic");
            for words in ["hello", "end"] {
                let stream = TcpStream::connect(&*address).await.expect("it listens");
                stream.write_all(words.as_bytes()).await.expect("write");
                let mut echo = vec![0; words.len()];
                stream.read_exact(&mut echo).await.expect("an echo");
                assert_eq!(echo, words.as_bytes());
            }
            let over =
                runtime::spawn_blocking(move || (read_line(&mut report), read_line(&mut report)));
            assert_eq!(over.await.expect("no panic"), ("served".to_string(), String::new()));

            theirs.write_all(b"x").await.expect("write");
            assert_eq!(reads.await.expect("no panic").expect("read"), [b'x']);
            nap.await.expect("no panic");
        });
    });
}
