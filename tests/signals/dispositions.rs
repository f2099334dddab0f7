//! What becomes of a signal's disposition while somebody listens, and afterwards.

use std::ffi::c_void;
use std::io::{self, ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use runtime::block_on;
use runtime::signal::ctrl_c;
use runtime::signal::unix::{Signal, SignalKind, signal};
use runtime::task::yield_now;
use runtime::time::sleep;

use crate::say_last_words;
use crate::support::poll_once;
use crate::system::{
    Action, DEFAULT, IGNORE, action, fork, handler, info_handler, kill, kill_thread, possessions,
    raise, set_action, thread_id, wait, wait_until_asleep,
};

const USR1: SignalKind = SignalKind::user_defined1();

fn hears(listener: &mut Signal) -> bool {
    poll_once(pin!(listener.recv())).is_ready()
}

/// How often one of the handlers below was called.
static CALLS: AtomicI32 = AtomicI32::new(0);
/// The handler that `calling` calls after itself.
static NEXT: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(signal: i32) {
    assert_eq!(signal, libc::SIGUSR1);
    CALLS.fetch_add(1, Ordering::Relaxed);
}

extern "C" fn count_with_info(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: what calls a handler of this kind passes the signal's information.
    assert_eq!(signal, unsafe { (*info).si_signo });
    assert!(!context.is_null());
    CALLS.fetch_add(1, Ordering::Relaxed);
}

/// A handler as other libraries have them: it calls the one that it has replaced.
extern "C" fn calling(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    CALLS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: it was installed with SA_SIGINFO.
    let next: extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void) =
        unsafe { std::mem::transmute(NEXT.load(Ordering::Relaxed)) };
    next(signal, info, context);
}

fn calls() -> i32 {
    CALLS.swap(0, Ordering::Relaxed)
}

pub(crate) fn a_second_ctrl_c_kills() {
    block_on(async {
        let waits = runtime::spawn(ctrl_c());
        yield_now().await;
        raise(libc::SIGINT);
        waits.await.unwrap().unwrap();
        say_last_words();
        raise(libc::SIGINT);
        yield_now().await;
    });
}

pub(crate) fn the_last_of_several_gives_back() {
    let other = thread::spawn(|| {
        block_on(async {
            let mut listener = signal(SignalKind::terminate()).unwrap();
            listener.recv().await.unwrap();
        });
    });
    block_on(async {
        let mut first = signal(SignalKind::terminate()).unwrap();
        let second = signal(SignalKind::terminate()).unwrap();
        drop(second);
        raise(libc::SIGTERM);
        assert!(hears(&mut first));
        // Until the other has heard one and is gone.
        while !other.is_finished() {
            raise(libc::SIGTERM);
            yield_now().await;
        }
        assert_ne!(action(libc::SIGTERM), DEFAULT);
        drop(first);
        assert_eq!(action(libc::SIGTERM), DEFAULT);
        say_last_words();
        raise(libc::SIGTERM);
    });
}

pub(crate) fn a_runtime_that_goes_gives_back() {
    let _listener = block_on(async { signal(SignalKind::terminate()).unwrap() });
    say_last_words();
    raise(libc::SIGTERM);
}

pub(crate) fn what_was_before_comes_back_whole() {
    let blocking = Action { blocks: true, ..handler(count, libc::SA_NODEFER | libc::SA_RESETHAND) };
    for before in [DEFAULT, IGNORE, handler(count, 0), info_handler(count_with_info, 0), blocking] {
        set_action(libc::SIGUSR1, before);
        block_on(async {
            let mut listener = signal(USR1).unwrap();
            assert_ne!(action(libc::SIGUSR1), before);
            // A handler's mask is its own affair.
            let is_handler = ![DEFAULT, IGNORE].contains(&before);
            assert_eq!(action(libc::SIGUSR1).blocks, !is_handler || before.blocks);
            raise(libc::SIGUSR1);
            assert!(hears(&mut listener));
            drop(listener);
            assert_eq!(action(libc::SIGUSR1), before);
        });
    }
}

pub(crate) fn handlers_from_before_are_called() {
    for before in [handler(count, 0), info_handler(count_with_info, 0)] {
        set_action(libc::SIGUSR1, before);
        block_on(async {
            let mut listener = signal(USR1).unwrap();
            raise(libc::SIGUSR1);
            raise(libc::SIGUSR1);
            assert_eq!(calls(), 2);
            assert!(hears(&mut listener));
        });
        raise(libc::SIGUSR1);
        assert_eq!(calls(), 1);
    }
}

extern "C" fn spoil_errno(_: i32) {
    // SAFETY: it is this thread's own.
    unsafe { *libc::__errno_location() = libc::EXDEV };
}

pub(crate) fn errno_is_left_alone() {
    set_action(libc::SIGUSR1, handler(spoil_errno, 0));
    block_on(async {
        let _listener = signal(USR1).unwrap();
        // SAFETY: it is this thread's own.
        unsafe { *libc::__errno_location() = libc::ENOENT };
        raise(libc::SIGUSR1);
        assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::ENOENT));
    });
}

/// A program that counts on its blocking calls to be interrupted, so that it can look at what its handler
/// has noted, would go on to wait if they were not.
pub(crate) fn blocking_calls_are_interrupted_as_before() {
    for (before, interrupts) in
        [(handler(count, 0), true), (handler(count, libc::SA_RESTART), false), (DEFAULT, false)]
    {
        set_action(libc::SIGUSR1, before);
        block_on(async {
            let mut listener = signal(USR1).unwrap();
            let (mut reader, writer) = UnixStream::pair().unwrap();
            let (started, reads) = mpsc::channel();
            let thread = thread::spawn(move || {
                started.send(thread_id()).unwrap();
                // std repeats it in `read_exact`, not in `read`.
                reader.read(&mut [0]).map_err(|error| error.kind())
            });
            let id = reads.recv().unwrap();
            wait_until_asleep(id);
            kill_thread(id, libc::SIGUSR1);
            listener.recv().await.unwrap();
            if interrupts {
                assert_eq!(thread.join().unwrap(), Err(ErrorKind::Interrupted));
            } else {
                drop(writer);
                assert_eq!(thread.join().unwrap(), Ok(0));
            }
        });
    }
}

pub(crate) fn who_replaced_ours_stays() {
    block_on(async {
        let theirs = handler(count, libc::SA_NODEFER);
        let listener = signal(USR1).unwrap();
        set_action(libc::SIGUSR1, theirs);
        drop(listener);
        assert_eq!(action(libc::SIGUSR1), theirs);
        // And what comes later is not the runtime's to guess: who replaces it with none is replaced.
        set_action(libc::SIGUSR1, IGNORE);
        let mut listener = signal(USR1).unwrap();
        raise(libc::SIGUSR1);
        assert!(hears(&mut listener));
        drop(listener);
        assert_eq!(action(libc::SIGUSR1), IGNORE);
    });
}

pub(crate) fn who_calls_ours_is_called_once() {
    block_on(async {
        // With nobody below, and nobody who listens: theirs has handled it, and it does not kill.
        let listener = signal(SignalKind::user_defined2()).unwrap();
        NEXT.store(action(libc::SIGUSR2).handler, Ordering::Relaxed);
        set_action(libc::SIGUSR2, info_handler(calling, 0));
        drop(listener);
        raise(libc::SIGUSR2);
        assert_eq!(calls(), 1);

        set_action(libc::SIGUSR1, handler(count, 0));
        let mut listener = signal(USR1).unwrap();
        NEXT.store(action(libc::SIGUSR1).handler, Ordering::Relaxed);
        let theirs = info_handler(calling, 0);
        set_action(libc::SIGUSR1, theirs);
        raise(libc::SIGUSR1);
        assert!(hears(&mut listener));
        assert_eq!(calls(), 2, "theirs, and the one before ours");

        drop(listener);
        raise(libc::SIGUSR1);
        assert_eq!(calls(), 2, "the same without a listener");

        // Under it again: above it, ours and theirs would call each other for ever.
        let mut listener = signal(USR1).unwrap();
        raise(libc::SIGUSR1);
        assert_eq!(calls(), 2);
        assert!(hears(&mut listener));
        drop(listener);
        assert_eq!(action(libc::SIGUSR1), theirs);
    });
}

/// Others replace our handler for a time, as system(3) does; meanwhile our last listener goes.
fn have_ours_put_back(signal_number: i32, meanwhile: Action) {
    let listener = signal(SignalKind::from_raw(signal_number)).unwrap();
    let ours = action(signal_number);
    set_action(signal_number, meanwhile);
    drop(listener);
    set_action(signal_number, ours);
}

pub(crate) fn ours_put_back_by_others_does_the_default() {
    block_on(async {
        for meanwhile in [handler(count, 0), IGNORE] {
            have_ours_put_back(libc::SIGTERM, meanwhile);
            // It goes on as if it had never been away.
            let mut listener = signal(SignalKind::terminate()).unwrap();
            raise(libc::SIGTERM);
            assert!(hears(&mut listener));
            drop(listener);
            assert_eq!(action(libc::SIGTERM), DEFAULT);
        }
        have_ours_put_back(libc::SIGTERM, IGNORE);
        say_last_words();
        raise(libc::SIGTERM);
    });
}

pub(crate) fn ours_put_back_by_others_goes_on_after_a_stop() {
    let child = fork(true, || {
        // Nothing stops in a group without a parent in its session, as a program's in the background may be.
        // SAFETY: the call takes numbers.
        assert_eq!(unsafe { libc::setpgid(0, 0) }, 0);
        block_on(async {
            have_ours_put_back(libc::SIGTSTP, IGNORE);
            let ours = action(libc::SIGTSTP);
            raise(libc::SIGTSTP);
            assert_eq!(action(libc::SIGTSTP), ours);
        });
    });
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    let waited = unsafe { libc::waitpid(child, &mut status, libc::WUNTRACED) };
    assert_eq!(waited, child, "{}", io::Error::last_os_error());
    assert!(libc::WIFSTOPPED(status), "{status:x}");
    kill(child, libc::SIGCONT);
    assert!(wait(child).success());
}

pub(crate) fn nothing_is_left() {
    let before = (possessions(), action(libc::SIGUSR1));
    block_on(async {
        let mut listener = signal(USR1).unwrap();
        assert_eq!(possessions(), before.0, "not even while it listens");
        let waits = runtime::spawn(async move { listener.recv().await });
        yield_now().await;
        raise(libc::SIGUSR1);
        assert_eq!(waits.await.unwrap(), Some(()));
        assert_eq!((possessions(), action(libc::SIGUSR1)), before);
        // A listener that has left wakes nobody, and one that is asleep is not disturbed by another's.
        let mut listener = signal(USR1).unwrap();
        assert_eq!(poll_once(pin!(listener.recv())), Poll::Pending);
        sleep(Duration::from_micros(1)).await;
    });
    assert_eq!(action(libc::SIGUSR1), before.1);
}
