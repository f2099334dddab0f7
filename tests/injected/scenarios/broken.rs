//! What the driver has to see: scenarios that go wrong, each in another way, if an epoll instance is refused.

use std::fs::File;
use std::io;
use std::mem;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use runtime::Runtime;
use runtime::epoll::Epoll;

use super::{Scenario, scenario};

/// Each with what is to be said of it.
pub(crate) const BROKEN: &[(Scenario, &str)] = &[
    (scenario("panics", panics), "exit status"),
    (scenario("aborts", aborts), "signal"),
    (scenario("hangs", hangs), "it hangs"),
    (scenario("spins", spins), "it spins"),
    (scenario("leaks_a_descriptor", leaks_a_descriptor), "it leaks: /dev/null"),
    (scenario("leaks_memory", leaks_memory), "it leaks: memory"),
    (scenario("has_no_words", has_no_words), "exit status"),
    (scenario("stays_broken", stays_broken), "exit status"),
];

fn refused(then: impl FnOnce()) -> io::Result<()> {
    if Epoll::new().is_err() {
        then();
    }
    Ok(())
}

/// Where nobody sees it.
fn panics(_: &Runtime) -> io::Result<()> {
    refused(|| drop(thread::spawn(|| panic!("broken")).join()))
}

fn aborts(_: &Runtime) -> io::Result<()> {
    refused(|| process::abort())
}

fn hangs(_: &Runtime) -> io::Result<()> {
    refused(|| {
        loop {
            thread::park();
        }
    })
}

fn spins(_: &Runtime) -> io::Result<()> {
    refused(|| {
        loop {
            thread::yield_now();
        }
    })
}

fn leaks_a_descriptor(_: &Runtime) -> io::Result<()> {
    refused(|| mem::forget(File::open("/dev/null")))
}

fn leaks_memory(_: &Runtime) -> io::Result<()> {
    refused(|| mem::forget(vec![Box::new(1); 100]))
}

fn has_no_words(_: &Runtime) -> io::Result<()> {
    Epoll::new().map(drop).map_err(|_| io::Error::other(""))
}

fn stays_broken(_: &Runtime) -> io::Result<()> {
    static BROKEN: AtomicBool = AtomicBool::new(false);
    refused(|| BROKEN.store(true, Ordering::Relaxed))?;
    match BROKEN.load(Ordering::Relaxed) {
        true => Err(io::Error::other("it is broken for good")),
        false => Ok(()),
    }
}
