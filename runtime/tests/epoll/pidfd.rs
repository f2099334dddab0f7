//! `PidFd`: readable at the end, the status as std has it, signals to the one process.

#![allow(clippy::zombie_processes, reason = "PidFd waits for them")]

use std::io::{self, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use runtime_core::epoll::{Epoll, EventFd, Flags, PidFd};
use runtime_core::signal::unix::SignalKind;

use super::{LONG, NOW, assert_explained, reported};

/// A child that runs until its standard input is closed.
fn cat() -> Child {
    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat")
}

fn sh(script: &str) -> Child {
    Command::new("sh").args(["-c", script]).spawn().expect("sh")
}

fn kind_of(errno: i32) -> ErrorKind {
    io::Error::from_raw_os_error(errno).kind()
}

#[test]
fn it_is_readable_when_the_process_has_ended() {
    let mut child = cat();
    let process = PidFd::open(child.id()).expect("open");
    let epoll = Epoll::new().expect("epoll");
    epoll.add(&process, Flags::IN, 7).expect("add");
    assert_eq!(reported(&epoll, NOW), []);
    assert_eq!(process.try_wait().expect("it runs"), None);

    drop(child.stdin.take());
    assert_eq!(reported(&epoll, LONG), [(7, Flags::IN)]);
    let status = process.try_wait().expect("it has ended").expect("a status");
    assert!(status.success());
}

#[test]
fn statuses_are_those_of_std() {
    for code in [0, 1, 3, 255] {
        let status = PidFd::open(sh(&format!("exit {code}")).id()).expect("open").wait();
        let expected = sh(&format!("exit {code}")).wait().expect("std's");
        assert_eq!(status.expect("ours"), expected);
    }
    let killed = "kill -9 $$";
    let status = PidFd::open(sh(killed).id()).expect("open").wait().expect("ours");
    assert_eq!(status, sh(killed).wait().expect("std's"));
    assert_eq!((status.code(), status.signal()), (None, Some(9)));
}

#[test]
fn signals_reach_the_process() {
    for kind in [SignalKind::terminate(), SignalKind::kill()] {
        let child = cat();
        let process = PidFd::open(child.id()).expect("open");
        process.send_signal(SignalKind::from_raw(0)).expect("it is there");
        process.send_signal(kind).expect("send");
        let status = process.wait().expect("wait");
        assert_eq!(status.signal(), Some(kind.as_raw_value()));
    }
}

#[test]
fn nobody_is_signalled_once_the_process_was_waited_for() {
    let process = PidFd::open(sh("exit 0").id()).expect("open");
    let epoll = Epoll::new().expect("epoll");
    epoll.add(&process, Flags::IN, 0).expect("add");
    assert_eq!(reported(&epoll, LONG).len(), 1);
    process.send_signal(SignalKind::kill()).expect("a zombie takes it without effect");
    assert!(process.wait().expect("wait").success());

    let err = process.send_signal(SignalKind::kill()).expect_err("gone");
    assert_explained(&err, kind_of(libc::ESRCH), libc::ESRCH, "has ended");
    for err in [process.wait().expect_err("taken"), process.try_wait().expect_err("taken")] {
        assert_explained(&err, kind_of(libc::ECHILD), libc::ECHILD, "once");
    }
}

#[test]
fn a_process_that_is_no_child_is_watched_but_not_waited_for() {
    // The grandchild outlives the shell, which says who it is; ours is its standard input.
    let mut child = Command::new("sh")
        .args(["-c", "exec 3<&0; cat <&3 >/dev/null & echo $!"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh");
    let mut said = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut said).expect("read");
    let grandchild = PidFd::open(said.trim().parse().expect("a process id")).expect("open");
    let stdin = child.stdin.take();
    assert!(child.wait().expect("wait").success());

    let epoll = Epoll::new().expect("epoll");
    epoll.add(&grandchild, Flags::IN, 0).expect("add");
    assert_eq!(reported(&epoll, NOW), []);
    let err = grandchild.try_wait().expect_err("not ours");
    assert_explained(&err, kind_of(libc::ECHILD), libc::ECHILD, "not a child");
    drop(stdin);
    // Newer kernels add HUP once somebody has waited for it.
    assert!(reported(&epoll, LONG)[0].1.contains(Flags::IN));
}

#[test]
fn what_is_no_process_is_an_error_with_the_remedy() {
    for pid in [0, u32::MAX] {
        let err = PidFd::open(pid).expect_err("no process");
        assert_explained(&err, ErrorKind::InvalidInput, libc::EINVAL, "not the id of a process");
    }
    let mut child = sh("exit 0");
    child.wait().expect("wait");
    let err = PidFd::open(child.id()).expect_err("gone");
    assert_explained(&err, kind_of(libc::ESRCH), libc::ESRCH, "before it is waited for");

    let process = PidFd::open(std::process::id()).expect("open");
    let err = process.send_signal(SignalKind::from_raw(1000)).expect_err("no signal");
    assert_explained(&err, ErrorKind::InvalidInput, libc::EINVAL, "SIGRTMAX");
}

#[test]
fn it_is_given_away_and_taken_over() {
    let child = sh("exit 5");
    let process = PidFd::from_owned_fd(OwnedFd::from(PidFd::open(child.id()).expect("open")));
    assert_eq!(process.wait().expect("wait").code(), Some(5));

    let other = PidFd::from_owned_fd(EventFd::new().expect("eventfd").into());
    let err = other.send_signal(SignalKind::from_raw(0)).expect_err("an eventfd");
    assert_explained(&err, kind_of(libc::EBADF), libc::EBADF, "from_owned_fd");
    let err = other.try_wait().expect_err("an eventfd");
    assert_explained(&err, kind_of(libc::EBADF), libc::EBADF, "from_owned_fd");
}
