//! What the programs of all runtimes share: their command line, their meter, and what they tell the driver.
//!
//! A program is `PROGRAM WORKLOAD [NAME=NUMBER ...] [on=FLAVOR]`. It prints lines of `name value`; a server prints its
//! port first and serves until it is killed.

pub mod meter;
pub mod workload;

pub use meter::Meter;
pub use workload::Workload;

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
