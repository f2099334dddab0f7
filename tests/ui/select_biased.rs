//! `biased` not at the top, or without its semicolon.

#[runtime::main]
async fn main() {
    runtime::select! { _ = async {} => {} biased; } //~ ERROR `biased;` with a semicolon is the first thing in it
    runtime::select! { biased, _ = async {} => {} } //~ ERROR `biased;` with a semicolon is the first thing in it
}
