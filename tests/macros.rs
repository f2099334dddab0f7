//! `join!`, `try_join!`, `select!`, `#[runtime::main]` and `#[runtime::test]`, as a user's program has them.
//! What they say when they are used wrongly is in `ui.rs`.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, IntoFuture, Ready, pending, poll_fn, ready};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::process::{Command, Output};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Pending `rounds` times, and each time it is polled there is a line in the log.
async fn logged(
    log: &RefCell<Vec<&'static str>>,
    name: &'static str,
    mut rounds: u32,
) -> &'static str {
    poll_fn(|cx| {
        log.borrow_mut().push(name);
        if rounds == 0 {
            return Poll::Ready(name);
        }
        rounds -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// Writes its name into the log when it is dropped.
struct OnDrop<'a>(&'a RefCell<Vec<&'static str>>, &'static str);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

/// What a panic says.
fn panic_message(run: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("a panic is expected");
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => (*panic.downcast::<&str>().expect("a panic with a text")).to_owned(),
    }
}

// ----- join! -----

#[runtime::test]
async fn join_takes_any_number() {
    runtime::join!();
    runtime::join!(biased;);
    assert_eq!(runtime::join!(async { 1 }), (1,));
    assert_eq!(runtime::join!(async { 1 }, ready("two"),), (1, "two"));
    macro_rules! join_hundred {
        ($($n:literal)*) => { runtime::join!($(ready($n),)* $(ready($n),)* $(ready($n),)* $(ready($n),)*) };
    }
    let hundred = join_hundred!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24);
    assert_eq!((hundred.0, hundred.99), (0, 24));
}

#[runtime::test]
async fn join_polls_in_turns_and_only_what_is_not_done() {
    let log = RefCell::new(Vec::new());
    let all = runtime::join!(logged(&log, "a", 2), logged(&log, "b", 0), logged(&log, "c", 2));
    assert_eq!(all, ("a", "b", "c"));
    // `b` is done after the first round; the second begins with it, the third with `c`.
    assert_eq!(*log.borrow(), ["a", "b", "c", "c", "a", "c", "a"]);
}

#[runtime::test]
async fn join_biased_polls_as_written() {
    let log = RefCell::new(Vec::new());
    runtime::join!(biased; logged(&log, "a", 2), logged(&log, "b", 0), logged(&log, "c", 2));
    assert_eq!(*log.borrow(), ["a", "b", "c", "a", "c", "a", "c"]);
}

#[runtime::test]
async fn join_drops_a_future_when_it_is_done_and_all_before_the_outputs_are_used() {
    let log = RefCell::new(Vec::new());
    let (first, second) = (OnDrop(&log, "first dropped"), OnDrop(&log, "second dropped"));
    runtime::join!(
        biased;
        poll_fn(|_| {
            let _ = &first.1;
            Poll::Ready(())
        }),
        // Moved into the closure, which lives as long as the future does.
        poll_fn(move |_| {
            let _ = &second;
            Poll::Ready(())
        }),
        logged(&log, "third polled", 0),
    );
    assert_eq!(*log.borrow(), ["second dropped", "third polled"]);
}

#[runtime::test]
async fn join_takes_what_can_become_a_future_and_borrows() {
    struct Later(u32);
    impl IntoFuture for Later {
        type Output = u32;
        type IntoFuture = Ready<u32>;
        fn into_future(self) -> Ready<u32> {
            ready(self.0)
        }
    }
    let mut text = String::from("a");
    let shared = Cell::new(1);
    let pushed = runtime::join!(
        Later(5),
        async {
            text.push('b');
            shared.set(2);
        },
        async { shared.get() },
    );
    assert_eq!((pushed, text.as_str()), ((5, (), 2), "ab"));
    let chosen = runtime::select! { n = Later(7) => n };
    assert_eq!(chosen, 7);
}

#[test]
fn the_macros_keep_a_future_send() {
    fn send<T: Send>(future: T) -> T {
        future
    }
    drop(send(async {
        runtime::join!(ready(1), pending::<()>());
        let _ = runtime::try_join!(ready(Ok::<_, ()>(1)), pending::<Result<(), ()>>());
        runtime::select! { _ = ready(1) => {} _ = pending::<()>() => {} }
    }));
}

// ----- try_join! -----

#[runtime::test]
async fn try_join_gives_all_or_the_first_error() {
    let none: Result<(), Infallible> = runtime::try_join!();
    assert_eq!(none, Ok(()));
    assert_eq!(runtime::try_join!(async { Ok::<_, ()>(1) }, ready(Ok("two")),), Ok((1, "two")));

    let log = RefCell::new(Vec::new());
    let guard = OnDrop(&log, "other dropped");
    let failed = runtime::try_join!(
        biased;
        async {
            let _guard = guard;
            pending::<Result<(), &str>>().await
        },
        async { Err::<(), _>(logged(&log, "failed", 1).await) },
        async { Ok(logged(&log, "never again", 9).await) },
    );
    log.borrow_mut().push("error seen");
    assert_eq!(failed, Err("failed"));
    assert_eq!(*log.borrow(), ["failed", "never again", "failed", "other dropped", "error seen"]);
}

#[runtime::test]
async fn try_join_works_with_the_question_mark() {
    async fn both(a: &str, b: &str) -> Result<u32, std::num::ParseIntError> {
        let (a, b) = runtime::try_join!(async { a.parse::<u32>() }, async { b.parse::<u32>() })?;
        Ok(a + b)
    }
    assert_eq!(both("1", "2").await, Ok(3));
    both("1", "x").await.unwrap_err();
}

#[runtime::test]
async fn try_join_polls_only_what_is_not_done() {
    let log = RefCell::new(Vec::new());
    let all = runtime::try_join!(async { Ok::<_, ()>(logged(&log, "a", 0).await) }, async {
        Ok(logged(&log, "b", 2).await)
    },);
    assert_eq!(all, Ok(("a", "b")));
    assert_eq!(*log.borrow(), ["a", "b", "b", "b"]);
}

// ----- select!: order -----

/// Which of three futures that are always ready wins, round by round.
async fn draws(rounds: usize) -> Vec<u32> {
    let mut wins = Vec::new();
    for _ in 0..rounds {
        wins.push(runtime::select! { _ = ready(()) => 0, _ = ready(()) => 1, _ = ready(()) => 2 });
    }
    wins
}

fn seeded(seed: u64) -> runtime::Runtime {
    runtime::Builder::new().rng_seed(seed).build().unwrap()
}

#[test]
fn select_is_fair_and_its_draws_repeat_with_the_seed() {
    let first = seeded(1).block_on(draws(300));
    for branch in 0..3 {
        let wins = first.iter().filter(|won| **won == branch).count();
        assert!((50..150).contains(&wins), "branch {branch} won {wins} of 300 times");
    }
    assert_eq!(first, seeded(1).block_on(draws(300)));
    assert_ne!(first, seeded(2).block_on(draws(300)));
}

#[test]
fn select_draws_anew_at_every_poll() {
    let log = RefCell::new(Vec::new());
    seeded(1).block_on(async {
        runtime::select! { biased; _ = async {
            runtime::select! { _ = logged(&log, "a", 99) => {} _ = logged(&log, "b", 99) => {} }
        } => {} };
    });
    let rounds: Vec<_> = log.borrow().chunks(2).map(|round| round[0]).collect();
    assert!(rounds.contains(&"a") && rounds.contains(&"b"), "{rounds:?}");
}

#[test]
fn select_is_fair_without_a_seed() {
    let wins = runtime::block_on(draws(300));
    assert!((0..3).all(|branch| wins.contains(&branch)));
}

#[runtime::test]
async fn select_biased_polls_as_written() {
    let log = RefCell::new(Vec::new());
    for _ in 0..20 {
        log.borrow_mut().clear();
        let won = runtime::select! {
            biased;
            name = logged(&log, "a", 9) => name,
            name = logged(&log, "b", 1) => name,
            name = logged(&log, "c", 0), if log.borrow().len() > 9 => name,
            name = logged(&log, "d", 1) => name,
        };
        assert_eq!(won, "b");
        assert_eq!(*log.borrow(), ["a", "b", "d", "a", "b"]);
    }
}

// ----- select!: conditions, patterns, else -----

#[runtime::test]
async fn select_evaluates_all_conditions_then_all_futures() {
    let log = RefCell::new(Vec::new());
    let log = &log;
    let says = |name, value: bool| {
        log.borrow_mut().push(name);
        value
    };
    let makes = |name| {
        log.borrow_mut().push(name);
        async move { log.borrow_mut().push("polled") }
    };
    runtime::select! {
        _ = makes("future 1"), if says("condition 1", false) => unreachable!(),
        _ = makes("future 2"), if says("condition 2", true) => {}
        _ = makes("future 3"), if says("condition 3", false) => unreachable!(),
    }
    assert_eq!(
        *log.borrow(),
        ["condition 1", "condition 2", "condition 3", "future 1", "future 2", "future 3", "polled"]
    );
}

#[runtime::test]
async fn select_disables_a_branch_whose_pattern_does_not_fit() {
    let log = RefCell::new(Vec::new());
    let won = runtime::select! {
        biased;
        Some(n) = async { None::<u32> } => n,
        Ok(n) | Err(n @ 10..) = async { Err::<u32, u32>(9) } => n,
        2 = async { 1 } => 2,
        name = logged(&log, "last", 3) => name.len() as u32,
    };
    assert_eq!((won, log.borrow().len()), (4, 4));
}

#[runtime::test]
async fn select_goes_to_else_when_nothing_is_left() {
    let won = runtime::select! {
        Some(n) = async { None::<u32> } => n,
        n = async { 1 }, if false => n,
        else => 7,
    };
    assert_eq!(won, 7);
    assert_eq!(runtime::select! { n = ready(1), if false => n, else => { 8 } }, 8);
    assert_eq!(runtime::select! { else => 9, }, 9);
}

#[test]
fn select_panics_with_a_sentence_when_nothing_is_left_and_there_is_no_else() {
    let message = panic_message(|| {
        runtime::block_on(async {
            runtime::select! { _ = ready(1), if false => {} }
        })
    });
    assert!(message.contains("all branches of this `select!` are disabled"), "{message}");
    assert!(message.contains("add `else => ..`"), "{message}");
}

#[runtime::test]
async fn select_patterns_bind_as_in_a_match() {
    struct Point {
        x: String,
        y: Option<u32>,
    }
    let point = || async { Point { x: "x".into(), y: Some(1) } };
    let moved: String = runtime::select! { Point { x, .. } = point() => x };
    let mutable = runtime::select! { Point { mut x, y: Some(1) } = point() => { x.push('y'); x } };
    let by_ref =
        runtime::select! { Point { ref x, y: Some(ref n) } = point() => x.len() as u32 + *n };
    let by_ref_mut =
        runtime::select! { Point { y: Some(ref mut n), .. } = point() => { *n += 1; *n } };
    let binding = runtime::select! { whole @ Point { y: Some(1..=9), .. } = point() => whole.x };
    let mut target = (1, 2);
    runtime::select! { (a, _) = async { &mut target } => *a += 1 }
    let slice = runtime::select! { [first, .., last] = async { [1, 2, 3] } => first + last };
    assert_eq!(
        (moved.as_str(), mutable.as_str(), by_ref, by_ref_mut, binding.as_str()),
        ("x", "xy", 2, 2, "x")
    );
    assert_eq!((target, slice), ((2, 2), 4));
}

#[runtime::test]
async fn select_does_not_move_an_output_that_does_not_fit() {
    let log = RefCell::new(Vec::new());
    runtime::select! {
        biased;
        (_guard, Some(())) = async { (OnDrop(&log, "output dropped"), None) } => unreachable!(),
        _ = logged(&log, "next", 0) => {}
    }
    assert_eq!(*log.borrow(), ["output dropped", "next"]);
}

// ----- select!: handlers -----

#[runtime::test]
async fn select_drops_all_futures_before_the_handler() {
    let log = RefCell::new(Vec::new());
    let mut text = String::from("a");
    let guard = || OnDrop(&log, "dropped");
    runtime::select! {
        biased;
        _ = { let guard = guard(); async move { let _guard = guard; pending::<()>().await } } => {}
        // The future borrows what both handlers change.
        () = async { text.push('b') } => {
            log.borrow_mut().push("handler");
            text.push('c');
        }
        n = async { 1 } => text.truncate(n),
    }
    assert_eq!(text, "abc");
    assert_eq!(*log.borrow(), ["dropped", "handler"]);
}

#[runtime::test]
async fn select_handlers_run_in_the_scope_of_the_caller() {
    async fn asked(text: &str, stop: bool) -> Result<u32, std::num::ParseIntError> {
        let mut rounds = 0;
        let broken = 'outer: loop {
            rounds += 1;
            runtime::select! {
                biased;
                _ = async {}, if rounds == 1 => continue,
                _ = async {}, if rounds == 2 => {
                    rounds += async { 1 }.await;
                    continue 'outer;
                }
                _ = async {}, if stop => return Ok(100 + rounds),
                n = async { text.parse::<u32>() } => break n?,
            }
        };
        Ok(broken + rounds)
    }
    assert_eq!(asked("10", false).await, Ok(14));
    assert_eq!(asked("10", true).await, Ok(104));
    asked("x", false).await.unwrap_err();
}

#[runtime::test]
async fn select_takes_every_form_of_handler() {
    let n = runtime::select! {
        biased;
        _ = pending::<()>() => { 1 }
        _ = pending::<()>() => { 2 },
        _ = pending::<()>(), if true => { 3 }
        _ = pending::<()>(), if true => 4,
        _ = async { if true { 1 } else { 2 } }, if true => async { 5 }.await,
    };
    assert_eq!(n, 5);
    let n = runtime::select! { n = ready(6) => n };
    assert_eq!(n, 6);
}

#[runtime::test]
async fn select_goes_on_with_a_future_that_is_kept() {
    let log = RefCell::new(Vec::new());
    let mut kept = pin!(logged(&log, "kept", 5));
    let mut rounds = 0;
    let name = loop {
        runtime::select! {
            biased;
            name = &mut kept => break name,
            _ = async {} => rounds += 1,
        }
    };
    assert_eq!((name, rounds, log.borrow().len()), ("kept", 5, 6));
}

#[runtime::test]
async fn select_drops_and_is_dropped_midway() {
    let log = RefCell::new(Vec::new());
    let mut waiting = Box::pin(async {
        let guard = OnDrop(&log, "dropped");
        runtime::select! { _ = async { let _guard = guard; pending::<()>().await } => {} }
    });
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(*log.borrow(), [""; 0]);
    drop(waiting);
    assert_eq!(*log.borrow(), ["dropped"]);
}

#[runtime::test]
async fn select_nests_and_takes_sixty_four_branches() {
    macro_rules! branches {
        ($($n:literal)*) => {
            runtime::select! { $(_ = pending::<()>(), if $n >= 0 => { $n })* n = async { 64 } => n, else => 0 }
        };
    }
    let last = branches!(
        1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37
        38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
    );
    assert_eq!(last, 64);
    let nested = runtime::select! {
        n = async { runtime::select! { n = async { 1 } => n + 1 } } => runtime::select! { m = ready(n) => m + 1 },
        _ = pending::<()>() => 0,
    };
    assert_eq!(nested, 3);
}

#[runtime::test]
async fn select_never_polls_again_what_did_not_fit() {
    /// Ready once, and a panic after that.
    struct Once(bool);
    impl Future for Once {
        type Output = Option<u32>;
        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
            assert!(!std::mem::replace(&mut self.0, true), "polled after it was done");
            Poll::Ready(None)
        }
    }
    let log = RefCell::new(Vec::new());
    runtime::select! {
        Some(_) = Once(false) => unreachable!(),
        _ = logged(&log, "other", 5) => {}
    }
}

// ----- the attributes -----

#[runtime::test(
    start_paused = true, auto_advance = true, seed = 7, unhandled_panic = "log", flavor = "current_thread",
    crate = ::runtime,
)]
async fn attribute_takes_all_options() -> Result<(), Box<dyn std::error::Error>> {
    let n: u32 = async { "1" }.await.parse()?;
    assert_eq!(n, 1);
    Ok(())
}

#[runtime::test]
#[should_panic(expected = "on purpose")]
async fn attribute_keeps_should_panic() {
    panic!("on purpose");
}

#[runtime::test]
#[ignore = "it is there to be ignored"]
async fn attribute_keeps_ignore() {}

#[test]
fn an_ignored_test_is_ignored() {
    let output = run_alone("attribute_keeps_ignore", None);
    assert!(output.contains("1 ignored"), "{output}");
}

#[runtime::main(seed = 3)]
async fn seeded_main(rounds: usize) -> Vec<u32> {
    draws(rounds).await
}

#[test]
fn main_takes_arguments_and_a_seed() {
    assert_eq!(seeded_main(40), seeded(3).block_on(draws(40)));
}

#[runtime::test(start_paused = true, auto_advance = false)]
async fn attribute_keeps_the_clock_still() {
    let start = runtime::time::Instant::now();
    let hour = runtime::spawn(runtime::time::sleep(Duration::from_secs(3600)));
    let (late, answer) = futures::channel::oneshot::channel();
    let thread = std::thread::spawn(move || {
        // As long as it takes the runtime to find nothing to do; it may be too short for a jump to be seen.
        std::thread::sleep(Duration::from_millis(10));
        late.send(()).unwrap();
    });
    answer.await.unwrap();
    thread.join().unwrap();
    assert!(!hour.is_finished() && start.elapsed().is_zero());
}

/// Its name is free in the bodies of seeded tests.
fn seed() -> &'static str {
    "1"
}

// Whatever a test may return, with seeds as without.

#[runtime::test(seeds = 2)]
async fn attribute_with_seeds_keeps_a_result() -> Result<(), Box<dyn std::error::Error>> {
    let n: u32 = async { seed() }.await.parse()?;
    if n == 1 {
        return Ok(());
    }
    Err("not the one".into())
}

#[runtime::test(seeds = 0x_2)]
async fn attribute_with_seeds_keeps_an_opaque_type() -> impl std::process::Termination {
    std::process::ExitCode::SUCCESS
}

#[runtime::test(seeds = 2)]
#[should_panic(expected = "on purpose")]
async fn attribute_with_seeds_keeps_should_panic() {
    panic!("on purpose");
}

/// Tests that `run_alone` runs, to see what they print. Otherwise they do nothing.
mod printed {
    use std::process::ExitCode;

    fn alone() -> bool {
        std::env::var_os("RUN_ALONE").is_some()
    }

    /// The outcome of some seeds, and not of 0.
    async fn is_unlucky() -> bool {
        super::draws(2).await == [2, 2]
    }

    #[runtime::test(seed = 7)]
    async fn panics() {
        if alone() {
            panic!("{:?}", super::draws(9).await);
        }
    }

    #[runtime::test(seed = 7)]
    async fn fails() -> Result<(), String> {
        if alone() { Err("an error".to_owned()) } else { Ok(()) }
    }

    #[runtime::test(seed = 7)]
    async fn passes() {
        println!("draws {:?}", super::draws(9).await);
    }

    #[runtime::test]
    async fn without() {
        assert!(!alone());
    }

    #[runtime::test(seeds = 200)]
    async fn panics_with_some() {
        let draws = super::draws(2).await;
        println!("draws {draws:?}");
        assert!(!alone() || draws != [2, 2], "unlucky");
    }

    #[runtime::test(seeds = 200)]
    async fn fails_with_some() -> ExitCode {
        ExitCode::from(u8::from(alone() && is_unlucky().await))
    }

    #[runtime::test(seeds = 200)]
    #[should_panic(expected = "unlucky")]
    async fn panics_with_some_as_it_should() {
        assert!(!is_unlucky().await, "unlucky");
    }

    #[runtime::test(seeds = 3)]
    async fn passes_with_all() {
        println!("draws {:?}", super::draws(9).await);
    }
}

/// What a test of this binary prints, run in a process of its own.
fn run_alone(test: &str, seed: Option<&str>) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--show-output"]).env("RUN_ALONE", "1");
    command.env("RUST_BACKTRACE", "0");
    command.env_remove("EPOLL_RUNTIME_SEED").env_remove("RUST_TEST_NOCAPTURE");
    if let Some(seed) = seed {
        command.env("EPOLL_RUNTIME_SEED", seed);
    }
    let Output { stdout, stderr, .. } = command.output().unwrap();
    String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap()
}

/// The seeds and the tests of the lines that are to be pasted.
fn pasted(output: &str) -> Vec<(&str, &str)> {
    let command = " cargo test --package epoll-runtime -- --exact ";
    output
        .lines()
        .filter_map(|line| line.strip_prefix("EPOLL_RUNTIME_SEED=")?.split_once(command))
        .map(|(seed, rest)| (seed, rest.split_once(" #").expect("the rest is a comment").0))
        .collect()
}

/// What the seeds of a range draw, each on a runtime of its own.
fn lines_of_draws(seeds: Range<u64>, rounds: usize) -> String {
    seeds.map(|seed| format!("draws {:?}\n", seeded(seed).block_on(draws(rounds)))).collect()
}

#[test]
fn a_failing_test_shows_its_seed_in_a_line_to_be_pasted() {
    let output = run_alone("printed::panics", None);
    assert_eq!(pasted(&output), [("7", "printed::panics")], "{output}");
    assert!(output.contains(&format!("{:?}", seeded(7).block_on(draws(9)))), "{output}");

    let output = run_alone("printed::fails", None);
    assert_eq!(pasted(&output), [("7", "printed::fails")], "{output}");
    assert!(output.contains("Error: \"an error\"\n"), "{output}");

    let output = run_alone("printed::passes", None);
    assert!(output.contains("1 passed") && output.contains(&lines_of_draws(7..8, 9)), "{output}");
    assert_eq!(pasted(&output), []);

    let output = run_alone("printed::without", Some("8"));
    assert!(output.contains("1 failed") && pasted(&output).is_empty(), "{output}");
}

#[test]
fn seeds_are_tried_up_to_the_one_that_fails_and_that_one_fails_again() {
    let unlucky = (0..).find(|seed| seeded(*seed).block_on(draws(2)) == [2, 2]).unwrap();
    assert!((1..200).contains(&unlucky), "it is {unlucky}: the tests below want another condition");

    let output = run_alone("printed::panics_with_some", None);
    let [(seed, test)] = pasted(&output)[..] else { panic!("{output}") };
    assert_eq!((seed, test), (&*unlucky.to_string(), "printed::panics_with_some"), "{output}");
    assert!(output.contains(&lines_of_draws(0..unlucky + 1, 2)), "{output}");

    // As the line says.
    let output = run_alone(test, Some(seed));
    assert_eq!(pasted(&output), [(seed, test)], "{output}");
    assert_eq!(output.matches("draws [").count(), 1, "{output}");
    let output = run_alone(test, Some("0"));
    assert!(output.contains("1 passed") && pasted(&output).is_empty(), "{output}");

    let output = run_alone("printed::fails_with_some", None);
    assert_eq!(pasted(&output), [(seed, "printed::fails_with_some")], "{output}");
    assert!(output.contains(&format!("the test has failed with seed {unlucky}")), "{output}");

    let output = run_alone("printed::panics_with_some_as_it_should", None);
    assert!(output.contains("1 passed") && pasted(&output).len() == 1, "{output}");

    let output = run_alone("printed::passes_with_all", None);
    assert!(output.contains("1 passed") && output.contains(&lines_of_draws(0..3, 9)), "{output}");
    assert_eq!(output.matches("draws [").count(), 3, "{output}");
}

#[test]
fn the_environment_overrides_the_seeds_of_a_test() {
    let output = run_alone("printed::panics", Some("8"));
    assert_eq!(pasted(&output), [("8", "printed::panics")], "{output}");
    assert!(output.contains(&format!("{:?}", seeded(8).block_on(draws(9)))), "{output}");

    let output = run_alone("printed::passes", Some("18446744073709551615"));
    assert!(output.contains("1 passed"), "{output}");

    for test in ["printed::passes", "printed::passes_with_all"] {
        let output = run_alone(test, Some("5..9"));
        assert!(output.contains(&lines_of_draws(5..9, 9)), "{output}");
        assert_eq!(output.matches("draws [").count(), 4, "{output}");
    }

    for text in ["eight", "", "-1", "18446744073709551616", "3..3", "5..3", "0..=9", "..9"] {
        let output = run_alone("printed::passes", Some(text));
        let sentence =
            format!("EPOLL_RUNTIME_SEED is a whole number, or a range as 0..1000; found `{text}`");
        assert!(output.contains(&sentence), "{output}");
    }
}
