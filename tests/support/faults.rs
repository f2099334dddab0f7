//! System calls that fail: for executables that put themselves in the place of libc's functions. Each
//! thread has its own plan and its own counts, so that tests do not disturb each other.
#![allow(unsafe_code)]
#![allow(unused_macros, unused_imports, reason = "each test binary uses what it needs")]

use std::cell::Cell;
use std::ffi::c_int;

/// The calls that can be counted and planned to fail.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Call {
    EpollCreate,
    EpollCtl,
    EpollWait,
    EventFd,
    EventFdWrite,
    TimerFdCreate,
    TimerFdSet,
    Splice,
    Pipe,
    SendFile,
}

const CALLS: usize = Call::SendFile as usize + 1;

/// The calls from `first` on, so many of them, fail with `errno`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) call: Call,
    pub(crate) first: u32,
    pub(crate) number: u32,
    pub(crate) errno: c_int,
}

thread_local! {
    pub(crate) static PLAN: Cell<Option<Plan>> = const { Cell::new(None) };
    static COUNTS: [Cell<u32>; CALLS] = const { [const { Cell::new(0) }; CALLS] };
}

/// How often this thread has made a call.
pub(crate) fn count(call: Call) -> u32 {
    COUNTS.with(|counts| counts[call as usize].get())
}

/// How often this thread has made any of them.
pub(crate) fn count_all() -> u32 {
    COUNTS.with(|counts| counts.iter().map(Cell::get).sum())
}

/// Counts a call; true, with errno set, if it is to fail.
pub(crate) fn fails(call: Call) -> bool {
    let number = COUNTS.with(|counts| {
        let count = &counts[call as usize];
        count.set(count.get() + 1);
        count.get()
    });
    match PLAN.get() {
        Some(plan)
            if plan.call == call && number >= plan.first && number - plan.first < plan.number =>
        {
            fail(plan.errno);
            true
        }
        _ => false,
    }
}

/// What libc's functions return when they fail, with errno set.
pub(crate) fn fail(errno: c_int) -> c_int {
    // SAFETY: errno is this thread's.
    unsafe { *libc::__errno_location() = errno };
    -1
}

/// Makes the system call that libc's function of the name makes.
macro_rules! forward {
    ($call:ident, $($argument:expr),*) => {
        // SAFETY: the arguments are those of libc's function, whose place we take.
        unsafe { libc::syscall(libc::$call, $($argument as std::ffi::c_long),*) }
    };
}

pub(crate) use forward;
