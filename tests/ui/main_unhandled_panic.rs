//! A policy that does not exist.

#[runtime::main(unhandled_panic = "ignore")] //~ ERROR `unhandled_panic` is "log", "abort" or "resume"
async fn main() {}

#[runtime::main(unhandled_panic = runtime::UnhandledPanic::Ignore)] //~ ERROR `unhandled_panic` is "log"
async fn path() {}

#[runtime::main(unhandled_panic = true)] //~ ERROR `unhandled_panic` is "log"
async fn boolean() {}
