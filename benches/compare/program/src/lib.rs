//! What the programs of all runtimes share: their command line, their meters, what they tell the driver, and every
//! part of a workload that needs no particular runtime.
//!
//! A program is `PROGRAM WORKLOAD [NAME=NUMBER ...] [on=FLAVOR]`. It prints lines of `name value`; a server prints its
//! port first and serves until it is killed.

#[cfg(feature = "http")]
pub mod http;
pub mod meter;
pub mod tasks;
pub mod timers;
pub mod wakes;
pub mod workload;

pub use meter::Meter;
pub use workload::Workload;

/// Room for one datagram of the UDP echo.
pub const DATAGRAM: usize = 1024;

/// What a proxy by hand carries at a time, in each direction.
pub const CHUNK: usize = 8 * 1024;

/// How long a read waits, and each timeout that is set and dropped: none of them ever comes.
pub const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// For a workload that a runtime has nothing for. The driver shows the reason in place of a figure.
pub fn cannot(reason: &str) -> ! {
    println!("cannot {reason}");
    std::process::exit(0)
}

/// Tells the driver where a server listens.
pub fn listening(port: u16) {
    println!("port {port}");
}

/// Which of its runtimes or drivers a program is to use, where it has several.
pub fn flavor() -> Option<String> {
    std::env::args().find_map(|arg| arg.strip_prefix("on=").map(str::to_owned))
}
