//! Children and signals.

use std::io;
use std::process::Stdio;

use runtime::process::Command;
use runtime::signal::ctrl_c;
use runtime::signal::unix::{SignalKind, signal};
use runtime::task::yield_now;
use runtime::{Runtime, try_join};

use super::wrong;

pub(crate) fn child(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let status = Command::new("sh").args(["-c", "exit 3"]).status().await?;
        if status.code() != Some(3) {
            return Err(wrong("the child has exited otherwise"));
        }
        let mut child = Command::new("true").spawn()?;
        let first = child.try_wait();
        assert!(child.wait().await?.success());
        first.map(drop)
    })
}

pub(crate) fn child_pipes(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let mut cat = Command::new("cat");
        cat.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = cat.kill_on_drop(true).spawn()?;
        let stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(b"through").await?;
        drop(stdin);
        let output = child.wait_with_output().await?;
        assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"through"[..], &b""[..]));
        assert!(output.status.success());
        Ok(())
    })
}

/// Children that would wait for their input for ever, in every way to be rid of one.
pub(crate) fn child_dropped(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let spawn = || {
            let mut cat = Command::new("cat");
            cat.stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0).spawn()
        };
        let mut killed = spawn()?;
        killed.kill().await?;
        let mut signalled = spawn()?;
        signalled.signal_group(SignalKind::terminate())?;
        assert!(!signalled.wait().await?.success());
        let mut asked = spawn()?;
        asked.signal(SignalKind::hangup())?;
        asked.wait().await?;
        // The end of its input is the end of it; nobody waits for it but the runtime.
        drop(spawn()?);
        let mut dropped = Command::new("cat");
        drop(dropped.stdin(Stdio::piped()).kill_on_drop(true).spawn()?);
        yield_now().await;
        // A child that is there when the runtime goes.
        runtime::spawn(async move { Command::new("true").spawn().map(drop) })
            .await
            .expect("no panic")
    })
}

/// With a listener there is something to undo in the child, and so a fork.
pub(crate) fn child_after_signals(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let mut hears = signal(SignalKind::user_defined1())?;
        let mut command = Command::new("true");
        // SAFETY: setsid(2) is async-signal-safe, and touches no memory.
        unsafe {
            command.pre_exec(|| match libc::setsid() {
                -1 => Err(io::Error::last_os_error()),
                _ => Ok(()),
            });
        }
        let status = command.status().await?;
        assert!(status.success());
        send(libc::SIGUSR1)?;
        hears.recv().await.ok_or_else(|| wrong("the runtime has gone"))
    })
}

/// Sends this process a signal.
fn send(signal: i32) -> io::Result<()> {
    // SAFETY: no pointers are passed; the scenario listens for it.
    match unsafe { libc::kill(libc::getpid(), signal) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

pub(crate) fn signals(runtime: &Runtime) -> io::Result<()> {
    runtime.block_on(async {
        let mut hears = signal(SignalKind::user_defined1())?;
        let mut beside = signal(SignalKind::user_defined1())?;
        send(libc::SIGUSR1)?;
        hears.recv().await.ok_or_else(|| wrong("the runtime has gone"))?;
        let info = beside.recv_info().await.ok_or_else(|| wrong("the runtime has gone"))?;
        assert_eq!(info.pid(), Some(std::process::id()));
        drop(hears);
        // It listens from its first poll on.
        let sends = async { send(libc::SIGINT) };
        try_join!(biased; ctrl_c(), sends)?;
        // Asleep in epoll, too.
        let (a, b) = runtime::net::UnixStream::pair()?;
        let sleeps = runtime::spawn(async move {
            let mut byte = [0];
            a.read(&mut byte).await
        });
        yield_now().await;
        super::blocking(|| send(libc::SIGUSR1)).await??;
        beside.recv().await.ok_or_else(|| wrong("the runtime has gone"))?;
        drop(b);
        assert_eq!(sleeps.await.expect("no panic")?, 0);
        Ok(())
    })
}
