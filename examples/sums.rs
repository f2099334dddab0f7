//! Checksums of files: lines in, blocking work on threads, results out as they come.
//!
//! Type `find src -name '*.rs' | cargo run -q --example sums`. It prints a CRC-32, as `crc32` does, and the
//! name of each file. At most four files are read at a time, and no name is read before a worker is free for
//! it, however long the list is.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::process::ExitCode;

use async_channel::Receiver;
use runtime::io::{stderr, stdin, stdout};
use runtime::task::JoinSet;

const WORKERS: usize = 4;

#[runtime::main]
async fn main() -> io::Result<ExitCode> {
    // Room for one: who sends waits until a worker takes it.
    let (names, queue) = async_channel::bounded(1);
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        workers.spawn(work(queue.clone()));
    }
    drop(queue);
    let mut lines = stdin().lines();
    while let Some(name) = lines.next_line().await? {
        if names.send(name).await.is_err() {
            break; // no worker is left; why, they say below
        }
    }
    drop(names); // which ends the workers, when the queue is empty
    let mut failures = 0;
    while let Some(ended) = workers.join_next().await {
        match ended? {
            Ok(failed) => failures += failed,
            // Whoever reads this has had enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
            Err(error) => return Err(error),
        }
    }
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Takes names until there are no more, and returns how many files could not be read.
async fn work(queue: Receiver<String>) -> io::Result<usize> {
    let mut failures = 0;
    while let Ok(name) = queue.recv().await {
        // Reading waits for the disk and summing for the processor: both would hold up every other task.
        let (name, sum) = runtime::spawn_blocking(move || {
            let sum = sum(&name);
            (name, sum)
        })
        .await?;
        match sum {
            Ok(sum) => stdout().write_all(format!("{sum:08x}  {name}\n").as_bytes()).await?,
            Err(error) => {
                failures += 1;
                stderr().write_all(format!("sums: {name}: {error}\n").as_bytes()).await?;
            }
        }
    }
    Ok(failures)
}

/// The CRC-32 of a file's contents (that of Ethernet, gzip and PNG).
fn sum(name: &str) -> io::Result<u32> {
    let mut file = File::open(name)?;
    let mut buf = vec![0; 64 * 1024];
    let mut crc = !0_u32;
    while let len @ 1.. = file.read(&mut buf)? {
        for byte in &buf[..len] {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ ((crc & 1) * 0xedb8_8320);
            }
        }
    }
    Ok(!crc)
}
