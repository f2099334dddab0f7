//! Task-locals: seen by the future in the scope and by what it calls, and by nobody else.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::FutureExt;
use runtime::spawn;
use runtime::task::{AccessError, LocalKey, yield_now};

use crate::support::run;

runtime::task_local! {
    /// A number.
    pub(crate) static NUMBER: u32;
    static NAME: String;
    #[allow(dead_code)]
    static LAST: Vec<Rc<u8>>
}

runtime::task_local!(static CELL: Cell<u32>);
runtime::task_local! {}

async fn number_after_a_yield() -> u32 {
    yield_now().await;
    NUMBER.get()
}

#[test]
fn a_scope_is_seen_inside_and_not_outside() {
    run(async {
        assert!(NUMBER.try_get().is_err());
        let inside = NUMBER.scope(1, async {
            assert_eq!(NUMBER.with(|number| *number), 1);
            assert_eq!(NUMBER.try_with(|number| *number), Ok(1));
            NAME.scope("ann".into(), async {
                assert_eq!(NAME.get(), "ann");
                number_after_a_yield().await
            })
            .await
        });
        assert_eq!(inside.await, 1);
        assert!(NUMBER.try_get().is_err());
        assert!(NAME.try_with(|_| ()).is_err());
    });
}

#[test]
fn scopes_nest() {
    run(async {
        let outer = NUMBER.scope(1, async {
            assert_eq!(NUMBER.scope(2, number_after_a_yield()).await, 2);
            assert_eq!(NUMBER.sync_scope(3, || NUMBER.get()), 3);
            NUMBER.get()
        });
        assert_eq!(outer.await, 1);
    });
}

#[test]
fn each_future_has_its_own() {
    run(async {
        let scopes = (0..10).map(|i| NUMBER.scope(i, number_after_a_yield()));
        let numbers = futures::future::join_all(scopes).await;
        assert_eq!(numbers, (0..10).collect::<Vec<_>>());
    });
}

#[test]
fn spawned_tasks_do_not_see_it() {
    run(async {
        NUMBER
            .scope(1, async {
                let bare = spawn(async { NUMBER.try_get() });
                let given = spawn(NUMBER.scope(NUMBER.get(), number_after_a_yield()));
                assert!(bare.await.unwrap().is_err());
                assert_eq!(given.await.unwrap(), 1);
            })
            .await;
    });
}

#[test]
fn a_value_may_change_inside() {
    run(async {
        let mut scoped = pin!(CELL.scope(Cell::new(1), async {
            CELL.with(|cell| cell.set(cell.get() + 1));
            yield_now().await;
            CELL.with(|cell| cell.set(cell.get() + 1));
        }));
        scoped.as_mut().await;
        assert_eq!(scoped.as_mut().take_value(), Some(Cell::new(3)));
        assert_eq!(scoped.as_mut().take_value(), None);
    });
}

#[test]
fn a_panic_restores_what_was_there() {
    run(async {
        NUMBER
            .scope(1, async {
                let panics = AssertUnwindSafe(NUMBER.scope(2, async { panic!("on purpose") }));
                assert!(panics.catch_unwind().await.is_err());
                assert_eq!(NUMBER.get(), 1);
                let panics = || NUMBER.sync_scope(3, || panic!("on purpose"));
                assert!(catch_unwind(panics).is_err());
                assert_eq!(NUMBER.get(), 1);
            })
            .await;
        assert!(NUMBER.try_get().is_err());
    });
}

/// Notes the number that is set as it is dropped.
struct Notes(Rc<RefCell<Vec<Option<u32>>>>);

impl Drop for Notes {
    fn drop(&mut self) {
        self.0.borrow_mut().push(NUMBER.try_get().ok());
    }
}

#[test]
fn the_future_sees_it_as_it_is_dropped() {
    run(async {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let holding = |ends: bool| {
            let notes = Notes(seen.clone());
            async move {
                let _notes = notes;
                if !ends {
                    pending::<()>().await;
                }
            }
        };
        // Unpolled, polled, ended, aborted.
        drop(NUMBER.scope(1, holding(false)));
        assert!(NUMBER.scope(2, holding(false)).now_or_never().is_none());
        NUMBER.scope(3, holding(true)).await;
        let task = spawn(NUMBER.scope(4, holding(false)));
        yield_now().await;
        assert!(task.cancel().await.unwrap_err().is_cancelled());
        assert_eq!(*seen.borrow(), [Some(1), Some(2), Some(3), Some(4)]);
    });
}

#[test]
fn a_future_that_is_ready_is_dropped_in_its_scope() {
    struct ReadyOnce(Notes);
    impl Future for ReadyOnce {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            assert!(self.0.0.borrow().is_empty());
            Poll::Ready(())
        }
    }
    let seen = Rc::new(RefCell::new(Vec::new()));
    let mut scoped = Box::pin(NUMBER.scope(1, ReadyOnce(Notes(seen.clone()))));
    assert!(scoped.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    assert_eq!(*seen.borrow(), [Some(1)]);
    drop(scoped);
    assert_eq!(seen.borrow().len(), 1);
}

#[test]
fn misuse_is_answered_by_a_sentence() {
    let sentence = |f: &dyn Fn()| {
        let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it panics");
        match payload.downcast::<String>() {
            Ok(sentence) => *sentence,
            Err(payload) => payload.downcast::<&str>().expect("a sentence").to_string(),
        }
    };
    let outside = sentence(&|| NUMBER.with(|_| ()));
    assert!(outside.contains("outside of a scope"), "{outside}");
    let borrowed = sentence(&|| {
        NUMBER.sync_scope(1, || NUMBER.with(|_| NUMBER.sync_scope(2, || ())));
    });
    assert!(borrowed.contains("inside `with`"), "{borrowed}");
    let again = sentence(&|| {
        let mut done = pin!(NUMBER.scope(1, ready(())));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(done.as_mut().poll(&mut cx).is_ready());
        let _ = done.as_mut().poll(&mut cx);
    });
    assert!(again.contains("after it had completed"), "{again}");
    let error: AccessError = NUMBER.try_get().unwrap_err();
    assert_eq!(error.to_string(), "no scope sets this task-local value here");
}

#[test]
fn a_scope_may_move_between_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let name = Arc::new("ann".to_string());
    let scoped = is_send(NUMBER.scope(7, async move {
        yield_now().await;
        (NUMBER.get(), name.len())
    }));
    let there = std::thread::spawn(|| runtime::block_on(scoped));
    assert_eq!(there.join().unwrap(), (7, 3));
    let _: &LocalKey<u32> = &NUMBER;
}
