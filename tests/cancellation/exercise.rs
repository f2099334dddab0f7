//! Directions: where bytes or datagrams go in and come out by operations that are begun, polled and
//! dropped at random, beside a model of what must come out.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use runtime::Handle;
use runtime::task::yield_now;

use crate::seeds::{Rng, eventually, turn};

/// What an operation has done.
pub(crate) enum Moved {
    In(Vec<Message>),
    Out(Vec<Message>),
    Peeked(Vec<u8>),
    Nothing,
}

/// A datagram, or a piece of a stream. Files that are passed go by their inodes.
#[derive(PartialEq)]
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
    pub(crate) files: Vec<u64>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = &self.bytes[..self.bytes.len().min(8)];
        write!(f, "{} bytes {start:?}.. with files {:?}", self.bytes.len(), self.files)
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Message {
        Message { bytes: bytes.to_vec(), files: Vec::new() }
    }
}

pub(crate) fn put_in(bytes: &[u8]) -> io::Result<Moved> {
    Ok(Moved::In(vec![bytes.into()]))
}

pub(crate) fn got_out(bytes: &[u8]) -> io::Result<Moved> {
    Ok(Moved::Out(vec![bytes.into()]))
}

pub(crate) fn peeked(bytes: &[u8]) -> io::Result<Moved> {
    Ok(Moved::Peeked(bytes.to_vec()))
}

/// What is under way: what went in and has not come out.
pub(crate) enum Model {
    /// Files go along with a byte: the number of bytes before it, and the inode.
    Bytes { queue: VecDeque<u8>, out: usize, files: VecDeque<(usize, u64)> },
    /// No more than `most` at a time, where the kernel would drop them.
    Datagrams { queue: VecDeque<Message>, most: usize },
}

impl Model {
    pub(crate) fn bytes() -> Model {
        Model::Bytes { queue: VecDeque::new(), out: 0, files: VecDeque::new() }
    }

    pub(crate) fn datagrams(most: usize) -> Model {
        Model::Datagrams { queue: VecDeque::new(), most }
    }

    fn is_empty(&self) -> bool {
        match self {
            Model::Bytes { queue, .. } => queue.is_empty(),
            Model::Datagrams { queue, .. } => queue.is_empty(),
        }
    }

    fn is_full(&self) -> bool {
        matches!(self, Model::Datagrams { queue, most } if queue.len() >= *most)
    }

    fn put(&mut self, message: Message) {
        match self {
            Model::Bytes { queue, out, files } => {
                let before = *out + queue.len();
                files.extend(message.files.into_iter().map(|file| (before, file)));
                queue.extend(message.bytes);
            }
            Model::Datagrams { queue, .. } => queue.push_back(message),
        }
    }

    fn take(&mut self, message: Message) {
        match self {
            Model::Bytes { queue, out, files } => {
                let len = message.bytes.len();
                assert!(len > 0, "the stream has ended");
                assert!(len <= queue.len(), "{len} bytes came out, {} are under way", queue.len());
                assert!(queue.make_contiguous()[..len] == message.bytes, "other bytes came out");
                queue.drain(..len);
                *out += len;
                let along = files.iter().take_while(|(before, _)| before < out).count();
                let along: Vec<_> = files.drain(..along).map(|(_, file)| file).collect();
                assert_eq!(message.files, along, "other files came out");
            }
            Model::Datagrams { queue, .. } => assert_eq!(Some(message), queue.pop_front()),
        }
    }

    fn peek(&mut self, bytes: &[u8]) {
        let expected = match self {
            Model::Bytes { queue, .. } => &*queue.make_contiguous(),
            Model::Datagrams { queue, .. } => queue.front().map_or(&[][..], |first| &first.bytes),
        };
        assert!(expected.starts_with(bytes), "{} other bytes were peeked", bytes.len());
    }

    fn apply(&mut self, moved: Moved) {
        match moved {
            Moved::In(messages) => messages.into_iter().for_each(|message| self.put(message)),
            Moved::Out(messages) => messages.into_iter().for_each(|message| self.take(message)),
            Moved::Peeked(bytes) => self.peek(&bytes),
            Moved::Nothing => {}
        }
    }
}

/// An operation under way.
pub(crate) type Op<'a> = Pin<Box<dyn Future<Output = io::Result<Moved>> + Send + 'a>>;

type Begin<'a> = Box<dyn Fn(Rng) -> Op<'a> + 'a>;

/// One kind of operation. One that polls by hand is called `poll_..`: its waker stays with the
/// descriptor when it is dropped, as is documented.
struct Kind<'a> {
    name: &'static str,
    begin: Begin<'a>,
}

/// One direction between two descriptors.
pub(crate) struct Direction<'a> {
    model: Model,
    reading: Vec<Kind<'a>>,
    writing: Vec<Kind<'a>>,
    read_fd: BorrowedFd<'a>,
    write_fd: BorrowedFd<'a>,
    under_way: Vec<UnderWay<'a>>,
    /// The wakes of polls by hand that have been dropped.
    left: Vec<Arc<Wakes>>,
    /// Whether other threads have a part in it, so that wakers may go some turns later.
    shared: bool,
}

impl<'a> Direction<'a> {
    pub(crate) fn new(model: Model, writer: &'a impl AsFd, reader: &'a impl AsFd) -> Self {
        Direction {
            model,
            reading: Vec::new(),
            writing: Vec::new(),
            read_fd: reader.as_fd(),
            write_fd: writer.as_fd(),
            under_way: Vec::new(),
            left: Vec::new(),
            shared: false,
        }
    }

    pub(crate) fn reading<F>(mut self, name: &'static str, begin: impl Fn(Rng) -> F + 'a) -> Self
    where
        F: Future<Output = io::Result<Moved>> + Send + 'a,
    {
        self.reading.push(Kind { name, begin: Box::new(move |rng| Box::pin(begin(rng))) });
        self
    }

    pub(crate) fn writing<F>(mut self, name: &'static str, begin: impl Fn(Rng) -> F + 'a) -> Self
    where
        F: Future<Output = io::Result<Moved>> + Send + 'a,
    {
        self.writing.push(Kind { name, begin: Box::new(move |rng| Box::pin(begin(rng))) });
        self
    }

    fn begin(&mut self, rng: &mut Rng) {
        if self.under_way.len() == 6 {
            return;
        }
        let reads = rng.once_in(2);
        let kinds = if reads { &self.reading } else { &self.writing };
        let kind = &kinds[rng.below(kinds.len())];
        let wakes = Arc::new(Wakes::default());
        self.under_way.push(UnderWay {
            name: kind.name,
            reads,
            op: (kind.begin)(rng.fork()),
            waker: Waker::from(wakes.clone()),
            wakes,
            waits: None,
        });
    }

    async fn poll(&mut self, at: usize, place: Where) {
        let under_way = &mut self.under_way[at];
        if !under_way.reads && self.model.is_full() {
            return;
        }
        under_way.waits = Some(under_way.wakes.get());
        let polled = match place {
            Where::Here => under_way.poll(),
            Where::HereAsTheTask => {
                under_way.waits = None;
                poll_fn(|cx| Poll::Ready(under_way.op.as_mut().poll(cx))).await
            }
            Where::HereWithoutBudget => {
                poll_fn(|cx| {
                    while runtime::task::has_budget_remaining() {
                        let _ = pin!(runtime::task::consume_budget()).poll(cx);
                    }
                    Poll::Ready(())
                })
                .await;
                let polled = under_way.poll();
                assert!(polled.is_pending(), "{} went on without budget", under_way.name);
                assert!(Some(under_way.wakes.get()) > under_way.waits, "it is to go on later");
                yield_now().await;
                polled
            }
            place => elsewhere(place, || under_way.poll()),
        };
        let Poll::Ready(result) = polled else { return };
        match result {
            Ok(moved) => self.model.apply(moved),
            Err(error) => {
                // There is nothing to wait by.
                let expected = error.to_string().contains("no runtime on this thread")
                    || error.kind() == io::ErrorKind::WouldBlock;
                let expected = expected && matches!(place, Where::WithoutARuntime);
                assert!(expected, "{}: {error}", self.under_way[at].name);
            }
        }
        self.drop(at, Where::Here).await;
    }

    /// Drops an operation, and looks whether its waker goes with it.
    async fn drop(&mut self, at: usize, place: Where) {
        let UnderWay { name, op, waker, wakes, .. } = self.under_way.swap_remove(at);
        drop(waker);
        match place {
            Where::Here => drop(op),
            place => elsewhere(place, || drop(op)),
        }
        if name.starts_with("poll_") {
            self.left.push(wakes);
        } else if self.shared {
            let what = format_args!("{name} has left its waker behind");
            eventually(|| wakes.are_over(), what).await;
        } else {
            assert!(wakes.are_over(), "{name} has left its waker behind");
        }
    }

    /// Whoever waits for what is there has been woken, or is about to be.
    async fn check_wakes(&self) {
        for under_way in &self.under_way {
            let Some(before) = under_way.waits else { continue };
            let (fd, events) = match under_way.reads {
                true => (self.read_fd, libc::POLLIN),
                false => (self.write_fd, libc::POLLOUT),
            };
            if is_ready(fd, events) {
                let what = format_args!("{} was not woken though it could go on", under_way.name);
                eventually(|| under_way.wakes.get() > before, what).await;
            }
        }
    }

    async fn stop(&mut self) {
        while !self.under_way.is_empty() {
            self.drop(0, Where::Here).await;
        }
    }

    /// Drops what is under way and sees that all that went in comes out, and nothing else.
    async fn finish(&mut self, rng: &mut Rng) {
        self.stop().await;
        self.drain(rng).await;
        // One more, so that what came twice would come before it.
        while self.model.is_empty() {
            let kind = &self.writing[rng.below(self.writing.len())];
            self.model.apply((kind.begin)(rng.fork()).await.expect(kind.name));
        }
        self.drain(rng).await;
        assert!(!is_ready(self.read_fd, libc::POLLIN), "something is left over");
    }

    async fn drain(&mut self, rng: &mut Rng) {
        while !self.model.is_empty() {
            let kind = &self.reading[rng.below(self.reading.len())];
            self.model.apply((kind.begin)(rng.fork()).await.expect(kind.name));
        }
    }
}

struct UnderWay<'a> {
    name: &'static str,
    reads: bool,
    op: Op<'a>,
    waker: Waker,
    wakes: Arc<Wakes>,
    /// The wakes there had been when it was polled last, if it was, and not by the task's waker.
    waits: Option<usize>,
}

impl UnderWay<'_> {
    fn poll(&mut self) -> Poll<io::Result<Moved>> {
        self.op.as_mut().poll(&mut Context::from_waker(&self.waker))
    }
}

/// A waker that counts.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Whether no waker is left.
    pub(crate) fn are_over(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) == 1
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Where an operation is polled or dropped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Where {
    Here,
    HereAsTheTask,
    HereWithoutBudget,
    WithoutARuntime,
    InThisRuntime(&'static Handle),
    InARuntimeOfItsOwn,
}

impl Where {
    fn on_this_thread(rng: &mut Rng) -> Where {
        match rng.below(8) {
            0 => Where::HereWithoutBudget,
            1 | 2 => Where::HereAsTheTask,
            _ => Where::Here,
        }
    }

    fn on_another_thread(rng: &mut Rng, with_timers: bool) -> Where {
        match rng.below(if with_timers { 2 } else { 3 }) {
            0 => Where::InARuntimeOfItsOwn,
            1 => Where::InThisRuntime(another_runtime()),
            _ => Where::WithoutARuntime,
        }
    }
}

/// Does something on another thread.
pub(crate) fn elsewhere<T: Send>(place: Where, body: impl FnOnce() -> T + Send) -> T {
    let body = || match place {
        Where::InThisRuntime(handle) => {
            let _entered = handle.enter();
            body()
        }
        Where::InARuntimeOfItsOwn => runtime::block_on(async { body() }),
        _ => body(),
    };
    let joined = thread::scope(|scope| scope.spawn(body).join());
    joined.unwrap_or_else(|payload| std::panic::resume_unwind(payload))
}

/// A runtime that another thread drives as long as the process lives.
pub(crate) fn another_runtime() -> &'static Handle {
    static HANDLE: OnceLock<Handle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            runtime::block_on(async {
                runtime::time::sleep(std::time::Duration::from_nanos(1)).await;
                tell.send(Handle::current()).expect("somebody asked");
                std::future::pending::<()>().await;
            });
        });
        told.recv().expect("the thread says so")
    })
}

fn is_ready(fd: BorrowedFd<'_>, events: i16) -> bool {
    let mut polled = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    // SAFETY: the one entry is valid during the call.
    unsafe { libc::poll(&mut polled, 1, 0) == 1 }
}

/// The wakers of polls by hand, which are to go with their descriptor.
#[must_use]
pub(crate) struct Left(Vec<Arc<Wakes>>);

impl Left {
    pub(crate) async fn are_gone(self) {
        let over = || self.0.iter().all(|wakes| wakes.are_over());
        eventually(over, "wakers outlive their descriptors").await;
    }
}

/// Directions, and what is done to them.
pub(crate) struct Exercise<'a> {
    directions: Vec<Direction<'a>>,
    /// Whether other threads have a part in it.
    threads: bool,
    /// Whether some operations have timers, which panic where there is no runtime.
    pub(crate) with_timers: bool,
    /// Whether readers are polled more often than writers, or less.
    favours_readers: bool,
}

impl<'a> Exercise<'a> {
    /// Every other one stays on this thread.
    pub(crate) fn new(mut directions: Vec<Direction<'a>>, rng: &mut Rng) -> Self {
        let threads = rng.once_in(2);
        directions.iter_mut().for_each(|direction| direction.shared = threads);
        Exercise { directions, threads, with_timers: false, favours_readers: true }
    }

    /// Does so many random things.
    pub(crate) async fn disturb(&mut self, steps: usize, rng: &mut Rng) {
        for _ in 0..steps {
            let count = self.directions.len();
            let direction = &mut self.directions[rng.below(count)];
            // Now one side goes ahead, now the other.
            self.favours_readers ^= rng.once_in(30);
            let at = direction.under_way.len().checked_sub(1).map(|last| rng.below(last + 1));
            match (rng.below(16), at) {
                (0..5, _) | (_, None) => direction.begin(rng),
                (5..11, Some(at)) => {
                    let favoured = direction.under_way[at].reads == self.favours_readers;
                    let place = match self.threads && rng.once_in(8) {
                        true => Where::on_another_thread(rng, self.with_timers),
                        false => Where::on_this_thread(rng),
                    };
                    if favoured || rng.once_in(4) {
                        direction.poll(at, place).await;
                    }
                }
                (11..13, Some(at)) => {
                    let place = match self.threads && rng.once_in(4) {
                        true => Where::on_another_thread(rng, self.with_timers),
                        false => Where::Here,
                    };
                    direction.drop(at, place).await;
                }
                _ => {
                    for _ in 0..rng.below(3) {
                        turn().await;
                    }
                    direction.check_wakes().await;
                }
            }
        }
    }

    /// Drops all that is under way.
    pub(crate) async fn stop(mut self) -> Left {
        for direction in &mut self.directions {
            direction.stop().await;
        }
        Left(self.directions.into_iter().flat_map(|direction| direction.left).collect())
    }
}

/// Does random things to the directions, and sees that all that went in comes out, and nothing else.
pub(crate) async fn exercise(directions: Vec<Direction<'_>>, rng: &mut Rng) -> Left {
    let mut exercise = Exercise::new(directions, rng);
    exercise.disturb(200, rng).await;
    for direction in &mut exercise.directions {
        direction.finish(rng).await;
    }
    exercise.stop().await
}
