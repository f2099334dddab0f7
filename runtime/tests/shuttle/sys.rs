//! What the engine takes from `crate::sys`: the system calls themselves, but for those that wait, which would
//! stop all threads of a story at once, and for signals and cores, which are the whole process's.

#[path = "../../src/sys/mod.rs"]
mod real;

pub use real::context;
pub(crate) use real::*;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use crate::sync::{Condvar, Mutex, OnceLock};

/// Who sleeps in the kernel.
struct Kernel {
    /// Those that wait on a futex, by its address.
    words: Mutex<HashMap<usize, Arc<Condvar>>>,
    /// Those that wait for events, and the lock under which there are any.
    looking: Mutex<()>,
    events: Condvar,
}

fn kernel() -> &'static Kernel {
    static KERNEL: OnceLock<Kernel> = OnceLock::new();
    KERNEL.get_or_init(|| Kernel {
        words: Mutex::new(HashMap::new()),
        looking: Mutex::new(()),
        events: Condvar::new(),
    })
}

/// Makes a system call after which a descriptor may be ready.
pub(crate) fn make_ready<R>(call: impl FnOnce() -> R) -> R {
    let _looking = kernel().looking.lock().unwrap();
    let result = call();
    kernel().events.notify_all();
    result
}

pub(crate) mod futex {
    //! A word to sleep on, whose deadlines never come.

    use super::*;
    use crate::sync::{AtomicU32, Ordering};

    fn address(word: &AtomicU32) -> usize {
        std::ptr::from_ref(word).addr()
    }

    pub(crate) fn wait(word: &AtomicU32, expected: u32, _deadline_ns: Option<i64>) {
        let mut words = kernel().words.lock().unwrap();
        let sleepers = words.entry(address(word)).or_default().clone();
        if word.load(Ordering::SeqCst) == expected {
            drop(sleepers.wait(words).unwrap());
        }
    }

    pub(crate) fn wake_one(word: &AtomicU32) {
        let words = kernel().words.lock().unwrap();
        if let Some(sleepers) = words.get(&address(word)) {
            sleepers.notify_one();
        }
    }
}

pub(crate) mod eventfd {
    //! The eventfd, whose writes end the waits here.

    use std::os::fd::{AsRawFd, RawFd};

    use super::*;

    #[derive(Debug)]
    pub struct EventFd(real::eventfd::EventFd);

    impl EventFd {
        pub fn new() -> io::Result<EventFd> {
            real::eventfd::EventFd::new().map(EventFd)
        }

        pub fn write(&self, value: u64) -> io::Result<()> {
            make_ready(|| self.0.write(value))
        }
    }

    impl AsRawFd for EventFd {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_raw_fd()
        }
    }
}

pub(crate) mod epoll {
    //! The epoll instance, which is asked again whenever something may be ready.

    use std::ops::Deref;
    use std::time::Duration;

    pub(crate) use real::epoll::*;

    use super::*;

    #[derive(Debug)]
    pub struct Epoll(real::epoll::Epoll);

    impl Epoll {
        pub fn new() -> io::Result<Epoll> {
            real::epoll::Epoll::new().map(Epoll)
        }

        pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<usize> {
            let mut looking = kernel().looking.lock().unwrap();
            loop {
                let count = self.0.wait(events, Some(Duration::ZERO))?;
                if count > 0 || timeout == Some(Duration::ZERO) {
                    return Ok(count);
                }
                looking = kernel().events.wait(looking).unwrap();
            }
        }
    }

    impl Deref for Epoll {
        type Target = real::epoll::Epoll;

        fn deref(&self) -> &real::epoll::Epoll {
            &self.0
        }
    }
}

pub(crate) mod sigaction {
    //! Signals that only a story sends: a handler is what some thread of it calls.

    pub(crate) use real::sigaction::check;

    use super::signal::{MAX_SIGNAL, SignalInfo, SignalKind};
    use super::*;

    type Note = fn(&SignalInfo);

    static NOTES: OnceLock<Mutex<[Option<Note>; MAX_SIGNAL]>> = OnceLock::new();

    fn notes() -> &'static Mutex<[Option<Note>; MAX_SIGNAL]> {
        NOTES.get_or_init(|| Mutex::new([None; MAX_SIGNAL]))
    }

    pub(crate) struct Disposition;

    impl Disposition {
        pub(crate) const fn new() -> Disposition {
            Disposition
        }

        pub(crate) fn take(&mut self, index: usize, note: Note) -> io::Result<()> {
            notes().lock().unwrap()[index] = Some(note);
            Ok(())
        }

        pub(crate) fn was_ignored(&self) -> bool {
            false
        }

        pub(crate) fn give_back(&mut self, index: usize) {
            notes().lock().unwrap()[index] = None;
        }
    }

    /// Interrupts this thread with a signal that carries a value.
    pub(crate) fn interrupt(kind: SignalKind, value: i32) {
        let signal = kind.as_raw_value();
        let note = notes().lock().unwrap()[signal as usize - 1];
        if let Some(note) = note {
            note(&SignalInfo { signal, code: 0, pid: 0, uid: 0, value });
        }
    }
}

pub(crate) mod affinity {
    //! Two cores, to which nothing is pinned.

    use std::io;

    pub(crate) fn processors() -> io::Result<Vec<usize>> {
        Ok(vec![0, 1])
    }

    pub(crate) fn pin_to(_processor: usize) -> io::Result<()> {
        Ok(())
    }
}
