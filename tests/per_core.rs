//! A runtime per core, in a process of its own: libc's functions for processors and threads are this
//! executable's here, and refuse what a test says, else they go on to the system.
#![allow(unsafe_code)]

#[path = "support/mod.rs"]
mod support;

use std::cell::Cell;
use std::collections::HashSet;
use std::error::Error;
use std::ffi::{c_int, c_void};
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use futures::channel::mpsc;
use futures::{SinkExt, StreamExt};
use runtime::net::{TcpListener, TcpStream};
use runtime::{Builder, Core, Handle, per_core};
use support::limited;

thread_local! {
    /// What `sched_getaffinity` fails with on this thread, and for masks below how many bytes.
    static GET_FAILS: Cell<(c_int, usize)> = const { Cell::new((0, 0)) };
    /// After how many threads `pthread_create` fails on this thread.
    static THREADS_LEFT: Cell<u32> = const { Cell::new(u32::MAX) };
}

/// The processors, counted from the first of a mask, for which `sched_setaffinity` fails.
static PINNING_FAILS_FROM: AtomicUsize = AtomicUsize::new(usize::MAX);

fn fails_with(errno: c_int) -> c_int {
    // SAFETY: the location is this thread's.
    unsafe { *libc::__errno_location() = errno };
    -1
}

// What makes `no_mangle` sound here: these have the names, the signatures and the meaning of libc's
// functions.

#[unsafe(no_mangle)]
extern "C" fn sched_getaffinity(pid: c_int, size: usize, mask: *mut c_void) -> c_int {
    let (errno, below) = GET_FAILS.get();
    if size < below {
        return fails_with(errno);
    }
    // SAFETY: the arguments are those of the call that this stands for. The kernel fills a part.
    unsafe {
        mask.cast::<u8>().write_bytes(0, size);
        if libc::syscall(libc::SYS_sched_getaffinity, pid, size, mask) < 0 { -1 } else { 0 }
    }
}

#[unsafe(no_mangle)]
extern "C" fn sched_setaffinity(pid: c_int, size: usize, mask: *const c_void) -> c_int {
    // SAFETY: the caller's mask is so many bytes.
    let bytes = unsafe { std::slice::from_raw_parts(mask.cast::<u8>(), size) };
    let first = bytes.iter().position(|byte| *byte != 0);
    let first = first.map_or(0, |at| at * 8 + bytes[at].trailing_zeros() as usize);
    if first >= PINNING_FAILS_FROM.load(Ordering::Relaxed) {
        return fails_with(libc::EPERM);
    }
    // SAFETY: the arguments are those of the call that this stands for.
    unsafe { libc::syscall(libc::SYS_sched_setaffinity, pid, size, mask) as c_int }
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
    let left = THREADS_LEFT.get();
    if left == 0 {
        return libc::EAGAIN;
    }
    THREADS_LEFT.set(left - u32::from(left != u32::MAX));
    // SAFETY: the name is a string of C, and what bears it has the type of this function.
    let next: Create = unsafe {
        let next = libc::dlsym(libc::RTLD_NEXT, c"pthread_create".as_ptr());
        assert!(!next.is_null());
        mem::transmute(next)
    };
    next(thread, attributes, start, argument)
}

/// One test at a time: what is refused is refused to all threads, and which processors threads get is
/// looked at.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn may_run_on() -> Vec<usize> {
    // SAFETY: a `cpu_set_t` is an array of integers, for which zeros are valid; the call fills it, and
    // CPU_ISSET indexes it below its size.
    unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        assert_eq!(libc::sched_getaffinity(0, size_of_val(&set), &mut set), 0);
        (0..libc::CPU_SETSIZE as usize).filter(|n| libc::CPU_ISSET(*n, &set)).collect()
    }
}

/// Keeps this thread on one processor.
fn pin_to(processor: usize) {
    // SAFETY: as above, and the call only reads the set.
    unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        assert_eq!(libc::sched_setaffinity(0, size_of_val(&set), &set), 0);
    }
}

fn runs_on() -> usize {
    // SAFETY: the call takes nothing.
    let processor = unsafe { libc::sched_getcpu() };
    usize::try_from(processor).expect("sched_getcpu works")
}

/// What only one core is to have.
fn taken<T>(place: &Mutex<Option<T>>) -> T {
    place.lock().unwrap().take().expect("it is taken once")
}

fn unwrap_all<T>(results: io::Result<Vec<thread::Result<T>>>) -> Vec<T> {
    results.unwrap().into_iter().map(|result| result.expect("no core panics")).collect()
}

#[test]
fn each_core_has_a_pinned_thread_and_a_runtime_and_the_caller_stays_as_it_was() {
    let _alone = alone();
    limited(|| {
        let before = may_run_on();
        let together = Barrier::new(before.len());
        let cores = unwrap_all(per_core(async |core| {
            // Returns only if all cores run at the same time.
            together.wait();
            for _ in 0..100 {
                assert_eq!(runs_on(), core.processor());
                runtime::task::yield_now().await;
            }
            let blocking = runtime::spawn_blocking(may_run_on).await.unwrap();
            assert_eq!(blocking, [core.processor()]);
            assert_eq!(may_run_on(), [core.processor()]);
            assert_eq!(thread::current().name(), Some(&*format!("core-{}", core.index())));
            (core, Handle::current().id())
        }));
        assert_eq!(cores.iter().map(|(core, _)| *core).collect::<Vec<_>>(), Core::all().unwrap());
        assert_eq!(may_run_on(), before);
        let indices: Vec<usize> = cores.iter().map(|(core, _)| core.index()).collect();
        assert_eq!(indices, (0..before.len()).collect::<Vec<_>>());
        let processors: Vec<usize> = cores.iter().map(|(core, _)| core.processor()).collect();
        assert_eq!(processors, before);
        assert!(cores.iter().all(|(core, _)| core.count() == before.len()));
        let runtimes: HashSet<_> = cores.iter().map(|(_, runtime)| runtime).collect();
        assert_eq!(runtimes.len(), before.len());
    });
}

#[test]
fn the_processors_are_those_the_caller_may_run_on() {
    let _alone = alone();
    limited(|| {
        let last = *may_run_on().last().unwrap();
        thread::spawn(move || {
            pin_to(last);
            let cores = unwrap_all(per_core(async |core| core));
            assert_eq!(cores.iter().map(Core::processor).collect::<Vec<_>>(), [last]);
        })
        .join()
        .unwrap();
    });
}

#[test]
fn futures_need_not_be_send_and_may_borrow() {
    let _alone = alone();
    limited(|| {
        let sum = AtomicUsize::new(0);
        let counts = unwrap_all(per_core(async |core| {
            let local = Rc::new(Cell::new(0));
            let tasks: Vec<_> = (0..10)
                .map(|_| {
                    let local = local.clone();
                    runtime::spawn(async move {
                        runtime::time::sleep(Duration::from_micros(1)).await;
                        local.set(local.get() + 1);
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            sum.fetch_add(local.get(), Ordering::Relaxed);
            core.count()
        }));
        assert_eq!(sum.into_inner(), 10 * counts[0]);
    });
}

#[test]
fn a_panic_is_returned_in_its_place_and_the_others_run_on() {
    let _alone = alone();
    limited(|| {
        let cores = may_run_on().len();
        // Each core but the first ends when the first one's tasks are gone.
        let (gone, first_is_gone) = mpsc::unbounded::<()>();
        let gone = Mutex::new(Some(gone));
        let first_is_gone = Mutex::new(Some(first_is_gone));
        let ends = per_core(async |core| {
            if core.index() == 0 {
                let gone = taken(&gone);
                runtime::spawn(async move {
                    let _gone = gone;
                    std::future::pending::<()>().await;
                });
                runtime::task::yield_now().await;
                panic!("the first core fell");
            }
            if core.index() == 1 {
                let mut first_is_gone = taken(&first_is_gone);
                assert!(first_is_gone.next().await.is_none());
            }
            core.index()
        });
        let mut ends = ends.unwrap().into_iter();
        let payload = ends.next().unwrap().unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"the first core fell"));
        let others: Vec<usize> = ends.map(|end| end.expect("only the first panics")).collect();
        assert_eq!(others, (1..cores).collect::<Vec<_>>());
    });
}

#[test]
fn every_panic_is_returned() {
    let _alone = alone();
    limited(|| {
        let ends = per_core(async |core| -> () { std::panic::panic_any(core) }).unwrap();
        let cores = ends.into_iter().map(|end| *end.unwrap_err().downcast::<Core>().unwrap());
        assert_eq!(cores.map(|core| core.processor()).collect::<Vec<_>>(), may_run_on());
    });
}

#[test]
fn inside_a_runtime_it_panics_with_the_remedy() {
    let _alone = alone();
    limited(|| {
        runtime::block_on(async {
            let nested = || per_core(async |_| ());
            let payload = catch_unwind(AssertUnwindSafe(nested)).unwrap_err();
            let message = payload.downcast_ref::<String>().unwrap();
            assert!(message.starts_with("per_core was called inside a runtime"), "{message}");
        });
    });
}

#[test]
fn the_options_are_those_of_the_builder() {
    let _alone = alone();
    limited(|| {
        let mut builder = Builder::new();
        builder.start_paused(true).thread_name("resolver");
        let hours = unwrap_all(builder.per_core(async |_| {
            let start = runtime::time::Instant::now();
            runtime::time::sleep(Duration::from_secs(3600)).await;
            let name = || thread::current().name().map(String::from);
            assert_eq!(runtime::spawn_blocking(name).await.unwrap().unwrap(), "resolver");
            start.elapsed()
        }));
        assert!(hours.iter().all(|hour| *hour >= Duration::from_secs(3600)), "{hours:?}");
    });
}

#[test]
fn a_stream_goes_from_core_to_core() {
    let _alone = alone();
    limited(|| {
        let (hand_over, handed_over) = mpsc::channel(1);
        let (hand_over, handed_over) = (Mutex::new(Some(hand_over)), Mutex::new(Some(handed_over)));
        unwrap_all(per_core(async |core| {
            let talk = async {
                if core.index() == 0 {
                    accept_talk_and_hand_over(taken(&hand_over)).await;
                }
            };
            let echo = async {
                if core.index() == core.count() - 1 {
                    let stream: TcpStream = taken(&handed_over).next().await.unwrap();
                    let mut byte = [0];
                    while stream.read(&mut byte).await.unwrap() == 1 {
                        stream.write_all(&byte).await.unwrap();
                    }
                }
            };
            runtime::join!(talk, echo);
        }));
    });
}

async fn accept_talk_and_hand_over(mut hand_over: mpsc::Sender<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    // It waits here before it goes, so that this core's runtime has it registered.
    assert!(futures::poll!(std::pin::pin!(server.read(&mut [0]))).is_pending());
    hand_over.send(server).await.unwrap();
    for sent in 0..100 {
        let mut echoed = [0];
        client.write_all(&[sent]).await.unwrap();
        client.read_exact(&mut echoed).await.unwrap();
        assert_eq!(echoed, [sent]);
    }
}

/// The text of an error that wraps the system's, which is returned too.
fn told(error: &io::Error) -> (String, Option<i32>) {
    let source = error.get_ref().and_then(Error::source);
    let errno = source.and_then(|source| source.downcast_ref()).and_then(io::Error::raw_os_error);
    (error.to_string(), errno)
}

#[test]
fn a_refusal_is_an_error_and_no_core_begins() {
    let _alone = alone();
    limited(|| {
        let begun = AtomicUsize::new(0);
        let refused = |what: &str| {
            let error = per_core(async |_| begun.fetch_add(1, Ordering::Relaxed)).unwrap_err();
            let (text, errno) = told(&error);
            assert!(text.starts_with(what), "{text}");
            errno
        };
        let processors = may_run_on();

        GET_FAILS.set((libc::ENOSYS, usize::MAX));
        assert_eq!(refused("asking which processors"), Some(libc::ENOSYS));
        GET_FAILS.set((libc::EINVAL, usize::MAX));
        assert_eq!(refused("asking which processors"), Some(libc::EINVAL));
        GET_FAILS.set((0, 0));

        THREADS_LEFT.set(processors.len() as u32 - 1);
        let count = processors.len();
        assert_eq!(refused(&format!("starting thread {count} of {count}")), Some(libc::EAGAIN));
        THREADS_LEFT.set(u32::MAX);

        let last = processors[count - 1];
        PINNING_FAILS_FROM.store(last, Ordering::Relaxed);
        assert_eq!(refused(&format!("pinning a thread to processor {last}")), Some(libc::EPERM));
        PINNING_FAILS_FROM.store(usize::MAX, Ordering::Relaxed);

        assert_eq!(begun.into_inner(), 0);
    });
}

#[test]
fn a_kernel_with_more_processors_than_a_mask_is_asked_again() {
    let _alone = alone();
    limited(|| {
        GET_FAILS.set((libc::EINVAL, 1024));
        let cores = unwrap_all(per_core(async |core| core.processor()));
        GET_FAILS.set((0, 0));
        assert_eq!(cores, may_run_on());
    });
}
