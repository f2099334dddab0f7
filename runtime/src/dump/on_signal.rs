//! Dumps when a signal comes: by a thread of its own, so that they come also while the loop hangs.

use std::io::{self, Write};
use std::sync::mpsc;
use std::thread;

use crate::handle::Handle;
use crate::runtime::Runtime;
use crate::signal::unix::{SignalKind, signal};
use crate::sys;
use crate::task::{AbortHandle, JoinHandle};
use crate::wakeups;

/// Kept by the runtime that is watched: ends the thread with it.
struct End(AbortHandle);

impl Drop for End {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Handle {
    /// Prints a dump of the runtime to stderr whenever a signal comes, from this call on until the runtime is
    /// gone.
    ///
    /// A thread of its own listens, so that a dump comes also while the loop hangs: it then says that, as
    /// [`dump`](Handle::dump) does. The usual signals for it are SIGQUIT, which is Ctrl-\ in a terminal, and
    /// SIGUSR1. What the signal did before it does no more, as with any
    /// [`signal`](crate::signal::unix::signal), and there may be other listeners for it. Several runtimes and
    /// several signals do not disturb each other: each call is a thread, which sleeps but for the dumps.
    ///
    /// ```no_run
    /// use runtime::signal::unix::SignalKind;
    ///
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     runtime::Handle::current().dump_on(SignalKind::quit())?;
    ///     // the program
    /// # Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// For what cannot be listened for, as [`signal`](crate::signal::unix::signal); when the runtime is gone; and
    /// when the system refuses the thread.
    ///
    /// # Panics
    ///
    /// When 65,536 runtimes are alive: the thread's is one.
    #[cold]
    pub fn dump_on(&self, kind: SignalKind) -> io::Result<()> {
        let watched = self.clone();
        let (tell, told) = mpsc::channel();
        let watch = move || match listen(watched, kind) {
            Ok((runtime, listening)) => {
                let _ = tell.send(Ok(()));
                // It is cancelled when the runtime that is watched goes.
                let _ = runtime.block_on(listening);
            }
            Err(error) => drop(tell.send(Err(error))),
        };
        let thread = thread::Builder::new().name("runtime-dump".to_string());
        thread.spawn(watch).map_err(|error| {
            sys::context(error, format!("dumping on {kind}: a thread for it was refused"))
        })?;
        told.recv().expect("the thread tells before it ends")
    }
}

/// Listens on a runtime of this thread, in a task that ends with the one that is watched.
fn listen(watched: Handle, kind: SignalKind) -> io::Result<(Runtime, JoinHandle<()>)> {
    let runtime = Runtime::new()?;
    let mut signals = {
        let _entered = runtime.enter();
        signal(kind)?
    };
    let name = watched.shared.name;
    let listening = runtime.spawn(async move {
        while signals.recv().await.is_some() {
            let text = format!("{}\n", watched.dump());
            // In one piece; and a stderr that is gone is no reason to panic here.
            let _ = io::stderr().write_all(text.as_bytes());
        }
    });
    match wakeups::keep(name, End(listening.abort_handle())) {
        Ok(()) => Ok((runtime, listening)),
        Err(_) => Err(io::Error::other(format!(
            "dumping on {kind}: the runtime is gone; ask for it while it is alive"
        ))),
    }
}
