//! Wakeups from other threads: a static table of inbox blocks, one for each runtime that is alive.
//!
//! Blocks are recycled and never freed, so a waker or a handle may outlive its runtime on any thread
//! for ever. A block owns its eventfd and never closes it, or a late waker would write into a
//! stranger's descriptor. What may come in: the names of woken tasks (`bitmap.rs`), commands, and signals,
//! whose handler can look through the table because it is static. Who puts something in notifies; `park.rs`
//! decides whether that costs a system call.
//!
//! After a fork the child never touches a block of the parent's era: its locks may be held and its
//! bits half set by threads that the child does not have, and its eventfd is the parent's.

mod bitmap;
mod park;

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::sync::{Arc, PoisonError};

pub(crate) use self::park::{ASLEEP_IN_EPOLL, ASLEEP_ON_FUTEX};

use self::bitmap::Bitmap;
use self::park::{ParkState, Wake};
use crate::core::Core;
use crate::fork;
use crate::name::{Name, RuntimeName};
use crate::sync::{
    AtomicBool, AtomicU32, AtomicU64, Mutex, MutexGuard, OnceLock, Ordering, StaticU32,
};
use crate::sys::epoll::Epoll;
use crate::sys::eventfd::EventFd;
use crate::sys::futex;

/// What one thread asks a runtime of another to do.
pub(crate) type Command = Box<dyn FnOnce(&Core) + Send>;

/// Slots there are names for.
const SLOTS: usize = 1 << 16;
/// Bucket k of the table holds 2^k blocks.
const BUCKETS: usize = SLOTS.ilog2() as usize + 1;

static TABLE: [OnceLock<Box<[Block]>>; BUCKETS] = [const { OnceLock::new() }; BUCKETS];
/// Slots handed out so far.
static USED: StaticU32 = StaticU32::new(0);

/// The meeting place of a runtime and the other threads.
pub(crate) struct Block {
    /// Who has the block: an era and one of the states below.
    claim: AtomicU64,
    /// The name of the runtime that has it, or had it last.
    name: AtomicU32,
    park: ParkState,
    wakes: Bitmap,
    has_commands: AtomicBool,
    /// The signals that the owner has listeners for, and those of them that have come, a bit each. One
    /// that came for the owner before makes its successor's listeners look once too often.
    listens: AtomicU64,
    signalled: AtomicU64,
    eventfd: OnceLock<EventFd>,
    inbox: Mutex<Inbox>,
}

/// The part of a block that is used under its lock. Tear-down and recycling take the lock too.
struct Inbox {
    /// The runtime that takes commands now.
    owner: RuntimeName,
    commands: Vec<Command>,
    /// Commands that are never carried out: what they hold is dropped with the runtime.
    kept: Vec<Command>,
    /// The owner's epoll instance, once there is one.
    epoll: Option<Arc<Epoll>>,
    /// Sources that were deregistered by another thread and whose entries wait to be released, each by a
    /// command: the owner must not touch their descriptor numbers.
    released: VecDeque<u32>,
}

const FREE: u64 = 0;
const TAKEN: u64 = 1;
const RETIRED: u64 = 2;

fn claim_of(era: u32, state: u64) -> u64 {
    u64::from(era) << 2 | state
}

impl Block {
    fn new() -> Block {
        Block {
            claim: AtomicU64::new(claim_of(0, TAKEN)),
            name: AtomicU32::new(RuntimeName::NONE.bits()),
            park: ParkState::new(),
            wakes: Bitmap::new(),
            has_commands: AtomicBool::new(false),
            listens: AtomicU64::new(0),
            signalled: AtomicU64::new(0),
            eventfd: OnceLock::new(),
            inbox: Mutex::new(Inbox {
                owner: RuntimeName::NONE,
                commands: Vec::new(),
                kept: Vec::new(),
                epoll: None,
                released: VecDeque::new(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn era(&self) -> u32 {
        (self.claim.load(Ordering::Relaxed) >> 2) as u32
    }

    /// Whether a runtime of this process, and not of the one that forked it, has the block.
    pub(crate) fn is_of_this_process(&self) -> bool {
        self.era() == fork::era()
    }

    /// Makes the bits up to `index` exist, before a name with it gets out.
    #[inline]
    pub(crate) fn grow(&self, index: u32) {
        self.wakes.grow(index as usize + 1);
    }

    /// Says that there is something for the owner: at most one system call per sleep of its.
    pub(crate) fn notify(&self) {
        match self.park.notify() {
            Wake::None => {}
            Wake::Futex => futex::wake_one(self.park.word()),
            Wake::Epoll => self.signal(),
        }
    }

    /// Has the owner's epoll report the eventfd, once it has one.
    pub(crate) fn signal(&self) {
        if let Some(eventfd) = self.eventfd.get() {
            // The only failure left is a counter that is full, and that wakes as well.
            let _ = eventfd.write(1);
        }
    }

    /// The eventfd that ends the owner's sleep in epoll, made at the first call.
    ///
    /// # Errors
    ///
    /// When the system has no descriptor for it.
    pub(crate) fn eventfd(&self) -> io::Result<&EventFd> {
        if self.eventfd.get().is_none() {
            // Only the owner comes here, so nobody else sets it in between.
            let _ = self.eventfd.set(EventFd::new()?);
        }
        Ok(self.eventfd.get().expect("it was just set"))
    }

    /// Lets other threads deregister descriptors from the owner's epoll.
    pub(crate) fn publish_epoll(&self, epoll: Arc<Epoll>) {
        self.lock().epoll = Some(epoll);
    }

    /// Whether the owner sleeps, or leaves that to a host.
    pub(crate) fn is_asleep(&self) -> bool {
        self.park.is_asleep()
    }

    // What follows is the owner's part.

    /// Whether something may have come in. A plain load: looked at every turn.
    #[inline]
    pub(crate) fn is_notified(&self) -> bool {
        self.park.is_notified()
    }

    /// Takes what came in: woken tasks and commands. The notification first, or one that comes
    /// while the rest is taken would be lost with its content still inside.
    pub(crate) fn take(&self, wake: impl FnMut(u32)) -> Vec<Command> {
        self.park.take();
        self.wakes.drain(wake);
        // The notification has brought the flag along. Mostly it is not set, and then nothing is written.
        if !self.has_commands.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut inbox = self.lock();
        self.has_commands.store(false, Ordering::Relaxed);
        std::mem::take(&mut inbox.commands)
    }

    /// Takes the signals that came, after `take`: as it is with the rest, the notification goes first.
    #[inline]
    pub(crate) fn take_signals(&self) -> u64 {
        // `take` has acquired what the notifier did before: a bit that it was told of is seen.
        match self.signalled.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.signalled.swap(0, Ordering::AcqRel),
        }
    }

    /// Announces a sleep; false if something has come in, then the owner must not sleep.
    pub(crate) fn prepare_park(&self, how: u32) -> bool {
        self.park.prepare_park(how)
    }

    pub(crate) fn unpark(&self) {
        self.park.unpark();
    }

    /// Sleeps on the futex after `prepare_park(ASLEEP_ON_FUTEX)`, at most until the deadline.
    pub(crate) fn sleep_on_futex(&self, deadline_ns: Option<i64>) {
        futex::wait(self.park.word(), ASLEEP_ON_FUTEX, deadline_ns);
    }

    /// Changes the registration of an fd that somebody else owns, unless another thread has deregistered
    /// it meanwhile: then its number may be another's.
    pub(crate) fn unless_released(
        &self,
        index: u32,
        change: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let inbox = self.lock();
        if inbox.released.contains(&index) { Ok(()) } else { change() }
    }

    /// Takes the source whose entry is to be released next, and is before anything is registered anew.
    pub(crate) fn take_released(&self) -> Option<u32> {
        self.lock().released.pop_front()
    }

    /// Takes no more commands. What was still in the inbox, and what it kept, comes back, to be dropped
    /// with no lock held.
    pub(crate) fn close(&self) -> (Vec<Command>, Option<Arc<Epoll>>) {
        let mut inbox = self.lock();
        inbox.owner = RuntimeName::NONE;
        inbox.released.clear();
        let mut commands = std::mem::take(&mut inbox.commands);
        commands.append(&mut inbox.kept);
        (commands, inbox.epoll.take())
    }

    /// Frees a closed block for the next runtime, when nobody can turn this one any more.
    pub(crate) fn free(&self, name: RuntimeName) {
        // The state before the bits, and those from the top down (see `bitmap.rs`): a late waker
        // leaves at worst a notification too many, never a bit that nobody is told of.
        self.park.take();
        self.wakes.drain(|_| {});
        self.has_commands.store(false, Ordering::Relaxed);
        let spent = name.bits() as u16 == u16::MAX;
        let state = if spent { RETIRED } else { FREE };
        self.claim.store(claim_of(fork::era(), state), Ordering::Release);
    }
}

/// Takes a block for a new runtime.
///
/// # Panics
///
/// When 65,536 runtimes are alive.
pub(crate) fn claim() -> (&'static Block, RuntimeName) {
    fork::watch();
    let era = fork::era();
    let used = USED.load(Ordering::Acquire).min(SLOTS as u32);
    for slot in 0..used {
        let Some(block) = block(slot as u16) else { continue };
        let (free, taken) = (claim_of(era, FREE), claim_of(era, TAKEN));
        let claimed =
            block.claim.compare_exchange(free, taken, Ordering::Acquire, Ordering::Relaxed);
        if claimed.is_ok() {
            return (block, install(block, slot as u16));
        }
    }
    let slot = USED.fetch_add(1, Ordering::AcqRel);
    assert!((slot as usize) < SLOTS, "65,536 runtimes are alive: drop some before making another");
    let (bucket, _) = place(slot as usize);
    if TABLE[bucket].get().is_none() {
        // Made before the cell is asked to take it: who allocates may have to wait for a fork to end, and
        // its child would find the cell taken by a thread that it does not have. A loser's go.
        let blocks = (0..1 << bucket).map(|_| Block::new()).collect();
        let _ = TABLE[bucket].set(blocks);
    }
    let block = block(slot as u16).expect("its bucket was just filled");
    block.claim.store(claim_of(era, TAKEN), Ordering::Relaxed);
    (block, install(block, slot as u16))
}

/// Gives a claimed block its next name and opens its inbox.
fn install(block: &Block, slot: u16) -> RuntimeName {
    let last = RuntimeName::from_bits(block.name.load(Ordering::Relaxed));
    let name = RuntimeName::new(slot, last.bits() as u16 + 1);
    block.lock().owner = name;
    block.name.store(name.bits(), Ordering::Release);
    name
}

fn place(slot: usize) -> (usize, usize) {
    let bucket = (slot + 1).ilog2() as usize;
    (bucket, slot + 1 - (1 << bucket))
}

fn block(slot: u16) -> Option<&'static Block> {
    let (bucket, offset) = place(slot as usize);
    TABLE[bucket].get()?.get(offset)
}

/// The block of a runtime that may be gone by now.
fn block_of(name: RuntimeName) -> Option<&'static Block> {
    let block = block(name.slot())?;
    (block.name.load(Ordering::Relaxed) == name.bits() && block.is_of_this_process())
        .then_some(block)
}

/// Wakes a task of a runtime that is not turning on this thread. A runtime that is gone, or that
/// stayed with the parent of a fork, is not woken.
#[cold]
pub(crate) fn wake(name: Name) {
    if let Some(block) = block_of(name.runtime()) {
        if block.wakes.set(name.index()) {
            block.notify();
        }
    }
}

/// Has a runtime look around, if it sleeps.
pub(crate) fn notify(name: RuntimeName) {
    if let Some(block) = block_of(name) {
        block.notify();
    }
}

/// Has a runtime notified of these signals; false if it is gone.
#[inline]
pub(crate) fn listen(name: RuntimeName, signals: u64) -> bool {
    let Some(block) = block_of(name) else { return false };
    // Under the lock: who closes the inbox after this finds the bits.
    let inbox = block.lock();
    if inbox.owner != name {
        return false;
    }
    block.listens.fetch_or(signals, Ordering::AcqRel);
    true
}

/// Has a runtime notified of these signals no more; returns of which it was.
pub(crate) fn unlisten(name: RuntimeName, signals: u64) -> u64 {
    block_of(name).map_or(0, |block| block.listens.fetch_and(!signals, Ordering::AcqRel) & signals)
}

/// Notifies every runtime that has listeners for these signals. Async-signal-safe.
#[inline]
pub(crate) fn notify_listeners(signals: u64) {
    let used = USED.load(Ordering::Acquire).min(SLOTS as u32);
    for block in (0..used).filter_map(|slot| block(slot as u16)) {
        if block.listens.load(Ordering::Acquire) & signals != 0 && block.is_of_this_process() {
            block.signalled.fetch_or(signals, Ordering::AcqRel);
            block.notify();
        }
    }
}

/// Leaves a command for a runtime; it comes back if the runtime is gone.
pub(crate) fn send(to: RuntimeName, command: Command) -> Result<(), Command> {
    let mut command = Some(command);
    send_with(to, || command.take().expect("it is made once"));
    command.map_or(Ok(()), Err)
}

/// Leaves a command, which is made only if the runtime is not gone; false if it is.
pub(crate) fn send_with(to: RuntimeName, make: impl FnOnce() -> Command) -> bool {
    let Some(block) = block_of(to) else { return false };
    {
        let mut inbox = block.lock();
        if inbox.owner != to {
            return false;
        }
        inbox.commands.push(make());
        block.has_commands.store(true, Ordering::Release);
    }
    block.notify();
    true
}

/// Has a runtime keep something until it is dropped; it comes back if the runtime is gone.
pub(crate) fn keep<T: Send + 'static>(at: RuntimeName, kept: T) -> Result<(), T> {
    let Some(block) = block_of(at) else { return Err(kept) };
    let mut inbox = block.lock();
    if inbox.owner != at {
        drop(inbox);
        return Err(kept);
    }
    inbox.kept.push(Box::new(move |_| drop(kept)));
    Ok(())
}

/// Deregisters an fd from a runtime of another thread, at once, so that it can be closed or given
/// away; only the entry's release waits for the owner. Does nothing if the runtime is gone.
pub(crate) fn deregister(name: Name, fd: RawFd) {
    let Some(block) = block_of(name.runtime()) else { return };
    {
        let mut inbox = block.lock();
        if inbox.owner != name.runtime() {
            return;
        }
        if let Some(epoll) = &inbox.epoll {
            // It fails only if somebody has closed the descriptor under us: then it is gone too.
            let _ = epoll.ctl_del(fd);
        }
        // A command for each, in its turn: who waited for the descriptor may have sent commands before, which
        // must not find the entry another's.
        inbox.released.push_back(name.index());
        inbox.commands.push(Box::new(Core::release_source));
        block.has_commands.store(true, Ordering::Release);
    }
    block.notify();
}
