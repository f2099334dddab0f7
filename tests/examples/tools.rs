//! The examples that are command-line tools: with files, signals and terminals.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::ptr;

use crate::program::{Program, command, path, send_signal};
use crate::support::limited;

/// A new empty folder, removed at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let path = env::temp_dir().join(format!("epoll-runtime-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = File::options().append(true).open(self.0.join(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.0.join(from), self.0.join(to)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn tail(folder: &Folder, names: &[&str]) -> Program {
    Program::of(command("tail").args(names).current_dir(&folder.0))
}

#[test]
fn tail_prints_last_lines_and_news_under_headers() {
    let folder = Folder::new("headers");
    folder.write("long", &(1..=12).map(|n| format!("{n}\n")).collect::<String>());
    folder.write("short", "a\nb\n");
    folder.write("empty", "");
    let tail = tail(&folder, &["long", "./short", "empty"]);
    tail.prints(&["==> long <==", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", ""]);
    tail.prints(&["==> ./short <==", "a", "b", "", "==> empty <=="]);

    folder.append("empty", "c\n");
    tail.prints(&["c"]);
    folder.append("long", "13\n");
    tail.prints(&["", "==> long <==", "13"]);
    folder.append("long", "14\n");
    tail.prints(&["14"]);
    folder.append("short", "d\n");
    tail.prints(&["", "==> ./short <==", "d"]);
}

#[test]
fn tail_of_one_file_has_no_header_and_may_begin_within_a_line() {
    let folder = Folder::new("one");
    folder.write("file", &format!("{}\nlast\n", "x".repeat(100_000)));
    let tail = tail(&folder, &["file"]);
    tail.prints(&[&"x".repeat(65536 - "\nlast\n".len()), "last"]);
}

#[test]
fn tail_reads_a_file_that_was_renamed_until_another_has_its_name() {
    let folder = Folder::new("rotated");
    folder.write("log", "one\n");
    let tail = tail(&folder, &["log"]);
    tail.prints(&["one"]);
    folder.rename("log", "log.1");
    tail.says("tail: log: ", "; waiting for it");
    folder.append("log.1", "two\n");
    tail.prints(&["two"]);
    folder.write("log", "three\n");
    tail.says("tail: log: another file has its place", "");
    tail.prints(&["three"]);

    // At once, so that the name is never missing.
    folder.write("new", "four\n");
    folder.rename("new", "log");
    tail.says("tail: log: another file has its place", "");
    tail.prints(&["four"]);
    folder.append("log", "five\n");
    tail.prints(&["five"]);
}

#[test]
fn tail_follows_a_file_that_a_link_does_not_lead_to_any_more() {
    let folder = Folder::new("link");
    let link = |to: &str| {
        std::os::unix::fs::symlink(to, folder.0.join("new")).unwrap();
        folder.rename("new", "current");
    };
    folder.write("log.1", "one\n");
    folder.write("log.2", "two\n");
    link("log.1");
    let tail = tail(&folder, &["current", "log.1"]);
    tail.prints(&["==> current <==", "one", "", "==> log.1 <==", "one"]);
    link("log.2");
    tail.says("tail: current: another file has its place", "");
    tail.prints(&["", "==> current <==", "two"]);
    folder.append("log.1", "three\n");
    tail.prints(&["", "==> log.1 <==", "three"]);
}

#[test]
fn tail_waits_for_a_file_that_is_missing() {
    let folder = Folder::new("missing");
    folder.write("here", "one\n");
    let tail = tail(&folder, &["there", "here"]);
    tail.says("tail: there: ", "; waiting for it");
    tail.prints(&["==> here <==", "one"]);
    folder.write("there", "two\n");
    tail.says("tail: there: here it is", "");
    tail.prints(&["", "==> there <==", "two"]);
}

#[test]
fn tail_does_not_wait_for_the_writer_of_a_pipe() {
    let folder = Folder::new("pipe");
    assert!(Command::new("mkfifo").arg(folder.0.join("pipe")).status().unwrap().success());
    folder.write("log", "one\n");
    let tail = tail(&folder, &["pipe", "log"]);
    tail.prints(&["==> pipe <==", "", "==> log <==", "one"]);
}

#[test]
fn tail_begins_anew_with_a_file_that_is_cut_short() {
    let folder = Folder::new("cut");
    folder.write("log", "one\n");
    let tail = tail(&folder, &["log"]);
    tail.prints(&["one"]);
    folder.write("log", "");
    tail.says("tail: log: cut short", "");
    folder.append("log", "two\n");
    tail.prints(&["two"]);
}

#[test]
fn tail_ends_when_nobody_reads() {
    let folder = Folder::new("unread");
    folder.write("log", "one\n");
    let script = "\"$0\" log | head -n 1";
    let mut pipeline = Command::new("sh");
    pipeline.args(["-c", script]).arg(path("tail")).current_dir(&folder.0);
    let pipeline = Program::of(pipeline.stdout(Stdio::piped()).stderr(Stdio::piped()));
    // Nothing more is written that could fail.
    let (status, printed, said) = pipeline.finish();
    assert!(status.success(), "{status}");
    assert_eq!((printed, said), (vec!["one".to_string()], vec![]));
}

#[test]
fn tail_ends_on_ctrl_c() {
    let folder = Folder::new("ctrl-c");
    folder.write("log", "one\n");
    let tail = tail(&folder, &["log"]);
    tail.prints(&["one"]);
    tail.signal(libc::SIGINT);
    let (status, _, said) = tail.finish();
    assert!(status.success(), "{status}: {said:?}");
}

#[test]
fn tail_says_what_it_cannot_follow() {
    let folder = Folder::new("errors");
    fs::create_dir(folder.0.join("folder")).unwrap();
    for (names, code, end) in [
        (&[][..], 2, "usage: tail FILE..."),
        (&["folder"], 1, "tail: folder: Is a directory (os error 21)"),
        (&["nowhere/log"], 1, "tail: ./nowhere: No such file or directory (os error 2)"),
    ] {
        let (status, _, said) = tail(&folder, names).finish();
        assert_eq!(status.code(), Some(code), "{said:?}");
        assert_eq!(said, [end]);
    }
}

fn scan(first: u16, last: u16) -> Program {
    Program::of(command("scan").args(["127.0.0.1", &format!("{first}-{last}")]))
}

/// Three ports that are near each other, and listened to.
fn three_listeners() -> Vec<TcpListener> {
    let mut listeners = vec![TcpListener::bind("127.0.0.1:0").unwrap()];
    let first = listeners[0].local_addr().unwrap().port();
    let free = (first..=u16::MAX).filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    listeners.extend(free.take(2));
    if listeners.len() == 3 { listeners } else { three_listeners() }
}

#[test]
fn scan_prints_open_ports_in_order() {
    let listeners = three_listeners();
    let ports: Vec<u16> = listeners.iter().map(|l| l.local_addr().unwrap().port()).collect();
    // The first answers last: its queue is full when it is asked, and not when it is asked again.
    let _in_queue = fill_backlog(&listeners[0]);
    let last = ports[2].saturating_add(20);
    let scan = scan(ports[0], last);
    limited(|| listeners[2].accept().unwrap());
    listeners[0].accept().unwrap();
    let (status, printed, said) = scan.finish();
    assert!(status.success(), "{status}: {said:?}");
    let open: Vec<u16> = printed.iter().map(|line| line.parse().expect(line)).collect();
    assert!(open.is_sorted(), "{open:?}");
    assert!(ports.iter().all(|port| open.contains(port)), "{open:?} of {ports:?}");
    // No bar, as nobody would see it move.
    let [summary] = &said[..] else { panic!("{said:?}") };
    let closed = usize::from(last - ports[0]) + 1 - open.len();
    let counts = format!("{} open, {closed} closed, 0 without an answer; ", open.len());
    assert!(summary.starts_with(&counts), "{summary}");
}

/// Room for none, and one waits: the kernel passes over who knocks now.
fn fill_backlog(listener: &TcpListener) -> TcpStream {
    // SAFETY: it touches no memory.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    TcpStream::connect(listener.local_addr().unwrap()).unwrap()
}

/// Scans a port that does not answer, which takes a while, and shows what comes to a terminal.
fn scan_at_a_terminal(with_ctrl_c: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let _in_queue = fill_backlog(&listener);
    let port = listener.local_addr().unwrap().port();
    let (master, terminal) = open_pty();
    let mut scan = Command::new(path("scan"));
    scan.args(["127.0.0.1", &port.to_string()]).stderr(terminal).stdout(Stdio::piped());
    let child = scan.spawn().unwrap();
    drop(scan); // and with it our copy of the terminal's other end

    let mut master = File::from(master);
    let mut shown = vec![0];
    limited(|| master.read_exact(&mut shown)).unwrap();
    if with_ctrl_c {
        send_signal(child.id(), libc::SIGINT);
    }
    // That a terminal hangs up is an error, EIO.
    let _ = limited(|| master.read_to_end(&mut shown));
    let shown = String::from_utf8(shown).unwrap();
    let output = limited(|| child.wait_with_output()).unwrap();
    assert!(output.status.success(), "{}: {shown}", output.status);
    assert_eq!(output.stdout, b"");
    shown
}

#[test]
fn scan_shows_a_bar_at_a_terminal_and_takes_it_away() {
    for (with_ctrl_c, silent) in [(false, 1), (true, 0)] {
        let shown = scan_at_a_terminal(with_ctrl_c);
        let (bar, rest) = shown.split_once("\r\x1b[K").expect("it is erased");
        assert!(bar.starts_with("\r[") && bar.ends_with("] 0 of 1 ports, 0 open"), "{shown:?}");
        let summary = format!("0 open, 0 closed, {silent} without an answer; ");
        assert!(rest.starts_with(&summary), "{shown:?}");
    }
}

#[test]
fn scan_prints_on_ctrl_c_all_that_it_has_found() {
    let listeners = three_listeners();
    // The first does not answer, and those behind it have to wait for their turn to be printed.
    let _in_queue = fill_backlog(&listeners[0]);
    let [first, last] = [0, 2].map(|at| listeners[at].local_addr().unwrap().port());
    let (master, terminal) = open_pty();
    let mut scan = command("scan");
    scan.args(["127.0.0.1", &format!("{first}-{last}")]).stderr(terminal);
    let child = scan.spawn().unwrap();
    drop(scan); // and with it our copy of the terminal's other end

    let mut master = File::from(master);
    let mut shown = vec![];
    let found = |shown: &[u8]| {
        let words = String::from_utf8_lossy(shown);
        let (_, count) = words.strip_suffix(" open")?.rsplit_once(' ')?;
        count.parse::<usize>().ok()
    };
    limited(|| {
        while found(&shown).is_none_or(|count| count < 2) {
            let mut byte = [0];
            master.read_exact(&mut byte).unwrap();
            shown.push(byte[0]);
        }
    });
    send_signal(child.id(), libc::SIGINT);
    // That a terminal hangs up is an error, EIO.
    let _ = limited(|| master.read_to_end(&mut shown));
    let output = limited(|| child.wait_with_output()).unwrap();
    let shown = String::from_utf8(shown).unwrap();
    let (_, summary) = shown.rsplit_once("\r\x1b[K").expect(&shown);
    let ports = String::from_utf8(output.stdout).unwrap();
    let counts = format!("{} open, ", ports.lines().count());
    assert!(summary.starts_with(&counts), "{shown:?}: {ports:?}");
}

fn open_pty() -> (OwnedFd, OwnedFd) {
    let (mut master, mut slave) = (0, 0);
    // SAFETY: both are written, nothing else is asked for, and what the call makes is ours.
    unsafe {
        let made = libc::openpty(
            &mut master,
            &mut slave,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
        );
        assert_eq!(made, 0, "{}", io::Error::last_os_error());
        (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave))
    }
}

#[test]
fn scan_says_what_it_cannot_scan() {
    for (args, code, text) in [
        (&[][..], 2, "usage: scan HOST [PORT | FIRST-LAST]"),
        (&["localhost", "7-6"], 2, "usage: scan HOST [PORT | FIRST-LAST]"),
        (&["localhost", "65536"], 2, "usage: scan HOST [PORT | FIRST-LAST]"),
        (&["not a name", "1"], 1, "scan: looking up `not a name`: "),
    ] {
        let (status, _, said) = Program::of(command("scan").args(args)).finish();
        assert_eq!(status.code(), Some(code), "{said:?}");
        assert!(said.len() == 1 && said[0].starts_with(text), "{said:?}");
    }
}

fn supervise(commands: &[&[&str]]) -> Program {
    let mut supervisor = command("supervisor");
    // A shell cannot trap what was ignored when it was started, as SIGHUP is where the tests run under nohup(1).
    let default = || {
        // SAFETY: it sets what the system calls the default.
        match unsafe { libc::signal(libc::SIGHUP, libc::SIG_DFL) } {
            libc::SIG_ERR => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    };
    // SAFETY: between fork and exec it makes one system call.
    unsafe { supervisor.pre_exec(default) };
    Program::of(supervisor.args(commands.join(&"--")))
}

/// It goes on after SIGHUP and ends at SIGTERM, and says so. What it waits for ignores the former, as
/// signals go to the whole group.
const LISTENS: &str = "
    trap '' HUP
    sleep 1000 >/dev/null 2>&1 & pid=$!
    trap 'echo hup' HUP
    trap 'echo term; exit 0' TERM
    echo ready
    while :; do wait $pid; done";

#[test]
fn supervisor_passes_signals_on_and_leaves_last() {
    let listens = &["sh", "-c", LISTENS][..];
    let supervisor = supervise(&[listens, listens]);
    supervisor.prints(&["ready", "ready"]);
    supervisor.signal(libc::SIGHUP);
    supervisor.prints(&["hup", "hup"]);
    supervisor.signal(libc::SIGHUP);
    supervisor.prints(&["hup", "hup"]);
    supervisor.signal(libc::SIGTERM);
    let (status, printed, said) = supervisor.finish();
    assert!(status.success(), "{status}: {said:?}");
    assert_eq!(printed, ["term", "term"]);
    // The shells may have their say too, on what they waited for.
    let ended = said.iter().filter(|line| *line == "sh: ended, exit status: 0").count();
    assert_eq!(ended, 2, "{said:?}");
}

#[test]
fn supervisor_ends_what_its_programs_have_started() {
    let supervisor = supervise(&[&["sh", "-c", "sleep 1000 & echo ready; wait"]]);
    supervisor.prints(&["ready"]);
    supervisor.signal(libc::SIGTERM);
    // The output ends when nobody is left to write to it.
    let (status, printed, said) = supervisor.finish();
    assert!(status.success(), "{status}: {said:?}");
    assert_eq!(printed, [""; 0]);
}

#[test]
fn supervisor_starts_again_what_fails_and_gives_it_up() {
    // The second ends well, the third badly in another way: by a signal.
    let supervisor = supervise(&[
        &["sh", "-c", "echo fails; exit 3"],
        &["true"],
        &["env", "sh", "-c", "kill -9 $$"],
        &["no-such-program"],
    ]);
    let (status, printed, said) = supervisor.finish();
    assert_eq!(status.code(), Some(1), "{said:?}");
    assert_eq!(printed, ["fails"; 5]);
    let told_of = |name: &str| -> Vec<&str> {
        let lines = said.iter().map(String::as_str);
        lines.filter(|line| line.starts_with(name) && !line.contains(": started as ")).collect()
    };
    assert_eq!(
        told_of("sh: "),
        [
            "sh: exit status: 3; again in 100ms",
            "sh: exit status: 3; again in 200ms",
            "sh: exit status: 3; again in 400ms",
            "sh: exit status: 3; again in 800ms",
            "sh: exit status: 3; given up after 5 failures",
        ]
    );
    assert_eq!(told_of("true: "), ["true: ended, exit status: 0"]);
    assert_eq!(told_of("env: ")[0], "env: signal: 9 (SIGKILL); again in 100ms");
    let [error] = &told_of("no-such-program: ")[..] else { panic!("it is told once") };
    assert!(error.contains("No such file"), "{error}");
}

#[test]
fn supervisor_kills_at_a_second_request() {
    let supervisor = supervise(&[&["sh", "-c", "trap '' INT TERM; echo ready; exec sleep 1000"]]);
    supervisor.prints(&["ready"]);
    supervisor.signal(libc::SIGINT);
    supervisor.signal(libc::SIGTERM);
    let (status, _, said) = supervisor.finish();
    assert!(status.success(), "{status}: {said:?}");
    assert_eq!(said[1..], ["sh: ended, signal: 9 (SIGKILL)"]);
}

#[test]
fn supervisor_passes_a_hangup_on_while_it_waits_for_the_end() {
    let script = "
        trap 'echo term' TERM
        trap 'echo hup; exit 0' HUP
        echo ready
        while :; do sleep 0.01; done";
    let supervisor = supervise(&[&["sh", "-c", script]]);
    supervisor.prints(&["ready"]);
    supervisor.signal(libc::SIGTERM);
    supervisor.prints(&["term"]);
    supervisor.signal(libc::SIGHUP);
    let (status, printed, said) = supervisor.finish();
    assert!(status.success(), "{status}: {said:?}");
    assert_eq!(printed, ["hup"], "{said:?}");
}

fn ask(seconds: &str) -> Command {
    let mut ask = command("ask");
    ask.args(["Sure?", seconds]).stdin(Stdio::piped());
    ask
}

#[test]
fn ask_answers_by_its_exit_code() {
    for (typed, code, questions) in
        [("y\n", 0, 1), ("maybe\n\nYES\n", 0, 3), ("no\n", 1, 1), ("", 1, 1), ("y", 0, 1)]
    {
        let mut child = ask("1000").spawn().unwrap();
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        let output = limited(|| child.wait_with_output()).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{typed:?}: {said}");
        assert_eq!(said.matches("Sure? [y/n] ").count(), questions, "{typed:?}: {said}");
    }
}

#[test]
fn ask_leaves_the_rest_of_the_input_to_the_script() {
    let script = "printf 'what?\\ny\\nthe rest\\n' | (\"$0\" 'Sure?' 1000 && cat)";
    let output = limited(|| Command::new("sh").args(["-c", script]).arg(path("ask")).output());
    let output = output.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "the rest\n");
}

#[test]
fn ask_does_not_wait_for_ever() {
    let mut child = ask("0").spawn().unwrap();
    let stdin = child.stdin.take();
    let output = limited(|| child.wait_with_output()).unwrap();
    drop(stdin);
    assert_eq!(output.status.code(), Some(124));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "Sure? [y/n] \n");
}

#[test]
fn ask_takes_ctrl_c_at_a_terminal_for_no_answer() {
    let (master, terminal) = open_pty();
    let mut ask = ask("1000");
    ask.stdin(terminal);
    // SAFETY: between fork and exec these may be called, and they take numbers.
    unsafe {
        ask.pre_exec(|| {
            let controls = libc::setsid() > 0 && libc::ioctl(0, libc::TIOCSCTTY, 0) == 0;
            if controls { Ok(()) } else { Err(io::Error::last_os_error()) }
        });
    }
    let mut child = ask.spawn().unwrap();
    drop(ask);
    let mut stderr = child.stderr.take().unwrap();
    let mut prompt = [0; "Sure? [y/n] ".len()];
    limited(|| stderr.read_exact(&mut prompt)).unwrap();
    let mut master = File::from(master);
    master.write_all(b"y but\x03").unwrap();
    assert_eq!(limited(|| child.wait()).unwrap().code(), Some(130));
}

#[test]
fn number_says_on_ctrl_c_how_far_it_came() {
    let mut number = Program::of(command("number").stdin(Stdio::piped()));
    number.stdin.as_mut().unwrap().write_all(b"a\nb\nhalf a li").unwrap();
    number.prints(&["     1  a", "     2  b"]);
    number.signal(libc::SIGINT);
    number.says("(2 lines)", "");
    assert_eq!(number.finish().0.code(), Some(130));
}
