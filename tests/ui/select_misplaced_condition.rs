//! Conditions at the wrong place, or without their comma.

#[runtime::main]
async fn main() {
    runtime::select! { x if true = async {} => x } //~ ERROR the condition stands behind the future, as in `x = future, if condition => handler`
    runtime::select! { x = next() if true => x } //~ ERROR a comma is missing between the future and its condition: `x = next(), if ..`
}
