//! Other crates' traits of byte streams and files: each of them, on each type that has it.
#![allow(unsafe_code)]

#[path = "../support/mod.rs"]
mod support;

mod bytes;
mod copying;
mod faces;
mod files;
mod hyper;
mod inherent;
mod readers;
mod standard;
mod writers;

use runtime::net::{TcpListener, TcpStream};

/// Two connected TCP streams.
async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connected = TcpStream::connect(address).await.unwrap();
    (connected, listener.accept().await.unwrap().0)
}

/// So many bytes, of which no stretch is like its neighbour.
fn noise(len: usize) -> Vec<u8> {
    (0..len as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}
