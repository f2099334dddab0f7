//! Files, and names of hosts, where the system interrupts and refuses: libc's functions are this executable's own here, and fail
//! as long as a test says so.
#![allow(unsafe_code)]

#[path = "support/mod.rs"]
mod support;

use std::ffi::{c_int, c_void};
use std::io::ErrorKind;
use std::mem;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use runtime::fs::{self, File};
use support::faults::{fail, forward};
use support::run;

/// The descriptor whose next call is interrupted.
static INTERRUPTED: AtomicI32 = AtomicI32::new(-1);
/// Whether threads are refused.
static NO_THREADS: AtomicBool = AtomicBool::new(false);

fn is_interrupted(fd: c_int) -> bool {
    INTERRUPTED.compare_exchange(fd, -1, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}

// What makes `no_mangle` sound here: these have the names, the signatures and the meaning of libc's
// functions.

#[unsafe(no_mangle)]
extern "C" fn read(fd: c_int, buf: *mut c_void, len: usize) -> isize {
    if is_interrupted(fd) {
        return fail(libc::EINTR) as isize;
    }
    forward!(SYS_read, fd, buf, len) as isize
}

#[unsafe(no_mangle)]
extern "C" fn write(fd: c_int, buf: *const c_void, len: usize) -> isize {
    if is_interrupted(fd) {
        return fail(libc::EINTR) as isize;
    }
    forward!(SYS_write, fd, buf, len) as isize
}

#[unsafe(no_mangle)]
extern "C" fn pread64(fd: c_int, buf: *mut c_void, len: usize, offset: i64) -> isize {
    if is_interrupted(fd) {
        return fail(libc::EINTR) as isize;
    }
    forward!(SYS_pread64, fd, buf, len, offset) as isize
}

#[unsafe(no_mangle)]
extern "C" fn pwrite64(fd: c_int, buf: *const c_void, len: usize, offset: i64) -> isize {
    if is_interrupted(fd) {
        return fail(libc::EINTR) as isize;
    }
    forward!(SYS_pwrite64, fd, buf, len, offset) as isize
}

type Create = extern "C" fn(
    *mut c_void,
    *const c_void,
    extern "C" fn(*mut c_void) -> *mut c_void,
    *mut c_void,
) -> c_int;

#[unsafe(no_mangle)]
extern "C" fn pthread_create(
    thread: *mut c_void,
    attributes: *const c_void,
    start: extern "C" fn(*mut c_void) -> *mut c_void,
    argument: *mut c_void,
) -> c_int {
    if NO_THREADS.load(Ordering::Relaxed) {
        return libc::EAGAIN;
    }
    // SAFETY: the name is a string of C, and what bears it has the type of this function.
    let next: Create = unsafe {
        let next = libc::dlsym(libc::RTLD_NEXT, c"pthread_create".as_ptr());
        assert!(!next.is_null());
        mem::transmute(next)
    };
    next(thread, attributes, start, argument)
}

/// One test at a time: what is refused is refused to all threads.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_call_that_a_signal_interrupts_is_made_again() {
    let _alone = alone();
    let path = std::env::temp_dir().join(format!("runtime-fs-faults-{}", std::process::id()));
    run(async {
        let mut file = File::create_new(&path).await.unwrap();
        let fd = file.as_raw_fd();
        let interrupt = || INTERRUPTED.store(fd, Ordering::Relaxed);
        let is_over = || assert_eq!(INTERRUPTED.load(Ordering::Relaxed), -1);
        let mut buf = [0; 3];

        interrupt();
        assert_eq!(file.write(b"one").await.unwrap(), 3);
        is_over();
        interrupt();
        assert_eq!(file.write_at(b"two", 3).await.unwrap(), 3);
        is_over();
        interrupt();
        assert_eq!(file.read(&mut buf).await.unwrap(), 3);
        is_over();
        interrupt();
        assert_eq!(file.read_at(&mut buf, 0).await.unwrap(), 3);
        is_over();
        fs::remove_file(&path).await.unwrap();
    });
}

#[test]
fn a_thread_that_is_refused_is_an_error() {
    let _alone = alone();
    run(async {
        NO_THREADS.store(true, Ordering::Relaxed);
        let read = fs::read("/proc/self/stat").await;
        NO_THREADS.store(false, Ordering::Relaxed);
        let error = read.unwrap_err();
        let said = error.to_string();
        assert!(said.starts_with("reading /proc/self/stat: "), "{said}");
        assert!(said.contains("could not start a thread") && said.contains("ulimit"), "{said}");
        // Whoever sees that kind waits until it can be tried again.
        assert_ne!(error.kind(), ErrorKind::WouldBlock);
        fs::read("/proc/self/stat").await.unwrap();
    });
}

#[test]
fn a_thread_that_is_refused_to_a_name_or_to_a_builder_is_an_error() {
    let _alone = alone();
    run(async {
        NO_THREADS.store(true, Ordering::Relaxed);
        let found = runtime::net::lookup_host("localhost:7").await.map(|found| found.count());
        let bound = runtime::net::TcpListener::bind("localhost:0").await.map(drop);
        let built = runtime::task::Builder::new().spawn_blocking(|| ()).map(drop);
        NO_THREADS.store(false, Ordering::Relaxed);
        for error in [found.unwrap_err(), bound.unwrap_err()] {
            let said = error.to_string();
            assert!(said.starts_with("looking up `localhost`: "), "{said}");
            assert!(said.contains("could not start a thread"), "{said}");
        }
        assert!(built.unwrap_err().to_string().contains("could not start a thread"));
        assert!(runtime::net::lookup_host("localhost:7").await.unwrap().count() > 0);
    });
}

#[cfg(feature = "tokio-io")]
#[test]
fn a_thread_that_is_refused_to_a_trait_is_an_error_once() {
    use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

    let _alone = alone();
    let path = std::env::temp_dir().join(format!("runtime-refused-{}", std::process::id()));
    let open = || std::fs::File::options().read(true).append(true).create(true).open(&path);
    let mut file = File::from_std(open().unwrap());
    run(async {
        for operation in ["write", "read", "seek"] {
            NO_THREADS.store(true, Ordering::Relaxed);
            let refused = match operation {
                "write" => AsyncWriteExt::write(&mut file, b"refused").await.err(),
                "read" => AsyncReadExt::read(&mut file, &mut [0; 8]).await.err(),
                _ => AsyncSeekExt::rewind(&mut file).await.err(),
            };
            NO_THREADS.store(false, Ordering::Relaxed);
            let said = refused.expect(operation).to_string();
            assert!(said.contains("could not start a thread"), "{operation}: {said}");
            AsyncWriteExt::flush(&mut file).await.expect(operation);
        }
        AsyncWriteExt::write_all(&mut file, b"taken").await.unwrap();
        AsyncWriteExt::flush(&mut file).await.unwrap();
    });
    assert_eq!(std::fs::read(&path).unwrap(), b"taken");
    std::fs::remove_file(&path).unwrap();
}
