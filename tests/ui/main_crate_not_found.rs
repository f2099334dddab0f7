//! A path at which there is no runtime: the error is at the path.

mod elsewhere {}

#[rustfmt::skip]
#[runtime::main(
    crate = elsewhere //~ ERROR could not find `__private` in `elsewhere`
    //~^ ERROR could not find `Builder` in `elsewhere`
)]
async fn main() {}
