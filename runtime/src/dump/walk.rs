//! The walk over a runtime, on its own thread: tasks, descriptors, deadlines, signals, and who waits for whom.
//!
//! Nothing of it is foreign code, so the cells may be borrowed meanwhile; and it may be asked for wherever
//! foreign code runs, as no cell is borrowed there.

use std::fs;
use std::mem;
use std::os::fd::RawFd;
use std::task::Waker;

use super::{Descriptor, DescriptorKind, Dump, Extent, State, Task, Wait};
use crate::context;
use crate::coop;
use crate::core::Core;
use crate::handle::Handle;
use crate::name::{Name, RuntimeName};
use crate::reactor::Interest;
use crate::signal;
use crate::sys::socket;
use crate::task;
use crate::task::scheduler::{ROOT, Seen};
use crate::task::waker;

/// No task has this index.
const VACANT: usize = usize::MAX;

/// A dump that grows.
struct Walk {
    own: RuntimeName,
    dump: Dump,
    /// By a task's index, where it is in the dump.
    rows: Vec<usize>,
    /// Tasks, by their rows, that are joined by others, by their indices.
    joins: Vec<(usize, u32)>,
}

/// Dumps a runtime of this thread.
#[cold]
pub(super) fn dump(core: &Core) -> Dump {
    let handle = Handle { shared: core.shared.clone() };
    let mut walk = Walk {
        own: core.name,
        dump: Dump::without_tasks(handle.id(), Extent::Complete),
        rows: Vec::new(),
        joins: Vec::new(),
    };
    core.scheduler.walk(|seen| walk.see_task(core, seen));
    walk.see_root(core);
    walk.note_joins();
    core.reactor.walk(core, |fd, waits| walk.see_descriptor(fd, waits));
    core.timers.walk(|wait, waker| walk.note(waker::name_of(waker), wait));
    for (kind, name) in signal::waits_of(core.name) {
        walk.note(name, Wait::Signal(kind));
    }
    walk.dump.blocking = core.shared.pool.in_flight();
    walk.dump.is_clock_paused = core.timers.clock.is_paused();
    walk.finish()
}

impl Walk {
    fn see_task(&mut self, core: &Core, seen: Seen<'_>) {
        let row = self.dump.tasks.len();
        let index = seen.index as usize;
        self.rows.resize(index, VACANT);
        self.rows.push(row);
        let id = task::Id::of(seen.serial);
        let history = id.and_then(|_| core.history(seen.index, seen.serial));
        self.dump.tasks.push(Task {
            id,
            name: seen.name.map(str::to_string),
            place: seen.place,
            state: seen.state,
            age: history.map(|(age, _)| age),
            // The count of one that has ended is given back.
            polls: history
                .map(|(_, polls)| u64::from(polls))
                .filter(|_| seen.state != State::Complete),
            waits: Vec::new(),
        });
        if let Some(name) = seen.joiner.and_then(waker::name_of) {
            if name.runtime() == self.own {
                self.joins.push((row, name.index()));
            }
        }
    }

    /// The root is the first that is seen. It is being polled if foreign code asks that runs within a poll, of no
    /// task.
    fn see_root(&mut self, core: &Core) {
        let (root, tasks) = self.dump.tasks.split_first_mut().expect("the root has an entry");
        let Some(place) = core.root.get() else {
            self.rows[ROOT as usize] = VACANT;
            return;
        };
        root.place = place;
        if is_in_a_poll(core) && tasks.iter().all(|task| task.state != State::Running) {
            root.state = State::Running;
        }
    }

    /// The task that a waker of this name wakes.
    fn task(&mut self, name: Name) -> Option<&mut Task> {
        if name.runtime() != self.own {
            return None;
        }
        self.dump.tasks.get_mut(*self.rows.get(name.index() as usize)?)
    }

    fn note(&mut self, name: Option<Name>, wait: Wait) {
        match name.and_then(|name| self.task(name)) {
            Some(task) => wait_for(task, wait),
            None => self.dump.others.push(wait),
        }
    }

    fn note_joins(&mut self) {
        for (row, joiner) in mem::take(&mut self.joins) {
            let Task { id: Some(id), ref name, place, .. } = self.dump.tasks[row] else { continue };
            let wait = Wait::Join { id, name: name.clone(), place };
            if let Some(task) = self.task(Name::new(self.own, joiner)) {
                wait_for(task, wait);
            }
        }
    }

    /// Notes one wait for each who waits, in all the directions that it waits for.
    fn see_descriptor(&mut self, fd: RawFd, waits: &mut dyn Iterator<Item = (&Waker, Interest)>) {
        let descriptor = describe(fd);
        let mut waiters: Vec<(Option<Name>, Interest)> = Vec::new();
        for (waker, interest) in waits {
            let name = waker::name_of(waker);
            match waiters.iter_mut().find(|(other, _)| name.is_some() && *other == name) {
                Some((_, interests)) => *interests |= interest,
                None => waiters.push((name, interest)),
            }
        }
        if waiters.is_empty() {
            self.dump.idle.push(descriptor);
            return;
        }
        for (name, interest) in waiters {
            self.note(name, Wait::Fd { descriptor: descriptor.clone(), interest });
        }
    }

    fn finish(mut self) -> Dump {
        if self.rows[ROOT as usize] == VACANT {
            self.dump.tasks.remove(ROOT as usize);
        }
        for task in &mut self.dump.tasks {
            if task.state == State::Waiting && task.waits.is_empty() {
                wait_for(task, Wait::Other);
            }
        }
        self.dump.tasks.sort_by_key(|task| (task.state, task.id));
        self.dump
    }
}

/// Most tasks wait for one thing, and a `Vec` would begin with room for four.
fn wait_for(task: &mut Task, wait: Wait) {
    task.waits.reserve_exact(1);
    task.waits.push(wait);
}

/// Whether this thread is in a poll of this runtime, or of one that was turned in such a poll. Between polls,
/// where commands run as well, the budget is not limited.
fn is_in_a_poll(core: &Core) -> bool {
    let is_innermost = context::turning(core.name, |_| ()).is_some();
    !is_innermost || context::budget().get() != coop::UNLIMITED
}

fn describe(fd: RawFd) -> Descriptor {
    let kind = match socket::describe(fd) {
        Ok(Some(socket)) => DescriptorKind::Socket(Box::new(socket)),
        Ok(None) => describe_file(fd),
        Err(_) => DescriptorKind::Closed,
    };
    Descriptor { fd, kind }
}

fn describe_file(fd: RawFd) -> DescriptorKind {
    let Ok(link) = fs::read_link(format!("/proc/self/fd/{fd}")) else {
        return DescriptorKind::File("a file".to_string());
    };
    let link = link.to_string_lossy();
    if link.contains("pidfd") {
        if let Some(process) = process_of(fd) {
            return DescriptorKind::Process(process);
        }
    }
    DescriptorKind::File(link.into_owned())
}

/// The process that a pidfd is for.
fn process_of(fd: RawFd) -> Option<u32> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    let process = info.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    // Of one that has ended and was waited for it says -1.
    process.trim().parse().ok()
}
