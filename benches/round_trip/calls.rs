//! Counts system calls: libc's functions, defined here in their place, count and go on to libc's.
//!
//! The linker takes a program's own definition before the library's. It is only in the benchmark
//! that counts calls, so that the others measure no counter.

use std::ffi::{CStr, c_int, c_void};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::in_wait;

/// A function of libc: its calls so far, and where the real one is.
struct Function {
    name: &'static CStr,
    calls: AtomicU64,
    address: AtomicUsize,
}

impl Function {
    const fn new(name: &'static CStr) -> Function {
        Function { name, calls: AtomicU64::new(0), address: AtomicUsize::new(0) }
    }

    fn count(&self) -> usize {
        if !in_wait::ACTING.load(Ordering::Relaxed) {
            self.calls.fetch_add(1, Ordering::Relaxed);
        }
        match self.address.load(Ordering::Relaxed) {
            0 => self.look_up(),
            address => address,
        }
    }

    #[cold]
    fn look_up(&self) -> usize {
        // SAFETY: the name is a C string.
        let address = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) } as usize;
        assert!(address != 0, "libc has no {:?}", self.name);
        self.address.store(address, Ordering::Relaxed);
        address
    }
}

/// Defines functions of libc by their signatures, and the list of them.
macro_rules! counted {
    ($($name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        mod function {
            #![allow(non_upper_case_globals)]
            $(pub(super) static $name: super::Function =
                super::Function::new(match std::ffi::CStr::from_bytes_with_nul(
                    concat!(stringify!($name), "\0").as_bytes(),
                ) {
                    Ok(name) => name,
                    Err(_) => unreachable!(),
                });)*
        }
        $(
            // With the name and signature of libc's function, and doing the same.
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name($($arg: $type),*) -> $result {
                let real = function::$name.count();
                // SAFETY: this is the address of libc's function of that name, and the signature is
                // its signature; what it asks of its arguments is what our caller keeps.
                unsafe {
                    let real: unsafe extern "C" fn($($type),*) -> $result = std::mem::transmute(real);
                    real($($arg),*)
                }
            }
        )*
        static ALL: &[&Function] = &[$(&function::$name),*];
    };
}

counted! {
    // What `in_wait.rs` makes of `epoll_wait`.
    epoll_pwait(
        fd: c_int, events: *mut libc::epoll_event, max: c_int, timeout: c_int,
        mask: *const libc::sigset_t
    ) -> c_int;
    epoll_ctl(fd: c_int, op: c_int, target: c_int, event: *mut libc::epoll_event) -> c_int;
    timerfd_settime(
        fd: c_int, flags: c_int, new: *const libc::itimerspec, old: *mut libc::itimerspec
    ) -> c_int;
    accept4(
        fd: c_int, address: *mut libc::sockaddr, len: *mut libc::socklen_t, flags: c_int
    ) -> c_int;
    read(fd: c_int, buf: *mut c_void, len: usize) -> isize;
    write(fd: c_int, buf: *const c_void, len: usize) -> isize;
    recv(fd: c_int, buf: *mut c_void, len: usize, flags: c_int) -> isize;
    send(fd: c_int, buf: *const c_void, len: usize, flags: c_int) -> isize;
    recvfrom(
        fd: c_int, buf: *mut c_void, len: usize, flags: c_int,
        address: *mut libc::sockaddr, address_len: *mut libc::socklen_t
    ) -> isize;
    sendto(
        fd: c_int, buf: *const c_void, len: usize, flags: c_int,
        address: *const libc::sockaddr, address_len: libc::socklen_t
    ) -> isize;
    // No system call as a rule, but a look into the vDSO.
    clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int;
    recvmsg(fd: c_int, message: *mut libc::msghdr, flags: c_int) -> isize;
    sendmsg(fd: c_int, message: *const libc::msghdr, flags: c_int) -> isize;
}

/// Each function by name, and how often it has been called.
pub(crate) fn counts() -> impl Iterator<Item = (&'static str, u64)> {
    ALL.iter().map(|function| {
        let name = function.name.to_str().expect("a function's name is ASCII");
        (name, function.calls.load(Ordering::Relaxed))
    })
}
