//! An option that does not exist.

#[runtime::main(start_pause = true)] //~ ERROR there is no option `start_pause`; the options are
async fn main() {}
