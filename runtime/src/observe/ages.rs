//! How old tasks are, without a clock read for each spawn.
//!
//! Serials are given out in order. So it is enough to note after a batch of polls how far they have come, and
//! when: a task has been there since the first note that is past its serial. (Read at each spawn, the clock
//! would be a tenth of what a task costs.)

use std::cell::{Cell, RefCell};

use crate::core::Core;
use crate::sys::clock::monotonic_ns;

/// When so many notes are there, every other goes: ages become coarser as a runtime becomes older.
const NOTES: usize = 4096;

pub(crate) struct Ages {
    /// The serial that was next at the last note.
    next: Cell<u64>,
    notes: RefCell<Vec<Note>>,
    /// Of tasks whose serials are of another thread's, by index.
    from_elsewhere: RefCell<Vec<Note>>,
}

#[derive(Clone, Copy, Default)]
struct Note {
    serial: u64,
    time: i64,
}

impl Ages {
    pub(super) fn new() -> Ages {
        Ages {
            next: Cell::new(0),
            notes: RefCell::new(Vec::new()),
            from_elsewhere: RefCell::new(Vec::new()),
        }
    }

    /// Notes the tasks that were spawned since the last time.
    #[inline(always)]
    pub(super) fn note(&self, core: &Core) {
        let next = core.scheduler.next_serial();
        if self.next.get() != next {
            self.note_up_to(next, monotonic_ns());
        }
    }

    fn note_up_to(&self, serial: u64, time: i64) {
        self.next.set(serial);
        let notes = &mut *self.notes.borrow_mut();
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
        let notes = &mut *self.from_elsewhere.borrow_mut();
        let index = index as usize;
        if notes.len() <= index {
            notes.resize(index + 1, Note::default());
        }
        notes[index] = Note { serial, time: monotonic_ns() };
    }

    /// How long ago a task was seen first, in nanoseconds; 0 if it is of the batch that runs.
    #[cold]
    pub(crate) fn age(&self, index: u32, serial: u64) -> i64 {
        let now = monotonic_ns();
        let from_elsewhere = self.from_elsewhere.borrow().get(index as usize).copied();
        if let Some(note) = from_elsewhere.filter(|note| note.serial == serial) {
            return now - note.time;
        }
        let notes = &*self.notes.borrow();
        let first = notes.partition_point(|note| note.serial <= serial);
        notes.get(first).map_or(0, |note| now - note.time)
    }
}

#[cfg(test)]
mod tests {
    use super::{Ages, NOTES};
    use crate::sys::clock::monotonic_ns;

    /// Notes of serials up to 10 at 1 s before now, up to 20 at half a second.
    fn noted() -> Ages {
        let (ages, now) = (Ages::new(), monotonic_ns());
        ages.note_up_to(10, now - 1_000_000_000);
        ages.note_up_to(20, now - 500_000_000);
        ages
    }

    #[test]
    fn a_task_is_there_since_the_first_note_past_its_serial() {
        let ages = noted();
        assert!(ages.age(0, 9) >= 1_000_000_000);
        let half = ages.age(0, 10);
        assert!(
            (500_000_000..1_000_000_000).contains(&half) || ages.age(0, 9) - half >= 500_000_000
        );
        assert_eq!(ages.age(0, 20), 0, "nobody has noted it yet");
    }

    #[test]
    fn a_serial_of_another_threads_has_its_own_note() {
        let ages = noted();
        ages.note_from_elsewhere(3, 5);
        assert!(ages.age(3, 5) < ages.age(2, 5), "at another index it is ours");
        assert!(ages.age(3, 6) > ages.age(3, 5), "the index is another's by now");
    }

    #[test]
    fn the_notes_are_few_and_the_oldest_stays() {
        let ages = Ages::new();
        let now = monotonic_ns();
        for serial in 1..=100_000 {
            ages.note_up_to(serial, now - 1_000_000 + serial as i64);
        }
        assert!(ages.notes.borrow().len() <= NOTES);
        let (oldest, youngest) = (ages.age(0, 0), ages.age(0, 99_999));
        assert!(oldest > youngest && oldest - youngest <= 100_000);
        assert!(oldest - youngest >= 99_000, "{oldest} {youngest}");
    }
}
