//! The standard streams of a process, of every kind. This binary runs itself again, as the programs
//! that the tests need: hence no harness.
#![allow(unsafe_code)]

mod programs;
mod streams;
#[path = "../support/mod.rs"]
mod support;

use std::env;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::thread;

use streams::{
    Kind, Mode, STREAMS, input, is_nonblocking, make_raw, make_spaces_of_tabs, open_pty, output,
};
use support::limited;

/// Functions, each with its name.
macro_rules! tests {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name)),*] };
}

const TESTS: &[(&str, fn())] = tests![
    every_kind_of_input_is_read_to_its_end,
    dropped_reads_lose_nothing,
    every_kind_of_input_is_copied,
    every_kind_of_output_is_written,
    what_is_not_read_stays_for_the_next_program,
    what_is_not_read_stays_in_a_raw_terminal,
    what_is_not_read_stays_in_a_pty_master,
    read_line_goes_on_where_it_was_dropped,
    a_socket_gives_what_it_has,
    a_file_is_read_and_written_in_place,
    a_file_that_is_not_in_memory_is_read,
    nothing_is_wrong_with_dev_null,
    nobody_waits_for_a_program_that_waits,
    the_mode_of_a_shared_open_file_is_never_changed,
    a_reader_that_is_gone_is_an_error,
    head_ends_a_pipeline,
    sigpipe_kills_who_asked_for_it,
    a_slow_reader_stops_one_task_and_no_other,
    a_slow_terminal_may_make_spaces_of_tabs,
    two_handles_wait,
    a_stream_of_the_wrong_direction_is_an_error,
    a_closed_stream_is_an_error,
    a_terminal_goes_on_after_its_end,
    a_terminal_that_hangs_up_ends,
    a_terminal_does_not_become_the_controlling_one,
    the_end_goes_out_with_the_handle,
    a_shared_pipe_takes_what_has_room,
    without_a_descriptor_for_the_handle,
];

fn main() {
    if let Ok(name) = env::var(programs::VARIABLE) {
        return programs::run(&name);
    }
    // As the harness does it: the arguments that are no options are parts of names.
    let wanted: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    if env::args().any(|arg| arg == "--list") {
        TESTS.iter().for_each(|(name, _)| println!("{name}: test"));
        return;
    }
    for (name, test) in TESTS {
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())) {
            say(format!("test {name} ..."));
            limited(test);
            println!("ok");
        }
    }
}

/// Goes on the line of the test that runs.
fn say(what: impl Display) {
    print!("{what} ");
    io::stdout().flush().unwrap();
}

/// One of the programs in programs.rs.
fn program(name: &str) -> Command {
    be(name, Command::new(env::current_exe().unwrap()))
}

/// A shell script in which `"$0"` is such a program.
fn shell(script: &str, name: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(env::current_exe().unwrap());
    be(name, command)
}

/// Its stderr is a pipe, as it tells there what it has come to.
fn be(name: &str, mut command: Command) -> Command {
    command.env(programs::VARIABLE, name);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Runs to the end of the program; panics with what it said if it failed.
fn finish(child: Child) {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
}

/// A child that has said on stderr that it is ready.
struct Ready {
    child: Child,
    said: BufReader<ChildStderr>,
}

impl Ready {
    fn wait_for(mut child: Child) -> Ready {
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        if line != "ready\n" {
            said.read_to_string(&mut line).unwrap();
            panic!("{line}");
        }
        Ready { child, said }
    }

    fn finish(mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        self.said.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap(), said)
    }
}

/// Lines of many lengths, for terminals hand out nothing longer than 4095 bytes.
fn text() -> Vec<u8> {
    (0..4000).flat_map(|n| format!("{n:0width$}\n", width = n % 61).into_bytes()).collect()
}

/// The streams that a program can wait for.
fn waiting() -> impl Iterator<Item = (Kind, Mode)> {
    STREAMS.iter().copied().filter(|(kind, _)| *kind != Kind::File)
}

fn every_kind_of_input_is_read_to_its_end() {
    assert_copies_input("cat");
}

fn dropped_reads_lose_nothing() {
    assert_copies_input("cat_dropping");
}

fn every_kind_of_input_is_copied() {
    assert_copies_input("copy");
}

fn assert_copies_input(name: &str) {
    for &(kind, mode) in STREAMS {
        say(format!("{kind:?} ({mode:?})"));
        let text = text();
        let (stdin, mut feed) = input(kind, mode);
        let (before, after) =
            if kind == Kind::File { (&text[..], &[][..]) } else { (&[][..], &text[..]) };
        feed.write(before);
        let mut command = mode.tell(program(name), "STDIN");
        let mut child = command.stdin(stdin).stdout(Stdio::piped()).spawn().unwrap();
        drop(command);
        let mut got = Vec::new();
        thread::scope(|scope| {
            scope.spawn(|| feed.send(after));
            child.stdout.take().unwrap().read_to_end(&mut got).unwrap();
        });
        finish(child);
        assert!(got == text, "{} bytes of {}", got.len(), text.len());
    }
}

fn every_kind_of_output_is_written() {
    for name in ["cat", "copy", "cat_to_stderr"] {
        for &(kind, mode) in STREAMS {
            say(format!("{name} to {kind:?} ({mode:?})"));
            let text = text();
            let (stdin, mut feed) = input(Kind::Pipe, Mode::Fresh);
            let (end, mut drain) = output(kind, mode);
            let mut command = mode.tell(program(name), "STDOUT");
            if name == "cat_to_stderr" {
                command.stderr(end);
            } else {
                command.stdout(end);
            }
            let child = command.stdin(stdin).spawn().unwrap();
            drop(command);
            let got = thread::scope(|scope| {
                scope.spawn(|| feed.send(&text));
                if kind == Kind::File {
                    finish(child);
                    drain.receive(text.len())
                } else {
                    let got = drain.receive(text.len());
                    finish(child);
                    got
                }
            });
            assert!(got == text);
        }
    }
}

fn what_is_not_read_stays_for_the_next_program() {
    for &(kind, mode) in STREAMS.iter().filter(|(kind, _)| *kind != Kind::Master) {
        say(format!("{kind:?} ({mode:?})"));
        let (stdin, mut feed) = input(kind, mode);
        // All of it is there before the first line is read.
        feed.send("the first, with an \u{e9}\nthe second\nand the rest\n".as_bytes());
        let mut command = mode.tell(shell("\"$0\" && echo next && cat", "read_line"), "STDIN");
        let output = command.stdin(stdin).stdout(Stdio::piped()).output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "the first, with an \u{e9}\nnext\nthe second\nand the rest\n",
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// Where a read gives whatever was typed.
fn what_is_not_read_stays_in_a_raw_terminal() {
    let (stdin, mut feed) = input(Kind::Terminal, Mode::Fresh);
    make_raw(&stdin);
    let mut rest = File::from(stdin.try_clone().unwrap());
    feed.write(b"one\ntwo\n");
    let mut command = program("read_line");
    let output = command.stdin(stdin).stdout(Stdio::piped()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "one\n");
    let mut buf = [0; 4];
    rest.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"two\n");
}

/// A master tells of a terminal in line mode, but hands its output out as it comes.
fn what_is_not_read_stays_in_a_pty_master() {
    let (master, slave) = open_pty();
    let mut slave = File::from(slave);
    let mut rest = File::from(master.try_clone().unwrap());
    slave.write_all(b"one\ntwo\n").unwrap();
    let child = program("read_line").stdin(master).stdout(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "one\r\n");
    let mut buf = [0; 5];
    rest.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"two\r\n");
}

fn read_line_goes_on_where_it_was_dropped() {
    for kind in [Kind::Pipe, Kind::Terminal, Kind::Socket] {
        say(format!("{kind:?}"));
        let (stdin, mut feed) = input(kind, Mode::Fresh);
        feed.write(if kind == Kind::Terminal { b"some \x04" } else { b"some " });
        let mut command = program("read_line_dropping");
        let child = command.stdin(stdin).stdout(Stdio::piped()).spawn().unwrap();
        drop(command);
        let mut ready = Ready::wait_for(child);
        feed.send(b"more\n\xff\xff\nlast");
        let mut got = String::new();
        ready.child.stdout.take().unwrap().read_to_string(&mut got).unwrap();
        let (status, said) = ready.finish();
        assert!(status.success(), "{said}");
        assert_eq!(got, "[some more\n][not text][last][]");
    }
}

/// Though it is readable, a read in blocking mode would wait here: such a thing, but by a race, is another
/// process that is faster.
fn a_socket_gives_what_it_has() {
    for mode in [Mode::Shared, Mode::Old] {
        say(format!("{mode:?}"));
        let (stdin, mut feed) = input(Kind::Socket, mode);
        streams::give_no_less_than(&stdin, 100);
        feed.write(b"x");
        let mut command = mode.tell(program("cat"), "STDIN");
        let mut child = command.stdin(stdin).stdout(Stdio::piped()).spawn().unwrap();
        drop(command);
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        feed.end();
        finish(child);
    }
}

fn a_file_is_read_and_written_in_place() {
    let (stdin, mut feed) = input(Kind::File, Mode::Shared);
    feed.send(b"one\ntwo\n");
    let (stdout, _drain) = output(Kind::File, Mode::Shared);
    let written = stdout.try_clone().unwrap();
    let mut command = shell("echo before && \"$0\" && cat && \"$0\" && echo after", "read_line");
    let child = command.stdin(stdin).stdout(stdout).spawn().unwrap();
    finish(child);
    assert_eq!(streams::content(&written), "before\none\ntwo\nafter\n");
}

/// What the disk has to give makes nobody wait for readiness, which epoll refuses to tell of files.
fn a_file_that_is_not_in_memory_is_read() {
    let (stdin, mut feed) = input(Kind::File, Mode::Shared);
    let text = text();
    feed.send(&text);
    streams::forget_content(&stdin);
    let output = program("cat").stdin(stdin).stdout(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && output.stdout == text, "{}: {said}", output.status);
}

fn nothing_is_wrong_with_dev_null() {
    finish(program("null").spawn().unwrap());
    finish(Mode::Old.tell(program("null"), "STDOUT").spawn().unwrap());
}

fn nobody_waits_for_a_program_that_waits() {
    for (kind, mode) in waiting() {
        say(format!("{kind:?} ({mode:?})"));
        let (stdin, feed) = input(kind, mode);
        let child = mode.tell(program("leave"), "STDIN").stdin(stdin).spawn().unwrap();
        let (status, said) = Ready::wait_for(child).finish();
        assert!(status.success(), "{said}");
        drop(feed);
    }
}

/// Whatever becomes of the program: it ends, it panics, it is killed.
fn the_mode_of_a_shared_open_file_is_never_changed() {
    for &(kind, mode) in STREAMS {
        say(format!("{kind:?} ({mode:?})"));
        for end in ["leave", "panic", "hold"] {
            let (stdin, _feed) = input(kind, mode);
            let (stdout, _drain) = output(kind, mode);
            let kept = [stdin.try_clone().unwrap(), stdout.try_clone().unwrap()];
            let mut command = mode.tell(mode.tell(program(end), "STDIN"), "STDOUT");
            let child = command.stdin(stdin).stdout(stdout).spawn().unwrap();
            let mut ready = Ready::wait_for(child);
            assert!(!kept.iter().any(is_nonblocking), "while it runs");
            if end == "hold" {
                ready.child.kill().unwrap();
            }
            let (status, said) = ready.finish();
            match end {
                "leave" => assert!(status.success(), "{said}"),
                "panic" => assert_eq!(status.code(), Some(101), "{said}"),
                _ => assert_eq!(status.signal(), Some(libc::SIGKILL), "{said}"),
            }
            assert!(!kept.iter().any(is_nonblocking), "afterwards");
        }
    }
}

fn a_reader_that_is_gone_is_an_error() {
    for (kind, mode) in [
        (Kind::Pipe, Mode::Fresh),
        (Kind::Pipe, Mode::Shared),
        (Kind::Fifo, Mode::Fresh),
        (Kind::Fifo, Mode::Shared),
        (Kind::Fifo, Mode::Old),
        (Kind::Socket, Mode::Shared),
    ] {
        say(format!("{kind:?} ({mode:?})"));
        let (stdout, drain) = output(kind, mode);
        let child = mode.tell(program("yes"), "STDOUT").stdout(stdout).spawn().unwrap();
        let ready = Ready::wait_for(child);
        // It waits for room now, or soon will.
        drop(drain);
        let (status, said) = ready.finish();
        assert!(status.success(), "{said}");
    }
}

fn head_ends_a_pipeline() {
    let mut command = shell("\"$0\" | head -n 1", "yes");
    let output = command.stdout(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "yes\n", "{said}");
    assert_eq!(said, "ready\n");
}

fn sigpipe_kills_who_asked_for_it() {
    for (kind, killed) in [(Kind::Pipe, true), (Kind::Socket, false)] {
        let (stdout, drain) = output(kind, Mode::Fresh);
        let child = program("yes_sigpipe").stdout(stdout).spawn().unwrap();
        let ready = Ready::wait_for(child);
        drop(drain);
        let (status, said) = ready.finish();
        assert_eq!(status.signal() == Some(libc::SIGPIPE), killed, "{said}");
        assert_eq!(status.success(), !killed, "{said}");
    }
}

fn a_slow_reader_stops_one_task_and_no_other() {
    for (kind, mode) in waiting() {
        say(format!("{kind:?} ({mode:?})"));
        let (stdout, mut drain) = output(kind, mode);
        let child = mode.tell(program("flood"), "STDOUT").stdout(stdout).spawn().unwrap();
        // It says so after its other task has had its turns, while nobody reads here.
        let ready = Ready::wait_for(child);
        let got = drain.receive(programs::FLOOD);
        let (status, said) = ready.finish();
        assert!(status.success(), "{said}");
        assert!(got.iter().all(|&byte| byte == b'x'));
    }
}

/// The most that a terminal makes of a byte: whoever writes in blocking mode must expect it.
fn a_slow_terminal_may_make_spaces_of_tabs() {
    let (stdout, mut drain) = output(Kind::Terminal, Mode::Shared);
    make_spaces_of_tabs(&stdout);
    let child = Mode::Shared.tell(program("flood_tabs"), "STDOUT").stdout(stdout).spawn().unwrap();
    let ready = Ready::wait_for(child);
    let got = drain.receive(8 * programs::FLOOD);
    let (status, said) = ready.finish();
    assert!(status.success(), "{said}");
    assert!(got.iter().all(|&byte| byte == b' '));
}

fn two_handles_wait() {
    for (kind, mode) in waiting() {
        say(format!("{kind:?} ({mode:?})"));
        let (stdin, mut feed) = input(kind, mode);
        let child = mode.tell(program("two_handles"), "STDIN").stdin(stdin).spawn().unwrap();
        let ready = Ready::wait_for(child);
        // Each takes one byte, whichever.
        feed.write(b"a\n");
        let (status, said) = ready.finish();
        assert!(status.success(), "{said}");
    }
}

/// Opening a pipe anew by way of /proc would permit either direction.
fn a_stream_of_the_wrong_direction_is_an_error() {
    let (read, write) = streams::pipe();
    let child = program("wrong_directions").stdin(write).stdout(read).spawn().unwrap();
    finish(child);
}

fn a_closed_stream_is_an_error() {
    finish(program("closed").spawn().unwrap());
}

fn a_terminal_goes_on_after_its_end() {
    for mode in [Mode::Fresh, Mode::Shared] {
        let (stdin, mut feed) = input(Kind::Terminal, mode);
        let child = mode.tell(program("two_ends"), "STDIN").stdin(stdin).spawn().unwrap();
        let ready = Ready::wait_for(child);
        feed.write(b"one\n\x04two\n\x04");
        let (status, said) = ready.finish();
        assert!(status.success(), "{said}");
    }
}

fn a_terminal_that_hangs_up_ends() {
    for mode in [Mode::Fresh, Mode::Shared] {
        let (stdin, feed) = input(Kind::Terminal, mode);
        let child = mode.tell(program("wait_for_end"), "STDIN").stdin(stdin).spawn().unwrap();
        let ready = Ready::wait_for(child);
        drop(feed);
        let (status, said) = ready.finish();
        assert!(status.success(), "{said}");
    }
}

fn a_terminal_does_not_become_the_controlling_one() {
    let (stdin, mut feed) = input(Kind::Terminal, Mode::Fresh);
    feed.write(b"one\n");
    finish(Mode::Fresh.tell(program("session_leader"), "STDIN").stdin(stdin).spawn().unwrap());
}

fn the_end_goes_out_with_the_handle() {
    let (read, write) = streams::pipe();
    let child = program("close_stdout").stdin(Stdio::piped()).stdout(write).spawn().unwrap();
    let mut got = String::new();
    // It comes although the program still runs: it waits for its input.
    File::from(read).read_to_string(&mut got).unwrap();
    assert_eq!(got, "all of it");
    finish(child);
}

/// In one call where the kernel can ask a pipe in blocking mode without waiting, and else as much as
/// always has room.
fn a_shared_pipe_takes_what_has_room() {
    for (mode, room) in [(Mode::Shared, 65536), (Mode::Old, 4096)] {
        let (stdout, mut drain) = output(Kind::Pipe, mode);
        let child = mode.tell(program("write_once"), "STDOUT").stdout(stdout).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        if mode == Mode::Shared && said == "4096 bytes\n" {
            say("SKIPPED, as this kernel cannot");
            continue;
        }
        assert_eq!(said, format!("{room} bytes\n"));
        assert_eq!(drain.receive(room).len(), room);
    }
}

fn without_a_descriptor_for_the_handle() {
    let child = program("no_descriptors").stdin(Stdio::piped()).spawn().unwrap();
    let mut ready = Ready::wait_for(child);
    let mut stdin = ready.child.stdin.take().unwrap();
    stdin.write_all(b"hello").unwrap();
    drop(stdin);
    let (status, said) = ready.finish();
    assert!(status.success(), "{said}");
}
