//! Sockets as descriptors: each comes from one, in nonblocking mode, and goes to one.
#![allow(unsafe_code)]

use std::fmt::Debug;
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};

use runtime::net;

fn is_nonblocking(fd: impl AsFd) -> bool {
    // SAFETY: no pointers are passed.
    let flags = unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_GETFL) };
    assert_ne!(flags, -1, "{}", io::Error::last_os_error());
    flags & libc::O_NONBLOCK != 0
}

/// Makes a socket of a blocking one, and a descriptor of that.
fn there_and_back<S>(socket: impl Into<OwnedFd>)
where
    S: TryFrom<OwnedFd, Error = io::Error> + Into<OwnedFd> + AsFd + AsRawFd + Debug,
{
    let fd: OwnedFd = socket.into();
    let number = fd.as_raw_fd();
    assert!(!is_nonblocking(&fd));
    let socket = S::try_from(fd).unwrap();
    assert!(is_nonblocking(&socket));
    assert_eq!((socket.as_raw_fd(), socket.as_fd().as_raw_fd()), (number, number));
    assert!(format!("{socket:?}").contains(&number.to_string()), "{socket:?}");
    let fd: OwnedFd = socket.into();
    assert_eq!(fd.as_raw_fd(), number);
}

#[test]
fn every_socket_comes_from_a_descriptor_and_goes_to_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    there_and_back::<net::TcpStream>(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    there_and_back::<net::TcpListener>(listener);
    there_and_back::<net::UdpSocket>(UdpSocket::bind("127.0.0.1:0").unwrap());
    there_and_back::<net::UnixStream>(UnixStream::pair().unwrap().0);
    there_and_back::<net::UnixDatagram>(UnixDatagram::unbound().unwrap());
    // Neither asks whether the socket is of its kind: using it will tell.
    there_and_back::<net::UnixListener>(UnixStream::pair().unwrap().0);
    there_and_back::<net::UnixSeqpacket>(UnixStream::pair().unwrap().0);
    there_and_back::<net::UnixSeqpacketListener>(UnixStream::pair().unwrap().0);
}
