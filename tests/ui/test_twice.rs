//! A test that is one already.

#[runtime::test]
#[test] //~ ERROR `#[runtime::test]` makes the function a test: take `#[test]` away
async fn adds() {}

fn main() {}
