//! How old tasks are, without a clock read for each spawn.
//!
//! Serials are given out in order. So it is enough to note after a batch of polls how far they have come, and
//! when: a task has been there since the first note that is past its serial. (Read at each spawn, the clock
//! would be a tenth of what a task costs.)

use std::cell::{Cell, OnceCell, RefCell, RefMut};

use crate::core::Core;
use crate::sys::clock::monotonic_ns;

/// When so many notes are there, every other goes: ages become coarser as a runtime becomes older.
const NOTES: usize = 4096;

pub(crate) struct Ages {
    /// The serial that was next at the last note.
    next: Cell<u64>,
    notes: OnceCell<Box<RefCell<Notes>>>,
}

#[derive(Default)]
struct Notes {
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

impl Ages {
    pub(super) fn new() -> Ages {
        Ages { next: Cell::new(0), notes: OnceCell::new() }
    }

    fn notes(&self) -> RefMut<'_, Notes> {
        self.notes.get_or_init(Box::default).borrow_mut()
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
        let notes = &mut self.notes().of_here;
        if notes.len() == NOTES {
            let mut stays = false;
            notes.retain(|_| {
                stays = !stays;
                stays
            });
        }
        notes.push(Note { serial, time });
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
    use super::{Ages, NOTES};

    /// Notes of serials up to 10 at the time 1, and up to 20 at 2.
    fn noted() -> Ages {
        let ages = Ages::new();
        ages.note_up_to(10, 1);
        ages.note_up_to(20, 2);
        ages
    }

    #[test]
    fn a_task_is_there_since_the_first_note_past_its_serial() {
        let ages = noted();
        let since = [9, 10, 19, 20].map(|serial| ages.since(0, serial));
        assert_eq!(since, [Some(1), Some(2), Some(2), None]);
    }

    #[test]
    fn a_serial_of_another_threads_has_its_own_note() {
        let ages = noted();
        ages.note_from_elsewhere(3, 5);
        assert!(ages.since(3, 5) > Some(2), "it is of now");
        assert_eq!(ages.since(2, 5), Some(1), "at another index it is ours");
        assert_eq!(ages.since(3, 6), Some(1), "the index is another's by now");
    }

    #[test]
    fn the_notes_are_few_and_times_become_coarse() {
        let ages = Ages::new();
        (1..=100_000).for_each(|n| ages.note_up_to(n, n as i64));
        assert!(ages.notes().of_here.len() <= NOTES);
        for serial in [0, 1_000, 50_000, 99_000, 99_998] {
            let since = ages.since(0, serial).unwrap() as u64;
            let late = since - (serial + 1);
            assert!(late <= 100_000 / (NOTES as u64 / 4), "{serial} since {since}");
        }
    }
}
