//! Child processes: what `Command` and `Child` promise of one child. What a process of its own is needed for
//! is in `children.rs`.

mod support;

use std::error::Error;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::pin::{Pin, pin};
use std::process::{Command as StdCommand, ExitStatus, Output, Stdio};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use futures::{TryFutureExt, poll};
use runtime::epoll::{Epoll, Events, Flags, PidFd};
use runtime::net::unix::pipe;
use runtime::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use runtime::signal::unix::SignalKind;
use runtime::task::yield_now;
use runtime::time::{Instant, timeout};
use runtime::{Builder, Runtime};
use support::{limited, poll_once, run, turns};

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// Echoes what it is told, until the end of it.
fn cat() -> Command {
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// A running `cat` and both its ends, which are not in it any more.
fn running_cat(command: &mut Command) -> (Child, ChildStdin, ChildStdout) {
    let mut child = command.spawn().expect("cat");
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    (child, stdin.expect("a pipe"), stdout.expect("a pipe"))
}

async fn assert_echoes(stdin: &ChildStdin, stdout: &ChildStdout) {
    stdin.write_all(b"x").await.expect("it reads");
    assert_eq!(stdout.read(&mut [0; 8]).await.expect("it writes"), 1);
}

/// Waits until nobody has the other end.
async fn end_of(stdout: &ChildStdout) {
    assert_eq!(stdout.read(&mut [0; 8]).await.expect("a read"), 0);
}

async fn text_of(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().await.expect("it runs");
    assert!(status.success(), "{status}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("text")
}

/// The system's error that `error` explains.
fn raw(error: &io::Error) -> Option<i32> {
    let mut source = error.get_ref().and_then(Error::source);
    while let Some(inner) = source {
        match inner.downcast_ref::<io::Error>() {
            Some(error) if error.raw_os_error().is_some() => return error.raw_os_error(),
            _ => source = inner.source(),
        }
    }
    error.raw_os_error()
}

#[test]
fn the_status_says_how_it_ended() {
    run(async {
        assert!(sh("exit 0").status().await.unwrap().success());
        assert_eq!(sh("exit 3").status().await.unwrap().code(), Some(3));
        let status = sh("kill -TERM $$").status().await.unwrap();
        assert_eq!((status.code(), status.signal()), (None, Some(libc::SIGTERM)));
        let status = sh("ulimit -c 0; kill -ABRT $$").status().await.unwrap();
        assert_eq!(status.signal(), Some(libc::SIGABRT));
    });
}

#[test]
fn what_is_set_is_what_the_child_has() {
    run(async {
        let mut command = sh(r#"echo "$0 $1 $A $B ${C-none} $PWD""#);
        command.args(["zero", "one two"]).env("A", "a").envs([("B", "b"), ("C", "c")]);
        command.env_remove("C").current_dir("/usr");
        assert_eq!(text_of(&mut command).await, "zero one two a b none /usr\n");
        assert_eq!(command.as_std().get_program(), "sh");
        command.as_std_mut().env("A", "z");
        assert_eq!(text_of(&mut command).await, "zero one two z b none /usr\n");

        assert_eq!(text_of(Command::new("/usr/bin/env").env_clear().env("K", "v")).await, "K=v\n");
        let name = text_of(sh("cat /proc/$$/cmdline").arg0("other name")).await;
        assert!(name.starts_with("other name\0"), "{name:?}");

        let mut std = StdCommand::new("echo");
        std.arg("std");
        let mut command = Command::from(std);
        assert_eq!(text_of(&mut command).await, "std\n");
        assert_eq!(command.into_std().get_program(), "echo");

        let started = Command::new("false").spawn_with(|_| StdCommand::new("true").spawn());
        assert!(started.unwrap().wait().await.unwrap().success());
    });
}

#[test]
fn kill_on_drop_is_off_until_it_is_asked_for() {
    let mut command = Command::new("true");
    assert!(!command.get_kill_on_drop());
    assert!(command.kill_on_drop(true).get_kill_on_drop());
}

#[test]
fn another_user_and_group_need_the_privilege() {
    run(async {
        let mut command = Command::new("id");
        command.arg("-u").current_dir("/").uid(65534).gid(65534);
        match command.output().await {
            Ok(output) => assert_eq!(output.stdout, b"65534\n"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}"),
        }
    });
}

#[test]
fn the_child_starts_at_once_and_the_future_does_not_borrow_the_command() {
    run(async {
        let (theirs, ours) = pipe::pipe().unwrap();
        let status = {
            let mut command = Command::new("echo");
            command.arg("started").stdout(Stdio::try_from(theirs).unwrap());
            command.status()
        };
        // The future has not been polled.
        let mut text = String::new();
        ours.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "started\n");
        assert!(status.await.unwrap().success());
    });
}

#[test]
fn output_makes_pipes_whatever_was_said_before() {
    run(async {
        let mut command = sh("echo out; echo err >&2; exit 4");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let output = command.output().await.unwrap();
        assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
        assert_eq!(output.status.code(), Some(4));
    });
}

#[test]
fn both_pipes_are_read_at_once_whatever_their_sizes() {
    run(async {
        for script in [
            "head -c 1048576 /dev/zero >&2; head -c 1048577 /dev/zero",
            "head -c 1048577 /dev/zero; head -c 1048576 /dev/zero >&2",
        ] {
            let output = sh(script).output().await.unwrap();
            assert_eq!((output.stdout.len(), output.stderr.len()), (1 << 20 | 1, 1 << 20));
        }
    });
}

#[test]
fn wait_with_output_takes_what_is_piped_and_no_more() {
    run(async {
        let child = sh("echo err >&2").stderr(Stdio::piped()).stdin(Stdio::piped()).spawn();
        let output = child.unwrap().wait_with_output().await.unwrap();
        assert_eq!((output.stdout.len(), &output.stderr[..]), (0, &b"err\n"[..]));
        let mut child = sh("echo out").stdout(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        assert_eq!(child.wait_with_output().await.unwrap().stdout, b"");
        assert_eq!(stdout.read(&mut [0; 8]).await.unwrap(), 4);
    });
}

#[test]
fn wait_closes_the_standard_input_first() {
    run(async {
        let mut child = cat().stdout(Stdio::null()).spawn().unwrap();
        assert!(child.wait().await.unwrap().success());
        assert!(child.stdin.is_none());
        let output = cat().spawn().unwrap().wait_with_output().await.unwrap();
        assert!(output.status.success());
        // `status` too, else this would wait for ever.
        assert!(cat().status().await.is_ok());
    });
}

#[test]
fn a_status_once_known_stays_known() {
    run(async {
        let mut child = sh("exit 5").spawn().unwrap();
        assert!(child.id().is_some() && child.pidfd().is_some());
        for _ in 0..2 {
            assert_eq!(child.wait().await.unwrap().code(), Some(5));
            assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(5));
            assert!(child.id().is_none() && child.pidfd().is_none());
        }
    });
}

#[test]
fn try_wait_does_not_wait_and_leaves_the_input_open() {
    run(async {
        let mut child = cat().spawn().unwrap();
        assert!(child.try_wait().unwrap().is_none());
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        assert_echoes(&stdin, &stdout).await;
        assert!(child.try_wait().unwrap().is_none());
        drop(stdin);
        end_of(&stdout).await;
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None => runtime::task::yield_now().await,
            }
        };
        assert!(status.success() && child.id().is_none());
    });
}

#[test]
fn a_wait_that_is_dropped_loses_nothing() {
    run(async {
        let (mut child, stdin, stdout) = running_cat(&mut cat());
        for _ in 0..3 {
            assert!(poll!(pin!(child.wait())).is_pending());
        }
        assert_echoes(&stdin, &stdout).await;
        drop(stdin);
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn a_child_that_is_killed_says_so() {
    run(async {
        let (mut child, _stdin, _stdout) = running_cat(&mut cat());
        child.kill().await.unwrap();
        assert_eq!(child.wait().await.unwrap().signal(), Some(libc::SIGKILL));

        let (mut child, _stdin, _stdout) = running_cat(&mut cat());
        child.start_kill().unwrap();
        child.start_kill().unwrap();
        assert_eq!(child.wait().await.unwrap().signal(), Some(libc::SIGKILL));
    });
}

#[test]
fn signals_reach_the_child_and_nobody_after_it() {
    run(async {
        let script = "trap 'echo usr1' USR1; echo ready; while :; do sleep 0.01; done";
        let mut child = sh(script).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = runtime::io::lines(child.stdout.take().unwrap());
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "ready");
        child.signal(SignalKind::user_defined1()).unwrap();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "usr1");
        let error = child.signal(SignalKind::from_raw(1000)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        child.signal(SignalKind::terminate()).unwrap();
        assert_eq!(child.wait().await.unwrap().signal(), Some(libc::SIGTERM));

        // Its number may be another's now.
        for result in [child.signal(SignalKind::kill()), child.signal_group(SignalKind::kill())] {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("has ended"), "{error}");
        }
        child.start_kill().unwrap();
        child.kill().await.unwrap();
    });
}

#[test]
fn a_child_that_is_stopped_has_not_ended() {
    run(async {
        let (mut child, stdin, _stdout) = running_cat(&mut cat());
        child.signal(SignalKind::stop()).unwrap();
        drop(stdin);
        let state = format!("/proc/{}/stat", child.id().unwrap());
        while !std::fs::read_to_string(&state).unwrap().contains(") T ") {
            runtime::task::yield_now().await;
        }
        assert!(child.try_wait().unwrap().is_none());
        let mut wait = Box::pin(child.wait());
        assert!(poll!(wait.as_mut()).is_pending());
        turns().await;
        assert!(poll!(wait.as_mut()).is_pending());
        drop(wait);
        child.signal(SignalKind::resume()).unwrap();
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn the_output_ends_when_the_last_that_has_the_pipe_does() {
    run(async {
        // The child ends at once; who has inherited its output is told to.
        let (ours, theirs) = pipe::pipe().unwrap();
        let mut command = sh("exec 3<&0; (read go <&3; echo late) & echo soon");
        command.stdin(Stdio::try_from(theirs).unwrap()).stdout(Stdio::piped());
        let child = command.spawn().unwrap();
        await_end(child.pidfd().expect("it is awaited"));
        let mut output = Box::pin(child.wait_with_output());
        assert!(poll!(output.as_mut()).is_pending());
        turns().await;
        assert!(poll!(output.as_mut()).is_pending());
        ours.write_all(b"go\n").await.unwrap();
        assert_eq!(output.await.unwrap().stdout, b"soon\nlate\n");
    });
}

#[test]
fn a_signal_to_one_that_has_ended_unwaited_is_no_error() {
    run(async {
        let mut child = sh("exit 6").spawn().unwrap();
        await_end(child.pidfd().expect("it is awaited"));
        child.signal(SignalKind::terminate()).unwrap();
        child.start_kill().unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(6));
    });
}

/// Blocks until the child has ended, and leaves its status.
fn await_end(pidfd: impl AsFd) {
    let epoll = Epoll::new().unwrap();
    epoll.add(pidfd, Flags::IN, 0).unwrap();
    assert_eq!(epoll.wait(&mut Events::with_capacity(1), None).unwrap(), 1);
}

#[test]
fn a_process_group_is_signalled_as_one() {
    run(async {
        let script = "sleep 1000 & echo $!; exec sleep 1000";
        let mut child = sh(script).process_group(0).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        assert!(stdout.read(&mut [0; 16]).await.unwrap() > 0, "both have started");
        child.signal_group(SignalKind::terminate()).unwrap();
        // The grandchild has the pipe too.
        end_of(&stdout).await;
        assert_eq!(child.wait().await.unwrap().signal(), Some(libc::SIGTERM));
    });
}

#[test]
fn a_child_in_our_group_is_not_signalled_as_one() {
    run(async {
        let (child, stdin, stdout) = running_cat(&mut cat());
        let error = child.signal_group(SignalKind::kill()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("process_group(0)"), "{error}");
        assert_echoes(&stdin, &stdout).await;
    });
}

#[test]
fn a_dropped_child_runs_on_or_is_killed_as_was_said() {
    run(async {
        let (child, stdin, stdout) = running_cat(&mut cat());
        drop(child);
        assert_echoes(&stdin, &stdout).await;

        let (child, _stdin, stdout) = running_cat(cat().kill_on_drop(true));
        drop(child);
        end_of(&stdout).await;
    });
}

#[test]
fn the_futures_of_a_command_kill_as_was_said() {
    run(async {
        let started = |output: bool| {
            let (ours, stdin) = pipe::pipe().unwrap();
            let mut command = Command::new("sleep");
            // The command is dropped, so that the child alone has the other end.
            command.arg("1000").stdin(Stdio::try_from(stdin).unwrap()).kill_on_drop(true);
            let future: Pin<Box<dyn Future<Output = _>>> = match output {
                true => Box::pin(command.output().map_ok(|output| output.status)),
                false => Box::pin(command.status()),
            };
            (ours, future)
        };
        for output in [true, false] {
            let (ours, mut future) = started(output);
            assert!(poll!(future.as_mut()).is_pending());
            drop(future);
            let error = ours.write_all(&[7; 1 << 20]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        }
    });
}

#[test]
fn one_childs_output_is_anothers_input_in_blocking_mode() {
    run(async {
        let (mut first, stdin, stdout) = running_cat(&mut cat());
        // It was used here, so it is registered.
        assert_echoes(&stdin, &stdout).await;
        let handed_on: Stdio = stdout.try_into().unwrap();
        let mut second = sh("grep -h flags /proc/self/fdinfo/0; cat");
        let second = second.stdin(handed_on).stdout(Stdio::piped()).spawn().unwrap();
        stdin.write_all(b"through both").await.unwrap();
        drop(stdin);
        let text = String::from_utf8(second.wait_with_output().await.unwrap().stdout).unwrap();
        let (flags, rest) = text.split_once('\n').unwrap();
        assert!(is_blocking(flags), "{flags}");
        assert_eq!(rest, "through both");
        assert!(first.wait().await.unwrap().success());
    });
}

/// Of a line `flags: 0100001` in fdinfo.
fn is_blocking(line: &str) -> bool {
    let flags = line.rsplit(char::is_whitespace).next().expect("a number");
    i32::from_str_radix(flags, 8).expect("an octal number") & libc::O_NONBLOCK == 0
}

#[test]
fn the_childs_ends_of_pipes_are_blocking() {
    run(async {
        let script = "grep -h flags /proc/self/fdinfo/0 /proc/self/fdinfo/1 /proc/self/fdinfo/2";
        let mut command = sh(script);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let ours = format!("/proc/self/fdinfo/{}", raw_fd(child.stdout.as_ref().unwrap()));
        let ours = std::fs::read_to_string(ours).unwrap();
        let flags = ours.lines().find(|line| line.starts_with("flags")).unwrap();
        assert!(!is_blocking(flags), "ours is not: {flags}");
        let text = String::from_utf8(child.wait_with_output().await.unwrap().stdout).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert!(text.lines().all(is_blocking), "{text}");
    });
}

fn raw_fd(fd: &impl std::os::fd::AsRawFd) -> i32 {
    fd.as_raw_fd()
}

#[test]
fn pipes_come_from_and_go_to_the_standard_library() {
    run(async {
        let mut std = StdCommand::new("cat");
        let mut std = std.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = ChildStdin::from_std(std.stdin.take().unwrap()).unwrap();
        let stdout = ChildStdout::from_std(std.stdout.take().unwrap()).unwrap();
        assert_echoes(&stdin, &stdout).await;
        assert!(format!("{stdin:?}").starts_with("ChildStdin { fd: "), "{stdin:?}");
        let fd = stdin.into_owned_fd().unwrap();
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", raw_fd(&fd))).unwrap();
        let flags = info.lines().find(|line| line.starts_with("flags")).unwrap();
        assert!(is_blocking(flags), "{flags}");
        drop(fd);
        end_of(&stdout).await;
        std.wait().unwrap();
        let mut std = StdCommand::new("sh");
        let mut std = std.args(["-c", "echo err >&2"]).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = ChildStderr::from_std(std.stderr.take().unwrap()).unwrap();
        let mut text = String::new();
        stderr.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "err\n");
        std.wait().unwrap();
    });
}

#[test]
fn pipes_are_streams_like_any_other() {
    run(async {
        let (mut child, stdin, stdout) = running_cat(&mut cat());
        let mut other = cat().spawn().unwrap();
        let into = other.stdin.take().unwrap();
        let copying = runtime::spawn(async move { runtime::io::copy(&stdout, &into).await });
        let data = vec![b'\n'; 300_000];
        let wrote = data.len() as u64;
        runtime::spawn(async move { stdin.write_all(&data).await });
        let mut lines = runtime::io::lines(other.stdout.take().unwrap());
        let mut count = 0;
        while lines.next_line().await.unwrap().is_some() {
            count += 1;
        }
        assert_eq!((copying.await.unwrap().unwrap(), count), (wrote, wrote));
        assert!(child.wait().await.unwrap().success());
        assert!(other.wait().await.unwrap().success());
    });
}

#[test]
fn what_cannot_be_started_is_named() {
    run(async {
        let error = Command::new("there-is-no-such-program").spawn().unwrap_err();
        assert_eq!((error.kind(), raw(&error)), (ErrorKind::NotFound, Some(libc::ENOENT)));
        assert!(error.to_string().contains("starting \"there-is-no-such-program\""), "{error}");
        let error = Command::new("true").current_dir("/nowhere").status().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("starting \"true\" in \"/nowhere\""), "{error}");
        let error = Command::new("/").output().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    });
}

#[test]
#[allow(unsafe_code)]
fn a_function_before_exec_can_refuse() {
    run(async {
        let mut command = sh("umask");
        // SAFETY: umask is async-signal-safe.
        let before = || unsafe {
            libc::umask(0o123);
            Ok(())
        };
        // SAFETY: as it says.
        unsafe { command.pre_exec(before) };
        assert_eq!(text_of(&mut command).await, "0123\n");
        // SAFETY: the closure makes no call.
        unsafe { command.pre_exec(|| Err(io::Error::from_raw_os_error(libc::EDOM))) };
        assert_eq!(raw(&command.spawn().unwrap_err()), Some(libc::EDOM));
    });
}

#[test]
fn a_child_needs_no_runtime_until_it_is_waited_for() {
    limited(|| {
        let (mut child, stdin, stdout) = running_cat(&mut cat());
        let error = match poll_once(pin!(child.wait())) {
            Poll::Ready(Err(error)) => error,
            other => panic!("{other:?}"),
        };
        assert!(error.to_string().contains("no runtime"), "{error}");
        runtime::block_on(async { assert_echoes(&stdin, &stdout).await });
        drop(stdin);
        assert!(runtime::block_on(child.wait()).unwrap().success());
    });
}

#[test]
fn a_child_outlives_the_runtime_it_was_waited_for_in() {
    limited(|| {
        let (mut child, stdin, _stdout) = running_cat(&mut cat());
        runtime::block_on(async { assert!(poll!(pin!(child.wait())).is_pending()) });
        runtime::block_on(async {
            let mut wait = pin!(child.wait());
            assert!(poll!(wait.as_mut()).is_pending());
            drop(stdin);
            assert!(wait.await.unwrap().success());
        });
    });
}

#[test]
fn a_child_is_waited_for_where_its_first_runtime_stands_still() {
    limited(|| {
        let (mut child, stdin, _stdout) = running_cat(&mut cat());
        let (mut dropped, dropped_stdin, dropped_stdout) = running_cat(&mut cat());
        let pidfd = PidFd::open(dropped.id().unwrap()).unwrap();
        let first = Runtime::new().unwrap();
        first.block_on(async {
            assert!(poll!(pin!(child.wait())).is_pending());
            assert!(poll!(pin!(dropped.wait())).is_pending());
        });
        runtime::block_on(async {
            drop(dropped);
            runtime::task::yield_now().await;
            drop((stdin, dropped_stdin));
            assert!(child.wait().await.unwrap().success());
            end_of(&dropped_stdout).await;
            // Somebody reaps it: then there is nobody to signal.
            while pidfd.send_signal(SignalKind::from_raw(0)).is_ok() {
                runtime::time::sleep(Duration::from_millis(1)).await;
            }
        });
        drop(first);
    });
}

#[test]
fn a_child_is_waited_for_on_other_threads() {
    run(async {
        // Registered here, waited for there, twice, while this thread drives the runtime.
        let (mut child, stdin, _stdout) = running_cat(&mut cat());
        assert!(poll!(pin!(child.wait())).is_pending());
        let handle = runtime::Handle::current();
        let (waits, waiting) = futures::channel::oneshot::channel();
        let waiter = thread::spawn(move || {
            let status = handle.block_on(async {
                let mut wait = Box::pin(child.wait());
                assert!(poll!(wait.as_mut()).is_pending());
                waits.send(()).unwrap();
                wait.await
            });
            (child, status)
        });
        waiting.await.unwrap();
        drop(stdin);
        let (child, status) = runtime::spawn_blocking(|| waiter.join().unwrap()).await.unwrap();
        assert!(status.unwrap().success() && child.id().is_none());

        // Spawned here, waited for in another runtime.
        let (mut child, stdin, _stdout) = running_cat(&mut cat());
        drop(stdin);
        let status = thread::spawn(move || Runtime::new().unwrap().block_on(child.wait()));
        let status = runtime::spawn_blocking(|| status.join().unwrap()).await.unwrap();
        assert!(status.unwrap().success());
    });
}

#[test]
fn the_end_of_a_child_comes_before_the_test_clock_jumps() {
    limited(|| {
        let runtime = Builder::new().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (mut child, stdin, _stdout) = running_cat(&mut cat());
            let end = child.pidfd().unwrap().as_fd().try_clone_to_owned().unwrap();
            let (start, hour) = (Instant::now(), Duration::from_secs(3600));
            let waiting = runtime::spawn(async move { timeout(hour, child.wait()).await });
            yield_now().await;
            // It has ended when this returns, and nothing is ready to run.
            drop(stdin);
            await_end(&end);
            let status = waiting.await.unwrap().expect("it had ended, the hour was not over");
            assert!(status.unwrap().success());
            assert_eq!(start.elapsed(), Duration::ZERO);
        });
    });
}

#[test]
fn the_pidfd_serves_another_loop() {
    limited(|| {
        let mut child = sh("exit 7").spawn().unwrap();
        await_end(child.pidfd().expect("it is awaited"));
        assert_eq!(child.try_wait().unwrap().map(|status| status.code()), Some(Some(7)));
    });
}

#[test]
fn everything_goes_anywhere() {
    fn go<T: Send + Sync + 'static>() {}
    go::<Command>();
    go::<Child>();
    go::<(ChildStdin, ChildStdout, ChildStderr)>();
    fn future<F: Future<Output = io::Result<T>> + Send + 'static, T>(_: F) {}
    future::<_, ExitStatus>(Command::new("true").status());
    future::<_, Output>(Command::new("true").output());
    let mut child = Command::new("true").spawn().unwrap();
    future::<_, ExitStatus>(async move { child.wait().await });
}
