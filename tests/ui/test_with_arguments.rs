//! A test with arguments.

#[runtime::test]
async fn adds(a: u32, b: u32) {
    //~^ ERROR a test has no arguments: nobody could pass them
    assert_eq!(a + b, b + a);
}

fn main() {}
