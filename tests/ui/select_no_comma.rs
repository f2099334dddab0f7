//! A handler without braces and without a comma behind it.

#[runtime::main]
async fn main() {
    runtime::select! { //~ ERROR a comma is missing behind the handler of the branch `a = ..`; only a handler in braces can do without
        a = async {} => drop(a)
        b = async {} => drop(b),
    }
    runtime::select! { //~ ERROR a comma is missing behind the handler of the branch `a = ..`
        _ = async {} => {}
        a = if true { one() } else if false { two() } else { three() }, if cond => drop(a)
        else => {}
    }
}
