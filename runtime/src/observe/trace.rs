//! A trace of the loop, in the Trace Event Format, which ui.perfetto.dev and chrome://tracing show.
//!
//! One row has what the thread does: polls, parks, and between them what of the inbox, the kernel's events and
//! the timers woke somebody. Arrows go from what woke a task to the poll that came of it. Below, each task has a row
//! from its spawn to its end.
//!
//! Without the feature the same names are there, without a value and without code.

#[cfg(not(feature = "trace"))]
pub(crate) use self::off::{Queued, Trace};
#[cfg(feature = "trace")]
pub(crate) use self::on::{Queued, Trace};

/// What the loop has done besides polls and parks.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// It has taken in what other threads left.
    Inbox,
    /// It has looked at the kernel.
    Events,
    Timers,
}

#[cfg(feature = "trace")]
mod on {
    use std::cell::RefCell;
    use std::fmt::{self, Write as _};
    use std::fs::File;
    use std::io::{self, BufWriter, Write};
    use std::mem;
    use std::path::{Path, PathBuf};

    use super::Step;
    use crate::core::Core;
    use crate::fork;
    use crate::sys::clock::monotonic_ns;
    use crate::sys::context;
    use crate::task::scheduler::ROOT;

    /// What is written goes to the file at the next park after so long, so that a program which is killed
    /// leaves nearly all of it.
    const FLUSH_NS: i64 = 100_000_000;

    /// Who came into the run queue since the last look, and when.
    pub(crate) struct Queued(Option<Vec<(u32, i64)>>);

    impl Queued {
        pub(crate) fn new() -> Queued {
            Queued(None)
        }

        #[inline(always)]
        pub(crate) fn note(&mut self, index: u32) {
            if let Some(queued) = &mut self.0 {
                queued.push((index, monotonic_ns()));
            }
        }

        pub(crate) fn is_some(&self) -> bool {
            self.0.as_ref().is_some_and(|queued| !queued.is_empty())
        }

        /// Notes from here on.
        pub(crate) fn begin(&mut self) {
            self.0.get_or_insert_default();
        }

        pub(crate) fn take(&mut self) -> Vec<(u32, i64)> {
            self.0.as_mut().map(mem::take).unwrap_or_default()
        }
    }

    pub(crate) struct Trace(RefCell<Writer>);

    struct Writer {
        path: PathBuf,
        /// `None` after an error.
        out: Option<BufWriter<File>>,
        flushed: i64,
        /// The time that the trace counts from.
        zero: i64,
        /// When the poll or the park began that is under way, else when the last one ended.
        since: i64,
        /// The arrow that ends at the next poll of a task, by its index; 0 if none does.
        arrows: Vec<u64>,
        last_arrow: u64,
        /// The serial of the last task at each index that had a row, or 0; and what it is called, empty if the row
        /// has ended.
        rows: Vec<(u64, String)>,
        era: u32,
    }

    impl Trace {
        /// # Errors
        ///
        /// When the file cannot be made.
        pub(crate) fn create(path: &Path) -> io::Result<Trace> {
            let file = File::create(path).map_err(|error| {
                context(error, format!("creating the trace {}", path.display()))
            })?;
            let now = monotonic_ns();
            let mut writer = Writer {
                path: path.to_path_buf(),
                out: Some(BufWriter::with_capacity(1 << 16, file)),
                flushed: now,
                zero: now,
                since: now,
                arrows: Vec::new(),
                last_arrow: 0,
                rows: Vec::new(),
                era: fork::era(),
            };
            let process = std::process::id();
            let thread = std::thread::current();
            let name = Text(thread.name().unwrap_or("the runtime's thread"));
            writer.write(format_args!(
                "[\n{{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":{process},\"tid\":1,\"args\":{{\"name\":{name}}}}}"
            ));
            Ok(Trace(RefCell::new(writer)))
        }

        /// The loop begins to run.
        pub(crate) fn begins(&self, core: &Core) {
            core.scheduler.note_queued();
            self.0.borrow_mut().since = monotonic_ns();
        }

        pub(crate) fn poll_begins(&self) {
            self.0.borrow_mut().since = monotonic_ns();
        }

        pub(crate) fn poll_ends(&self, core: &Core, index: u32) {
            let writer = &mut *self.0.borrow_mut();
            let begun = writer.since;
            let label = match index {
                ROOT => "block_on".to_string(),
                _ => writer.row(core, index, begun),
            };
            let id = core.scheduler.origin(index).0.map_or(0, |id| id.serial());
            writer.end_arrow(index, begun);
            writer.slice(core, "poll", &label, format_args!("\"id\":{id}"));
        }

        pub(crate) fn task_ends(&self, index: u32) {
            let writer = &mut *self.0.borrow_mut();
            let Some((serial, label)) = writer.rows.get_mut(index as usize) else { return };
            // The serial stays: its future's drop may have woken the task once more, which begins no row.
            let (serial, label) = (*serial, mem::take(label));
            if !label.is_empty() {
                writer.point("e", "task", &label, monotonic_ns(), serial, "");
            }
        }

        pub(crate) fn parks(&self) {
            let writer = &mut *self.0.borrow_mut();
            writer.since = monotonic_ns();
            if writer.since - writer.flushed >= FLUSH_NS {
                writer.flush();
            }
        }

        pub(crate) fn unparks(&self, core: &Core) {
            let writer = &mut *self.0.borrow_mut();
            writer.slice(core, "loop", "park", format_args!(""));
        }

        /// A step is over. It has a place of its own only if it woke somebody.
        pub(crate) fn step(&self, core: &Core, step: Step) {
            let writer = &mut *self.0.borrow_mut();
            if !core.scheduler.has_queued() {
                writer.since = monotonic_ns();
                return;
            }
            let name = match step {
                Step::Inbox => "inbox",
                Step::Events => "events",
                Step::Timers => "timers",
            };
            writer.slice(core, "loop", name, format_args!(""));
        }
    }

    impl Writer {
        /// Ends what began at `since`, from which arrows go to the polls that come of it.
        fn slice(&mut self, core: &Core, category: &str, name: &str, args: fmt::Arguments<'_>) {
            let (begun, now) = (self.since, monotonic_ns());
            self.since = now;
            let (ts, dur) = (Micros(begun - self.zero), Micros(now - begun));
            let (pid, name) = (std::process::id(), Text(name));
            self.write(format_args!(
                ",\n{{\"ph\":\"X\",\"cat\":\"{category}\",\"name\":{name},\"ts\":{ts},\"dur\":{dur},\"pid\":{pid},\
                 \"tid\":1,\"args\":{{{args}}}}}"
            ));
            self.begin_arrows(core, begun);
        }

        /// An event that has no length: the ends of arrows and rows.
        fn point(
            &mut self,
            phase: &str,
            category: &str,
            name: &str,
            time: i64,
            id: u64,
            more: &str,
        ) {
            let ts = Micros(time - self.zero);
            let (pid, name) = (std::process::id(), Text(name));
            self.write(format_args!(
                ",\n{{\"ph\":\"{phase}\",\"cat\":\"{category}\",\"name\":{name},\"ts\":{ts},\"pid\":{pid},\"tid\":1,\
                 \"id\":{id}{more}}}"
            ));
        }

        fn begin_arrows(&mut self, core: &Core, begun: i64) {
            for (index, time) in core.scheduler.take_queued() {
                // What was woken before the loop ran is drawn from its first step.
                let time = time.max(begun);
                if index != ROOT {
                    self.row(core, index, time);
                }
                if self.arrows.len() <= index as usize {
                    self.arrows.resize(index as usize + 1, 0);
                }
                self.last_arrow += 1;
                self.arrows[index as usize] = self.last_arrow;
                self.point("s", "wake", "wake", time, self.last_arrow, "");
            }
        }

        fn end_arrow(&mut self, index: u32, time: i64) {
            let arrow = self.arrows.get_mut(index as usize).map_or(0, mem::take);
            if arrow != 0 {
                self.point("f", "wake", "wake", time, arrow, ",\"bp\":\"e\"");
            }
        }

        /// What the task at this index is called. Its row begins when it is seen first.
        fn row(&mut self, core: &Core, index: u32, time: i64) -> String {
            let (id, place, name) = core.scheduler.origin(index);
            let serial = id.map_or(0, |id| id.serial());
            let at = index as usize;
            if self.rows.len() <= at {
                self.rows.resize(at + 1, (0, String::new()));
            }
            if serial != 0 && self.rows[at].0 != serial {
                let file = Path::new(place.file()).file_name().unwrap_or_default();
                let named = name.map(|name| format!("{name} ")).unwrap_or_default();
                let label = format!("{named}{}:{}", file.to_string_lossy(), place.line());
                self.rows[at] = (serial, label.clone());
                self.point("b", "task", &label, time, serial, "");
            }
            self.rows[at].1.clone()
        }

        fn write(&mut self, event: fmt::Arguments<'_>) {
            if let Some(out) = self.own_out() {
                let written = out.write_fmt(event);
                self.keep(written);
            }
        }

        fn flush(&mut self) {
            self.flushed = monotonic_ns();
            if let Some(out) = self.own_out() {
                let flushed = out.flush();
                self.keep(flushed);
            }
        }

        /// In a fork's child there is none: the file is the parent's, and so is what waits to be written.
        #[inline]
        fn own_out(&mut self) -> Option<&mut BufWriter<File>> {
            if self.era == fork::era() { self.out.as_mut() } else { None }
        }

        /// The trace ends at the first error; the runtime goes on.
        #[inline]
        fn keep(&mut self, written: io::Result<()>) {
            if let Err(error) = written {
                self.give_up(&error);
            }
        }

        #[cold]
        fn give_up(&mut self, error: &io::Error) {
            // What is left in the buffer would be tried once more as it is dropped.
            if let Some(out) = self.out.take() {
                drop(out.into_parts());
            }
            let path = self.path.display();
            let _ =
                writeln!(io::stderr(), "runtime: the trace {path} ends here: writing it: {error}");
        }
    }

    impl Drop for Writer {
        fn drop(&mut self) {
            if self.era != fork::era() {
                // The drop of the buffer would write.
                if let Some(out) = self.out.take() {
                    drop(out.into_parts());
                }
                return;
            }
            self.write(format_args!("\n]\n"));
            self.flush();
        }
    }

    /// Nanoseconds, as the microseconds that the format wants.
    struct Micros(i64);

    impl fmt::Display for Micros {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
        }
    }

    /// A string of JSON (RFC 8259, 7).
    struct Text<'a>(&'a str);

    impl fmt::Display for Text<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_char('"')?;
            for char in self.0.chars() {
                match char {
                    '"' | '\\' => write!(f, "\\{char}")?,
                    '\0'..='\x1f' => write!(f, "\\u{:04x}", u32::from(char))?,
                    _ => f.write_char(char)?,
                }
            }
            f.write_char('"')
        }
    }
}

#[cfg(not(feature = "trace"))]
mod off {
    use std::io;
    use std::path::Path;

    use super::Step;
    use crate::core::Core;

    pub(crate) struct Queued;

    impl Queued {
        pub(crate) fn new() -> Queued {
            Queued
        }

        #[inline(always)]
        pub(crate) fn note(&mut self, _index: u32) {}
    }

    /// There is none.
    pub(crate) enum Trace {}

    impl Trace {
        pub(crate) fn create(_path: &Path) -> io::Result<Trace> {
            unreachable!("without the feature nobody can ask for a trace")
        }

        pub(crate) fn begins(&self, _core: &Core) {
            match *self {}
        }

        pub(crate) fn poll_begins(&self) {
            match *self {}
        }

        pub(crate) fn poll_ends(&self, _core: &Core, _index: u32) {
            match *self {}
        }

        pub(crate) fn task_ends(&self, _index: u32) {
            match *self {}
        }

        pub(crate) fn parks(&self) {
            match *self {}
        }

        pub(crate) fn unparks(&self, _core: &Core) {
            match *self {}
        }

        pub(crate) fn step(&self, _core: &Core, _step: Step) {
            match *self {}
        }
    }
}
