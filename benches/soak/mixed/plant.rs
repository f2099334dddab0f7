//! Leaks that are planted, to see that they are found.

use std::sync::OnceLock;

static PLANT: OnceLock<Plant> = OnceLock::new();

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Plant {
    /// 100 bytes a TCP connection.
    Memory,
    /// One a child.
    Descriptor,
    /// One a round that never ends.
    Task,
    /// One a round that is never taken back.
    Registration,
    /// One a round that never ends.
    Thread,
    /// One a round that nobody reaps.
    Child,
    /// Left in place.
    Handler,
}

impl Plant {
    pub(crate) fn by_name(name: &str) -> Option<Plant> {
        Some(match name {
            "memory" => Plant::Memory,
            "descriptor" => Plant::Descriptor,
            "task" => Plant::Task,
            "registration" => Plant::Registration,
            "thread" => Plant::Thread,
            "child" => Plant::Child,
            "handler" => Plant::Handler,
            _ => return None,
        })
    }

    /// From now on.
    pub(crate) fn put_in(self) {
        PLANT.set(self).expect("one is enough");
    }

    pub(crate) fn is_in(self) -> bool {
        PLANT.get() == Some(&self)
    }
}
