//! Packets per second of processor time over UDP: several a call, and cut and put together by the
//! kernel, beside one by one.
//!
//! ```text
//! cargo bench --bench udp
//! ```
//!
//! Sender and receiver are one process on one processor, and all its time counts, the kernel's too.
#![allow(unsafe_code)]

use std::io::{self, IoSliceMut};
use std::net::UdpSocket as StdSocket;
use std::os::fd::AsFd;
use std::process::ExitCode;

use runtime::net::UdpSocket;
use runtime::net::udp::{Datagram, Received};
use support::{median, quartiles};

mod support;

/// Bytes of a packet, as QUIC has them.
const PACKET: usize = 1200;

/// Packets that are sent before they are received: the receive buffer has room for them by default.
const BURST: usize = 48;

const BURSTS: usize = 1_000;
const ROUNDS: usize = 21;

/// How packets are sent and received.
#[derive(Clone, Copy)]
enum How {
    /// By the standard library's socket, which makes the same system calls as we do.
    Raw,
    OneByOne,
    /// sendmmsg and recvmmsg.
    Many,
    /// Each burst one buffer, by GSO; received by recvmmsg, each packet by itself.
    SegmentsOut,
    /// Each burst one buffer, by GSO and GRO.
    Segments,
    /// Both: each burst two buffers in one call.
    ManySegments,
}

const ALL: [(How, &str); 6] = [
    (How::OneByOne, "one by one"),
    (How::Raw, "one by one, raw"),
    (How::Many, "send_many, recv_many"),
    (How::SegmentsOut, "send_many of segments, recv_many of packets"),
    (How::Segments, "send_segmented, recv_segmented"),
    (How::ManySegments, "send_many, recv_many of segments"),
];

fn main() -> ExitCode {
    support::pin(0);
    match table() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn table() -> io::Result<()> {
    let mut figures = [const { Vec::new() }; ALL.len()];
    for _ in 0..ROUNDS {
        for ((how, _), figures) in ALL.iter().zip(&mut figures) {
            figures.push(runtime::block_on(packets_per_second(*how))?);
        }
    }
    println!("| packets of {PACKET} bytes | per CPU second | to one by one (quartiles) |");
    println!("|---|---:|---:|");
    for ((_, name), values) in ALL.iter().zip(&figures) {
        // Each beside the one of its own round.
        let ratios: Vec<f64> = values.iter().zip(&figures[0]).map(|(a, b)| a / b).collect();
        let (low, high) = quartiles(ratios.clone());
        let (packets, ratio) = (median(values.clone()), median(ratios));
        println!("| {name} | {packets:.0} | {ratio:.2} ({low:.2} to {high:.2}) |");
    }
    Ok(())
}

async fn packets_per_second(how: How) -> io::Result<f64> {
    let receiver = UdpSocket::bind("127.0.0.1:0").await?;
    let sender = UdpSocket::bind("127.0.0.1:0").await?;
    sender.connect(receiver.local_addr()?).await?;
    receiver.set_gro(matches!(how, How::Segments | How::ManySegments))?;
    // The first burst finds everything cold.
    move_bursts(how, &sender, &receiver, 1).await?;
    let before = processor_time();
    move_bursts(how, &sender, &receiver, BURSTS).await?;
    Ok((BURSTS * BURST) as f64 / (processor_time() - before))
}

async fn move_bursts(
    how: How,
    sender: &UdpSocket,
    receiver: &UdpSocket,
    bursts: usize,
) -> io::Result<()> {
    let bytes = vec![7; BURST * PACKET];
    let cut = |bytes| Datagram::new(bytes).segment_size(PACKET);
    match how {
        How::Raw => {
            let standard = |socket: &UdpSocket| socket.as_fd().try_clone_to_owned();
            raw(&standard(sender)?.into(), &standard(receiver)?.into(), &bytes, bursts)
        }
        How::OneByOne => one_by_one(sender, receiver, &bytes, bursts).await,
        How::Many => {
            let batch = bytes.chunks(PACKET).map(Datagram::new).collect();
            many(sender, receiver, batch, PACKET, bursts).await
        }
        How::SegmentsOut => many(sender, receiver, vec![cut(&bytes)], PACKET, bursts).await,
        How::Segments => segments(sender, receiver, &bytes, bursts).await,
        How::ManySegments => {
            let batch = bytes.chunks(bytes.len() / 2).map(cut).collect();
            many(sender, receiver, batch, 65_536, bursts).await
        }
    }
}

fn raw(sender: &StdSocket, receiver: &StdSocket, bytes: &[u8], bursts: usize) -> io::Result<()> {
    let mut buf = [0; PACKET];
    for _ in 0..bursts {
        for packet in bytes.chunks(PACKET) {
            sender.send(packet)?;
        }
        for _ in 0..BURST {
            receiver.recv_from(&mut buf)?;
        }
    }
    Ok(())
}

async fn one_by_one(
    sender: &UdpSocket,
    receiver: &UdpSocket,
    bytes: &[u8],
    bursts: usize,
) -> io::Result<()> {
    let mut buf = [0; PACKET];
    for _ in 0..bursts {
        for packet in bytes.chunks(PACKET) {
            sender.send(packet).await?;
        }
        for _ in 0..BURST {
            receiver.recv_from(&mut buf).await?;
        }
    }
    Ok(())
}

async fn many(
    sender: &UdpSocket,
    receiver: &UdpSocket,
    mut batch: Vec<Datagram<'_>>,
    room: usize,
    bursts: usize,
) -> io::Result<()> {
    let mut room = [(); BURST].map(|()| vec![0; room]);
    let mut bufs = room.each_mut().map(|buf| IoSliceMut::new(buf));
    let mut received = [Received::default(); BURST];
    for _ in 0..bursts {
        let mut rest = &mut batch[..];
        while !rest.is_empty() {
            let sent = sender.send_many(rest).await?;
            rest = &mut rest[sent..];
        }
        let mut bytes = 0;
        while bytes < BURST * PACKET {
            let count = receiver.recv_many(&mut bufs, &mut received).await?;
            bytes += received[..count].iter().map(|received| received.len).sum::<usize>();
        }
    }
    Ok(())
}

async fn segments(
    sender: &UdpSocket,
    receiver: &UdpSocket,
    bytes: &[u8],
    bursts: usize,
) -> io::Result<()> {
    let mut buf = vec![0; 65_536];
    for _ in 0..bursts {
        let mut sent = 0;
        while sent < bytes.len() {
            sent += sender.send_segmented(&bytes[sent..], PACKET).await?;
        }
        let mut left = bytes.len();
        while left > 0 {
            left -= receiver.recv_segmented(&mut buf).await?.len;
        }
    }
    Ok(())
}

/// The seconds of processor time that this process has taken.
fn processor_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one `timespec`, and there is one.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "every Linux has this clock");
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
