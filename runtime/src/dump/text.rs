//! Dumps as text, for a person in trouble: what runs and what is ready first, a block for each task.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use super::{Address, Descriptor, DescriptorKind, Due, Dump, Extent, Socket, State, Task, Wait};
use crate::reactor::Interest;
use crate::task::Id;

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "runtime {}: ", self.runtime)?;
        match self.extent {
            Extent::Complete => self.write_counts(f)?,
            Extent::NoAnswer { .. } if self.under_way.is_some() => f.write_str("no answer")?,
            Extent::NoAnswer { was_asleep: true } => f.write_str(
                "no answer. It was asleep when it was asked: its host does not turn it, or its thread was \
                 not given a processor",
            )?,
            Extent::NoAnswer { was_asleep: false } => f.write_str(
                "no answer. It was not asleep when it was asked: a poll or a drop of a task hangs or \
                 blocks, or nobody drives it",
            )?,
            Extent::Gone => f.write_str("it has been dropped")?,
            Extent::OfParent => f.write_str("it stayed with the process that forked this one")?,
        }
        if let Some(poll) = &self.under_way {
            write!(f, ": {poll}")?;
        }
        match self.blocking {
            0 => {}
            1 => f.write_str("; 1 blocking closure")?,
            many => write!(f, "; {many} blocking closures")?,
        }
        if self.is_clock_paused {
            f.write_str("; its clock is paused")?;
        }
        for task in &self.tasks {
            write!(f, "\n\n{task}")?;
        }
        if !self.others.is_empty() {
            f.write_str("\n\nothers, which are no tasks of it, wait")?;
            self.others.iter().try_for_each(|wait| write!(f, "\n    {wait}"))?;
        }
        if !self.idle.is_empty() {
            f.write_str("\n\nnobody waits for")?;
            self.idle.iter().try_for_each(|descriptor| write!(f, "\n    {descriptor}"))?;
        }
        Ok(())
    }
}

impl Dump {
    fn write_counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_root = self.tasks.iter().any(|task| task.id.is_none());
        let root = if has_root { "block_on and " } else { "" };
        let tasks = self.tasks.len() - usize::from(has_root);
        write!(f, "{root}{tasks} task{}", if tasks == 1 { "" } else { "s" })?;
        let mut separator = ": ";
        for some in self.tasks.chunk_by(|one, other| one.state == other.state) {
            write!(f, "{separator}{} {}", some.len(), some[0].state)?;
            separator = ", ";
        }
        Ok(())
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Running => "running",
            State::Ready => "ready",
            State::Cancelling => "to be cancelled",
            State::Waiting => "waiting",
            State::Complete => "complete",
        })
    }
}

/// A task as others speak of it: its name, or else its place.
struct Called<'a> {
    id: Id,
    name: Option<&'a str>,
    place: &'a Location<'a>,
}

impl fmt::Display for Called<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => write!(f, "task {} {name:?}", self.id)?,
            None => write!(f, "task {}", self.id)?,
        }
        write!(f, ", spawned at {}", self.place)
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.state)?;
        match self.id {
            Some(id) => {
                let name = self.name.as_deref();
                Called { id, name, place: self.place }.fmt(f)?;
            }
            None => write!(f, "the future given to block_on at {}", self.place)?,
        }
        if let Some(age) = self.age {
            write!(f, ", {} old", Time(age))?;
        }
        match self.polls {
            None => {}
            Some(1) => f.write_str(", polled once")?,
            Some(polls) => write!(f, ", polled {polls} times")?,
        }
        self.waits.iter().try_for_each(|wait| write!(f, "\n    {wait}"))
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wait::Fd { descriptor, interest } => {
                write!(f, "{} {descriptor}", Directions(*interest))
            }
            Wait::Deadline { due, counts_suspend } => {
                write!(f, "for a deadline {due}")?;
                f.write_str(if *counts_suspend { ", counting suspend" } else { "" })
            }
            Wait::Join { id, name, place } => {
                let called = Called { id: *id, name: name.as_deref(), place };
                write!(f, "for {called}")
            }
            Wait::Signal(kind) => write!(f, "for {kind}"),
            Wait::Other => f.write_str(
                "for something else: a channel, a lock, a set of tasks, a blocking closure",
            ),
        }
    }
}

/// What is to be done with a descriptor.
struct Directions(Interest);

impl fmt::Display for Directions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Directions(interest) = *self;
        let names = [
            (interest.is_readable(), "to read from"),
            (interest.is_writable(), "to write to"),
            (interest.is_priority(), "for urgent data of"),
            (interest.is_error(), "for an error of"),
        ];
        let mut names = names.iter().filter(|(is, _)| *is).map(|(_, name)| *name);
        f.write_str(names.next().unwrap_or("for"))?;
        names.try_for_each(|name| write!(f, " and {name}"))
    }
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Due::In(left) => write!(f, "in {}", Time(left)),
            Due::Overdue(over) => write!(f, "that came {} ago", Time(over)),
            Due::Never => f.write_str("that never comes"),
        }
    }
}

impl fmt::Display for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "descriptor {}: ", self.fd)?;
        match &self.kind {
            DescriptorKind::Socket(socket) => socket.fmt(f),
            DescriptorKind::Process(process) => write!(f, "the end of process {process}"),
            DescriptorKind::File(name) => write!(f, "{}", name.escape_debug()),
            DescriptorKind::Closed => f.write_str("closed, by somebody who did not own it"),
        }
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Socket { family, kind, protocol, is_listening, local, peer } = self;
        match self.sort() {
            Some(sort) => write!(f, "{sort} ")?,
            None => write!(f, "family {family}, type {kind}, protocol {protocol} ")?,
        }
        f.write_str(if *is_listening { "listener" } else { "socket" })?;
        let tells = |address: &&Address| !matches!(address, Address::OfFamily(of) if of == family);
        // One without a name is told by its peer alone.
        let local = local.as_ref().filter(|local| **local != Address::Unnamed);
        if let Some(local) = local.filter(tells) {
            write!(f, " {local}")?;
        }
        match peer.as_ref().filter(tells) {
            Some(peer) => write!(f, " connected to {peer}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Ip(address) => address.fmt(f),
            Address::Path(path) => write!(f, "{path:?}"),
            Address::Abstract(name) => write!(f, "\"@{}\"", name.escape_ascii()),
            Address::Unnamed => f.write_str("a socket without a name"),
            Address::OfFamily(family) => write!(f, "an address of family {family}"),
        }
    }
}

/// A time, as exactly as a person wants it.
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Time(time) = *self;
        match time.as_secs() {
            0 => write!(f, "{time:.1?}"),
            seconds @ 1..60 => write!(f, "{seconds}.{} s", time.subsec_millis() / 100),
            seconds @ 60..3600 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            seconds @ 3600..172_800 => write!(f, "{} h {} min", seconds / 3600, seconds / 60 % 60),
            seconds => write!(f, "{} days", seconds / 86_400),
        }
    }
}
