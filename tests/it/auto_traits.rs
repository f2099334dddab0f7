//! What may go to other threads and what may not, decided by the compiler.

use std::cell::Cell;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use runtime::signal::unix::Signal;
use runtime::task::{AbortHandle, Id, JoinError};
use runtime::time::{Instant, Sleep, boottime};
use runtime::{Builder, Core, EnterGuard, Handle, JoinHandle, Runtime};

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}
fn is_unpin<T: Unpin>() {}

/// Compiles only if the type does not have the trait: else two `check`s would fit.
macro_rules! is_not {
    ($trait:ident: $($type:ty),*) => {{
        trait Ambiguous<A> {
            fn check() {}
        }
        impl<T: ?Sized> Ambiguous<()> for T {}
        struct Has;
        impl<T: ?Sized + $trait> Ambiguous<Has> for T {}
        $(<$type as Ambiguous<_>>::check();)*
    }};
}

#[test]
fn a_join_handle_is_as_send_as_its_output() {
    is_send::<JoinHandle<i32>>();
    is_send::<JoinHandle<Cell<i32>>>();
    is_not!(Send: JoinHandle<Rc<()>>);
    is_not!(Sync: JoinHandle<Rc<()>>);
    is_unpin::<JoinHandle<std::marker::PhantomPinned>>();
}

#[test]
fn handles_go_anywhere() {
    is_send::<Handle>();
    is_sync::<Handle>();
    is_send::<Signal>();
    is_sync::<Signal>();
    is_send::<AbortHandle>();
    is_sync::<AbortHandle>();
    is_send::<JoinError>();
    is_sync::<JoinError>();
    is_send::<Id>();
    is_sync::<Id>();
    is_send::<Instant>();
    is_sync::<Instant>();
    is_send::<Sleep>();
    is_sync::<Sleep>();
    is_send::<boottime::Sleep>();
    is_sync::<boottime::Sleep>();
    is_unpin::<boottime::Sleep>();
    is_send::<runtime::io::Source<UnixStream>>();
    is_sync::<runtime::io::Source<UnixStream>>();
    is_send::<Builder>();
    is_send::<Core>();
    is_sync::<Core>();
}

#[test]
fn pipes_and_standard_streams_go_anywhere() {
    use runtime::io::{Lines, Stderr, Stdin, Stdout};
    use runtime::net::unix::pipe::{OpenOptions, Receiver, Sender};
    fn goes_anywhere<T: Send + Sync + Unpin>() {}
    goes_anywhere::<Sender>();
    goes_anywhere::<Receiver>();
    goes_anywhere::<OpenOptions>();
    goes_anywhere::<Stdin>();
    goes_anywhere::<Stdout>();
    goes_anywhere::<Stderr>();
    goes_anywhere::<Lines<Stdin>>();
}

#[test]
fn sockets_and_their_halves_go_anywhere() {
    use runtime::net::{
        TcpListener, TcpSocket, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixSeqpacket,
        UnixSeqpacketListener, UnixSocket, UnixStream, tcp, unix,
    };
    fn goes_anywhere<T: Send + Sync + Unpin>() {}
    goes_anywhere::<TcpListener>();
    goes_anywhere::<TcpSocket>();
    goes_anywhere::<TcpStream>();
    goes_anywhere::<tcp::ReadHalf<'static>>();
    goes_anywhere::<tcp::OwnedReadHalf>();
    goes_anywhere::<tcp::OwnedWriteHalf>();
    goes_anywhere::<UdpSocket>();
    goes_anywhere::<UnixDatagram>();
    goes_anywhere::<UnixListener>();
    goes_anywhere::<UnixSeqpacket>();
    goes_anywhere::<UnixSeqpacketListener>();
    goes_anywhere::<UnixSocket>();
    goes_anywhere::<UnixStream>();
    goes_anywhere::<unix::OwnedReadHalf>();
    goes_anywhere::<unix::OwnedWriteHalf>();
}

#[test]
fn a_runtime_and_its_guards_stay() {
    is_not!(Send: Runtime, EnterGuard<'static>);
    is_not!(Sync: Runtime);
}

#[test]
fn what_waits_for_send_things_is_send() {
    fn check<T: Send>(_: T) {}
    check(runtime::task::yield_now());
    check(runtime::task::consume_budget());
    check(async {
        runtime::time::sleep(std::time::Duration::ZERO).await;
        runtime::task::yield_now().await;
    });
}
