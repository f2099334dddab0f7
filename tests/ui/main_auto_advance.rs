//! A clock that neither jumps nor does not.

#[runtime::main(auto_advance = no)] //~ ERROR `auto_advance` is `true` or `false`, as in `auto_advance = false`; found `no`
async fn main() {}

#[runtime::main(auto_advance)] //~ ERROR the option `auto_advance` needs a value, as in `auto_advance = false`
async fn no_value() {}

#[runtime::main(auto_advance = true, start_paused = true, auto_advance = false)]
//~^ ERROR the option `auto_advance` is given twice
async fn twice() {}
