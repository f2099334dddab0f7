//! `task_local!`: values that a future and all it calls can see, and nobody else.
//!
//! A value lies in its future, and is in the thread's cell only while the future is polled or dropped: the
//! two are swapped before and after.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use pin_project_lite::pin_project;

/// Declares task-local keys: statics of the type [`LocalKey`](crate::task::LocalKey).
///
/// The semantics are those of tokio's macro of the same name.
///
/// # Examples
///
/// ```
/// runtime::task_local! {
///     /// Who asks.
///     pub static USER: String;
///     static DEPTH: u32;
/// }
///
/// # runtime::block_on(async {
/// async fn greet() -> String {
///     USER.with(|user| format!("hello, {user}"))
/// }
/// let greeting = USER.scope("ann".to_string(), greet()).await;
/// assert_eq!(greeting, "hello, ann");
/// assert!(DEPTH.try_get().is_err());
/// # });
/// ```
#[macro_export]
macro_rules! task_local {
    () => {};
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty $(; $($rest:tt)*)?) => {
        $(#[$attribute])*
        $visibility static $name: $crate::task::LocalKey<$type> = {
            ::std::thread_local! {
                static CELL: ::core::cell::RefCell<::core::option::Option<$type>> =
                    const { ::core::cell::RefCell::new(::core::option::Option::None) };
            }
            $crate::task::LocalKey::__new(CELL)
        };
        $($crate::task_local! { $($rest)* })?
    };
}

/// A key to a value that each future has for itself; made by [`task_local!`](crate::task_local).
///
/// [`scope`](LocalKey::scope) gives a future its value. What it awaits and calls sees the value; the tasks it
/// spawns do not, unless they get a scope of their own.
///
/// ```
/// runtime::task_local! {
///     static REQUEST: u32;
/// }
///
/// # runtime::block_on(async {
/// let handler = async {
///     runtime::task::yield_now().await;
///     REQUEST.with(|number| format!("request {number}"))
/// };
/// assert_eq!(REQUEST.scope(7, handler).await, "request 7");
/// assert_eq!(REQUEST.sync_scope(8, || REQUEST.get()), 8);
/// assert!(REQUEST.try_with(|_| ()).is_err()); // no scope here
/// # });
/// ```
pub struct LocalKey<T: 'static> {
    cell: thread::LocalKey<RefCell<Option<T>>>,
}

impl<T: 'static> LocalKey<T> {
    #[doc(hidden)]
    #[inline]
    pub const fn __new(cell: thread::LocalKey<RefCell<Option<T>>>) -> LocalKey<T> {
        LocalKey { cell }
    }

    /// Runs `future` with the value set, over one that is set already; also while the future is dropped.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled inside [`with`](LocalKey::with) of the same key.
    ///
    /// # Cancel safety
    ///
    /// As the future's own.
    #[inline]
    pub fn scope<F: Future>(&'static self, value: T, future: F) -> TaskLocalFuture<T, F> {
        TaskLocalFuture { key: self, value: Some(value), future: Some(future) }
    }

    /// Runs `f` with the value set, over one that is set already.
    ///
    /// # Panics
    ///
    /// Inside [`with`](LocalKey::with) of the same key, and in the destructor of a thread-local.
    #[track_caller]
    #[inline]
    pub fn sync_scope<R>(&'static self, value: T, f: impl FnOnce() -> R) -> R {
        match self.swapped(&mut Some(value), f) {
            Ok(result) => result,
            Err(refused) => refused.panic(),
        }
    }

    /// Runs `f` with a reference to the value.
    ///
    /// # Panics
    ///
    /// Outside of a scope of this key.
    #[track_caller]
    #[inline]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        match self.try_with(f) {
            Ok(result) => result,
            Err(_) => panic!(
                "a task-local value was read outside of a scope that sets it: call its key's \
                              `scope` or `sync_scope` around, in each spawned task anew"
            ),
        }
    }

    /// Runs `f` with a reference to the value.
    ///
    /// # Errors
    ///
    /// Outside of a scope of this key.
    #[inline]
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        let result = self.cell.try_with(|cell| cell.borrow().as_ref().map(f));
        result.ok().flatten().ok_or(AccessError(()))
    }

    /// A copy of the value.
    ///
    /// # Panics
    ///
    /// Outside of a scope of this key.
    #[track_caller]
    #[inline]
    pub fn get(&'static self) -> T
    where
        T: Clone,
    {
        self.with(T::clone)
    }

    /// A copy of the value.
    ///
    /// # Errors
    ///
    /// Outside of a scope of this key.
    #[inline]
    pub fn try_get(&'static self) -> Result<T, AccessError>
    where
        T: Clone,
    {
        self.try_with(T::clone)
    }

    /// Runs `f` with the thread's cell and `value` swapped; they are swapped back also by a panic.
    #[inline]
    fn swapped<R>(
        &'static self,
        value: &mut Option<T>,
        f: impl FnOnce() -> R,
    ) -> Result<R, Refused> {
        struct SwapBack<'a, T: 'static> {
            key: &'static LocalKey<T>,
            value: &'a mut Option<T>,
        }
        impl<T: 'static> Drop for SwapBack<'_, T> {
            #[inline]
            fn drop(&mut self) {
                // `f` has returned, so no `with` inside it holds the cell, and it was there before.
                self.key.cell.with(|cell| mem::swap(&mut *cell.borrow_mut(), self.value));
            }
        }

        self.cell
            .try_with(|cell| match cell.try_borrow_mut() {
                Ok(mut held) => {
                    mem::swap(&mut *held, value);
                    Ok(())
                }
                Err(_) => Err(Refused::Borrowed),
            })
            .unwrap_or(Err(Refused::Destroyed))?;
        let _swap_back = SwapBack { key: self, value };
        Ok(f())
    }
}

impl<T> fmt::Debug for LocalKey<T> {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

/// Why a value could not be set.
enum Refused {
    Borrowed,
    Destroyed,
}

impl Refused {
    #[cold]
    #[track_caller]
    fn panic(self) -> ! {
        match self {
            Refused::Borrowed => panic!(
                "a task-local value was set inside `with` of the same key, which borrows it: leave `with` \
                 before, with a clone of the value if need be"
            ),
            Refused::Destroyed => panic!(
                "a task-local value was set in the destructor of a thread-local, when its own thread-local \
                 was gone already"
            ),
        }
    }
}

pin_project! {
    /// A future with a task-local value; made by [`LocalKey::scope`].
    #[must_use = "futures do nothing unless polled"]
    pub struct TaskLocalFuture<T: 'static, F> {
        key: &'static LocalKey<T>,
        value: Option<T>,
        #[pin]
        future: Option<F>,
    }

    impl<T: 'static, F> PinnedDrop for TaskLocalFuture<T, F> {
        #[inline]
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                // If it cannot be set, the future is dropped without, with the struct.
                let _ = this.key.swapped(this.value, || this.future.set(None));
            }
        }
    }
}

impl<T: 'static, F> TaskLocalFuture<T, F> {
    /// Takes the value out of a future that is not running; `None` if that was done before.
    ///
    /// For after it has completed. A future that goes on without its value does not see it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::pin::pin;
    ///
    /// runtime::task_local! {
    ///     static STEPS: Cell<u32>;
    /// }
    ///
    /// # runtime::block_on(async {
    /// let work = async { STEPS.with(|steps| steps.set(steps.get() + 1)) };
    /// let mut work = pin!(STEPS.scope(Cell::new(0), work));
    /// work.as_mut().await;
    /// assert_eq!(work.take_value(), Some(Cell::new(1)));
    /// # });
    /// ```
    #[inline]
    pub fn take_value(self: Pin<&mut Self>) -> Option<T> {
        self.project().value.take()
    }
}

impl<T: 'static, F: Future> Future for TaskLocalFuture<T, F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let polled = this.key.swapped(this.value, || {
            let polled = this
                .future
                .as_mut()
                .as_pin_mut()
                .expect("the future of LocalKey::scope was polled after it had completed")
                .poll(cx);
            if polled.is_ready() {
                this.future.set(None);
            }
            polled
        });
        match polled {
            Ok(polled) => polled,
            Err(refused) => refused.panic(),
        }
    }
}

impl<T: 'static, F> fmt::Debug for TaskLocalFuture<T, F> {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskLocalFuture").finish_non_exhaustive()
    }
}

/// A task-local value was asked for outside of a scope that sets it: by [`LocalKey::try_with`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccessError(());

impl fmt::Display for AccessError {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no scope sets this task-local value here")
    }
}

impl Error for AccessError {}
