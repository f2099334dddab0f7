//! The processors a thread may run on: sched_getaffinity(2) and sched_setaffinity(2).

use std::io;

use crate::sys::cvt;

/// A word of the kernel's mask of processors.
type Word = libc::c_ulong;

/// The first size that is tried: room for 1024 processors, as in a `cpu_set_t`.
const WORDS: usize = 1024 / Word::BITS as usize;

/// The processors this thread may run on, by the kernel's numbers, in ascending order.
///
/// # Errors
///
/// Those of sched_getaffinity(2).
#[inline]
pub(crate) fn processors() -> io::Result<Vec<usize>> {
    let mut mask: Vec<Word> = vec![0; WORDS];
    loop {
        let size = size_of_val(&mask[..]);
        // SAFETY: the call fills at most `size` bytes of `mask`, which outlives it. A `cpu_set_t` is
        // an array of such words and only the type of a pointer here.
        let got = cvt(unsafe { libc::sched_getaffinity(0, size, mask.as_mut_ptr().cast()) });
        match got {
            Ok(_) => return Ok(members(&mask)),
            // The kernel knows more processors than the mask has bits; it asks for no more than 8192.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && size < 1 << 16 => {
                mask.resize(mask.len() * 2, 0);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Keeps this thread on one processor.
///
/// # Errors
///
/// Those of sched_setaffinity(2).
#[inline]
pub(crate) fn pin_to(processor: usize) -> io::Result<()> {
    let mut mask: Vec<Word> = vec![0; processor / Word::BITS as usize + 1];
    mask[processor / Word::BITS as usize] |= 1 << (processor % Word::BITS as usize);
    // SAFETY: the call reads so many bytes of `mask`, which outlives it.
    cvt(unsafe { libc::sched_setaffinity(0, size_of_val(&mask[..]), mask.as_ptr().cast()) })?;
    Ok(())
}

/// The numbers of the bits that are set.
#[inline]
fn members(mask: &[Word]) -> Vec<usize> {
    let bits = Word::BITS as usize;
    (0..mask.len() * bits).filter(|&n| mask[n / bits] >> (n % bits) & 1 == 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn members_are_found_in_every_word() {
        assert_eq!(members(&[]), []);
        assert_eq!(members(&[0b101, 0, 1 << 63, 1]), [0, 2, 191, 192]);
    }

    #[test]
    fn a_pinned_thread_has_one_processor() {
        let last = *processors().unwrap().last().unwrap();
        thread::spawn(move || {
            pin_to(last).unwrap();
            assert_eq!(processors().unwrap(), [last]);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_processor_that_is_not_there_is_an_error() {
        assert_eq!(pin_to(1 << 20).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    }
}
