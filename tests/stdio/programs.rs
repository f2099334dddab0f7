//! The programs that are run by the tests.

use std::env;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures::poll;
use runtime::io::{Stdin, Stdout, stderr, stdin, stdout};
use runtime::spawn;
use runtime::task::yield_now;

use crate::streams::is_nonblocking;
use crate::support::turns;

/// The environment variable that says which program to be.
pub(crate) const VARIABLE: &str = "STDIO_TEST_PROGRAM";

/// How much `flood` writes: more than any pipe, socket or terminal holds.
pub(crate) const FLOOD: usize = 1 << 19;

pub(crate) fn run(name: &str) {
    // SAFETY: no pointers are passed. If a test is given up, its programs end as well.
    unsafe { libc::alarm(120) };
    for stream in ["EXPECT_STDIN", "EXPECT_STDOUT"] {
        match env::var(stream).as_deref() {
            Ok("Shared") => give_up_privileges(),
            Ok("Old") => {
                refuse_nowait();
                give_up_privileges();
            }
            _ => {}
        }
    }
    runtime::block_on(async {
        match name {
            "cat" => cat(0).await,
            "cat_dropping" => cat(3).await,
            "copy" => copy().await,
            "cat_to_stderr" => cat_to_stderr().await,
            "read_line" => read_line().await,
            "read_line_dropping" => read_line_dropping().await,
            "leave" => wait_on_both().await,
            "panic" => {
                wait_on_both().await;
                panic!("as the test wants it");
            }
            "hold" => {
                wait_on_both().await;
                pending().await
            }
            "yes" => yes().await,
            "yes_sigpipe" => {
                // SAFETY: SIG_DFL is no function of ours.
                unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
                yes().await;
            }
            "flood" => flood(b'x').await,
            "flood_tabs" => flood(b'\t').await,
            "two_handles" => two_handles().await,
            "wrong_directions" | "closed" => {
                if name == "closed" {
                    close(0);
                    close(1);
                }
                assert_refused(stdin().read(&mut [0]).await, "descriptor 0");
                assert_refused(stdin().read_line(&mut String::new()).await, "descriptor 0");
                assert_refused(stdout().write(b"x").await, "descriptor 1");
            }
            "null" => null().await,
            "two_ends" => two_ends().await,
            "wait_for_end" => wait_for_end().await,
            "session_leader" => session_leader().await,
            "close_stdout" => close_stdout().await,
            "write_once" => eprintln!("{} bytes", output().write(&[0; 100_000]).await.unwrap()),
            "no_descriptors" => no_descriptors().await,
            _ => panic!("there is no program {name}"),
        }
    });
}

fn give_up_privileges() {
    // SAFETY: no pointers are passed.
    unsafe {
        if libc::geteuid() == 0 {
            assert_eq!((libc::setgid(65534), libc::setuid(65534)), (0, 0));
        }
    }
}

/// Has the kernel refuse preadv2 and pwritev2, which std does not use.
fn refuse_nowait() {
    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EOPNOTSUPP as u32;
    const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
    let step = |code: u32, yes, no, k| libc::sock_filter { code: code as u16, jt: yes, jf: no, k };
    let mut filter = [
        // The number of the call comes first in the data.
        step(LOAD, 0, 0, 0),
        step(EQUAL, 1, 0, libc::SYS_preadv2 as u32),
        step(EQUAL, 0, 1, libc::SYS_pwritev2 as u32),
        step(RETURN, 0, 0, REFUSE),
        step(RETURN, 0, 0, ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the filter outlives the call, and only numbers are passed beside.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let set = libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program);
        assert_eq!(set, 0, "{}", io::Error::last_os_error());
    }
}

/// Ours is nonblocking, and what we share is not.
fn check_mode(name: &str, stream: impl AsFd) {
    if let Ok(mode) = env::var(name) {
        assert_eq!(is_nonblocking(stream), mode == "Fresh", "{name}");
    }
}

fn input() -> Stdin {
    let stdin = stdin();
    check_mode("EXPECT_STDIN", &stdin);
    stdin
}

fn output() -> Stdout {
    let stdout = stdout();
    check_mode("EXPECT_STDOUT", &stdout);
    stdout
}

fn say_ready() {
    eprintln!("ready");
}

fn close(number: i32) {
    // SAFETY: std's handles say EBADF from now on.
    unsafe { libc::close(number) };
}

/// Reads after some futures were dropped that did the same, as long as they were pending.
async fn read_dropping(stdin: &Stdin, buf: &mut [u8], drops: u32) -> usize {
    for _ in 0..drops {
        if let Poll::Ready(read) = poll!(pin!(stdin.read(buf))) {
            return until_hang_up(read);
        }
        yield_now().await;
    }
    until_hang_up(stdin.read(buf).await)
}

/// The master of a pseudo-terminal that has hung up says EIO, which is its end.
fn until_hang_up(read: io::Result<usize>) -> usize {
    match read {
        Err(error) if error.raw_os_error() == Some(libc::EIO) => 0,
        read => read.unwrap(),
    }
}

async fn cat(drops: u32) {
    let (stdin, stdout) = (input(), output());
    let mut buf = [0; 5000];
    while let len @ 1.. = read_dropping(&stdin, &mut buf, drops).await {
        stdout.write_all(&buf[..len]).await.unwrap();
    }
}

async fn copy() {
    match runtime::io::copy(&input(), &output()).await {
        Err(error) if error.raw_os_error() == Some(libc::EIO) => {}
        copied => assert!(copied.unwrap() > 0),
    }
}

async fn cat_to_stderr() {
    let (stdin, stderr) = (input(), stderr());
    check_mode("EXPECT_STDOUT", &stderr);
    let mut text = String::new();
    stdin.read_to_string(&mut text).await.unwrap();
    stderr.write_all(text.as_bytes()).await.unwrap();
}

async fn read_line() {
    let mut line = String::new();
    input().read_line(&mut line).await.unwrap();
    stdout().write_all(line.as_bytes()).await.unwrap();
}

async fn read_line_dropping() {
    let (stdin, stdout) = (input(), output());
    let mut line = String::new();
    while line != "some " {
        assert!(poll!(pin!(stdin.read_line(&mut line))).is_pending(), "{line:?}");
        yield_now().await;
    }
    say_ready();
    loop {
        let text = match stdin.read_line(&mut line).await {
            Ok(_) => format!("[{line}]"),
            Err(error) if error.kind() == ErrorKind::InvalidData => "[not text]".to_string(),
            Err(error) => panic!("{error}"),
        };
        stdout.write_all(text.as_bytes()).await.unwrap();
        if text == "[]" {
            return;
        }
        line.clear();
    }
}

/// Has tasks wait for both streams, and no thread for them.
async fn wait_on_both() {
    let (stdin, stdout) = (input(), output());
    spawn(async move { stdin.read(&mut [0]).await.unwrap() });
    spawn(async move {
        for _ in 0..256 {
            stdout.write_all(&[b'x'; 4096]).await.unwrap();
        }
    });
    turns().await;
    if let Ok(threads) = std::fs::read_dir("/proc/self/task") {
        assert_eq!(threads.count(), 1);
    }
    say_ready();
}

async fn yes() {
    let stdout = output();
    stdout.write_all(b"yes\n").await.unwrap();
    say_ready();
    loop {
        if let Err(error) = stdout.write_all(b"yes\n").await {
            // The latter of a socket, when what it had was not read.
            let gone = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
            assert!(gone.contains(&error.kind()), "{error}");
            return;
        }
    }
}

async fn flood(byte: u8) {
    let stdout = output();
    // Before it, so that there is room, and not as much as anybody would like.
    stdout.write_all(&[byte]).await.unwrap();
    let writing = spawn(async move { stdout.write_all(&vec![byte; FLOOD - 1]).await.unwrap() });
    for _ in 0..5 {
        runtime::time::sleep(Duration::from_millis(1)).await;
    }
    turns().await;
    assert!(!writing.is_finished());
    say_ready();
    writing.await.unwrap();
}

async fn two_handles() {
    let read_one = || {
        let stdin = input();
        spawn(async move { stdin.read(&mut [0]).await.unwrap() })
    };
    let (one, two) = (read_one(), read_one());
    turns().await;
    assert!(!one.is_finished() && !two.is_finished());
    say_ready();
    assert_eq!((one.await.unwrap(), two.await.unwrap()), (1, 1));
}

fn assert_refused(result: io::Result<usize>, who: &str) {
    let error = result.unwrap_err().to_string();
    assert!(error.contains(who) && error.contains("/dev/null"), "{error}");
}

async fn null() {
    assert_eq!(stdin().read(&mut [0]).await.unwrap(), 0);
    stdin().readable().await.unwrap();
    assert_eq!(stdout().write(&[0; 100_000]).await.unwrap(), 100_000);
}

async fn two_ends() {
    let stdin = input();
    let mut buf = [0; 100];
    say_ready();
    for wanted in [&b"one\n"[..], b"", b"two\n", b""] {
        let len = stdin.read(&mut buf).await.unwrap();
        assert_eq!(&buf[..len], wanted);
    }
}

async fn wait_for_end() {
    let (stdin, mut buf) = (input(), [0]);
    let mut reading = pin!(stdin.read(&mut buf));
    assert!(poll!(reading.as_mut()).is_pending());
    say_ready();
    assert_eq!(until_hang_up(reading.await), 0);
}

/// Who leads a session and has no terminal gets the first that it opens, unless it says otherwise.
async fn session_leader() {
    // SAFETY: no pointers are passed.
    assert!(unsafe { libc::setsid() } > 0);
    assert_eq!(input().read(&mut [0; 10]).await.unwrap(), 4);
    let error = std::fs::File::open("/dev/tty").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENXIO));
}

async fn close_stdout() {
    let (stdin, stdout) = (stdin(), stdout());
    stdout.write_all(b"all of it").await.unwrap();
    drop(stdout);
    close(1);
    assert_eq!(stdin.read(&mut [0]).await.unwrap(), 0);
}

async fn no_descriptors() {
    // Makes the runtime's own.
    runtime::time::sleep(Duration::from_millis(1)).await;
    let free = io::stdin().as_fd().try_clone_to_owned().unwrap().as_raw_fd() as u64;
    let none_left = libc::rlimit { rlim_cur: free, rlim_max: free };
    // SAFETY: the pointer is to a limit that outlives the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &none_left) }, 0);
    let stdin = stdin();
    assert_eq!(stdin.as_raw_fd(), 0);
    let mut text = String::new();
    let mut reading = Box::pin(stdin.read_to_string(&mut text));
    assert!(poll!(reading.as_mut()).is_pending());
    say_ready();
    reading.await.unwrap();
    assert_eq!(text, "hello");
}
