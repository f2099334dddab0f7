//! `join!`, `try_join!` and `select!`: several futures in one task, without allocation.
//!
//! Each macro takes its input apart branch by branch and then writes everything at once: the futures are
//! pinned in locals of the calling function, and one `poll_fn` polls them. The code that needs no macro is in
//! `private.rs`.

/// Waits for all of several futures, at the same time and in the same task.
///
/// The value is a tuple of the outputs, in the order of the futures. What is not a future yet but can become
/// one ([`IntoFuture`]) is taken too. Any number of futures is fine; from about 120 on, the crate needs a
/// higher `#![recursion_limit]`.
///
/// The futures share the task: they run concurrently, not in parallel, and one that blocks the thread blocks
/// the others. A future that is done is dropped and not polled again. The semantics are those of tokio's
/// macro of the same name.
///
/// # Order
///
/// Each time the task is woken another future is polled first, so that a busy one cannot use up the task's
/// budget before the others had theirs. With `biased;` in front they are always polled as written.
///
/// # Cancel safety
///
/// If the surrounding future is dropped, all futures are dropped, and so are the outputs that were there
/// already.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// # runtime::block_on(async {
/// let (a, b) = runtime::join!(
///     async {
///         runtime::time::sleep(Duration::from_millis(1)).await;
///         "slow"
///     },
///     async { "quick" },
/// );
/// assert_eq!((a, b), ("slow", "quick"));
/// # });
/// ```
///
/// [`IntoFuture`]: std::future::IntoFuture
#[macro_export]
macro_rules! join {
    (biased; $($futures:tt)*) => { $crate::__join!(@take true join [] $($futures)*) };
    ($($futures:tt)*) => { $crate::__join!(@take false join [] $($futures)*) };
}

/// Waits until all of several futures are `Ok`, or one is `Err`.
///
/// The value is `Ok` with a tuple of what the futures gave, or the first error; in that case the other
/// futures are dropped where they stand. The error type is the same for all. Else everything is as in
/// [`join!`](crate::join!), and the semantics are those of tokio's macro of the same name.
///
/// # Cancel safety
///
/// As with [`join!`](crate::join!); an error does the same to the other futures as dropping all would.
///
/// # Examples
///
/// ```
/// # runtime::block_on(async {
/// let both = runtime::try_join!(async { "1".parse::<u8>() }, async { "2".parse::<u16>() });
/// assert_eq!(both, Ok((1, 2)));
///
/// let both = runtime::try_join!(std::future::pending::<Result<(), _>>(), async { "x".parse::<u16>() });
/// assert!(both.is_err());
/// # });
/// ```
#[macro_export]
macro_rules! try_join {
    (biased; $($futures:tt)*) => { $crate::__join!(@take true try_join [] $($futures)*) };
    ($($futures:tt)*) => { $crate::__join!(@take false try_join [] $($futures)*) };
}

/// `join!` and `try_join!` behind their entries: `@take` gives each future a name, the other rules write.
///
/// The names are all spelled `branch`. They are different variables nevertheless, because each comes from
/// another step of the expansion.
#[doc(hidden)]
#[macro_export]
macro_rules! __join {
    (@take $biased:tt $kind:ident [$($done:tt)*] $future:expr, $($rest:tt)*) => {
        $crate::__join!(@take $biased $kind [$($done)* (branch $future)] $($rest)*)
    };
    (@take $biased:tt $kind:ident [$($done:tt)*] $future:expr) => {
        $crate::__join!(@$kind $biased $($done)* (branch $future))
    };
    (@take $biased:tt $kind:ident [$($done:tt)*]) => {
        $crate::__join!(@$kind $biased $($done)*)
    };
    (@take $biased:tt $kind:ident [$($done:tt)*] $($rest:tt)+) => {
        ::core::compile_error!(::core::concat!(
            ::core::stringify!($kind), "! takes futures with commas between them; this is left over: `",
            ::core::stringify!($($rest)+), "`"
        ))
    };

    (@join $biased:tt) => { () };
    (@join $biased:tt $(($branch:ident $future:expr))+) => {{
        $(let mut $branch = $crate::__private::pin!($crate::__private::Joined::new($future));)+
        let mut turns = $crate::__private::Turns::new([$(::core::stringify!($branch)),+].len(), $biased);
        $crate::__private::poll_fn(|cx| {
            let mut pending = false;
            for mut pass in turns.next_passes() {
                $(
                    if pass.polls_next() {
                        pending |= $branch.as_mut().poll(cx).is_pending();
                    }
                )+
            }
            if pending { $crate::__private::Poll::Pending } else { $crate::__private::Poll::Ready(()) }
        })
        .await;
        let outputs = ($($branch.as_mut().take(),)+);
        outputs
    }};

    (@try_join $biased:tt) => { ::core::result::Result::Ok(()) };
    (@try_join $biased:tt $(($branch:ident $future:expr))+) => {{
        $(let mut $branch = $crate::__private::pin!($crate::__private::Joined::new($future));)+
        let mut turns = $crate::__private::Turns::new([$(::core::stringify!($branch)),+].len(), $biased);
        let end = $crate::__private::poll_fn(|cx| {
            let mut pending = false;
            for mut pass in turns.next_passes() {
                $(
                    if pass.polls_next() {
                        match $branch.as_mut().try_poll(cx) {
                            $crate::__private::Poll::Pending => pending = true,
                            $crate::__private::Poll::Ready(::core::result::Result::Ok(())) => {}
                            error => return error,
                        }
                    }
                )+
            }
            if pending {
                $crate::__private::Poll::Pending
            } else {
                $crate::__private::Poll::Ready(::core::result::Result::Ok(()))
            }
        })
        .await;
        let outputs = match end {
            ::core::result::Result::Ok(()) => {
                ::core::result::Result::Ok(($($branch.as_mut().take_ok(),)+))
            }
            ::core::result::Result::Err(error) => ::core::result::Result::Err(error),
        };
        outputs
    }};
}

/// Waits for the first of several futures, drops the others, and runs the handler of the one that was first.
///
/// ```text
/// select! {
///     biased;                                          // if at all, at the top
///     pattern = future => handler,
///     pattern = future, if condition => handler,
///     else => handler,                                 // if at all, at the end
/// }
/// ```
///
/// There may be up to 64 branches. A handler is an expression; after one in braces the comma may be left out.
/// All handlers have one type, which is the type of the whole, and they run where the `select!` stands:
/// `.await`, `?`, `break`, `continue` and `return` mean in them what they mean around it, and each may borrow
/// and move what it likes. Syntax and semantics are those of tokio's macro of the same name.
///
/// # What happens, in order
///
/// 1. All conditions are evaluated. A branch whose condition is `false` is disabled, for this time.
/// 2. All futures are made, those of disabled branches too; the latter are never polled.
/// 3. The futures are polled, in this task: concurrently, not in parallel.
/// 4. When one completes and its output fits the pattern, all futures are dropped, with all that they
///    borrow, and then the handler runs. If it does not fit, the branch is disabled and the others go on.
/// 5. When no branch is left, the handler of `else` runs.
///
/// # Order
///
/// Each time the task is woken, the branch that is polled first is drawn anew, so that of several futures
/// that are always ready each wins at times. The draws are the runtime's, and repeat if it was built with
/// `rng_seed`; under a foreign executor there are none, and the first branch comes first. With `biased;` the
/// futures are polled as they are written, without a draw: then it is yours to see that a busy branch stands
/// below those it must not starve.
///
/// # Panics
///
/// Panics if all branches are disabled and there is no `else`.
///
/// # Cancel safety
///
/// The futures of the branches that were not first are dropped. In a loop each starts anew next time, so what
/// its "Cancel safety" says is lost is lost then. To keep one across rounds, make and pin it outside and
/// select on `&mut future`.
///
/// # Examples
///
/// Work with a limit in time, one limit for all rounds:
///
/// ```
/// use std::{pin::pin, time::Duration};
///
/// # runtime::block_on(async {
/// let mut limit = pin!(runtime::time::sleep(Duration::from_millis(5)));
/// let mut rounds = 0;
/// loop {
///     runtime::select! {
///         () = runtime::time::sleep(Duration::from_millis(1)) => rounds += 1,
///         () = &mut limit => break,
///     }
/// }
/// assert!(rounds < 6);
/// # });
/// ```
///
/// A pattern that is refused and a condition; `else` ends the loop when there is nothing to wait for:
///
/// ```
/// # runtime::block_on(async {
/// let mut letters = ["a", "b"].into_iter();
/// let mut ticks = 0;
/// let mut seen = Vec::new();
/// loop {
///     runtime::select! {
///         Some(letter) = async { letters.next() } => seen.push(letter),
///         _ = async {}, if ticks < 3 => {
///             ticks += 1;
///             seen.push("tick");
///         }
///         else => break,
///     }
/// }
/// seen.sort();
/// assert_eq!(seen, ["a", "b", "tick", "tick", "tick"]);
/// # });
/// ```
#[macro_export]
macro_rules! select {
    (biased; $($branches:tt)*) => { $crate::__select!(@start biased $($branches)*) };
    ($($branches:tt)*) => { $crate::__select!(@start fair $($branches)*) };
}

/// `select!` behind its entry.
///
/// `@take [order] [names left] [branches so far] input` moves one branch a step from the input to the branches,
/// as `(name _ (pattern) (future) [condition] (handler))`; one step, since the recursion limit is 128 and there
/// may be 64 branches. The name is both that of a local and that of a variant of `Out`; the `_` stands for the
/// type of the output. `@write` then writes everything.
#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    (@start $order:ident) => {
        ::core::compile_error!(
            "select! without a branch would wait for nothing; write `pattern = future => handler`"
        )
    };
    (@start $order:ident else => $else:expr $(,)?) => { $else };
    (@start $order:ident $($branches:tt)+) => {
        $crate::__select!(@take [$order] [
            _0 _1 _2 _3 _4 _5 _6 _7 _8 _9 _10 _11 _12 _13 _14 _15 _16 _17 _18 _19 _20 _21
            _22 _23 _24 _25 _26 _27 _28 _29 _30 _31 _32 _33 _34 _35 _36 _37 _38 _39 _40 _41 _42
            _43 _44 _45 _46 _47 _48 _49 _50 _51 _52 _53 _54 _55 _56 _57 _58 _59 _60 _61 _62 _63
        ] [] $($branches)+)
    };

    // The end of the input, and `else`.
    (@take [$order:ident] $names:tt [$($branches:tt)+]) => {
        $crate::__select!(@write $order [$($branches)+] ($crate::__private::all_disabled()))
    };
    (@take [$order:ident] $names:tt [$($branches:tt)+] else => $else:expr $(,)?) => {
        $crate::__select!(@write $order [$($branches)+] ($else))
    };
    (@take $order:tt $names:tt $branches:tt else $($rest:tt)*) => {
        $crate::__select_mistake!(@else $($rest)*)
    };

    // One branch.
    (@take $order:tt [] $branches:tt $($rest:tt)+) => {
        ::core::compile_error!(
            "select! has at most 64 branches; put some of them into an `async` block of their own"
        )
    };
    (@take $order:tt [$name:ident $($names:ident)*] [$($branches:tt)*]
        $pattern:pat = $future:expr $(, if $condition:expr)? => $handler:block, $($rest:tt)*) => {
        $crate::__select!(@take $order [$($names)*]
            [$($branches)* ($name _ ($pattern) ($future) [$($condition)?] ($handler))] $($rest)*)
    };
    (@take $order:tt [$name:ident $($names:ident)*] [$($branches:tt)*]
        $pattern:pat = $future:expr $(, if $condition:expr)? => $handler:block $($rest:tt)*) => {
        $crate::__select!(@take $order [$($names)*]
            [$($branches)* ($name _ ($pattern) ($future) [$($condition)?] ($handler))] $($rest)*)
    };
    (@take $order:tt [$name:ident $($names:ident)*] [$($branches:tt)*]
        $pattern:pat = $future:expr $(, if $condition:expr)? => $handler:expr, $($rest:tt)*) => {
        $crate::__select!(@take $order [$($names)*]
            [$($branches)* ($name _ ($pattern) ($future) [$($condition)?] ($handler))] $($rest)*)
    };
    (@take $order:tt [$name:ident $($names:ident)*] [$($branches:tt)*]
        $pattern:pat = $future:expr $(, if $condition:expr)? => $handler:expr) => {
        $crate::__select!(@take $order [$($names)*]
            [$($branches)* ($name _ ($pattern) ($future) [$($condition)?] ($handler))])
    };
    (@take $order:tt $names:tt $branches:tt $($rest:tt)+) => {
        $crate::__select_mistake!(@pattern [] $($rest)+)
    };

    (@write $order:ident
        [$(($name:ident $output:tt ($pattern:pat) ($future:expr) [$($condition:expr)?] ($handler:expr)))+]
        ($else:expr)
    ) => {
        // The inner block ends, and drops the futures, before a handler begins.
        match {
            $(let $name = true $(&& $condition)?;)+
            $(let mut $name = $crate::__private::pin!($crate::__private::branch($name, $future));)+
            let out = $crate::__private::poll_fn(|cx| -> $crate::__private::Poll<
                $crate::__private::Out<$($output),+>
            > {
                let mut pending = false;
                let first = $crate::__select!(@first $order [$(::core::stringify!($name)),+].len());
                for mut pass in $crate::__private::passes(first) {
                    $(
                        if pass.polls_next() {
                            if let ::core::option::Option::Some(future) = $name.as_mut().as_pin_mut() {
                                match $crate::__private::Future::poll(future, cx) {
                                    $crate::__private::Poll::Pending => pending = true,
                                    #[allow(unused, clippy::all)]
                                    $crate::__private::Poll::Ready(mut output) => {
                                        $name.set(::core::option::Option::None);
                                        // A guard runs when the pattern fits, and since it is false the arm
                                        // is never entered: nothing is moved out of the output.
                                        let mut fits = false;
                                        match output {
                                            $pattern if { fits = true; false } => ::core::unreachable!(),
                                            _ => {}
                                        }
                                        if fits {
                                            return $crate::__private::Poll::Ready(
                                                $crate::__private::Out::$name(output)
                                            );
                                        }
                                    }
                                }
                            }
                        }
                    )+
                }
                if pending {
                    $crate::__private::Poll::Pending
                } else {
                    $crate::__private::Poll::Ready($crate::__private::Out::Disabled)
                }
            })
            .await;
            out
        } {
            $($crate::__private::Out::$name($pattern) => $handler,)+
            $crate::__private::Out::Disabled => $else,
            _ => ::core::unreachable!(),
        }
    };
    (@first biased $branches:expr) => { 0 };
    (@first fair $branches:expr) => { $crate::__private::random_below($branches as u32) };
}

/// Says what is wrong with a branch of `select!` that no rule took: reads it token by token to the place where
/// it stops to look like one.
#[doc(hidden)]
#[macro_export]
macro_rules! __select_mistake {
    (@else => $else:expr, $($rest:tt)+) => { $crate::__select_mistake!(@after_else $($rest)+) };
    (@else => $else:block $($rest:tt)+) => { $crate::__select_mistake!(@after_else $($rest)+) };
    (@else => $($rest:tt)*) => {
        ::core::compile_error!("select!: `else` is the last branch and its handler one expression")
    };
    (@else $($rest:tt)*) => {
        ::core::compile_error!("select!: after `else` comes `=> handler`")
    };
    (@after_else else $($rest:tt)*) => {
        ::core::compile_error!("select! has one `else` at most, and here is a second")
    };
    (@after_else $($rest:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "select!: `else` is the last branch, and here is more behind it: `",
            ::core::stringify!($($rest)*), "`"
        ))
    };

    // Up to the `=`.
    (@pattern [biased] $($rest:tt)*) => {
        ::core::compile_error!(
            "select!: `biased;` with a semicolon is the first thing in it, or not there at all"
        )
    };
    (@pattern $read:tt = $($rest:tt)*) => { $crate::__select_mistake!(@future $read [] $($rest)*) };
    (@pattern [$($read:tt)*] if $($rest:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "select!: the condition stands behind the future, as in `", ::core::stringify!($($read)*),
            " = future, if condition => handler`"
        ))
    };
    (@pattern [$($read:tt)*] => $($rest:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "select!: a branch is `pattern = future => handler`, and before this `=>` is no `=`: `",
            ::core::stringify!($($read)*), " =>`; if the output does not matter, write `_ = future`"
        ))
    };
    (@pattern [$($read:tt)*] , $($rest:tt)*) => { $crate::__select_mistake!(@no_branch $($read)* ,) };
    (@pattern [$($read:tt)*] $next:tt $($rest:tt)*) => {
        $crate::__select_mistake!(@pattern [$($read)* $next] $($rest)*)
    };
    (@pattern [$($read:tt)*]) => { $crate::__select_mistake!(@no_branch $($read)*) };
    (@no_branch $($read:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "select!: `", ::core::stringify!($($read)*),
            "` is no branch; a branch is `pattern = future => handler`"
        ))
    };

    // Up to the `=>`. A future may itself begin with `if`, and go on with `else if`.
    (@future $pattern:tt [] if $($rest:tt)*) => { $crate::__select_mistake!(@future $pattern [if] $($rest)*) };
    (@future $pattern:tt [$($read:tt)*] else if $($rest:tt)*) => {
        $crate::__select_mistake!(@future $pattern [$($read)* else if] $($rest)*)
    };
    (@future $pattern:tt $read:tt => $($rest:tt)*) => {
        $crate::__select_mistake!(@handler $pattern $($rest)*)
    };
    (@future $pattern:tt [$($read:tt)*] , if $($rest:tt)*) => {
        $crate::__select_mistake!(@future $pattern [$($read)* , if] $($rest)*)
    };
    (@future [$($pattern:tt)*] [$($read:tt)*] if $($rest:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "select!: a comma is missing between the future and its condition: `",
            ::core::stringify!($($pattern)*), " = ", ::core::stringify!($($read)*), ", if ..`"
        ))
    };
    (@future $pattern:tt $read:tt = $($rest:tt)*) => { $crate::__select_mistake!(@no_handler $pattern $read) };
    (@future $pattern:tt $read:tt , $($rest:tt)*) => { $crate::__select_mistake!(@no_handler $pattern $read) };
    (@future $pattern:tt [$($read:tt)*] $next:tt $($rest:tt)*) => {
        $crate::__select_mistake!(@future $pattern [$($read)* $next] $($rest)*)
    };
    (@future $pattern:tt $read:tt) => { $crate::__select_mistake!(@no_handler $pattern $read) };
    (@no_handler [$($pattern:tt)*] [$($read:tt)*]) => {
        ::core::compile_error!(::core::concat!(
            "select!: this branch has no `=> handler`: `", ::core::stringify!($($pattern)*), " = ",
            ::core::stringify!($($read)*), "`"
        ))
    };

    (@handler [$($pattern:tt)*] $(, $($rest:tt)*)?) => {
        ::core::compile_error!(::core::concat!(
            "select!: the handler is missing behind the `=>` of the branch `", ::core::stringify!($($pattern)*),
            " = ..`; if there is nothing to do, write `{}`"
        ))
    };
    (@handler [$($pattern:tt)*] $($rest:tt)+) => {
        ::core::compile_error!(::core::concat!(
            "select!: a comma is missing behind the handler of the branch `", ::core::stringify!($($pattern)*),
            " = ..`; only a handler in braces can do without"
        ))
    };
}
