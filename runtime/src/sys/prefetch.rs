//! A hint to the processor that memory will be needed soon.

/// Has the processor fetch the start of `what` while it goes on with other work. Any address will do.
#[inline(always)]
pub(crate) fn prefetch(what: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction is in every processor of this architecture, reads nothing that the program
    // would see, and takes any address without a fault.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(what.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = what;
}
