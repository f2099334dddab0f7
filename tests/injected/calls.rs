//! The calls and the errors that their man pages allow: what each is made to fail with, and what is left out,
//! with the reason.

#![allow(non_upper_case_globals, reason = "the kernel's names of its calls")]

use libc::*;

/// What there is to know of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Faults {
    /// It fails with each of these.
    With(&'static [c_int]),
    /// It is not made to fail, for this reason.
    None(&'static str),
}

use Faults::{None as Never, With};

/// What the man pages of all calls that make a descriptor have.
const NO_DESCRIPTOR: &[c_int] = &[EMFILE, ENFILE, ENOMEM];

/// Nothing but our own mistakes are on its page.
const OWN_MISTAKES: Faults = Never("EBADF, EFAULT and EINVAL, which are our own mistakes");
const ALLOCATOR: Faults = Never("the allocator's, which ends the program when there is no memory");
const THREAD: Faults = Never("made by libc and std for a thread that begins or ends");
const ABOUT_ITSELF: Faults = Never("it does not fail");
const PATH: &[c_int] = &[ENOENT, EACCES, ENOMEM, EIO, ELOOP, ENOTDIR, EROFS, ENOSPC];
const OPEN: &[c_int] = &[EMFILE, ENFILE, ENOMEM, ENOENT, EACCES, EINTR, ENXIO, EIO, EROFS, ENOSPC];

/// Of a call by the name that `name` gives it. `None`: nobody has thought of it yet.
pub(crate) fn faults(name: &str) -> Option<Faults> {
    Some(match name {
        // Readiness and time.
        "epoll_create1" => With(NO_DESCRIPTOR),
        "epoll_ctl add" => With(&[EEXIST, ENOMEM, ENOSPC, EPERM]),
        "epoll_ctl mod" => With(&[ENOENT, ENOMEM]),
        "epoll_ctl del" => With(&[ENOENT, ENOMEM]),
        "epoll_wait" | "epoll_pwait" => With(&[EINTR]),
        "epoll_pwait2" => With(&[EINTR, ENOSYS, EPERM]),
        "eventfd2" => With(&[EMFILE, ENFILE, ENOMEM, ENODEV]),
        "timerfd_create" => With(&[EMFILE, ENFILE, ENOMEM, ENODEV, EPERM]),
        // The page has our own mistakes only; a sandbox has these.
        "timerfd_settime" => With(&[EPERM, ENOSYS, ECANCELED]),
        "signalfd4" => With(&[EMFILE, ENFILE, ENOMEM, ENODEV]),
        "pidfd_open" => With(&[EMFILE, ENFILE, ENOMEM, ENODEV, ENOSYS, ESRCH, EPERM]),
        "pidfd_send_signal" => With(&[EPERM, ESRCH, ENOSYS]),
        "poll" | "ppoll" | "pselect6" => With(&[EINTR, ENOMEM]),
        "futex wait" => With(&[EAGAIN, EINTR]),
        "futex wake" => Never("its page has our own mistakes only; nobody else wakes the sleeper"),
        "read counter" => With(&[EAGAIN, EINTR]),
        "write stderr" => Never("what the scenario says"),
        "write eventfd" => With(&[EINTR]), // EAGAIN: the counter is full, so it wakes all the same.

        // Sockets.
        "socket" => With(&[EMFILE, ENFILE, ENOMEM, ENOBUFS, EACCES, EAFNOSUPPORT, EPROTONOSUPPORT]),
        "socketpair" => With(&[EMFILE, ENFILE, ENOMEM, EAFNOSUPPORT, EOPNOTSUPP]),
        "bind" => With(&[EACCES, EADDRINUSE, EADDRNOTAVAIL, ENOMEM, ENOENT, EROFS]),
        "listen" => With(&[EADDRINUSE, EOPNOTSUPP]),
        "accept4" => With(&[
            EAGAIN,
            EINTR,
            ECONNABORTED,
            EMFILE,
            ENFILE,
            ENOBUFS,
            ENOMEM,
            EPERM,
            EPROTO,
            ENETDOWN,
            ENOPROTOOPT,
            EHOSTDOWN,
            ENONET,
            EHOSTUNREACH,
            ENETUNREACH,
        ]),
        // Without EINPROGRESS, and EINTR, which say that the connection comes by itself: made up, none does.
        "connect" => With(&[
            EACCES,
            EPERM,
            EADDRINUSE,
            EADDRNOTAVAIL,
            EAFNOSUPPORT,
            EAGAIN,
            EALREADY,
            ECONNREFUSED,
            EISCONN,
            ENETUNREACH,
            ETIMEDOUT,
            ENOENT,
        ]),
        "getsockname" => With(&[ENOBUFS]),
        "getpeername" => With(&[ENOBUFS, ENOTCONN]),
        "getsockopt" => With(&[ENOPROTOOPT, ENOBUFS]),
        "setsockopt" => With(&[ENOPROTOOPT, EDOM, ENOMEM, EPERM]),
        "shutdown" => {
            Never("ENOTCONN: there is no other end to tell, which is fine; made up, that end waits")
        }
        "recvfrom" | "recvmsg" => {
            With(&[EAGAIN, EINTR, ECONNREFUSED, ECONNRESET, ENOMEM, ENOTCONN, ETIMEDOUT])
        }
        "recvmmsg" => With(&[EAGAIN, EINTR, ECONNREFUSED, ENOMEM, ENOSYS]),
        "sendto" | "sendmsg" => With(&[
            EAGAIN,
            EINTR,
            ECONNREFUSED,
            ECONNRESET,
            ENOBUFS,
            ENOMEM,
            EPIPE,
            EMSGSIZE,
            EACCES,
            ENETUNREACH,
            ENOTCONN,
            EIO,
            EPERM,
            ETOOMANYREFS,
        ]),
        "sendmmsg" => {
            With(&[EAGAIN, EINTR, ECONNREFUSED, ENOBUFS, ENOMEM, EMSGSIZE, EPERM, EIO, ENOSYS])
        }

        // Bytes.
        "read" | "readv" => With(&[EAGAIN, EINTR, EIO, ECONNRESET, EISDIR]),
        "write" | "writev" => {
            With(&[EAGAIN, EINTR, EIO, EPIPE, ECONNRESET, ENOSPC, EDQUOT, EFBIG, EPERM])
        }
        "pread64" => With(&[EINTR, EIO, ENXIO, ESPIPE, EISDIR]),
        "pwrite64" => With(&[EINTR, EIO, ENOSPC, EDQUOT, EFBIG, EPERM]),
        "splice" => With(&[EAGAIN, EINVAL, ENOMEM, ESPIPE, EINTR, EIO, EPIPE, ECONNRESET]),
        "sendfile" => With(&[EAGAIN, EINVAL, EIO, ENOMEM, EOVERFLOW, ESPIPE, EINTR, EPIPE, ENOSYS]),
        "copy_file_range" => With(&[EXDEV, EINVAL, ENOSYS, EIO, ENOMEM, ENOSPC, EOPNOTSUPP, EPERM]),
        "pipe2" => With(&[EMFILE, ENFILE, ENOPKG]),
        "close" => Never("whatever it says, the descriptor is closed: made to fail, it would leak"),

        // Descriptors and files.
        "fcntl dup" | "dup" => With(&[EMFILE]),
        "fcntl get" => With(&[EPERM]),
        "fcntl set" => With(&[EPERM, EBUSY]),
        "fcntl size" => With(&[EPERM, EBUSY, ENOMEM]),
        "ioctl" => With(&[ENOTTY, EPERM]),
        "open" | "openat" => With(OPEN),
        "stat" | "fstat" | "lstat" | "newfstatat" => With(&[EACCES, ENOENT, ENOMEM, EIO]),
        "statx" => With(&[EACCES, ENOENT, ENOMEM, EIO, ENOSYS]),
        "access" | "faccessat" | "faccessat2" => With(&[EACCES, ENOENT, ENOMEM]),
        "lseek" => With(&[ENXIO, ESPIPE, EOVERFLOW]),
        "ftruncate" => With(&[EINTR, EIO, EPERM, EFBIG]),
        "fsync" | "fdatasync" => With(&[EIO, ENOSPC, EDQUOT]),
        "getdents64" => With(&[EIO]), // ENOENT: libc takes it for the end, as of a folder that is removed.
        "mkdir" | "mkdirat" | "rmdir" | "unlink" | "unlinkat" | "rename" | "renameat" => With(PATH),
        "renameat2" | "link" | "linkat" | "symlink" | "symlinkat" | "mknodat" => With(PATH),
        "readlink" | "readlinkat" | "getcwd" => With(&[ENOENT, EACCES, ENOMEM, EIO]),
        "chmod" | "fchmod" | "fchmodat" | "utimensat" => With(&[EPERM, EIO, EROFS, ENOMEM]),
        "flock" => With(&[EINTR, ENOLCK]),

        // Processes and signals.
        "clone" | "clone3" | "fork" | "vfork" => With(&[EAGAIN, ENOMEM]),
        "execve" => With(&[ENOENT, EACCES, ENOMEM, E2BIG]),
        "wait4" | "waitid" => With(&[EINTR, ECHILD]),
        "kill" | "tgkill" => With(&[EPERM, ESRCH]),
        "setsid" => With(&[EPERM]),
        "setpgid" => With(&[EPERM, EACCES]),
        "dup2" | "dup3" => With(&[EBUSY, EINTR, EMFILE]),
        "chdir" => With(PATH),
        "sched_setaffinity" => With(&[EPERM, ESRCH]),
        "sched_getaffinity" => With(&[ESRCH, EPERM]),
        "rt_sigaction" | "rt_sigprocmask" => OWN_MISTAKES,
        "rt_sigreturn" | "sched_yield" | "getpid" | "gettid" | "getppid" | "getuid" | "getgid" => {
            ABOUT_ITSELF
        }
        "geteuid" | "getegid" | "exit" | "clock_gettime" => ABOUT_ITSELF,

        // Not ours.
        "mmap" | "munmap" | "brk" | "mprotect" | "madvise" | "mremap" => ALLOCATOR,
        "sigaltstack" | "set_robust_list" | "rseq" | "prctl" | "set_tid_address" => THREAD,
        "restart_syscall" => Never("the kernel's own, after a stop"),
        "getrandom" => Never("std's, for the seed of a HashMap; it panics without"),
        "prlimit64" => Never("libc's and std's, about the stack"),
        "clock_nanosleep" | "nanosleep" => Never("the scenario's own"),
        "uname" | "sysinfo" => Never("libc's resolver, and does not fail"),
        _ => return None,
    })
}

/// Whether a call may fail with it again and again: not with what says "again", nor with what a socket is that
/// connects; nor, when it accepts, with what was the new connection's own.
pub(crate) fn may_last(name: &str, errno: c_int) -> bool {
    match name {
        "accept4" => [EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM].contains(&errno),
        "getpeername" => errno != ENOTCONN,
        _ => ![EAGAIN, EINTR].contains(&errno),
    }
}

/// A call's name, with what distinguishes the uses of one that has several.
pub(crate) fn name(number: c_long, arguments: &[u64; 6]) -> &'static str {
    macro_rules! names {
        ($($call:ident = $name:literal),* $(,)?) => {
            match number {
                SYS_futex => match arguments[1] as c_int & FUTEX_CMD_MASK {
                    FUTEX_WAKE => "futex wake",
                    _ => "futex wait",
                },
                SYS_epoll_ctl => match arguments[1] as c_int {
                    EPOLL_CTL_ADD => "epoll_ctl add",
                    EPOLL_CTL_MOD => "epoll_ctl mod",
                    _ => "epoll_ctl del",
                },
                SYS_fcntl => match arguments[1] as c_int {
                    F_DUPFD | F_DUPFD_CLOEXEC => "fcntl dup",
                    F_SETFL | F_SETFD => "fcntl set",
                    F_SETPIPE_SZ | F_GETPIPE_SZ => "fcntl size",
                    _ => "fcntl get",
                },
                $($call => $name,)*
                _ => old_name(number),
            }
        };
    }
    names! {
        SYS_epoll_create1 = "epoll_create1", SYS_epoll_pwait = "epoll_pwait",
        SYS_epoll_pwait2 = "epoll_pwait2", SYS_eventfd2 = "eventfd2",
        SYS_timerfd_create = "timerfd_create", SYS_timerfd_settime = "timerfd_settime",
        SYS_signalfd4 = "signalfd4", SYS_pidfd_open = "pidfd_open",
        SYS_pidfd_send_signal = "pidfd_send_signal", SYS_ppoll = "ppoll", SYS_pselect6 = "pselect6",
        SYS_socket = "socket", SYS_socketpair = "socketpair", SYS_bind = "bind",
        SYS_listen = "listen", SYS_accept4 = "accept4", SYS_connect = "connect",
        SYS_getsockname = "getsockname", SYS_getpeername = "getpeername",
        SYS_getsockopt = "getsockopt", SYS_setsockopt = "setsockopt", SYS_shutdown = "shutdown",
        SYS_recvfrom = "recvfrom", SYS_recvmsg = "recvmsg", SYS_recvmmsg = "recvmmsg",
        SYS_sendto = "sendto", SYS_sendmsg = "sendmsg", SYS_sendmmsg = "sendmmsg",
        SYS_read = "read", SYS_readv = "readv", SYS_write = "write", SYS_writev = "writev",
        SYS_pread64 = "pread64", SYS_pwrite64 = "pwrite64", SYS_splice = "splice",
        SYS_sendfile = "sendfile", SYS_copy_file_range = "copy_file_range", SYS_pipe2 = "pipe2",
        SYS_close = "close", SYS_dup = "dup", SYS_dup3 = "dup3", SYS_ioctl = "ioctl",
        SYS_openat = "openat", SYS_fstat = "fstat", SYS_newfstatat = "newfstatat",
        SYS_statx = "statx", SYS_faccessat = "faccessat", SYS_faccessat2 = "faccessat2",
        SYS_lseek = "lseek", SYS_ftruncate = "ftruncate", SYS_fsync = "fsync",
        SYS_fdatasync = "fdatasync", SYS_getdents64 = "getdents64", SYS_mkdirat = "mkdirat",
        SYS_unlinkat = "unlinkat", SYS_renameat = "renameat", SYS_renameat2 = "renameat2",
        SYS_linkat = "linkat", SYS_symlinkat = "symlinkat", SYS_mknodat = "mknodat",
        SYS_readlinkat = "readlinkat", SYS_getcwd = "getcwd", SYS_fchmod = "fchmod",
        SYS_fchmodat = "fchmodat", SYS_utimensat = "utimensat", SYS_flock = "flock",
        SYS_clone = "clone", SYS_clone3 = "clone3", SYS_execve = "execve", SYS_wait4 = "wait4",
        SYS_waitid = "waitid", SYS_kill = "kill", SYS_tgkill = "tgkill", SYS_setsid = "setsid",
        SYS_setpgid = "setpgid", SYS_chdir = "chdir",
        SYS_sched_setaffinity = "sched_setaffinity",
        SYS_sched_getaffinity = "sched_getaffinity", SYS_rt_sigaction = "rt_sigaction",
        SYS_rt_sigprocmask = "rt_sigprocmask", SYS_sched_yield = "sched_yield",
        SYS_getpid = "getpid", SYS_gettid = "gettid", SYS_getppid = "getppid",
        SYS_getuid = "getuid", SYS_getgid = "getgid", SYS_geteuid = "geteuid",
        SYS_getegid = "getegid", SYS_exit = "exit", SYS_clock_gettime = "clock_gettime",
        SYS_mmap = "mmap", SYS_munmap = "munmap", SYS_brk = "brk", SYS_mprotect = "mprotect",
        SYS_madvise = "madvise", SYS_mremap = "mremap", SYS_sigaltstack = "sigaltstack",
        SYS_set_robust_list = "set_robust_list", SYS_rseq = "rseq", SYS_prctl = "prctl",
        SYS_set_tid_address = "set_tid_address", SYS_restart_syscall = "restart_syscall",
        SYS_getrandom = "getrandom", SYS_prlimit64 = "prlimit64",
        SYS_clock_nanosleep = "clock_nanosleep", SYS_nanosleep = "nanosleep",
        SYS_uname = "uname", SYS_sysinfo = "sysinfo",
    }
}

/// Of the calls that newer architectures do not have.
#[cfg(target_arch = "x86_64")]
fn old_name(number: c_long) -> &'static str {
    match number {
        SYS_epoll_wait => "epoll_wait",
        SYS_poll => "poll",
        SYS_open => "open",
        SYS_stat => "stat",
        SYS_lstat => "lstat",
        SYS_access => "access",
        SYS_mkdir => "mkdir",
        SYS_rmdir => "rmdir",
        SYS_unlink => "unlink",
        SYS_rename => "rename",
        SYS_link => "link",
        SYS_symlink => "symlink",
        SYS_readlink => "readlink",
        SYS_chmod => "chmod",
        SYS_fork => "fork",
        SYS_vfork => "vfork",
        SYS_dup2 => "dup2",
        _ => "",
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn old_name(_: c_long) -> &'static str {
    ""
}
