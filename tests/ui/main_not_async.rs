//! A function without `async`.

#[runtime::main]
fn main() {} //~ ERROR `#[runtime::main]` runs an `async fn`, and this `fn` is not: put `async` in front of it
