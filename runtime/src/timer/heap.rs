//! The deadlines of a runtime: those that come soon in a 4-ary min-heap, the others in no order.
//!
//! Most deadlines are set, and cancelled long before they come: they are never sorted. When the first of
//! them may have come, the soonest part of them moves to the heap, which thus stays small.
//!
//! Values live in a slab, and the heap and the list hold only deadlines and keys, so that a sift moves 16
//! bytes a level and compares without leaving the heap's own memory. Each value's entry carries its position
//! in either: cancel and reset find it without a search.
//!
//! Invariant: for every `i`, `slab[heap[i].key].position == i` and `slab[far[i].key].position == FAR | i`; every
//! other entry is `FIRED` or `VACANT`. No deadline in the heap is after `horizon`, every one in `far` is.

/// The position of an entry that has fired.
const FIRED: u32 = u32::MAX;

/// The position of an entry that is nobody's.
const VACANT: u32 = u32::MAX - 1;

/// In the position of an entry whose deadline is far.
const FAR: u32 = 1 << 31;

/// One in so many of the far deadlines moves to the heap at a time. With parts half and four times as large
/// 100,000 of them take as long to fire, with smaller ones twice as long: all are looked at for each part.
const PART: usize = 8;

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
    far: Vec<Slot>,
    /// Between the deadlines of the heap and those of `far`.
    horizon: i64,
    /// None of `far` is earlier. If one was cancelled, all may be later.
    far_from: i64,
    slab: Vec<Entry<V>>,
    vacant: u32,
}

impl<V> Heap<V> {
    /// An empty heap, which owns no memory yet.
    pub(crate) const fn new() -> Self {
        Heap {
            heap: Vec::new(),
            far: Vec::new(),
            horizon: i64::MIN,
            far_from: i64::MAX,
            slab: Vec::new(),
            vacant: VACANT,
        }
    }

    /// Adds `value` to fire at `deadline` and returns its key.
    #[inline(always)]
    pub(crate) fn insert(&mut self, deadline: i64, value: V) -> u32 {
        let position = self.next_position(deadline);
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
        assert!(key < (FAR - 2) as usize, "insert a timer: at most 2147483646 can exist at a time");
        self.slab.push(Entry { position, next_vacant: VACANT, value: Some(value) });
        key as u32
    }

    /// Takes the entry out and frees its key. The value comes back unless it has fired.
    ///
    /// # Panics
    ///
    /// If `key` is vacant: its owner removed it already.
    #[inline]
    pub(crate) fn remove(&mut self, key: u32) -> Option<V> {
        let entry = &mut self.slab[key as usize];
        let position = entry.position;
        let value = entry.value.take();
        assert!(position != VACANT, "remove a timer: its key is vacant");
        entry.position = VACANT;
        entry.next_vacant = self.vacant;
        self.vacant = key;
        if position != FIRED {
            self.take(position);
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
            FIRED => {}
            position if position < FAR && deadline <= self.horizon => {
                return self.settle(position as usize, slot);
            }
            position => self.take(position),
        }
        self.slab[key as usize].position = self.next_position(deadline);
        self.push(slot);
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

    /// Whether nothing waits to fire.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.heap.is_empty() && self.far.is_empty()
    }

    /// The earliest deadline, or one before it: of one that was cancelled, until it has come.
    #[inline]
    pub(crate) fn peek(&self) -> Option<i64> {
        match self.heap.first() {
            Some(slot) => Some(slot.deadline),
            None if self.far.is_empty() => None,
            None => Some(self.far_from),
        }
    }

    /// The earliest deadline, looked for.
    pub(crate) fn earliest(&self) -> Option<i64> {
        self.heap
            .first()
            .or_else(|| self.far.iter().min_by_key(|slot| slot.deadline))
            .map(|slot| slot.deadline)
    }

    /// Fires the earliest entry if its deadline is not after `now`: hands out its key and its value.
    pub(crate) fn pop_due(&mut self, now: i64) -> Option<(u32, Option<V>)> {
        if self.heap.is_empty() && self.far_from <= now {
            self.sort_soonest(now);
        }
        let first = *self.heap.first()?;
        if first.deadline > now {
            return None;
        }
        self.take_soon(0);
        let entry = &mut self.slab[first.key as usize];
        entry.position = FIRED;
        Some((first.key, entry.value.take()))
    }

    /// Every deadline that has not fired, with its value, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &V)> {
        let slots = self.heap.iter().chain(&self.far);
        slots.filter_map(|slot| Some((slot.deadline, self.get(slot.key)?)))
    }

    /// Hands out every value. The entries stay, for their owners to remove.
    pub(crate) fn take_values(&mut self) -> Vec<V> {
        self.slab.iter_mut().filter_map(|entry| entry.value.take()).collect()
    }

    /// Where `push` puts a deadline first.
    #[inline]
    fn next_position(&self, deadline: i64) -> u32 {
        if deadline > self.horizon { FAR | self.far.len() as u32 } else { self.heap.len() as u32 }
    }

    /// Adds a slot whose entry already says that it is the last one, as most stay.
    #[inline]
    fn push(&mut self, slot: Slot) {
        if slot.deadline > self.horizon {
            self.far_from = self.far_from.min(slot.deadline);
            self.far.push(slot);
            return;
        }
        let position = self.heap.len();
        self.heap.push(slot);
        if self.is_before_parent(position, slot) {
            self.sift_up(position, slot);
        }
    }

    /// Takes the slot at `position` out of the heap or the list; the last one fills the gap.
    ///
    /// The entry of the slot taken is left as it was: its key may be vacant by now.
    #[inline]
    fn take(&mut self, position: u32) {
        if position < FAR {
            self.take_soon(position as usize);
        } else {
            self.take_far((position - FAR) as usize);
        }
    }

    /// A call, so that taking a far one out stays short: 10 instructions of a time-out.
    #[inline(never)]
    fn take_soon(&mut self, position: usize) {
        let last = self.heap.pop().expect("a position in the heap implies that it has a last slot");
        if position < self.heap.len() {
            self.settle(position, last);
        }
    }

    #[inline]
    fn take_far(&mut self, index: usize) {
        let last = self.far.pop().expect("a position in the list implies that it has a last slot");
        if let Some(gap) = self.far.get_mut(index) {
            *gap = last;
            self.slab[last.key as usize].position = FAR | index as u32;
        } else if self.far.is_empty() {
            self.far_from = i64::MAX;
        }
    }

    /// Moves the soonest of the far deadlines to the heap, which is empty, and all that are not after `now`.
    /// If none has come they stay where they are, and the heap takes what is set before the first of them.
    #[cold]
    fn sort_soonest(&mut self, now: i64) {
        let Some(earliest) = self.earliest() else { return };
        let step = self.far.len().div_ceil(PART);
        let sample = self.far.iter().step_by(step).map(|slot| slot.deadline);
        // Few move all together; of many, the earliest of a sample has about the wanted part before it.
        let soon = if step == 1 { sample.max() } else { sample.min() };
        self.horizon =
            if earliest > now { earliest - 1 } else { soon.map_or(now, |soon| soon.max(now)) };
        let mut far_from = i64::MAX;
        let mut index = 0;
        while let Some(&slot) = self.far.get(index) {
            if slot.deadline > self.horizon {
                far_from = far_from.min(slot.deadline);
                index += 1;
            } else {
                self.take_far(index);
                self.slab[slot.key as usize].position = self.heap.len() as u32;
                self.push(slot);
            }
        }
        self.far_from = far_from;
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

/// For tests/heap_model/ and the fuzzer's target, which include this file.
#[cfg(any(test, fuzzing))]
#[allow(dead_code)]
impl<V> Heap<V> {
    pub(crate) fn len(&self) -> usize {
        self.heap.len() + self.far.len()
    }

    pub(crate) fn deadline(&self, key: u32) -> Option<i64> {
        let position = self.slab[key as usize].position;
        let slot = |position| match position < FAR {
            true => self.heap[position as usize],
            false => self.far[(position - FAR) as usize],
        };
        (position != FIRED).then(|| slot(position).deadline)
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
        for (index, slot) in self.far.iter().enumerate() {
            assert!(slot.deadline >= self.far_from, "far slot {index} is earlier than known");
            assert!(slot.deadline > self.horizon, "far slot {index} belongs to the heap");
            let known = self.slab.get(slot.key as usize).map(|entry| entry.position);
            assert_eq!(known, Some(FAR | index as u32), "the position that far slot {index} knows");
        }
        let beyond = self.heap.iter().filter(|slot| slot.deadline > self.horizon).count();
        assert_eq!(beyond, 0, "slots of the heap that belong to the far ones");
        let waiting = self.slab.iter().filter(|entry| entry.position < VACANT).count();
        assert_eq!(waiting, self.len(), "entries that say they wait against slots");
    }
}
