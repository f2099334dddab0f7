//! A runtime inside a frame loop of 60 Hz, as a game or an animation has it: a frame is drawn on time, and
//! between two frames the network has the thread.
//!
//! Type `cargo run --release --example host_frames`. There is no descriptor to wait for here: a turn waits
//! itself, until the next frame is due and no longer.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use runtime::Runtime;
use runtime::net::{TcpListener, TcpStream};
use runtime::time::interval;

const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 60);
const FRAMES: u32 = 60;

fn main() -> io::Result<()> {
    let runtime = Runtime::new()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let answers = Rc::new(Cell::new(0));
    drop(runtime.spawn(ask(listener.local_addr()?, answers.clone())));
    drop(runtime.spawn(answer(listener)));

    let mut due = Instant::now();
    let mut latest = Duration::ZERO;
    let mut turns = 0;
    for frame in 1..=FRAMES {
        latest = latest.max(due.elapsed());
        draw(frame, answers.get());
        // Who is late has lost those frames.
        due = (due + FRAME).max(Instant::now());
        loop {
            let left = due.saturating_duration_since(Instant::now());
            // One turn at least, or a host that is always late would starve its guest. What a turn does is
            // bounded: it does not go on while there is more.
            runtime.turn(Some(left))?;
            turns += 1;
            if left.is_zero() {
                break;
            }
        }
    }
    println!(
        "{FRAMES} frames, {} answers, {turns} turns; the latest frame was {latest:?} late",
        answers.get()
    );
    Ok(())
}

/// A frame takes some milliseconds of which the network knows nothing.
fn draw(frame: u32, answers: u32) {
    let end = Instant::now() + FRAME / 4;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
    if frame % 10 == 0 {
        println!("frame {frame:2}: {}", "*".repeat(answers as usize / 10));
    }
}

/// Asks every 2 ms.
async fn ask(address: SocketAddr, answers: Rc<Cell<u32>>) -> io::Result<()> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut ticks = interval(Duration::from_millis(2));
    let mut byte = [0];
    loop {
        ticks.tick().await;
        stream.write_all(b"?").await?;
        stream.read_exact(&mut byte).await?;
        answers.set(answers.get() + 1);
    }
}

async fn answer(listener: TcpListener) -> io::Result<()> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    let mut byte = [0];
    loop {
        stream.read_exact(&mut byte).await?;
        stream.write_all(b"!").await?;
    }
}
