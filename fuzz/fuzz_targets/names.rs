//! Tasks and descriptors by their names: wakers that outlive tasks and runtimes, handles in every order, indices
//! that are used again, another thread that wakes, aborts, joins and drops, and foreign code at every place that
//! calls some. A model says who must be polled and what must come of it.
//!
//! All is drawn from the input: each poll, drop and foreign wake does what the next bytes say, on the pools below.
#![no_main]

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::{Read, Write};
use std::mem;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use runtime::dump::State;
use runtime::io::Source;
use runtime::task::{AbortHandle, JoinError};
use runtime::{JoinHandle, Runtime, UnhandledPanic};

/// Of each kind of thing, so that they meet.
const POOL: usize = 12;
const RUNTIMES: usize = 3;
/// Foreign code in foreign code in foreign code.
const DEPTH: u32 = 6;

/// What has become of a future.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Returned,
    Panicked,
    Dropped,
}

/// What of an output.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Output {
    None,
    Made,
    Gone,
}

/// What is known of a task.
struct Task {
    runtime: usize,
    polling: bool,
    polls: usize,
    /// Somebody has woken it since its last poll began.
    woken: bool,
    aborted: bool,
    end: Option<End>,
    output: Output,
}

/// What is known of all that has a name; other threads see it too.
#[derive(Default)]
struct Known {
    tasks: Vec<Task>,
    /// By serial number: whether the drop of the runtime has begun.
    torn: Vec<bool>,
}

fn known() -> MutexGuard<'static, Known> {
    static KNOWN: Mutex<Known> = Mutex::new(Known { tasks: Vec::new(), torn: Vec::new() });
    KNOWN.lock().unwrap()
}

struct Live {
    runtime: Runtime,
    serial: usize,
    driving: Cell<bool>,
}

/// A join handle, and who polled it last.
struct Joining {
    id: usize,
    handle: JoinHandle<Value>,
    joiner: Option<Waiter>,
}

/// Somebody who must hear of something: how often it had been polled or woken when it began to wait.
#[derive(Clone)]
enum Waiter {
    Task(usize, usize),
    Foreign(Arc<Foreign>, usize),
}

impl Waiter {
    fn has_heard(&self) -> bool {
        match self {
            Waiter::Task(id, polls) => {
                let known = known();
                let task = &known.tasks[*id];
                task.end.is_some() || task.polls > *polls || known.torn[task.runtime]
            }
            Waiter::Foreign(foreign, woken) => foreign.woken.load(Relaxed) > *woken,
        }
    }
}

/// One end of a pair of sockets. The other is ours.
struct Socket {
    source: Arc<Source<UnixStream>>,
    other: Option<UnixStream>,
    unread: usize,
    /// The last word was `EAGAIN`, and nothing has come since.
    is_empty: bool,
    readers: Vec<Waiter>,
    /// A runtime where it may be registered.
    runtime: usize,
}

impl Socket {
    /// Sends up to three bytes, or the end.
    fn write(&mut self, bytes: usize) {
        if bytes == 0 {
            self.other = None;
        } else if let Some(mut other) = self.other.as_ref().filter(|_| self.unread < 1000) {
            self.unread += other.write(&[7; 3][..bytes]).unwrap();
        }
        self.is_empty = false;
    }
}

#[derive(Default)]
struct World {
    script: RefCell<Vec<u8>>,
    depth: Cell<u32>,
    runtimes: RefCell<Vec<Option<Rc<Live>>>>,
    wakers: RefCell<Vec<(usize, Waker)>>,
    handles: RefCell<Vec<Joining>>,
    aborts: RefCell<Vec<(usize, AbortHandle)>>,
    sockets: RefCell<Vec<Socket>>,
}

thread_local! {
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

/// The pools, on the thread that has them.
fn world() -> Option<Rc<World>> {
    WORLD.with(|world| world.borrow().clone())
}

/// What a task panics with.
struct Mark(usize);

/// The output of a task.
struct Value(usize);

impl Drop for Value {
    fn drop(&mut self) {
        {
            let task = &mut known().tasks[self.0];
            assert_eq!(task.output, Output::Made, "an output is dropped once");
            task.output = Output::Gone;
        }
        act_within();
    }
}

/// A future that does as it is told.
struct Scripted(usize);

impl Future for Scripted {
    type Output = Value;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Value> {
        let id = self.0;
        {
            let task = &mut known().tasks[id];
            assert_eq!(task.end, None, "task {id} is polled after its end");
            assert!(!mem::replace(&mut task.polling, true), "task {id} is polled in its poll");
            task.polls += 1;
            task.woken = false;
        }
        let world = world().expect("tasks stay on their thread");
        let outcome = world.play(id, cx);
        let mut known = known();
        let task = &mut known.tasks[id];
        task.polling = false;
        match outcome {
            0 => Poll::Pending,
            1 => {
                (task.end, task.output) = (Some(End::Returned), Output::Made);
                Poll::Ready(Value(id))
            }
            _ => {
                task.end = Some(End::Panicked);
                drop(known);
                resume_unwind(Box::new(Mark(id)))
            }
        }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        {
            let mut known = known();
            let Known { tasks, torn } = &mut *known;
            let task = &mut tasks[self.0];
            if task.end.is_none() {
                let reason = task.aborted || torn[task.runtime];
                assert!(reason, "task {} was dropped for nothing", self.0);
                task.end = Some(End::Dropped);
            }
        }
        act_within();
    }
}

/// A waker that is no task's; it may do something of its own.
#[derive(Default)]
struct Foreign {
    woken: AtomicUsize,
    does: Does,
}

#[derive(Default)]
enum Does {
    #[default]
    Nothing,
    Anything,
    /// The index of one that may have an event on the way is used again.
    ReplacesASocket,
}

impl Wake for Foreign {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Relaxed);
        match (&self.does, world()) {
            (Does::Nothing, _) | (_, None) => {}
            (Does::Anything, _) => act_within(),
            (Does::ReplacesASocket, Some(world)) => world.replace_socket(None),
        }
    }
}

/// Foreign code in the midst of the runtime's, where the thread has a script.
fn act_within() {
    if thread::panicking() {
        return;
    }
    if let Some(world) = world() {
        if world.draw(2) == 1 {
            world.act(None);
        }
    }
}

/// Has the other thread do something, and waits until it has.
fn elsewhere<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> T {
    type Job = Box<dyn FnOnce() + Send>;
    static OTHER: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();
    let other = OTHER.get_or_init(|| {
        let (send, jobs) = channel::<Job>();
        thread::spawn(move || jobs.into_iter().for_each(|job| job()));
        Mutex::new(send)
    });
    let (done, is_done) = channel();
    let job = Box::new(move || done.send(job()).unwrap_or_default());
    other.lock().unwrap().send(job).expect("the other thread is there");
    is_done.recv().expect("the other thread does not panic")
}

fn pick<T>(pool: &RefCell<Vec<T>>, byte: usize) -> Option<T> {
    let mut pool = pool.borrow_mut();
    let index = byte.checked_rem(pool.len())?;
    Some(pool.swap_remove(index))
}

/// Puts something into a pool; what there is no room for comes back, to be dropped with nothing borrowed.
fn keep<T>(pool: &RefCell<Vec<T>>, thing: T) -> Option<T> {
    let mut pool = pool.borrow_mut();
    if pool.len() >= POOL {
        let oldest = mem::replace(&mut pool[0], thing);
        return Some(oldest);
    }
    pool.push(thing);
    None
}

impl World {
    /// A number below `end`; 0 once the input is used up.
    fn draw(&self, end: u8) -> usize {
        usize::from(self.script.borrow_mut().pop().unwrap_or(0) % end)
    }

    fn is_over(&self) -> bool {
        self.script.borrow().is_empty()
    }

    fn live(&self, index: usize) -> Option<Rc<Live>> {
        self.runtimes.borrow().get(index)?.clone()
    }

    /// A poll: 0 to wait, 1 to be done, 2 to panic.
    fn play(&self, id: usize, cx: &mut Context<'_>) -> usize {
        if self.is_over() {
            return 1;
        }
        for _ in 0..self.draw(4) {
            self.act(Some((id, cx)));
        }
        match self.draw(8) {
            0..=3 => drop(keep(&self.wakers, (id, cx.waker().clone()))),
            4 => self.wake(id, || cx.waker().wake_by_ref()),
            5 | 6 => return 1,
            _ => return 2,
        }
        0
    }

    /// Does one thing to the pools. Nothing is borrowed while it is done.
    fn act(&self, cx: Option<(usize, &mut Context<'_>)>) {
        if self.depth.get() >= DEPTH {
            return;
        }
        self.depth.set(self.depth.get() + 1);
        match self.draw(32) {
            0..=4 => self.spawn(),
            5 => {
                if let Some((id, waker)) = pick(&self.wakers, self.draw(16)) {
                    self.wake(id, || waker.wake());
                }
            }
            6 | 7 => {
                if let Some((id, waker)) = pick(&self.wakers, self.draw(16)) {
                    self.wake(id, || waker.wake_by_ref());
                    drop(keep(&self.wakers, (id, waker)));
                }
            }
            8 => {
                if let Some((id, waker)) = pick(&self.wakers, self.draw(16)) {
                    drop(keep(&self.wakers, (id, waker.clone())));
                    drop(keep(&self.wakers, (id, waker)));
                }
            }
            9 => drop(pick(&self.wakers, self.draw(16))),
            10 => {
                if let Some(joining) = pick(&self.handles, self.draw(16)) {
                    self.abort(joining.id, || joining.handle.abort());
                    drop(keep(&self.handles, joining));
                }
            }
            11 => {
                if let Some((id, abort)) = pick(&self.aborts, self.draw(16)) {
                    self.abort(id, || abort.abort());
                    drop(keep(&self.aborts, (id, abort)));
                }
            }
            12 => {
                if let Some(joining) = pick(&self.handles, self.draw(16)) {
                    drop(keep(&self.aborts, (joining.id, joining.handle.abort_handle())));
                    drop(keep(&self.handles, joining));
                }
            }
            13 => drop(pick(&self.handles, self.draw(16))),
            14 | 15 => self.join(cx),
            16 => {
                if let Some(joining) = pick(&self.handles, self.draw(16)) {
                    if joining.handle.is_finished() {
                        let known = known();
                        let task = &known.tasks[joining.id];
                        let over = task.end.is_some() || known.torn[task.runtime];
                        assert!(over, "task {} goes on", joining.id);
                    }
                    drop(keep(&self.handles, joining));
                }
            }
            17 | 18 => drop(self.drive(self.draw(RUNTIMES as u8))),
            19 => self.replace_runtime(),
            20 | 21 => self.ask_elsewhere(),
            22 => self.open_socket(cx),
            23 | 24 => self.read(cx),
            25 | 26 => {
                if let Some(mut socket) = pick(&self.sockets, self.draw(16)) {
                    socket.write(self.draw(4));
                    drop(keep(&self.sockets, socket));
                }
            }
            27 => {
                let socket = pick(&self.sockets, self.draw(16));
                if self.draw(2) == 1 {
                    elsewhere(move || drop(socket.map(|socket| socket.source)));
                }
            }
            28 => self.replace_socket(cx),
            30 => {
                // So that their events come together.
                self.sockets.borrow_mut().iter_mut().for_each(|socket| socket.write(1));
            }
            29 => {
                let live = self.live(self.draw(RUNTIMES as u8));
                if let Some(live) = live {
                    let _guard = live.runtime.enter();
                    self.act(cx);
                }
            }
            _ => {
                // Whatever this thread is in the midst of.
                if let Some(live) = self.live(self.draw(RUNTIMES as u8)) {
                    assert!(!live.runtime.dump().to_string().is_empty());
                }
            }
        }
        self.depth.set(self.depth.get() - 1);
    }

    fn wake(&self, id: usize, wake: impl FnOnce()) {
        // Before, as the waker's code may turn another runtime.
        if let Some(task) = known().tasks.get_mut(id) {
            task.woken = true;
        }
        wake();
    }

    fn abort(&self, id: usize, abort: impl FnOnce()) {
        if let Some(task) = known().tasks.get_mut(id) {
            task.aborted |= task.end.is_none();
        }
        abort();
    }

    fn spawn(&self) {
        let Some(live) = self.live(self.draw(RUNTIMES as u8)) else { return };
        let id = {
            let known = &mut *known();
            known.tasks.push(Task {
                runtime: live.serial,
                polling: false,
                polls: 0,
                woken: true,
                aborted: false,
                end: None,
                output: Output::None,
            });
            known.tasks.len() - 1
        };
        let task = Scripted(id);
        let handle = match self.draw(5) {
            0 | 1 => live.runtime.spawn(task),
            2 => {
                let _guard = live.runtime.enter();
                runtime::task::Builder::new().name("named").spawn(task).unwrap()
            }
            3 => live.runtime.handle().spawn(task),
            _ => {
                let handle = live.runtime.handle().clone();
                elsewhere(move || handle.spawn(task))
            }
        };
        drop(live);
        drop(keep(&self.handles, Joining { id, handle, joiner: None }));
    }

    /// Who is to be woken: the task that is being polled, or nobody's task.
    fn waiter(&self, cx: &Option<(usize, &mut Context<'_>)>) -> (Waiter, Waker) {
        match cx {
            Some((id, cx)) => (Waiter::Task(*id, known().tasks[*id].polls), cx.waker().clone()),
            None => {
                let does = match self.draw(3) {
                    0 => Does::Nothing,
                    1 => Does::Anything,
                    _ => Does::ReplacesASocket,
                };
                let foreign = Arc::new(Foreign { woken: AtomicUsize::new(0), does });
                (Waiter::Foreign(foreign.clone(), 0), Waker::from(foreign))
            }
        }
    }

    fn join(&self, cx: Option<(usize, &mut Context<'_>)>) {
        let Some(mut joining) = pick(&self.handles, self.draw(16)) else { return };
        let (waiter, waker) = self.waiter(&cx);
        match Pin::new(&mut joining.handle).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => check_outcome(joining.id, outcome),
            // It may be that the task's budget is used up, and that it is woken for that.
            Poll::Pending => {
                joining.joiner = Some(waiter);
                drop(keep(&self.handles, joining));
            }
        }
    }

    /// Turns a runtime, unless that is what we are in.
    fn drive(&self, index: usize) -> usize {
        let Some(live) = self.live(index) else { return 0 };
        if live.driving.replace(true) {
            return 0;
        }
        let turned = catch_unwind(AssertUnwindSafe(|| match self.draw(2) {
            0 => live.runtime.turn(Some(Duration::ZERO)).unwrap(),
            _ => live.runtime.run_until_stalled(),
        }));
        live.driving.set(false);
        match turned {
            Ok(turn) => turn.tasks_polled() + turn.events_taken(),
            // Of a task that nobody joins.
            Err(payload) => {
                let mark = payload.downcast::<Mark>().expect("the panic is a task's");
                assert_eq!(known().tasks[mark.0].end, Some(End::Panicked));
                1
            }
        }
    }

    /// Drops a runtime, and makes another in its place: their names have a slot in common.
    fn replace_runtime(&self) {
        let index = self.draw(RUNTIMES as u8);
        let old = {
            let mut runtimes = self.runtimes.borrow_mut();
            match &runtimes[index] {
                Some(live) if live.driving.get() || Rc::strong_count(live) > 1 => return,
                _ => runtimes[index].take(),
            }
        };
        self.drop_runtime(old);
        // Its last words may have made one.
        let new = self.new_runtime();
        let unwanted = self.runtimes.borrow_mut()[index].replace(new);
        self.drop_runtime(unwanted);
    }

    fn new_runtime(&self) -> Rc<Live> {
        let serial = {
            let torn = &mut known().torn;
            torn.push(false);
            torn.len() - 1
        };
        let mut builder = runtime::Builder::new();
        builder.unhandled_panic(UnhandledPanic::Resume);
        // The loop is compiled anew for a runtime that is watched.
        builder.metrics(self.draw(2) == 1);
        match self.draw(4) {
            0 => {}
            1 => drop(builder.rng_seed(7)),
            2 => drop(builder.event_interval(1)),
            _ => drop(builder.event_interval(3).rng_seed(8)),
        }
        let runtime = builder.build().unwrap();
        Rc::new(Live { runtime, serial, driving: Cell::new(false) })
    }

    fn drop_runtime(&self, live: Option<Rc<Live>>) {
        let Some(live) = live else { return };
        let serial = live.serial;
        known().torn[serial] = true;
        let live = Rc::into_inner(live).expect("nobody uses it");
        live.driving.set(true);
        drop(live);
        for (id, task) in known().tasks.iter().enumerate() {
            let alive = task.runtime == serial && task.end.is_none();
            assert!(!alive, "task {id} has outlived its runtime");
        }
    }

    /// What the other thread does with what there is.
    fn ask_elsewhere(&self) {
        match self.draw(6) {
            0 | 1 => {
                if let Some((id, waker)) = pick(&self.wakers, self.draw(16)) {
                    self.wake(id, || elsewhere(move || waker.wake()));
                }
            }
            2 => {
                if let Some((id, abort)) = pick(&self.aborts, self.draw(16)) {
                    self.abort(id, || elsewhere(move || abort.abort()));
                }
            }
            3 => {
                let joining = pick(&self.handles, self.draw(16));
                elsewhere(move || drop(joining.map(|joining| joining.handle)));
            }
            _ => {
                let Some(mut joining) = pick(&self.handles, self.draw(16)) else { return };
                let foreign = Arc::new(Foreign::default());
                let waker = Waker::from(foreign.clone());
                let mut handle = joining.handle;
                let (handle, polled) = elsewhere(move || {
                    let polled = Pin::new(&mut handle).poll(&mut Context::from_waker(&waker));
                    (handle, polled)
                });
                joining.handle = handle;
                match polled {
                    Poll::Ready(outcome) => check_outcome(joining.id, outcome),
                    Poll::Pending => {
                        joining.joiner = Some(Waiter::Foreign(foreign, 0));
                        drop(keep(&self.handles, joining));
                    }
                }
            }
        }
    }

    fn open_socket(&self, cx: Option<(usize, &mut Context<'_>)>) {
        let Some(live) = self.live(self.draw(RUNTIMES as u8)) else { return };
        let (ours, other) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        other.set_nonblocking(true).unwrap();
        let source = Arc::new(Source::new(ours));
        let (waiter, waker) = self.waiter(&cx);
        let socket = Socket {
            source: source.clone(),
            other: Some(other),
            unread: 0,
            is_empty: true,
            readers: vec![waiter],
            runtime: live.serial,
        };
        {
            let _guard = live.runtime.enter();
            let polled = source.poll_read_with(&mut Context::from_waker(&waker), |mut stream| {
                stream.read(&mut [0])
            });
            assert!(polled.is_pending(), "there is nothing to read: {polled:?}");
        }
        drop(live);
        drop(keep(&self.sockets, socket));
    }

    fn read(&self, cx: Option<(usize, &mut Context<'_>)>) {
        let Some(mut socket) = pick(&self.sockets, self.draw(16)) else { return };
        let gone = known().torn[socket.runtime];
        let Some(live) = self.live(self.draw(RUNTIMES as u8)).filter(|_| !gone) else { return };
        let (waiter, waker) = self.waiter(&cx);
        let polled = {
            let _guard = live.runtime.enter();
            socket.source.poll_read_with(&mut Context::from_waker(&waker), |mut stream| {
                stream.read(&mut [0; 2])
            })
        };
        match polled {
            Poll::Ready(Ok(0)) => assert!(socket.other.is_none() && socket.unread == 0),
            Poll::Ready(Ok(read)) => {
                assert!(read <= socket.unread);
                socket.unread -= read;
            }
            Poll::Ready(Err(error)) => panic!("{error}"),
            Poll::Pending => {
                // Where another runtime has it, the answer may be on its way.
                socket.is_empty = socket.unread == 0 && socket.other.is_some();
                socket.readers.push(waiter);
            }
        }
        drop(live);
        drop(keep(&self.sockets, socket));
    }

    fn replace_socket(&self, cx: Option<(usize, &mut Context<'_>)>) {
        drop(pick(&self.sockets, self.draw(16)));
        self.open_socket(cx);
    }

    /// Turns every runtime until nothing moves, and looks whether anybody was left.
    fn settle(&self) {
        let mut quiet = 0;
        for round in 0.. {
            let moved: usize = (0..RUNTIMES).map(|index| self.drive(index)).sum();
            quiet = if moved == 0 { quiet + 1 } else { 0 };
            if quiet > 3 {
                break;
            }
            assert!(round < 100_000, "it does not come to rest");
        }
        let known = known();
        for (id, task) in known.tasks.iter().enumerate() {
            let alive = task.end.is_none() && !known.torn[task.runtime];
            assert!(!(alive && task.woken), "task {id} was woken, and is not polled");
            assert!(!(alive && task.aborted), "task {id} was aborted, and is still there");
            assert!(!task.polling);
        }
        for live in (0..RUNTIMES).filter_map(|index| self.live(index)) {
            let tasks = known.tasks.iter().filter(|task| task.runtime == live.serial);
            let alive = tasks.filter(|task| task.end.is_none()).count();
            let sockets = self.sockets.borrow();
            let registered = sockets.iter().filter(|socket| socket.runtime == live.serial).count();
            let metrics = live.runtime.metrics();
            assert_eq!((metrics.tasks_alive, metrics.fds_registered), (alive, registered));
            let dump = live.runtime.dump();
            let shown = dump.tasks.iter().filter(|task| task.state != State::Complete).count();
            assert_eq!(shown, alive, "{dump}");
        }
        let ended: Vec<bool> = known.tasks.iter().map(|task| task.end.is_some()).collect();
        let torn = known.torn.clone();
        drop(known);
        for joining in self.handles.borrow().iter().filter(|joining| ended[joining.id]) {
            let heard = joining.joiner.as_ref().is_none_or(Waiter::has_heard);
            assert!(heard, "who joins task {} was left waiting", joining.id);
        }
        for socket in self.sockets.borrow_mut().iter_mut() {
            if torn[socket.runtime] {
                continue;
            }
            if socket.unread > 0 || socket.other.is_none() {
                for reader in socket.readers.drain(..) {
                    assert!(reader.has_heard(), "a reader was left waiting");
                }
            } else if socket.is_empty {
                let live = (0..RUNTIMES).filter_map(|index| self.live(index));
                let live = live.filter(|live| live.serial == socket.runtime).last();
                let Some(live) = live else { continue };
                let _guard = live.runtime.enter();
                let polled = socket.source.poll_read_ready(&mut Context::from_waker(Waker::noop()));
                assert!(polled.is_pending(), "an event was taken for another's: {polled:?}");
            }
        }
    }

    fn play_all(&self) {
        *self.runtimes.borrow_mut() = (0..RUNTIMES).map(|_| None).collect();
        let first = Some(self.new_runtime());
        self.runtimes.borrow_mut()[0] = first;
        while !self.is_over() {
            match self.draw(8) {
                0 => self.settle(),
                _ => self.act(None),
            }
        }
        self.settle();
    }

    /// Everything goes, in the order that the last byte says. What goes may leave things behind.
    fn end(&self, order: u8) {
        for round in 0..2 {
            for what in 0..5 {
                match (what + order % 5) % 5 {
                    0 => (0..RUNTIMES).for_each(|index| {
                        let live = self.runtimes.borrow_mut()[index].take();
                        self.drop_runtime(live);
                    }),
                    1 => drop(self.wakers.take()),
                    2 => drop(self.handles.take()),
                    3 => drop(self.aborts.take()),
                    _ => drop(self.sockets.take()),
                }
            }
            assert!(round == 0 || self.handles.borrow().is_empty());
        }
        for (id, task) in known().tasks.iter().enumerate() {
            assert!(task.end.is_some(), "the future of task {id} is leaked");
            assert_ne!(task.output, Output::Made, "the output of task {id} is leaked");
        }
    }
}

/// What a join gave is what the task has done.
fn check_outcome(id: usize, outcome: Result<Value, JoinError>) {
    let (end, torn) = {
        let known = known();
        let task = &known.tasks[id];
        (task.end.expect("a join waits for the end"), known.torn[task.runtime])
    };
    match outcome {
        Ok(value) => {
            assert_eq!(value.0, id, "the output of another task");
            assert_eq!(end, End::Returned);
        }
        Err(error) if error.is_panic() => {
            assert_eq!(end, End::Panicked);
            let mark = error.into_panic().downcast::<Mark>().expect("the panic is a task's");
            assert_eq!(mark.0, id, "the panic of another task");
        }
        Err(error) => {
            assert!(error.is_cancelled());
            assert!(end == End::Dropped || torn, "task {id} was not cancelled: {end:?}");
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&order, script)) = data.split_last() else { return };
    let world = Rc::new(World::default());
    world.script.borrow_mut().extend(script.iter().rev());
    WORLD.with(|current| current.replace(Some(world.clone())));
    world.play_all();
    world.end(order);
    WORLD.with(|current| current.replace(None));
    let known = &mut *known();
    known.tasks.clear();
    known.torn.clear();
});
