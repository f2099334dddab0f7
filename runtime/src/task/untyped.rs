//! `Untyped`: a place for a value, whose type is checked when the place is reached.
//!
//! As `&mut dyn Any`, which asks for the type by a virtual call: that cost a spawn and its join 27 instructions.
#![allow(unsafe_code)]

use std::any::TypeId;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// A borrowed `Option<T>` that does not say what `T` is.
pub(crate) struct Untyped<'a> {
    place: NonNull<()>,
    of: TypeId,
    borrow: PhantomData<&'a mut ()>,
}

impl<'a> Untyped<'a> {
    #[inline]
    pub(crate) fn new<T: 'static>(place: &'a mut Option<T>) -> Untyped<'a> {
        Untyped { place: NonNull::from(place).cast(), of: TypeId::of::<T>(), borrow: PhantomData }
    }

    /// The place, if it is an `Option<T>`.
    #[inline]
    pub(crate) fn get<T: 'static>(&mut self) -> Option<&mut Option<T>> {
        if self.of != TypeId::of::<T>() {
            return None;
        }
        // SAFETY: `new` took the pointer from a mutable borrow of an `Option<T>` for this very `T`, which
        // lasts as long as `self`; and `self` is borrowed mutably for as long as what comes back.
        Some(unsafe { self.place.cast().as_mut() })
    }
}

#[cfg(test)]
mod tests {
    use super::Untyped;

    #[test]
    fn a_place_is_reached_by_its_own_type_alone() {
        let mut place = Some(String::from("before"));
        let mut untyped = Untyped::new(&mut place);
        assert!(untyped.get::<u64>().is_none());
        assert!(untyped.get::<Option<String>>().is_none());
        *untyped.get::<String>().expect("its own type") = Some(String::from("after"));
        assert_eq!(place.as_deref(), Some("after"));
    }
}
