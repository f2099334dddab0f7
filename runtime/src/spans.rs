//! What `tracing` sees of a runtime: a span for each task, an event for each panic that nobody awaits and for
//! each poll that stalls the others.
//!
//! Without the feature the same names are there, without a size and without code. The span of a task
//! lies in a table beside the scheduler, by the task's index, so that neither its future nor its box
//! knows of it. It is out of the table while it is entered: the subscriber is foreign code, and no
//! cell is borrowed while that runs.

#[cfg(not(feature = "tracing"))]
pub(crate) use self::off::{Serial, Span, Spans, report_stall};
#[cfg(feature = "tracing")]
pub(crate) use self::on::{Serial, Span, Spans, report_stall};

#[cfg(feature = "tracing")]
mod on {
    use std::cell::RefCell;
    use std::mem;

    use tracing::field::display;
    use tracing::span::EnteredSpan;
    use tracing::{Level, enabled, error, trace_span, warn};

    use crate::observe::Stall;
    use crate::task::{Id, Place};

    const TARGET: &str = "runtime::task";
    const STALLS: &str = "runtime::stall";

    /// The span of a task or of a blocking closure. Its parent is the span that is current when it is
    /// made, which is where `spawn` was called.
    pub(crate) struct Span(tracing::Span);

    impl Span {
        #[inline]
        pub(crate) fn of_task(id: Id, name: Option<&str>, place: Place) -> Span {
            Span(trace_span!(target: TARGET, "task", id = id.serial(), name, %place))
        }

        #[inline]
        pub(crate) fn of_closure(id: Id, place: Place) -> Span {
            Span(trace_span!(target: TARGET, "blocking", id = id.serial(), %place))
        }

        #[inline]
        pub(crate) fn none() -> Span {
            Span(tracing::Span::none())
        }

        #[inline]
        pub(crate) fn is_none(&self) -> bool {
            self.0.is_disabled()
        }

        #[inline]
        pub(crate) fn in_scope<T>(&self, run: impl FnOnce() -> T) -> T {
            self.0.in_scope(run)
        }

        /// Tells of a panic that nobody awaits.
        pub(crate) fn report_panic(
            &self,
            Serial(id): Serial,
            name: Option<&str>,
            place: Place,
            panic: &str,
        ) {
            let span = self.0.id();
            error!(target: TARGET, parent: span, id, name, %place, panic, "a task panicked and nobody awaits it");
        }
    }

    /// The spans of a runtime's tasks, by index, as far as the subscriber wants them.
    pub(crate) struct Spans(RefCell<Vec<tracing::Span>>);

    impl Spans {
        pub(crate) fn new() -> Spans {
            Spans(RefCell::new(Vec::new()))
        }

        #[inline]
        pub(crate) fn put(&self, index: u32, Span(span): Span) {
            if !span.is_disabled() {
                self.put_enabled(index, span);
            }
        }

        #[cold]
        fn put_enabled(&self, index: u32, span: tracing::Span) {
            let spans = &mut *self.0.borrow_mut();
            let index = index as usize;
            if spans.len() <= index {
                spans.resize(index + 1, tracing::Span::none());
            }
            spans[index] = span;
        }

        /// Takes out the span of a task that ends, before its index may be another's.
        #[inline]
        pub(crate) fn take(&self, index: u32) -> Span {
            match self.0.borrow_mut().get_mut(index as usize) {
                Some(span) => Span(mem::replace(span, tracing::Span::none())),
                None => Span::none(),
            }
        }

        /// Enters a task's span, until the guard is dropped.
        #[inline]
        pub(crate) fn enter(&self, index: u32) -> Option<Entered<'_>> {
            let Span(span) = self.take(index);
            if span.is_disabled() {
                return None;
            }
            Some(Entered { span: Some(span.entered()), index, spans: self })
        }
    }

    pub(crate) struct Entered<'a> {
        span: Option<EnteredSpan>,
        index: u32,
        spans: &'a Spans,
    }

    impl Drop for Entered<'_> {
        fn drop(&mut self) {
            if let Some(span) = self.span.take() {
                self.spans.put_enabled(self.index, span.exit());
            }
        }
    }

    /// Tells this thread's subscriber of a stall, in the span of the task if that is entered; false if it does not
    /// want it.
    pub(crate) fn report_stall(stall: &Stall) -> bool {
        let wanted = enabled!(target: STALLS, Level::WARN);
        if wanted {
            let id = stall.task.map(Id::serial);
            let (name, place) = (stall.name.as_deref(), stall.place.map(display));
            let (held_ms, ended) = (stall.held.as_millis() as u64, stall.ended);
            let what = match ended {
                true => "a poll held the thread, and all others waited",
                false => "a poll holds the thread, and all others wait",
            };
            warn!(target: STALLS, id, name, place, held_ms, ended, "{what}");
        }
        wanted
    }

    /// The id of a task that has ended, for its event.
    #[derive(Clone, Copy)]
    pub(crate) struct Serial(u64);

    impl Serial {
        #[inline]
        pub(crate) fn of(serial: u64) -> Serial {
            Serial(serial)
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use crate::observe::Stall;
    use crate::task::{Id, Place};

    pub(crate) struct Span;

    impl Span {
        #[inline(always)]
        pub(crate) fn of_task(_id: Id, _name: Option<&str>, _place: Place) -> Span {
            Span
        }

        #[inline(always)]
        pub(crate) fn of_closure(_id: Id, _place: Place) -> Span {
            Span
        }

        #[inline(always)]
        pub(crate) fn none() -> Span {
            Span
        }

        #[inline(always)]
        pub(crate) fn is_none(&self) -> bool {
            true
        }

        #[inline(always)]
        pub(crate) fn in_scope<T>(&self, run: impl FnOnce() -> T) -> T {
            run()
        }

        #[inline(always)]
        pub(crate) fn report_panic(
            &self,
            _id: Serial,
            _name: Option<&str>,
            _place: Place,
            _panic: &str,
        ) {
        }
    }

    pub(crate) struct Spans;

    impl Spans {
        #[inline(always)]
        pub(crate) fn new() -> Spans {
            Spans
        }

        #[inline(always)]
        pub(crate) fn put(&self, _index: u32, _span: Span) {}

        #[inline(always)]
        pub(crate) fn take(&self, _index: u32) -> Span {
            Span
        }

        #[inline(always)]
        pub(crate) fn enter(&self, _index: u32) -> Entered {
            Entered
        }
    }

    pub(crate) struct Entered;

    #[inline(always)]
    pub(crate) fn report_stall(_stall: &Stall) -> bool {
        false
    }

    #[derive(Clone, Copy)]
    pub(crate) struct Serial;

    impl Serial {
        #[inline(always)]
        pub(crate) fn of(_serial: u64) -> Serial {
            Serial
        }
    }
}
