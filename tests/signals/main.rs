//! Signals. Each test has a process of its own, since dispositions belong to a process and many of these
//! end by a signal: this binary runs itself again, hence no harness.
#![allow(unsafe_code)]

mod children;
mod dispositions;
mod listeners;
mod storm;
#[path = "../support/mod.rs"]
mod support;
mod system;

use std::env;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

/// The environment variable that says which test to be.
const VARIABLE: &str = "SIGNALS_TEST";

/// What a test that is to end by a signal says before it does.
const LAST_WORDS: &str = "now";

struct Test {
    name: &'static str,
    body: fn(),
    /// The signal that ends it, if one does.
    ends_by: &'static [i32],
}

macro_rules! tests {
    ($($room:ident: $($name:ident $(=> $signal:ident)?),* ;)*) => {
        &[$($(Test {
            name: stringify!($name),
            body: $room::$name,
            ends_by: [$(libc::$signal)?].as_slice(),
        }),*),*]
    };
}

const TESTS: &[Test] = tests![
    listeners:
        ctrl_c_is_heard,
        every_listener_hears,
        every_runtime_hears,
        only_signals_after_the_call_count,
        recv_takes_all_that_have_come_for_one,
        recv_info_has_each_in_order,
        recv_info_says_who_sent_it,
        a_long_burst_overwrites_the_oldest,
        a_dropped_recv_loses_nothing,
        a_listener_goes_to_other_threads,
        a_listener_ends_with_its_runtime,
        a_runtime_that_is_gone_is_an_error,
        sleepers_are_woken,
        a_signal_comes_before_the_test_clock_jumps,
        a_busy_runtime_hears,
        a_host_is_told,
        a_signal_while_the_waker_is_left,
        what_cannot_be_listened_for_is_an_error;
    dispositions:
        a_second_ctrl_c_kills => SIGINT,
        the_last_of_several_gives_back => SIGTERM,
        a_runtime_that_goes_gives_back => SIGTERM,
        what_was_before_comes_back_whole,
        handlers_from_before_are_called,
        errno_is_left_alone,
        blocking_calls_are_interrupted_as_before,
        who_replaced_ours_stays,
        who_calls_ours_is_called_once,
        ours_put_back_by_others_does_the_default => SIGTERM,
        ours_put_back_by_others_goes_on_after_a_stop,
        nothing_is_left;
    children:
        a_child_inherits_nothing,
        what_was_ignored_stays_so_over_fork_and_exec,
        ignored_children_are_reaped_still,
        a_forked_child_does_what_was_before,
        a_forked_child_listens_for_itself,
        the_parents_listeners_end_in_the_child,
        a_fork_while_others_come_and_go,
        a_child_that_nobody_told_of_does_what_was_before;
    storm:
        a_hundred_thousand_signals,
        every_kind_at_once,
        no_operation_is_interrupted;
];

fn main() {
    if let Ok(name) = env::var(VARIABLE) {
        // SAFETY: no pointers are passed. A test that hangs ends by it.
        unsafe { libc::alarm(120 * support::time_factor()) };
        // A shell has the programs that it starts in the background ignore the first two, nohup the third.
        for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGHUP] {
            // SAFETY: SIG_DFL is no function of ours.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        let test = TESTS.iter().find(|test| test.name == name).expect("its name");
        return (test.body)();
    }
    // As the harness does it: the arguments that are no options are parts of names.
    let wanted: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    if env::args().any(|arg| arg == "--list") {
        TESTS.iter().for_each(|test| println!("{}: test", test.name));
        return;
    }
    let left_out: Vec<String> =
        env::args().filter_map(|arg| arg.strip_prefix("--skip=").map(String::from)).collect();
    let names = |parts: &[String], test: &Test| parts.iter().any(|part| test.name.contains(part));
    for test in TESTS {
        if (wanted.is_empty() || names(&wanted, test)) && !names(&left_out, test) {
            print!("test {} ... ", test.name);
            io::stdout().flush().unwrap();
            run(test);
            println!("ok");
        }
    }
}

/// Runs a test in its own process.
fn run(test: &Test) {
    let child = Command::new(env::current_exe().unwrap())
        .env(VARIABLE, test.name)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr);
    assert_eq!(child.status.signal().as_slice(), test.ends_by, "{}: {said}", child.status);
    if test.ends_by.is_empty() {
        assert!(child.status.success(), "{}: {said}", child.status);
    } else {
        // And not too early.
        assert_eq!(String::from_utf8_lossy(&child.stdout).trim_end(), LAST_WORDS);
    }
}

/// For tests that end by a signal: what comes next is it.
fn say_last_words() {
    println!("{LAST_WORDS}");
}
