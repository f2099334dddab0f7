//! What this process has of the system: descriptors and memory.
#![allow(unsafe_code)]

use std::fs;

pub(crate) fn open_descriptors() -> usize {
    // The folder itself is one of them while it is read.
    fs::read_dir("/proc/self/fd").expect("/proc is there").count() - 1
}

/// The memory of this process, without what is free in it.
pub(crate) fn resident_kib() -> u64 {
    // SAFETY: the calls take numbers. One keeps huge pages away, by which the figure would jump, the other gives free
    // pages back.
    unsafe {
        libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0);
        libc::malloc_trim(0);
    }
    let map = fs::read_to_string("/proc/self/smaps_rollup").expect("/proc is there");
    let line = map.lines().find_map(|line| line.strip_prefix("Rss:")).expect("a line of it");
    line.trim().trim_end_matches(" kB").parse().expect("a number of kB")
}
