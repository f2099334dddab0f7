//! Threads that do not exist.

#[runtime::main(worker_threads = 4)] //~ ERROR `worker_threads` has no meaning here
async fn main() {}
