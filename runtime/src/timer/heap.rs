//! The deadlines of a runtime: a 4-ary min-heap whose entries know their place in it.
//!
//! Values live in a slab and the heap holds only deadlines and keys, so that a sift moves 16 bytes
//! a level and compares without leaving the heap's own memory. Each value's entry carries its position
//! in the heap: cancel and reset find it without a search.
//!
//! Invariant: for every `i`, `slab[heap[i].key].position == i`; every other entry is `FIRED` or
//! `VACANT`.

/// The position of an entry that has fired.
const FIRED: u32 = u32::MAX;

/// The position of an entry that is nobody's.
const VACANT: u32 = u32::MAX - 1;

/// Children of a node. Four share one cache line, and the tree is half as deep as a binary one.
const ARITY: usize = 4;

/// A deadline in the heap and the slab key of what waits for it.
#[derive(Clone, Copy)]
struct Slot {
    deadline: i64,
    key: u32,
}

struct Entry<V> {
    position: u32,
    /// The next vacant entry, in a vacant one.
    next_vacant: u32,
    /// There until it fires.
    value: Option<V>,
}

/// Values by deadline, in nanoseconds of whatever clock the caller keeps.
///
/// An entry belongs to whoever inserted it until [`remove`](Heap::remove): firing takes it out of
/// the heap, never out of the slab, so that its key is not reused while its owner holds it.
///
/// Equal deadlines fire in no particular order.
///
/// The slab is our own, since entries are filled and vacated in place: the `slab` crate's moves of
/// them cost a tenth of a time-out.
pub(crate) struct Heap<V> {
    heap: Vec<Slot>,
    slab: Vec<Entry<V>>,
    vacant: u32,
}

impl<V> Heap<V> {
    /// An empty heap, which owns no memory yet.
    pub(crate) const fn new() -> Self {
        Heap { heap: Vec::new(), slab: Vec::new(), vacant: VACANT }
    }

    /// Adds `value` to fire at `deadline` and returns its key.
    #[inline]
    pub(crate) fn insert(&mut self, deadline: i64, value: V) -> u32 {
        let position = self.heap.len() as u32;
        let key = self.vacant;
        let key = match self.slab.get_mut(key as usize) {
            Some(entry) => {
                self.vacant = entry.next_vacant;
                entry.position = position;
                entry.value = Some(value);
                key
            }
            None => self.append(position, value),
        };
        self.push(Slot { deadline, key });
        key
    }

    #[cold]
    fn append(&mut self, position: u32, value: V) -> u32 {
        let key = self.slab.len();
        // Positions are below the slab's length, so this also keeps them apart from the marks.
        assert!(key < VACANT as usize, "insert a timer: at most 4294967294 can exist at a time");
        self.slab.push(Entry { position, next_vacant: VACANT, value: Some(value) });
        key as u32
    }

    /// Takes the entry out and frees its key. The value comes back unless it has fired.
    ///
    /// # Panics
    ///
    /// If `key` is vacant: its owner removed it already.
    pub(crate) fn remove(&mut self, key: u32) -> Option<V> {
        let entry = &mut self.slab[key as usize];
        let position = entry.position;
        let value = entry.value.take();
        assert!(position != VACANT, "remove a timer: its key is vacant");
        entry.position = VACANT;
        entry.next_vacant = self.vacant;
        self.vacant = key;
        if position != FIRED {
            self.take(position as usize);
        }
        value
    }

    /// Moves the entry to another deadline, earlier or later; one that fired waits again, and has no
    /// value until [`set`](Heap::set).
    ///
    /// # Panics
    ///
    /// If `key` is vacant.
    pub(crate) fn reset(&mut self, key: u32, deadline: i64) {
        let slot = Slot { deadline, key };
        match self.slab[key as usize].position {
            VACANT => panic!("reset a timer: its key is vacant"),
            FIRED => {
                self.slab[key as usize].position = self.heap.len() as u32;
                self.push(slot);
            }
            position => self.settle(position as usize, slot),
        }
    }

    /// The entry's value, unless it has fired or is vacant.
    pub(crate) fn get(&self, key: u32) -> Option<&V> {
        self.slab.get(key as usize)?.value.as_ref()
    }

    /// Gives the entry another value; the one it had comes back.
    ///
    /// # Panics
    ///
    /// If `key` is vacant.
    pub(crate) fn set(&mut self, key: u32, value: V) -> Option<V> {
        let entry = &mut self.slab[key as usize];
        assert!(entry.position != VACANT, "set a timer: its key is vacant");
        entry.value.replace(value)
    }

    /// Whether the entry has fired since it was inserted or last reset.
    ///
    /// # Panics
    ///
    /// If `key` is vacant.
    pub(crate) fn is_fired(&self, key: u32) -> bool {
        self.slab[key as usize].position == FIRED
    }

    /// The earliest deadline.
    pub(crate) fn peek(&self) -> Option<i64> {
        self.heap.first().map(|slot| slot.deadline)
    }

    /// Fires the earliest entry if its deadline is not after `now`: hands out its key and its value.
    pub(crate) fn pop_due(&mut self, now: i64) -> Option<(u32, Option<V>)> {
        let first = *self.heap.first()?;
        if first.deadline > now {
            return None;
        }
        self.take(0);
        let entry = &mut self.slab[first.key as usize];
        entry.position = FIRED;
        Some((first.key, entry.value.take()))
    }

    /// Hands out every value. The entries stay, for their owners to remove.
    pub(crate) fn take_values(&mut self) -> Vec<V> {
        self.slab.iter_mut().filter_map(|entry| entry.value.take()).collect()
    }

    /// Adds a slot whose entry already says that it is the last one, as most stay.
    #[inline]
    fn push(&mut self, slot: Slot) {
        let position = self.heap.len();
        self.heap.push(slot);
        if self.is_before_parent(position, slot) {
            self.sift_up(position, slot);
        }
    }

    /// Takes the slot at `position` out of the heap; the last one fills the gap.
    ///
    /// The entry of the slot taken is left as it was: its key may be vacant by now.
    fn take(&mut self, position: usize) {
        let last = self.heap.pop().expect("a position in the heap implies that it has a last slot");
        if position < self.heap.len() {
            self.settle(position, last);
        }
    }

    /// Puts `slot` where it belongs, given that what `position` holds may be overwritten.
    fn settle(&mut self, position: usize, slot: Slot) {
        if self.is_before_parent(position, slot) {
            self.sift_up(position, slot);
        } else {
            self.sift_down(position, slot);
        }
    }

    fn is_before_parent(&self, position: usize, slot: Slot) -> bool {
        position > 0 && slot.deadline < self.heap[(position - 1) / ARITY].deadline
    }

    /// Moves later ancestors down into the gap at `position` until `slot` fits into it.
    #[inline]
    fn sift_up(&mut self, mut position: usize, slot: Slot) {
        while self.is_before_parent(position, slot) {
            let above = (position - 1) / ARITY;
            self.place(position, self.heap[above]);
            position = above;
        }
        self.place(position, slot);
    }

    /// Moves the earliest child up into the gap at `position` until `slot` fits into it.
    fn sift_down(&mut self, mut position: usize, slot: Slot) {
        while let Some((below, child)) = self.earliest_child(position) {
            if slot.deadline <= child.deadline {
                break;
            }
            self.place(position, child);
            position = below;
        }
        self.place(position, slot);
    }

    /// The child of `position` with the earliest deadline, and where it is.
    fn earliest_child(&self, position: usize) -> Option<(usize, Slot)> {
        let start = position * ARITY + 1;
        let below = self.heap.get(start..)?;
        // Nearly every node has all its children: those are compared in pairs and by index arithmetic,
        // without a loop and without a bounds check.
        if let Some(&[a, b, c, d]) = below.first_chunk::<ARITY>() {
            let left = if b.deadline < a.deadline { (start + 1, b) } else { (start, a) };
            let right = if d.deadline < c.deadline { (start + 3, d) } else { (start + 2, c) };
            return Some(if right.1.deadline < left.1.deadline { right } else { left });
        }
        (start..).zip(below.iter().copied()).min_by_key(|(_, slot)| slot.deadline)
    }

    /// Writes `slot` to `position` and tells its entry.
    fn place(&mut self, position: usize, slot: Slot) {
        self.heap[position] = slot;
        self.slab[slot.key as usize].position = position as u32;
    }
}

/// For tests/heap_model.rs, which includes this file.
#[cfg(test)]
#[allow(dead_code)]
impl<V> Heap<V> {
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(crate) fn deadline(&self, key: u32) -> Option<i64> {
        let position = self.slab[key as usize].position;
        (position != FIRED).then(|| self.heap[position as usize].deadline)
    }

    /// Checks the order of the heap and the invariant at this file's head.
    pub(crate) fn assert_sound(&self) {
        for (position, slot) in self.heap.iter().enumerate() {
            let parent = self.heap[position.saturating_sub(1) / ARITY];
            assert!(parent.deadline <= slot.deadline, "slot {position} is earlier than its parent");
            let known = self.slab.get(slot.key as usize).map(|entry| entry.position as usize);
            let slot = format!("the position that the entry of slot {position} knows");
            assert_eq!(known, Some(position), "{slot}");
        }
        let waiting = self.slab.iter().filter(|entry| entry.position < VACANT).count();
        assert_eq!(waiting, self.heap.len(), "entries that say they wait against slots");
    }
}
