//! The privileges of a thread, for where the kernel keeps silent about one that is missing.

use std::fs;
use std::path::Path;

/// Whether this thread has `CAP_BLOCK_SUSPEND`, and over the machine, not only over a container.
#[inline]
pub(crate) fn may_block_suspend() -> bool {
    const CAP_BLOCK_SUSPEND: u32 = 36;
    /// The first user namespace: `PROC_USER_INIT_INO` of the kernel.
    const WHOLE_MACHINE: &str = "user:[4026531837]";
    let namespace = fs::read_link("/proc/self/ns/user");
    // Without /proc nobody can tell, and the capability has to do.
    effective() & 1 << CAP_BLOCK_SUSPEND != 0
        && namespace.map_or(true, |namespace| namespace == Path::new(WHOLE_MACHINE))
}

/// The effective capabilities of this thread, a bit for each; none if the kernel does not tell.
#[inline]
fn effective() -> u64 {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: libc::c_int,
    }
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    /// `_LINUX_CAPABILITY_VERSION_3`: 64 capabilities in two parts.
    const VERSION: u32 = 0x2008_0522;
    let mut header = Header { version: VERSION, pid: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: both are of the layout that this version of the call has, and outlive it.
    let result =
        unsafe { libc::syscall(libc::SYS_capget, &raw mut header, (&raw mut data).cast::<Data>()) };
    let [low, high] = data.map(|data| u64::from(data.effective));
    if result == 0 { low | high << 32 } else { 0 }
}
