//! Commas where no comma belongs, and none where one does.

#[runtime::main(, seed = 1)] //~ ERROR expected an option, found `,`
async fn main() {}

#[runtime::main(seed = 1,, start_paused = true)] //~ ERROR expected an option, found `,`
async fn two() {}

#[runtime::main(seed = 1 start_paused = true)] //~ ERROR `seed` is a whole number
async fn none() {}

#[runtime::main("current_thread")] //~ ERROR expected an option, found `"current_thread"`
async fn value() {}
