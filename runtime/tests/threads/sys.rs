//! What the engine takes from `crate::sys`, as it is, and what stories take besides.

#[path = "../../src/sys/mod.rs"]
mod real;

pub use real::context;
pub(crate) use real::*;

/// Makes a system call after which a descriptor may be ready.
pub(crate) fn make_ready<R>(call: impl FnOnce() -> R) -> R {
    call()
}

pub(crate) mod sigaction {
    //! The handler, and a signal for it.

    pub(crate) use super::real::sigaction::*;

    use super::signal::SignalKind;

    /// Interrupts this thread with a signal that carries a value.
    pub(crate) fn interrupt(kind: SignalKind, value: i32) {
        let value = libc::sigval { sival_ptr: value as usize as *mut libc::c_void };
        // SAFETY: the thread is this one, and the calls follow no pointer.
        let sent = unsafe { pthread_sigqueue(libc::pthread_self(), kind.as_raw_value(), value) };
        assert_eq!(sent, 0);
    }

    unsafe extern "C" {
        fn pthread_sigqueue(
            thread: libc::pthread_t,
            signal: libc::c_int,
            value: libc::sigval,
        ) -> libc::c_int;
    }
}
