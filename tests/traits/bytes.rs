//! The methods that read and receive into a `bytes::BufMut`.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::Stdio;

use bytes::{BufMut, BytesMut};
use runtime::net::unix::{self, pipe};
use runtime::net::{UdpSocket, UnixDatagram, UnixStream};
use runtime::process::Command;
use runtime::spawn;

use crate::support::{run, turns};
use crate::{noise, tcp_pair};

/// What is there, once it is: readiness may be gone by the time one tries.
macro_rules! read {
    ($reader:expr, $buf:expr) => {
        loop {
            $reader.readable().await.unwrap();
            match $reader.try_read_buf($buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => break result.unwrap(),
            }
        }
    };
}

/// The same for each type that has the method; there is no trait to be generic over.
macro_rules! tries_to_read {
    ($reader:expr, $writer:expr) => {
        let (reader, writer) = ($reader, $writer);
        let mut buf = Vec::with_capacity(4);
        let capacity = buf.capacity();
        // Nothing there: an error, nothing appended, and the readiness is taken note of.
        let error = reader.try_read_buf(&mut buf).unwrap_err();
        assert_eq!((error.kind(), buf.len()), (ErrorKind::WouldBlock, 0));

        // At most what is reserved, behind what is there.
        buf.put_u8(b'>');
        writer.write_all(b"hello, world").await.unwrap();
        assert_eq!(read!(reader, &mut buf), capacity - 1);
        assert_eq!(buf, b">hello, world"[..capacity]);

        // Nothing reserved: it reserves.
        let mut rest = BytesMut::new();
        assert_eq!(read!(reader, &mut rest), 13 - capacity);
        assert_eq!(rest, b">hello, world"[capacity..]);

        drop(writer);
        assert_eq!(read!(reader, &mut rest), 0);
    };
}

#[test]
fn streams_read_what_is_there() {
    run(async {
        let (a, b) = tcp_pair().await;
        tries_to_read!(a, b);
        let (mut a, b) = tcp_pair().await;
        tries_to_read!(a.split().0, b);
        let (a, b) = tcp_pair().await;
        tries_to_read!(a.into_split().0, b);
        let (a, b) = UnixStream::pair().unwrap();
        tries_to_read!(a, b);
        let (mut a, b) = UnixStream::pair().unwrap();
        tries_to_read!(a.split().0, b);
        let (a, b) = UnixStream::pair().unwrap();
        tries_to_read!(a.into_split().0, b);
        let (sender, receiver) = pipe::pipe().unwrap();
        tries_to_read!(receiver, sender);
        let mut cat = Command::new("cat");
        let mut cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        tries_to_read!(cat.stdout.take().unwrap(), cat.stdin.take().unwrap());
    });
}

#[test]
fn a_buffer_of_no_room_reads_nothing() {
    run(async {
        let (a, b) = UnixStream::pair().unwrap();
        b.write_all(b"kept").await.unwrap();
        assert_eq!(a.try_read_buf(&mut &mut [0; 0][..]).unwrap(), 0);
        let mut buf = [0; 8];
        assert_eq!(a.try_read(&mut buf).unwrap(), 4);
    });
}

#[test]
fn a_stream_comes_whole_through_growing_buffers() {
    run(async {
        let sent = noise(1 << 20);
        let (a, b) = tcp_pair().await;
        let writing = spawn({
            let sent = sent.clone();
            async move { b.write_all(&sent).await }
        });
        let mut got = BytesMut::new();
        loop {
            got.reserve(1000);
            if read!(a, &mut got) == 0 {
                break;
            }
        }
        assert!(got == sent);
        writing.await.unwrap().unwrap();
    });
}

/// What both kinds of datagram socket do; `a` sends to `b`, whose peer is `a`.
macro_rules! receives {
    ($a:expr, $b:expr, $is_a:expr) => {
        let (a, b) = (&$a, &$b);
        let is_a = $is_a;
        let mut buf = Vec::with_capacity(64);
        for error in [
            b.try_recv_buf(&mut buf).unwrap_err(),
            b.try_recv_buf_from(&mut buf).map(|(len, _)| len).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
        assert!(buf.is_empty());

        // It waits, and appends.
        let (len, sent) = runtime::join!(b.recv_buf(&mut buf), async {
            turns().await;
            a.send(b"one").await
        });
        assert_eq!((len.unwrap(), sent.unwrap()), (3, 3));
        let ((len, from), sent) =
            runtime::join!(async { b.recv_buf_from(&mut buf).await.unwrap() }, async {
                turns().await;
                a.send(b" two").await
            });
        assert_eq!((len, sent.unwrap()), (4, 4));
        assert!(is_a(&from), "{from:?}");
        assert_eq!(buf, b"one two");

        // Now, if it is there.
        a.send(b" three").await.unwrap();
        b.readable().await.unwrap();
        assert_eq!(b.try_recv_buf(&mut buf).unwrap(), 6);
        a.send(b" four").await.unwrap();
        b.readable().await.unwrap();
        let (len, from) = b.try_recv_buf_from(&mut buf).unwrap();
        assert!(len == 5 && is_a(&from), "{from:?}");
        assert_eq!(buf, b"one two three four");

        // An empty one is one; what there is no room for is cut off.
        a.send(b"").await.unwrap();
        assert_eq!(b.recv_buf(&mut buf).await.unwrap(), 0);
        a.send(b"too long").await.unwrap();
        assert_eq!(b.recv_buf(&mut &mut [0; 3][..]).await.unwrap(), 3);
        a.send(b"none").await.unwrap();
        assert_eq!(b.recv_buf_from(&mut &mut [0; 0][..]).await.unwrap().0, 0);

        // A receive that is dropped takes nothing.
        {
            let mut receive = std::pin::pin!(b.recv_buf(&mut buf));
            assert!(crate::support::poll_once(receive.as_mut()).is_pending());
            a.send(b"kept").await.unwrap();
        }
        buf.clear();
        assert_eq!(b.recv_buf(&mut buf).await.unwrap(), 4);
        assert_eq!(buf, b"kept");
    };
}

#[test]
fn udp_receives() {
    run(async {
        let (a, b) = (
            UdpSocket::bind("127.0.0.1:0").await.unwrap(),
            UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        );
        a.connect(b.local_addr().unwrap()).await.unwrap();
        let of_a = a.local_addr().unwrap();
        receives!(a, b, |from: &SocketAddr| *from == of_a);

        let (a, b) =
            (UdpSocket::bind("[::1]:0").await.unwrap(), UdpSocket::bind("[::1]:0").await.unwrap());
        a.connect(b.local_addr().unwrap()).await.unwrap();
        let of_a = a.local_addr().unwrap();
        receives!(a, b, |from: &SocketAddr| *from == of_a);
    });
}

#[test]
fn udp_tells_that_nobody_listens() {
    run(async {
        let a = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let gone = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        a.connect(gone).await.unwrap();
        a.send(b"anybody?").await.unwrap();
        let error = a.recv_buf(&mut Vec::with_capacity(8)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn unix_datagrams_receive_from_any_name() {
    run(async {
        let (a, b) = UnixDatagram::pair().unwrap();
        receives!(a, b, |from: &unix::SocketAddr| from.is_unnamed());

        let process = std::process::id();
        let abstract_name = |which| {
            unix::SocketAddr::from_abstract_name(format!("traits {which} {process}")).unwrap()
        };
        let (a, b) = (
            UnixDatagram::bind_addr(&abstract_name("a")).unwrap(),
            UnixDatagram::bind_addr(&abstract_name("b")).unwrap(),
        );
        a.connect_addr(&abstract_name("b")).unwrap();
        let of_a = format!("traits a {process}");
        receives!(a, b, |from: &unix::SocketAddr| {
            from.as_abstract_name() == Some(of_a.as_bytes())
        });

        let path = std::env::temp_dir().join(format!("traits-{process}"));
        let a = UnixDatagram::bind(&path).unwrap();
        a.connect_addr(&abstract_name("b")).unwrap();
        receives!(a, b, |from: &unix::SocketAddr| from.as_pathname() == Some(&path));
        std::fs::remove_file(&path).unwrap();
    });
}

#[test]
fn a_path_too_long_for_std_loses_no_message() {
    use std::os::fd::AsRawFd;
    use std::os::unix::ffi::OsStrExt;

    run(async {
        // 108 bytes, with no room for a zero.
        let mut path = std::env::temp_dir().join(format!("traits-{}-", std::process::id()));
        let missing = 108 - path.as_os_str().len();
        path.as_mut_os_string().push("x".repeat(missing));
        let a = UnixDatagram::unbound().unwrap();
        let mut name = libc::sockaddr_un { sun_family: libc::AF_UNIX as _, sun_path: [0; 108] };
        for (to, from) in name.sun_path.iter_mut().zip(path.as_os_str().as_bytes()) {
            *to = *from as _;
        }
        // SAFETY: the address is as long as it says.
        let bound = unsafe { libc::bind(a.as_raw_fd(), (&raw const name).cast(), 110) };
        assert_eq!(bound, 0, "{}", std::io::Error::last_os_error());
        let of_b = format!("traits long {}", std::process::id());
        let of_b = unix::SocketAddr::from_abstract_name(of_b).unwrap();
        let b = UnixDatagram::bind_addr(&of_b).unwrap();
        a.send_to_addr(b"hello", &of_b).await.unwrap();
        let mut buf = Vec::with_capacity(8);
        let (len, from) = b.recv_buf_from(&mut buf).await.unwrap();
        assert!(len == 5 && from.is_unnamed(), "{from:?}");
        std::fs::remove_file(&path).unwrap();
    });
}
