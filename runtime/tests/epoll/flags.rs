//! `Flags`: the kernel's bits, their names, and their arithmetic.

use runtime_core::epoll::Flags;

#[test]
fn flags_are_the_kernels() {
    for (flag, bit) in [
        (Flags::EMPTY, 0),
        (Flags::IN, libc::EPOLLIN),
        (Flags::OUT, libc::EPOLLOUT),
        (Flags::PRI, libc::EPOLLPRI),
        (Flags::ERR, libc::EPOLLERR),
        (Flags::HUP, libc::EPOLLHUP),
        (Flags::RDHUP, libc::EPOLLRDHUP),
        (Flags::RDNORM, libc::EPOLLRDNORM),
        (Flags::RDBAND, libc::EPOLLRDBAND),
        (Flags::WRNORM, libc::EPOLLWRNORM),
        (Flags::WRBAND, libc::EPOLLWRBAND),
        (Flags::MSG, libc::EPOLLMSG),
        (Flags::ET, libc::EPOLLET),
        (Flags::ONESHOT, libc::EPOLLONESHOT),
        (Flags::EXCLUSIVE, libc::EPOLLEXCLUSIVE),
        (Flags::WAKEUP, libc::EPOLLWAKEUP),
    ] {
        assert_eq!(flag.bits(), bit as u32, "{flag:?}");
    }
}

#[test]
fn flags_are_a_set() {
    let mut flags = Flags::IN | Flags::ET;
    assert!(flags.contains(Flags::IN) && flags.contains(Flags::EMPTY));
    assert!(!flags.contains(Flags::IN | Flags::OUT));
    assert!(flags.intersects(Flags::IN | Flags::OUT) && !flags.intersects(Flags::OUT));
    assert_eq!(flags, const { Flags::IN.union(Flags::ET) });
    flags |= Flags::OUT;
    assert_eq!(flags & (Flags::OUT | Flags::PRI), Flags::OUT);
    flags &= Flags::PRI;
    assert!(flags.is_empty());
    assert_eq!(flags, Flags::default());
}

#[test]
fn flags_are_named() {
    assert_eq!(format!("{:?}", Flags::EMPTY), "Flags(EMPTY)");
    assert_eq!(format!("{:?}", Flags::RDHUP | Flags::ET), "Flags(RDHUP | ET)");
    assert_eq!(format!("{:?}", Flags::from_bits_retain(0x801)), "Flags(IN | 0x800)");
    assert_eq!(format!("{:?}", Flags::from_bits_retain(0x800)), "Flags(0x800)");
}
