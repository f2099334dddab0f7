//! Children, where it takes a process of its own: no zombie, no descriptor and no signal mask that goes to a
//! child, no descriptor left, SIGCHLD ignored, a fork. The tests take turns, as all of that is shared.
#![allow(unsafe_code)]

mod support;

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use futures::poll;
use runtime::Runtime;
use runtime::epoll::{BlockedSignals, Epoll, EventFd, PidFd, SignalFd, TimerFd};
use runtime::net::{TcpListener, UdpSocket, UnixStream};
use runtime::process::{Child, ChildStdin, ChildStdout, Command};
use runtime::signal::unix::{SignalKind, signal};
use runtime::task::JoinSet;
use runtime::time::sleep;
use support::resources::open_descriptors;
use support::{limited, run};

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The children of this process, as waitid(2) knows them.
#[derive(Debug, PartialEq)]
enum Children {
    None,
    Running,
    Zombie(i32),
}

fn children() -> Children {
    // SAFETY: zeros are a siginfo.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let look = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` outlives the call.
    if unsafe { libc::waitid(libc::P_ALL, 0, &mut info, look) } == -1 {
        assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::ECHILD));
        return Children::None;
    }
    // SAFETY: waitid has written it, or left zeros.
    match unsafe { info.si_pid() } {
        0 => Children::Running,
        pid => Children::Zombie(pid),
    }
}

/// Until every child was reaped, by somebody else than this.
async fn all_reaped() {
    while children() != Children::None {
        sleep(Duration::from_millis(1)).await;
    }
}

/// Blocks until the child has ended, and leaves it a zombie.
fn until_zombie() {
    while !matches!(children(), Children::Zombie(_)) {
        thread::sleep(Duration::from_millis(1));
    }
}

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// A child that lives as long as its standard input is open.
fn running_cat(command: &mut Command) -> (Child, ChildStdin, ChildStdout) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cat");
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    (child, stdin.expect("a pipe"), stdout.expect("a pipe"))
}

fn cat() -> Command {
    Command::new("cat")
}

/// Waits until nobody has the other end.
async fn end_of(stdout: &ChildStdout) {
    assert_eq!(stdout.read(&mut [0; 8]).await.expect("a read"), 0);
}

#[test]
fn two_thousand_short_children_in_bursts() {
    let _alone = alone();
    run(async {
        for burst in 0..40 {
            let mut waits = JoinSet::new();
            for child in burst * 50..burst * 50 + 50 {
                let script = match child % 5 {
                    0 => "kill -KILL $$".to_string(),
                    _ => format!("exit {}", child % 251),
                };
                let status = sh(&script).status();
                waits.spawn(async move { (child, status.await) });
            }
            while let Some(waited) = waits.join_next().await {
                let (child, status) = waited.expect("no panic");
                let wanted = if child % 5 == 0 { libc::SIGKILL } else { (child % 251) << 8 };
                assert_eq!(status.expect("a status"), ExitStatus::from_raw(wanted), "{child}");
            }
        }
        assert_eq!(children(), Children::None);
    });
}

#[test]
fn dropped_children_are_reaped_by_the_runtime() {
    let _alone = alone();
    run(async {
        sleep(Duration::from_nanos(1)).await;
        let before = open_descriptors();
        for kill in [true, false] {
            let mut running = Vec::new();
            for _ in 0..20 {
                running.push(running_cat(cat().kill_on_drop(kill)));
            }
            // One was waited for, one has ended already, the others run.
            assert!(poll!(pin!(running[0].0.wait())).is_pending());
            running[1].0.start_kill().unwrap();
            until_zombie();
            let pipes: Vec<_> = running
                .into_iter()
                .map(|(child, stdin, stdout)| {
                    drop(child);
                    (stdin, stdout)
                })
                .collect();
            if kill {
                for (_, stdout) in &pipes {
                    end_of(stdout).await;
                }
            }
            drop(pipes);
            all_reaped().await;
            // Nor is any descriptor of theirs left.
            support::turns().await;
            assert_eq!(open_descriptors(), before);
        }
    });
}

#[test]
fn futures_that_are_dropped_leave_no_zombie() {
    let _alone = alone();
    run(async {
        for _ in 0..10 {
            drop(sh("exit 1").status());
            drop(sh("echo x; sleep 0.01").output());
            assert!(poll!(pin!(sh("sleep 0.01").status())).is_pending());
        }
        all_reaped().await;
    });
}

#[test]
fn a_child_dropped_on_a_thread_without_a_runtime_is_reaped_by_its_own() {
    let _alone = alone();
    run(async {
        let (child, stdin, _stdout) = running_cat(&mut cat());
        let (waited, waited_stdin, _stdout) = {
            let mut other = running_cat(&mut cat());
            assert!(poll!(pin!(other.0.wait())).is_pending());
            other
        };
        thread::spawn(move || drop((child, waited))).join().unwrap();
        drop((stdin, waited_stdin));
        all_reaped().await;
    });
}

#[test]
fn orphans_of_a_runtime_that_is_gone_are_reaped_by_the_next_that_spawns() {
    let _alone = alone();
    limited(|| {
        // Dropped outside of the runtime, inside of it, and with a task of it.
        let (outside, outside_stdin, _stdout) = running_cat(&mut cat());
        let open_ends = runtime::block_on(async {
            let (inside, inside_stdin, _stdout) = running_cat(&mut cat());
            let (held, held_stdin, _stdout) = running_cat(&mut cat());
            runtime::spawn(async move {
                let _held = held;
                std::future::pending::<()>().await
            });
            drop(inside);
            runtime::task::yield_now().await;
            vec![inside_stdin, held_stdin]
        });
        drop((outside, outside_stdin, open_ends));
        until_zombie();
        run(async {
            assert!(sh("true").status().await.unwrap().success());
            all_reaped().await;
        });
    });
}

#[test]
fn an_orphan_that_runs_on_is_adopted() {
    let _alone = alone();
    limited(|| {
        let (child, stdin, _stdout) = running_cat(&mut cat());
        drop(child);
        run(async move {
            assert!(sh("true").status().await.unwrap().success());
            drop(stdin);
            all_reaped().await;
        });
    });
}

#[test]
fn a_forks_child_leaves_the_parents_children_alone() {
    let _alone = alone();
    run(async {
        let (mut child, stdin, stdout) = running_cat(cat().kill_on_drop(true));
        assert!(poll!(pin!(child.wait())).is_pending());
        let mut child = Some(child);
        let (abandoned, abandoned_stdin, _stdout) = running_cat(&mut cat());
        drop(abandoned);
        runtime::task::yield_now().await;
        let status = in_fork(|| {
            runtime::after_fork();
            drop(child.take());
            // Nor is it among the orphans: this looks for them.
            let own = runtime::block_on(sh("exit 4").status()).expect("children of its own");
            assert_eq!(own.code(), Some(4));
        });
        assert!(status.success(), "{status}");
        stdin.write_all(b"x").await.unwrap();
        assert_eq!(stdout.read(&mut [0; 8]).await.unwrap(), 1);
        drop((stdin, abandoned_stdin));
        assert!(child.take().unwrap().wait().await.unwrap().success());
        all_reaped().await;
    });
}

/// Runs `body` in a child made by fork, and waits for it.
fn in_fork(body: impl FnOnce()) -> ExitStatus {
    // SAFETY: the child allocates, which glibc allows after a fork, and ends by `_exit`; the other tests
    // wait for their turn and hold no lock that it needs.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork: {}", io::Error::last_os_error());
    if child == 0 {
        // SAFETY: the call takes a number.
        unsafe { libc::alarm(120) };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        // SAFETY: nothing of the child is needed any more.
        unsafe { libc::_exit(i32::from(result.is_err())) };
    }
    let mut status = 0;
    // SAFETY: `status` outlives the call; the child is ours, and nobody else waits for it.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    ExitStatus::from_raw(status)
}

/// What the child sees of its own descriptors.
async fn descriptors_of_a_child() -> BTreeSet<String> {
    // `$$` is the shell, whose folder is read before the loop: what is open then is not there any more.
    let list = "cd /proc/$$/fd && for fd in *; do readlink $fd; done";
    let output = sh(list).stdin(Stdio::null()).output().await.expect("it runs");
    String::from_utf8(output.stdout).expect("text").lines().map(String::from).collect()
}

#[test]
fn no_descriptor_of_ours_reaches_a_child() {
    let _alone = alone();
    // On a thread that is gone at the end, and the spare pipe that it keeps with it: others count.
    let limited = || run(with_a_descriptor_of_each_kind());
    thread::spawn(limited).join().unwrap();
}

async fn with_a_descriptor_of_each_kind() {
    // Whoever has started this test may have left it some.
    let inherited = descriptors_of_a_child().await.len();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = runtime::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let server = listener.accept().await.unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let pipe = runtime::net::unix::pipe::pipe().unwrap();
    // Moves so much that it is spliced, and the thread keeps the pipe.
    let ((a, b), (c, d)) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
    let copied = runtime::spawn(async move { runtime::io::copy(&b, &c).await });
    runtime::spawn(async move { a.write_all(&[7; 1 << 20]).await });
    d.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(copied.await.unwrap().unwrap(), 1 << 20);
    let bare = (Epoll::new().unwrap(), EventFd::new().unwrap(), TimerFd::new().unwrap());
    let pidfd = PidFd::open(std::process::id()).unwrap();
    let blocked = BlockedSignals::new([SignalKind::user_defined2()]).unwrap();
    let signals = (SignalFd::new(&blocked).unwrap(), signal(SignalKind::alarm()).unwrap());
    let (cat, stdin, stdout) = running_cat(&mut cat());
    sleep(Duration::from_nanos(1)).await;
    let standard = (runtime::io::stdin(), runtime::io::stdout(), runtime::io::stderr());

    let theirs = descriptors_of_a_child().await;
    assert_eq!(theirs.len(), inherited, "{theirs:?}");
    drop((
        listener, client, server, udp, pipe, d, bare, pidfd, signals, cat, stdin, stdout, standard,
    ));

    // It would be seen.
    // SAFETY: the descriptor is made here and nobody else's.
    let leak = unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, 0)) };
    assert_eq!(descriptors_of_a_child().await.len(), inherited + 1);
    drop(leak);
    all_reaped().await;
}

/// What a child says of its signals, as a line of /proc/self/status.
async fn signals_of_a_child(command: &mut Command, line: &str) -> u64 {
    let output = command.output().await.expect("it runs");
    let status = String::from_utf8(output.stdout).expect("text");
    let set = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(":\t"));
    u64::from_str_radix(set.expect("a line of it"), 16).expect("a set")
}

fn own_status() -> Command {
    let mut command = Command::new("cat");
    command.arg("/proc/self/status");
    command
}

fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

fn change_mask(how: i32, signal: i32) {
    // SAFETY: zeros are a set, and it outlives the calls.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        assert_eq!(libc::sigaddset(&mut set, signal), 0);
        assert_eq!(libc::pthread_sigmask(how, &set, std::ptr::null_mut()), 0);
    }
}

#[test]
fn what_we_block_is_not_blocked_in_a_child() {
    let _alone = alone();
    change_mask(libc::SIG_BLOCK, libc::SIGUSR1);
    let theirs = bit(libc::SIGUSR1);
    limited(|| {
        // On this thread, whose mask it is.
        runtime::block_on(async {
            let mut used_before = own_status();
            assert_eq!(signals_of_a_child(&mut used_before, "SigBlk").await, theirs);
            let kinds = [SignalKind::terminate(), SignalKind::interrupt()];
            let blocked = BlockedSignals::new(kinds).unwrap();
            let _signal_fd = SignalFd::new(&blocked).unwrap();
            for command in [&mut used_before, &mut own_status()] {
                for _ in 0..2 {
                    assert_eq!(signals_of_a_child(command, "SigBlk").await, theirs);
                }
            }
            // It would be seen.
            let child = std::process::Command::new("cat").arg("/proc/self/status").output();
            let child = String::from_utf8(child.unwrap().stdout).unwrap();
            let all = theirs | bit(libc::SIGTERM) | bit(libc::SIGINT);
            assert!(child.contains(&format!("SigBlk:\t{all:016x}")), "{child}");
        });
    });
    change_mask(libc::SIG_UNBLOCK, libc::SIGUSR1);
}

#[test]
fn what_a_function_before_exec_blocks_stays_blocked() {
    let _alone = alone();
    limited(|| {
        runtime::block_on(async {
            let _blocked = BlockedSignals::new([SignalKind::terminate()]).unwrap();
            let mut command = own_status();
            // SAFETY: it makes no call but pthread_sigmask, and one that panics only if that fails.
            unsafe {
                command.pre_exec(|| {
                    change_mask(libc::SIG_BLOCK, libc::SIGTERM);
                    Ok(())
                })
            };
            for _ in 0..2 {
                let theirs = signals_of_a_child(&mut command, "SigBlk").await;
                assert_eq!(theirs, bit(libc::SIGTERM));
            }
        });
    });
}

fn limit_descriptors(limit: u64) -> u64 {
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limits` outlives the call.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limits) }, 0);
    let before = limits.rlim_cur;
    limits.rlim_cur = limit.min(limits.rlim_max);
    // SAFETY: `limits` outlives the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limits) }, 0);
    before
}

/// Takes every descriptor the process may have.
fn take_all_descriptors() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

#[test]
fn without_a_descriptor_nothing_is_started() {
    let _alone = alone();
    run(async {
        sleep(Duration::from_nanos(1)).await;
        let before = limit_descriptors(128);
        let mut files = take_all_descriptors();
        let error = Command::new("true").spawn().unwrap_err();
        assert!(error.to_string().starts_with("starting \"true\": "), "{error}");
        assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}");
        assert_eq!(children(), Children::None);

        // A child without pipes takes its pidfd and, if it is made by fork, a pipe for a moment.
        files.truncate(files.len() - 3);
        assert!(Command::new("true").status().await.unwrap().success());
        let error = Command::new("true").output().await.unwrap_err();
        assert!(error.to_string().contains("ulimit -n"), "{error}");
        assert_eq!(children(), Children::None);
        drop(files);
        limit_descriptors(before);
    });
}

/// Where the lower 32 bits of 64 are.
const LOW_HALF: u32 = if cfg!(target_endian = "little") { 0 } else { 4 };

/// Has a system call fail on a thread of its own, if its first argument is or is not this process's id.
fn where_it_fails(
    number: libc::c_long,
    only_of_this_process: Option<bool>,
    errno: i32,
    body: impl FnOnce() + Send,
) {
    let statement = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter {
        code: u16::try_from(code).expect("16 bits"),
        jt,
        jf,
        k,
    };
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let give = libc::BPF_RET | libc::BPF_K;
    // Which of the two ends, of three statements, a match of the argument takes.
    let (if_ours, if_not) = match only_of_this_process {
        Some(true) => (0, 1),
        Some(false) => (1, 0),
        None => (0, 0),
    };
    // The number is at 0 of `seccomp_data`, the first argument at 16.
    let mut program = [
        statement(load, 0, 0, 0),
        statement(equal, u32::try_from(number).expect("a number"), 0, 3),
        statement(load, 16 + LOW_HALF, 0, 0),
        statement(equal, std::process::id(), if_ours, if_not),
        statement(give, libc::SECCOMP_RET_ERRNO | u32::try_from(errno).expect("an errno"), 0, 0),
        statement(give, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    thread::scope(|scope| {
        let filtered = scope.spawn(|| {
            let filter = libc::sock_fprog {
                len: u16::try_from(program.len()).expect("a few"),
                filter: program.as_mut_ptr(),
            };
            // SAFETY: the filter outlives the call; it is this thread's, and what it starts.
            unsafe {
                assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
                let mode = libc::SECCOMP_MODE_FILTER;
                assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const filter, 0, 0), 0);
            }
            body();
        });
        filtered.join().unwrap();
    });
}

#[test]
fn on_an_older_kernel_nothing_is_started() {
    let _alone = alone();
    // Without pidfds; with them, but without waiting by them.
    for (call, errno) in [(libc::SYS_pidfd_open, libc::ENOSYS), (libc::SYS_waitid, libc::EINVAL)] {
        where_it_fails(call, None, errno, || {
            let error = Command::new("true").spawn().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains("Linux 5."), "{error}");
        });
        assert_eq!(children(), Children::None);
    }
}

#[test]
fn where_no_process_can_be_made_the_error_says_why() {
    let _alone = alone();
    let reasons =
        [(libc::EAGAIN, "ulimit -u"), (libc::ENOMEM, "no memory left for another process")];
    for (errno, reason) in reasons {
        where_it_fails(libc::SYS_clone, None, errno, || {
            let mut command = Command::new("true");
            // SAFETY: it makes no call; that it is there makes std fork, rather than spawn.
            unsafe { command.pre_exec(|| Ok(())) };
            let error = command.spawn().unwrap_err();
            assert_eq!(error.kind(), io::Error::from_raw_os_error(errno).kind());
            assert!(error.to_string().contains(reason), "{error}");
        });
    }
}

#[test]
fn a_child_that_cannot_be_watched_is_killed_and_the_error_says_so() {
    let _alone = alone();
    let before = open_descriptors();
    // Of this process, as it is asked for before anything is started, it can be opened.
    where_it_fails(libc::SYS_pidfd_open, Some(false), libc::EMFILE, || {
        let error = Command::new("sleep").arg("1000").stdin(Stdio::piped()).spawn().unwrap_err();
        assert!(error.to_string().contains("killed again"), "{error}");
        assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}");
        assert_eq!(children(), Children::None);

        let ended = Command::new("true").spawn_with(|command| {
            let child = command.spawn();
            until_zombie();
            child
        });
        let error = ended.unwrap_err();
        assert!(error.to_string().contains("has ended unwatched, exit status: 0"), "{error}");
    });
    assert_eq!(children(), Children::None);
    assert_eq!(open_descriptors(), before);
}

#[test]
fn where_sigchld_is_ignored_the_error_names_the_remedy() {
    let _alone = alone();
    // SAFETY: SIG_IGN and SIG_DFL are no functions of ours.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    run(async {
        let (mut child, stdin, _stdout) = running_cat(cat().kill_on_drop(true));
        let mut wait = Box::pin(child.wait());
        assert!(poll!(wait.as_mut()).is_pending());
        drop(stdin);
        let error = wait.await.unwrap_err();
        assert!(error.to_string().contains("SIGCHLD"), "{error}");
        let source = error.get_ref().and_then(Error::source).expect("the system's error");
        let source = source.downcast_ref::<io::Error>().expect("an io::Error");
        assert_eq!(source.raw_os_error(), Some(libc::ECHILD));
        assert!(child.try_wait().is_err());
        drop(child);

        // It has ended before it could be watched.
        let error = Command::new("true").spawn_with(|command| {
            let child = command.spawn();
            while children() != Children::None {
                thread::sleep(Duration::from_millis(1));
            }
            child
        });
        let error = error.unwrap_err();
        assert!(error.to_string().contains("SIGCHLD"), "{error}");
    });
    // SAFETY: as above.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

#[test]
fn no_descriptor_is_left_of_a_child() {
    let _alone = alone();
    run(async {
        sleep(Duration::from_nanos(1)).await;
        let before = open_descriptors();
        for _ in 0..3 {
            cat().stdin(Stdio::piped()).output().await.unwrap();
            let mut child = cat().stdin(Stdio::piped()).spawn().unwrap();
            assert!(child.try_wait().unwrap().is_none());
            child.wait().await.unwrap();
            drop(Command::new("there-is-no-such-program").spawn().unwrap_err());
            assert_eq!(open_descriptors(), before);
        }
    });
}

#[test]
fn a_runtime_for_each_thread_has_children() {
    let _alone = alone();
    limited(|| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                thread::spawn(move || {
                    Runtime::new().unwrap().block_on(async {
                        for child in 0..25 {
                            let code = thread * 25 + child;
                            let status = sh(&format!("exit {code}")).status().await.unwrap();
                            assert_eq!(status.code(), Some(code));
                        }
                    });
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(children(), Children::None);
    });
}

#[test]
fn no_handler_is_made_for_children() {
    let _alone = alone();
    run(async {
        let (mut child, stdin, _stdout) = running_cat(&mut cat());
        assert!(poll!(pin!(child.wait())).is_pending());
        // SAFETY: zeros are a sigaction, and it outlives the call.
        let handler = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            assert_eq!(libc::sigaction(libc::SIGCHLD, std::ptr::null(), &mut action), 0);
            action.sa_sigaction
        };
        assert_eq!(handler, libc::SIG_DFL);
        drop(stdin);
        child.wait().await.unwrap();
    });
}
