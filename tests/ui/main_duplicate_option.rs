//! One option twice.

#[runtime::main(seed = 1, start_paused = true, seed = 2)] //~ ERROR the option `seed` is given twice
async fn main() {}
