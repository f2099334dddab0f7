//! A crate that is no path, and one that is not there.

#[runtime::main(crate = 5)] //~ ERROR `crate` is a path, as in `crate = path::to::runtime`; found `5`
async fn main() {}

#[runtime::main(crate = "no path")] //~ ERROR `crate` is a path
async fn string() {}

#[runtime::main(crate = a::<B>)] //~ ERROR `crate` is a path
async fn generics() {}

#[runtime::main(crate = a::)] //~ ERROR `crate` is a path
async fn half() {}
