//! How old tasks are, without a clock read for each spawn.
//!
//! Serials are given out in order. So it is enough to note after a batch of polls how far they have come, and
//! when: a task has been there since the first note that is past its serial. (The clock is read once a batch, and not at each spawn.)

use std::cell::{Cell, OnceCell, RefCell, RefMut};

use crate::core::Core;
use crate::sys::clock::monotonic_ns;

/// When so many notes are there, every other goes, and from then on they are as far apart: ages are exact to a
/// thousandth of the runtime's own.
const NOTES: usize = 4096;

/// How far apart they are at first.
const STEP_NS: i64 = 1_000_000;

pub(crate) struct Ages {
    /// The serial that was next at the last note.
    next: Cell<u64>,
    notes: OnceCell<Box<RefCell<Notes>>>,
}

struct Notes {
    /// Notes that are no further apart are one, of the earlier time.
    step: i64,
    /// In the order in which they were made, which is that of the serials.
    of_here: Vec<Note>,
    /// Of tasks whose serials are of another thread's, by index.
    from_elsewhere: Vec<Note>,
}

#[derive(Clone, Copy, Default)]
struct Note {
    serial: u64,
    time: i64,
}

impl Notes {
    fn new() -> Box<RefCell<Notes>> {
        Box::new(RefCell::new(Notes {
            step: STEP_NS,
            of_here: Vec::new(),
            from_elsewhere: Vec::new(),
        }))
    }

    /// A note that goes leaves what it says to the one before it.
    #[cold]
    fn thin(&mut self) {
        let span = |notes: &[Note]| Some(notes.last()?.time - notes.first()?.time);
        self.step = span(&self.of_here).unwrap_or(STEP_NS) / (NOTES as i64 / 2);
        for pair in self.of_here.chunks_exact_mut(2) {
            pair[0].serial = pair[1].serial;
        }
        let mut stays = false;
        self.of_here.retain(|_| {
            stays = !stays;
            stays
        });
    }
}

impl Ages {
    pub(super) fn new() -> Ages {
        Ages { next: Cell::new(0), notes: OnceCell::new() }
    }

    fn notes(&self) -> RefMut<'_, Notes> {
        self.notes.get_or_init(Notes::new).borrow_mut()
    }

    /// Notes the tasks that were spawned since the last time.
    #[inline(always)]
    pub(super) fn note(&self, core: &Core) {
        let next = core.scheduler.next_serial();
        if self.next.get() != next {
            self.note_up_to(next, monotonic_ns());
        }
    }

    #[inline(never)]
    fn note_up_to(&self, serial: u64, time: i64) {
        self.next.set(serial);
        let notes = &mut *self.notes();
        match notes.of_here.last_mut() {
            Some(last) if time - last.time < notes.step => last.serial = serial,
            _ => notes.of_here.push(Note { serial, time }),
        }
        if notes.of_here.len() == NOTES {
            notes.thin();
        }
    }

    /// A task has come from another thread, with a serial from there.
    #[cold]
    pub(crate) fn note_from_elsewhere(&self, index: u32, serial: u64) {
        let notes = &mut self.notes().from_elsewhere;
        let index = index as usize;
        if notes.len() <= index {
            notes.resize(index + 1, Note::default());
        }
        notes[index] = Note { serial, time: monotonic_ns() };
    }

    /// How long ago a task was seen first, in nanoseconds; 0 if it is of the batch that runs.
    #[cold]
    pub(crate) fn age(&self, index: u32, serial: u64) -> i64 {
        self.since(index, serial).map_or(0, |since| monotonic_ns() - since)
    }

    fn since(&self, index: u32, serial: u64) -> Option<i64> {
        let notes = &*self.notes();
        let own = notes.from_elsewhere.get(index as usize).filter(|note| note.serial == serial);
        let first = || notes.of_here.partition_point(|note| note.serial <= serial);
        own.or_else(|| notes.of_here.get(first())).map(|note| note.time)
    }
}

#[cfg(test)]
mod tests {
    use super::{Ages, NOTES, STEP_NS};

    const SECOND: i64 = 1_000_000_000;

    /// Notes of serials up to 10 at 1 s, and up to 20 at 2 s.
    fn noted() -> Ages {
        let ages = Ages::new();
        ages.note_up_to(10, SECOND);
        ages.note_up_to(20, 2 * SECOND);
        ages
    }

    #[test]
    fn a_task_is_there_since_the_first_note_past_its_serial() {
        let ages = noted();
        let since = [9, 10, 19, 20].map(|serial| ages.since(0, serial));
        assert_eq!(since, [Some(SECOND), Some(2 * SECOND), Some(2 * SECOND), None]);
    }

    #[test]
    fn notes_that_lie_close_are_one() {
        let ages = noted();
        ages.note_up_to(30, 2 * SECOND + STEP_NS - 1);
        ages.note_up_to(40, 2 * SECOND + STEP_NS);
        assert_eq!(ages.since(0, 29), Some(2 * SECOND));
        assert_eq!(ages.since(0, 30), Some(2 * SECOND + STEP_NS));
    }

    #[test]
    fn a_serial_of_another_threads_has_its_own_note() {
        let ages = noted();
        ages.note_from_elsewhere(3, 5);
        assert!(![Some(SECOND), Some(2 * SECOND)].contains(&ages.since(3, 5)), "it is of now");
        assert_eq!(ages.since(2, 5), Some(SECOND), "at another index it is ours");
        assert_eq!(ages.since(3, 6), Some(SECOND), "the index is another's by now");
    }

    #[test]
    fn however_long_it_runs_the_notes_are_few_and_exact_to_a_thousandth() {
        let ages = Ages::new();
        let count = 100_000;
        (0..count).for_each(|n| ages.note_up_to(n + 1, n as i64 * SECOND));
        assert!(ages.notes().of_here.len() <= NOTES);
        for serial in (0..count).step_by(997).chain([count - 1]) {
            let since = ages.since(0, serial).unwrap() / SECOND;
            let error = serial as i64 - since;
            assert!((0..=count as i64 / 1_000).contains(&error), "{serial} since {since}");
        }
    }
}
