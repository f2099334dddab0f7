//! TLS on this runtime: the examples with `openssl` and `curl` at the other end, and the streams of
//! futures-rustls and tokio-rustls at their limits.

mod programs;
mod streams;
#[path = "../support/mod.rs"]
mod support;
