//! `per_core`: a thread per processor core, each with a runtime of its own.

use std::io;
use std::sync::{PoisonError, RwLock, mpsc};
use std::thread;

use crate::builder::Builder;
use crate::runtime::assert_not_turning;
use crate::sys;
use crate::sys::affinity;

/// One of the cores that [`per_core`] runs a future on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Core {
    index: usize,
    count: usize,
    processor: usize,
}

impl Core {
    /// The cores that [`per_core`] called on this thread would use, in their order: for what is to be there,
    /// one for each, before they begin.
    ///
    /// # Errors
    ///
    /// If the system does not tell them.
    ///
    /// ```
    /// let counters: Vec<_> =
    ///     runtime::Core::all()?.iter().map(|_| std::sync::atomic::AtomicU64::new(0)).collect();
    /// runtime::per_core(async |core| {
    ///     counters[core.index()].fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    #[inline]
    pub fn all() -> io::Result<Vec<Core>> {
        let processors = affinity::processors().map_err(|error| {
            let sentence = "asking which processors this process may use: allow sched_getaffinity, which \
                            a sandbox may forbid";
            sys::context(error, sentence)
        })?;
        let count = processors.len();
        let core = |(index, processor)| Core { index, count, processor };
        Ok(processors.into_iter().enumerate().map(core).collect())
    }

    /// Its place among the cores: 0 for the first, and below [`count`](Core::count).
    #[inline]
    pub fn index(&self) -> usize {
        self.index
    }

    /// How many cores there are.
    #[inline]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The kernel's number of it, as `taskset` and `/proc/cpuinfo` have it. It may be larger than the
    /// number of cores, if the process may not use them all.
    #[inline]
    pub fn processor(&self) -> usize {
        self.processor
    }
}

/// Runs a future on each core this process may use, each on a thread and a runtime of its own, and
/// waits for all of them.
///
/// The function is called once per core, on that core's thread, and makes its future there: neither it
/// nor what it spawns has to be `Send`. The threads are named `core-0`, `core-1`, ..; each is pinned to
/// its core, and so are threads that it starts, those of `spawn_blocking` among them. What the cores
/// share they borrow from the caller; what goes between them, sockets and streams included, is `Send`.
///
/// The cores are those the calling thread may run on (sched_getaffinity(2)), so `taskset` and cpusets
/// count. A quota of processor time does not: a container that may use half of each of eight cores gets
/// eight threads. All threads are there and pinned before the first future is made.
///
/// [`Builder::per_core`] does the same with other options than the defaults.
///
/// # Results
///
/// The outputs come in the order of the cores. If a core's future panics, its runtime is dropped with all
/// its tasks, the panic's message goes to stderr at once (it is the panic hook's), and the payload is
/// returned in the place of the output. The other cores are not told: they run on, and the call returns
/// when they have ended. Let them look for a sign (a flag, a channel that closes) if they shall not go on
/// alone.
///
/// # Errors
///
/// If the system tells no cores, starts no thread or pins none. Then no future is run on any core.
///
/// # Panics
///
/// Inside a runtime, which it would block.
///
/// # Examples
///
/// A listener on each core, all on one address; the kernel spreads the connections:
///
/// ```no_run
/// use std::io;
/// use runtime::Core;
/// use runtime::net::TcpSocket;
///
/// async fn serve(core: Core) -> io::Result<()> {
///     let socket = TcpSocket::new_v4()?;
///     socket.set_reuseport(true)?;
///     socket.bind("127.0.0.1:7000".parse().unwrap())?;
///     let listener = socket.listen(1024)?;
///     loop {
///         let Ok((stream, _)) = listener.accept().await else { continue };
///         runtime::spawn(async move {
///             let greeting = format!("hello from core {}\n", core.index());
///             stream.write_all(greeting.as_bytes()).await
///         });
///     }
/// }
///
/// fn main() -> io::Result<()> {
///     for end in runtime::per_core(serve)? {
///         end.expect("no core panics")?;
///     }
///     Ok(())
/// }
/// ```
#[track_caller]
#[inline]
pub fn per_core<F, T>(main: F) -> io::Result<Vec<thread::Result<T>>>
where
    F: AsyncFn(Core) -> T + Sync,
    T: Send,
{
    Builder::new().per_core(main)
}

impl Builder {
    /// As the function [`per_core`], with runtimes of these options.
    ///
    /// # Errors
    ///
    /// As [`per_core`].
    ///
    /// # Panics
    ///
    /// As [`per_core`].
    ///
    /// ```
    /// let squares = runtime::Builder::new().event_interval(16).per_core(async |core| {
    ///     core.index() * core.index()
    /// })?;
    /// assert_eq!(squares[0].as_ref().unwrap(), &0);
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    #[inline]
    pub fn per_core<F, T>(&mut self, main: F) -> io::Result<Vec<thread::Result<T>>>
    where
        F: AsyncFn(Core) -> T + Sync,
        T: Send,
    {
        assert_not_turning("per_core");
        let cores = Core::all()?;
        // Locked until all threads are ready, so that either all begin or none does.
        let begin = RwLock::new(false);
        let (begin, main) = (&begin, &main);
        thread::scope(|scope| {
            let mut closed = begin.write().unwrap_or_else(PoisonError::into_inner);
            let (ready, all_ready) = mpsc::channel();
            let mut threads = Vec::with_capacity(cores.len());
            for core in cores {
                let (mut builder, ready) = (self.clone(), ready.clone());
                let life = move || {
                    let runtime = pin_to(core).and_then(|()| builder.build());
                    let runtime = runtime.map_err(|error| ready.send(Err(error))).ok()?;
                    let _ = ready.send(Ok(()));
                    drop(ready);
                    let begins = *begin.read().unwrap_or_else(PoisonError::into_inner);
                    begins.then(|| runtime.block_on(main(core)))
                };
                let named = thread::Builder::new().name(format!("core-{}", core.index));
                threads
                    .push(named.spawn_scoped(scope, life).map_err(|error| no_thread(error, core))?);
            }
            drop(ready);
            all_ready.iter().collect::<io::Result<()>>()?;
            *closed = true;
            drop(closed);
            let output = |ended: Option<T>| ended.expect("a thread that was ready has begun");
            Ok(threads.into_iter().map(|thread| thread.join().map(output)).collect())
        })
    }
}

/// Pins the calling thread to its core.
#[inline]
fn pin_to(core: Core) -> io::Result<()> {
    affinity::pin_to(core.processor).map_err(|error| {
        let processor = core.processor;
        let remedy = match error.kind() {
            io::ErrorKind::InvalidInput => "the processors of this process have changed: start again",
            _ => "allow sched_setaffinity, which a sandbox may forbid, or call block_on on threads of your own",
        };
        sys::context(error, format!("pinning a thread to processor {processor}: {remedy}"))
    })
}

#[inline]
fn no_thread(error: io::Error, core: Core) -> io::Error {
    let Core { index, count, .. } = core;
    let remedy = "raise the limits of threads and of memory (ulimit -u, ulimit -v, pids.max), or give \
                  the process fewer processors (taskset)";
    sys::context(error, format!("starting thread {} of {count}: {remedy}", index + 1))
}
