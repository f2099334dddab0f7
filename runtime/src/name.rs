//! Names: how wakers and handles refer to what a runtime's slabs hold, without pointing at it.
//!
//! A [`RuntimeName`] is `[slot 16 | epoch 16]`: which inbox block the runtime has, and which of the
//! runtimes that have had it. An epoch is never used twice (a slot whose epochs are used up is
//! retired), so a name tells its runtime apart from all others for the life of the process. A
//! [`Name`] adds the 32-bit index of an entry in one of the runtime's slabs.

#[cfg(not(target_pointer_width = "64"))]
compile_error!("epoll-runtime needs a 64-bit target: its wakers are 64-bit names in a pointer");

/// Which runtime: a slot in the table of inbox blocks, and the epoch of its owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RuntimeName(u32);

impl RuntimeName {
    /// Nobody's name: epochs start at 1.
    pub(crate) const NONE: RuntimeName = RuntimeName(0);

    /// A runtime that never was. Unlike `NONE`, it is not what turns on a thread where none does.
    pub(crate) const NEVER: RuntimeName = RuntimeName::new(1, 0);

    pub(crate) const fn new(slot: u16, epoch: u16) -> RuntimeName {
        RuntimeName((slot as u32) << 16 | epoch as u32)
    }

    pub(crate) const fn from_bits(bits: u32) -> RuntimeName {
        RuntimeName(bits)
    }

    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    pub(crate) const fn slot(self) -> u16 {
        (self.0 >> 16) as u16
    }
}

/// An entry of one runtime: a task, an fd or a timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Name(u64);

impl Name {
    pub(crate) const fn new(runtime: RuntimeName, index: u32) -> Name {
        Name((runtime.bits() as u64) << 32 | index as u64)
    }

    pub(crate) const fn from_bits(bits: u64) -> Name {
        Name(bits)
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    pub(crate) const fn runtime(self) -> RuntimeName {
        RuntimeName::from_bits((self.0 >> 32) as u32)
    }

    pub(crate) const fn index(self) -> u32 {
        self.0 as u32
    }
}
