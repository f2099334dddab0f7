//! Between the program and the kernel: a seccomp filter whose every call waits for the driver's answer,
//! which is to go on, or an errno in place of the call. Neither ptrace nor a privilege is needed.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Where a scenario has the socket to its driver, out of the way of the numbers that it uses.
const CHANNEL: RawFd = 200;

/// No system call: what a scenario says to its driver. Its first argument is one of the marks below.
const MARK: libc::c_long = 100_000;

/// What a scenario says to its driver.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Mark {
    /// Calls count from here on, and the chosen one fails.
    Begin,
    /// No call fails until `Resume`. Answered with whether one has failed.
    Pause,
    Resume,
    End,
}

/// Says something to the driver. Outside of a driver's hands it is answered with no.
pub(crate) fn mark(mark: Mark) -> bool {
    // SAFETY: there is no system call of this number; the driver answers in its place.
    unsafe { libc::syscall(MARK, mark as libc::c_long) == 1 }
}

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Puts this process, and all it starts, into the hands of the driver at the other end of descriptor 0,
/// which is /dev/null afterwards.
pub(crate) fn enter() -> io::Result<()> {
    // SAFETY: descriptor 0 is the socket that the driver has given us, and nobody's else.
    check(unsafe { libc::dup3(0, CHANNEL, libc::O_CLOEXEC) }.into())?;
    let null = std::fs::File::open("/dev/null")?;
    // SAFETY: as above.
    check(unsafe { libc::dup2(null.as_raw_fd(), 0) }.into())?;
    drop(null);
    let listener = install()?;
    send(listener.as_raw_fd())?;
    drop(listener);
    // SAFETY: it was made above.
    check(unsafe { libc::close(CHANNEL) }.into())?;
    Ok(())
}

/// From now on each call of this thread waits for who has the descriptor, but `exit_group`, the return
/// from a signal handler, and the message that takes the descriptor to them.
fn install() -> io::Result<OwnedFd> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let low_word_of_the_first_argument = if cfg!(target_endian = "little") { 16 } else { 20 };
    let mut steps = [
        step(LOAD, 0, 0, 0), // seccomp_data.nr
        step(JUMP_IF_EQUAL, 5, 0, libc::SYS_exit_group as u32),
        step(JUMP_IF_EQUAL, 4, 0, libc::SYS_rt_sigreturn as u32),
        step(JUMP_IF_EQUAL, 0, 2, libc::SYS_sendmsg as u32),
        step(LOAD, 0, 0, low_word_of_the_first_argument),
        step(JUMP_IF_EQUAL, 1, 0, CHANNEL as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_USER_NOTIF),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: the call takes numbers only.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into())?;
    let install = |flags: libc::c_ulong| {
        // SAFETY: the program and its steps outlive the call, which copies them.
        check(unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags | libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
                &raw const program,
            )
        })
    };
    // With the flag (Linux 5.19) a signal does not interrupt a call that the driver is looking at.
    let fd = install(libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV).or_else(|_| install(0))?;
    // SAFETY: the descriptor was made just now and is nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Room for a control message with one descriptor.
const CONTROL: usize = 64;

fn send(fd: RawFd) -> io::Result<()> {
    let mut byte = [0u8; 1];
    let mut control = [0u64; CONTROL / 8];
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    // SAFETY: all fields of a msghdr may be zero.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    // SAFETY: the macros compute within the control buffer, which has room for one descriptor; the raw
    // call takes the message as the kernel has it, which is libc's.
    unsafe {
        message.msg_controllen = libc::CMSG_SPACE(size_of::<RawFd>() as u32) as _;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
        libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(fd);
        check(libc::syscall(libc::SYS_sendmsg, CHANNEL, &raw const message, 0))?;
    }
    Ok(())
}

/// The descriptor that a scenario has sent by `enter`; `None` if it ended before.
pub(crate) fn receive(channel: &UnixStream) -> io::Result<Option<Listener>> {
    let mut byte = [0u8; 1];
    let mut control = [0u64; CONTROL / 8];
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    // SAFETY: all fields of a msghdr may be zero.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = CONTROL as _;
    // SAFETY: the message and its buffers outlive the call; the control message is read where the macros
    // say that it is, and its descriptor is new and ours.
    unsafe {
        let flags = libc::MSG_CMSG_CLOEXEC;
        let len = check(libc::recvmsg(channel.as_raw_fd(), &raw mut message, flags) as _)?;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if len == 0 || header.is_null() {
            return Ok(None);
        }
        let fd = libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned();
        Ok(Some(Listener { fd: OwnedFd::from_raw_fd(fd) }))
    }
}

/// The driver's end of the filter.
pub(crate) struct Listener {
    fd: OwnedFd,
}

/// A call that waits for an answer.
pub(crate) struct Asked {
    id: u64,
    /// The thread that makes it.
    pub(crate) thread: u32,
    pub(crate) number: libc::c_long,
    pub(crate) arguments: [u64; 6],
}

impl Asked {
    /// What the scenario says, if it is not a call at all.
    pub(crate) fn mark(&self) -> Option<Mark> {
        let marks = [Mark::Begin, Mark::Pause, Mark::Resume, Mark::End];
        (self.number == MARK).then(|| marks[self.arguments[0] as usize])
    }
}

/// What there is for the driver.
pub(crate) enum News {
    Call(Asked),
    /// Nothing, for the time that was given.
    Quiet,
    /// Nobody is left who could call.
    Gone,
}

/// `SECCOMP_IOCTL_NOTIF_RECV` and `_SEND`.
const RECEIVE: libc::c_ulong = 0xc050_2100;
const ANSWER: libc::c_ulong = 0xc018_2101;

impl Listener {
    pub(crate) fn next(&self, patience: Duration) -> io::Result<News> {
        let mut fd = libc::pollfd { fd: self.fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: the list has one entry and outlives the call.
        let ready = unsafe { libc::poll(&raw mut fd, 1, patience.as_millis() as i32) };
        if check(ready.into())? == 0 {
            return Ok(News::Quiet);
        }
        if fd.revents & libc::POLLIN == 0 {
            return Ok(News::Gone);
        }
        // SAFETY: the kernel wants it zeroed, and any bytes are one.
        let mut asked: libc::seccomp_notif = unsafe { mem::zeroed() };
        // SAFETY: the struct is the one this request fills.
        let received = unsafe { libc::ioctl(self.fd.as_raw_fd(), RECEIVE as _, &raw mut asked) };
        match check(received.into()) {
            Ok(_) => Ok(News::Call(Asked {
                id: asked.id,
                thread: asked.pid,
                number: asked.data.nr.into(),
                arguments: asked.data.args,
            })),
            // Who asked was killed, or a signal came first.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => {
                self.next(patience)
            }
            Err(error) => Err(error),
        }
    }

    /// Lets the kernel do it.
    pub(crate) fn go_on(&self, asked: &Asked) {
        self.answer(asked, 0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32);
    }

    /// Has the call fail, and do nothing.
    pub(crate) fn fail(&self, asked: &Asked, errno: i32) {
        self.answer(asked, 0, -errno, 0);
    }

    /// Has the call return this, and do nothing.
    pub(crate) fn succeed(&self, asked: &Asked, value: i64) {
        self.answer(asked, value, 0, 0);
    }

    fn answer(&self, asked: &Asked, val: i64, error: i32, flags: u32) {
        let mut answer = libc::seccomp_notif_resp { id: asked.id, val, error, flags };
        // Who asked may have been killed meanwhile: then nobody wants the answer.
        // SAFETY: the struct is the one this request reads.
        unsafe { libc::ioctl(self.fd.as_raw_fd(), ANSWER as _, &raw mut answer) };
    }
}

/// Duplicates `fd` onto the standard stream `number`, for good.
pub(crate) fn become_stream(fd: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    // SAFETY: the standard streams of a scenario are its own to replace.
    check(unsafe { libc::dup2(fd.as_raw_fd(), number) }.into()).map(drop)
}

/// How many children this process has that nobody has reaped.
pub(crate) fn has_children() -> bool {
    // SAFETY: the struct may be zero and outlives the call.
    unsafe {
        let mut info: libc::siginfo_t = mem::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        libc::waitid(libc::P_ALL, 0, &raw mut info, flags) == 0
    }
}

/// A terminal in raw mode, and the end that a person would sit at.
pub(crate) fn terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let (mut ours, mut terminal) = (-1, -1);
    // SAFETY: a termios is integers, and may be zero until it is made raw.
    let mut raw: libc::termios = unsafe { mem::zeroed() };
    // SAFETY: all pointers are to what is there, or null where nothing is wanted.
    check(unsafe {
        libc::cfmakeraw(&raw mut raw);
        let (name, size) = (std::ptr::null_mut(), std::ptr::null());
        libc::openpty(&raw mut ours, &raw mut terminal, name, &raw const raw, size)
    } as _)?;
    // SAFETY: the descriptors were made just now and are nobody else's.
    Ok(unsafe { (OwnedFd::from_raw_fd(terminal), OwnedFd::from_raw_fd(ours)) })
}

/// A memory file for what a scenario says on stderr.
pub(crate) fn memory_file() -> io::Result<OwnedFd> {
    // SAFETY: the name is a C string.
    let fd = check(unsafe { libc::memfd_create(c"said".as_ptr(), libc::MFD_CLOEXEC) }.into())?;
    // SAFETY: the descriptor was made just now and is nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}
