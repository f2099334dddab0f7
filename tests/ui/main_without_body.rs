//! A function without a body.

#[runtime::main]
async fn main(); //~ ERROR `#[runtime::main]` needs a function with a body
