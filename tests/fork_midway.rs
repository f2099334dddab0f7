//! Forks while another thread is in the middle of something: the child must not wait for that thread,
//! which it does not have.
#![allow(unsafe_code)]

#[path = "support/mod.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::env;
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use runtime::process::Command;
use runtime::task::yield_now;
use runtime::{Runtime, block_on};
use support::forks::{assert_fine, in_child, one_at_a_time};

/// Lets the test fork at each allocation of a thread. That is where threads stand in real forks: who
/// allocates waits until they are over.
struct Pausing;

#[global_allocator]
static ALLOCATOR: Pausing = Pausing;

thread_local! {
    static PAUSES: Cell<bool> = const { Cell::new(false) };
}

static PAUSED: AtomicUsize = AtomicUsize::new(0);
static LET_GO: AtomicUsize = AtomicUsize::new(0);

fn pause() {
    if PAUSES.get() {
        let pause = PAUSED.fetch_add(1, Ordering::SeqCst);
        while LET_GO.load(Ordering::SeqCst) <= pause {
            thread::yield_now();
        }
    }
}

// SAFETY: the system's allocator does it all.
unsafe impl GlobalAlloc for Pausing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller of this function says.
        let memory = unsafe { System.alloc(layout) };
        pause();
        memory
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as the caller of this function says.
        unsafe { System.dealloc(ptr, layout) }
    }
}

/// Does something on a thread of its own, and has `child` run in a fork at each allocation.
fn fork_at_each_allocation<T: Send + 'static>(
    something: impl FnOnce() -> T + Send + 'static,
    child: impl Fn(),
) -> T {
    let pausing = thread::spawn(|| {
        PAUSES.set(true);
        let value = something();
        PAUSES.set(false);
        value
    });
    loop {
        let let_go = LET_GO.load(Ordering::SeqCst);
        if PAUSED.load(Ordering::SeqCst) > let_go {
            assert_fine(in_child(&child));
            LET_GO.store(let_go + 1, Ordering::SeqCst);
        } else if pausing.is_finished() {
            return pausing.join().unwrap();
        }
        thread::yield_now();
    }
}

#[test]
fn while_runtimes_are_made() {
    let _alone = one_at_a_time();
    let pauses = PAUSED.load(Ordering::SeqCst);
    let make = || {
        // So many that the table of their inboxes grows twice.
        let runtimes = [(); 4].map(|()| Runtime::new().unwrap());
        runtimes.into_iter().for_each(drop);
    };
    fork_at_each_allocation(make, || {
        runtime::after_fork();
        let runtimes = [(); 4].map(|()| Runtime::new().unwrap());
        runtimes.iter().for_each(|runtime| runtime.block_on(yield_now()));
    });
    assert!(PAUSED.load(Ordering::SeqCst) > pauses);
}

/// A child that runs on when its runtime ends.
fn abandon_a_child() {
    block_on(async {
        let mut command = Command::new("sleep");
        let child = command.arg("100").kill_on_drop(true).spawn().unwrap();
        runtime::spawn(async move {
            // It is dropped with the runtime, and killed; nobody has reaped it then.
            let _child = child;
            std::future::pending::<()>().await
        });
        yield_now().await;
    });
}

#[test]
fn while_children_are_abandoned() {
    let _alone = one_at_a_time();
    fork_at_each_allocation(abandon_a_child, || {
        runtime::after_fork();
        abandon_a_child();
    });
    // Reaps it.
    block_on(async { Command::new("true").status().await.unwrap() });
}

/// The environment variable that says to be the process in which it happens, and at which allocation.
const AT: &str = "FORK_MIDWAY_AT";

/// The C library holds a lock over a fork which the first runtime of a process needs too.
#[test]
fn while_the_first_runtime_is_made() {
    if let Ok(at) = env::var(AT) {
        return fork_after_allocation(at.parse().unwrap());
    }
    for at in 0..10 {
        let mut again = process::Command::new(env::current_exe().unwrap());
        again.args(["--exact", "while_the_first_runtime_is_made"]).env(AT, at.to_string());
        let output = again.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

extern "C" fn let_go() {
    LET_GO.store(usize::MAX, Ordering::SeqCst);
}

/// Has the thread that makes the first runtime go on, after an allocation, while the fork is under way.
fn fork_after_allocation(at: usize) {
    const LEN: usize = 64 << 20;
    // A fork copies the memory from the lowest address on. So much of it lies below what the thread changes
    // that the thread has the time.
    let low = ptr::without_provenance_mut(1 << 28);
    // SAFETY: new memory, where there is none, each page of which is written; and a handler that does nothing
    // but store.
    unsafe {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let memory = libc::mmap(low, LEN, protection, flags, -1, 0);
        assert_eq!(memory, low);
        libc::madvise(memory, LEN, libc::MADV_NOHUGEPAGE);
        (0..LEN).step_by(4096).for_each(|page| memory.byte_add(page).cast::<u8>().write(1));
        libc::pthread_atfork(Some(let_go), None, None);
    }
    let first = thread::spawn(|| {
        PAUSES.set(true);
        let runtime = Runtime::new().unwrap();
        PAUSES.set(false);
        runtime.block_on(yield_now());
    });
    while PAUSED.load(Ordering::SeqCst) <= at && !first.is_finished() {
        LET_GO.store(at, Ordering::SeqCst);
        thread::yield_now();
    }
    assert_fine(in_child(|| {
        runtime::after_fork();
        block_on(yield_now());
    }));
    first.join().unwrap();
}
