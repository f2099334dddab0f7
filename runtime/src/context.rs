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

use crate::core::Core;
use crate::handle::Handle;
use crate::name::RuntimeName;

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

struct Context {
    /// The runtime whose loop this thread is in, and its name; null and `NONE` outside.
    turning: Cell<*const Core>,
    turning_name: Cell<RuntimeName>,
    /// The innermost guard since that loop was entered.
    entered: Cell<ManuallyDrop<Option<Entered>>>,
    is_entered: Cell<bool>,
    /// Every runtime made on this thread and still alive, linked through `Core::next_owned`.
    owned: Cell<*const Core>,
    /// How many operations the running task may still do in this poll.
    budget: Cell<u32>,
    /// The serial of the task being polled; 0 between polls and in the root future.
    task: Cell<u64>,
}

thread_local! {
    static CONTEXT: Context = const {
        Context {
            turning: Cell::new(ptr::null()),
            turning_name: Cell::new(RuntimeName::NONE),
            entered: Cell::new(ManuallyDrop::new(None)),
            is_entered: Cell::new(false),
            owned: Cell::new(ptr::null()),
            budget: Cell::new(u32::MAX),
            task: Cell::new(0),
        }
    };
}

/// Runs `f` on the runtime `name` if this thread is inside its loop.
#[inline]
pub(crate) fn turning<R>(name: RuntimeName, f: impl FnOnce(&Core) -> R) -> Option<R> {
    CONTEXT.with(|context| {
        if context.turning_name.get() != name {
            return None;
        }
        // SAFETY: `turning` points to the `Core` that a `turn_scope` on this thread's stack below
        // us borrows; it is reset before that borrow ends, and we return before that.
        Some(f(unsafe { &*context.turning.get() }))
    })
}

/// Whether this thread is inside any runtime's loop.
pub(crate) fn is_turning() -> bool {
    CONTEXT.with(|context| context.turning_name.get() != RuntimeName::NONE)
}

/// Runs `f` on the runtime `name` if it lives on this thread, turning or not.
#[inline]
pub(crate) fn local<R>(name: RuntimeName, f: impl FnOnce(&Core) -> R) -> Option<R> {
    CONTEXT.with(|context| {
        if context.turning_name.get() == name {
            // SAFETY: as in `turning`.
            return Some(f(unsafe { &*context.turning.get() }));
        }
        find_owned(context, name).map(|core| f(&core))
    })
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
    CONTEXT.with(|context| core.next_owned.set(context.owned.replace(core)));
}

/// Takes a runtime that is being dropped off the list.
pub(crate) fn disown(core: &Core) {
    CONTEXT.with(|context| {
        let mut link = &context.owned;
        while !link.get().is_null() {
            if ptr::eq(link.get(), core) {
                link.set(core.next_owned.get());
                return;
            }
            // SAFETY: as in `find_owned`.
            link = unsafe { &(*link.get()).next_owned };
        }
    });
}

/// Runs `f` with the current runtime: the innermost guard's, else the one whose loop we are in.
#[inline]
pub(crate) fn with_current<R>(f: impl FnOnce(Current<'_>) -> R) -> R {
    CONTEXT.with(|context| {
        if context.is_entered.get() {
            return match entered(context) {
                Some(Entered::Here(core)) => f(Current::Here(&core)),
                Some(Entered::Elsewhere(handle)) => f(Current::Elsewhere(&handle)),
                None => f(Current::None),
            };
        }
        if context.turning.get().is_null() {
            return f(Current::None);
        }
        // SAFETY: as in `turning`.
        f(Current::Here(unsafe { &*context.turning.get() }))
    })
}

#[cold]
fn entered(context: &Context) -> Option<Entered> {
    let held = context.entered.replace(ManuallyDrop::new(None));
    let copy = (*held).clone();
    context.entered.set(held);
    copy
}

/// Makes `new` the entered runtime and returns what was before, each owned by who holds it: guards
/// dropped in any order, or never, leave nothing dangling.
pub(crate) fn swap_entered(new: Option<Entered>) -> Option<Entered> {
    CONTEXT.with(|context| {
        context.is_entered.set(new.is_some());
        ManuallyDrop::into_inner(context.entered.replace(ManuallyDrop::new(new)))
    })
}

/// Runs `f` with `core` turning on this thread; what was before comes back after, also by panic.
pub(crate) fn turn_scope<R>(core: &Core, f: impl FnOnce() -> R) -> R {
    struct Restore<'a> {
        turning: *const Core,
        turning_name: RuntimeName,
        entered: Option<Entered>,
        budget: u32,
        task: u64,
        borrow: PhantomData<&'a Core>,
    }
    impl Drop for Restore<'_> {
        fn drop(&mut self) {
            CONTEXT.with(|context| {
                context.turning.set(self.turning);
                context.turning_name.set(self.turning_name);
                context.budget.set(self.budget);
                context.task.set(self.task);
            });
            drop(swap_entered(self.entered.take()));
        }
    }
    let _restore = CONTEXT.with(|context| Restore {
        turning: context.turning.replace(core),
        turning_name: context.turning_name.replace(core.name),
        entered: swap_entered(None),
        budget: context.budget.replace(u32::MAX),
        task: context.task.replace(0),
        borrow: PhantomData,
    });
    f()
}

/// Forgets every runtime of this thread: they stayed with the parent process.
pub(crate) fn forget_all() {
    CONTEXT.with(|context| {
        context.turning.set(ptr::null());
        context.turning_name.set(RuntimeName::NONE);
        context.owned.set(ptr::null());
        context.budget.set(u32::MAX);
        context.task.set(0);
    });
    // Leaked on purpose: its destructor would be the parent's business.
    std::mem::forget(swap_entered(None));
}

#[inline]
pub(crate) fn budget() -> u32 {
    CONTEXT.with(|context| context.budget.get())
}

#[inline]
pub(crate) fn set_budget(budget: u32) {
    CONTEXT.with(|context| context.budget.set(budget));
}

/// The serial of the task being polled, 0 if none.
#[inline]
pub(crate) fn task_serial() -> u64 {
    CONTEXT.with(|context| context.task.get())
}

/// Sets both facts of a poll at once: whose it is and what it may spend.
#[inline]
pub(crate) fn begin_poll(serial: u64, budget: u32) {
    CONTEXT.with(|context| {
        context.task.set(serial);
        context.budget.set(budget);
    });
}
