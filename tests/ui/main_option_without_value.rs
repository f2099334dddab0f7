//! Options without a value.

#[runtime::main(start_paused)] //~ ERROR the option `start_paused` needs a value, as in `start_paused = true`
async fn main() {}

#[runtime::main(seed =)] //~ ERROR the option `seed` needs a value, as in `seed = 7`
async fn no_value() {}

#[runtime::main(seed: 7)] //~ ERROR the option `seed` needs a value, as in `seed = 7`
async fn colon() {}

#[runtime::main(flavor("current_thread"))] //~ ERROR the option `flavor` needs a value
async fn call() {}
