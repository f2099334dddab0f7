//! The HTTP examples against the programs that everybody uses: curl, h2load, wrk, nginx.

mod axum;
mod client;
mod deadlines;
mod program;
mod server;
mod shutdown;
#[path = "../support/mod.rs"]
mod support;
