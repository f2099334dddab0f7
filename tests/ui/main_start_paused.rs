//! A clock that is neither paused nor not.

#[runtime::main(start_paused = 1)] //~ ERROR `start_paused` is `true` or `false`, as in `start_paused = true`; found `1`
async fn main() {}

#[runtime::main(start_paused = "true")] //~ ERROR `start_paused` is `true` or `false`
async fn string() {}
