//! A test without `async`.

#[runtime::test]
fn adds() {} //~ ERROR `#[runtime::test]` runs an `async fn`, and this `fn` is not

fn main() {}
