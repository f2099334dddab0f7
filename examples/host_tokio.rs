//! A runtime inside tokio: a descriptor of tokio's `AsyncFd`, and one task that takes the turns.
//!
//! Type `cargo run --example host_tokio`. A server on tokio and a client on the runtime talk over TCP, on
//! one thread.

#![allow(unsafe_code)] // tokio asks for a promise about the descriptor.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use runtime::{JoinHandle, Runtime};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

const QUESTIONS: usize = 5;

// The runtime stays on its thread: so must the future that turns it, as the root of `block_on` or in a
// `LocalSet`.
fn main() -> io::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(host())
}

async fn host() -> io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(server(listener));

    let guest = Runtime::new()?;
    // Makes the descriptor that is waited for below, which could not say why it cannot be.
    guest.prepare()?;
    let client = guest.spawn(client(address));
    drive(&guest, &client).await?;
    println!("{} answers", guest.block_on(client)??);
    Ok(())
}

/// Turns the guest until `task` has ended.
async fn drive<T>(guest: &Runtime, task: &JoinHandle<T>) -> io::Result<()> {
    // SAFETY: the descriptor stays the same and open as long as the guest lives, which is borrowed here.
    let readable = unsafe { AsyncFd::register_with_interest(guest.as_fd(), Interest::READABLE) }?;
    while !task.is_finished() {
        let mut guard = readable.readable().await?;
        // Before the turn: an edge that comes in it must stay.
        guard.clear_ready();
        guest.turn(Some(Duration::ZERO))?;
    }
    Ok(())
}

async fn client(address: SocketAddr) -> io::Result<usize> {
    let stream = runtime::net::TcpStream::connect(address).await?;
    let mut answer = [0; 2];
    for question in 0..QUESTIONS {
        stream.write_all(&[question as u8]).await?;
        stream.read_exact(&mut answer).await?;
        println!("the double of {question} is {}", u16::from_be_bytes(answer));
        runtime::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(QUESTIONS)
}

/// Answers each byte with its double, after tokio's clock has ticked.
async fn server(listener: tokio::net::TcpListener) -> io::Result<()> {
    let (stream, _) = listener.accept().await?;
    loop {
        let mut byte = [0];
        stream.readable().await?;
        match stream.try_read(&mut byte) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        // Two bytes always have room in a buffer that is empty.
        let _ = stream.try_write(&(u16::from(byte[0]) * 2).to_be_bytes())?;
    }
}
