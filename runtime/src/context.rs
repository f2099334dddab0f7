//! Which runtime is current on this thread: one drop-free thread-local and the scopes that set it.
//!
//! Two facts are kept apart. A runtime is *entered* when `spawn`, `sleep` and the like should find
//! it; it is *turning* while this thread is inside its loop. Only while turning does a wake go
//! straight to the run queue: between turns nobody would look there, so it goes by the inbox.
//!
//! The thread-local is const-initialised and has no destructor, so that wakers and handles may be
//! used in the destructors of other thread-locals.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr;
use std::rc::Rc;

use crate::coop::UNLIMITED;
use crate::core::Core;
use crate::handle::Handle;
use crate::name::RuntimeName;
use crate::sync::thread_local;

/// What [`Handle::enter`] makes current.
#[derive(Clone)]
pub(crate) enum Entered {
    /// A runtime of this thread.
    Here(Rc<Core>),
    /// A runtime of another thread: good for what is `Send` only.
    Elsewhere(Handle),
}

/// The answer to "which runtime is current?".
pub(crate) enum Current<'a> {
    Here(&'a Core),
    Elsewhere(&'a Handle),
    None,
}

impl<'a> Current<'a> {
    fn of(entered: &'a Option<Entered>) -> Current<'a> {
        match entered {
            Some(Entered::Here(core)) => Current::Here(core),
            Some(Entered::Elsewhere(handle)) => Current::Elsewhere(handle),
            None => Current::None,
        }
    }
}

/// A runtime and the guard that keeps it entered.
struct Guarded {
    serial: u64,
    entered: Entered,
}

struct Context {
    /// The runtime whose loop this thread is in, and its name; null and `NONE` outside.
    turning: Cell<*const Core>,
    turning_name: Cell<RuntimeName>,
    /// What guards have entered and not left, the innermost last.
    guards: Cell<ManuallyDrop<Vec<Guarded>>>,
    /// The serial of the last guard there was.
    last_guard: Cell<u64>,
    /// Guards up to this serial were there before that loop and do not count in it.
    outside: Cell<u64>,
    /// Whether the innermost guard counts.
    is_entered: Cell<bool>,
    /// Every runtime made on this thread and still alive, linked through `Core::next_owned`.
    owned: Cell<*const Core>,
    /// How many operations the running task may still do in this poll.
    budget: Cell<i64>,
    /// The serial of the task being polled; 0 between polls and in the root future.
    task: Cell<u64>,
}

thread_local! {
    static CONTEXT: Context = const {
        Context {
            turning: Cell::new(ptr::null()),
            turning_name: Cell::new(RuntimeName::NONE),
            guards: Cell::new(ManuallyDrop::new(Vec::new())),
            last_guard: Cell::new(0),
            outside: Cell::new(0),
            is_entered: Cell::new(false),
            owned: Cell::new(ptr::null()),
            budget: Cell::new(UNLIMITED),
            task: Cell::new(0),
        }
    };
}

/// The context of this thread.
#[inline]
fn context() -> &'static Context {
    // SAFETY: a thread-local without a destructor is there until its thread has run its last
    // instruction, and the reference cannot leave the thread: `Context` is full of cells, so it is not
    // `Sync` and the reference not `Send`.
    CONTEXT.with(|context| unsafe { &*ptr::from_ref(context) })
}

/// Runs `f` on the runtime `name`, which is not `NONE`, if this thread is inside its loop.
#[inline(always)]
pub(crate) fn turning<R>(name: RuntimeName, f: impl FnOnce(&Core) -> R) -> Option<R> {
    debug_assert_ne!(name, RuntimeName::NONE, "that is what turns where none does");
    let context = context();
    if context.turning_name.get() != name {
        return None;
    }
    // SAFETY: `turning` points to the `Core` that a `turn_scope` on this thread's stack below us
    // borrows; it is reset before that borrow ends, and we return before that.
    Some(f(unsafe { &*context.turning.get() }))
}

/// Runs `f` on the runtime inside whose loop this thread is, if it is.
pub(crate) fn with_turning(f: impl FnOnce(&Core)) {
    let name = context().turning_name.get();
    if name != RuntimeName::NONE {
        turning(name, f);
    }
}

/// Whether this thread is inside any runtime's loop.
pub(crate) fn is_turning() -> bool {
    context().turning_name.get() != RuntimeName::NONE
}

/// Whether it is a runtime that stayed with the process which forked this one.
pub(crate) fn is_turning_of_parent() -> bool {
    is_turning() && turning(context().turning_name.get(), Core::is_of_parent) == Some(true)
}

/// Runs `f` on the runtime `name`, which is not `NONE`, if it lives on this thread, turning or not.
#[inline]
pub(crate) fn local<R>(name: RuntimeName, f: impl FnOnce(&Core) -> R) -> Option<R> {
    debug_assert_ne!(name, RuntimeName::NONE, "that is what turns where none does");
    let context = context();
    let found;
    let core = if context.turning_name.get() == name {
        // SAFETY: as in `turning`.
        unsafe { &*context.turning.get() }
    } else {
        found = find_owned(context, name)?;
        &*found
    };
    Some(f(core))
}

/// The runtime `name`, if it lives on this thread.
pub(crate) fn find(name: RuntimeName) -> Option<Rc<Core>> {
    local(name, Core::strong).flatten()
}

/// Whether the runtime `name` lives on this thread.
pub(crate) fn is_local(name: RuntimeName) -> bool {
    local(name, |_| ()).is_some()
}

#[cold]
fn find_owned(context: &Context, name: RuntimeName) -> Option<Rc<Core>> {
    let mut next = context.owned.get();
    while !next.is_null() {
        // SAFETY: a `Core` is on the list from `own` until its drop calls `disown`, both on this
        // thread, which it cannot leave; so what the list holds is alive.
        let core = unsafe { &*next };
        if core.name == name {
            return core.strong();
        }
        next = core.next_owned.get();
    }
    None
}

/// Puts a new runtime on this thread's list.
pub(crate) fn own(core: &Core) {
    core.next_owned.set(context().owned.replace(core));
}

/// Takes a runtime that is being dropped off the list.
pub(crate) fn disown(core: &Core) {
    let mut link = &context().owned;
    while !link.get().is_null() {
        if ptr::eq(link.get(), core) {
            link.set(core.next_owned.get());
            return;
        }
        // SAFETY: as in `find_owned`.
        link = unsafe { &(*link.get()).next_owned };
    }
}

/// Runs `f` with the current runtime: the innermost guard's, else the one whose loop we are in.
#[inline]
pub(crate) fn with_current<R>(f: impl FnOnce(Current<'_>) -> R) -> R {
    let context = context();
    if context.is_entered.get() {
        return with_entered(context, f);
    }
    if context.turning.get().is_null() {
        return f(Current::None);
    }
    // SAFETY: as in `turning`.
    f(Current::Here(unsafe { &*context.turning.get() }))
}

/// Out of line, to keep its clean-up out of the frames of hot callers.
#[cold]
#[inline(never)]
fn with_entered<R>(context: &Context, f: impl FnOnce(Current<'_>) -> R) -> R {
    f(Current::of(&entered(context)))
}

#[cold]
fn entered(context: &Context) -> Option<Entered> {
    with_guards(context, |guards| guards.last().map(|guard| guard.entered.clone()))
}

/// Runs `f`, which must not run foreign code, with the guards taken out of their cell.
fn with_guards<R>(context: &Context, f: impl FnOnce(&mut Vec<Guarded>) -> R) -> R {
    let mut guards =
        ManuallyDrop::into_inner(context.guards.replace(ManuallyDrop::new(Vec::new())));
    let result = f(&mut guards);
    if guards.is_empty() {
        // The cell is never dropped: when the thread ends nothing may be left in it.
        guards = Vec::new();
    }
    context.is_entered.set(guards.last().is_some_and(|guard| guard.serial > context.outside.get()));
    context.guards.set(ManuallyDrop::new(guards));
    result
}

/// Makes `entered` the current runtime until [`leave`] is called with the serial that comes back.
pub(crate) fn enter(entered: Entered) -> u64 {
    let context = context();
    let serial = context.last_guard.get() + 1;
    context.last_guard.set(serial);
    with_guards(context, |guards| guards.push(Guarded { serial, entered }));
    serial
}

/// Ends what a guard has entered. Guards may go in any order.
pub(crate) fn leave(serial: u64) {
    let left = with_guards(context(), |guards| {
        let position = guards.iter().rposition(|guard| guard.serial == serial)?;
        Some(guards.remove(position))
    });
    // It may be the last owner of its runtime: dropped when the guards are back in their cell.
    drop(left);
}

/// Runs `f` with `core` turning on this thread; what was before comes back after, also by panic.
pub(crate) fn turn_scope<R>(core: &Core, f: impl FnOnce() -> R) -> R {
    struct Restore<'a> {
        turning: *const Core,
        turning_name: RuntimeName,
        outside: u64,
        budget: i64,
        task: u64,
        borrow: PhantomData<&'a Core>,
    }
    impl Drop for Restore<'_> {
        fn drop(&mut self) {
            let context = context();
            context.turning.set(self.turning);
            context.turning_name.set(self.turning_name);
            context.budget.set(self.budget);
            context.task.set(self.task);
            context.outside.set(self.outside);
            with_guards(context, |_| ());
        }
    }
    let context = context();
    context.is_entered.set(false);
    let _restore = Restore {
        turning: context.turning.replace(core),
        turning_name: context.turning_name.replace(core.name),
        outside: context.outside.replace(context.last_guard.get()),
        budget: context.budget.replace(UNLIMITED),
        task: context.task.replace(0),
        borrow: PhantomData,
    };
    f()
}

/// Forgets every runtime of this thread: they stayed with the parent process.
pub(crate) fn forget_all() {
    let context = context();
    context.turning.set(ptr::null());
    context.turning_name.set(RuntimeName::NONE);
    context.owned.set(ptr::null());
    context.budget.set(UNLIMITED);
    context.task.set(0);
    context.is_entered.set(false);
    // Leaked on purpose: the destructors would be the parent's business.
    let _guards = context.guards.replace(ManuallyDrop::new(Vec::new()));
}

/// What the running task may still do in this poll.
#[inline]
pub(crate) fn budget() -> &'static Cell<i64> {
    &context().budget
}

/// The serial of the task being polled, 0 if none.
#[inline]
pub(crate) fn task_serial() -> u64 {
    context().task.get()
}

/// Sets both facts of a poll at once: whose it is and what it may spend.
#[inline]
pub(crate) fn begin_poll(serial: u64, budget: i64) {
    let context = context();
    context.task.set(serial);
    context.budget.set(budget);
}
