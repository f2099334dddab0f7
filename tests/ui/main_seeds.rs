//! A program that would run many times.

#[runtime::main(seeds = 200)] //~ ERROR `seeds` is for tests: a function that runs once has a `seed`
async fn main() {}
