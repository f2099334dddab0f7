//! Wakers: a task's name in a `Waker`'s data pointer.
//!
//! Cloning copies the name and dropping does nothing: no reference count, no allocation, no atomic
//! operation. A waker that outlives its task at worst polls another one once too often, which
//! `Future` allows.
#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::name::Name;
use crate::{context, wakeups};

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop_name);

/// The waker of the task `name`. Its drop would do nothing, so it is never run.
#[inline]
pub(crate) fn of(name: Name) -> ManuallyDrop<Waker> {
    let data = ptr::without_provenance(name.bits() as usize);
    // SAFETY: the four functions below keep `RawWaker`'s contract for any data pointer, as they
    // never dereference it: it is the bits of a name, from here on and in every clone.
    ManuallyDrop::new(unsafe { Waker::new(data, &VTABLE) })
}

/// Whose waker this is, if it is one of ours: then cloning and dropping it run no foreign code.
#[inline]
pub(crate) fn name_of(waker: &Waker) -> Option<Name> {
    ptr::eq(waker.vtable(), &VTABLE).then(|| Name::from_bits(waker.data().addr() as u64))
}

// The three are `unsafe` because a vtable's functions are; they ask nothing of their callers, as they
// look at the address alone.

unsafe fn clone(data: *const ()) -> RawWaker {
    RawWaker::new(data, &VTABLE)
}

unsafe fn wake(data: *const ()) {
    let name = Name::from_bits(data.addr() as u64);
    let local = context::turning(name.runtime(), |core| core.scheduler.wake(name.index()));
    if local.is_none() {
        wakeups::wake(name);
    }
}

unsafe fn drop_name(_data: *const ()) {}
