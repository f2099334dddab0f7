//! The guest of a C program: a runtime behind the five functions of `guest.h`.

use std::ffi::{c_int, c_uint, c_void};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

use runtime::Runtime;
use runtime::net::{TcpListener, TcpStream};

/// `struct guest`.
pub struct Guest {
    runtime: Runtime,
    server: SocketAddr,
    answer: extern "C" fn(c_uint, c_uint, *mut c_void),
    data: *mut c_void,
}

impl Guest {
    fn new(
        answer: extern "C" fn(c_uint, c_uint, *mut c_void),
        data: *mut c_void,
    ) -> io::Result<Guest> {
        let runtime = Runtime::new()?;
        runtime.prepare()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let server = listener.local_addr()?;
        drop(runtime.spawn(serve(listener)));
        Ok(Guest { runtime, server, answer, data })
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn guest_new(
    answer: extern "C" fn(c_uint, c_uint, *mut c_void),
    data: *mut c_void,
) -> *mut Guest {
    match Guest::new(answer, data) {
        Ok(guest) => Box::into_raw(Box::new(guest)),
        Err(error) => {
            eprintln!("guest_new: {error}");
            ptr::null_mut()
        }
    }
}

/// # Safety
///
/// `guest` is from `guest_new`, and not freed yet; the same for all of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn guest_fd(guest: *const Guest) -> c_int {
    // SAFETY: the caller keeps it.
    unsafe { &*guest }.runtime.as_raw_fd()
}

/// # Safety
///
/// As `guest_fd`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn guest_turn(guest: *mut Guest) -> bool {
    // SAFETY: the caller keeps it. Shared, since an answer may ask again in this turn.
    let guest = unsafe { &*guest };
    match guest.runtime.turn(Some(Duration::ZERO)) {
        Ok(_turn) => true,
        Err(error) => {
            eprintln!("guest_turn: {error}");
            false
        }
    }
}

/// # Safety
///
/// As `guest_fd`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn guest_ask(guest: *mut Guest, number: c_uint) {
    // SAFETY: the caller keeps it.
    let Guest { runtime, server, answer, data } = unsafe { &*guest };
    let (server, answer, data) = (*server, *answer, *data);
    // Between two turns, as a rule: the descriptor is readable from now on.
    drop(runtime.spawn(async move {
        match ask(server, number).await {
            Ok(doubled) => answer(number, doubled, data),
            Err(error) => eprintln!("guest_ask: {error}"),
        }
    }));
}

/// # Safety
///
/// As `guest_fd`; nobody uses it afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn guest_free(guest: *mut Guest) {
    // SAFETY: the caller gives it back, and it is a box's.
    drop(unsafe { Box::from_raw(guest) });
}

async fn ask(server: SocketAddr, number: u32) -> io::Result<u32> {
    let stream = TcpStream::connect(server).await?;
    stream.write_all(&number.to_be_bytes()).await?;
    let mut doubled = [0; 4];
    stream.read_exact(&mut doubled).await?;
    Ok(u32::from_be_bytes(doubled))
}

/// One client at a time.
async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let mut number = [0; 4];
        stream.read_exact(&mut number).await?;
        runtime::time::sleep(Duration::from_millis(2)).await;
        let doubled = runtime::spawn_blocking(move || 2 * u32::from_be_bytes(number)).await?;
        stream.write_all(&doubled.to_be_bytes()).await?;
    }
}
