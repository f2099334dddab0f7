//! A flavor with more than one thread.

#[runtime::main(flavor = "multi_thread")] //~ ERROR for every runtime has one thread
async fn main() {}

#[runtime::main(flavor = current_thread)] //~ ERROR `flavor` is "current_thread" or "local"
async fn path() {}
