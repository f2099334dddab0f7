//! Traps that the other rooms do not step into.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::pin::pin;

use futures::poll;
use runtime::io::Interest;
use runtime::net::UnixStream;
use runtime::net::unix::pipe;

use crate::support::run;

/// In packet mode (`O_DIRECT` of pipe(2)) a read stops where a write did, with more behind it.
#[test]
fn a_short_read_of_a_pipe_of_packets_proves_nothing() {
    run(async {
        let mut fds = [0; 2];
        // SAFETY: the array has room for two, and what the call makes is ours.
        let (receiver, sender) = unsafe {
            let made = libc::pipe2(fds.as_mut_ptr(), libc::O_DIRECT | libc::O_CLOEXEC);
            assert_eq!(made, 0, "{}", io::Error::last_os_error());
            (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1]))
        };
        let receiver = pipe::Receiver::from_owned_fd(receiver).unwrap();
        let sender = pipe::Sender::from_owned_fd(sender).unwrap();
        let mut buf = [0; 64];
        {
            let mut read = pin!(receiver.read(&mut buf));
            assert!(poll!(&mut read).is_pending());
            // One edge tells of both.
            sender.write_all(b"first").await.unwrap();
            sender.write_all(b"second").await.unwrap();
            assert_eq!(read.await.unwrap(), 5);
        }
        assert_eq!(receiver.read(&mut buf).await.unwrap(), 6);
        assert_eq!(&buf[..6], b"second");
    });
}

/// The kernel reports it by `RDHUP`, and not by `HUP`: that is for when both directions are closed.
#[test]
fn a_peer_that_has_closed_its_half_is_told_as_such() {
    run(async {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut ready = pin!(ours.ready(Interest::READABLE));
        assert!(poll!(&mut ready).is_pending());
        theirs.shutdown().await.unwrap();
        let ready = ready.await.unwrap();
        assert!(ready.is_readable() && ready.is_read_closed(), "{ready:?}");
        assert!(!ours.ready(Interest::WRITABLE).await.unwrap().is_write_closed());
    });
}
