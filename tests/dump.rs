//! Dumps of what belongs to a whole process: on a signal, in a fork, of children and of listeners; and how often
//! a dump looks at a descriptor.
#![allow(unsafe_code)]

#[path = "support/mod.rs"]
mod support;

use std::env;
use std::ffi::{c_int, c_void};
use std::future::pending;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use runtime::dump::{DescriptorKind, Dump, Extent, State, Wait};
use runtime::io::{AsyncFd, Interest, Source};
use runtime::signal::unix::{SignalKind, signal};
use runtime::time::sleep;
use runtime::{Handle, Runtime, epoll, task};
use support::forks::{assert_fine, in_child, one_at_a_time};
use support::{limited, poll_once, run, turns};

/// How often this process has asked a descriptor for its name.
static NAMES_ASKED: AtomicU32 = AtomicU32::new(0);

/// In the place of libc's.
///
/// # Safety
///
/// As of getsockname(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn getsockname(fd: c_int, address: *mut c_void, len: *mut c_void) -> c_int {
    NAMES_ASKED.fetch_add(1, Ordering::SeqCst);
    // SAFETY: the arguments are those of libc's function, whose place we take.
    unsafe { libc::syscall(libc::SYS_getsockname, fd, address, len) as c_int }
}

#[track_caller]
fn waits(dump: &Dump, name: &str) -> Vec<Wait> {
    let found = dump.tasks.iter().find(|task| task.name.as_deref() == Some(name));
    let task = found.unwrap_or_else(|| panic!("no {name:?} in\n{dump}"));
    assert_eq!(task.state, State::Waiting, "{dump}");
    task.waits.clone()
}

fn named<F: Future + 'static>(name: &str, future: F) {
    drop(task::Builder::new().name(name).spawn(future).unwrap());
}

#[test]
fn a_question_that_nobody_asks_any_more_is_not_looked_into() {
    let _alone = one_at_a_time();
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let (a, _b) = UnixStream::pair().unwrap();
        a.set_nonblocking(true).unwrap();
        let a = Source::new(a);
        runtime.block_on(async {
            assert!(poll_once(pin!(a.readable())).is_pending());
        });
        let handle = runtime.handle().clone();
        // Nobody drives it, so that both have given up when it comes round.
        for _ in 0..2 {
            let handle = handle.clone();
            let dump = thread::spawn(move || handle.dump()).join().unwrap();
            assert!(matches!(dump.extent, Extent::NoAnswer { .. }));
        }
        let before = NAMES_ASKED.load(Ordering::SeqCst);
        runtime.run_until_stalled();
        assert_eq!(NAMES_ASKED.load(Ordering::SeqCst), before);
        assert_eq!(runtime.dump().idle.len(), 1);
        assert_eq!(NAMES_ASKED.load(Ordering::SeqCst), before + 1);
    });
}

#[test]
fn a_descriptor_that_another_thread_has_given_up_is_left_out() {
    let _alone = one_at_a_time();
    run(async {
        let (a, _b) = UnixStream::pair().unwrap();
        a.set_nonblocking(true).unwrap();
        let a = Source::new(a);
        assert!(poll_once(pin!(a.readable())).is_pending());
        assert_eq!(Handle::current().dump().idle.len(), 1);
        thread::spawn(move || drop(a)).join().unwrap();
        // Its entry is there until the loop comes round, and its number may be another's by now.
        assert_eq!(Handle::current().dump().idle.len(), 0);
        turns().await;
        assert_eq!(Handle::current().dump().idle.len(), 0);
    });
}

#[test]
fn a_child_is_told_by_its_process() {
    let _alone = one_at_a_time();
    run(async {
        let mut child = Command::new("sleep").arg("100").spawn().unwrap();
        let (id, pidfd) = (child.id(), epoll::PidFd::open(child.id()).unwrap());
        named("waits", async move {
            let pidfd = AsyncFd::with_interest(pidfd, Interest::READABLE).unwrap();
            pidfd.readable().await.map(drop)
        });
        turns().await;
        let dump = Handle::current().dump();
        child.kill().unwrap();
        child.wait().unwrap();
        let [Wait::Fd { descriptor, .. }] = &waits(&dump, "waits")[..] else { panic!("{dump}") };
        assert_eq!(descriptor.kind, DescriptorKind::Process(id));
        assert!(dump.to_string().ends_with(&format!(": the end of process {id}")), "{dump}");
    });
}

#[test]
fn listeners_are_told_by_their_signals() {
    let _alone = one_at_a_time();
    run(async {
        for (name, kind) in [("one", SignalKind::window_change()), ("two", SignalKind::io())] {
            let mut signals = signal(kind).unwrap();
            named(name, async move { signals.recv().await });
        }
        // Of another runtime, and one that nobody awaits.
        let other = Runtime::new().unwrap();
        let _entered = other.enter();
        let mut unheard = signal(SignalKind::io()).unwrap();
        assert!(poll_once(pin!(unheard.recv())).is_pending());
        drop(_entered);
        turns().await;
        let dump = Handle::current().dump();
        assert_eq!(waits(&dump, "one"), [Wait::Signal(SignalKind::window_change())]);
        assert_eq!(waits(&dump, "two"), [Wait::Signal(SignalKind::io())]);
        assert_eq!(dump.others, []);
        assert_eq!(other.dump().others, [Wait::Signal(SignalKind::io())]);
        assert!(dump.to_string().contains("\n    for SIGWINCH"), "{dump}");
    });
}

#[test]
fn in_a_fork_a_runtime_of_the_parent_says_so() {
    let _alone = one_at_a_time();
    run(async {
        named("waits", pending::<()>());
        let handle = Handle::current();
        for after_fork in [false, true] {
            assert_fine(in_child(|| {
                if after_fork {
                    runtime::after_fork();
                }
                let dump = handle.dump();
                assert_eq!((dump.extent, dump.tasks.len()), (Extent::OfParent, 0));
                assert!(dump.to_string().contains("stayed with the process that forked this one"));
                if after_fork {
                    let own = runtime::block_on(async { Handle::current().dump() });
                    assert_eq!((own.extent, own.tasks.len()), (Extent::Complete, 1));
                }
            }));
        }
        assert!(handle.dump().is_complete());
    });
}

#[test]
fn what_cannot_be_dumped_on_is_an_error() {
    let _alone = one_at_a_time();
    limited(|| {
        let runtime = Runtime::new().unwrap();
        let handle = runtime.handle().clone();
        let error = handle.dump_on(SignalKind::kill()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{error}");
        // Gone, with what it had still its own; and then without.
        let guard = handle.enter();
        drop(runtime);
        let mut guard = Some(guard);
        for _ in 0..2 {
            let error = handle.dump_on(SignalKind::window_change()).unwrap_err();
            let sentence = "dumping on SIGWINCH: the runtime is gone; ask for it while it is alive";
            assert_eq!(error.to_string(), sentence);
            drop(guard.take());
        }
    });
}

/// A program that this file is, too: an ignored test in a process of its own.
struct Program {
    child: Child,
    printed: BufReader<std::process::ChildStdout>,
    said: BufReader<std::process::ChildStderr>,
}

impl Program {
    fn start(test: &str) -> Program {
        let mut child = Command::new(env::current_exe().expect("our path"))
            .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run");
        let printed = BufReader::new(child.stdout.take().expect("it is piped"));
        let said = BufReader::new(child.stderr.take().expect("it is piped"));
        Program { child, printed, said }
    }

    /// Waits for a line that it prints; what comes after these words in it.
    fn prints(&mut self, words: &str) -> String {
        for printed in (&mut self.printed).lines() {
            if let Some(rest) = printed.expect("text").strip_prefix(words) {
                return rest.to_string();
            }
        }
        panic!("it did not print {words:?}");
    }

    fn signal(&self, signal: c_int) {
        // SAFETY: no pointers are passed, and the child was not waited for.
        let sent = unsafe { libc::kill(self.child.id() as libc::pid_t, signal) };
        assert_eq!(sent, 0);
    }

    /// Its next dump, of the runtime `of`, after this signal. A runtime that is kept from its processor for a second
    /// is asked anew.
    fn dump(&mut self, signal: c_int, of: &str, last: &str) -> String {
        let (begin, no_answer) = (format!("runtime {of}: "), format!("runtime {of}: no answer"));
        let mut text = String::new();
        self.signal(signal);
        for said in (&mut self.said).lines() {
            let said = said.expect("text");
            let is_last = said.contains(last);
            if said.starts_with(&no_answer) && !is_last {
                return self.dump(signal, of, last);
            }
            if said.starts_with(&begin) {
                text.clear();
            }
            text += &said;
            text += "\n";
            if is_last && text.starts_with(&begin) {
                return text;
            }
        }
        panic!("it did not say {last:?}, but\n{text}");
    }

    /// Tells it to go on.
    fn tell(&mut self) {
        self.child.stdin.as_mut().expect("it is piped").write_all(b"\n").expect("it reads");
    }

    fn ends_well(mut self) {
        let mut rest = String::new();
        self.printed.read_to_string(&mut rest).unwrap();
        self.said.read_to_string(&mut rest).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {rest}");
    }
}

/// Waits until the parent has said something.
fn until_told() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

/// In a line of its own, past the harness.
fn print(line: &str) {
    std::io::stdout().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

#[test]
#[ignore = "the program of the next test"]
fn program_that_dumps() {
    let dispositions = || {
        [libc::SIGQUIT, libc::SIGUSR1].map(|signal| {
            // SAFETY: zeroes are a valid action, and it outlives the call.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                assert_eq!(libc::sigaction(signal, std::ptr::null(), &mut action), 0);
                action.sa_sigaction
            }
        })
    };
    // A shell may have the first one ignored in what it starts in the background.
    let before = dispositions();
    runtime::block_on(async {
        let handle = Handle::current();
        handle.dump_on(SignalKind::quit()).unwrap();
        handle.dump_on(SignalKind::user_defined1()).unwrap();
        let other = Runtime::new().unwrap();
        other.spawn(pending::<()>());
        other.handle().dump_on(SignalKind::quit()).unwrap();
        named("naps", sleep(Duration::from_secs(1000)));
        let told = runtime::spawn_blocking(until_told);
        print(&format!("runtimes {} {}", handle.id(), other.handle().id()));
        told.await.unwrap();
        // It hangs in this poll.
        print("hangs");
        until_told();
        drop(other);
    });
    // The listeners go with the runtimes, and what was before comes back.
    limited(|| {
        while dispositions() != before {
            thread::yield_now();
        }
    });
}

#[test]
fn a_signal_makes_the_runtimes_dump() {
    limited(|| {
        let mut program = Program::start("program_that_dumps");
        let ids = program.prints("runtimes ");
        let (own, other) = ids.split_once(' ').unwrap();
        let deadline = "    for a deadline in 16 min ";
        for signal in [libc::SIGUSR1, libc::SIGQUIT, libc::SIGUSR1] {
            let text = program.dump(signal, own, deadline);
            assert!(
                text.contains(": block_on and 1 task: 2 waiting; 1 blocking closure\n"),
                "{text}"
            );
            assert!(text.contains(" \"naps\", spawned at "), "{text}");
        }
        // One signal is for two runtimes. Nobody drives the other.
        let not_asleep = "no answer. It was not asleep when it was asked";
        program.dump(libc::SIGQUIT, other, not_asleep);
        program.tell();
        program.prints("hangs");
        program.dump(libc::SIGUSR1, own, not_asleep);
        program.tell();
        program.ends_well();
    });
}
