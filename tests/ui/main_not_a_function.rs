//! The attribute on things that are no functions.

#[runtime::main]
struct Main; //~ ERROR `#[runtime::main]` belongs on an `async fn`

#[runtime::test]
pub static TEST: fn() = main; //~ ERROR `#[runtime::test]` belongs on an `async fn`

fn main() {
    let _ = Main;
}
