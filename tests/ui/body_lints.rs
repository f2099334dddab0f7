//! The user's lints come through, once each, and ours do not add to them.

#[runtime::main]
async fn main() {
    let unused = 1; //~ WARNING unused variable: `unused`
    return;
    println!("never"); //~ WARNING unreachable statement
}
