//! TCP: streams, listeners, halves, addresses, on real sockets of the loopback interface.

use std::cell::Cell;
use std::fs;
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread;

use futures::StreamExt;
use futures::future::join_all;
use futures::{join, poll};
use runtime::io::Interest;
use runtime::net::tcp::ReuniteError;
use runtime::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use runtime::spawn;
use runtime::task::yield_now;

use crate::support::{fill, limited, run};

/// A connection: the client's end and the server's.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (client, server)
}

/// A connection whose other end is a blocking socket, for what must happen at a known moment.
async fn pair_with_std() -> (TcpStream, std::net::TcpStream) {
    let (ours, theirs) = pair().await;
    let theirs = theirs.into_std().unwrap();
    theirs.set_nonblocking(false).unwrap();
    (ours, theirs)
}

#[test]
fn echo() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let server = spawn(async move {
            let (stream, peer) = listener.accept().await.unwrap();
            let mut buf = [0; 64];
            loop {
                match stream.read(&mut buf).await.unwrap() {
                    0 => return peer,
                    count => stream.write_all(&buf[..count]).await.unwrap(),
                }
            }
        });
        let client = TcpStream::connect(addr).await.unwrap();
        assert_eq!(client.peer_addr().unwrap(), addr);
        for message in [&b"hello"[..], b"a", &[3; 1000]] {
            client.write_all(message).await.unwrap();
            let mut answer = vec![0; message.len()];
            assert_eq!(client.read_exact(&mut answer).await.unwrap(), message.len());
            assert_eq!(answer, message);
        }
        let ours = client.local_addr().unwrap();
        drop(client);
        assert_eq!(server.await.unwrap(), ours);
    });
}

#[test]
fn the_end_is_read_again_and_again() {
    run(async {
        let (client, server) = pair().await;
        drop(client);
        for _ in 0..3 {
            assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
        }
    });
}

#[test]
fn data_and_fin_in_one_edge() {
    run(async {
        let (ours, mut theirs) = pair_with_std().await;
        let mut buf = [0; 64];
        {
            let mut read = pin!(ours.read(&mut buf));
            assert!(poll!(read.as_mut()).is_pending());
            // Nothing is polled between the two: one event reports both.
            theirs.write_all(b"abc").unwrap();
            drop(theirs);
            assert_eq!(read.await.unwrap(), 3);
        }
        assert_eq!(ours.read(&mut buf).await.unwrap(), 0);
    });
}

#[test]
fn fin_after_the_event_and_before_the_read() {
    run(async {
        let (ours, mut theirs) = pair_with_std().await;
        assert!(poll!(pin!(ours.read(&mut [0; 8]))).is_pending());
        theirs.write_all(b"abc").unwrap();
        ours.readable().await.unwrap();
        drop(theirs);
        let mut all = Vec::new();
        let mut buf = [0; 64];
        loop {
            match ours.read(&mut buf).await.unwrap() {
                0 => break,
                count => all.extend_from_slice(&buf[..count]),
            }
        }
        assert_eq!(all, b"abc");
    });
}

#[test]
fn half_close_both_ways() {
    run(async {
        let (client, server) = pair().await;
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut question = String::new();
        assert_eq!(server.read_to_string(&mut question).await.unwrap(), 8);
        assert_eq!(question, "question");
        // The other direction is still open.
        server.write_all(b"answer").await.unwrap();
        server.shutdown().await.unwrap();
        let mut answer = b"the ".to_vec();
        assert_eq!(client.read_to_end(&mut answer).await.unwrap(), 6);
        assert_eq!(answer, b"the answer");
        assert_eq!(client.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn reset_wakes_a_reader() {
    run(async {
        let (ours, theirs) = pair_with_std().await;
        ours.write_all(b"never read").await.unwrap();
        let mut buf = [0; 8];
        let mut read = pin!(ours.read(&mut buf));
        assert!(poll!(read.as_mut()).is_pending());
        // Closing with data unread resets the connection.
        drop(theirs);
        assert_eq!(read.await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn reset_after_data_is_told_after_the_data() {
    run(async {
        let (ours, mut theirs) = pair_with_std().await;
        assert!(poll!(pin!(ours.read(&mut [0; 8]))).is_pending());
        ours.write_all(b"never read").await.unwrap();
        theirs.write_all(b"last words").unwrap();
        drop(theirs);
        let mut words = Vec::new();
        let error = ours.read_to_end(&mut words).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(words, b"last words");
    });
}

#[test]
fn reset_wakes_a_writer() {
    run(async {
        let (ours, theirs) = pair_with_std().await;
        fill(|bytes| ours.try_write(bytes));
        let mut write = pin!(ours.write(b"more"));
        assert!(poll!(write.as_mut()).is_pending());
        drop(theirs);
        let error = write.await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe));
        ours.shutdown().await.unwrap();
    });
}

#[allow(unsafe_code)]
fn send_urgent(socket: &std::net::TcpStream, byte: u8) {
    // SAFETY: the one byte outlives the call.
    let sent =
        unsafe { libc::send(socket.as_raw_fd(), (&raw const byte).cast(), 1, libc::MSG_OOB) };
    assert_eq!(sent, 1, "{}", io::Error::last_os_error());
}

#[test]
fn urgent_data_does_not_stop_the_stream() {
    run(async {
        let (ours, mut theirs) = pair_with_std().await;
        let mut buf = [0; 64];
        let mut all = Vec::new();
        {
            let mut read = pin!(ours.read(&mut buf));
            assert!(poll!(read.as_mut()).is_pending());
            theirs.write_all(b"ab").unwrap();
            send_urgent(&theirs, b'!');
            theirs.write_all(b"cd").unwrap();
            // A read stops at the mark, and there is no further edge for what lies behind it.
            assert_eq!(read.await.unwrap(), 2);
        }
        all.extend_from_slice(&buf[..2]);
        while all.len() < 4 {
            let count = ours.read(&mut buf).await.unwrap();
            all.extend_from_slice(&buf[..count]);
        }
        assert_eq!(all, b"abcd");
    });
}

/// A sequence without a short period: byte `i` of it.
fn pattern(i: usize) -> u8 {
    (i.wrapping_mul(0x9E37_79B9) >> 13) as u8
}

#[test]
fn two_hundred_mebibytes_to_a_slow_reader() {
    const TOTAL: usize = 200 << 20;
    // No power of two, so that a piece that is lost or doubled shifts all that follows.
    const PERIOD: usize = 999_983;
    run(async {
        let (client, server) = pair().await;
        let period: Rc<[u8]> = (0..PERIOD).map(pattern).collect();
        let writer = spawn({
            let period = period.clone();
            async move {
                let mut left = TOTAL;
                while left > 0 {
                    let piece = &period[..PERIOD.min(left)];
                    client.write_all(piece).await.unwrap();
                    left -= piece.len();
                }
            }
        });
        let mut received = 0;
        let mut buf = vec![0; 48 * 1024 + 1];
        loop {
            // Never across the end of the period, so that one comparison will do.
            let at = received % PERIOD;
            let room = buf.len().min(PERIOD - at);
            let count = server.read(&mut buf[..room]).await.unwrap();
            if count == 0 {
                break;
            }
            assert!(buf[..count] == period[at..at + count], "a wrong byte after {received}");
            received += count;
            yield_now().await;
        }
        assert_eq!(received, TOTAL);
        writer.await.unwrap();
    });
}

#[test]
fn a_stream_that_always_has_data_lets_others_run() {
    run(async {
        let (client, server) = pair().await;
        fill(|bytes| client.try_write(bytes));
        server.readable().await.unwrap();
        let stop = Rc::new(Cell::new(false));
        let other = spawn({
            let stop = stop.clone();
            async move { stop.set(true) }
        });
        let mut reads = 0;
        while !stop.get() {
            assert_eq!(server.read(&mut [0]).await.unwrap(), 1);
            reads += 1;
        }
        assert!(reads < 1000, "{reads} before another task ran");
        other.await.unwrap();
    });
}

#[test]
fn two_readers_of_one_socket_both_progress() {
    run(async {
        let (client, server) = pair().await;
        let server = Rc::new(server);
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let server = Rc::clone(&server);
                spawn(async move {
                    let mut byte = [0];
                    server.read_exact(&mut byte).await.unwrap();
                    byte[0]
                })
            })
            .collect();
        yield_now().await;
        client.write_all(b"x").await.unwrap();
        for _ in 0..100 {
            yield_now().await;
        }
        client.write_all(b"y").await.unwrap();
        let mut bytes = Vec::new();
        for reader in readers {
            bytes.push(reader.await.unwrap());
        }
        bytes.sort_unstable();
        assert_eq!(bytes, b"xy");
    });
}

#[test]
fn a_reader_and_a_writer_of_one_socket() {
    run(async {
        let (client, server) = pair().await;
        let server = Rc::new(server);
        let reader = spawn({
            let server = Rc::clone(&server);
            async move {
                let mut all = Vec::new();
                server.read_to_end(&mut all).await.unwrap();
                all.len()
            }
        });
        let writer = spawn(async move {
            server.write_all(&[1; 4 << 20]).await.unwrap();
            server.shutdown().await.unwrap();
        });
        let mut all = Vec::new();
        let (read, wrote) = join!(client.read_to_end(&mut all), async {
            client.write_all(&[2; 4 << 20]).await?;
            client.shutdown().await
        });
        assert_eq!(read.unwrap(), 4 << 20);
        wrote.unwrap();
        writer.await.unwrap();
        assert_eq!(reader.await.unwrap(), 4 << 20);
    });
}

#[test]
fn halves_in_two_tasks() {
    run(async {
        let (client, server) = pair().await;
        let (read, write) = server.into_split();
        let echo = spawn(async move {
            let mut buf = [0; 4096];
            loop {
                match read.read(&mut buf).await.unwrap() {
                    0 => return,
                    count => write.write_all(&buf[..count]).await.unwrap(),
                }
            }
        });
        let (read, write) = client.into_split();
        let writer = spawn(async move { write.write_all(&[5; 1 << 20]).await.unwrap() });
        let mut all = Vec::new();
        // The writer's half, dropped at its end, is what ends this.
        read.read_to_end(&mut all).await.unwrap();
        assert_eq!(all.len(), 1 << 20);
        writer.await.unwrap();
        echo.await.unwrap();
    });
}

/// Counts the polls of a future that are for nothing.
async fn count_pending<F: Future>(future: F, count: &Cell<usize>) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        count.set(count.get() + usize::from(polled.is_pending()));
        polled
    })
    .await
}

#[test]
fn a_reader_here_and_a_writer_on_another_runtime() {
    const LEN: usize = 16 << 20;
    limited(|| {
        let (ours, theirs) = runtime::block_on(pair());
        // Little room, so that the writer has to wait often.
        ours.set_send_buffer_size(16384).unwrap();
        theirs.set_recv_buffer_size(16384).unwrap();
        let (read, write) = ours.into_split();
        // The reader's runtime is to have the registration.
        let (registered, go) = mpsc::channel();
        let reader = thread::spawn(move || {
            runtime::block_on(async {
                let (mut all, mut reads, pending) = (0, 0, Cell::new(0));
                let mut buf = [0; 65536];
                {
                    let mut first = pin!(count_pending(read.read(&mut buf), &pending));
                    assert!(poll!(first.as_mut()).is_pending());
                    registered.send(()).unwrap();
                    all += first.await.unwrap();
                }
                while all < LEN {
                    all += count_pending(read.read(&mut buf), &pending).await.unwrap();
                    reads += 1;
                }
                (pending.get(), reads)
            })
        });
        go.recv().unwrap();
        let writer = thread::spawn(move || {
            runtime::block_on(async {
                let (mut all, mut writes, pending) = (0, 0, Cell::new(0));
                while all < LEN {
                    let piece = &[0; 65536][..65536.min(LEN - all)];
                    all += count_pending(write.write(piece), &pending).await.unwrap();
                    writes += 1;
                }
                (pending.get(), writes)
            })
        });
        runtime::block_on(async {
            let mut buf = vec![0; 65536];
            loop {
                match theirs.read(&mut buf).await.unwrap() {
                    0 => break,
                    count => theirs.write_all(&buf[..count]).await.unwrap(),
                }
            }
        });
        for (pending, done) in [reader.join().unwrap(), writer.join().unwrap()] {
            // A task that is woken finds what it waits for, but for the odd race.
            assert!(pending <= done + 100, "{pending} polls for nothing, {done} for something");
        }
    });
}

#[test]
fn borrowed_halves() {
    run(async {
        let (mut client, server) = pair().await;
        {
            let (read, write) = client.split();
            let mut buf = [0; 4];
            let (echoed, written) = join!(
                async {
                    server.read_exact(&mut [0; 4]).await?;
                    server.write_all(b"pong").await?;
                    read.read_exact(&mut buf).await
                },
                write.write_all(b"ping"),
            );
            assert_eq!(echoed.unwrap(), 4);
            written.unwrap();
            assert_eq!(&buf, b"pong");
        }
        // Dropping the borrowed write half closed nothing.
        client.write_all(b"more").await.unwrap();
        server.read_exact(&mut [0; 4]).await.unwrap();
    });
}

#[test]
fn a_forgotten_write_half_closes_nothing() {
    run(async {
        let (client, server) = pair().await;
        let (read, write) = client.into_split();
        write.forget();
        let mut buf = [0; 8];
        assert!(poll!(pin!(server.read(&mut buf))).is_pending());
        server.write_all(b"still here").await.unwrap();
        read.read_exact(&mut [0; 10]).await.unwrap();
    });
}

#[test]
fn halves_reunite_with_their_own() {
    run(async {
        let (a, b) = pair().await;
        let (a_read, a_write) = a.into_split();
        let (b_read, b_write) = b.into_split();
        let error = a_read.reunite(b_write).unwrap_err();
        assert!(error.to_string().contains("different streams"), "{error}");
        let ReuniteError(a_read, b_write) = error;
        let a = a_read.reunite(a_write).unwrap();
        let b = b_write.reunite(b_read).unwrap();
        // Both directions are still open.
        a.write_all(b"x").await.unwrap();
        b.read_exact(&mut [0]).await.unwrap();
        b.write_all(b"y").await.unwrap();
        a.read_exact(&mut [0]).await.unwrap();
    });
}

#[test]
fn refused_names_the_address() {
    run(async {
        // Bound and not listening: nobody else gets the port meanwhile.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = socket.local_addr().unwrap();
        let error = TcpStream::connect(addr).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(error.to_string().contains(&addr.to_string()), "{error}");
    });
}

#[test]
fn connect_tries_one_address_after_another() {
    run(async {
        let closed = TcpSocket::new_v4().unwrap();
        closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addrs = [closed.local_addr().unwrap(), listener.local_addr().unwrap()];
        let stream = TcpStream::connect(&addrs[..]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), addrs[1]);
        let none = TcpStream::connect(&addrs[..0]).await.unwrap_err();
        assert_eq!(none.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn a_taken_address_is_named() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let error = TcpListener::bind(addr).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&addr.to_string()), "{error}");
    });
}

#[test]
fn a_server_starts_again_at_once() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let client = TcpStream::connect(addr).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        // The end that closes first keeps the address for a minute (TIME_WAIT).
        drop(server);
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        drop((client, listener));
        TcpListener::bind(addr).await.unwrap();
    });
}

#[test]
fn three_hundred_clients_at_once() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        // Nobody accepts yet: all of them must fit the backlog.
        let clients = join_all((0..300).map(|_| TcpStream::connect(addr))).await;
        let servers = spawn(async move {
            for _ in 0..300 {
                let (stream, _) = listener.accept().await.unwrap();
                let mut buf = [0; 4];
                stream.read_exact(&mut buf).await.unwrap();
                stream.write_all(&buf).await.unwrap();
            }
        });
        join_all(clients.into_iter().zip(0u32..).map(async |(client, i)| {
            let client = client.unwrap();
            client.write_all(&i.to_be_bytes()).await.unwrap();
            let mut answer = [0; 4];
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(u32::from_be_bytes(answer), i);
        }))
        .await;
        servers.await.unwrap();
    });
}

#[test]
fn listener_polled_by_hand() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut accept = pin!(poll_fn(|cx| listener.poll_accept(cx)));
        assert!(poll!(accept.as_mut()).is_pending());
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (_, peer) = accept.await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    });
}

#[test]
fn peek_leaves_the_data() {
    run(async {
        let (client, server) = pair().await;
        let mut buf = [0; 8];
        {
            let mut peek = pin!(server.peek(&mut buf));
            assert!(poll!(peek.as_mut()).is_pending());
            client.write_all(b"abc").await.unwrap();
            assert_eq!(peek.await.unwrap(), 3);
        }
        assert_eq!(poll_fn(|cx| server.poll_peek(cx, &mut buf)).await.unwrap(), 3);
        assert_eq!(server.peek(&mut buf[..1]).await.unwrap(), 1);
        assert_eq!(server.read(&mut buf).await.unwrap(), 3);
        assert_eq!(&buf[..3], b"abc");
    });
}

#[test]
fn empty_buffers() {
    run(async {
        let (client, server) = pair().await;
        assert_eq!(server.read(&mut []).await.unwrap(), 0);
        assert_eq!(server.peek(&mut []).await.unwrap(), 0);
        assert_eq!(server.read_exact(&mut []).await.unwrap(), 0);
        assert_eq!(server.read_vectored(&mut [IoSliceMut::new(&mut [])]).await.unwrap(), 0);
        client.write_all(&[]).await.unwrap();
        assert_eq!(client.write(&[]).await.unwrap(), 0);
        // An empty read with data there proves nothing about the data.
        client.write_all(b"abc").await.unwrap();
        server.readable().await.unwrap();
        assert_eq!(server.read(&mut []).await.unwrap(), 0);
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 3);
    });
}

#[test]
fn many_buffers() {
    run(async {
        let (client, server) = pair().await;
        assert!(poll!(pin!(server.read(&mut [0; 8]))).is_pending());
        // More than the kernel takes in one call.
        let bytes: Vec<u8> = (0..1500).map(pattern).collect();
        let slices: Vec<_> = bytes.chunks(1).map(IoSlice::new).collect();
        let written = client.write_vectored(&slices).await.unwrap();
        assert_eq!(written, 1024);
        client.write_all(&bytes[written..]).await.unwrap();

        let mut read = vec![0; 1500];
        let mut slices: Vec<_> = read.chunks_mut(1).map(IoSliceMut::new).collect();
        let mut filled = 0;
        while filled < 1500 {
            // One call fills the buffers of that call, which is not a short read.
            filled += server.read_vectored(&mut slices[filled..]).await.unwrap();
        }
        assert_eq!(read, bytes);

        assert_eq!(
            client.try_write_vectored(&[IoSlice::new(b"ab"), IoSlice::new(b"c")]).unwrap(),
            3
        );
        server.readable().await.unwrap();
        let (mut a, mut b) = ([0; 1], [0; 5]);
        let bufs = &mut [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
        assert_eq!(server.try_read_vectored(bufs).unwrap(), 3);
        assert_eq!((&a, &b), (b"a", b"bc\0\0\0"));
    });
}

#[test]
fn try_read_would_block() {
    run(async {
        let (client, server) = pair().await;
        let mut buf = [0; 8];
        assert_eq!(server.try_read(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        let mut readable = pin!(server.readable());
        assert!(poll!(readable.as_mut()).is_pending());
        assert_eq!(client.try_write(b"abc").unwrap(), 3);
        readable.await.unwrap();
        assert_eq!(server.try_read(&mut buf).unwrap(), 3);
        assert_eq!(server.try_read(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        client.writable().await.unwrap();
        assert!(client.ready(Interest::WRITABLE).await.unwrap().is_writable());
    });
}

#[test]
fn the_callers_own_operation() {
    run(async {
        let (client, server) = pair().await;
        let tries = Cell::new(0);
        let mut received = pin!(server.async_io(Interest::READABLE, || {
            tries.set(tries.get() + 1);
            let mut buf = [0; 8];
            let count =
                std::net::TcpStream::from(server.as_fd().try_clone_to_owned()?).read(&mut buf)?;
            Ok(buf[..count].to_vec())
        }));
        assert!(poll!(received.as_mut()).is_pending());
        assert_eq!(tries.get(), 0);
        client.try_io(Interest::WRITABLE, || client.try_write(b"abc")).unwrap();
        assert_eq!(received.await.unwrap(), b"abc");
        assert_eq!(tries.get(), 1);
    });
}

#[test]
fn a_dropped_read_takes_nothing() {
    run(async {
        let (client, server) = pair().await;
        for i in 0..3 {
            assert!(poll!(pin!(server.read(&mut [0; 8]))).is_pending());
            client.write_all(&[i]).await.unwrap();
            let mut byte = [9; 8];
            assert_eq!(server.read(&mut byte).await.unwrap(), 1);
            assert_eq!(byte[0], i);
        }
    });
}

#[test]
fn a_dropped_read_to_end_goes_on() {
    run(async {
        let (client, server) = pair().await;
        let mut all = Vec::new();
        client.write_all(b"one ").await.unwrap();
        server.readable().await.unwrap();
        assert!(poll!(pin!(server.read_to_end(&mut all))).is_pending());
        assert_eq!(all, b"one ");
        client.write_all(b"two").await.unwrap();
        drop(client);
        assert_eq!(server.read_to_end(&mut all).await.unwrap(), 3);
        assert_eq!(all, b"one two");
    });
}

#[test]
fn ends_too_early_and_not_text() {
    run(async {
        let (client, server) = pair().await;
        client.write_all(b"abc").await.unwrap();
        drop(client);
        let error = server.read_exact(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(error.to_string(), "reading 8 bytes: the stream ended after 3");

        let (client, server) = pair().await;
        client.write_all(b"ab\xff").await.unwrap();
        drop(client);
        let mut text = String::from("as before");
        let error = server.read_to_string(&mut text).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_eq!(text, "as before");
    });
}

/// Whether any epoll instance of this process watches the fd.
fn is_watched(fd: RawFd) -> bool {
    let wanted = fd.to_string();
    let epolls = fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| {
        let entry = entry.ok()?;
        let is_epoll = fs::read_link(entry.path()).ok()?.ends_with("anon_inode:[eventpoll]");
        is_epoll.then(|| entry.file_name())
    });
    epolls
        .filter_map(|epoll| {
            fs::read_to_string(format!("/proc/self/fdinfo/{}", epoll.to_str()?)).ok()
        })
        .any(|info| {
            info.lines()
                .filter_map(|line| line.strip_prefix("tfd:"))
                .any(|line| line.split_whitespace().next() == Some(wanted.as_str()))
        })
}

#[allow(unsafe_code)]
fn is_nonblocking(fd: RawFd) -> bool {
    // SAFETY: no pointers are passed.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    flags & libc::O_NONBLOCK != 0
}

#[test]
fn into_std_gives_the_socket_away() {
    run(async {
        let (client, server) = pair().await;
        assert!(!is_watched(server.as_raw_fd()), "registered before it had to wait");
        assert!(poll!(pin!(server.read(&mut [0; 8]))).is_pending());
        assert!(is_watched(server.as_raw_fd()), "registered by the wait");
        let server = server.into_std().unwrap();
        assert!(!is_watched(server.as_raw_fd()), "deregistered");
        assert!(is_nonblocking(server.as_raw_fd()));
        // And takes it back.
        let server = TcpStream::from_std(server).unwrap();
        let mut buf = [0; 8];
        let mut read = pin!(server.read(&mut buf));
        assert!(poll!(read.as_mut()).is_pending());
        client.write_all(b"abc").await.unwrap();
        assert_eq!(read.await.unwrap(), 3);
    });
}

#[test]
fn from_std_makes_it_nonblocking() {
    run(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listener = TcpListener::try_from(listener).unwrap();
        assert!(is_nonblocking(listener.as_raw_fd()));
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let client = TcpStream::try_from(client).unwrap();
        assert!(is_nonblocking(client.as_raw_fd()));
        let (server, _) = listener.accept().await.unwrap();
        assert!(is_nonblocking(server.as_raw_fd()));
        assert!(format!("{server:?} {listener:?}").contains("127.0.0.1"));
    });
}

#[test]
fn a_clone_keeps_the_connection() {
    run(async {
        let (client, server) = pair().await;
        let other = server.try_clone().unwrap();
        assert!(poll!(pin!(server.read(&mut [0; 8]))).is_pending());
        assert!(poll!(pin!(other.read(&mut [0; 8]))).is_pending());
        drop(server);
        client.write_all(b"abc").await.unwrap();
        assert_eq!(other.read(&mut [0; 8]).await.unwrap(), 3);
    });
}

#[test]
fn over_ipv6() {
    run(async {
        let listener = match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await {
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => return,
            listener => listener.unwrap(),
        };
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        assert_eq!(server.local_addr().unwrap(), client.peer_addr().unwrap());
    });
}

#[test]
fn every_form_of_an_address() {
    run(async {
        let expected: SocketAddr = "127.0.0.1:80".parse().unwrap();
        macro_rules! same {
            ($($host:expr),* $(,)?) => {$(
                let found: Vec<_> = lookup_host($host).await.unwrap().collect();
                assert_eq!(found, [expected], "{}", stringify!($host));
            )*};
        }
        let SocketAddr::V4(v4) = expected else { unreachable!() };
        same!(
            expected,
            &expected,
            v4,
            (Ipv4Addr::LOCALHOST, 80),
            (expected.ip(), 80),
            &[expected][..],
            ("127.0.0.1", 80),
            (String::from("127.0.0.1"), 80),
            "127.0.0.1:80",
            String::from("127.0.0.1:80"),
            &String::from("127.0.0.1:80"),
        );
        let v6 = lookup_host("[::1]:80").await.unwrap().next();
        assert_eq!(v6, Some((Ipv6Addr::LOCALHOST, 80).into()));
        for wrong in ["", "localhost", "localhost:", "localhost:65536", "127.0.0.1:x"] {
            let error = lookup_host(wrong).await.err().unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{wrong}");
            assert!(error.to_string().contains("host:port"), "{error}");
        }
    });
}

#[test]
fn names_are_looked_up() {
    run(async {
        let found: Vec<_> = lookup_host("localhost:80").await.unwrap().collect();
        assert!(found.iter().all(|addr| addr.ip().is_loopback() && addr.port() == 80));
        assert!(!found.is_empty());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        TcpStream::connect(("localhost", port)).await.unwrap();
    });
}

#[test]
fn sockets_and_their_futures_are_send() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<TcpListener>();
    is_send_and_sync::<TcpStream>();
    is_send_and_sync::<TcpSocket>();
    is_send_and_sync::<runtime::net::UdpSocket>();
    is_send_and_sync::<runtime::net::tcp::OwnedReadHalf>();
    is_send_and_sync::<runtime::net::tcp::OwnedWriteHalf>();
    run(is_send(async {
        let listener = is_send(TcpListener::bind("127.0.0.1:0")).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let client = is_send(TcpStream::connect(addr)).await.unwrap();
        let (server, _) = is_send(listener.accept()).await.unwrap();
        let server = Arc::new(server);
        is_send(client.write_all(b"x")).await.unwrap();
        is_send(server.read_exact(&mut [0])).await.unwrap();
        drop(client);
        is_send(server.read_to_end(&mut Vec::new())).await.unwrap();
    }));
}

#[test]
fn a_listener_is_a_stream_of_its_connections() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let clients = spawn(async move {
            for i in 0..3 {
                let client = TcpStream::connect(address).await.unwrap();
                client.write_all(&[i]).await.unwrap();
            }
        });
        let mut incoming = listener.incoming();
        for i in 0..3 {
            let stream = incoming.next().await.expect("it never ends").unwrap();
            let mut byte = [0];
            stream.read_exact(&mut byte).await.unwrap();
            assert_eq!(byte, [i]);
        }
        assert!(poll!(incoming.next()).is_pending());
        clients.await.unwrap();
    });
}
